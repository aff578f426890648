//! A tenant's settings of a definition.

use std::collections::BTreeMap;

use idp_bridge_core::{Error, OutboundPolicy, Result, Secret};
use idp_bridge_http::{BaseUrl, Url};
use serde_json::Value;

use crate::HttpConfig;
use crate::definition::{Definition, RequestSpec, Setting, SettingKind, is_name};
use crate::template::Template;
use crate::values::Values;

/// The checked settings of a tenant.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    origins: BTreeMap<String, BaseUrl>,
    texts: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
    /// Values of the stage that are not texts in a JSON body.
    typed: BTreeMap<String, Value>,
    /// The credential of requests that name none.
    default_auth: Option<String>,
}

impl Settings {
    /// Checks a tenant's settings against those that the definition declares.
    pub(crate) fn new(definition: &Definition, config: &HttpConfig, policy: &OutboundPolicy) -> Result<Self> {
        check_names(definition, config)?;
        let mut settings = Self {
            origins: BTreeMap::new(),
            texts: BTreeMap::new(),
            secrets: BTreeMap::new(),
            typed: BTreeMap::new(),
            default_auth: definition.auth.keys().next().filter(|_| definition.auth.len() == 1).cloned(),
        };
        for (name, setting) in &definition.settings {
            if setting.kind == SettingKind::Secret {
                let secret = config.secrets.get(name).ok_or_else(|| missing("secrets", name, setting))?;
                settings.secrets.insert(name.clone(), secret.clone());
                continue;
            }
            let given = config.settings.get(name).or(setting.default.as_ref());
            let value = given.ok_or_else(|| missing("settings", name, setting))?;
            match setting.kind {
                SettingKind::Origin => {
                    let base = BaseUrl::parse(value, policy).map_err(|error| error.with("name", name.clone()))?;
                    settings.origins.insert(name.clone(), base);
                }
                SettingKind::Name if !is_name(value) => {
                    return Err(Error::misconfigured(format!("`settings.{name}` is not a name"))
                        .with_hint("a name has letters, digits, `_`, `-`, `.` and `:`"));
                }
                SettingKind::Text if value.is_empty() => {
                    return Err(
                        Error::misconfigured(format!("`settings.{name}` is empty")).with_hint(setting.doc.clone())
                    );
                }
                _ => drop(settings.texts.insert(name.clone(), value.clone())),
            }
        }
        Ok(settings)
    }

    /// Returns the base URL of the named origin, or of the only one.
    pub(crate) fn origin(&self, name: Option<&str>) -> Result<&BaseUrl> {
        let origin = match name {
            Some(name) => self.origins.get(name),
            None => self.origins.values().next(),
        };
        origin.ok_or_else(|| Error::misconfigured("the definition names an origin that is not a setting"))
    }

    /// Returns a URL below an origin. Its path has no placeholders but those of settings.
    pub(crate) fn url(&self, origin: Option<&str>, path: &[Template]) -> Result<Url> {
        let segments: Vec<String> = path
            .iter()
            .map(|part| part.clone().bind(|name| self.text(name)).require(&Values::default()))
            .collect::<Result<_>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        self.origin(origin)?.join(&segments).map(Url::from)
    }

    /// Returns all base URLs.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &BaseUrl> {
        self.origins.values()
    }

    /// Returns the value of a setting that is not a secret.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.texts.get(name).cloned()
    }

    /// Adds a value of the stage.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.texts.insert(name.to_owned(), text);
        if !value.is_string() {
            self.typed.insert(name.to_owned(), value);
        }
    }

    /// Returns a value that is not a text in a JSON body.
    pub(crate) fn typed(&self, name: &str) -> Option<&Value> {
        self.typed.get(name)
    }

    /// Returns a secret.
    pub(crate) fn secret(&self, name: &str) -> Result<&Secret> {
        self.secrets
            .get(name)
            .ok_or_else(|| Error::misconfigured("the definition names a secret that is not a setting"))
    }

    /// Returns the name of the credential of a request.
    pub(crate) fn credential_of(&self, request: &RequestSpec) -> Option<String> {
        match request.auth.as_deref() {
            Some("none") => None,
            Some(name) => Some(name.to_owned()),
            None => self.default_auth.clone(),
        }
    }
}

/// Checks that the definition declares each setting, and in which table it is.
fn check_names(definition: &Definition, config: &HttpConfig) -> Result<()> {
    let is_secret = |name: &str| definition.settings.get(name).map(|setting| setting.kind == SettingKind::Secret);
    for (table, expected, names) in [
        ("settings", false, config.settings.keys().collect::<Vec<_>>()),
        ("secrets", true, config.secrets.keys().collect()),
    ] {
        for name in names {
            let other = if expected { "settings" } else { "secrets" };
            let message = match is_secret(name) {
                Some(secret) if secret == expected => continue,
                Some(_) => format!("`{table}.{name}` belongs into the table `{other}`"),
                None => format!("`{table}.{name}` is not a setting of this definition"),
            };
            let known: Vec<&str> = definition.settings.keys().map(String::as_str).collect();
            return Err(Error::misconfigured(message).with_hint(format!("its settings are {}", known.join(", "))));
        }
    }
    Ok(())
}

fn missing(table: &str, name: &str, setting: &Setting) -> Error {
    let example = setting.example.as_deref().unwrap_or("…");
    let form = if table == "secrets" { format!("{name}_file = \"…\"") } else { format!("{name} = \"{example}\"") };
    Error::misconfigured(format!("`{table}` lacks `{name}`")).with_hint(format!("add `{form}`: {}", setting.doc))
}
