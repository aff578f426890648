//! stub
use crate::response::Response;
/// The document.
pub fn openapi() -> serde_json::Value {
    serde_json::Value::Null
}
pub(crate) fn document() -> Response {
    crate::response::new("", crate::response::JSON)
}
