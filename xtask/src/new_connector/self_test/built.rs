//! The JSON messages of a cargo build.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The messages of a build.
#[derive(Debug)]
pub(super) struct Built(Vec<Message>);

/// The parsed part of one line of `cargo --message-format json`.
#[derive(Debug, Deserialize)]
struct Message {
    package_id: Option<String>,
    target: Option<Target>,
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Diagnostic {
    rendered: Option<String>,
}

impl Message {
    /// Returns whether the message is about this package of the workspace.
    fn is_about(&self, package: &str) -> bool {
        self.package_id.as_ref().is_some_and(|id| id.contains(&format!("/crates/{package}#")))
    }
}

impl Built {
    /// Parses the lines.
    pub(super) fn parse(lines: &str) -> Result<Self> {
        let messages: Result<_, _> = lines.lines().map(serde_json::from_str).collect();
        Ok(Self(messages.context("cannot parse the messages of cargo")?))
    }

    /// Returns the path of a target's test program.
    pub(super) fn tests(&self, package: &str, target: &str) -> Result<&Path> {
        let is_target = |message: &&Message| {
            message.is_about(package) && message.target.as_ref().is_some_and(|own| own.name == target)
        };
        let built = self.0.iter().filter(is_target).find_map(|message| message.executable.as_deref());
        built.with_context(|| format!("cargo built no tests `{target}` of `{package}`"))
    }

    /// Returns the first warning about a package.
    pub(super) fn warning(&self, package: &str) -> Option<&str> {
        let warnings = self.0.iter().filter(|message| message.is_about(package));
        warnings.filter_map(|message| message.message.as_ref()).find_map(|diagnostic| diagnostic.rendered.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"reason":"compiler-artifact","package_id":"registry+x#serde@1.0.0","target":{"name":"serde"},"executable":null}
{"reason":"compiler-artifact","package_id":"path+file:///w/crates/idp-bridge#0.1.0","target":{"name":"idp_bridge"},"executable":null}
{"reason":"compiler-artifact","package_id":"path+file:///w/crates/idp-bridge#0.1.0","target":{"name":"idp_bridge"},"executable":"/w/target/idp_bridge-1"}
{"reason":"compiler-message","package_id":"path+file:///w/crates/idp-bridge-core#0.1.0","target":{"name":"idp_bridge_core"},"message":{"rendered":"warning: unused"}}
{"reason":"build-finished","success":true}"#;

    #[test]
    fn tests_are_found_by_package_and_target() {
        let built = Built::parse(LINES).unwrap();
        assert_eq!(built.tests("idp-bridge", "idp_bridge").unwrap(), Path::new("/w/target/idp_bridge-1"));
        assert!(built.tests("idp-bridge", "conformance").is_err());
        assert!(built.tests("bridge", "idp_bridge").is_err());
    }

    #[test]
    fn warnings_are_found_by_package() {
        let built = Built::parse(LINES).unwrap();
        assert_eq!(built.warning("idp-bridge-core"), Some("warning: unused"));
        assert_eq!(built.warning("idp-bridge"), None);
        assert!(Built::parse("no json").is_err());
    }
}
