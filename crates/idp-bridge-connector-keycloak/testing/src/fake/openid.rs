//! The fake's public endpoints, except the token endpoint.

use idp_bridge_conformance::fake::{Answer, Incoming, jwks};
use idp_bridge_http::{Method, Url};
use serde_json::{Value, json};

use super::answer::{self, recorded};
use super::claims::Place;
use super::import::Client;
use super::realm::{Realm, put};
use super::session::Session;
use super::{Issued, World};
use super::{body, form, parameters};

impl World {
    pub(super) fn openid(&mut self, realm: &str, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        let Some(own) = self.realms.get(realm) else { return Err(recorded("realm unknown")) };
        match (&request.method, path) {
            (&Method::GET, [".well-known", "openid-configuration"]) => Ok(answer::ok(&own.discovery())),
            (_, ["protocol", "openid-connect", "token"]) => self.token(realm, request),
            (&Method::GET, ["protocol", "openid-connect", "certs"]) => Ok(answer::ok(&jwks(&own.keys))),
            (_, ["account"]) => self.account(realm, request),
            (&Method::GET, ["protocol", "openid-connect", "userinfo"]) => self.userinfo(realm, request),
            (&Method::POST, ["protocol", "openid-connect", "token", "introspect"]) => self.introspect(realm, request),
            (&Method::POST, ["protocol", "openid-connect", "logout"]) => self.log_out(realm, request),
            (&Method::GET, ["protocol", "openid-connect", "logout"]) => self.end_session(realm, request),
            _ => Err(recorded("not found")),
        }
    }

    /// Returns the access token of this realm, active or not.
    fn access_token(&self, realm: &str, token: &str) -> Option<&Issued> {
        self.tokens.get(token).filter(|issued| issued.realm == realm && issued.text("typ") == "Bearer")
    }

    /// Reads or changes the caller's own account, for the account console.
    fn account(&mut self, realm: &str, request: &Incoming) -> Result<Answer, Answer> {
        parameters(request, &["userProfileMetadata"])?;
        let issued = request.bearer().and_then(|token| self.access_token(realm, token)).cloned();
        let claims = issued.ok_or_else(|| recorded("unauthorized"))?.claims;
        let own = self.enabled(realm)?;
        let id = own.session_of(&claims).map_err(|_| recorded("unauthorized"))?.user;
        match request.method {
            Method::GET => own.account(&id),
            Method::POST => own.edit_account(&id, body(request, "UserRepresentation")?),
            _ => Err(recorded("method not allowed")),
        }
    }

    fn userinfo(&self, realm: &str, request: &Incoming) -> Result<Answer, Answer> {
        parameters(request, &[])?;
        let Some(own) = self.realms.get(realm) else { return Err(recorded("realm unknown")) };
        let Some(token) = request.bearer() else { return Err(answer::challenge(401, realm, None)) };
        let invalid = |why| answer::challenge(401, realm, Some(("invalid_token", why)));
        let issued = self.access_token(realm, token).ok_or_else(|| invalid("Token verification failed"))?;
        let session = own.session_of(&issued.claims).map_err(invalid)?;
        if !session.has("openid") {
            return Err(answer::challenge(403, realm, Some(("insufficient_scope", "Missing openid scope"))));
        }
        if issued.text("jti").get(2..4) == Some("lt") {
            return Err(invalid("Lightweight access token not allowed for userinfo endpoint"));
        }
        Ok(answer::ok(&Value::Object(own.user_claims(&session, Place::Userinfo))))
    }

    fn introspect(&mut self, realm: &str, request: &Incoming) -> Result<Answer, Answer> {
        let form = form(request)?;
        let own = self.enabled(realm)?;
        let client = own.authenticate(&form).map_err(|_| recorded("introspection unauthenticated"))?;
        if client.public_client {
            return Err(recorded("introspection by public client"));
        }
        let caller = client.client_id;
        let Some(token) = form.get("token") else {
            return Err(recorded("introspection without token"));
        };
        let claims = self.access_token(realm, token).and_then(|issued| {
            let own = self.realms.get(realm)?;
            let session = own.session_of(&issued.claims).ok()?;
            own.introspected_claims(&caller, &session, &issued.claims)
        });
        Ok(answer::ok(&claims.unwrap_or_else(|| json!({"active": false}))))
    }

