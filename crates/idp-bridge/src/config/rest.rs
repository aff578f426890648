//! Reads whose JWT access tokens the REST surface takes.

use std::sync::Arc;

use idp_bridge_core::SystemClock;
use idp_bridge_server::{AccessTokenSettings, AccessTokens};

use super::connector::Way;
use super::model::Jwt;
use super::path::KeyPath;
use super::problem::Problem;
use super::tenant::Reader;

impl Reader<'_> {
    /// Makes the judge of access tokens; none if something is wrong with its settings.
    pub(super) fn access_tokens(
        &self,
        jwt: Jwt,
        tenant: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Option<AccessTokens> {
        let path = tenant.key("rest").key("jwt");
        let before = problems.len();
        let Jwt { issuer, audience, jwks_url, algorithms, ca_file, allow_http, proxy } = jwt;
        if audience.is_empty() {
            problems.push(self.document.problem(&path.key("audience"), "expected the name that tokens have in `aud`"));
        }
        if algorithms.is_empty() {
            let problem = self.document.problem(&path.key("algorithms"), "expected at least one algorithm");
            problems.push(problem.hint("remove the key to take all that are safe"));
        }
        let outbound = self.policy(Way { ca_file, allow_http, proxy }, &path, problems)?;
        let algorithms = algorithms.into_iter().map(|algorithm| algorithm.0).collect();
        let settings = AccessTokenSettings { issuer, audience, jwks_url, algorithms, outbound };
        match AccessTokens::new(settings, Arc::new(SystemClock)) {
            Ok(tokens) => Some(tokens).filter(|_| problems.len() == before),
            Err(error) => {
                problems.push(self.not_built(&error, &[path]));
                None
            }
        }
    }
}
