//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use std::path::Path;

use idp_bridge_core::Registry;

use crate::config;

/// Loads a configuration, and returns its problems.
pub fn load_configuration(path: &Path, registry: &Registry) -> Result<(), Vec<String>> {
    match config::load(path, registry) {
        Ok(_) => Ok(()),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}
