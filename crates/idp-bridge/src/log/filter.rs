//! Parses the log filter, and rejects a misspelt level, which would silence the log.

use tracing_subscriber::EnvFilter;

use crate::config::nearest;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The error of a filter that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FilterError {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Parses levels and `target=level` directives.
///
/// A bare word is a level. tracing-subscriber would take an unknown word as the name of a target, so that `warning` would
/// switch off all lines except those of a target with this name.
pub(crate) fn parse(text: &str) -> Result<EnvFilter, FilterError> {
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    directives.iter().filter_map(|directive| directive_level(directive)).try_for_each(check_level)?;
    // The library does not trim directives.
    EnvFilter::try_new(directives.join(","))
        .map_err(|error| FilterError { message: format!("expected a log filter such as `info`: {error}"), hint: None })
}

/// Returns the level of a directive, or `None` for a directive without a level or with spans.
fn directive_level(directive: &str) -> Option<&str> {
    if directive.contains(['[', ']', '{', '}', '"']) || directive.is_empty() {
        return None;
    }
    let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
    Some(level).filter(|level| !level.is_empty())
}

fn check_level(level: &str) -> Result<(), FilterError> {
    let lower = level.to_ascii_lowercase();
    let is_number = matches!(lower.as_str(), "0" | "1" | "2" | "3" | "4" | "5");
    if is_number || LEVELS.contains(&lower.as_str()) {
        return Ok(());
    }
    let starts = |name: &&&str| lower.starts_with(**name) || name.starts_with(&lower);
    let near = LEVELS.iter().find(starts).copied().or_else(|| nearest(&lower, LEVELS));
    Err(FilterError {
        message: format!("`{level}` is not a log level"),
        hint: Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "expected a level such as `info`, or `target=level`".to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(text: &str) -> String {
        parse(text).err().and_then(|error| error.hint).unwrap_or_default()
    }

    #[test]
    fn misspelt_level_is_rejected_with_suggestion() {
        for (text, near) in [
            ("warning", "warn"),
            ("inf", "info"),
            ("information", "info"),
            ("dbug", "debug"),
            ("err", "error"),
            ("info,idp_bridge_server=warning", "warn"),
            ("INFOO", "info"),
        ] {
            assert_eq!(hint(text), format!("did you mean `{near}`?"), "{text}");
        }
        for text in ["verbose", "idp_bridge", "info,verbose"] {
            assert!(hint(text).contains("`target=level`"), "{text}");
        }
        assert!(parse("=x=").is_err());
    }

    #[test]
    fn levels_and_directives_are_accepted() {
        for text in
            ["info", "WARN", "off", "3", "info,idp_bridge_server=debug", "info, hyper=off", "[call{tenant=a}]=debug"]
        {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text).err());
        }
    }
}
