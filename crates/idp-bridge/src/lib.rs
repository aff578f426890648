//! The idp-bridge program, and the library that builds a program of one's own connectors.
