//! Tests of federation with the lab's OpenID Provider.

use idp_bridge_conformance::{FederationHarness as _, Harness as _, NewUser, SignIn, Tokens};
use idp_bridge_connector_oidc_testing::harness::ServerHarness;
use idp_bridge_core::{CustomerId, Email, Random as _, SystemRandom};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::keycloak::form_request;
use crate::lab::Lab;
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};

/// A bridge before the provider, and a user of the provider.
struct Stage {
    bridge: Bridge,
    harness: ServerHarness,
    runtime: Runtime,
    user: SignIn,
    id: String,
}

impl Stage {
    fn new() -> Self {
        let lab = Lab::find("oidc").unwrap_or_else(|error| panic!("{error}"));
        let harness = ServerHarness::new(lab.openid_server().unwrap()).unwrap();
        let runtime = Runtime::new().unwrap();
        let email = Email::new(format!("{}@umbrella.example", SystemRandom.word().unwrap())).unwrap();
        let mut user = NewUser::person(email.clone());
        (user.password, user.customers) = (Some("pass".into()), vec![CustomerId::new("c-9").unwrap()]);
        let id = runtime.block_on(harness.create(user)).unwrap().as_str().to_owned();
        Self { bridge: lab.serve(), harness, runtime, user: SignIn::new(email, "pass"), id }
    }

    fn log_in(&self, offline: bool) -> Tokens {
        let mut sign_in = self.user.clone();
        sign_in.offline = offline;
        self.runtime.block_on(self.harness.sign_in(&sign_in)).unwrap()
    }

    fn send(&self, request: Request, tokens: &Tokens) -> Reply {
        request.header("authorization", format!("Bearer {}", tokens.access.expose())).send(self.bridge.address())
    }

    fn userinfo(&self, tokens: &Tokens) -> Reply {
        self.send(Request::get("/v1/tenants/umbrella/userinfo"), tokens)
    }

    fn logout(&self, tokens: &Tokens) -> Reply {
        let refresh = tokens.refresh.as_ref().unwrap().expose();
        self.send(form_request("/v1/tenants/umbrella/logout", &[("refresh_token", refresh)]), tokens)
    }

    #[track_caller]
    fn is_refused(&self, tokens: &Tokens) {
        assert_eq!(self.userinfo(tokens).problem(), (401, "invalid_token".into()));
    }
}

#[test]
fn login_has_customer_until_logout() {
    let stage = Stage::new();
    let (mut tokens, mut other) = (stage.log_in(true), stage.log_in(false));
    let reply = stage.userinfo(&tokens);
    let expected = json!({
        "sub": stage.id, "email": stage.user.email, "email_verified": false, "customer": "c-9", "tenant": "umbrella",
    });
    assert_eq!((reply.status, reply.json()), (200, expected));
    for _ in 0..2 {
        assert_eq!(stage.logout(&tokens).status, 204);
        stage.is_refused(&tokens);
    }
    let alive = stage.runtime.block_on(stage.harness.check_tokens(&mut tokens)).unwrap();
    assert_eq!((alive.userinfo, alive.introspection, alive.refresh), (Some(false), Some(false), Some(false)));
    assert_eq!(stage.userinfo(&other).status, 200, "another login lives on");
    assert_eq!(stage.runtime.block_on(stage.harness.check_tokens(&mut other)).unwrap().refresh, Some(true));
}

#[test]
fn back_channel_logout_ends_the_login() {
    let stage = Stage::new();
    // Offline access survives the session, so only the logout token can end it at the bridge.
    let (mut tokens, other) = (stage.log_in(true), stage.log_in(true));
    let logout = stage.runtime.block_on(stage.harness.end_login(&tokens)).unwrap().unwrap();
    let alive = stage.runtime.block_on(stage.harness.check_tokens(&mut tokens)).unwrap();
    assert_eq!((alive.userinfo, stage.userinfo(&tokens).status), (Some(true), 200));
    let post = |token: &str| {
        let form = [("logout_token", token)];
        form_request("/v1/tenants/umbrella/backchannel-logout", &form).send(stage.bridge.address()).status
    };
    assert_eq!(post(tokens.id.as_ref().unwrap().expose()), 400);
    assert_eq!(stage.userinfo(&tokens).status, 200);
    for _ in 0..2 {
        assert_eq!(post(logout.expose()), 200);
        stage.is_refused(&tokens);
    }
    assert_eq!(stage.userinfo(&other).status, 200, "another session lives on");
}

#[test]
fn browser_logout_redirects_to_the_provider_only() {
    let stage = Stage::new();
    let at = |query: &str| Request::get(&format!("/v1/tenants/umbrella/logout?{query}")).send(stage.bridge.address());
    let redirect_uri = "https%3A%2F%2Fapp.umbrella.example%2Fgoodbye";
    let sent = at(&format!("client_id=umbrella-app&post_logout_redirect_uri={redirect_uri}&state=a%26b"));
    assert_eq!(sent.status, 303);
    let place = &sent.headers["location"];
    assert!(place.ends_with("/session/end?client_id=umbrella-app&post_logout_redirect_uri=https%3A%2F%2Fapp.umbrella.example%2Fgoodbye&state=a%26b"), "{place}");
    for bad in [
        "client_id=umbrella-app&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2Fgoodbye".to_owned(),
        format!("client_id=stranger&post_logout_redirect_uri={redirect_uri}"),
        format!(
            "client_id=umbrella-app&post_logout_redirect_uri={redirect_uri}&post_logout_redirect_uri={redirect_uri}"
        ),
    ] {
        let refused = at(&bad);
        assert_eq!((refused.status, refused.headers.get("location")), (400, None), "{bad}");
    }
}
