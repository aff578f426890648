//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use std::sync::Arc;

use idp_bridge_core::{ConnectorContext, Result, SearchKey, Secret, UserId, UserRecord};
use idp_bridge_http::Url;
use serde_json::Value;

use crate::HttpConfig;
use crate::definition::{Definition, SettingKind};
use crate::map::BoundUserMap;
use crate::request::BoundRequest;
use crate::settings::Settings;
use crate::template::Template;
use crate::values::Values;

/// A definition with the settings of a tenant.
#[derive(Debug)]
pub struct BoundDefinition {
    requests: Vec<BoundRequest>,
    users: BoundUserMap,
}

impl BoundDefinition {
    /// Fills in this origin, and the name of each other setting as its value.
    pub fn new(definition: &Arc<Definition>, origin: &str, context: &ConnectorContext) -> Result<Self> {
        let mut config = HttpConfig::default();
        for (name, setting) in &definition.settings {
            match setting.kind {
                SettingKind::Origin => drop(config.settings.insert(name.clone(), origin.to_owned())),
                SettingKind::Secret => drop(config.secrets.insert(name.clone(), Secret::new(name.as_str()))),
                _ => drop(config.settings.insert(name.clone(), name.clone())),
            }
        }
        let settings = Arc::new(Settings::new(definition, &config, &context.outbound)?);
        let calls = definition.calls.iter().map(|(_, _, call)| call);
        let specs =
            calls.flat_map(|call| call.request.iter().chain(&call.steps).chain(&call.undo).chain(&call.if_absent));
        let requests = specs.map(|spec| BoundRequest::new(spec, &settings)).collect::<Result<_>>()?;
        Ok(Self { requests, users: BoundUserMap::new(definition, &settings, context)? })
    }

    /// Returns the URLs of all requests that these values suffice for. Captured values and cursors are `text`.
    pub fn urls(&self, id: &UserId, key: SearchKey<'_>, text: &str) -> Vec<Url> {
        let values = [Values::for_id(id), Values::for_search(key, Some(text)), Values::for_session(text)];
        self.requests
            .iter()
            .flat_map(|request| values.iter().filter_map(|values| request.url(values).ok()))
            .map(Url::from)
            .collect()
    }

    /// Converts a user.
    pub fn convert_user(&self, user: &Value) -> Result<UserRecord> {
        self.users.convert(user).map(|user| user.record)
    }
}

/// Fills the customer into a template such as `cn eq {customer|quoted}`. Returns `None` if the template is invalid.
pub fn fill(template: &str, key: SearchKey<'_>) -> Option<String> {
    Template::try_from(template.to_owned()).ok()?.fill(&Values::for_search(key, None))
}
