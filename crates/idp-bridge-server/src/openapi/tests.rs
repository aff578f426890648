//! What the document promises is what the code does.

use serde_json::Value;

use super::*;

/// Every `$ref` in a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_has_its_target_and_every_schema_is_used() {
    let document = openapi();
    let mut found = Vec::new();
    references(&document, &mut found);
    let mapping = document.pointer("/components/schemas/Envelope/discriminator/mapping").unwrap().as_object().unwrap();
    found.extend(mapping.values().map(|target| target.as_str().unwrap().to_owned()));
    assert!(found.len() > 40, "{}", found.len());
    for reference in &found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for schema in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.iter().any(|reference| reference.ends_with(&format!("/{schema}"))), "{schema}");
    }
}

#[test]
fn the_envelope_is_chosen_by_its_type() {
    let document = openapi();
    let envelope = &document["components"]["schemas"]["Envelope"];
    assert_eq!(envelope["oneOf"].as_array().unwrap().len(), 8);
    let mapping = envelope["discriminator"]["mapping"].as_object().unwrap();
    for (kind, target) in mapping {
        let schema = document.pointer(target.as_str().unwrap().trim_start_matches('#')).unwrap();
        assert_eq!(schema["properties"]["type"]["const"], *kind);
        assert!(schema["required"].as_array().unwrap().contains(&"tenant".into()), "{kind}");
        assert_eq!(schema["required"].as_array().unwrap().contains(&"data".into()), kind != "ping", "{kind}");
    }
}

#[test]
fn no_description_speaks_rust() {
    let text = openapi().to_string();
    for word in ["[`", "`]", "Debug", "::", "serde"] {
        assert!(!text.contains(word), "{word}");
    }
}
