//! A person who signs in at the stand-in for Amazon Cognito by its hosted pages, and an application that asks the bridge about them.

use serde_json::Value;
use tempfile::TempDir;

use crate::keycloak::form_request;
use crate::lab::Lab;
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};

/// A verifier and its challenge (RFC 7636, appendix B).
const PKCE: (&str, &str) =
    ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");

/// The lab's pool, and a place for what a bridge before it must remember.
struct Stage {
    lab: Lab,
    folder: TempDir,
}

/// What a sign-in gave.
struct Tokens {
    access: String,
    refresh: String,
    id: String,
}

impl Stage {
    fn new() -> Self {
        let lab = Lab::find("cognito").unwrap_or_else(|error| panic!("{error}"));
        Self { lab, folder: tempfile::tempdir().unwrap() }
    }

    /// A bridge with the lab's configuration, and a revocation list of its own.
    fn serve(&self) -> Bridge {
        let mut config: toml::Table = std::fs::read_to_string(self.lab.config()).unwrap().parse().unwrap();
        config["server"]["state_dir"] = self.folder.path().to_str().unwrap().into();
        let path = self.folder.path().join("idp-bridge.toml");
        std::fs::write(&path, config.to_string()).unwrap();
        Bridge::of(&path)
    }

    fn user(&self, name: &str) -> Value {
        let users = self.lab.get("/pool/users").unwrap().as_array().unwrap();
        users.iter().find(|user| user["username"] == name).unwrap().clone()
    }

    /// Signs a sample user in: the page of the sign-in, the form, and the code for tokens.
    fn sign_in(&self, name: &str) -> Tokens {
        let (client_id, callback) = (self.lab.text("/pool/client_id"), self.lab.text("/pool/callback_url"));
        let asked = [
            ("response_type", "code"),
            ("client_id", &client_id),
            ("redirect_uri", &callback),
            ("scope", "openid profile email"),
            ("state", "a-state"),
            ("code_challenge", PKCE.1),
            ("code_challenge_method", "S256"),
        ];
        let query = String::from_utf8(form_request("", &asked).body).unwrap();
        assert_eq!(self.send(&Request::get(&format!("/oauth2/authorize?{query}"))).status, 200);
        let password = self.user(name)["password"].as_str().unwrap().to_owned();
        let form = [&asked[..], &[("username", name), ("password", &password)]].concat();
        let back = self.send(&form_request("/login", &form)).headers["location"].clone();
        let (to, query) = back.split_once('?').unwrap();
        assert_eq!(to, callback);
        let code = query.strip_prefix("code=").unwrap().strip_suffix("&state=a-state").unwrap();
        let answer = self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &callback),
            ("code_verifier", PKCE.0),
        ]);
        let answer = answer.json();
        let token = |name: &str| answer[name].as_str().unwrap().to_owned();
        Tokens { access: token("access_token"), refresh: token("refresh_token"), id: token("id_token") }
    }

    fn token(&self, form: &[(&str, &str)]) -> Reply {
        let client = (self.lab.text("/pool/client_id"), self.lab.text("/pool/client_secret"));
        let form = [form, &[("client_id", &client.0), ("client_secret", &client.1)]].concat();
        self.send(&form_request("/oauth2/token", &form))
    }

    fn refreshes(&self, tokens: &Tokens) -> bool {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]).status == 200
    }

    /// Asks the stand-in itself.
    fn send(&self, request: &Request) -> Reply {
        request.send(self.lab.text("/ministack/url").trim_start_matches("http://"))
    }

    fn path(&self, endpoint: &str) -> String {
        format!("/v1/tenants/{}/{endpoint}", self.lab.text("/bridge/tenant"))
    }

    fn userinfo(&self, bridge: &Bridge, token: &str) -> Reply {
        bearer(Request::get(&self.path("userinfo")), token).send(bridge.address())
    }

    fn log_out(&self, bridge: &Bridge, token: &str, form: &[(&str, &str)]) -> u16 {
        bearer(form_request(&self.path("logout"), form), token).send(bridge.address()).status
    }
}

fn bearer(request: Request, token: &str) -> Request {
    request.header("authorization", &format!("Bearer {token}"))
}

