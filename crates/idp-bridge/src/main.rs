//! The program with the connectors that its features select.

fn main() -> std::process::ExitCode {
    idp_bridge::run(idp_bridge::registry())
}
