//! Tests of REST with JWT access tokens of a configured issuer.

use std::time::{SystemTime, UNIX_EPOCH};

use idp_bridge_conformance::fake::{FakeServer, SigningKey};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::fixture::Configured;
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};

/// A bridge that accepts the tokens of an issuer, which `runtime` runs.
struct Served {
    issuer: FakeServer<SigningKey>,
    bridge: Bridge,
    _configured: Configured,
    _runtime: Runtime,
}

impl Served {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let issuer = runtime.block_on(FakeServer::start(SigningKey::es256("k-1").unwrap())).unwrap();
        let url = issuer.url();
        let keys = format!(
            "[tenants.acme.rest.jwt]\nissuer = \"{url}\"\naudience = \"bridge\"\njwks_url = \"{url}/jwks\"\nalgorithms = [\"ES256\"]"
        );
        let configured = Configured::with_tenant_keys(&keys);
        let bridge = configured.serve();
        Self { issuer, bridge, _configured: configured, _runtime: runtime }
    }

    /// Creates a token with the scope `users.read`, with one claim replaced.
    fn token(&self, name: &str, value: Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": self.issuer.url(), "aud": "bridge", "sub": "s-1", "client_id": "ops", "iat": now, "exp": now + 60,
            "scope": "users.read",
        });
        claims[name] = value;
        self.issuer.with(|key| key.sign(&key.header("at+jwt"), &claims).unwrap())
    }

    fn call(&self, method: &str, token: &str) -> Reply {
        Request::new(method, "/v1/tenants/acme/users/u-1")
            .header("authorization", format!("Bearer {token}"))
            .send(self.bridge.address())
    }
}

#[test]
fn access_token_reads_and_client_is_logged() {
    let served = Served::new();
    let reply = served.call("GET", &served.token("jti", json!("j-1")));
    assert_eq!((reply.status, &reply.json()["user"]["email"]), (200, &json!("ada@acme.example")));
    let line = served.bridge.wait_for_log("users.get_by_id");
    assert!(line.contains("\"caller\":\"ops\"") && !line.contains("s-1"), "{line}");
    let refused = served.call("DELETE", &served.token("jti", json!("j-2")));
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    assert_eq!(refused.headers["www-authenticate"], "Bearer error=\"insufficient_scope\"");
    assert_eq!(served.issuer.exchanges().len(), 1);
}

#[test]
fn invalid_access_tokens_are_rejected_and_not_logged() {
    let served = Served::new();
    let mut signatures = Vec::new();
    for (name, value) in
        [("aud", json!("other")), ("iss", json!("https://x.example")), ("exp", json!(1)), ("cnf", json!({}))]
    {
        let token = served.token(name, value);
        let reply = served.call("GET", &token);
        assert_eq!(reply.problem(), (401, "invalid_token".into()), "{name}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        signatures.push(token.rsplit('.').next().unwrap().to_owned());
    }
    assert_eq!(served.call("GET", "no-jwt").problem(), (401, "invalid_token".into()));
    // After the last line of the log, all others have been read.
    served.bridge.signal(rustix::process::Signal::TERM);
    served.bridge.wait_for_log("drained");
    for line in served.bridge.log() {
        assert!(!signatures.iter().any(|signature| line.contains(signature)), "{line}");
    }
}
