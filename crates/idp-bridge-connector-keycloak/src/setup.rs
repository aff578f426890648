//! Sets up a realm for the bridge as its administrator: the client, its roles and the customer attribute.
//!
//! It takes the steps that docs/connectors/keycloak.md describes for the console, and can be repeated: existing parts are not
//! changed.

use idp_bridge_core::ErrorKind::{Misconfigured, NotFound};
use idp_bridge_core::{CallScope, ConnectorContext, Error, Result, Secret, SetupStep};
use idp_bridge_http::{BaseUrl, Client, Request, TokenCache, TokenRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::client::RealmResources;
use crate::diagnose::UserProfile;
use crate::error::{Step, check};

/// The client of the realms' own administration, with the roles of the bridge.
const MANAGEMENT: &str = "realm-management";

/// The administrator who sets up the realm. The password is used for one login and not kept.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// The realm in which the administrator logs in, usually `master`.
    pub realm: String,
    /// The user name.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// The parts of a realm that the bridge needs.
#[derive(Debug, Clone)]
pub struct RealmSetup {
    /// Keycloak's URL.
    pub url: String,
    /// The name of the realm, which must exist.
    pub realm: String,
    /// The id of the bridge's client.
    pub client_id: String,
    /// The user attribute with the customer id.
    pub customer_attribute: String,
    /// The roles of the client `realm-management` that the bridge's client gets.
    pub roles: Vec<String>,
}

/// The result of setting up a realm.
#[derive(Debug, Clone)]
pub struct SetUpRealm {
    /// The secret of the bridge's client.
    pub client_secret: Secret,
    /// The realm's issuer, if it is not the default one for the URL.
    pub issuer: Option<String>,
    /// The steps, in order.
    pub steps: Vec<SetupStep>,
}

impl RealmSetup {
    /// Checks that the realm exists, without a login, and returns its issuer if it is not the default one for the URL.
    pub async fn discover(&self, context: &ConnectorContext, scope: &CallScope) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
        }
        let (http, base) = self.connect(context)?;
        let url = base.join(&["realms", &self.realm, ".well-known", "openid-configuration"])?;
        let answer = check(Step::Discover, http.send(scope, Request::get(url)).await?)?;
        let Discovery { issuer } = answer.json()?;
        let expected = base.join(&["realms", &self.realm])?.to_string();
        Ok(Some(issuer).filter(|issuer| *issuer != expected))
    }

    /// Creates the parts that the realm lacks.
    pub async fn run(
        &self,
        administrator: &Administrator,
        context: &ConnectorContext,
        scope: &CallScope,
    ) -> Result<SetUpRealm> {
        let issuer = self.discover(context, scope).await?;
        let session = self.log_in(administrator, context)?;
        let mut steps = Vec::new();
        let client = self.ensure_client(&session, scope, &mut steps).await?;
        self.ensure_roles(&session, scope, &client, &mut steps).await?;
        self.ensure_attribute(&session, scope, &mut steps).await?;
        let client_secret = session.client_secret(scope, &client).await?;
        Ok(SetUpRealm { client_secret, issuer, steps })
    }

    fn connect(&self, context: &ConnectorContext) -> Result<(Client, BaseUrl)> {
        let http = Client::new(&context.outbound)?;
        let base = BaseUrl::parse_setting("url", &self.url, &context.outbound)?;
        http.prepare(&base)?;
        Ok((http, base))
    }

    fn log_in(&self, administrator: &Administrator, context: &ConnectorContext) -> Result<Session> {
        let (http, base) = self.connect(context)?;
        let Administrator { realm, name, password } = administrator;
        let url = base.join(&["realms", realm, "protocol", "openid-connect", "token"])?;
        let request = Request::post(url).read_only().form(&[
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", name),
            ("password", password.expose()),
        ]);
        let check_login = |response| check(Step::LogInAdministrator, response);
        let login = TokenRequest { client: http.clone(), request, check: check_login };
        let tokens = TokenCache::new(&http, login);
        RealmResources::new(http, &base, &self.realm, tokens).map(Session)
    }

    /// Finds or creates the bridge's client, and returns its internal id.
    async fn ensure_client(&self, session: &Session, scope: &CallScope, steps: &mut Vec<SetupStep>) -> Result<String> {
        let part = format!("the client `{}`", self.client_id);
        if let Some(client) = session.find_client(scope, &self.client_id).await? {
            client.check(&self.client_id)?;
            steps.push(SetupStep::found(part));
            return Ok(client.id);
        }
        let client = json!({
            "clientId": self.client_id,
            "name": "idp-bridge",
            "protocol": "openid-connect",
            "enabled": true,
            "publicClient": false,
            "serviceAccountsEnabled": true,
            "standardFlowEnabled": false,
            "directAccessGrantsEnabled": false,
        });
        session.write(scope, Request::post(session.0.url(&["clients"])?).json(&client)?).await?;
        steps.push(SetupStep::created(part));
        let created = session.find_client(scope, &self.client_id).await?;
        created.map(|client| client.id).ok_or_else(|| Error::upstream(NotFound, "the new client cannot be found"))
    }

    /// Assigns the roles that the client's service account lacks.
    async fn ensure_roles(
        &self,
        session: &Session,
        scope: &CallScope,
        client: &str,
        steps: &mut Vec<SetupStep>,
    ) -> Result<()> {
        let account: Named = session.read(scope, &["clients", client, "service-account-user"], &[]).await?;
        let management = session.find_client(scope, MANAGEMENT).await?.ok_or_else(|| {
            Error::upstream(Misconfigured, "the realm has no client `realm-management`")
                .with_hint("use a realm of the tenant's own, and not `master`")
        })?;
        let mappings = ["users", &account.id, "role-mappings", "clients", &management.id];
        let assigned: Vec<Role> = session.read(scope, &mappings, &[]).await?;
        let mut missing: Vec<Value> = Vec::new();
        for role in &self.roles {
            let is_assigned = assigned.iter().any(|own| own.name == *role);
            let part = format!("the role `{role}` of `{MANAGEMENT}`");
            steps.push(SetupStep { part, is_created: !is_assigned });
            if !is_assigned {
                missing.push(session.read(scope, &["clients", &management.id, "roles", role], &[]).await?);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        session.write(scope, Request::post(session.0.url(&mappings)?).json(&missing)?).await
    }

    /// Declares the customer attribute, editable by administrators only. A declared one stays as it is; `doctor` checks it.
    async fn ensure_attribute(&self, session: &Session, scope: &CallScope, steps: &mut Vec<SetupStep>) -> Result<()> {
        let path = ["users", "profile"];
        let mut profile: Value = session.read(scope, &path, &[]).await?;
        let part = format!("the user attribute `{}`", self.customer_attribute);
        let parsed: UserProfile = serde_json::from_value(profile.clone()).map_err(|_| unknown_profile())?;
        if parsed.is_visible(&self.customer_attribute) {
            steps.push(SetupStep::found(part));
            return Ok(());
        }
        let attributes = profile.get_mut("attributes").and_then(Value::as_array_mut).ok_or_else(unknown_profile)?;
        attributes.push(json!({
            "name": self.customer_attribute,
            "displayName": "Customer id",
            "permissions": {"view": ["admin"], "edit": ["admin"]},
            "multivalued": false,
        }));
        // Keycloak answers with the new profile.
        session.send(scope, Request::put(session.0.url(&path)?).json(&profile)?).await?;
        steps.push(SetupStep::created(part));
        Ok(())
    }
}

fn unknown_profile() -> Error {
    Error::upstream(Misconfigured, "the realm's user profile has an unknown form")
        .with_hint("declare the attribute in Realm settings → User profile → Attributes")
}

/// The resources of the realm, with the rights of the administrator.
struct Session(RealmResources);

impl Session {
    async fn send(&self, scope: &CallScope, request: Request) -> Result<idp_bridge_http::Response> {
        self.0.send(scope, Step::SetUp, request).await
    }

    async fn read<T: DeserializeOwned>(&self, scope: &CallScope, path: &[&str], query: &[(&str, &str)]) -> Result<T> {
        self.send(scope, Request::get(self.0.url(path)?).query(query)).await?.json()
    }

    async fn write(&self, scope: &CallScope, request: Request) -> Result<()> {
        self.send(scope, request).await?.check_empty()
    }

    async fn find_client(&self, scope: &CallScope, client_id: &str) -> Result<Option<RealmClient>> {
        let found: Vec<RealmClient> = self.read(scope, &["clients"], &[("clientId", client_id)]).await?;
        Ok(found.into_iter().find(|client| client.client_id == client_id))
    }

    async fn client_secret(&self, scope: &CallScope, client: &str) -> Result<Secret> {
        #[derive(Deserialize)]
        struct Credential {
            value: Option<Secret>,
        }
        let Credential { value } = self.read(scope, &["clients", client, "client-secret"], &[]).await?;
        value.ok_or_else(|| {
            Error::upstream(Misconfigured, "the client has no secret")
                .with_hint("Clients → the client → Credentials → Client Authenticator: `Client Id and Secret`")
        })
    }
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Role {
    name: String,
}

/// A client of the realm.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RealmClient {
    id: String,
    client_id: String,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    public_client: bool,
    #[serde(default)]
    service_accounts_enabled: bool,
}

impl RealmClient {
    /// Fails if an existing client cannot be the bridge's.
    fn check(&self, client_id: &str) -> Result<()> {
        let page = format!("Clients → `{client_id}` → Settings");
        let (message, fix) = match (self.enabled, self.public_client, self.service_accounts_enabled) {
            (true, false, true) => return Ok(()),
            (false, ..) => ("is disabled", "switch it on"),
            (_, true, _) => ("is public", "switch `Client authentication` on"),
            (_, _, false) => ("has no service account", "switch `Service accounts roles` on"),
        };
        Err(Error::upstream(Misconfigured, "the client exists, and cannot be the bridge's")
            .with("client", message)
            .with_hint(format!("the client {message}: {page}: {fix}; or choose another client id")))
    }
}
