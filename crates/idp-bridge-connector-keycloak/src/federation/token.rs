//! What Keycloak's tokens say, and which of them are no access tokens of a person.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::{
    Email, Error, ErrorKind, FederationSettings, Result, Secret, SessionId, TokenIdentity, TokenUser, UserId,
};
use idp_bridge_http::oidc::Claims;

/// What a token proves by its signature: its client and its login, and its user unless it is a lightweight one.
pub(super) struct Proven {
    claims: Claims,
    client: String,
    session: SessionId,
    subject: Option<UserId>,
}

impl Proven {
    /// Takes the claims of a verified token, if it is an access token that a person got with one of the tenant's clients.
    pub(super) fn of(claims: Claims, settings: &FederationSettings) -> Result<Self> {
        claims.refuse_bound()?;
        // Keycloak signs ID tokens with the same key and the same header, and tells them apart by this claim.
        if claims.text("typ") != Some("Bearer") {
            return Err(Error::invalid_token("the token is none for access"));
        }
        let client = claims.issued_to(|client| settings.client(client).is_some())?.to_owned();
        if is_of_client(&claims, grant(&claims)) {
            return Err(Error::invalid_token("a client got the token for itself"));
        }
        let session = claims.text("sid").and_then(|sid| SessionId::new(sid).ok());
        let session = session.ok_or_else(|| Error::invalid_token("the token belongs to no login"))?;
        let subject = match claims.text("sub") {
            None if claims.has("sub") => return Err(Error::invalid_token("the token's user is no text")),
            None => None,
            Some(sub) => Some(UserId::new(sub).map_err(|_| Error::invalid_token("the token's user is no usable id"))?),
        };
        Ok(Self { claims, client, session, subject })
    }

    /// Whether it is meant for this client, too.
    pub(super) fn is_for(&self, client: &str) -> bool {
        self.claims.audience().contains(&client)
    }

    /// Whether Keycloak's userinfo takes such tokens: not lightweight ones, nor those without the scope `openid`.
    pub(super) fn may_ask_userinfo(&self) -> bool {
        self.subject.is_some() && self.claims.words("scope").contains(&"openid")
    }

    /// Whose it is, if it says so itself.
    pub(super) fn identity(&self) -> Option<TokenIdentity> {
        self.subject.clone().map(|subject| self.identity_of(subject))
    }

    fn identity_of(&self, subject: UserId) -> TokenIdentity {
        TokenIdentity {
            subject,
            client: Some(self.client.clone()),
            session: Some(self.session.clone()),
            issued_at: self.claims.timestamp("iat"),
            expires_at: self.claims.timestamp("exp"),
        }
    }

    /// The user, as Keycloak told of the token.
    pub(super) fn user(&self, told: &Claims, customer_claim: &str) -> Result<TokenUser> {
        if is_of_client(told, grant(&self.claims).or_else(|| grant(told))) {
            return Err(Error::invalid_token("a client got the token for itself"));
        }
        let subject = told.text("sub").and_then(|sub| UserId::new(sub).ok());
        let subject = subject.ok_or_else(|| invalid("keycloak does not say whose token it is"))?;
        let is_other = |name: &str, own: &str| told.get(name).is_some_and(|value| value.as_str() != Some(own));
        if self.subject.as_ref().is_some_and(|own| *own != subject) || is_other("sid", self.session.as_str()) {
            return Err(invalid("keycloak told of another token"));
        }
        if is_other("azp", &self.client) {
            return Err(invalid("keycloak told of another client's token"));
        }
        Ok(TokenUser {
            identity: self.identity_of(subject),
            email: told.text("email").and_then(|email| Email::new(email).ok()),
            email_verified: told.bool_or_string("email_verified"),
            customer: told.customer(customer_claim),
            record: None,
        })
    }
}

fn invalid(message: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, message)
}

/// The code of the grant that a token came by, at the end of the prefix of its id (seen on 26.7.3, November 2026). Older versions
/// write no prefix.
fn grant(claims: &Claims) -> Option<&str> {
    let (prefix, _) = claims.text("jti")?.split_once(':')?;
    (prefix.len() == 6).then(|| prefix.get(4..)).flatten()
}

/// Whether a client got the token for itself.
///
/// Mostly there is no `sid` then, but with `Use refresh tokens for client credentials grant` there is one. The code of the grant cannot
/// be taken away. A name proves nothing beside it, since people can be called `service-account-x`.
fn is_of_client(claims: &Claims, grant: Option<&str>) -> bool {
    let is_named_so = || {
        let mut names = ["preferred_username", "username"].into_iter().filter_map(|name| claims.text(name));
        names.any(|name| name.starts_with("service-account-"))
    };
    grant.map_or_else(is_named_so, |grant| grant == "cc") || claims.has("clientHost")
}

/// The client that a refresh token says it was issued to. Nothing proves it: only Keycloak can verify its refresh tokens.
pub(super) fn client_of_refresh_token(token: &Secret) -> Option<String> {
    let payload = token.expose().split('.').nth(1)?;
    let claims = Claims::parse(&URL_SAFE_NO_PAD.decode(payload).ok()?)?;
    claims.text("azp").map(str::to_owned)
}

#[cfg(test)]
mod tests;
