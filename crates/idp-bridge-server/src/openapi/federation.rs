//! The OAuth side: what applications, browsers and identity providers ask.

use serde_json::{Map, Value, json};

use super::problems::{self, Applies};
use super::{json_content, parameter, reference, timeout_parameter};

const FORM: &str = "application/x-www-form-urlencoded";

/// The paths under a tenant, with their operations.
pub(super) fn paths() -> [(&'static str, Value); 4] {
    let with_form = |mut operation: Value, form: Value| {
        if let Some(members) = operation.as_object_mut() {
            members.insert("requestBody".into(), form);
        }
        operation
    };
    let posted = with_form(
        userinfo("postUserinfo", "Get the user and the customer of a token in a form"),
        form("The token, unless it is in `authorization`", &["access_token"], false),
    );
    [
        ("userinfo", json!({"get": userinfo("getUserinfo", "Get the token's user and the customer"), "post": posted})),
        ("logout", json!({"get": end_session(), "post": log_out()})),
        ("backchannel-logout", json!({"post": backchannel_logout()})),
        ("federation", json!({"get": document()})),
    ]
}

fn userinfo(id: &str, summary: &str) -> Value {
    operation(
        Applies::Userinfo,
        json!({
            "operationId": id,
            "summary": summary,
            "description": "The token is in `authorization`, or in a form field of a POST; never in the query. \
                It is good if a user got it by logging in with one of the tenant's clients and the login has not ended.",
            "security": [{"accessToken": []}],
            "parameters": [tenant(), timeout_parameter()],
        }),
        ("200", json!({"description": "The user.", "content": json_content(&reference("schemas", "UserInfo"))})),
    )
}

fn log_out() -> Value {
    operation(
        Applies::Logout,
        json!({
            "operationId": "logOut",
            "summary": "End the login that a token belongs to",
            "description": "From the beginning on the bridge refuses the token; then the identity provider ends what it can. \
                A failure leaves the token refused, and says so by the outcome `unknown`: ask again. \
                Afterwards send the browser to `GET`, so that the identity provider forgets it, too.",
            "security": [{"accessToken": []}],
            "parameters": [tenant(), timeout_parameter()],
            "requestBody": form("Tokens of the same login", &["refresh_token", "id_token_hint"], false),
        }),
        ("204", json!({"description": "The login has ended, and userinfo refuses its token."})),
    )
}

fn end_session() -> Value {
    let text = json!({"type": "string"});
    let query = |name: &str, about: &str, required: bool| parameter("query", name, about, required, &text);
    let page = |about: &str| json!({"description": about, "content": {"text/html": {"schema": text}}});
    json!({
        "tags": ["Federation"],
        "operationId": "endSession",
        "summary": "Send the browser to the identity provider to end its session there",
        "description": "It revokes nothing by itself. A request that is not right gets a page and leads nowhere.",
        "parameters": [
            tenant(),
            query("client_id", "One of the tenant's clients.", true),
            query("post_logout_redirect_uri", "One of those that the tenant's operator has listed, byte for byte.", true),
            query("id_token_hint", "The ID token of the login, handed through.", false),
            parameter("query", "state", "Handed through.", false, &json!({"type": "string", "maxLength": 512})),
        ],
        "responses": {
            "303": {
                "description": "To the identity provider, and from there back.",
                "headers": {"location": {"schema": {"type": "string", "format": "uri"}}}
            },
            "400": page("The client, the address or the form of the query is not right."),
            "default": page("The identity provider cannot be reached, or its address is not known.")
        }
    })
}

fn backchannel_logout() -> Value {
    operation(
        Applies::BackchannelLogout,
        json!({
            "operationId": "backchannelLogout",
            "summary": "Tell of a logout that happened elsewhere",
            "description": "OpenID Connect Back-Channel Logout 1.0, for the identity provider. A repetition changes nothing.",
            "parameters": [tenant()],
            "requestBody": form("A signed logout token", &["logout_token"], true),
        }),
        ("200", json!({"description": "The tokens of that session, or of that user, are refused from now on."})),
    )
}

fn document() -> Value {
    operation(
        Applies::FederationDocument,
        json!({
            "operationId": "federation",
            "summary": "Get what an application needs to know",
            "description": "Only where the tenant's operator publishes it.",
            "parameters": [tenant()],
        }),
        (
            "200",
            json!({"description": "The endpoints.", "content": json_content(&reference("schemas", "FederationAnswer"))}),
        ),
    )
}

/// An operation with the problems that apply to it, and its success.
fn operation(applies: Applies, mut operation: Value, (status, mut success): (&str, Value)) -> Value {
    let mut responses = problems::responses(applies);
    if let Some(members) = success.as_object_mut() {
        members.insert("headers".into(), problems::headers().into());
    }
    responses.insert(status.into(), success);
    if let Some(members) = operation.as_object_mut() {
        members.insert("tags".into(), json!(["Federation"]));
        members.insert("responses".into(), responses.into());
    }
    operation
}

fn tenant() -> Value {
    parameter("path", "tenant", "The platform's id of the tenant.", true, &reference("schemas", "TenantId"))
}

/// A form with these fields and no other.
fn form(about: &str, fields: &[&str], required: bool) -> Value {
    let schema = |field: &str| match field {
        // RFC 6750, section 2.1.
        "access_token" => json!({"type": "string", "maxLength": 8192, "pattern": "^[A-Za-z0-9._~+/-]+=*$"}),
        _ => json!({"type": "string"}),
    };
    let properties: Map<_, _> = fields.iter().map(|field| ((*field).to_owned(), schema(field))).collect();
    let mut schema = json!({"type": "object", "description": about, "properties": properties});
    if let (true, Some(members)) = (required, schema.as_object_mut()) {
        members.insert("required".into(), json!(fields));
    }
    json!({"required": required, "content": {FORM: {"schema": schema}}})
}
