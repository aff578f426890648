//! Federation of the toy's provider, correct except for its defect.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use idp_bridge_conformance::fake::openid::CLIENT;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    AccessToken, CallScope, Clock as _, Customer, Email, EndSession, Ended, Error, ErrorKind, Federation,
    FederationMetadata, Finding, LoggedOut, Logout, LogoutNotice, Result, Secret, SessionId, SystemClock,
    TokenIdentity, TokenUser, UserId, async_trait,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Defect;
use super::client::{Client, Reply, Request, invalid};
use super::jwt::Jwt;
use super::sessions::ISSUER;

/// The time after its expiry in which a token can be identified, in seconds.
const DAY: i64 = 24 * 3600;

/// Federation of a provider for the toy.
pub(super) struct Oauth {
    pub(super) client: Client,
    pub(super) client_secret: &'static str,
    pub(super) back_channel: bool,
    pub(super) keys: Mutex<Option<Value>>,
}

fn bad(reason: &'static str) -> Error {
    Error::invalid_token(reason)
}

fn now() -> i64 {
    SystemClock.now().as_second()
}

impl Oauth {
    fn has(&self, defect: Defect) -> bool {
        self.client.has(defect)
    }

    /// Returns the key with this id, and fetches the keys if it is not cached.
    async fn key(&self, scope: &CallScope, kid: &Value) -> Result<Value> {
        let known = self.keys.lock().unwrap().clone().and_then(|keys| find(&keys, kid));
        if let Some(key) = known {
            return Ok(key);
        }
        let keys = self.client.check(self.client.send(scope, Request::get("certs"), None).await?)?.json()?;
        if !keys["keys"].is_array() {
            return Err(invalid("the response has no keys"));
        }
        *self.keys.lock().unwrap() = Some(keys.clone());
        find(&keys, kid).ok_or_else(|| bad("of an unknown key"))
    }

