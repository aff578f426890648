//! Logins to a realm under test, and their tokens.

use std::time::{Duration, Instant};

use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming, SigningKey};
use idp_bridge_conformance::fixture::text_claim;
use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, TestResult, TokenStatus, Tokens,
    async_trait,
};
use idp_bridge_core::{
    AccessToken, Clock as _, Email, FederationSettings, OauthClient, Random as _, Secret, SystemClock, SystemRandom,
    UserId,
};
use keycloak::types::{ComponentRepresentation, ProtocolMapperRepresentation, UserRepresentation};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{KeycloakHarness, done, realm};

/// The token endpoint's answer.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

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

impl KeycloakHarness {
    /// Returns the URL of one of the realm's OpenID endpoints.
    fn endpoint(&self, path: &str) -> String {
        format!("{}/realms/{}/protocol/openid-connect/{path}", self.server.url, self.realm)
    }

    /// Creates a request to the token endpoint, authenticated as an application.
    fn token_request(&self, client: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let mut form = form.to_vec();
        form.push(("client_id", client));
        if ![realm::SPA, realm::APPLICATION].contains(&client) {
            form.push(("client_secret", realm::SECRET));
        }
        self.http.post(self.endpoint("token")).form(&form)
    }

    /// Requests tokens for a person at one of the realm's clients, with these scopes.
    pub(super) async fn request_tokens(
        &self,
        client: &str,
        email: &Email,
        password: &str,
        scope: &str,
    ) -> TestResult<Response> {
        let username = self.user(email).await?.username.unwrap_or_default();
        let mut form = vec![("grant_type", "password"), ("username", &username), ("password", password)];
        form.extend((!scope.is_empty()).then_some(("scope", scope)));
        Ok(self.token_request(client, &form).send().await?)
    }

    /// Logs a person in to one of the realm's clients, with these scopes.
    pub async fn log_in_at(&self, client: &str, email: &Email, password: &str, scope: &str) -> TestResult<Tokens> {
        let answer = self.request_tokens(client, email, password, scope).await?;
        if !answer.status().is_success() {
            return Err(format!("a login to `{client}` answered {}: {}", answer.status(), answer.text().await?).into());
        }
        let answer: TokenAnswer = answer.json().await?;
        Ok(Tokens {
            access: AccessToken::new(answer.access_token)?,
            refresh: answer.refresh_token.map(Secret::new),
            id: answer.id_token.map(Secret::new),
        })
    }

    /// Sets the person's customer claim in tokens of [`realm::CLAIMING`].
    async fn set_claim(&self, email: &Email, value: &Value) -> TestResult<()> {
        let user = self.user(email).await?;
        let id = user.id.unwrap_or_default();
        let mut attributes = user.attributes.unwrap_or_default();
        attributes.insert(realm::CLAIMED.into(), vec![value.to_string()]);
        // A full update, because one with attributes clears the omitted fields.
        let change = UserRepresentation {
            username: user.username,
            email: user.email,
            email_verified: user.email_verified,
            enabled: user.enabled,
            first_name: user.first_name,
            last_name: user.last_name,
            attributes: Some(attributes),
            ..UserRepresentation::default()
        };
        done(self.admin().users_with_user_id_put(&id, change).await)
    }

    /// Polls userinfo until the realm refuses the token.
    async fn wait_for_expiry(&self, token: &AccessToken) -> TestResult<()> {
        let begun = Instant::now();
        while self.userinfo(token).await? {
            if begun.elapsed() > EXPIRY_TIMEOUT {
                return Err("the token does not expire".into());
            }
        }
        Ok(())
    }

    /// Returns whether the realm's userinfo accepts the token.
    async fn userinfo(&self, token: &AccessToken) -> TestResult<bool> {
        let answer = self.http.get(self.endpoint("userinfo")).bearer_auth(token.expose()).send().await?;
        match answer.status().as_u16() {
            200 => Ok(true),
            401 => Ok(false),
            status => Err(format!("userinfo answered {status}").into()),
        }
    }

    /// Fetches a token that an application gets for itself.
    async fn client_token(&self) -> TestResult<AccessToken> {
        let form = [("grant_type", "client_credentials"), ("scope", "openid")];
        let answer: TokenAnswer = self.token_request(realm::WEB, &form).send().await?.json().await?;
        Ok(AccessToken::new(answer.access_token)?)
    }

