//! Examples of request and response bodies.

use serde_json::{Map, Value, json};

/// Adds an example to each body with a named schema or a form.
pub(super) fn add(paths: &mut Value) {
    let operations = paths.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    for operation in operations.flat_map(Map::values_mut) {
        for pointer in ["/requestBody/content", "/responses/200/content"] {
            let content = operation.pointer_mut(pointer).and_then(Value::as_object_mut);
            for media in content.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
                let Some(schema) = media.get("schema") else { continue };
                let found = match schema_name(schema) {
                    Some("Envelope") => Some(("examples", envelopes())),
                    Some(name) => for_schema(name).map(|example| ("example", example)),
                    None => for_form(schema).map(|example| ("example", example)),
                };
                media.extend(found.map(|(key, example)| (key.to_owned(), example)));
            }
        }
    }
}

/// Returns the name of the referenced schema, or of the first alternative.
fn schema_name(schema: &Value) -> Option<&str> {
    let one = schema.pointer("/anyOf/0").unwrap_or(schema);
    one.get("$ref")?.as_str()?.rsplit('/').next()
}

/// Returns a signed call of each type.
fn envelopes() -> Value {
    let calls = [
        ("users.get_by_id", json!({"id": "u-1"})),
        ("users.get_by_email", json!({"email": "ada@acme.example"})),
        ("users.get_by_customer", json!({"customer": "cust-1"})),
        ("users.delete", json!({"id": "u-1"})),
        ("users.mark_email_verified", json!({"id": "u-1", "email": "ada@acme.example"})),
        ("users.send_verification_email", json!({"id": "u-1"})),
        ("users.send_password_reset_email", json!({"email": "ada@acme.example"})),
        ("ping", json!({})),
    ];
    let envelope = |(kind, data): (&str, Value)| {
        let body = json!({"type": kind, "tenant": "acme", "timestamp": "2026-11-28T09:00:00Z", "data": data});
        (kind.to_owned(), json!({"value": body}))
    };
    Value::Object(calls.into_iter().map(envelope).collect())
}

/// Returns an example for the schema with this name.
fn for_schema(name: &str) -> Option<Value> {
    Some(match name {
        "Lookup" | "EmailData" | "ExpectedEmail" => json!({"email": "ada@acme.example"}),
        "UserAnswer" => json!({"user": {
            "tenant": "acme",
            "id": "u-1",
            "customer": "cust-1",
            "email": "ada@acme.example",
            "create_time": "2026-01-02T03:04:05Z",
            "update_time": "2026-06-07T08:09:10Z",
            "email_verified": true,
            "blocked": false
        }}),
        "DeleteAnswer" => json!({"existed": true}),
        "DoneAnswer" => json!({}),
        "UserInfo" => json!({
            "sub": "u-1",
            "tenant": "acme",
            "customer": "cust-1",
            "email": "ada@acme.example",
            "email_verified": true
        }),
        "FederationAnswer" => json!({
            "issuer": "https://login.acme.example/realms/acme",
            "authorization_endpoint": "https://login.acme.example/realms/acme/protocol/openid-connect/auth",
            "token_endpoint": "https://login.acme.example/realms/acme/protocol/openid-connect/token",
            "jwks_uri": "https://login.acme.example/realms/acme/protocol/openid-connect/certs",
            "scopes": ["openid", "email"],
            "userinfo_endpoint": "https://bridge.acme.example/v1/tenants/acme/userinfo",
            "logout_endpoint": "https://bridge.acme.example/v1/tenants/acme/logout",
            "backchannel_logout_uri": "https://bridge.acme.example/v1/tenants/acme/backchannel-logout"
        }),
        _ => return None,
    })
}

/// Returns an example of a form with tokens.
fn for_form(schema: &Value) -> Option<Value> {
    let fields = schema.get("properties")?.as_object()?;
    let value = |field: &String| (field.clone(), Value::from("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2ln"));
    Some(Value::Object(fields.keys().map(value).collect()))
}
