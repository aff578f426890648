//! The pool's domain and the issuer's documents: sign-in, tokens, userInfo and sign-out. Browsers keep no session.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use idp_bridge_conformance::fake::{Answer, Incoming, Outcome, jwks};
use idp_bridge_http::{Url, header};
use serde_json::{Map, Value, json};

use super::FakeCognito;
use super::answer::refusal;
use super::pool::{AppClient, Pool, Status, User};
use super::sessions::Session;

/// The default callback URL of clients.
pub const CALLBACK: &str = "https://app.conformance.example/back";
/// The default sign-out URL of clients.
pub(crate) const SIGNED_OUT: &str = "https://app.conformance.example/bye";

/// The standard attributes of the scope `profile`, which also allows all custom attributes.
const PROFILE: [&str; 14] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];

type Form = BTreeMap<String, String>;

/// An authorization code.
pub(crate) struct Code {
    request: Authorization,
    user_id: String,
}

/// An authorization request.
pub(crate) struct Authorization {
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) nonce: Option<String>,
    redirect_uri: String,
    challenge: Option<String>,
    state: Option<String>,
}

impl Pool {
    /// Handles a request to the domain or for the issuer's documents.
    pub(super) fn handle_oauth(&mut self, request: &Incoming) -> Outcome {
        let path = request.path();
        match (request.method.as_str(), path.strip_prefix(&format!("/{}/.well-known", Self::ID)).unwrap_or(path)) {
            ("GET", "/jwks.json") => Ok(json(200, &jwks(self.logins.key))),
            ("GET", "/openid-configuration") => Ok(json(200, &self.discovery())),
            ("GET", "/oauth2/authorize") => {
                let query = request.target.split_once('?').map_or("", |(_, query)| query);
                self.authorization_request(request).map(|_| Answer::redirect(&format!("/login?{query}")))
            }
            ("POST", "/login") => self.sign_in(request),
            ("GET", "/logout") => self.sign_out(request),
            ("POST", "/oauth2/token") => self.token(request),
            ("GET", "/oauth2/userInfo") => self.user_info(request),
            (_, path) if path.starts_with("/oauth2/") || path.starts_with("/log") => Err(Answer::empty(405)),
            _ => Err(refusal("UnknownOperationException", "")),
        }
    }

