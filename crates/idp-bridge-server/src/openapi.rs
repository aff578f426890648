//! The OpenAPI 3.1 document, generated from the types of the protocol and the table of errors.

mod examples;
mod federation;
mod mail;
mod parts;
mod problems;
mod schemas;

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use self::parts::{json_content, parameter, reference, timeout_parameter};
use self::problems::OperationGroup;
use crate::response::{self, JSON, Response};
use crate::route::Page;

/// Returns the OpenAPI document.
pub fn openapi() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "idp-bridge",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Users of any identity provider, with one model and one set of errors.",
            "description": "A platform's Users service sends signed calls to a tenant's webhook. \
                Other services, people and tools use REST with a bearer token, where the tenant has switched it on. \
                Applications get the customer of a login, and end it, where the tenant has clients.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
        },
        "tags": [
            {"name": "Signed calls", "description": "For the platform's Users service."},
            {"name": "REST", "description": "Calls with a bearer token. Off unless the tenant has tokens."},
            {"name": "Federation", "description": "For applications, browsers and identity providers. Off unless the tenant has clients."},
            {"name": "Mails", "description": "For the links in mails that the bridge sends. Off unless the tenant's connector sends mails."},
            {"name": "Operation", "description": "For supervisors, load balancers and people."}
        ],
        "paths": paths(),
        "components": {
            "schemas": schemas::components(),
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "Standard Webhooks: up to eight tokens `v1a,<base64>` (Ed25519) or `v1,<base64>` \
                        (HMAC-SHA256) over `{webhook-id}.{webhook-timestamp}.{raw body}`, separated by spaces."
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the tenant's `rest.tokens`, or a JWT access token of the tenant's issuer."
                },
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The access token of a user who logged in at the tenant's identity provider."
                }
            }
        }
    })
}

/// Responds to `/openapi.json`. The document is generated at the first request.
pub(crate) fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| response::to_json(&openapi()));
    response::new(DOCUMENT.clone(), JSON)
}

fn paths() -> Value {
    let tenant = "/v1/tenants/{tenant}";
    let mut paths = Map::new();
    paths.insert(format!("{tenant}/webhook"), json!({"post": signed_call()}));
    for path in REST {
        let operations: Map<_, _> =
            path.operations.iter().map(|operation| (operation.method.to_owned(), operation.describe(path))).collect();
        paths.insert(format!("{tenant}/{}", path.path), Value::Object(operations));
    }
    for (path, operations) in federation::paths() {
        paths.insert(format!("{tenant}/{path}"), operations);
    }
    let (path, operations) = mail::path();
    paths.insert(format!("{tenant}/{path}"), operations);
    for page in Page::ALL {
        paths.insert(page.path().to_owned(), json!({"get": describe_page(page)}));
    }
    let mut paths = Value::Object(paths);
    examples::add(&mut paths);
    paths
}

fn signed_call() -> Value {
    let mut responses = problems::responses(OperationGroup::Webhook);
    let answers = ["UserAnswer", "DeleteAnswer", "DoneAnswer", "PingAnswer"].map(|name| reference("schemas", name));
    responses.insert("200".into(), success("The result of the operation.", &json!({"anyOf": answers}), true));
    json!({
        "tags": ["Signed calls"],
        "operationId": "call",
        "summary": "Make a signed call",
        "description": "The body names the operation and the tenant, because path and headers are not signed. \
            A write with an equal `webhook-id`, type and data runs once within 24 hours.",
        "security": [{"signature": []}],
        "parameters": [
            parameter("path", "tenant", "The platform's id of the tenant.", true, &reference("schemas", "TenantId")),
            parameter(
                "header",
                "webhook-id",
                "The caller's id of this call. Retries repeat it.",
                true,
                &json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}),
            ),
            parameter(
                "header",
                "webhook-timestamp",
                "The time of the signature in seconds since 1970, at most 300 seconds from now.",
                true,
                &json!({"type": "string", "pattern": "^(0|[1-9][0-9]{0,11})$"}),
            ),
            timeout_parameter(),
        ],
        "requestBody": {"required": true, "content": json_content(&reference("schemas", "Envelope"))},
        "responses": responses
    })
}

/// A path of REST under a tenant.
struct RestPath {
    path: &'static str,
    operations: &'static [RestOperation],
}

