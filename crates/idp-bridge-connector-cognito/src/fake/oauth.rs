//! The pool's domain: where people sign in in their browsers, and what becomes of the tokens that applications get by it.

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

/// Where codes are sent back to, unless a client says otherwise.
pub(crate) const CALLBACK: &str = "https://app.conformance.example/back";
/// Where browsers return to after a logout, unless a client says otherwise.
pub(crate) const SIGNED_OUT: &str = "https://app.conformance.example/bye";

/// The key of all fakes of a program: to make one takes longer than most tests.
static KEY: OnceLock<SigningKey> = OnceLock::new();

/// What the domain keeps.
#[derive(Default)]
pub(crate) struct OAuth {
    /// The key that tokens are signed with; none before the fake listens.
    key: Option<&'static SigningKey>,
    /// Where the fake listens, which is the pool's domain as well.
    url: String,
    /// All tokens that were signed with the key: what else comes is no token of this pool.
    signed: BTreeSet<String>,
    sessions: Vec<Session>,
    codes: BTreeMap<String, Code>,
    /// The browsers that are signed in: whose each cookie is.
    cookies: BTreeMap<String, String>,
}

/// What an endpoint of the domain answers; either way an [`Answer`], so that a refusal can be told with `?`.
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
    /// The answer of the domain or of the issuer's documents; none if the request is meant for the API.
    pub(super) fn oauth(&mut self, request: &Incoming) -> Option<Answer> {
        let pool = FakeCognito::POOL;
        let documents = [format!("/{pool}/.well-known/jwks.json"), format!("/{pool}/.well-known/openid-configuration")];
        let get = request.method == Method::GET;
        let outcome = match request.path() {
            path if path == documents[0] && get => Ok(json(200, &jwks(self.oauth.key))),
            path if path == documents[1] && get => Ok(json(200, &self.discovery())),
            "/oauth2/authorize" if get => self.ask_for_code(request),
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

/// An error of the token endpoint.
fn refused(code: &str) -> Answer {
    json(400, &json!({"error": code}))
}

/// What a browser is shown where it must not be sent anywhere.
fn error_page(why: &str) -> Answer {
    Answer::new(400, "text/html;charset=UTF-8", format!("<p>{why}</p>"))
}

fn redirect(to: &str) -> Result<Answer, Answer> {
    Ok(with(Answer::empty(302), header::LOCATION, to))
}

fn with(answer: Answer, name: HeaderName, value: &str) -> Answer {
    match HeaderValue::from_str(value) {
        Ok(value) => answer.with(name, value),
        Err(_) => answer,
    }
}