    /// Fetches a token that is bound to a key of its sender by a DPoP proof (RFC 9449).
    async fn bound_token(&self, sign_in: &SignIn) -> TestResult<AccessToken> {
        let key = SigningKey::es256("own")?;
        let mut jwk = key.jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y"));
        }
        let header = json!({"typ": "dpop+jwt", "alg": key.algorithm(), "jwk": jwk});
        let (jti, now) = (SystemRandom.word()?, SystemClock.now().as_second());
        let claims = json!({"jti": jti, "htm": "POST", "htu": self.endpoint("token"), "iat": now});
        let username = self.user(&sign_in.email).await?.username.unwrap_or_default();
        let form =
            [("grant_type", "password"), ("username", &username), ("password", &sign_in.password), ("scope", "openid")];
        let request = self.token_request(realm::WEB, &form).header("dpop", key.sign(&header, &claims)?);
        let answer: TokenAnswer = request.send().await?.json().await?;
        Ok(AccessToken::new(answer.access_token)?)
    }

    /// Fetches a token from another realm with equal clients and an equal person.
    async fn token_of_another_realm(&self, sign_in: &SignIn) -> TestResult<AccessToken> {
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
        sent.into_iter().find(|token| text_claim(token, "sid").is_ok_and(|own| own == sid))
    }

    /// Returns the tenant's clients.
    pub fn clients(&self) -> Vec<OauthClient> {
        settings().clients
    }

    /// Ends a session as an administrator. Keycloak notifies the applications by their back channels.
    pub async fn end_session(&self, sid: &str) -> TestResult<()> {
        self.admin().sessions_with_session_delete(sid).is_offline(None).await?;
        Ok(())
    }

    /// Removes the bridge from the audience of a client's tokens.
    pub async fn remove_audience(&self, client: &str) -> TestResult<()> {
        let (client, admin) = (self.client(client).await?, self.admin());
        let id = client.id.unwrap_or_default();
        for mapper in client.protocol_mappers.into_iter().flatten() {
            if mapper.config.is_some_and(|config| config.contains_key("included.client.audience")) {
                let mapper = mapper.id.unwrap_or_default();
                admin.clients_with_client_uuid_protocol_mappers_models_with_id_delete(&id, &mapper).await?;
            }
        }
        Ok(())
    }

    /// Adds the subject to lightweight access tokens.
    pub async fn add_subject_to_lightweight_tokens(&self) -> TestResult<()> {
        self.add_mapper(realm::LIGHT, realm::subject()).await
    }

    /// Adds a mapper of this type that fills a client's customer claim from this attribute.
    pub async fn map_customer(&self, client: &str, kind: &str, attribute: &str) -> TestResult<()> {
        self.add_mapper(client, realm::customer_from(kind, attribute)).await
    }

    async fn add_mapper(&self, client: &str, mapper: ProtocolMapperRepresentation) -> TestResult<()> {
        let id = self.client(client).await?.id.unwrap_or_default();
        done(self.admin().clients_with_client_uuid_protocol_mappers_models_post(&id, mapper).await)
    }

    /// Sets the back channel's URL of the application `web`.
    pub async fn set_back_channel(&self, url: &str) -> TestResult<()> {
        let mut client = self.client(realm::WEB).await?;
        realm::set_back_channel(&mut client, url);
        let id = client.id.clone().unwrap_or_default();
        done(self.admin().clients_with_client_uuid_put(&id, client).await)
    }

    /// Adds a key and signs with it from now on.
    pub async fn rotate_keys(&self) -> TestResult<()> {
        let config = [("priority", "200"), ("enabled", "true"), ("active", "true"), ("algorithm", "RS256")];
        let config = config.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        let component = ComponentRepresentation {
            name: Some("newer".into()),
            provider_id: Some("rsa-generated".into()),
            provider_type: Some("org.keycloak.keys.KeyProvider".into()),
            config: Some(config.into()),
            ..ComponentRepresentation::default()
        };
        done(self.admin().components_post(component).await)
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

    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens> {
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

    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus> {
        let form = [("token", tokens.access.expose()), ("client_id", realm::BRIDGE), ("client_secret", realm::SECRET)];
        let introspected: Value =
            self.http.post(self.endpoint("token/introspect")).form(&form).send().await?.json().await?;
        let mut alive = TokenStatus {
            userinfo: Some(self.userinfo(&tokens.access).await?),
            introspection: introspected.get("active").and_then(Value::as_bool),
            refresh: None,
        };
        if let Some(refresh) = &tokens.refresh {
            let client = text_claim(refresh.expose(), "azp")?;
            // By default a refresh does not invalidate the refresh token.
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
            alive.refresh = match self.token_request(&client, &form).send().await?.status().as_u16() {
                200 => Some(true),
                400 => Some(false),
                status => return Err(format!("a refresh answered {status}").into()),
            };
        }
        Ok(alive)
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        match flaw {
            Flaw::AnotherIssuer => self.token_of_another_realm(sign_in).await,
            Flaw::ServiceAccount => self.client_token().await,
            Flaw::SenderConstrained => self.bound_token(sign_in).await,
            other => Err(format!("the harness does not implement the flaw {other:?}").into()),
        }
    }

    async fn sign(&self, header: &Value, claims: &Value) -> TestResult<String> {
        let fake = self.server.fake.as_ref().ok_or("a real keycloak does not sign arbitrary tokens")?;
        Ok(fake.sign(&self.realm, header, claims).ok_or("the realm has no such key")?)
    }

    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        let hint = tokens.id.as_ref().ok_or("the login has no ID token")?;
        let answer = self.http.get(self.endpoint("logout")).query(&[
            ("id_token_hint", hint.expose()),
            ("client_id", realm::WEB),
            ("post_logout_redirect_uri", realm::POST_LOGOUT_URI),
        ]);
        let status = answer.send().await?.status();
        if status.as_u16() != 302 {
            return Err(format!("the logout page answered {status}").into());
        }
        let sid = text_claim(hint.expose(), "sid")?;
        // Keycloak notifies the applications before it responds to the browser.
        Ok(self.sent_logout_token(&sid).map(AccessToken::new).transpose()?)
    }

    async fn block(&self, id: &UserId) -> TestResult<()> {
        self.change_user(id, json!({"enabled": false})).await
    }

    async fn delete(&self, id: &UserId) -> TestResult<()> {
        done(self.admin().users_with_user_id_delete(id.as_str()).await)
    }
}
