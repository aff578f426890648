//! Tests of federation with the stand-in for Amazon Cognito: logins on its hosted pages, userinfo and logout.

use serde_json::Value;
use tempfile::TempDir;

use crate::keycloak::form_request;
use crate::lab::Lab;
use crate::support::bridge::Bridge;
use crate::support::http::{Reply, Request};

/// A verifier and its challenge (RFC 7636, appendix B).
const PKCE: (&str, &str) =
    ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");

/// The lab's pool, and a folder for the revocation list.
struct Stage {
    lab: Lab,
    folder: TempDir,
}

/// The tokens of a login.
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

    /// Starts a bridge with the lab's configuration and a separate revocation list.
    fn serve(&self) -> Bridge {
        let mut config: toml::Table = std::fs::read_to_string(self.lab.config()).unwrap().parse().unwrap();
        config["server"]["state_dir"] = self.folder.path().to_str().unwrap().into();
        let path = self.folder.path().join("idp-bridge.toml");
        std::fs::write(&path, config.to_string()).unwrap();
        Bridge::serve(&path)
    }

    fn user(&self, name: &str) -> Value {
        let users = self.lab.get("/pool/users").unwrap().as_array().unwrap();
        users.iter().find(|user| user["username"] == name).unwrap().clone()
    }

    /// Signs a sample user in: opens the page, posts the form and exchanges the code.
    fn sign_in(&self, name: &str) -> Tokens {
        let (client_id, callback) = (self.lab.text("/pool/client_id"), self.lab.text("/pool/callback_url"));
        let fields = [
            ("response_type", "code"),
            ("client_id", &client_id),
            ("redirect_uri", &callback),
            ("scope", "openid profile email"),
            ("state", "a-state"),
            ("code_challenge", PKCE.1),
            ("code_challenge_method", "S256"),
        ];
        let query = String::from_utf8(form_request("", &fields).body).unwrap();
        assert_eq!(self.send(&Request::get(&format!("/oauth2/authorize?{query}"))).status, 200);
        let password = self.user(name)["password"].as_str().unwrap().to_owned();
        let form = [&fields[..], &[("username", name), ("password", &password)]].concat();
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

    /// Sends a request to the stand-in.
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
    request.header("authorization", format!("Bearer {token}"))
}

#[test]
fn logout_with_refresh_token_ends_one_login() {
    let stage = Stage::new();
    let bridge = stage.serve();
    let (user, ended, other) = (stage.user("ada"), stage.sign_in("ada"), stage.sign_in("ada"));
    let reply = stage.userinfo(&bridge, &ended.access);
    assert_eq!(reply.status, 200, "{reply:?}");
    let user_info = reply.json();
    for (member, of_user) in [("sub", "id"), ("email", "email"), ("customer", "customer")] {
        assert_eq!(user_info[member], user[of_user], "{member}");
    }
    assert_eq!((&user_info["email_verified"], &user_info["tenant"]), (&true.into(), &"initech".into()));
    assert_eq!(stage.userinfo(&bridge, &ended.id).status, 401, "an ID token is not an access token");

    assert_eq!(stage.log_out(&bridge, &ended.access, &[("refresh_token", &ended.refresh)]), 204);
    assert_eq!(stage.userinfo(&bridge, &ended.access).status, 401);
    assert_eq!(stage.send(&bearer(Request::get("/oauth2/userInfo"), &ended.access)).status, 401);
    assert!(!stage.refreshes(&ended) && stage.refreshes(&other));
    assert_eq!(stage.userinfo(&bridge, &other.access).status, 200);
    // A repetition changes nothing, and a restarted bridge reads the list.
    assert_eq!(stage.log_out(&bridge, &ended.access, &[("refresh_token", &ended.refresh)]), 204);
    drop(bridge);
    let bridge = stage.serve();
    assert_eq!(stage.userinfo(&bridge, &ended.access).status, 401);
    assert_eq!(stage.userinfo(&bridge, &other.access).status, 200);
}

#[test]
fn browser_logout_returns_to_configured_url() {
    let stage = Stage::new();
    let bridge = stage.serve();
    let (client_id, back) = (stage.lab.text("/pool/client_id"), stage.lab.text("/pool/sign_out_url"));
    let leave = |to: &str| {
        let fields = [("client_id", client_id.as_str()), ("post_logout_redirect_uri", to), ("state", "a&b")];
        let query = String::from_utf8(form_request("", &fields).body).unwrap();
        Request::get(&format!("{}?{query}", stage.path("logout"))).send(bridge.address())
    };
    let away = leave(&back);
    assert_eq!(away.status, 303, "{away:?}");
    let page = away.headers["location"].strip_prefix(&stage.lab.text("/ministack/url")).unwrap();
    assert!(page.starts_with("/logout?") && page.contains("logout_uri=") && page.contains("state=a%26b"), "{page}");
    let home = stage.send(&Request::get(page));
    // The stand-in does not return the state. Reports say that Cognito does not either.
    assert_eq!((home.status, home.headers["location"].as_str()), (302, back.as_str()));
    assert_eq!(leave("https://evil.example/").status, 400);
}

#[test]
fn federation_document_names_the_login_endpoints() {
    let stage = Stage::new();
    let bridge = stage.serve();
    let reply = Request::get(&stage.path("federation")).send(bridge.address());
    assert_eq!(reply.status, 200, "{reply:?}");
    let (reply, url) = (reply.json(), stage.lab.text("/ministack/url"));
    let pool = stage.lab.text("/pool/id");
    assert_eq!(reply["issuer"], format!("https://cognito-idp.us-east-1.amazonaws.com/{pool}"));
    assert_eq!(reply["authorization_endpoint"], format!("{url}/oauth2/authorize"));
    assert_eq!(reply["jwks_uri"], format!("{url}/{pool}/.well-known/jwks.json"));
    assert_eq!(reply["customer_claim"], stage.lab.text("/pool/customer_attribute"));
}
