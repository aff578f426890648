//! Measures the start, the memory and a reload of idp-bridge with many tenants.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::fixture::{self, Upstream};
use crate::process::unused_address;
use crate::run::serve;

/// The time after which a file's times prove that it has not changed, as in the bridge, and a second more.
const SETTLED: Duration = Duration::from_secs(4);
/// The time after the start in which the memory settles.
const IDLE: Duration = Duration::from_secs(2);
/// The longest time of a reload, with the time in which the bridge waits for further changes.
const MAX_RELOAD: Duration = Duration::from_secs(20);

/// The options of the measurement.
#[derive(Args)]
pub(crate) struct Options {
    /// The release build of idp-bridge.
    #[arg(long)]
    bridge: PathBuf,
    /// The number of tenants.
    #[arg(long, default_value = "10000")]
    tenants: NonZeroUsize,
    /// The number of reloads, of which the median is printed.
    #[arg(long, default_value = "9")]
    reloads: NonZeroUsize,
}

/// The figures of one configuration.
struct Figures {
    start: Duration,
    resident_kib: u64,
    /// The durations of the reloads in milliseconds, sorted.
    reloads_ms: Vec<u64>,
}

/// A way to write tenants: its name, its function, and the file with the settings of a tenant.
type Layout = (&'static str, fn(&Path, SocketAddr, &Upstream, usize) -> Result<()>, &'static str);

const LAYOUTS: [Layout; 2] = [
    ("one file", fixture::write_configuration, "idp-bridge.toml"),
    ("a file for each tenant", fixture::write_files, "acme.toml"),
];

/// Measures both layouts, and prints a table in Markdown.
pub(crate) fn run(options: &Options) -> Result<()> {
    println!("| {} tenants in | start | memory of a tenant | reload of one (least to most) |", options.tenants);
    println!("|---|---|---|---|");
    for layout in LAYOUTS {
        let one = measure(options, layout, 1)?;
        let all = measure(options, layout, options.tenants.get())?;
        let kib = all.resident_kib.saturating_sub(one.resident_kib) as f64 / options.tenants.get() as f64;
        let at = |place: usize| all.reloads_ms.get(place).copied().unwrap_or_default();
        let (least, median, most) = (at(0), at(options.reloads.get() / 2), at(options.reloads.get() - 1));
        println!(
            "| {} | {:.2} s | {kib:.1} KiB | {median} ms ({least} to {most}) |",
            layout.0,
            all.start.as_secs_f64()
        );
    }
    Ok(())
}

fn measure(options: &Options, (_, write, changed): Layout, tenants: usize) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    // Apart from the log, since the bridge watches the folder of its configuration.
    let settings = folder.path().join("settings");
    fs::create_dir_all(&settings)?;
    let listen = unused_address()?;
    write(&settings, listen, &Upstream::plain(unused_address()?), tenants)?;
    std::thread::park_timeout(SETTLED);
    let main = settings.join("idp-bridge.toml");
    let config = if changed == "idp-bridge.toml" { &main } else { &settings };
    let log = folder.path().join("log");
    let (bridge, start) = serve(&options.bridge, config, &log, listen)?;
    std::thread::park_timeout(IDLE);
    let resident_kib = bridge.memory()?.resident_kib;
    let (file, before) = (settings.join(changed), read_reloads(&log)?.len());
    let text = fs::read_to_string(&file)?;
    for number in 1..=options.reloads.get() {
        // The first key of this tenant's table.
        fs::write(&file, text.replacen("webhook_keys", &format!("deadline = \"{number}s\"\nwebhook_keys"), 1))?;
        wait_for_reloads(&log, before + number)?;
    }
    let mut reloads_ms = read_reloads(&log)?.split_off(before);
    reloads_ms.sort_unstable();
    Ok(Figures { start, resident_kib, reloads_ms })
}

fn wait_for_reloads(log: &Path, count: usize) -> Result<()> {
    let begun = Instant::now();
    while read_reloads(log)?.len() < count {
        if begun.elapsed() > MAX_RELOAD {
            bail!("the configuration was not reloaded: {}", fs::read_to_string(log)?);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Ok(())
}

/// Returns the durations of all reloads in the log, in milliseconds.
fn read_reloads(log: &Path) -> Result<Vec<u64>> {
    let text = fs::read_to_string(log)?;
    let reloads = text.lines().filter(|line| line.contains("configuration reloaded"));
    let duration = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line)?;
        line.get("duration_ms").and_then(serde_json::Value::as_u64).context("a reload has no duration")
    };
    reloads.map(duration).collect()
}
