//! The fake's sessions and their tokens.

use idp_bridge_conformance::fake::Answer;
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

use super::answer::{self, recorded};
use super::claims::Place;
use super::import::Client;
use super::realm::Realm;
use super::{Issued, World};

/// A login of a person at one client.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) sid: String,
    pub(crate) user: String,
    pub(crate) client: String,
    /// The granted scopes, separated by spaces.
    pub(crate) scope: String,
    /// Whether it is an offline session, which outlives the browser's.
    pub(crate) offline: bool,
    /// Whether its tokens are bound to a key of their sender.
    pub(crate) bound: bool,
}

/// The lifespan of refresh tokens, in seconds.
const REFRESH_LIFE: i64 = 1800;
/// The lifespan of other tokens, in seconds.
const LIFE: i64 = 300;

impl Realm {
    pub(crate) fn seconds() -> i64 {
        SystemClock.now().as_second()
    }

    /// Returns the session of an active token, or the reason of the refusal.
    pub(crate) fn session_of(&self, claims: &Value) -> Result<Session, &'static str> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if claims.get("exp").and_then(Value::as_i64).is_none_or(|exp| exp <= Self::seconds()) {
            return Err("Token verification failed");
        }
        let offline = text("jti").is_some_and(|jti| jti.starts_with("of"));
        let session = match text("sid") {
            Some(sid) => self.sessions.iter().find(|own| own.sid == sid && own.offline == offline).cloned(),
            // A client's own token has no session.
            None => Some(Session {
                sid: String::new(),
                user: text("sub").unwrap_or_default().into(),
                client: text("azp").unwrap_or_default().into(),
                scope: text("scope").unwrap_or_default().into(),
                offline: false,
                bound: false,
            }),
        };
        let session = session.ok_or("user_session_not_found")?;
        let user = self.user(&session.user).ok_or("user_session_not_found")?;
        let client = self.client(&session.client).ok_or("user_session_not_found")?;
        match (user.enabled, client.enabled == Some(true)) {
            (false, _) => Err("User disabled"),
            (_, false) => Err("Client disabled"),
            _ => Ok(session),
        }
    }

    /// Ends the online or offline sessions with this id. `None` if there is none.
    pub(crate) fn end(&mut self, sid: &str, offline: bool) -> Option<()> {
        let matches = |session: &Session| session.sid == sid && session.offline == offline;
        let ended = self.sessions.iter().find(|session| matches(session)).cloned()?;
        self.sessions.retain(|session| !matches(session));
        let has_back_channel = |client: &&Client| client.attributes.contains_key("backchannel.logout.url");
        if let (Some(client), Some(key)) = (self.client(&ended.client).filter(has_back_channel), self.keys.first()) {
            let now = Self::seconds();
            let claims = json!({
                "iss": self.issuer(), "aud": client.client_id, "sub": ended.user, "sid": ended.sid, "iat": now,
                "exp": now + 120, "jti": format!("logout-{}", ended.sid), "typ": "Logout",
                "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            });
            self.logout_tokens.extend(key.sign(&key.header("logout+jwt"), &claims).ok());
        }
        Some(())
    }

    /// Returns the claims of a token that a client gets for itself.
    pub(crate) fn own_claims(&self, client: &Client, scope: &str) -> Option<Map<String, Value>> {
        let own = self.users.iter().find(|user| user.service_account_of.as_ref() == Some(&client.client_id))?;
        let session = Session {
            sid: String::new(),
            user: own.id.clone(),
            client: client.client_id.clone(),
            scope: scope.into(),
            offline: false,
            bound: false,
        };
        let mut claims = self.session_claims(&session, "Bearer", LIFE);
        claims.remove("sid");
        claims.extend(self.user_claims(&session, Place::AccessToken));
        claims.insert("clientHost".into(), json!("127.0.0.1"));
        claims.insert("client_id".into(), json!(client.client_id));
        Some(claims)
    }
}

impl World {
    /// Signs a token and stores it.
    pub(super) fn issue(&mut self, realm: &str, kind: &str, mut claims: Map<String, Value>) -> Result<String, Answer> {
        self.issued += 1;
        claims.insert("jti".into(), json!(format!("{kind}:fa4e-{}", self.issued)));
        let Some(own) = self.realms.get(realm) else { return Err(recorded("realm unknown")) };
        let is_refresh = claims.get("typ").is_some_and(|kind| kind == "Refresh" || kind == "Offline");
        let claims = Value::Object(claims);
        let token = match own.keys.first() {
            // Keycloak publishes no key for its refresh tokens.
            Some(key) if is_refresh => key.sign(&json!({"alg": "HS512", "typ": "JWT", "kid": "its-own"}), &claims).ok(),
            Some(key) => key.sign(&key.header("JWT"), &claims).ok(),
            None => None,
        };
        let token = token.ok_or_else(|| recorded("internal error"))?;
        self.tokens.insert(token.clone(), Issued { realm: realm.into(), claims });
        Ok(token)
    }

    /// Issues the tokens of a session as a response of the token endpoint.
    pub(super) fn tokens_of(&mut self, realm: &str, session: &Session) -> Result<Answer, Answer> {
        let Some(own) = self.realms.get(realm) else { return Err(recorded("realm unknown")) };
        let Some(client) = own.client(&session.client) else { return Err(recorded("internal error")) };
        let life = client.attributes.get("access.token.lifespan").and_then(|text| text.parse().ok()).unwrap_or(LIFE);
        let (place, weight) =
            if client.is_lightweight() { (Place::LightweightToken, "lt") } else { (Place::AccessToken, "rt") };
        let kind = if session.bound { "DPoP" } else { "Bearer" };
        let mut access = own.session_claims(session, kind, life);
        access.extend(own.user_claims(session, place));
        if session.bound {
            access.insert("cnf".into(), json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}));
        }
        let (refresh_kind, lasting) = if session.offline { ("Offline", "of") } else { ("Refresh", "on") };
        let mut refresh = own.session_claims(session, refresh_kind, REFRESH_LIFE);
        refresh.insert("sub".into(), json!(session.user));
        refresh.insert("aud".into(), json!(own.issuer()));
        let mut id = own.session_claims(session, "ID", life);
        id.remove("scope");
        id.extend(own.user_claims(session, Place::Userinfo));
        id.insert("aud".into(), json!(session.client));

        let mut answer = json!({
            "access_token": self.issue(realm, &format!("{lasting}{weight}ro"), access)?, "expires_in": life,
            "refresh_token": self.issue(realm, "re", refresh)?,
            "refresh_expires_in": if session.offline { 0 } else { REFRESH_LIFE },
            "token_type": kind, "not-before-policy": 0, "session_state": session.sid, "scope": session.scope,
        });
        if session.has("openid") {
            super::realm::put(&mut answer, "id_token", json!(self.issue(realm, "id", id)?));
        }
        Ok(answer::ok(&answer))
    }
}

impl Session {
    /// Returns whether this scope was granted.
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|own| own == scope)
    }
}
