//! The program with the connectors that its features select.

/// Faster than the allocator of the system with many small values for each call, and smaller than others when idle.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    idp_bridge::run(idp_bridge::registry())
}
