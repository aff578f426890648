//! The document agrees with the server.

use serde_json::Value;

use super::*;

/// Collects every `$ref` of a document.
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
fn references_resolve_and_schemas_are_used() {
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
fn envelope_is_selected_by_type() {
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
fn descriptions_contain_no_rust() {
    let text = openapi().to_string();
    for word in ["[`", "`]", "Debug", "::", "serde"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn summaries_are_unique() {
    let document = openapi();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let mut summaries: Vec<_> = operations.map(|operation| operation["summary"].as_str().unwrap()).collect();
    let count = summaries.len();
    summaries.sort_unstable();
    summaries.dedup();
    assert_eq!(summaries.len(), count, "{summaries:?}");
}

/// Returns a validator for a schema with its definitions.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut whole = json!({"allOf": [schema], "components": {"schemas": document["components"]["schemas"]}});
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    jsonschema::validator_for(&whole).unwrap()
}

#[test]
fn examples_match_their_schemas() {
    let document = openapi();
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for place in ["/requestBody/content", "/responses/200/content"] {
                let content = operation.pointer(place).and_then(Value::as_object);
                for (media_type, media) in content.into_iter().flatten() {
                    if media_type == "text/html" || path == "/openapi.json" {
                        continue;
                    }
                    let several = media["examples"].as_object().into_iter().flat_map(|all| all.values());
                    let examples: Vec<_> = several.map(|one| &one["value"]).chain(media.get("example")).collect();
                    assert!(!examples.is_empty(), "{method} {path}{place}");
                    for example in examples {
                        let wrong = validator(&document, &media["schema"]).validate(example).err();
                        assert!(wrong.is_none(), "{method} {path}{place}: {wrong:?}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn example_calls_are_parsed() {
    let document = openapi();
    let path = "/paths/~1v1~1tenants~1{tenant}~1webhook/post/requestBody/content/application~1json/examples";
    let examples = document.pointer(path).unwrap().as_object().unwrap();
    assert_eq!(examples.len(), 8);
    for (kind, example) in examples {
        let body = serde_json::to_vec(&example["value"]).unwrap();
        assert!(idp_bridge_protocol::Envelope::parse(&body).is_ok(), "{kind}");
    }
}

#[test]
fn schemas_are_as_strict_as_the_server() {
    use idp_bridge_core::{CustomerId, Email, TenantId, UserId};

    let document = openapi();
    let long = "x".repeat(257);
    let longer = format!("{}@b", "x".repeat(319));
    let texts = [
        "",
        ".",
        "..",
        "...",
        "a",
        "a b",
        "a/b",
        "ä",
        "a\0b",
        "a\nb",
        "\u{7f}",
        "\u{85}",
        "a\u{9f}b",
        "\u{a0}",
        "a@b",
        "@b",
        "a@",
        "a@b@c",
        "@",
        "a@b\n",
        "\ta@b",
        "ada@acme.example",
        "-a",
        "a_b-c",
        &*long,
        &*longer,
    ];
    for name in ["UserId", "CustomerId", "Email", "TenantId"] {
        let schema = validator(&document, &reference("schemas", name));
        for text in texts {
            let taken = match name {
                "UserId" => UserId::new(text).is_ok(),
                "CustomerId" => CustomerId::new(text).is_ok(),
                "Email" => Email::new(text).is_ok(),
                _ => TenantId::new(text).is_ok(),
            };
            assert_eq!(schema.is_valid(&text.into()), taken, "{name}: {text:?}");
        }
    }
}
