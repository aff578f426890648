//! Logins to a realm under test, and their tokens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming, SigningKey};
use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, Staged, TokenStatus, Tokens,
};
use idp_bridge_core::{
    AccessToken, Clock as _, Email, FederationSettings, IdentityProvider, OauthClient, Random as _, Secret,
    SystemClock, SystemRandom, UserId,
};
use idp_bridge_http::{HeaderName, HeaderValue, Request, Response};
use serde_json::{Value, json};

use super::{KeycloakHarness, realm, text};

/// The logout tokens that a real Keycloak sent to the back channel. The fake records its own.
#[derive(Default)]
pub(super) struct BackChannel(Vec<String>);

impl Fake for BackChannel {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let token = request.form().and_then(|mut form| form.remove("logout_token"));
        self.0.extend(token);
        Answer::empty(200)
    }
}

impl BackChannel {
    /// Returns the URL of the back channel.
    pub(super) fn url(server: &FakeServer<Self>) -> String {
        format!("{}/logout", server.url())
    }
}

/// The maximum time until Keycloak refuses a token with a lifespan of a second.
const EXPIRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the settings with the tenant's clients.
pub(super) fn settings() -> FederationSettings {
    let confidential = |id: &str| OauthClient { id: id.into(), secret: Some(Secret::new(realm::SECRET)) };
    let mut clients: Vec<OauthClient> =
        [realm::WEB, realm::BRIEF, realm::LIGHT, realm::CLAIMING].map(confidential).into();
    clients.push(OauthClient { id: realm::SPA.into(), secret: None });
    FederationSettings { clients, ..FederationSettings::default() }
}

