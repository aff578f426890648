//! The built program before the real OpenID Provider of the lab: a login, its customer, and its end from either side.

use idp_bridge_conformance::{FederationHarness as _, Harness as _, NewUser, SignIn, Tokens};
use idp_bridge_connector_oidc::harness::ServerHarness;
use idp_bridge_core::{CustomerId, Email, Random as _, SystemRandom};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::keycloak::form_request;
use crate::lab::Lab;
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};

/// A bridge before the provider, and a user who logs in there.
struct Asked {
    bridge: Bridge,
    harness: ServerHarness,
    runtime: Runtime,
    user: SignIn,
    id: String,
}

impl Asked {
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
        request.header("authorization", &format!("Bearer {}", tokens.access.expose())).send(self.bridge.address())
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
fn a_login_has_its_customer_until_it_is_ended() {
    let asked = Asked::new();
    let (mut tokens, mut other) = (asked.log_in(true), asked.log_in(false));
    let told = asked.userinfo(&tokens);
    let expected = json!({
        "sub": asked.id, "email": asked.user.email, "email_verified": false, "customer": "c-9", "tenant": "umbrella",
    });
    assert_eq!((told.status, told.json()), (200, expected));
    for _ in 0..2 {
        assert_eq!(asked.logout(&tokens).status, 204);
        asked.is_refused(&tokens);
    }
    let alive = asked.runtime.block_on(asked.harness.alive(&mut tokens)).unwrap();
    assert_eq!((alive.userinfo, alive.introspection, alive.refresh), (Some(false), Some(false), Some(false)));
    assert_eq!(asked.userinfo(&other).status, 200, "another login lives on");
    assert_eq!(asked.runtime.block_on(asked.harness.alive(&mut other)).unwrap().refresh, Some(true));
}

#[test]
fn a_logout_at_the_provider_reaches_userinfo_by_the_back_channel() {
    let asked = Asked::new();
    // Offline access outlives the session there, so that only the logout token can end it here.
    let (mut tokens, other) = (asked.log_in(true), asked.log_in(true));
    let logout = asked.runtime.block_on(asked.harness.end_login(&tokens)).unwrap().unwrap();
    let alive = asked.runtime.block_on(asked.harness.alive(&mut tokens)).unwrap();
    assert_eq!((alive.userinfo, asked.userinfo(&tokens).status), (Some(true), 200));
    let post = |token: &str| {
        let form = [("logout_token", token)];
        form_request("/v1/tenants/umbrella/backchannel-logout", &form).send(asked.bridge.address()).status
    };
    assert_eq!(post(tokens.id.as_ref().unwrap().expose()), 400);
    assert_eq!(asked.userinfo(&tokens).status, 200);
    for _ in 0..2 {
        assert_eq!(post(logout.expose()), 200);
        asked.is_refused(&tokens);
    }
    assert_eq!(asked.userinfo(&other).status, 200, "another session lives on");
}

#[test]
fn the_browser_is_sent_to_the_provider_and_nowhere_else() {
    let asked = Asked::new();
    let at = |query: &str| Request::get(&format!("/v1/tenants/umbrella/logout?{query}")).send(asked.bridge.address());
    let way_back = "https%3A%2F%2Fapp.umbrella.example%2Fgoodbye";
    let sent = at(&format!("client_id=umbrella-app&post_logout_redirect_uri={way_back}&state=a%26b"));
    assert_eq!(sent.status, 303);
    let place = &sent.headers["location"];
    assert!(place.ends_with("/session/end?client_id=umbrella-app&post_logout_redirect_uri=https%3A%2F%2Fapp.umbrella.example%2Fgoodbye&state=a%26b"), "{place}");
    for bad in [
        "client_id=umbrella-app&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2Fgoodbye".to_owned(),
        format!("client_id=stranger&post_logout_redirect_uri={way_back}"),
        format!("client_id=umbrella-app&post_logout_redirect_uri={way_back}&post_logout_redirect_uri={way_back}"),
    ] {
        let refused = at(&bad);
        assert_eq!((refused.status, refused.headers.get("location")), (400, None), "{bad}");
    }
}
