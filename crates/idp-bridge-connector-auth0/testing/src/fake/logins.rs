//! The state of logins: sessions, tokens and the signing key.

use std::collections::BTreeMap;
use std::io;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_core::{Clock as _, SystemClock};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value, json};

use super::tenant::Tenant;
use super::{FakeAuth0, is_true, set, text};

/// The lifetime of access tokens: Auth0's default for an API.
const ACCESS_SECONDS: i64 = 86_400;
/// The lifetime of ID tokens: Auth0's default.
const ID_SECONDS: i64 = 36_000;

/// The logins of a tenant.
#[derive(Default)]
pub(crate) struct Logins {
    /// The signing key; set when the fake starts.
    pub(crate) key: Option<SigningKey>,
    /// The user ids of active sessions.
    pub(crate) sessions: BTreeMap<String, String>,
    pub(crate) refresh_tokens: BTreeMap<String, RefreshToken>,
    opaque: BTreeMap<String, Grant>,
    /// The number of userinfo requests of each user.
    pub(crate) userinfo_requests: BTreeMap<String, usize>,
}

/// The result of a login to an application.
#[derive(Clone, Default)]
pub(crate) struct Grant {
    pub(crate) user_id: String,
    pub(crate) client_id: String,
    pub(crate) session: Option<String>,
    pub(crate) scope: String,
    pub(crate) audience: Option<String>,
}

impl Grant {
    fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|own| own == scope)
    }
}

/// The tokens of a login.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Issued {
    /// The access token.
    pub access: String,
    /// The ID token, with the scope `openid`.
    pub id: Option<String>,
    /// The refresh token, with the scope `offline_access`.
    pub refresh: Option<String>,
}

/// A refresh token.
pub(crate) struct RefreshToken {
    pub(crate) grant: Grant,
    /// The id of its device credential, which a family of rotating tokens shares.
    pub(crate) credential: String,
    pub(crate) rotates: bool,
    /// Whether it was replaced by its successor.
    pub(crate) is_spent: bool,
}

impl Tenant {
    /// Returns the issuer of all tokens.
    pub fn issuer() -> String {
        format!("https://{}/", FakeAuth0::DOMAIN)
    }

    /// Returns the audience of Auth0's userinfo.
    pub(crate) fn userinfo_audience() -> String {
        format!("{}userinfo", Self::issuer())
    }