/// Decodes a token's claims without verifying its signature.
fn claims_of(token: &str) -> Staged<Value> {
    let payload = token.split('.').nth(1).ok_or("the token has no claims")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

impl KeycloakHarness {
    /// Sends a form to one of the realm's public endpoints.
    async fn post(&self, path: &[&str], form: &[(&str, &str)]) -> Staged<Response> {
        let request = Request::post(self.administrator.public(&self.realm, path)?).read_only().form(form);
        Ok(self.administrator.send_anonymously(request).await?)
    }

    /// Sends a form to the token endpoint, authenticated as an application.
    async fn request_token(&self, client: &str, form: &[(&str, &str)]) -> Staged<Response> {
        let mut form = form.to_vec();
        form.push(("client_id", client));
        if client != realm::SPA {
            form.push(("client_secret", realm::SECRET));
        }
        self.post(&["token"], &form).await
    }

    /// Logs a person in to one of the realm's clients, with these scopes.
    pub async fn log_in_at(&self, client: &str, email: &Email, password: &str, scope: &str) -> Staged<Tokens> {
        let username = self.username_of(email).await?;
        let form = [("grant_type", "password"), ("username", &username), ("password", password), ("scope", scope)];
        let answer = self.request_token(client, &form).await?;
        if !answer.status.is_success() {
            let text = answer.text().unwrap_or_default();
            return Err(format!("a login to `{client}` answered {}: {text}", answer.status).into());
        }
        let answer: Value = answer.json()?;
        let secret = |name: &str| answer.get(name).and_then(Value::as_str).map(Secret::new);
        Ok(Tokens {
            access: AccessToken::new(text(&answer, "/access_token")?)?,
            refresh: secret("refresh_token"),
            id: secret("id_token"),
        })
    }

    /// Sets the person's customer claim in tokens of [`realm::CLAIMING`].
    async fn set_claim(&self, email: &Email, value: &Value) -> Staged<()> {
        let query = [("email", email.as_str()), ("exact", "true"), ("max", "1")];
        let mut user = self.read(&["users"], &query).await?.pointer("/0").cloned().ok_or("no such user")?;
        let id = text(&user, "/id")?;
        let mut attributes = user.get("attributes").cloned().unwrap_or_else(|| json!({}));
        realm::put(&mut attributes, realm::CLAIMED, json!([value.to_string()]));
        realm::put(&mut user, "attributes", attributes);
        // A full update, because one with attributes clears the omitted fields.
        let kept = ["username", "email", "emailVerified", "enabled", "firstName", "lastName", "attributes"];
        if let Some(members) = user.as_object_mut() {
            members.retain(|name, _| kept.contains(&name.as_str()));
        }
        self.put(&["users", &id], &user).await
    }

    /// Polls userinfo until the realm refuses the token.
    async fn wait_for_expiry(&self, token: &AccessToken) -> Staged<()> {
        let begun = Instant::now();
        while self.userinfo(token).await? {
            if begun.elapsed() > EXPIRY_TIMEOUT {
                return Err("the token does not expire".into());
            }
        }
        Ok(())
    }

    /// Returns whether the realm's userinfo accepts the token.
    async fn userinfo(&self, token: &AccessToken) -> Staged<bool> {
        let request = Request::get(self.administrator.public(&self.realm, &["userinfo"])?);
        let answer = self.administrator.send_anonymously(request.bearer(&Secret::new(token.expose()))?).await?;
        match answer.status.as_u16() {
            200 => Ok(true),
            401 => Ok(false),
            status => Err(format!("userinfo answered {status}").into()),
        }
    }

    /// Fetches a token that an application gets for itself.
    async fn client_token(&self) -> Staged<AccessToken> {
        let form = [("grant_type", "client_credentials"), ("scope", "openid")];
        let answer: Value = self.request_token(realm::WEB, &form).await?.json()?;
        Ok(AccessToken::new(text(&answer, "/access_token")?)?)
    }

    /// Fetches a token that is bound to a key of its sender by a DPoP proof (RFC 9449).
    async fn bound_token(&self, sign_in: &SignIn) -> Staged<AccessToken> {
        let key = SigningKey::es256("own")?;
        let url = self.administrator.public(&self.realm, &["token"])?;
        let mut jwk = key.jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y"));
        }
        let header = json!({"typ": "dpop+jwt", "alg": key.algorithm(), "jwk": jwk});
        let now = SystemClock.now().as_second();
        let claims = json!({"jti": SystemRandom.word()?, "htm": "POST", "htu": url.as_str(), "iat": now});
        let proof = HeaderValue::from_str(&key.sign(&header, &claims)?)?;
        let username = self.username_of(&sign_in.email).await?;
        let request = Request::post(url).read_only().header(HeaderName::from_static("dpop"), proof).form(&[
            ("grant_type", "password"),
            ("client_id", realm::WEB),
            ("client_secret", realm::SECRET),
            ("username", &username),
            ("password", &sign_in.password),
            ("scope", "openid"),
        ]);
        let answer: Value = self.administrator.send_anonymously(request).await?.json()?;
        Ok(AccessToken::new(text(&answer, "/access_token")?)?)
    }

    /// Fetches a token from another realm with equal clients and an equal person.
    async fn token_of_another_realm(&self, sign_in: &SignIn) -> Staged<AccessToken> {
        let other = Self::start(self.server.clone()).await?;
        let mut person = idp_bridge_conformance::NewUser::person(sign_in.email.clone());
        person.password = Some(sign_in.password.clone());
        other.create_named(&other.new_name(), &person).await?;
        let tokens = other.log_in_at(realm::WEB, &sign_in.email, &sign_in.password, "openid").await?;
        other.remove().await?;
        Ok(tokens.access)
    }

    /// Returns the logout token that was sent to an application for this session.
    fn sent_logout_token(&self, sid: &str) -> Option<String> {
        let sent = match &self.server.fake {
            Some(fake) => fake.logout_tokens(&self.realm),
            None => self.back_channel.with(|channel| channel.0.clone()),
        };
        sent.into_iter().find(|token| claims_of(token).is_ok_and(|claims| claims.get("sid") == Some(&json!(sid))))
    }

    /// Returns the tenant's clients.
    pub fn clients(&self) -> Vec<OauthClient> {
        settings().clients
    }

    /// Ends a session as an administrator. Keycloak notifies the applications by their back channels.
    pub async fn end_session(&self, sid: &str) -> Staged<()> {
        self.administrator.send(Request::delete(self.at(&["sessions", sid])?)).await.map(drop)
    }

    /// Removes the bridge from the audience of a client's tokens.
    pub async fn remove_audience(&self, client: &str) -> Staged<()> {
        let client = self.client_representation(client).await?;
        let mappers = client.get("protocolMappers").and_then(Value::as_array).cloned().unwrap_or_default();
        for mapper in mappers.iter().filter(|mapper| mapper.pointer("/config/included.client.audience").is_some()) {
            let (id, mapper) = (text(&client, "/id")?, text(mapper, "/id")?);
            let path = ["clients", &id, "protocol-mappers", "models", &mapper];
            self.administrator.send(Request::delete(self.at(&path)?)).await?;
        }
        Ok(())
    }

    /// Adds the subject to lightweight access tokens.
    pub async fn add_subject_to_lightweight_tokens(&self) -> Staged<()> {
        self.add_mapper(realm::LIGHT, &realm::subject()).await
    }

    /// Adds a mapper of this type that fills a client's customer claim from this attribute.
    pub async fn map_customer(&self, client: &str, kind: &str, attribute: &str) -> Staged<()> {
        self.add_mapper(client, &realm::customer_from(kind, attribute)).await
    }

    async fn add_mapper(&self, client: &str, mapper: &Value) -> Staged<()> {
        let client = self.client_representation(client).await?;
        let path = ["clients", &text(&client, "/id")?, "protocol-mappers", "models"];
        self.administrator.send(Request::post(self.at(&path)?).json(mapper)?).await.map(drop)
    }

    /// Sets the back channel's URL of the application `web`.
    pub async fn set_back_channel(&self, url: &str) -> Staged<()> {
        let mut client = self.client_representation(realm::WEB).await?;
        if let Some(attributes) = client.get_mut("attributes") {
            realm::put(attributes, "backchannel.logout.url", json!(url));
        }
        self.put(&["clients", &text(&client, "/id")?], &client).await
    }

    /// Reads a client's ClientRepresentation.
    async fn client_representation(&self, client: &str) -> Staged<Value> {
        let found = self.read(&["clients"], &[("clientId", client)]).await?;
        Ok(found.pointer("/0").cloned().ok_or("no such client")?)
    }

    /// Adds a key and signs with it from now on.
    pub async fn rotate_keys(&self) -> Staged<()> {
        let config: BTreeMap<&str, [&str; 1]> =
            [("priority", "200"), ("enabled", "true"), ("active", "true"), ("algorithm", "RS256")]
                .map(|(name, value)| (name, [value]))
                .into();
        let component = json!({
            "name": "newer", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
            "config": config,
        });
        self.administrator.send(Request::post(self.at(&["components"])?).json(&component)?).await.map(drop)
    }
}

