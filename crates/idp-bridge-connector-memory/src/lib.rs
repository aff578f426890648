//! The embedded default and reference connector: users from a JSON file, in process.
