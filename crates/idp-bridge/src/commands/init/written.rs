//! Writes the settings of an identity provider that is set up in its console, and describes the steps there.

use idp_bridge_core::{Registry, TenantId};

use super::prompts::Prompts;
use super::{Connector, Options};
use crate::config::{Problem, Setting, connector_settings, list};
use crate::report::Failure;

/// The steps for a product. Each page has all of them.
const STEPS: [(&str, &str); 4] = [
    ("cognito", include_str!("cognito.txt")),
    ("auth0", include_str!("auth0.txt")),
    ("oidc", include_str!("oidc.txt")),
    ("http", include_str!("http.txt")),
];

/// Returns the settings of the connector, from `--set` and from answers.
pub(super) fn set_up(
    kind: &str,
    tenant: &TenantId,
    options: &Options,
    registry: &Registry,
    prompts: &mut Prompts,
) -> Result<Connector, Failure> {
    let entry = registry.iter().find(|entry| entry.kind() == kind);
    let known = entry.map(connector_settings).unwrap_or_default();
    let mut settings = read_given(kind, &known, &options.settings)?;
    for setting in known.iter().filter(|setting| setting.required) {
        if settings.keys().any(|key| is_form_of(key, &setting.key)) {
            continue;
        }
        let question = format!("`{}`: {}", setting.key, setting.summary.trim_end_matches('.'));
        let answer = prompts.value(None, &format!("--set {}=…", setting.key), &question, None)?;
        settings.insert(setting.key.clone(), answer.into());
    }
    let steps = STEPS.iter().find(|(own, _)| *own == kind).map_or("", |(_, steps)| steps);
    let page = if kind == "http" { "definition" } else { kind };
    let steps = steps.replace("TENANT", tenant.as_str());
    let report = format!("{steps}docs/connectors/{page}.md describes each step.\n");
    Ok(Connector { kind: kind.to_owned(), settings, secret: None, report, is_complete: false })
}

/// Returns the settings of `--set`.
fn read_given(kind: &str, known: &[Setting], given: &[String]) -> Result<toml::Table, Problem> {
    let mut settings = toml::Table::new();
    for pair in given {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Problem::new(format!("`--set {pair}` has no `=`")).with_hint("write it like `--set client_id=abc`")
        })?;
        let Some(setting) = known.iter().find(|setting| is_form_of(key, &setting.key)) else {
            let keys = list(known.iter().map(|setting| setting.key.as_str()));
            return Err(Problem::new(format!("the connector `{kind}` has no setting `{key}`"))
                .with_hint(format!("the settings are {keys}")));
        };
        let is_text = setting.is_text || key != setting.key;
        settings.insert(key.to_owned(), if is_text { value.into() } else { parse_value(value) });
    }
    Ok(settings)
}

/// Returns whether a key is a setting, or its form with a file or an environment variable.
fn is_form_of(key: &str, setting: &str) -> bool {
    key == setting || [key.strip_suffix("_file"), key.strip_suffix("_env")].contains(&Some(setting))
}

/// Parses a number, a boolean or a list of TOML; all others are texts.
fn parse_value(text: &str) -> toml::Value {
    let line = format!("value = {text}");
    let parsed = line.parse::<toml::Table>().ok().and_then(|table| table.get("value").cloned());
    match parsed {
        Some(value @ (toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Array(_))) => value,
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_types_of_their_settings() {
        let setting =
            |key: &str, is_text| Setting { key: key.into(), required: false, is_text, summary: String::new() };
        let known = [setting("client_id", true), setting("secret", true), setting("page_size", false)];
        let given = ["client_id=123", "secret_file=7", "page_size=50"].map(str::to_owned);
        let settings = read_given("sample", &known, &given).unwrap();
        assert_eq!(settings["client_id"].as_str(), Some("123"));
        assert_eq!(settings["secret_file"].as_str(), Some("7"));
        assert_eq!(settings["page_size"].as_integer(), Some(50));
        assert!(read_given("sample", &known, &["page=1".to_owned()]).is_err());
    }
}
