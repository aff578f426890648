//! The memory connector keeps the contract.

mod harness;

fn main() -> std::process::ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), harness::InProcess::start())
}
