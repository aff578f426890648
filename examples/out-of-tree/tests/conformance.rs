//! The conformance suite against the fake.

mod harness;

fn main() -> std::process::ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), harness::RolodexHarness::start())
}
