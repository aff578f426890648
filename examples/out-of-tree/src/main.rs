//! The idp-bridge program with one more connector.

fn main() -> std::process::ExitCode {
    idp_bridge::run(idp_bridge::registry().with::<rolodex_bridge::Rolodex>())
}
