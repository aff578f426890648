//! The conformance suite against a fake Rolodex.

mod rolodex;

fn main() -> std::process::ExitCode {
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), rolodex::RolodexHarness::start())
}
