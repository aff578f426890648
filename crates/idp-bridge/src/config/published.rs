//! The configuration as others read it: a JSON schema for editors, and the settings of a connector as a list.

use idp_bridge_core::{Registry, RegistryEntry, Secret};
use schemars::schema_for;
use serde_json::{Map, Value, json};

use super::connector::joined_schema;
use super::model;
use super::schema::{Kind, Shape};

/// One setting of a connector.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) required: bool,
    pub(crate) summary: String,
}

/// The settings of a connector, with those that every connector has.
pub(crate) fn settings_of(connector: &RegistryEntry) -> Vec<Setting> {
    let schema = joined_schema(connector);
    let Some(shape) = Shape::of(&schema) else { return Vec::new() };
    let required: Vec<&str> = shape.required().collect();
    let own = shape.keys().filter(|(key, _)| *key != "type");
    own.map(|(key, _)| Setting {
        key: key.to_owned(),
        required: required.contains(&key),
        summary: shape.summary(key).unwrap_or_default(),
    })
    .collect()
}

/// The JSON schema of a configuration file, with the settings of every built-in connector.
pub(crate) fn schema(registry: &Registry) -> Value {
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
    offer_forms(&mut schema);
    schema
}

/// Connectors may have definitions of one name; a secret is the same for all.
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

/// Lets each secret be given as a value, as a file or as an environment variable, and exactly one of them if it is required.
fn offer_forms(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(offer_forms);
            offer_forms_here(members);
        }
        Value::Array(elements) => elements.iter_mut().for_each(offer_forms),
        _ => {}
    }
}

fn offer_forms_here(members: &mut Map<String, Value>) {
    if !members.contains_key("properties") {
        return;
    }
    let whole = Value::Object(members.clone());
    let Some(shape) = Shape::of(&whole) else { return };
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
