//! Locates, reads and validates the configuration.
//!
//! Each file is processed in three passes. It is parsed as TOML, which yields the position of each key. It is checked
//! against the JSON schema of its types, which finds all unknown and missing keys at once and resolves secrets.
//! It is deserialized into those types, which finds all other mistakes.

mod conflict;
mod connector;
mod document;
mod environment;
mod explain;
mod federation;
mod files;
mod inputs;
mod inspect;
mod load;
mod model;
mod parts;
mod pass;
mod path;
mod problem;
mod published;
mod regular;
mod rest;
mod root;
mod schema;
mod secrets;
mod store;
mod tenant;
mod tls;

pub(crate) use environment::{log_filter, variable};
pub(crate) use load::{FILE_NAME, Loader, Location, Reload, Settings, TlsChange, load};
pub(crate) use model::{Audit, Log, LogFormat, Server, ShutdownDelay, TraceProtocol, Traces, parse_listen};
pub(crate) use problem::{Problem, list, nearest};
pub(crate) use published::{Setting, connector_settings, json_schema};
pub(crate) use regular::{MAX_FILE, read_text};
pub(crate) use secrets::MAX_SECRET;
pub(crate) use store::StoreSettings;

#[cfg(test)]
mod tests;