    /// Signs any header and claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> io::Result<String> {
        let key = self.logins.key.as_ref().ok_or_else(|| io::Error::other("the fake has no key"))?;
        key.sign(header, claims)
    }

    /// Returns the header of a token of this type.
    pub fn header(&self, r#type: &str) -> Value {
        self.logins.key.as_ref().map_or_else(|| json!({}), |key| key.header(r#type))
    }

    /// Returns whether a refresh token is valid.
    pub fn is_refreshable(&self, token: &str) -> bool {
        self.logins.refresh_tokens.get(token).is_some_and(|refresh| !refresh.is_spent)
    }

    /// Creates refresh tokens of a user, as several logins do.
    pub fn make_refresh_tokens(&mut self, user_id: &str, client_id: &str, count: usize) {
        let grant = Grant { user_id: user_id.into(), client_id: client_id.into(), ..Grant::default() };
        for _ in 0..count {
            self.new_refresh(&grant);
        }
    }

    /// Returns whether a session is active.
    pub fn has_session(&self, session: &str) -> bool {
        self.logins.sessions.contains_key(session)
    }

    /// Ends a session as the logout page does. Refresh tokens stay valid, as documented.
    ///
    /// Returns the logout token for the application's back channel.
    pub fn end_session(&mut self, session: &str, client_id: &str) -> io::Result<Option<String>> {
        let Some(user_id) = self.logins.sessions.remove(session) else { return Ok(None) };
        let mut claims = claims_of(&user_id, json!(client_id), 120);
        let events = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
        set(&mut claims, [("jti", json!(self.new_id())), ("sid", json!(session)), ("events", events)]);
        // The code samples of Auth0's documentation require this type instead of `logout+jwt`.
        self.sign(&self.header("JWT"), &claims).map(Some)
    }

    /// Deletes a user with all sessions and refresh tokens. Access tokens stay valid.
    pub fn remove(&mut self, id: &str) {
        self.users.retain(|user| text(user, "user_id") != Some(id));
        self.end_logins(id);
    }

    /// Ends all sessions and refresh tokens of a user.
    pub(crate) fn end_logins(&mut self, user_id: &str) {
        self.logins.sessions.retain(|_, own| own != user_id);
        self.logins.refresh_tokens.retain(|_, refresh| refresh.grant.user_id != user_id);
    }

    pub(crate) fn delete_credential(&mut self, credential: &str) {
        if self.keeps_credentials {
            return;
        }
        self.logins.refresh_tokens.retain(|_, refresh| refresh.credential != credential);
    }

    /// Logs a user in to an application, as the login page does. Without an API the access token is opaque.
    pub fn log_in(
        &mut self,
        (email, password): (&str, &str),
        client_id: &str,
        scope: &str,
        audience: Option<&str>,
    ) -> io::Result<Issued> {
        let user = self.find_in(None, email).filter(|user| self.has_password(user, password));
        let user_id = user.filter(|user| !is_true(user, "blocked")).and_then(|user| text(user, "user_id"));
        let user_id = user_id.ok_or_else(|| io::Error::other("wrong email or password"))?.to_owned();
        let session = self.new_id();
        self.logins.sessions.insert(session.clone(), user_id.clone());
        let (client_id, audience) = (client_id.to_owned(), audience.map(str::to_owned));
        let grant = Grant { user_id, client_id, session: Some(session), scope: scope.to_owned(), audience };
        let access = match &grant.audience {
            None => self.issue_opaque(&grant),
            Some(audience) => self.sign_access(&grant, audience)?,
        };
        let id = grant.has_scope("openid").then(|| self.sign_id(&grant)).transpose()?;
        let refresh = grant.has_scope("offline_access").then(|| self.new_refresh(&grant));
        Ok(Issued { access, id, refresh })
    }

    /// Uses a rotating refresh token: returns the next token of its family.
    pub fn rotate(&mut self, token: &str) -> Option<String> {
        let refresh = self.logins.refresh_tokens.get_mut(token).filter(|refresh| refresh.rotates)?;
        refresh.is_spent = true;
        let (grant, credential) = (refresh.grant.clone(), refresh.credential.clone());
        Some(self.keep_refresh(grant, credential, true))
    }

    /// Returns whether userinfo accepts an access token.
    pub fn accepts_access_token(&mut self, token: &str) -> bool {
        self.profile_of(token).is_some()
    }

    /// Issues an opaque token of 32 characters, as recorded.
    fn issue_opaque(&mut self, grant: &Grant) -> String {
        let token = format!("opaque--{}", self.new_id());
        self.logins.opaque.insert(token.clone(), grant.clone());
        token
    }

    fn sign_access(&mut self, grant: &Grant, api: &str) -> io::Result<String> {
        let audience = if grant.has_scope("openid") { json!([api, Self::userinfo_audience()]) } else { json!(api) };
        let mut claims = claims_of(&grant.user_id, audience, ACCESS_SECONDS);
        set(&mut claims, [("scope", json!(grant.scope))]);
        self.add_customer(&mut claims, &grant.user_id);
        // The two profiles of access tokens have different claims for the client.
        if self.apis.get(api).copied().unwrap_or_default() {
            set(&mut claims, [("client_id", json!(grant.client_id)), ("jti", json!(self.new_id()))]);
            return self.sign(&self.header("at+jwt"), &claims);
        }
        set(&mut claims, [("azp", json!(grant.client_id))]);
        self.sign(&self.header("JWT"), &claims)
    }

    fn sign_id(&self, grant: &Grant) -> io::Result<String> {
        let mut claims = claims_of(&grant.user_id, json!(grant.client_id), ID_SECONDS);
        set(&mut claims, [("sid", json!(grant.session)), ("nonce", json!("n"))]);
        self.add_customer(&mut claims, &grant.user_id);
        self.sign(&self.header("JWT"), &claims)
    }

    /// Adds the claim that the tenant's Action sets.
    fn add_customer(&self, claims: &mut Value, user_id: &str) {
        let customer = self.user(user_id).and_then(|user| user.pointer("/app_metadata/customer_id"));
        if let (Some(claim), Some(customer)) = (&self.customer_claim, customer) {
            set(claims, [(claim, customer.clone())]);
        }
    }

    fn new_refresh(&mut self, grant: &Grant) -> String {
        let credential = format!("dcr_{}", self.short_id());
        let rotates = self.application(&grant.client_id).is_some_and(|application| application.rotates);
        self.keep_refresh(grant.clone(), credential, rotates)
    }

    fn keep_refresh(&mut self, grant: Grant, credential: String, rotates: bool) -> String {
        let token = format!("v1.{}", self.new_id());
        let refresh = RefreshToken { grant, credential, rotates, is_spent: false };
        self.logins.refresh_tokens.insert(token.clone(), refresh);
        token
    }

    /// Returns the userinfo of an access token, empty if it lacks the scope `openid`.
    pub(crate) fn profile_of(&mut self, token: &str) -> Option<Value> {
        let grant = match self.logins.opaque.get(token) {
            Some(grant) => grant.clone(),
            None => self.read_access(token)?,
        };
        let user = self.user(&grant.user_id)?;
        if !grant.has_scope("openid") {
            return Some(json!({}));
        }
        let mut profile = Map::from_iter([("sub".to_owned(), json!(grant.user_id))]);
        let claims = [("email", &["email", "email_verified"][..]), ("profile", &["nickname", "picture", "updated_at"])];
        for name in claims.into_iter().filter(|(scope, _)| grant.has_scope(scope)).flat_map(|(_, names)| names) {
            profile.extend(user.get(*name).map(|value| ((*name).to_owned(), value.clone())));
        }
        let mut profile = Value::Object(profile);
        self.add_customer(&mut profile, &grant.user_id);
        Some(profile)
    }

    /// Returns the user and the scope of a signed access token with userinfo as an audience.
    fn read_access(&self, token: &str) -> Option<Grant> {
        let claims = self.verify(token, &Self::userinfo_audience())?;
        let member = |name| text(&claims, name).map(str::to_owned);
        Some(Grant { user_id: member("sub")?, scope: member("scope")?, ..Grant::default() })
    }

    /// Returns the claims of a token with this audience that the fake signed.
    fn verify(&self, token: &str, audience: &str) -> Option<Value> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[Self::issuer()]);
        validation.leeway = 0;
        let jwk = serde_json::from_value(self.logins.key.as_ref()?.jwk()).ok()?;
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        decode::<Value>(token, &key, &validation).ok().map(|decoded| decoded.claims)
    }
}

/// Returns the claims of every token.
fn claims_of(user_id: &str, audience: Value, seconds: i64) -> Value {
    let now = SystemClock.now().as_second();
    json!({"iss": Tenant::issuer(), "sub": user_id, "aud": audience, "iat": now, "exp": now + seconds})
}
