//! Child processes, pinned to a core, with their CPU time and memory.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The memory of a process, in KiB.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Memory {
    /// The resident memory, with the pages of the program's file that are in memory.
    pub(crate) resident_kib: u64,
    /// The part without pages of files, which the kernel can drop and processes share.
    pub(crate) own_kib: u64,
}

/// A process and its children, which are stopped on drop.
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a program on one core. Its log goes to a file.
    pub(crate) fn start(core: usize, name: &str, program: &Path, arguments: &[String], log: &Path) -> Result<Self> {
        let log = fs::File::create(log).with_context(|| format!("cannot create `{}`", log.display()))?;
        let mut command = Command::new("taskset");
        command.arg("--cpu-list").arg(core.to_string()).arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {name} with `taskset`"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// Waits until the process accepts connections, and returns how long it took.
    pub(crate) fn wait_for(&mut self, address: SocketAddr) -> Result<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at its start: {status}", self.name);
            }
            if TcpStream::connect(address).is_ok() {
                return Ok(begun.elapsed());
            }
            std::thread::yield_now();
        }
        bail!("{} does not listen on {address} after 60 s", self.name)
    }

    /// Returns the CPU time of the process and its children.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let ticks: u64 = self.family().iter().map(|id| cpu_ticks(id)).sum::<Result<u64>>()?;
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Returns the memory of the process and its children.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let of_all = |name| self.family().iter().map(|id| status_kib(id, name)).sum::<Result<u64>>();
        Ok(Memory { resident_kib: of_all("VmRSS")?, own_kib: of_all("RssAnon")? })
    }

    fn family(&self) -> Vec<String> {
        let id = self.child.id().to_string();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().map(Into::into).chain([id]).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for id in self.family().iter().filter_map(|id| id.parse().ok()).filter_map(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Returns an address that is free now.
pub(crate) fn unused_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn cpu_ticks(id: &str) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name may contain spaces, and ends with the last parenthesis.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    ticks.sum::<Result<u64, _>>().context("`/proc` has another format")
}

/// Returns a field of the process's status that is in KiB.
fn status_kib(id: &str, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let mut values = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = values.next().with_context(|| format!("`/proc` has no `{name}`"))?;
    value.trim().trim_end_matches(" kB").parse().with_context(|| format!("`{name}` is not a number"))
}
