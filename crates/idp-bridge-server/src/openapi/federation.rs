//! The OAuth routes: userinfo, logout and the federation document.

use idp_bridge_protocol::MEDIA_TYPE;
use serde_json::{Map, Value, json};

use super::parts::{json_content, parameter, reference, timeout_parameter};
use super::problems::{self, OperationGroup};

const FORM: &str = "application/x-www-form-urlencoded";

/// Returns the paths under a tenant, with their operations.
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
        OperationGroup::Userinfo,
        json!({
            "operationId": id,
            "summary": summary,
            "description": "The token is in `authorization`, or in a form field of a POST; never in the query. \
                It is valid if it belongs to a login with one of the tenant's clients that has not ended.",
            "security": [{"accessToken": []}],
            "parameters": [tenant(), timeout_parameter()],
        }),
        ("200", json!({"description": "The user.", "content": json_content(&reference("schemas", "UserInfo"))})),
    )
}

fn log_out() -> Value {
    operation(
        OperationGroup::Logout,
        json!({
            "operationId": "logOut",
            "summary": "End the login that a token belongs to",
            "description": "The bridge first revokes the token; then the identity provider ends the login. \
                After a failure with the outcome `unknown` the token stays revoked: repeat the request. \
                Afterwards send the browser to `GET`, which ends its session at the identity provider.",
            "security": [{"accessToken": []}],
            "parameters": [tenant(), timeout_parameter()],
            "requestBody": form("Tokens of the same login", &["refresh_token", "id_token_hint"], false),
        }),
        ("204", json!({"description": "The login has ended, and userinfo rejects its token."})),
    )
}

fn end_session() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let query = |name: &str, about: &str, required: bool| parameter("query", name, about, required, &text);
    json!({
        "tags": ["Federation"],
        "operationId": "endSession",
        "summary": "End the browser's session at the identity provider",
        "description": "Redirects the browser, and revokes no token. An invalid request gets an error page without a redirect.",
        "parameters": [
            tenant(),
            query("client_id", "One of the tenant's clients.", true),
            query("post_logout_redirect_uri", "One of the configured addresses, byte for byte.", true),
            parameter("query", "id_token_hint", "The ID token of the login, passed to the identity provider.", false, &opaque_token()),
            parameter("query", "state", "An opaque value of the application, passed through.", false, &json!({"type": "string", "maxLength": 512})),
        ],
        "responses": {
            "303": {
                "description": "The redirect to the identity provider, which redirects back.",
                "headers": {"location": {"schema": {"type": "string", "format": "uri"}}}
            },
            "400": {
                "description": "The client, the address or the query is invalid.",
                "content": {"text/html": {"schema": {"type": "string"}}}
            },
            "default": {
                "description": "The identity provider is unavailable, its address is unknown, or the server refused the request.",
                "content": {
                    "text/html": {"schema": {"type": "string"}},
                    MEDIA_TYPE: {"schema": reference("schemas", "Problem")}
                }
            }
        }
    })
}

fn backchannel_logout() -> Value {
    operation(
        OperationGroup::BackchannelLogout,
        json!({
            "operationId": "backchannelLogout",
            "summary": "Report a logout at the identity provider",
            "description": "OpenID Connect Back-Channel Logout 1.0, for the identity provider. A repetition changes nothing.",
            "parameters": [tenant()],
            "requestBody": form("A signed logout token", &["logout_token"], true),
        }),
        ("200", json!({"description": "The tokens of the session or the user are revoked."})),
    )
}

fn document() -> Value {
    operation(
        OperationGroup::FederationDocument,
        json!({
            "operationId": "federation",
            "summary": "Get the endpoints for applications",
            "description": "Only if the tenant's operator publishes it.",
            "parameters": [tenant()],
        }),
        (
            "200",
            json!({"description": "The endpoints.", "content": json_content(&reference("schemas", "FederationAnswer"))}),
        ),
    )
}

/// Adds the success and the possible problems to an operation.
fn operation(group: OperationGroup, mut operation: Value, (status, mut success): (&str, Value)) -> Value {
    let mut responses = problems::responses(group);
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

/// Returns a form with these fields.
fn form(about: &str, fields: &[&str], required: bool) -> Value {
    let schema = |field: &str| match field {
        "refresh_token" | "id_token_hint" => opaque_token(),
        // RFC 6750, section 2.1.
        _ => json!({"type": "string", "maxLength": 8192, "pattern": "^[A-Za-z0-9._~+/-]+=*$"}),
    };
    let properties: Map<_, _> = fields.iter().map(|field| ((*field).to_owned(), schema(field))).collect();
    // A logout token may come with other fields, each of them once.
    let others = if fields == ["logout_token"] { json!({"type": "string"}) } else { json!(false) };
    let mut schema =
        json!({"type": "object", "description": about, "properties": properties, "additionalProperties": others});
    if let (true, Some(members)) = (required, schema.as_object_mut()) {
        members.insert("required".into(), json!(fields));
    }
    json!({"required": required, "content": {FORM: {"schema": schema}}})
}

/// Returns the schema of a token in the format of the identity provider. An empty one counts as absent.
fn opaque_token() -> Value {
    json!({"type": "string", "maxLength": 8192, "pattern": "^[!-~]*$"})
}
