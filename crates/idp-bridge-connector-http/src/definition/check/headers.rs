//! The rules of header names and values.

use super::{Checker, key, path};
use crate::definition::RequestSpec;
use crate::request::{header_name, header_value};

/// The headers that the connection sets.
const OF_CONNECTION: [&str; 6] = ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade"];
/// The headers with credentials.
const OF_CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

impl Checker<'_> {
    /// Checks the headers of a request, and its media type.
    pub(super) fn check_headers(&mut self, place: &[String], request: &RequestSpec) {
        for (name, value) in &request.headers {
            let place = key(&key(place, "headers"), name);
            self.check_header(&place, name);
            self.check_header_value(&place, value);
        }
        let Some(content_type) = &request.content_type else { return };
        let place = key(place, "content_type");
        self.check_header_value(&place, content_type);
        if !is_media_type(content_type) {
            self.report(&place, "a media type is a text such as `application/scim+json`");
        }
        if request.json.is_none() {
            self.report(&place, "only a JSON body has another media type: add `json`");
        }
    }

    /// Checks the headers of the product's answers.
    pub(super) fn check_answer_headers(&mut self) {
        let product = &self.definition.product;
        for (own, name) in
            [("retry_after_header", &product.retry_after_header), ("answer_header", &product.answer_header)]
        {
            self.check_header_name(&path(&["product", own]), name.as_deref());
        }
    }

    /// Checks that a header can be set beside that of the credential.
    pub(super) fn check_header(&mut self, place: &[String], name: &str) {
        self.check_sent_header(place, name);
        if OF_CREDENTIALS.contains(&name.to_ascii_lowercase().as_str()) {
            self.report(place, format!("`{name}` cannot be set: use `[auth]` for credentials"));
        }
    }

    /// Checks that a header can be set beside those of the connection.
    pub(super) fn check_sent_header(&mut self, place: &[String], name: &str) {
        self.check_header_name(place, Some(name));
        if OF_CONNECTION.contains(&name.to_ascii_lowercase().as_str()) {
            self.report(place, format!("`{name}` cannot be set: the connection sets it"));
        }
    }

    pub(super) fn check_header_value(&mut self, place: &[String], value: &str) {
        if header_value(value).is_err() {
            self.report(place, "a header has no line breaks and no control characters");
        }
    }

    fn check_header_name(&mut self, place: &[String], name: Option<&str>) {
        if let Some(name) = name.filter(|name| header_name(name).is_err()) {
            self.report(place, format!("`{name}` is not a header name: it has letters, digits and `-`"));
        }
    }
}

fn is_media_type(text: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}
