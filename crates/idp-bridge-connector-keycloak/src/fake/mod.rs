//! A Keycloak on 127.0.0.1 for tests: its token endpoint and the part of its Admin REST API that the connector and the
//! harness use.
//!
//! It keeps realms, clients, users and events, and sends no mails but records them. Its answers are those that a real
//! Keycloak 26.7.3 gave, and it is stricter: what no careful client sends, such as an unknown query parameter or a
//! search without a limit, is a 400.

mod admin;
mod answer;
mod import;
pub(crate) mod query;
mod realm;
mod request;
mod token;
mod users;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use answer::Answer;
use realm::Realm;
pub use realm::User;
use request::Incoming;

/// A fake Keycloak, alive until it is dropped.
pub struct FakeKeycloak {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    server: JoinHandle<()>,
}

/// A request that the fake was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    /// The status of the answer.
    pub status: u16,
}

/// A mail that the fake would have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The user's address.
    pub to: String,
    /// `send-verify-email` or `execute-actions-email`.
    pub order: String,
    /// The query of the order, such as `lifespan`.
    pub options: BTreeMap<String, String>,
}

impl FakeKeycloak {
    /// The administrator of the realm `master`.
    pub const ADMIN: (&'static str, &'static str) = ("admin", "admin");

    /// Starts a Keycloak without realms.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(Mutex::new(World::default()));
        let router = Router::new().fallback(serve).with_state(Arc::clone(&world));
        let server = tokio::spawn(async move {
            // An error of accept ends the fake; the tests that go on without it say so.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, world, server })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.world).requests.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        lock(&self.world).requests.clear();
    }

    /// All mails so far.
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.world).mails.clone()
    }

    /// Makes all tokens invalid, as if they had expired.
    pub fn expire_tokens(&self) {
        lock(&self.world).tokens.clear();
    }

    /// Lets another writer act right after each change of a user through the Admin REST API.
    pub fn interfere(&self, writer: impl FnMut(&mut User) + Send + 'static) {
        lock(&self.world).interfering = Some(Box::new(writer));
    }
}

impl Drop for FakeKeycloak {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Another writer.
type Writer = Box<dyn FnMut(&mut User) + Send>;

/// Everything that the fake keeps.
#[derive(Default)]
struct World {
    realms: BTreeMap<String, Realm>,
    tokens: BTreeMap<String, Session>,
    requests: Vec<Recorded>,
    mails: Vec<Mail>,
    interfering: Option<Writer>,
    issued: u64,
}

/// Whose token it is.
#[derive(Clone)]
enum Session {
    /// The administrator of all realms.
    Admin,
    /// A user of a realm.
    User { realm: String, id: String },
}

impl Session {
    fn is_of(&self, name: &str) -> bool {
        matches!(self, Self::User { realm, .. } if realm == name)
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    State(world): State<Arc<Mutex<World>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut world = lock(&world);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let answer = match Incoming::read(&method, &uri, &headers, body) {
        Ok(incoming) => world.answer(&incoming),
        Err(refusal) => refusal,
    };
    world.requests.push(Recorded { method: method.to_string(), target: target.into(), status: answer.status });
    answer.into_response()
}

impl World {
    fn answer(&mut self, incoming: &Incoming) -> Answer {
        let answered = match incoming.path().as_slice() {
            ["realms", realm, "protocol", "openid-connect", "token"] => self.token(realm, incoming),
            ["admin", "realms", rest @ ..] => self.admin(rest, incoming),
            _ => Err(Answer::error(404, "Unable to find matching target resource method")),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }
}
