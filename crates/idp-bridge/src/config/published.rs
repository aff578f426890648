//! The JSON schema of the configuration, and the list of a connector's settings.

use idp_bridge_core::{Registry, RegistryEntry, Secret};
use schemars::schema_for;
use serde_json::{Map, Value, json};

use super::connector::joined_schema;
use super::model;
use super::schema::{Kind, Shape};

/// A setting of a connector.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) required: bool,
    /// Whether the value is a text.
    pub(crate) is_text: bool,
    pub(crate) summary: String,
}

/// Returns the settings of a connector, including those that all connectors share.
pub(crate) fn connector_settings(connector: &RegistryEntry) -> Vec<Setting> {
    let schema = joined_schema(connector);
    let Some(shape) = Shape::new(&schema) else { return Vec::new() };
    let required: Vec<&str> = shape.required().collect();
    let own = shape.keys().filter(|(key, _)| *key != "type");
    own.map(|(key, _)| Setting {
        key: key.to_owned(),
        required: required.contains(&key),
        is_text: shape.is_text(key),
        summary: shape.summary(key).unwrap_or_default(),
    })
    .collect()
}

/// Returns the JSON schema of a configuration file, with the settings of each built-in connector.
pub(crate) fn json_schema(registry: &Registry) -> Value {
    let mut schema = schema_for!(model::Root).to_value();
    let (mut connectors, mut definitions) = (Vec::new(), Map::new());
    for entry in registry.iter() {
        let mut connector = joined_schema(entry);
        rename_references(&mut connector, entry.kind());
        let Value::Object(members) = &mut connector else { continue };
        members.remove("$schema");
        if let Some(Value::Object(own)) = members.remove("$defs") {
            let named = own.into_iter().map(|(name, own)| (definition_name(&name, entry.kind()), own));
            definitions.extend(named);
        }
        require_type(members, entry.kind());
        connectors.push(connector);
    }
    definitions.insert("Connector".into(), json!({"description": "The identity provider.", "oneOf": connectors}));
    if let Some(Value::Object(own)) = schema.get_mut("$defs") {
        own.extend(definitions);
    }
    add_secret_forms(&mut schema);
    schema
}

/// Returns a name that is unique among connectors. They share the definition of secrets.
fn definition_name(name: &str, connector: &str) -> String {
    if name == Secret::SCHEMA_NAME { name.to_owned() } else { format!("{connector}.{name}") }
}

fn rename_references(schema: &mut Value, connector: &str) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/$defs/")
            {
                *target = format!("#/$defs/{}", definition_name(name, connector));
            }
            members.values_mut().for_each(|member| rename_references(member, connector));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| rename_references(element, connector)),
        _ => {}
    }
}

fn require_type(connector: &mut Map<String, Value>, kind: &str) {
    if let Some(properties) = connector.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("type".into(), json!({"const": kind}));
    }
    if let Value::Array(required) = connector.entry("required").or_insert_with(|| json!([])) {
        required.push("type".into());
    }
}

/// Adds `_file` and `_env` forms for each secret. Exactly one of the three forms is required if the secret is.
fn add_secret_forms(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(add_secret_forms);
            add_forms_to_table(members);
        }
        Value::Array(elements) => elements.iter_mut().for_each(add_secret_forms),
        _ => {}
    }
}

fn add_forms_to_table(members: &mut Map<String, Value>) {
    if !members.contains_key("properties") {
        return;
    }
    let whole = Value::Object(members.clone());
    let Some(shape) = Shape::new(&whole) else { return };
    let secrets: Vec<(&str, Kind)> =
        shape.keys().filter(|(_, kind)| matches!(kind, Kind::Secret | Kind::Secrets)).collect();
    let required: Vec<&str> = shape.required().collect();
    for (key, kind) in secrets {
        let (file, variable) = (format!("{key}_file"), format!("{key}_env"));
        let form = |what: &str| match kind {
            Kind::Secrets => json!({"description": what, "type": "array", "items": {"type": "string"}}),
            _ => json!({"description": what, "type": "string"}),
        };
        if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert(file.clone(), form(&format!("The path of a file with `{key}`.")));
            properties.insert(variable.clone(), form(&format!("The environment variable with `{key}`.")));
        }
        if !required.contains(&key) {
            continue;
        }
        if let Some(Value::Array(required)) = members.get_mut("required") {
            required.retain(|other| other != key);
        }
        let one = json!({"oneOf": [{"required": [key]}, {"required": [file]}, {"required": [variable]}]});
        if let Value::Array(all) = members.entry("allOf").or_insert_with(|| json!([])) {
            all.push(one);
        }
    }
}
