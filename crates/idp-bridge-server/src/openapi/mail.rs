//! The page that links in mails open.

use idp_bridge_protocol::MEDIA_TYPE;
use serde_json::{Value, json};

use super::parts::{parameter, reference};

/// Returns the path under a tenant, with its operations.
pub(super) fn path() -> (&'static str, Value) {
    ("verify-email", json!({"get": show(), "post": verify()}))
}

fn show() -> Value {
    let token = json!({"type": "string", "minLength": 1});
    operation(
        "openLink",
        "Show the page that confirms an address",
        "The link of a mail opens it. It changes nothing, since programs that scan mails open links: its button sends the token back.",
        vec![parameter("query", "token", "The token of the mail.", true, &token)],
        None,
    )
}

fn verify() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"token": {"type": "string", "description": "The token of the mail."}},
        "required": ["token"],
        "additionalProperties": false
    });
    let form = json!({"required": true, "content": {"application/x-www-form-urlencoded": {"schema": schema}}});
    operation(
        "confirmEmail",
        "Mark the address of a mail as verified",
        "For the button of the page. A token works once, until its end, and only while the user has the address of the mail.",
        Vec::new(),
        Some(form),
    )
}

fn operation(id: &str, summary: &str, description: &str, more: Vec<Value>, body: Option<Value>) -> Value {
    let tenant =
        parameter("path", "tenant", "The platform's id of the tenant.", true, &reference("schemas", "TenantId"));
    let parameters = [vec![tenant], more].concat();
    let page = json!({"text/html": {"schema": {"type": "string"}}});
    let mut operation = json!({
        "tags": ["Mails"],
        "operationId": id,
        "summary": summary,
        "description": description,
        "parameters": parameters,
        "responses": {
            "200": {"description": "The page.", "content": page},
            "400": {"description": "The token is missing or invalid, or it has ended.", "content": page},
            "default": {
                "description": "The address could not be marked, or the server refused the request.",
                "content": {
                    "text/html": {"schema": {"type": "string"}},
                    MEDIA_TYPE: {"schema": reference("schemas", "Problem")}
                }
            }
        }
    });
    if let (Some(body), Some(members)) = (body, operation.as_object_mut()) {
        members.insert("requestBody".into(), body);
    }
    operation
}