#[async_trait]
impl FederationHarness for KeycloakHarness {
    fn facts(&self) -> FederationFacts {
        let issuer = format!("{}/realms/{}", self.server.url, self.realm);
        FederationFacts {
            clients: settings().clients.into_iter().map(|client| client.id).collect(),
            claims: ClaimNames { subject: "sub", client: "azp", session: Some("sid") },
            end_session: EndSessionForm {
                url: format!("{issuer}/protocol/openid-connect/logout"),
                client: "client_id",
                redirect_uri: "post_logout_redirect_uri",
                hint: Some("id_token_hint"),
                state: Some("state"),
            },
            issuer,
        }
    }

    async fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens> {
        let client = match &sign_in.customer_claim {
            Some(value) => {
                self.set_claim(&sign_in.email, value).await?;
                realm::CLAIMING.to_owned()
            }
            None if sign_in.foreign_client => realm::FOREIGN.to_owned(),
            None if sign_in.expired => realm::BRIEF.to_owned(),
            None => realm::WEB.to_owned(),
        };
        let scope = if sign_in.offline { "openid offline_access" } else { "openid" };
        let tokens = self.log_in_at(&client, &sign_in.email, &sign_in.password, scope).await?;
        if sign_in.expired {
            self.wait_for_expiry(&tokens.access).await?;
        }
        Ok(tokens)
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> Staged<TokenStatus> {
        let form = [("token", tokens.access.expose()), ("client_id", realm::BRIDGE), ("client_secret", realm::SECRET)];
        let introspected: Value = self.post(&["token", "introspect"], &form).await?.json()?;
        let mut alive = TokenStatus {
            userinfo: Some(self.userinfo(&tokens.access).await?),
            introspection: introspected.get("active").and_then(Value::as_bool),
            refresh: None,
        };
        if let Some(refresh) = &tokens.refresh {
            let client = text(&claims_of(refresh.expose())?, "/azp")?;
            // By default a refresh does not invalidate the refresh token.
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
            alive.refresh = match self.request_token(&client, &form).await?.status.as_u16() {
                200 => Some(true),
                400 => Some(false),
                status => return Err(format!("a refresh answered {status}").into()),
            };
        }
        Ok(alive)
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        match flaw {
            Flaw::AnotherIssuer => self.token_of_another_realm(sign_in).await,
            Flaw::ServiceAccount => self.client_token().await,
            Flaw::SenderConstrained => self.bound_token(sign_in).await,
            other => Err(format!("the harness does not implement the flaw {other:?}").into()),
        }
    }

    async fn sign(&self, header: &Value, claims: &Value) -> Staged<String> {
        let fake = self.server.fake.as_ref().ok_or("a real keycloak does not sign arbitrary tokens")?;
        Ok(fake.sign(&self.realm, header, claims).ok_or("the realm has no such key")?)
    }

    async fn end_login(&self, tokens: &Tokens) -> Staged<Option<AccessToken>> {
        let hint = tokens.id.as_ref().ok_or("the login has no ID token")?;
        let url = self.administrator.public(&self.realm, &["logout"])?;
        let request = Request::get(url).query(&[
            ("id_token_hint", hint.expose()),
            ("client_id", realm::WEB),
            ("post_logout_redirect_uri", realm::POST_LOGOUT_URI),
        ]);
        let answer = self.administrator.send_anonymously(request).await?;
        if answer.status.as_u16() != 302 {
            return Err(format!("the logout page answered {}", answer.status).into());
        }
        let sid = text(&claims_of(hint.expose())?, "/sid")?;
        // Keycloak notifies the applications before it responds to the browser.
        Ok(self.sent_logout_token(&sid).map(AccessToken::new).transpose()?)
    }

    async fn block(&self, id: &UserId) -> Staged<()> {
        self.change_user(id, json!({"enabled": false})).await
    }

    async fn delete(&self, id: &UserId) -> Staged<()> {
        self.administrator.send(Request::delete(self.at(&["users", id.as_str()])?)).await.map(drop)
    }

    async fn provider_with_wrong_client_secret(&self) -> Staged<Arc<dyn IdentityProvider>> {
        let mut settings = settings();
        if let Some(first) = settings.clients.first_mut() {
            first.secret = Some(Secret::new("wrong"));
        }
        let mut context = Self::context()?;
        context.federation = Some(settings);
        Ok(Arc::new(Self::build_in(self.config(), &context)?))
    }

    async fn provider_without_federation(&self) -> Staged<Arc<dyn IdentityProvider>> {
        let mut context = Self::context()?;
        context.federation = None;
        Ok(Arc::new(Self::build_in(self.config(), &context)?))
    }
}
