//! Parts of the document that several operations use.

use serde_json::{Value, json};

/// Returns the parameter that shortens the deadline.
pub(super) fn timeout_parameter() -> Value {
    let about = "Shortens the tenant's deadline for this call, in milliseconds; never extends it.";
    parameter("header", "x-request-timeout-ms", about, false, &json!({"type": "integer", "minimum": 1}))
}

/// Returns a parameter.
pub(super) fn parameter(location: &str, name: &str, description: &str, required: bool, schema: &Value) -> Value {
    json!({"in": location, "name": name, "description": description, "required": required, "schema": schema})
}

/// Returns JSON content with this schema.
pub(super) fn json_content(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

/// Returns a reference to a component.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}
