//! What `doctor` checks of a New IdP, and the step in its console that mends it.
//!
//! Every check is a read.

use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding, Result, UserId, if_found};

use crate::client::UserApi;
use crate::config::NewIdpConfig;

/// An id that no user has, to see whether users may be read at all.
const NOBODY: &str = "idp-bridge-doctor";

/// A New IdP under diagnosis.
pub(crate) struct Diagnosis<'a> {
    api: &'a UserApi,
    config: &'a NewIdpConfig,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn of(api: &'a UserApi, config: &'a NewIdpConfig) -> Self {
        Self { api, config }
    }

    /// One read tells of three things, each of which hides the next.
    pub(crate) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let url = &self.config.url;
        let checks = [
            ("New IdP is reachable", format!("check that `{url}` is where New IdP listens, and can be reached from here")),
            ("the API token is known", "make an API token in the console, and copy it to `api_token`".into()),
            ("the API token may read users", "give the API token the right `users:read` in the console".into()),
        ];
        let failed = match self.read_nobody(scope).await {
            Ok(()) => None,
            Err(error) => Some(match error.kind() {
                ErrorKind::Unauthenticated => (1, error.to_string()),
                ErrorKind::PermissionDenied => (2, error.to_string()),
                _ => (0, error.to_string()),
            }),
        };
        Finding::chain(&CallKind::ALL, checks, failed)
    }

    /// New IdP tells of an unknown user that there is none, but only to whoever may read users.
    async fn read_nobody(&self, scope: &CallScope) -> Result<()> {
        let nobody = UserId::new(NOBODY)
            .map_err(|error| Error::ours(ErrorKind::Unexpected, "the id of nobody is unusable").with_source(error))?;
        if_found(self.api.user(scope, &nobody).await).map(drop)
    }
}