#[test]
fn a_sign_in_shows_the_customer_and_a_logout_with_the_refresh_token_ends_that_login_alone() {
    let stage = Stage::new();
    let bridge = stage.serve();
    let (user, ended, other) = (stage.user("ada"), stage.sign_in("ada"), stage.sign_in("ada"));
    let told = stage.userinfo(&bridge, &ended.access);
    assert_eq!(told.status, 200, "{told:?}");
    let told = told.json();
    for (member, of_user) in [("sub", "id"), ("email", "email"), ("customer", "customer")] {
        assert_eq!(told[member], user[of_user], "{member}");
    }
    assert_eq!((&told["email_verified"], &told["tenant"]), (&true.into(), &"initech".into()));
    assert_eq!(stage.userinfo(&bridge, &ended.id).status, 401, "an ID token is no access token");

    assert_eq!(stage.log_out(&bridge, &ended.access, &[("refresh_token", &ended.refresh)]), 204);
    assert_eq!(stage.userinfo(&bridge, &ended.access).status, 401);
    assert_eq!(stage.send(&bearer(Request::get("/oauth2/userInfo"), &ended.access)).status, 401);
    assert!(!stage.refreshes(&ended) && stage.refreshes(&other));
    assert_eq!(stage.userinfo(&bridge, &other.access).status, 200);
    // Once more changes nothing, and a new bridge has not forgotten.
    assert_eq!(stage.log_out(&bridge, &ended.access, &[("refresh_token", &ended.refresh)]), 204);
    drop(bridge);
    let bridge = stage.serve();
    assert_eq!(stage.userinfo(&bridge, &ended.access).status, 401);
    assert_eq!(stage.userinfo(&bridge, &other.access).status, 200);
}

#[test]
fn without_the_refresh_token_all_logins_of_the_user_end_and_no_other_users() {
    let stage = Stage::new();
    let bridge = stage.serve();
    let (first, second, others) = (stage.sign_in("emil"), stage.sign_in("emil"), stage.sign_in("dora"));
    assert_eq!(stage.log_out(&bridge, &first.access, &[]), 204);
    for tokens in [&first, &second] {
        assert_eq!(stage.userinfo(&bridge, &tokens.access).status, 401);
        assert!(!stage.refreshes(tokens));
    }
    assert!(stage.refreshes(&others));
}

#[test]
fn the_browser_leaves_by_cognitos_page_and_comes_back_to_where_the_settings_allow() {
    let stage = Stage::new();
    let bridge = stage.serve();
    let (client_id, back) = (stage.lab.text("/pool/client_id"), stage.lab.text("/pool/sign_out_url"));
    let leave = |to: &str| {
        let asked = [("client_id", client_id.as_str()), ("post_logout_redirect_uri", to), ("state", "a&b")];
        let query = String::from_utf8(form_request("", &asked).body).unwrap();
        Request::get(&format!("{}?{query}", stage.path("logout"))).send(bridge.address())
    };
    let away = leave(&back);
    assert_eq!(away.status, 303, "{away:?}");
    let page = away.headers["location"].strip_prefix(&stage.lab.text("/ministack/url")).unwrap();
    assert!(page.starts_with("/logout?") && page.contains("logout_uri=") && page.contains("state=a%26b"), "{page}");
    let home = stage.send(&Request::get(page));
    // The stand-in, like the real one by what people report, does not send the state along.
    assert_eq!((home.status, home.headers["location"].as_str()), (302, back.as_str()));
    assert_eq!(leave("https://evil.example/").status, 400);
}

#[test]
fn an_operator_reads_where_applications_log_in() {
    let stage = Stage::new();
    let bridge = stage.serve();
    let told = Request::get(&stage.path("federation")).send(bridge.address());
    assert_eq!(told.status, 200, "{told:?}");
    let (told, url) = (told.json(), stage.lab.text("/ministack/url"));
    let pool = stage.lab.text("/pool/id");
    assert_eq!(told["issuer"], format!("https://cognito-idp.us-east-1.amazonaws.com/{pool}"));
    assert_eq!(told["authorization_endpoint"], format!("{url}/oauth2/authorize"));
    assert_eq!(told["jwks_uri"], format!("{url}/{pool}/.well-known/jwks.json"));
    assert_eq!(told["customer_claim"], stage.lab.text("/pool/customer_attribute"));
}
