//! stub
use crate::response::Response;
pub(crate) fn page() -> Response {
    crate::response::new("", crate::response::JSON)
}
