//! The checks of `doctor`, each with the step in New IdP's console that mends it.
//!
//! Every check only reads.

use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding, Result, UserId, if_found};

use crate::client::UserApi;
use crate::config::NewIdpConfig;

/// An id that no user has. Reading it shows whether the API token may read users.
const UNKNOWN_ID: &str = "idp-bridge-doctor";

/// A diagnosis of one tenant's New IdP.
pub(crate) struct Diagnosis<'a> {
    api: &'a UserApi,
    config: &'a NewIdpConfig,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn new(api: &'a UserApi, config: &'a NewIdpConfig) -> Self {
        Self { api, config }
    }

    /// Runs three checks with one request. A check that fails hides those after it.
    pub(crate) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let url = &self.config.url;
        let checks = [
            ("New IdP is reachable", format!("check that `{url}` is the base URL of New IdP, and that it can be reached from here")),
            ("the API token is valid", "create an API token in the console, and copy it to `api_token`".into()),
            ("the API token may read users", "give the API token the right `users:read` in the console".into()),
        ];
        let result = self.read_unknown_user(scope).await;
        let failed = result.as_ref().err().map(|error| match error.kind() {
            ErrorKind::Unauthenticated => (1, error),
            ErrorKind::PermissionDenied => (2, error),
            _ => (0, error),
        });
        Finding::chain(&CallKind::ALL, checks, failed)
    }

    /// Reads a user that does not exist. New IdP answers that only with the right to read users.
    async fn read_unknown_user(&self, scope: &CallScope) -> Result<()> {
        let id = UserId::new(UNKNOWN_ID)
            .map_err(|error| Error::ours(ErrorKind::Unexpected, "the id of the diagnosis is unusable").with_source(error))?;
        if_found(self.api.user(scope, &id).await).map(drop)
    }
}
