//! The configuration: where it is, what it may say, and what is wrong with it.
//!
//! A file is read three times over: as TOML, for the places of its keys; against the JSON schema of its types, for all
//! unknown and missing keys at once and for the secrets that it names; and as those types, for everything else.

mod connector;
mod document;
mod environment;
mod explain;
mod federation;
mod inspect;
mod load;
mod model;
mod path;
mod problem;
mod published;
mod regular;
mod rest;
mod schema;
mod secrets;
mod tenant;

pub(crate) use environment::{log as log_filter, secret as variable};
pub(crate) use load::{FILE_NAME, Location, Settings, load};
pub(crate) use model::{Log, LogFormat, Server, parse_listen};
pub(crate) use problem::{Problem, list, nearest};
pub(crate) use published::{schema, settings_of};
pub(crate) use regular::read_text;
pub(crate) use secrets::MOST as MAX_SECRET;

#[cfg(test)]
mod tests;
