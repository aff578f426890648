//! The schemas of the protocol's types, adapted for readers who do not know Rust.

use idp_bridge_core::{CustomerId, Email, UserId};
use idp_bridge_protocol::answer::{DeleteAnswer, DoneAnswer, PingAnswer, UserAnswer};
use idp_bridge_protocol::{Code, Problem, WireEnvelope};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::parts::reference;
use crate::federation::{FederationAnswer, UserInfo};

const ENVELOPE: &str = "Envelope";

/// Returns all schemas by name.
pub(super) fn components() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    generator.subschema_for::<WireEnvelope>();
    generator.subschema_for::<UserAnswer>();
    generator.subschema_for::<DeleteAnswer>();
    generator.subschema_for::<DoneAnswer>();
    generator.subschema_for::<PingAnswer>();
    generator.subschema_for::<Problem>();
    generator.subschema_for::<UserInfo<'static>>();
    generator.subschema_for::<FederationAnswer>();
    generator.subschema_for::<(UserId, Email, CustomerId)>();
    let mut schemas: Map<_, _> = generator.take_definitions(true).into_iter().collect();
    schemas.values_mut().for_each(simplify);
    if let Some(envelope) = schemas.remove(ENVELOPE) {
        schemas.extend(envelopes(&envelope));
    }
    if let Some(code) = schemas.get_mut("Problem").and_then(|problem| problem.pointer_mut("/properties/code")) {
        *code = describe_code();
    }
    schemas.insert("Lookup".into(), lookup());
    schemas.insert("ExpectedEmail".into(), expected_email());
    schemas
}

/// Returns a named schema for the envelope of each operation. A discriminator selects named schemas only.
fn envelopes(envelope: &Value) -> Map<String, Value> {
    let part = |name: &str| envelope.get(name).cloned().unwrap_or_default();
    let (common, always) = (part("properties"), part("required"));
    let (mut schemas, mut one_of, mut mapping) = (Map::new(), Vec::new(), Map::new());
    for mut operation in part("oneOf").as_array().cloned().unwrap_or_default() {
        let Some(kind) = operation.pointer("/properties/type/const").and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        let takes_nothing = operation.pointer("/properties/data") == Some(&reference("schemas", "NoData"));
        if let (Some(Value::Object(own)), Value::Object(common)) = (operation.get_mut("properties"), &common) {
            own.extend(common.clone());
        }
        if let (Some(Value::Array(own)), Value::Array(always)) = (operation.get_mut("required"), &always) {
            own.extend(always.clone());
            own.retain(|name| name != "data" || !takes_nothing);
        }
        let name = envelope_name(&kind);
        let target = reference("schemas", &name);
        mapping.insert(kind, target.get("$ref").cloned().unwrap_or_default());
        one_of.push(target);
        schemas.insert(name, operation);
    }
    let whole = json!({
        "description": "The body of a signed call.",
        "oneOf": one_of,
        "discriminator": {"propertyName": "type", "mapping": mapping}
    });
    schemas.insert(ENVELOPE.into(), whole);
    schemas
}

/// Returns the name of an envelope's schema: `users.get_by_id` becomes `UsersGetByIdEnvelope`.
fn envelope_name(kind: &str) -> String {
    let words = kind.split(['.', '_']).map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    words.chain([ENVELOPE.to_owned()]).collect()
}

/// Reduces descriptions to their first paragraph without Rust links, and removes empty defaults.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, value| !(name == "default" && value == ""));
            if let Some(Value::String(text)) = members.get_mut("description") {
                let first = text.split("\n\n").next().unwrap_or_default();
                *text = first.replace("[`", "`").replace("`]", "`");
            }
            members.values_mut().for_each(simplify);
        }
        Value::Array(values) => values.iter_mut().for_each(simplify),
        _ => {}
    }
}

/// Returns the schema of a code. It is open, so that clients accept the codes of newer versions.
fn describe_code() -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({"type": "string", "description": "The code of the error. Newer versions may add codes.", "examples": codes})
}

fn lookup() -> Value {
    let by = |name: &str, schema: &str| {
        json!({
            "type": "object",
            "properties": {name: reference("schemas", schema)},
            "required": [name],
            "additionalProperties": false
        })
    };
    json!({"description": "The user's email or customer.", "oneOf": [by("email", "Email"), by("customer", "CustomerId")]})
}

fn expected_email() -> Value {
    json!({
        "description": "The expected address. If the user has another one, the call fails with `user_conflict`.",
        "type": "object",
        "properties": {"email": reference("schemas", "Email")},
        "additionalProperties": false
    })
}
