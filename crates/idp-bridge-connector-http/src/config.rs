//! A tenant's settings of the connector.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use idp_bridge_core::{Error, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog;
use crate::definition::Definition;

/// The settings of one product that a definition describes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Http")]
#[non_exhaustive]
pub struct HttpConfig {
    /// The name of a definition of the catalog, such as `pocketbase`. `idp-bridge definition list` prints them.
    #[serde(default)]
    pub definition: Option<String>,

    /// A file with a definition, instead of one of the catalog.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub definition_file: Option<PathBuf>,

    /// The settings that the definition declares, except secrets.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,

    /// The secrets that the definition declares.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
}

/// The maximum size of a definition in bytes.
const MAX_DEFINITION: u64 = 256 * 1024;

impl HttpConfig {
    /// Creates settings with a definition of the catalog.
    pub fn new(definition: impl Into<String>) -> Self {
        Self { definition: Some(definition.into()), ..Self::default() }
    }

    /// Reads and checks the definition. Equal definitions are parsed once, and shared.
    pub(crate) fn read_definition(&self) -> Result<Arc<Definition>> {
        match (&self.definition, &self.definition_file) {
            (Some(name), None) => parse(catalog::find(name)?, name),
            (None, Some(path)) => {
                let unreadable = |reason: String| {
                    Error::misconfigured(format!("`definition_file` cannot be read: {reason}"))
                        .with_hint("name a file with a definition, such as a copy of one of the catalog")
                };
                let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
                if !length.is_file() || length.len() > MAX_DEFINITION {
                    return Err(unreadable("it is not a regular file of at most 256 KiB".to_owned()));
                }
                let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
                parse(&text, &path.display().to_string())
            }
            (Some(_), Some(_)) => {
                Err(Error::misconfigured("both `definition` and `definition_file` are set")
                    .with_hint("keep one of them"))
            }
            (None, None) => Err(Error::misconfigured("neither `definition` nor `definition_file` is set")
                .with_hint(format!("the catalog has {}", catalog::names().collect::<Vec<_>>().join(", ")))),
        }
    }
}

fn parse(text: &str, source: &str) -> Result<Arc<Definition>> {
    Definition::parse_shared(text).map_err(|problems| {
        let shown: Vec<String> = problems.iter().take(5).map(ToString::to_string).collect();
        Error::misconfigured(format!("the definition `{source}` has {} problems: {}", problems.len(), shown.join("; ")))
            .with_hint("`idp-bridge definition check FILE` lists all of them")
    })
}
