//! Keycloak's answers, status and body as recorded.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

/// An answer of the fake.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Option<Value>,
    location: Option<String>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), location: None }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, body: None, location: None }
    }

    pub(crate) fn created(location: String) -> Self {
        Self { status: 201, body: None, location: Some(location) }
    }

    /// The shape of most refusals.
    pub(crate) fn error(status: u16, error: &str) -> Self {
        Self::json(status, json!({"error": error}))
    }

    /// The shape of the refusals that the admin console shows.
    pub(crate) fn message(status: u16, message: &str) -> Self {
        Self::json(status, json!({"errorMessage": message}))
    }

    /// The shape of the token endpoint's refusals, and of crashes.
    pub(crate) fn described(status: u16, error: &str, description: &str) -> Self {
        Self::json(status, json!({"error": error, "error_description": description}))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::error(401, "HTTP 401 Unauthorized")
    }

    pub(crate) fn forbidden() -> Self {
        Self::error(403, "HTTP 403 Forbidden")
    }

    pub(crate) fn user_not_found() -> Self {
        Self::error(404, "User not found")
    }

    pub(crate) fn crash() -> Self {
        Self::described(500, "unknown_error", "For more on this error consult the server log.")
    }

    /// What the real one would answer somehow, and what no one may rely on.
    pub(crate) fn stricter_than_keycloak(why: &str) -> Self {
        Self::error(400, &format!("the fake is stricter than Keycloak: {why}"))
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let body = self.body.map_or_else(Body::empty, |json| Body::from(json.to_string()));
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if self.status != 204 && self.status != 201 {
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json;charset=UTF-8"));
        }
        if let Some(Ok(location)) = self.location.map(TryInto::try_into) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}
