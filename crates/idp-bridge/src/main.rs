//! The program with all connectors that its features name.

fn main() {}
