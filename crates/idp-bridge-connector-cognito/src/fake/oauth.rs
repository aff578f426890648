//! The pool's domain and the issuer's documents: sign-in, tokens, userInfo and sign-out.

mod browser;
mod session;
#[cfg(test)]
mod tests;
mod token;
mod user_info;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use idp_bridge_conformance::fake::{Answer, Incoming, SigningKey, jwks};
use idp_bridge_http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::FakeCognito;
use super::pool::{AppClient, Pool};
use browser::Code;
pub(crate) use session::Session;

/// The default callback URL of clients.
pub(crate) const CALLBACK: &str = "https://app.conformance.example/back";
/// The default sign-out URL of clients.
pub(crate) const SIGNED_OUT: &str = "https://app.conformance.example/bye";

/// The signing key of all fakes, since generating one takes longer than most tests.
static KEY: OnceLock<SigningKey> = OnceLock::new();

/// The state of the domain.
#[derive(Default)]
pub(crate) struct OAuth {
    /// The signing key; set when the fake starts.
    key: Option<&'static SigningKey>,
    /// The URL of the fake and of the pool's domain.
    url: String,
    /// All signed tokens.
    signed: BTreeSet<String>,
    sessions: Vec<Session>,
    codes: BTreeMap<String, Code>,
    /// The user ids of signed-in browsers, by their cookies.
    cookies: BTreeMap<String, String>,
}

/// The response of an endpoint. Errors are responses too, so that `?` works.
type Outcome = Result<Answer, Answer>;

impl OAuth {
    pub(crate) fn new(url: String) -> std::io::Result<Self> {
        let key = match KEY.get() {
            Some(key) => key,
            None => {
                let key = SigningKey::rs256("fake-access-1")?;
                KEY.get_or_init(|| key)
            }
        };
        Ok(Self { key: Some(key), url, ..Self::default() })
    }
}

impl Pool {
    /// Handles a request to the domain or for the issuer's documents. `None` for requests to the API.
    pub(super) fn handle_oauth(&mut self, request: &Incoming) -> Option<Answer> {
        let pool = FakeCognito::POOL;
        let documents = [format!("/{pool}/.well-known/jwks.json"), format!("/{pool}/.well-known/openid-configuration")];
        let get = request.method == Method::GET;
        let outcome = match request.path() {
            path if path == documents[0] && get => Ok(json(200, &jwks(self.oauth.key))),
            path if path == documents[1] && get => Ok(json(200, &self.discovery())),
            "/oauth2/authorize" if get => self.authorize_code(request),
            "/login" if get => Ok(Answer::new(200, "text/html;charset=UTF-8", "<form method=\"post\">Sign in</form>")),
            "/login" if request.method == Method::POST => self.sign_in(request),
            "/logout" if get => self.sign_out(request),
            "/oauth2/token" if request.method == Method::POST => self.token(request),
            "/oauth2/userInfo" if get => self.user_info(request),
            path if path.starts_with("/oauth2/") || path.starts_with("/log") => Err(Answer::empty(405)),
            _ => return None,
        };
        Some(outcome.unwrap_or_else(|refusal| refusal))
    }

    fn discovery(&self) -> Value {
        let (issuer, url) = (FakeCognito::ISSUER, &self.oauth.url);
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

    fn app_client(&self, id: &str) -> Option<&AppClient> {
        self.app_clients.iter().find(|client| client.client_id == id)
    }
}

fn json(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json;charset=UTF-8", body.to_string())
}

/// Creates an error of the token endpoint.
fn refused(code: &str) -> Answer {
    json(400, &json!({"error": code}))
}

/// Creates the page of an error without a redirect.
fn error_page(why: &str) -> Answer {
    Answer::new(400, "text/html;charset=UTF-8", format!("<p>{why}</p>"))
}

fn redirect(to: &str) -> Result<Answer, Answer> {
    Ok(with_header(Answer::empty(302), header::LOCATION, to))
}

fn with_header(answer: Answer, name: HeaderName, value: &str) -> Answer {
    match HeaderValue::from_str(value) {
        Ok(value) => answer.with(name, value),
        Err(_) => answer,
    }
}
