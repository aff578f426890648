//! The harness of another connector, with the providers of a definition.

use std::sync::Arc;

use idp_bridge_conformance::{FederationHarness, Harness, Need, NewUser, Setup, TestResult, async_trait};
use idp_bridge_connector_http::{Definition, Http, HttpConfig};
use idp_bridge_core::{Capabilities, ConnectorContext, CustomerId, Email, IdentityProvider, UserId};

/// Returns the settings of a definition for a setup.
pub type Settings<H> = fn(&H, Setup<'_>) -> TestResult<(HttpConfig, ConnectorContext)>;

/// The harness of another connector, with the providers of a definition.
///
/// The users, mails and faults are those of the other harness, so that a definition is tested like the connector.
pub struct WithDefinition<H> {
    name: String,
    definition: Arc<Definition>,
    inner: H,
    settings: Settings<H>,
}

impl<H> WithDefinition<H> {
    /// Parses the definition.
    pub fn new(name: &str, text: &str, inner: H, settings: Settings<H>) -> TestResult<Self> {
        let definition = Arc::new(super::parse(name, text)?);
        Ok(Self { name: name.to_owned(), definition, inner, settings })
    }
}

#[async_trait]
impl<H: Harness> Harness for WithDefinition<H> {
    fn name(&self) -> &str {
        &self.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        self.definition.capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        self.inner.not_applicable(need)
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let (config, context) = (self.settings)(&self.inner, setup)?;
        Ok(Arc::new(Http::with_definition(&self.definition, &config, &context)?))
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        self.inner.create(user).await
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        self.inner.reserved_ids()
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        self.inner.exists(id).await
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        self.inner.change_email(id, email).await
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        self.inner.log_in(email, password).await
    }

    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        self.inner.edit_self(email, password, value).await
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        self.inner.mails(email).await
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        self.definition.capabilities().federation().and(self.inner.federation())
    }

    async fn upstream(&self) -> TestResult<String> {
        self.inner.upstream().await
    }
}
