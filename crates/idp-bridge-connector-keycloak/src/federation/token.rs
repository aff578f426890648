//! Checks the claims of Keycloak's tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_core::{
    Email, Error, ErrorKind, FederationSettings, Result, Secret, SessionId, TokenIdentity, TokenUser, UserId,
};
use idp_bridge_http::oidc::Claims;

/// A person's access token with a verified signature. A lightweight token has no subject.
pub(super) struct VerifiedToken {
    claims: Claims,
    client: String,
    session: SessionId,
    subject: Option<UserId>,
}

impl VerifiedToken {
    /// Checks that the claims are those of an access token that was issued to a person and to one of the tenant's clients.
    pub(super) fn from_claims(claims: Claims, settings: &FederationSettings) -> Result<Self> {
        claims.check_unbound()?;
        // ID tokens have this key and header, too. Only this claim distinguishes them.
        if claims.text("typ") != Some("Bearer") {
            return Err(Error::invalid_token("the token is not an access token"));
        }
        let client = claims.check_client(|client| settings.client(client).is_some())?.to_owned();
        if is_issued_to_client_itself(&claims, grant(&claims)) {
            return Err(Error::invalid_token("the token was issued to a client for itself"));
        }
        let session = claims.text("sid").and_then(|sid| SessionId::new(sid).ok());
        let session = session.ok_or_else(|| Error::invalid_token("the token has no valid session"))?;
        let subject = match claims.text("sub") {
            None if claims.has("sub") => return Err(Error::invalid_token("the token's subject is not a text")),
            None => None,
            Some(sub) => {
                Some(UserId::new(sub).map_err(|_| Error::invalid_token("the token's subject is not a valid id"))?)
            }
        };
        Ok(Self { claims, client, session, subject })
    }

    /// Returns whether the audience contains this client.
    pub(super) fn has_audience(&self, client: &str) -> bool {
        self.claims.audience().contains(&client)
    }

    /// Returns whether Keycloak's userinfo accepts such tokens: not lightweight ones, nor those without the scope `openid`.
    pub(super) fn is_accepted_by_userinfo(&self) -> bool {
        self.subject.is_some() && self.claims.words("scope").contains(&"openid")
    }

    /// Returns the identity, if the token contains a subject.
    pub(super) fn identity(&self) -> Option<TokenIdentity> {
        self.subject.clone().map(|subject| self.identity_with(subject))
    }

    fn identity_with(&self, subject: UserId) -> TokenIdentity {
        TokenIdentity {
            subject,
            client: Some(self.client.clone()),
            session: Some(self.session.clone()),
            issued_at: self.claims.timestamp("iat"),
            expires_at: self.claims.timestamp("exp"),
        }
    }

    /// Returns the user from the response of userinfo or introspection. Fails if the response is about another token.
    pub(super) fn user(&self, response: &Claims, customer_claim: &str) -> Result<TokenUser> {
        if is_issued_to_client_itself(response, grant(&self.claims).or_else(|| grant(response))) {
            return Err(Error::invalid_token("the token was issued to a client for itself"));
        }
        let subject = response.text("sub").and_then(|sub| UserId::new(sub).ok());
        let subject = subject.ok_or_else(|| invalid("keycloak's response has no valid subject"))?;
        let differs = |name: &str, own: &str| response.get(name).is_some_and(|value| value.as_str() != Some(own));
        if self.subject.as_ref().is_some_and(|own| *own != subject) || differs("sid", self.session.as_str()) {
            return Err(invalid("keycloak's response is about another token"));
        }
        if differs("azp", &self.client) {
            return Err(invalid("keycloak's response is about another client's token"));
        }
        Ok(TokenUser {
            identity: self.identity_with(subject),
            email: response.text("email").and_then(|email| Email::new(email).ok()),
            email_verified: response.bool_or_string("email_verified"),
            customer: response.customer(customer_claim),
            record: None,
        })
    }
}

fn invalid(message: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, message)
}

/// Returns the code of the token's grant: the end of the prefix of its id (seen on 26.7.3, November 2026). Older versions write no
/// prefix.
fn grant(claims: &Claims) -> Option<&str> {
    let (prefix, _) = claims.text("jti")?.split_once(':')?;
    (prefix.len() == 6).then(|| prefix.get(4..)).flatten()
}

/// Returns whether the token was issued to a client for itself.
///
/// Such a token has no `sid`, except with `Use refresh tokens for client credentials grant`. No setting removes the code of the grant.
/// The name counts only without a code, because people can be called `service-account-x`.
fn is_issued_to_client_itself(claims: &Claims, grant: Option<&str>) -> bool {
    let has_name_of_service_account = || {
        let mut names = ["preferred_username", "username"].into_iter().filter_map(|name| claims.text(name));
        names.any(|name| name.starts_with("service-account-"))
    };
    grant.map_or_else(has_name_of_service_account, |grant| grant == "cc") || claims.has("clientHost")
}

/// Returns the client in a refresh token's claims, unverified: only Keycloak can verify its refresh tokens.
pub(super) fn client_of_refresh_token(token: &Secret) -> Option<String> {
    let payload = token.expose().split('.').nth(1)?;
    let claims = Claims::parse(&URL_SAFE_NO_PAD.decode(payload).ok()?)?;
    claims.text("azp").map(str::to_owned)
}

#[cfg(test)]
mod tests;
