//! The program with all connectors that its features name.

fn main() -> std::process::ExitCode {
    idp_bridge::run(idp_bridge::registry())
}