    /// Ends the session of a refresh token.
    fn log_out(&mut self, realm: &str, request: &Incoming) -> Result<Answer, Answer> {
        parameters(request, &[])?;
        let form = form(request)?;
        let client = self.enabled(realm)?.authenticate(&form)?.client_id;
        let Some(token) = form.get("refresh_token") else {
            return Err(answer::stricter_than_keycloak("a logout by POST needs a refresh token"));
        };
        let claims = self.refresh_token(realm, &client, token)?;
        let sid = claims.get("sid").and_then(Value::as_str).unwrap_or_default();
        self.enabled(realm)?.end(sid, claims.get("typ").is_some_and(|kind| kind == "Offline"));
        Ok(Answer::empty(204))
    }

    /// Ends the session of a browser and redirects it.
    fn end_session(&mut self, realm: &str, request: &Incoming) -> Result<Answer, Answer> {
        let query = parameters(request, &["id_token_hint", "post_logout_redirect_uri", "client_id", "state"])?;
        let field = |name: &str| query.get(name).map(String::as_str);
        let hint = field("id_token_hint").and_then(|hint| self.tokens.get(hint)).cloned();
        let Some(hint) = hint.filter(|hint| hint.realm == realm && hint.text("typ") == "ID") else {
            return Ok(answer::page(200, "Do you want to log out?"));
        };
        let own = self.enabled(realm)?;
        let allowed =
            own.client(hint.text("azp")).and_then(|client| client.post_logout_uri(field("post_logout_redirect_uri")?));
        let Some(mut target) = allowed else { return Err(answer::page(400, "Invalid redirect uri")) };
        if let Some(state) = field("state") {
            target.query_pairs_mut().append_pair("state", state);
        }
        own.end(hint.text("sid"), false);
        Ok(answer::redirect(target.as_str()))
    }
}

impl Client {
    /// Parses the redirect URI of a logout, if it is registered.
    fn post_logout_uri(&self, uri: &str) -> Option<Url> {
        let registered = self.attributes.get("post.logout.redirect.uris")?;
        registered.split("##").find(|own| *own == uri)?;
        Url::parse(uri).ok()
    }
}

impl Realm {
    fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}/protocol/openid-connect/{path}", self.issuer());
        json!({
            "issuer": self.issuer(), "authorization_endpoint": at("auth"), "token_endpoint": at("token"),
            "introspection_endpoint": at("token/introspect"), "userinfo_endpoint": at("userinfo"),
            "end_session_endpoint": at("logout"), "revocation_endpoint": at("revoke"), "jwks_uri": at("certs"),
            "backchannel_logout_supported": true, "backchannel_logout_session_supported": true,
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        })
    }

    /// Returns the claims of a token, if the caller is in its audience.
    fn introspected_claims(&self, caller: &str, session: &Session, claims: &Value) -> Option<Value> {
        let mut introspected = claims.clone();
        let of_user = self.user_claims(session, Place::Introspection);
        let has_caller = |aud: Option<&Value>| match aud {
            Some(Value::String(own)) => own == caller,
            Some(Value::Array(all)) => all.iter().any(|own| own == caller),
            _ => false,
        };
        if !has_caller(claims.get("aud")) && !has_caller(of_user.get("aud")) {
            return None;
        }
        let username = of_user.get("preferred_username").cloned().unwrap_or_default();
        for (name, value) in of_user {
            put(&mut introspected, &name, value);
        }
        for (name, value) in [
            ("active", json!(true)),
            ("client_id", json!(session.client)),
            ("username", username),
            ("token_type", json!("Bearer")),
        ] {
            put(&mut introspected, name, value);
        }
        Some(introspected)
    }
}
