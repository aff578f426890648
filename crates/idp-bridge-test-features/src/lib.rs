//! Selects features of third-party crates, and contains no code.
//!
//! Cargo builds a crate once for each set of its features. The tests of the workspace need some features that the program
//! alone does not. A build of another selection of packages that includes this package has the same sets, and so uses the
//! dependencies that are built already.
