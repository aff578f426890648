//! The medians of all rounds, as a table in Markdown or as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::load::Measured;
use crate::process::Memory;

/// The gateway that all others are compared with.
const REFERENCE: &str = "axum and reqwest";

/// The figures of one gateway in one round.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    start: Duration,
    idle: Memory,
    pub(crate) loaded: Memory,
    /// CPU time per call in microseconds, and calls a second, by connections.
    saturation: BTreeMap<usize, (f64, f64)>,
    p50_us: u64,
    p99_us: u64,
}

impl Figures {
    /// Starts with the time until the first connection and the memory before the first call.
    pub(crate) fn new(start: Duration, idle: Memory) -> Self {
        Self { start, idle, ..Self::default() }
    }

    /// Adds a measurement without a fixed rate.
    pub(crate) fn add_saturation(&mut self, connections: usize, measured: &Saturation) {
        let calls = measured.calls as f64;
        self.saturation.insert(connections, (measured.cpu.as_secs_f64() * 1e6 / calls, calls / measured.seconds));
    }

    /// Sets the latencies at a fixed rate.
    pub(crate) fn set_latency(&mut self, measured: &Measured) {
        (self.p50_us, self.p99_us) = (measured.p50_us, measured.p99_us);
    }
}

/// The calls of a gateway without a fixed rate, and their cost.
#[derive(Debug, Default, Clone)]
pub(crate) struct Saturation {
    pub(crate) calls: usize,
    /// The processor time of the gateway.
    pub(crate) cpu: Duration,
    /// The time from the first call to the last response.
    pub(crate) seconds: f64,
}

/// The figures of all gateways, in the order of the first round.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<(&'static str, Vec<Figures>)>);

/// One row of the report: medians, and the spread of the CPU time.
#[derive(Debug, Serialize)]
struct Row {
    gateway: &'static str,
    /// CPU time per call, by connections.
    cpu_us: BTreeMap<usize, Cost>,
    calls_per_second: BTreeMap<usize, f64>,
    p50_us: f64,
    p99_us: f64,
    start_ms: f64,
    idle: MemoryMedians,
    loaded: MemoryMedians,
}

/// CPU time per call in microseconds.
#[derive(Debug, Serialize)]
struct Cost {
    median: f64,
    least: f64,
    most: f64,
    /// The median of the ratios to the reference in the same round. Machines are slower for minutes at a time.
    ratio: Option<f64>,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most, ratio } = self;
        let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        write!(f, "{median:.0} µs ({least:.0} to {most:.0}) | {ratio}")
    }
}

/// Medians of the memory.
#[derive(Debug, Serialize)]
struct MemoryMedians {
    resident_mib: f64,
    own_mib: f64,
}

impl fmt::Display for MemoryMedians {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB ({:.1})", self.resident_mib, self.own_mib)
    }
}

impl Report {
    /// Adds the figures of one gateway in one round.
    pub(crate) fn add(&mut self, name: &'static str, figures: Figures) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rounds)) => rounds.push(figures),
            None => self.0.push((name, vec![figures])),
        }
    }

    /// Prints the report.
    pub(crate) fn print(&self, as_json: bool) -> Result<()> {
        let reference = self.0.iter().find(|(name, _)| *name == REFERENCE).map(|(_, rounds)| rounds.as_slice());
        let rows: Vec<Row> = self.0.iter().map(|(name, rounds)| row(name, rounds, reference)).collect();
        if as_json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
            return Ok(());
        }
        let connections: Vec<usize> = rows.first().map(|row| row.cpu_us.keys().copied().collect()).unwrap_or_default();
        let plural = |number| if number == 1 { "" } else { "s" };
        let heads: String =
            connections.iter().map(|&number| format!(" {number} connection{} | ratio |", plural(number))).collect();
        println!("| gateway | CPU per call,{heads} p50 | p99 | start | idle (own) | loaded (own) |");
        println!("|---|{}---|---|---|---|---|", "---|---|".repeat(connections.len()));
        for row in &rows {
            let cells: String = row.cpu_us.values().map(|cost| format!(" {cost} |")).collect();
            let Row { gateway, p50_us, p99_us, start_ms, idle, loaded, .. } = row;
            println!("| {gateway} |{cells} {p50_us:.0} µs | {p99_us:.0} µs | {start_ms:.0} ms | {idle} | {loaded} |");
        }
        Ok(())
    }
}

fn row(gateway: &'static str, rounds: &[Figures], reference: Option<&[Figures]>) -> Row {
    let all = |value: &dyn Fn(&Figures) -> f64| sorted(rounds.iter().map(value).collect());
    let middle = |value: &dyn Fn(&Figures) -> f64| median(&all(value));
    let memory = |value: &dyn Fn(&Figures) -> Memory| MemoryMedians {
        resident_mib: middle(&|figures| value(figures).resident_kib as f64 / 1024.0),
        own_mib: middle(&|figures| value(figures).own_kib as f64 / 1024.0),
    };
    let connections: Vec<usize> =
        rounds.first().map(|first| first.saturation.keys().copied().collect()).unwrap_or_default();
    let speed = |number: usize| middle(&|figures| figures.saturation.get(&number).copied().unwrap_or_default().1);
    Row {
        gateway,
        cpu_us: connections.iter().map(|&number| (number, cost(number, rounds, reference))).collect(),
        calls_per_second: connections.iter().map(|&number| (number, speed(number))).collect(),
        p50_us: middle(&|figures| figures.p50_us as f64),
        p99_us: middle(&|figures| figures.p99_us as f64),
        start_ms: middle(&|figures| figures.start.as_secs_f64() * 1e3),
        idle: memory(&|figures| figures.idle),
        loaded: memory(&|figures| figures.loaded),
    }
}

fn cost(connections: usize, rounds: &[Figures], reference: Option<&[Figures]>) -> Cost {
    let cpu = |figures: &Figures| figures.saturation.get(&connections).copied().unwrap_or_default().0;
    let values = sorted(rounds.iter().map(cpu).collect());
    let ratio = reference.map(|reference| {
        median(&sorted(rounds.iter().zip(reference).map(|(own, base)| cpu(own) / cpu(base)).collect()))
    });
    let at = |place: Option<&f64>| place.copied().unwrap_or_default();
    Cost { median: median(&values), least: at(values.first()), most: at(values.last()), ratio }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(cpu_us: [f64; 3]) -> Vec<Figures> {
        let figures = |cpu_us| Figures { saturation: BTreeMap::from([(1, (cpu_us, 0.0))]), ..Figures::default() };
        cpu_us.into_iter().map(figures).collect()
    }

    #[test]
    fn rounds_are_compared_with_the_same_round_of_the_reference() {
        let own = rounds([30.0, 10.0, 40.0]);
        assert_eq!(cost(1, &own, Some(&rounds([20.0, 10.0, 20.0]))).to_string(), "30 µs (10 to 40) | 1.50");
        assert_eq!(cost(1, &own, None).to_string(), "30 µs (10 to 40) | –");
    }
}
