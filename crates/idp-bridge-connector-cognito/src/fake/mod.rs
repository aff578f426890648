//! A fake Cognito user pool on 127.0.0.1: the operations that the connector uses, the sign-in by password, and the pool's domain.
//!
//! The pool has users, groups, app clients and IAM principals. It verifies signatures, and records mails instead of sending them.
//! The responses follow AWS's documentation; they were not recorded from the live service. The fake is stricter than Cognito: it
//! rejects members that the connector has no reason to send.

mod answer;
mod app;
pub(crate) mod filter;
pub(crate) mod oauth;
mod pool;
mod settings;
mod signature;
#[cfg(test)]
mod tests;
mod users;

pub use idp_bridge_conformance::fake::{Answer, Exchange, Incoming};
use idp_bridge_conformance::fake::{Fake, FakeServer};
use idp_bridge_http::{HeaderName, Method};
use serde_json::Value;
use serde_json::value::Index;

use answer::{no_such_pool, refusal, unexpected_request};
pub use pool::{AppClient, Mail, Pool, Principal, Status, User};

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
        let oauth = oauth::OAuth::new(server.url())?;
        server.with(|pool| pool.oauth = oauth);
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
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");

impl Fake for Pool {
    fn answer(&mut self, request: &Incoming) -> Answer {
        self.handle_oauth(request).unwrap_or_else(|| self.handle_operation(request).unwrap_or_else(|refusal| refusal))
    }
}

impl Pool {
    fn handle_operation(&mut self, request: &Incoming) -> Result<Answer, Answer> {
        let target =
            request.header(&TARGET).and_then(|target| target.strip_prefix("AWSCognitoIdentityProviderService."));
        let (&Method::POST, "/", Some(operation)) = (&request.method, request.target.as_str(), target) else {
            return Err(refusal("UnknownOperationException", ""));
        };
        if request.header(&CONTENT_TYPE) != Some("application/x-amz-json-1.1") {
            return Err(unexpected_request("the content type is not `application/x-amz-json-1.1`"));
        }
        let body = serde_json::from_slice::<Value>(&request.body).ok().filter(Value::is_object);
        let body = body.ok_or_else(|| refusal("SerializationException", ""))?;
        if let Some(refused) = self.next_refusal(operation) {
            return Err(refused);
        }
        match operation {
            // Operations of app clients, without IAM.
            "ResendConfirmationCode" => return self.resend_confirmation_code(&body),
            "ForgotPassword" => return self.forgot_password(&body),
            "InitiateAuth" => return self.initiate_auth(&body),
            "RevokeToken" => return self.revoke_token(&body),
            _ => {}
        }
        let pool = required(&body, "UserPoolId")?;
        self.authorize(request, operation, pool)?;
        if pool != FakeCognito::POOL {
            return Err(no_such_pool());
        }
        match operation {
            "AdminGetUser" => self.admin_get_user(&body),
            "ListUsers" => self.list_users(&body),
            "ListUsersInGroup" => self.list_users_in_group(&body),
            "AdminUpdateUserAttributes" => self.admin_update_user_attributes(&body),
            "AdminDeleteUser" => self.admin_delete_user(&body),
            "AdminCreateUser" => self.admin_create_user(&body),
            "AdminUserGlobalSignOut" => self.admin_user_global_sign_out(&body),
            "DescribeUserPool" => self.describe_user_pool(&body),
            "ListUserPoolClients" => self.list_user_pool_clients(&body),
            "DescribeUserPoolClient" => self.describe_user_pool_client(&body),
            _ => Err(refusal("UnknownOperationException", "")),
        }
    }
}

/// Rejects a request with other members than these.
fn check_members(body: &Value, known: &[&str]) -> Result<(), Answer> {
    let unknown = body.as_object().and_then(|members| members.keys().find(|name| !known.contains(&name.as_str())));
    unknown.map_or(Ok(()), |name| Err(unexpected_request(&format!("a request has a member `{name}`"))))
}

/// Returns a member that is a text.
fn text(value: &Value, name: impl Index) -> Option<&str> {
    value.get(name).and_then(Value::as_str)
}

/// Returns a required member that is a text.
fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Answer> {
    let missing = || answer::invalid_parameter(&format!("1 validation error detected: `{name}` must not be null"));
    text(body, name).filter(|text| !text.is_empty()).ok_or_else(missing)
}