struct RestOperation {
    method: &'static str,
    id: &'static str,
    summary: &'static str,
    group: OperationGroup,
    /// The schema of the body, and whether it is required.
    body: Option<(&'static str, bool)>,
    answer: &'static str,
}

const REST: &[RestPath] = &[
    RestPath {
        path: "users/{id}",
        operations: &[
            RestOperation {
                method: "get",
                id: "getUser",
                summary: "Get the user with this id",
                group: OperationGroup::RestRead,
                body: None,
                answer: "UserAnswer",
            },
            RestOperation {
                method: "delete",
                id: "deleteUser",
                summary: "Delete the user with this id",
                group: OperationGroup::RestWrite,
                body: None,
                answer: "DeleteAnswer",
            },
        ],
    },
    RestPath {
        path: "users:lookup",
        operations: &[RestOperation {
            method: "post",
            id: "lookupUser",
            summary: "Get the user with this address or of this customer",
            group: OperationGroup::RestRead,
            body: Some(("Lookup", true)),
            answer: "UserAnswer",
        }],
    },
    RestPath {
        path: "users/{id}/mark-email-verified",
        operations: &[RestOperation {
            method: "post",
            id: "markEmailVerified",
            summary: "Mark the user's address as verified",
            group: OperationGroup::RestWrite,
            body: Some(("ExpectedEmail", false)),
            answer: "DoneAnswer",
        }],
    },
    RestPath {
        path: "users/{id}/send-verification-email",
        operations: &[RestOperation {
            method: "post",
            id: "sendVerificationEmail",
            summary: "Send a mail that verifies the user's address",
            group: OperationGroup::RestWrite,
            body: None,
            answer: "DoneAnswer",
        }],
    },
    RestPath {
        path: "users:send-password-reset-email",
        operations: &[RestOperation {
            method: "post",
            id: "sendPasswordResetEmail",
            summary: "Send a mail that lets the user choose a new password",
            group: OperationGroup::RestWrite,
            body: Some(("EmailData", true)),
            answer: "DoneAnswer",
        }],
    },
];

impl RestOperation {
    fn describe(&self, path: &RestPath) -> Value {
        let is_write = self.group == OperationGroup::RestWrite;
        let mut parameters = vec![parameter(
            "path",
            "tenant",
            "The platform's id of the tenant.",
            true,
            &reference("schemas", "TenantId"),
        )];
        if path.path.contains("{id}") {
            let about = "The identity provider's id of the user; percent-decoded once.";
            parameters.push(parameter("path", "id", about, true, &reference("schemas", "UserId")));
        }
        if is_write {
            let about = "The caller's id of this write. Writes with an equal id run once within 24 hours.";
            let schema = json!({"type": "string", "pattern": "^[!-~]{1,128}$"});
            parameters.push(parameter("header", "idempotency-key", about, false, &schema));
        }
        parameters.push(timeout_parameter());
        let mut responses = problems::responses(self.group);
        responses.insert("200".into(), success("Done.", &reference("schemas", self.answer), is_write));
        let mut operation = json!({
            "tags": ["REST"],
            "operationId": self.id,
            "summary": self.summary,
            "description": format!("Needs the scope `{}`.", if is_write { "users.write" } else { "users.read" }),
            "security": [{"bearer": []}],
            "parameters": parameters,
            "responses": responses
        });
        if let (Some((schema, required)), Some(operation)) = (self.body, operation.as_object_mut()) {
            let body = json!({"required": required, "content": json_content(&reference("schemas", schema))});
            operation.insert("requestBody".into(), body);
        }
        operation
    }
}

fn describe_page(page: Page) -> Value {
    let (id, summary, media_type) = match page {
        Page::Health => ("health", "Check that the process responds", "application/json"),
        Page::Ready => (
            "ready",
            "Check that the server accepts traffic, without a request to an identity provider",
            "application/json",
        ),
        Page::OpenApi => ("openapi", "Get this document", "application/json"),
        Page::Docs => ("docs", "Get this document as a page", "text/html"),
    };
    let mut media = match media_type {
        "text/html" => json!({"schema": {"type": "string"}}),
        _ => json!({"schema": {"type": "object"}}),
    };
    let example = match page {
        Page::Health => Some(json!({"status": "ok"})),
        Page::Ready => Some(json!({"status": "ready"})),
        Page::OpenApi | Page::Docs => None,
    };
    if let (Some(members), Some(example)) = (media.as_object_mut(), example) {
        members.insert("example".into(), example);
    }
    let ok = json!({"description": "OK.", "content": {media_type: media}});
    let mut responses = if page == Page::Ready { problems::responses(OperationGroup::Readiness) } else { Map::new() };
    responses.insert("200".into(), ok);
    json!({"tags": ["Operation"], "operationId": id, "summary": summary, "responses": responses})
}

fn success(description: &str, schema: &Value, is_write: bool) -> Value {
    let mut headers = problems::headers();
    if is_write {
        let replayed = json!({
            "description": "`true` if this is the response of an earlier write with an equal id.",
            "schema": {"type": "string", "const": "true"}
        });
        headers.insert("idempotent-replayed".into(), replayed);
    }
    json!({"description": description, "headers": headers, "content": json_content(schema)})
}

#[cfg(test)]
mod tests;
