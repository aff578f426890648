//! A fake Cognito user pool on 127.0.0.1: the operations that the connector uses, and the pool's domain.
//!
//! The pool has users, groups, app clients and IAM principals. It verifies signatures, and records mails instead of sending them.
//! The responses follow AWS's documentation; they were not recorded from the live service. The fake is stricter than Cognito: it
//! rejects members that the connector has no reason to send.

mod answer;
mod app;
pub mod filter;
mod oauth;
mod pool;
mod sessions;
mod settings;
mod signature;
mod users;

pub use idp_bridge_conformance::fake::{Answer, Exchange, Incoming};
use idp_bridge_conformance::fake::{Fake, FakeServer, Outcome};
use idp_bridge_http::{HeaderName, Method, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use answer::{invalid_parameter, no_such_pool, refusal, unexpected_request};
pub use pool::{AppClient, Mail, Pool, Principal, Status, User};
pub use sessions::Session;

/// A fake user pool. It stops when dropped.
pub struct FakeCognito(FakeServer<Pool>);

impl FakeCognito {
    /// The pool's id.
    pub const POOL: &'static str = "eu-west-1_FakePool1";
    /// The issuer of its tokens. The fake's URL serves the issuer's documents and the pool's domain.
    pub const ISSUER: &'static str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_FakePool1";

    /// Starts an empty pool.
    pub async fn start() -> std::io::Result<Self> {
        let server = FakeServer::start(Pool::default()).await?;
        let logins = sessions::Logins::new(server.url())?;
        server.with(|pool| pool.logins = logins);
        Ok(Self(server))
    }

    /// Returns the URL to use as the endpoint, without a final slash.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Runs a function on the pool, between two requests.
    pub fn with<T>(&self, act: impl FnOnce(&mut Pool) -> T) -> T {
        self.0.with(act)
    }

    /// Adds a user: [`Pool::insert`].
    pub fn insert(&self, user: User) -> String {
        self.with(|pool| pool.insert(user))
    }

    /// Changes a user: [`Pool::change`].
    pub fn change(&self, id: &str, change: impl FnOnce(&mut User)) {
        self.with(|pool| pool.change(id, change));
    }

    /// Takes the recorded requests with their responses.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        self.0.take_exchanges()
    }

    /// Returns all recorded mails.
    pub fn mails(&self) -> Vec<Mail> {
        self.with(|pool| pool.mails.clone())
    }
}

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

impl Fake for Pool {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let answered = match request.header(&TARGET) {
            Some(target) => self.handle_operation(request, target),
            None => self.handle_oauth(request),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }
}

impl Pool {
    fn handle_operation(&mut self, request: &Incoming, target: &str) -> Outcome {
        let operation = target.strip_prefix("AWSCognitoIdentityProviderService.");
        let (&Method::POST, "/", Some(operation)) = (&request.method, request.target.as_str(), operation) else {
            return Err(refusal("UnknownOperationException", ""));
        };
        if request.header(&header::CONTENT_TYPE) != Some("application/x-amz-json-1.1") {
            return Err(unexpected_request("the content type is not `application/x-amz-json-1.1`"));
        }
        let body: Value = serde_json::from_slice(&request.body).map_err(|_| refusal("SerializationException", ""))?;
        if let Some(refused) = self.next_refusal(operation) {
            return Err(refused);
        }
        self.operation(request, operation, body)
    }

    fn operation(&mut self, request: &Incoming, operation: &str, body: Value) -> Outcome {
        match operation {
            // Operations of app clients, without IAM.
            "ResendConfirmationCode" => return self.resend_confirmation_code(parse(body)?),
            "ForgotPassword" => return self.forgot_password(parse(body)?),
            "RevokeToken" => return self.revoke_token(parse(body)?),
            _ => {}
        }
        let pool = body.get("UserPoolId").and_then(Value::as_str);
        let pool = pool.ok_or_else(|| invalid_parameter("`UserPoolId` must not be null"))?;
        self.authorize(request, operation, pool)?;
        if pool != Self::ID {
            return Err(no_such_pool());
        }
        match operation {
            "AdminGetUser" => self.admin_get_user(&parse(body)?),
            "ListUsers" => self.list_users(parse(body)?),
            "ListUsersInGroup" => self.list_users_in_group(parse(body)?),
            "AdminUpdateUserAttributes" => self.admin_update_user_attributes(parse(body)?),
            "AdminDeleteUser" => self.admin_delete_user(&parse(body)?),
            "AdminCreateUser" => self.admin_create_user(parse(body)?),
            "AdminUserGlobalSignOut" => self.admin_user_global_sign_out(&parse(body)?),
            "DescribeUserPool" => self.describe_user_pool(&parse(body)?),
            "ListUserPoolClients" => self.list_user_pool_clients(&parse(body)?),
            "DescribeUserPoolClient" => self.describe_user_pool_client(&parse(body)?),
            _ => Err(refusal("UnknownOperationException", "")),
        }
    }
}

/// The request of an operation on one user.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Named {
    #[serde(rename = "UserPoolId")]
    _pool: String,
    username: String,
}

/// Parses a request. Members that the connector has no reason to send are another error than missing ones.
fn parse<T: DeserializeOwned>(body: Value) -> Result<T, Answer> {
    serde_json::from_value(body).map_err(|error| match error.to_string() {
        message if message.starts_with("unknown field") => unexpected_request(&message),
        message => invalid_parameter(&message),
    })
}
