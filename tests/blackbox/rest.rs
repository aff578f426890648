//! Tests of REST with static tokens.

use serde_json::json;

use crate::fixture::Configured;
use crate::support::http::Request;

const TOKENS: &str = r#"rest.tokens = [
  { name = "reader", sha256 = "SHA_OF_READER", scopes = ["users.read"] },
  { name = "writer", sha256 = "SHA_OF_WRITER", scopes = ["users.read", "users.write"] },
]"#;
const READER: &str = "reader-0123456789abcdef0123456789abcdef";
const WRITER: &str = "writer-0123456789abcdef0123456789abcdef";

fn configured() -> Configured {
    Configured::with_tenant_keys(
        &TOKENS.replace("SHA_OF_READER", &sha256(READER)).replace("SHA_OF_WRITER", &sha256(WRITER)),
    )
}

pub(crate) fn sha256(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn request(method: &str, path: &str, token: &str) -> Request {
    Request::new(method, format!("/v1/tenants/acme/{path}")).header("authorization", format!("Bearer {token}"))
}

#[test]
fn scopes_allow_reads_and_writes() {
    let bridge = configured().serve();
    let user = request("GET", "users/u-1", READER).send(bridge.address());
    assert_eq!((user.status, &user.json()["user"]["email"]), (200, &json!("ada@acme.example")));
    for lookup in [json!({"email": "ada@acme.example"}), json!({"customer": "cust-1"})] {
        let found = request("POST", "users:lookup", READER).json(&lookup).send(bridge.address());
        assert_eq!((found.status, found.json()), (200, user.json()), "{lookup}");
    }
    let refused = request("DELETE", "users/u-2", READER).send(bridge.address());
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    let delete = request("DELETE", "users/u-2", WRITER).header("idempotency-key", "k-1");
    assert_eq!(delete.send(bridge.address()).json(), json!({"existed": true}));
    assert_eq!(delete.send(bridge.address()).headers["idempotent-replayed"], "true");
    let mark = request("POST", "users/u-3/mark-email-verified", WRITER).json(&json!({}));
    assert_eq!(mark.send(bridge.address()).status, 200);
}

#[test]
fn invalid_tokens_and_tenants_are_rejected() {
    let bridge = configured().serve();
    let off = Configured::with_tenant_keys("").serve();
    for (address, token) in [(bridge.address(), "wrong"), (bridge.address(), ""), (off.address(), READER)] {
        let reply = request("GET", "users/u-1", token).send(address);
        assert_eq!(reply.problem(), (401, "invalid_token".into()));
        assert!(reply.headers["www-authenticate"].starts_with("Bearer"));
    }
    let unknown = Request::get("/v1/tenants/nobody/users/u-1").header("authorization", format!("Bearer {READER}"));
    assert_eq!(unknown.send(bridge.address()).problem(), (401, "invalid_token".into()));
}
