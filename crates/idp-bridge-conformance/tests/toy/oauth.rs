//! The OAuth side of the toy's provider: every promise kept, unless it sins.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    AccessToken, CallScope, Clock as _, Customer, Email, EndSession, Ended, Error, ErrorKind, Federation,
    FederationMetadata, Finding, LoggedOut, Logout, LogoutNotice, Result, Secret, SessionId, SystemClock,
    TokenIdentity, TokenUser, UserId, async_trait,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Sin;
use super::client::{Ask, Client, Reply, invalid};
use super::jwt::Jwt;
use super::sessions::{CLIENT, ISSUER};

/// As long as an expired token is told.
const DAY: i64 = 24 * 3600;

/// The OAuth side of a provider for the toy.
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
    fn sins(&self, sin: Sin) -> bool {
        self.client.sins(sin)
    }

    /// The key of this id, asked for if it is not known.
    async fn key(&self, scope: &CallScope, kid: &Value) -> Result<Value> {
        let known = self.keys.lock().unwrap().clone().and_then(|keys| find(&keys, kid));
        if let Some(key) = known {
            return Ok(key);
        }
        let keys = self.client.judge(self.client.send(scope, Ask::get("certs"), None).await?)?.json()?;
        if !keys["keys"].is_array() {
            return Err(invalid("the answer holds no keys"));
        }
        *self.keys.lock().unwrap() = Some(keys.clone());
        find(&keys, kid).ok_or_else(|| bad("of an unknown key"))
    }

    /// The claims of a token of this type, if it was signed by the identity provider.
    async fn verified(&self, scope: &CallScope, token: &AccessToken, kind: &str) -> Result<Value> {
        let jwt = Jwt::read(token.expose()).ok_or_else(|| bad("no token"))?;
        let algorithm = jwt.header["alg"].as_str().unwrap_or_default();
        let believed = match algorithm {
            _ if self.sins(Sin::SkipsSignatures) => true,
            "none" if self.sins(Sin::TakesUnsigned) => true,
            "HS256" if self.sins(Sin::TakesHmacs) => {
                let key = self.key(scope, &jwt.header["kid"]).await?;
                let secret = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap_or_default()).unwrap();
                let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
                aws_lc_rs::hmac::verify(&secret, jwt.input.as_bytes(), &jwt.signature).is_ok()
            }
            "RS256" if self.sins(Sin::TakesTheTokensKey) && jwt.header["jwk"].is_object() => {
                jwt.is_signed_with(&jwt.header["jwk"])
            }
            "RS256" => {
                self.follow(&jwt.header).await;
                jwt.is_signed_with(&self.key(scope, &jwt.header["kid"]).await?)
            }
            _ => false,
        };
        if !believed || !jwt.header["crit"].is_null() || !jwt.claims.is_object() {
            return Err(bad("not signed by the identity provider"));
        }
        if jwt.header["typ"] != kind && !self.sins(Sin::TakesAnyKind) {
            return Err(bad("of another kind"));
        }
        if jwt.claims["iss"] != ISSUER && !self.sins(Sin::TakesAnyIssuer) {
            return Err(bad("of another issuer"));
        }
        Ok(jwt.claims)
    }

    /// Asks where the token says that its key is.
    async fn follow(&self, header: &Value) {
        let address = header["jku"].as_str().and_then(|address| address.strip_prefix("http://"));
        if let Some((authority, _)) = address.and_then(|address| address.split_once('/'))
            && self.sins(Sin::FollowsKeyAddresses)
        {
            let _ = self.client.visit(authority).await;
        }
    }

    async fn told(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        self.without_reason()?;
        let claims = self.verified(scope, token, "at+jwt").await?;
        let other_client = claims["azp"] != CLIENT && !self.sins(Sin::TakesAnyClient);
        let bound = !claims["cnf"].is_null() && !self.sins(Sin::TakesBoundTokens);
        let service = claims["service"] == true && !self.sins(Sin::FindsServiceAccounts);
        let early = !claims["nbf"].is_null() && claims["nbf"].as_i64().is_none_or(|from| from > now());
        let early = early && !self.sins(Sin::IgnoresTime);
        let end = claims["exp"].as_i64().filter(|end| *end > now() - DAY || self.sins(Sin::IgnoresTime));
        let (Some(end), false) = (end, other_client || bound || service || early) else {
            return Err(bad("not meant for the bridge"));
        };
        let time = |second: i64| Timestamp::from_second(second).ok();
        Ok(TokenIdentity {
            subject: claims["sub"].as_str().and_then(|id| UserId::new(id).ok()).ok_or_else(|| bad("of nobody"))?,
            client: claims["azp"].as_str().map(str::to_owned),
            session: claims["sid"].as_str().and_then(|id| SessionId::new(id).ok()),
            issued_at: claims["iat"].as_i64().and_then(time),
            expires_at: time(end),
        })
    }

    fn without_reason(&self) -> Result<()> {
        assert!(!self.sins(Sin::Panics), "this provider panics");
        if self.sins(Sin::CallsEverythingUnexpected) {
            return Err(Error::ours(ErrorKind::Unexpected, "something went wrong"));
        }
        Ok(())
    }

    /// What userinfo says of a token; a refusal of it is the token's fault.
    async fn userinfo(&self, scope: &CallScope, token: &AccessToken) -> Result<Value> {
        let answer = async {
            let reply = self.client.send(scope, Ask::get("userinfo"), Some(token.expose())).await?;
            let is_own = reply.json().is_ok_and(|body| body["error"].is_string());
            if reply.status == 401 && (is_own || self.sins(Sin::BlamesTheTokenForGateways)) {
                return Err(bad("refused by the identity provider"));
            }
            self.client.judge(reply)?.json()
        };
        match answer.await {
            Err(error) if self.sins(Sin::BlamesTheTokenForOutages) => Err(bad("not confirmed").with_source(error)),
            other => other,
        }
    }

    fn customer(&self, claim: &Value) -> Customer {
        match claim {
            Value::Null => Customer::Absent,
            Value::String(text) => Customer::from_values(&[text]),
            Value::Array(values) if self.sins(Sin::PicksACustomer) => {
                Customer::from_values(&values.iter().filter_map(Value::as_str).take(1).collect::<Vec<_>>())
            }
            Value::Array(values) => match values.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
                Some(texts) => Customer::from_values(&texts),
                None => Customer::Unusable,
            },
            _ => Customer::Unusable,
        }
    }

    /// Asks for a write, and takes also an answer of these reasons for done.
    async fn end(&self, scope: &CallScope, ask: Ask, done: &str) -> Result<()> {
        let token = self.client.token(scope).await?;
        let reply = self.client.send(scope, ask, Some(&token)).await?;
        let reason = reply.json().ok().and_then(|body| body["error"].as_str().map(str::to_owned));
        match (reply.status, reason.as_deref()) {
            (204, _) => Ok(()),
            (400, Some("foreign")) if self.sins(Sin::TakesForeignRefreshTokens) => Ok(()),
            (400, Some("foreign")) => {
                Err(Error::ours(ErrorKind::InvalidInput, "the refresh token belongs to another client"))
            }
            (404, Some(reason)) if reason == done && !self.sins(Sin::StumblesOverRepetitions) => Ok(()),
            (404, Some("session")) => Err(Error::upstream(ErrorKind::NotFound, "no such session")),
            _ => self.client.judge(reply).map(drop),
        }
    }

    async fn steps(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<()> {
        let identity = logout.identity.ok_or_else(|| bad("of nobody"))?;
        if let Some(token) = logout.refresh_token.map(Secret::expose) {
            let body = format!("{} {token}", self.client_secret).into_bytes();
            self.end(scope, Ask { method: Method::POST, path: "revoke".into(), body }, "").await?;
        }
        let path = if self.sins(Sin::EndsEverySession) {
            format!("users/{}/sessions", identity.subject.as_str())
        } else if let Some(hint) = logout.id_token_hint.filter(|_| self.sins(Sin::EndsTheHintedSession)) {
            let claims = Jwt::read(hint.expose()).map(|jwt| jwt.claims).unwrap_or_default();
            format!("sessions/{}", claims["sid"].as_str().unwrap_or_default())
        } else {
            format!("sessions/{}", identity.session.as_ref().map(SessionId::as_str).unwrap_or_default())
        };
        self.end(scope, Ask { method: Method::DELETE, path, body: Vec::new() }, "session").await?;
        match self.userinfo(scope, logout.token).await {
            Ok(_) => Err(Error::upstream(ErrorKind::Unavailable, "the session has not ended")),
            Err(error) if error.kind() == ErrorKind::InvalidToken => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn secret_is_right(&self, scope: &CallScope) -> Result<Reply> {
        let ask = Ask { method: Method::POST, path: "client".into(), body: self.client_secret.as_bytes().to_vec() };
        self.client.judge(self.client.send(scope, ask, None).await?)
    }
}

fn find(keys: &Value, kid: &Value) -> Option<Value> {
    keys["keys"].as_array()?.iter().find(|key| key["kid"] == *kid).cloned()
}

#[async_trait]
impl Federation for Oauth {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        if self.sins(Sin::AsksToIdentify) {
            self.userinfo(scope, token).await?;
        }
        self.told(scope, token).await
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let identity = self.told(scope, token).await?;
        if identity.expires_at.is_none_or(|end| end.as_second() <= now()) && !self.sins(Sin::IgnoresTime) {
            return Err(bad("expired"));
        }
        if self.sins(Sin::ValidatesBySignature) {
            return Ok(TokenUser {
                identity,
                email: None,
                email_verified: None,
                customer: Customer::Absent,
                record: None,
            });
        }
        let user = self.userinfo(scope, token).await?;
        if user["sub"] != identity.subject.as_str() && !self.sins(Sin::TrustsAnyAnswer) {
            return Err(invalid("the answer is about another user"));
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
        self.without_reason()?;
        let done = if self.sins(Sin::ClaimsWithoutDoing) { Ok(()) } else { self.steps(scope, logout).await };
        match done {
            Err(error) if self.sins(Sin::TakesOutageForDone) && error.kind() == ErrorKind::Unavailable => {}
            other => other?,
        }
        Ok(if self.sins(Sin::ForgetsOtherLogins) { LoggedOut::RefreshToken } else { LoggedOut::Session })
    }

    async fn end_session_url(&self, _: &CallScope, end: &EndSession<'_>) -> Result<String> {
        self.without_reason()?;
        let mut url = format!("{ISSUER}/end?client_id={}", self.encoded(end.client_id));
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
        self.without_reason()?;
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
        let lives = claims["exp"].as_i64().is_some_and(|end| end > now());
        let good = audience && event && lives && claims["nonce"].is_null() && issued.is_some();
        if !good && !self.sins(Sin::TakesAnyLogoutToken) {
            return Err(bad("no good logout token"));
        }
        let text = |name: &str| claims[name].as_str().unwrap_or_default();
        let ended = match SessionId::new(text("sid")) {
            Ok(session) => Ended::Session(session),
            Err(_) => Ended::User(UserId::new(text("sub")).map_err(|_| bad("of nobody"))?),
        };
        let issued_at = Timestamp::from_second(issued.unwrap_or_default()).map_err(|_| bad("at no time"))?;
        Ok(LogoutNotice { ended, issued_at })
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        self.without_reason()?;
        let discovery = self.client.judge(self.client.send(scope, Ask::get("discovery"), None).await?)?.json()?;
        let below = |path: &str| if self.sins(Sin::TellsPaths) { path.to_owned() } else { format!("{ISSUER}{path}") };
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
        if self.sins(Sin::DiagnosisIsAlwaysFine) {
            return vec![Finding::ok("everything", &[])];
        }
        if self.sins(Sin::CallsEverythingUnexpected) {
            return vec![Finding::failed("everything", &[], "")];
        }
        let fix = if self.sins(Sin::DiagnosisHasNoFix) { "" } else { "look into the client `shop`" };
        let secret = match self.secret_is_right(scope).await {
            Ok(_) => Finding::ok("the client's secret", &[]),
            Err(_) => Finding::failed("the client's secret", &[], fix),
        };
        let sessions = match self.client.ask(scope, Ask::get("rights")).await.and_then(|reply| reply.json()) {
            Ok(rights) if rights["writes"] == true => Finding::ok("sessions may be ended", &[]),
            Ok(_) => Finding::not_visible("sessions may be ended", &[], fix),
            Err(_) => Finding::failed("sessions may be ended", &[], fix),
        };
        vec![secret, sessions]
    }
}

impl Oauth {
    fn encoded(&self, text: &str) -> String {
        if self.sins(Sin::HandsThroughRaw) {
            return text.to_owned();
        }
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }
}
