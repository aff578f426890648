//! The program with the connectors that its features select.

/// Faster than the system's allocator, with many small values for each call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    idp_bridge::run(idp_bridge::registry())
}