    fn discovery(&self) -> Value {
        let (issuer, url) = (FakeCognito::ISSUER, &self.logins.url);
        json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "authorization_endpoint": format!("{url}/oauth2/authorize"),
            "token_endpoint": format!("{url}/oauth2/token"),
            "userinfo_endpoint": format!("{url}/oauth2/userInfo"),
            "revocation_endpoint": format!("{url}/oauth2/revoke"),
            "end_session_endpoint": format!("{url}/logout"),
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        })
    }

    /// Parses and checks an authorization request.
    fn authorization_request(&self, request: &Incoming) -> Result<Authorization, Answer> {
        let query = request.query().ok_or_else(|| error_page("a parameter is repeated"))?;
        let take = |name: &str| query.get(name).cloned();
        let client = take("client_id").and_then(|id| self.app_client(&id));
        let client = client.ok_or_else(|| error_page("invalid_client"))?;
        let redirect_uri = take("redirect_uri").filter(|uri| client.callback_urls.contains(uri));
        let redirect_uri = redirect_uri.ok_or_else(|| error_page("redirect_mismatch"))?;
        let requested = take("scope").unwrap_or_else(|| client.scopes.join(" "));
        let scopes: Vec<String> = requested.split(' ').map(str::to_owned).collect();
        let is_code = take("response_type").as_deref() == Some("code");
        let is_pkce = take("code_challenge").is_none() || take("code_challenge_method").as_deref() == Some("S256");
        if !is_code || !is_pkce || !scopes.iter().all(|scope| client.scopes.contains(scope)) {
            return Err(error_page("invalid_request"));
        }
        Ok(Authorization {
            client_id: client.client_id.clone(),
            scopes,
            nonce: take("nonce"),
            redirect_uri,
            challenge: take("code_challenge"),
            state: take("state"),
        })
    }

    /// Handles the sign-in form: redirects to the application with a code.
    fn sign_in(&mut self, request: &Incoming) -> Outcome {
        let authorization = self.authorization_request(request)?;
        let form = request.form().unwrap_or_default();
        let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let user = self.user_with_password(given("username"), given("password"));
        let user = user.filter(|user| user.status == Status::Confirmed);
        let user_id = user.ok_or_else(|| error_page("Incorrect username or password."))?.id().to_owned();
        let code = self.new_id();
        let pairs = [("code", Some(&code)), ("state", authorization.state.as_ref())];
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let back =
            Url::parse_with_params(&authorization.redirect_uri, pairs).map_err(|_| error_page("redirect_mismatch"))?;
        self.logins.codes.insert(code, Code { request: authorization, user_id });
        Ok(Answer::redirect(back.as_str()))
    }

    /// Ends the browser's session, but no tokens. `state` is not returned (reported: awsdocs, issue 15 of the guide, 2021).
    fn sign_out(&self, request: &Incoming) -> Outcome {
        let query = request.query().unwrap_or_default();
        let client = query.get("client_id").and_then(|id| self.app_client(id));
        let client = client.ok_or_else(|| error_page("invalid_client"))?;
        let to = query.get("logout_uri").filter(|uri| client.logout_urls.contains(uri));
        Ok(Answer::redirect(to.ok_or_else(|| error_page("invalid_request"))?))
    }

    fn token(&mut self, request: &Incoming) -> Outcome {
        let form = request.form().ok_or_else(|| refused("invalid_request"))?;
        let client = self.authenticated(request, &form)?.clone();
        match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => self.redeem(&client, &form),
            Some("refresh_token") => self.refresh(&client, &form),
            _ => Err(refused("unsupported_grant_type")),
        }
    }

    /// Authenticates the client by the header or the form.
    fn authenticated(&self, request: &Incoming, form: &Form) -> Result<&AppClient, Answer> {
        let basic = request.header(&header::AUTHORIZATION).and_then(|text| text.strip_prefix("Basic "));
        let basic = basic.and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok());
        let (id, secret) = match basic.as_deref().map(|pair| pair.split_once(':')) {
            Some(Some((id, secret))) => (id.to_owned(), Some(secret.to_owned())),
            _ => (form.get("client_id").cloned().unwrap_or_default(), form.get("client_secret").cloned()),
        };
        let client = self.app_client(&id).filter(|client| client.secret == secret);
        client.ok_or_else(|| refused("invalid_client"))
    }

    fn redeem(&mut self, client: &AppClient, form: &Form) -> Outcome {
        let invalid = || refused("invalid_grant");
        let given = |name: &str| form.get(name).map(String::as_str);
        // A failed attempt invalidates the code too.
        let code = given("code").and_then(|code| self.logins.codes.remove(code));
        let Code { request, user_id } = code.ok_or_else(invalid)?;
        let proof = given("code_verifier")
            .map(|verifier| URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes())));
        let is_redirect = given("redirect_uri") == Some(&request.redirect_uri);
        if request.client_id != client.client_id || !is_redirect || proof != request.challenge {
            return Err(invalid());
        }
        let session = self.begin(&user_id, request).ok_or_else(invalid)?;
        let refresh = session.refresh.clone();
        self.tokens(&session, Some(&refresh))
    }

    fn refresh(&mut self, client: &AppClient, form: &Form) -> Outcome {
        let token = form.get("refresh_token").ok_or_else(|| refused("invalid_request"))?;
        let session = self.session(|session| session.refresh == *token && session.client_id == client.client_id);
        let session = session.filter(|session| self.active_user(session).is_some()).cloned();
        self.tokens(&session.ok_or_else(|| refused("invalid_grant"))?, None)
    }

    fn tokens(&mut self, session: &Session, refresh: Option<&str>) -> Outcome {
        let failed = |_| Answer::empty(500);
        let (header, access) = (self.header(), self.access_claims(session));
        let mut body = Map::from_iter([
            ("access_token".to_owned(), json!(self.sign(&header, &access).map_err(failed)?)),
            ("token_type".to_owned(), json!("Bearer")),
            ("expires_in".to_owned(), json!(3600)),
        ]);
        if session.scopes.iter().any(|scope| scope == "openid") {
            let id = self.id_claims(session);
            body.insert("id_token".into(), json!(self.sign(&header, &id).map_err(failed)?));
        }
        body.extend(refresh.map(|refresh| ("refresh_token".into(), json!(refresh))));
        Ok(json(200, &Value::Object(body)))
    }

    /// Answers with the user's attributes, as far as the token's scopes and the client's permissions allow. All values are texts.
    fn user_info(&self, request: &Incoming) -> Outcome {
        let invalid = |why: &str| bearer_refusal(401, "invalid_token", why);
        let malformed = || bearer_refusal(400, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint");
        let token = request.bearer().ok_or_else(malformed)?;
        self.claims(token).ok_or_else(|| invalid("Access token format is not valid"))?;
        let (session, user, scopes) = self.find_login(token).ok_or_else(|| {
            invalid("Access token is expired, disabled, or deleted, or the user has globally signed out.")
        })?;
        if !scopes.contains("openid") {
            return Err(invalid("Access token does not contain openid scope"));
        }
        let client = self.app_client(&session.client_id).ok_or_else(malformed)?;
        let mut shown = user_claims(user, client, &scopes);
        shown.extend(session.claimed.clone());
        Ok(json(200, &Value::Object(shown)))
    }
}

/// Returns the claims of a user. `openid` alone allows all readable attributes; other scopes allow their part.
fn user_claims(user: &User, client: &AppClient, scopes: &BTreeSet<String>) -> Map<String, Value> {
    let everything = !["profile", "email", "phone"].iter().any(|scope| scopes.contains(*scope));
    let has = |scope: &str| everything || scopes.contains(scope);
    let in_scope = |name: &str| match name {
        "sub" => true,
        "email" | "email_verified" => has("email"),
        "phone_number" | "phone_number_verified" => has("phone"),
        name if name.starts_with("custom:") || PROFILE.contains(&name) => has("profile"),
        _ => everything,
    };
    // Without a list a client can read all standard attributes, but no custom attributes.
    let readable = |name: &str| match &client.readable {
        Some(listed) => name == "sub" || listed.contains(name),
        None => !name.starts_with("custom:"),
    };
    let attributes = user.attributes.iter().filter(|(name, _)| in_scope(name) && readable(name));
    let mut shown: Map<_, _> = attributes.map(|(name, value)| (name.clone(), json!(value))).collect();
    shown.insert("username".into(), json!(user.username));
    shown
}

fn json(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json;charset=UTF-8", body.to_string())
}

/// Creates an error of the token endpoint.
fn refused(code: &str) -> Answer {
    json(400, &json!({"error": code}))
}

/// Creates an error of userInfo.
fn bearer_refusal(status: u16, code: &str, why: &str) -> Answer {
    let challenge = format!("Bearer error=\"{code}\", error_description=\"{why}\"");
    let body = json!({"error": code, "error_description": why});
    json(status, &body).with_text(header::WWW_AUTHENTICATE, &challenge)
}

/// Creates the page of an error without a redirect.
fn error_page(why: &str) -> Answer {
    Answer::new(400, "text/html;charset=UTF-8", format!("<p>{why}</p>"))
}
