//! The medians of all rounds, as a table in Markdown or as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::load::Measured;

/// The gateway that all others are compared with.
const REFERENCE: &str = "axum and reqwest";

/// The figures of one gateway in one round.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    start: Duration,
    idle_kib: u64,
    pub(crate) loaded_kib: u64,
    /// CPU time per call in microseconds, and calls a second, by connections.
    saturation: BTreeMap<usize, (f64, f64)>,
    p50_us: u64,
    p99_us: u64,
}

impl Figures {
    /// Starts with the time until the first connection and the memory before the first call.
    pub(crate) fn new(start: Duration, idle_kib: u64) -> Self {
        Self { start, idle_kib, ..Self::default() }
    }

    /// Adds a measurement without a fixed rate.
    pub(crate) fn add_saturation(&mut self, connections: usize, measured: &Measured, cpu: Duration) {
        let calls = measured.calls as f64;
        self.saturation.insert(connections, (cpu.as_secs_f64() * 1e6 / calls, calls / measured.seconds));
    }

    /// Sets the latencies at a fixed rate.
    pub(crate) fn set_latency(&mut self, measured: &Measured) {
        (self.p50_us, self.p99_us) = (measured.p50_us, measured.p99_us);
    }
}

/// The figures of all gateways, in the order of the first round.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<(&'static str, Vec<Figures>)>);

/// One row of the report: medians, and the spread of the CPU time.
#[derive(Debug, Serialize)]
struct Row {
    gateway: &'static str,
    /// CPU time per call in microseconds by connections: median, least and most.
    cpu_us: BTreeMap<usize, [f64; 3]>,
    calls_per_second: BTreeMap<usize, f64>,
    p50_us: f64,
    p99_us: f64,
    start_ms: f64,
    idle_mib: f64,
    loaded_mib: f64,
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
        let rows: Vec<Row> = self.0.iter().map(|(name, rounds)| row(name, rounds)).collect();
        if as_json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
            return Ok(());
        }
        let connections: Vec<usize> = rows.first().map(|row| row.cpu_us.keys().copied().collect()).unwrap_or_default();
        let reference = rows.iter().find(|row| row.gateway == REFERENCE);
        let heads: String =
            connections.iter().map(|number| format!(" CPU per call, {number} connections | ratio |")).collect();
        println!("| gateway |{heads} p50 | p99 | start | idle | loaded |");
        println!("|---|{}---|---|---|---|---|", "---|---|".repeat(connections.len()));
        for row in &rows {
            let cells: String = row
                .cpu_us
                .iter()
                .map(|(number, [median, least, most])| {
                    let base = reference.and_then(|reference| reference.cpu_us.get(number)).map(|base| base[0]);
                    format!(" {median:.0} µs ({least:.0} to {most:.0}) | {} |", ratio(*median, base))
                })
                .collect();
            let Row { gateway, p50_us, p99_us, start_ms, idle_mib, loaded_mib, .. } = row;
            println!(
                "| {gateway} |{cells} {p50_us:.0} µs | {p99_us:.0} µs | {start_ms:.0} ms | {idle_mib:.1} MiB | {loaded_mib:.1} MiB |"
            );
        }
        Ok(())
    }
}

/// Returns the ratio to the reference, or a dash if that was not measured.
fn ratio(value: f64, base: Option<f64>) -> String {
    base.map_or_else(|| "–".to_owned(), |base| format!("{:.2}", value / base))
}

fn row(gateway: &'static str, rounds: &[Figures]) -> Row {
    let all = |value: &dyn Fn(&Figures) -> f64| sorted(rounds.iter().map(value).collect());
    let middle = |value: &dyn Fn(&Figures) -> f64| median(&all(value));
    let connections: Vec<usize> =
        rounds.first().map(|first| first.saturation.keys().copied().collect()).unwrap_or_default();
    let of = |number: usize| move |figures: &Figures| figures.saturation.get(&number).copied().unwrap_or_default();
    let cpu_us = connections.iter().map(|&number| {
        let values = all(&|figures| of(number)(figures).0);
        let ends = (values.first().copied().unwrap_or_default(), values.last().copied().unwrap_or_default());
        (number, [median(&values), ends.0, ends.1])
    });
    Row {
        gateway,
        cpu_us: cpu_us.collect(),
        calls_per_second: connections
            .iter()
            .map(|&number| (number, middle(&|figures| of(number)(figures).1)))
            .collect(),
        p50_us: middle(&|figures| figures.p50_us as f64),
        p99_us: middle(&|figures| figures.p99_us as f64),
        start_ms: middle(&|figures| figures.start.as_secs_f64() * 1e3),
        idle_mib: middle(&|figures| figures.idle_kib as f64 / 1024.0),
        loaded_mib: middle(&|figures| figures.loaded_kib as f64 / 1024.0),
    }
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

    #[test]
    fn missing_reference_has_no_ratio() {
        assert_eq!((ratio(3.0, Some(2.0)), ratio(3.0, None)), ("1.50".to_owned(), "–".to_owned()));
    }
}