    /// Returns the claims of a token of this type, if the identity provider signed it.
    async fn verified(&self, scope: &CallScope, token: &AccessToken, kind: &str) -> Result<Value> {
        let jwt = Jwt::parse(token.expose()).ok_or_else(|| bad("not a JWT"))?;
        let algorithm = jwt.header["alg"].as_str().unwrap_or_default();
        let is_signed = match algorithm {
            _ if self.has(Defect::SkipsSignatures) => true,
            "none" if self.has(Defect::AcceptsUnsigned) => true,
            "HS256" if self.has(Defect::AcceptsHmacs) => {
                let key = self.key(scope, &jwt.header["kid"]).await?;
                let secret = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap_or_default()).unwrap();
                let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
                aws_lc_rs::hmac::verify(&secret, jwt.input.as_bytes(), &jwt.signature).is_ok()
            }
            "RS256" if self.has(Defect::AcceptsEmbeddedKeys) && jwt.header["jwk"].is_object() => {
                jwt.is_signed_with(&jwt.header["jwk"])
            }
            "RS256" => {
                self.follow(&jwt.header).await;
                jwt.is_signed_with(&self.key(scope, &jwt.header["kid"]).await?)
            }
            _ => false,
        };
        if !is_signed || !jwt.header["crit"].is_null() || !jwt.claims.is_object() {
            return Err(bad("not signed by the identity provider"));
        }
        if jwt.header["typ"] != kind && !self.has(Defect::AcceptsAnyTokenType) {
            return Err(bad("of another type"));
        }
        if jwt.claims["iss"] != ISSUER && !self.has(Defect::AcceptsAnyIssuer) {
            return Err(bad("of another issuer"));
        }
        Ok(jwt.claims)
    }

    /// Requests the key address in the token.
    async fn follow(&self, header: &Value) {
        let address = header["jku"].as_str().and_then(|address| address.strip_prefix("http://"));
        if let Some((authority, _)) = address.and_then(|address| address.split_once('/'))
            && self.has(Defect::FollowsKeyAddresses)
        {
            let _ = self.client.request_elsewhere(authority).await;
        }
    }

    async fn identify_signed(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        self.check_blanket_defects()?;
        let claims = self.verified(scope, token, "at+jwt").await?;
        let other_client = claims["client_id"] != CLIENT && !self.has(Defect::AcceptsAnyClient);
        let bound = !claims["cnf"].is_null() && !self.has(Defect::AcceptsBoundTokens);
        let service = claims["sub"] == claims["client_id"] && !self.has(Defect::FindsServiceAccounts);
        let early = !claims["nbf"].is_null() && claims["nbf"].as_i64().is_none_or(|from| from > now());
        let early = early && !self.has(Defect::IgnoresTime);
        let end = claims["exp"].as_i64().filter(|end| *end > now() - DAY || self.has(Defect::IgnoresTime));
        let (Some(end), false) = (end, other_client || bound || service || early) else {
            return Err(bad("not meant for the bridge"));
        };
        let time = |second: i64| Timestamp::from_second(second).ok();
        Ok(TokenIdentity {
            subject: claims["sub"].as_str().and_then(|id| UserId::new(id).ok()).ok_or_else(|| bad("without a user"))?,
            client: claims["client_id"].as_str().map(str::to_owned),
            session: claims["sid"].as_str().and_then(|id| SessionId::new(id).ok()),
            issued_at: claims["iat"].as_i64().and_then(time),
            expires_at: time(end),
        })
    }

    fn check_blanket_defects(&self) -> Result<()> {
        assert!(!self.has(Defect::Panics), "this provider panics");
        if self.has(Defect::CallsEverythingUnexpected) {
            return Err(Error::ours(ErrorKind::Unexpected, "something went wrong"));
        }
        Ok(())
    }

    /// Requests userinfo. A 401 means that the token is invalid.
    async fn userinfo(&self, scope: &CallScope, token: &AccessToken) -> Result<Value> {
        let answer = async {
            let reply = self.client.send(scope, Request::get("userinfo"), Some(token.expose())).await?;
            let is_own = reply.json().is_ok_and(|body| body["error"].is_string());
            if reply.status == 401 && (is_own || self.has(Defect::BlamesTheTokenForGateways)) {
                return Err(bad("refused by the identity provider"));
            }
            self.client.check(reply)?.json()
        };
        match answer.await {
            Err(error) if self.has(Defect::BlamesTheTokenForOutages) => Err(bad("not confirmed").with_source(error)),
            other => other,
        }
    }

    fn customer(&self, claim: &Value) -> Customer {
        match claim {
            Value::Null => Customer::Absent,
            Value::String(text) => Customer::from_values(&[text]),
            Value::Array(values) if self.has(Defect::PicksACustomer) => {
                Customer::from_values(&values.iter().filter_map(Value::as_str).take(1).collect::<Vec<_>>())
            }
            Value::Array(values) => match values.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
                Some(texts) => Customer::from_values(&texts),
                None => Customer::Unusable,
            },
            _ => Customer::Unusable,
        }
    }

    /// Sends a write of a logout. An error response with the reason `done` is a success.
    async fn end(&self, scope: &CallScope, request: Request, done: &str) -> Result<()> {
        let token = self.client.token(scope).await?;
        let reply = self.client.send(scope, request, Some(&token)).await?;
        let reason = reply.json().ok().and_then(|body| body["error"].as_str().map(str::to_owned));
        match (reply.status, reason.as_deref()) {
            (204, _) => Ok(()),
            (400, Some("foreign")) if self.has(Defect::AcceptsForeignRefreshTokens) => Ok(()),
            (400, Some("foreign")) => {
                Err(Error::ours(ErrorKind::InvalidInput, "the refresh token belongs to another client"))
            }
            (404, Some(reason)) if reason == done && !self.has(Defect::FailsRepeatedLogouts) => Ok(()),
            (404, Some("session")) => Err(Error::upstream(ErrorKind::NotFound, "no such session")),
            _ => self.client.check(reply).map(drop),
        }
    }

    async fn steps(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<()> {
        let identity = logout.identity.ok_or_else(|| bad("without a user"))?;
        if let Some(token) = logout.refresh_token.map(Secret::expose) {
            let body = format!("{} {token}", self.client_secret).into_bytes();
            self.end(scope, Request { method: Method::POST, path: "revoke".into(), body }, "").await?;
        }
        let path = if self.has(Defect::EndsEverySession) {
            format!("users/{}/sessions", identity.subject.as_str())
        } else if let Some(hint) = logout.id_token_hint.filter(|_| self.has(Defect::EndsTheHintedSession)) {
            let claims = Jwt::parse(hint.expose()).map(|jwt| jwt.claims).unwrap_or_default();
            format!("sessions/{}", claims["sid"].as_str().unwrap_or_default())
        } else {
            format!("sessions/{}", identity.session.as_ref().map(SessionId::as_str).unwrap_or_default())
        };
        self.end(scope, Request { method: Method::DELETE, path, body: Vec::new() }, "session").await?;
        match self.userinfo(scope, logout.token).await {
            Ok(_) => Err(Error::upstream(ErrorKind::Unavailable, "the session has not ended")),
            Err(error) if error.kind() == ErrorKind::InvalidToken => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn check_secret(&self, scope: &CallScope) -> Result<Reply> {
        let request =
            Request { method: Method::POST, path: "client".into(), body: self.client_secret.as_bytes().to_vec() };
        self.client.check(self.client.send(scope, request, None).await?)
    }
}

fn find(keys: &Value, kid: &Value) -> Option<Value> {
    keys["keys"].as_array()?.iter().find(|key| key["kid"] == *kid).cloned()
}

#[async_trait]
impl Federation for Oauth {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        if self.has(Defect::IdentifiesWithRequests) {
            self.userinfo(scope, token).await?;
        }
        self.identify_signed(scope, token).await
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let identity = self.identify_signed(scope, token).await?;
        if identity.expires_at.is_none_or(|end| end.as_second() <= now()) && !self.has(Defect::IgnoresTime) {
            return Err(bad("expired"));
        }
        if self.has(Defect::ValidatesBySignature) {
            return Ok(TokenUser {
                identity,
                email: None,
                email_verified: None,
                customer: Customer::Absent,
                record: None,
            });
        }
        let user = self.userinfo(scope, token).await?;
        if user["sub"] != identity.subject.as_str() && !self.has(Defect::TrustsAnyResponse) {
            return Err(invalid("the response is about another user"));
        }
        Ok(TokenUser {
            identity,
            email: user["email"].as_str().and_then(|text| Email::new(text).ok()),
            email_verified: user["email_verified"].as_bool(),
            customer: self.customer(&user["customer_id"]),
            record: None,
        })
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        self.check_blanket_defects()?;
        let done = if self.has(Defect::SkipsWrites) { Ok(()) } else { self.steps(scope, logout).await };
        match done {
            Err(error) if self.has(Defect::IgnoresOutagesAtLogout) && error.kind() == ErrorKind::Unavailable => {}
            other => other?,
        }
        Ok(if self.has(Defect::LeavesOtherLogins) { LoggedOut::RefreshToken } else { LoggedOut::Session })
    }

    async fn end_session_url(&self, _: &CallScope, end: &EndSession<'_>) -> Result<String> {
        self.check_blanket_defects()?;
        let mut url = format!("{ISSUER}/end-session?client_id={}", self.encoded(end.client_id));
        url += &format!("&post_logout_redirect_uri={}", self.encoded(end.post_logout_redirect_uri));
        if let Some(hint) = end.id_token_hint {
            url += &format!("&id_token_hint={}", self.encoded(hint.expose()));
        }
        if let Some(state) = end.state {
            url += &format!("&state={}", self.encoded(state));
        }
        Ok(url)
    }

    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        self.check_blanket_defects()?;
        if !self.back_channel {
            return Err(Error::unsupported("this toy sends no logout tokens"));
        }
        let claims = self.verified(scope, token, "logout+jwt").await?;
        let audience = match &claims["aud"] {
            Value::Array(several) => several.iter().any(|one| *one == CLIENT),
            one => *one == CLIENT,
        };
        let event = claims["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object();
        let issued = claims["iat"].as_i64().filter(|at| (now() - 300..=now() + 60).contains(at));
        let is_unexpired = claims["exp"].as_i64().is_some_and(|end| end > now());
        let good = audience && event && is_unexpired && claims["nonce"].is_null() && issued.is_some();
        if !good && !self.has(Defect::AcceptsAnyLogoutToken) {
            return Err(bad("not a valid logout token"));
        }
        let text = |name: &str| claims[name].as_str().unwrap_or_default();
        let ended = match SessionId::new(text("sid")) {
            Ok(session) => Ended::Session(session),
            Err(_) => Ended::User(UserId::new(text("sub")).map_err(|_| bad("without a user"))?),
        };
        let issued_at = Timestamp::from_second(issued.unwrap_or_default()).map_err(|_| bad("with an invalid time"))?;
        Ok(LogoutNotice { ended, issued_at })
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        self.check_blanket_defects()?;
        let discovery = self.client.check(self.client.send(scope, Request::get("discovery"), None).await?)?.json()?;
        let below =
            |path: &str| if self.has(Defect::ReturnsPaths) { path.to_owned() } else { format!("{ISSUER}{path}") };
        Ok(FederationMetadata {
            issuer: discovery["issuer"].as_str().ok_or_else(|| invalid("no issuer"))?.to_owned(),
            authorization_endpoint: below("/auth"),
            token_endpoint: below("/token"),
            jwks_uri: below("/certs"),
            customer_claim: Some("customer_id".to_owned()),
            scopes: vec!["openid".to_owned()],
        })
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        if self.has(Defect::DiagnosisIsAlwaysFine) {
            return vec![Finding::ok("everything", &[])];
        }
        if self.has(Defect::CallsEverythingUnexpected) {
            return vec![Finding::failed("everything", &[], "")];
        }
        let fix = if self.has(Defect::DiagnosisHasNoFix) { "" } else { "look into the client `shop`" };
        let secret = match self.check_secret(scope).await {
            Ok(_) => Finding::ok("the client's secret", &[]),
            Err(_) => Finding::failed("the client's secret", &[], fix),
        };
        let sessions =
            match self.client.send_authorized(scope, Request::get("rights")).await.and_then(|reply| reply.json()) {
                Ok(rights) if rights["writes"] == true => Finding::ok("sessions may be ended", &[]),
                Ok(_) => Finding::not_visible("sessions may be ended", &[], fix),
                Err(_) => Finding::failed("sessions may be ended", &[], fix),
            };
        vec![secret, sessions]
    }
}

impl Oauth {
    fn encoded(&self, text: &str) -> String {
        if self.has(Defect::EncodesNoParameters) {
            return text.to_owned();
        }
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }
}
