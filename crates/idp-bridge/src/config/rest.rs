//! Reads the issuer of JWT access tokens for the REST surface.

use std::sync::Arc;

use idp_bridge_core::SystemClock;
use idp_bridge_server::{AccessTokenSettings, AccessTokens};

use super::connector::OutboundKeys;
use super::model::Jwt;
use super::path::KeyPath;
use super::problem::Problem;
use super::tenant::Reader;

impl Reader<'_> {
    /// Creates the validator of access tokens. Returns `None` after reporting problems.
    pub(super) fn read_access_tokens(
        &self,
        jwt: Jwt,
        tenant: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Option<AccessTokens> {
        let path = tenant.key("rest").key("jwt");
        let before = problems.len();
        let Jwt { issuer, audience, jwks_url, algorithms, ca_file, allow_http, proxy } = jwt;
        if audience.is_empty() {
            problems.push(self.document.problem(&path.key("audience"), "expected the value of the tokens' `aud`"));
        }
        if algorithms.is_empty() {
            let problem = self.document.problem(&path.key("algorithms"), "expected at least one algorithm");
            problems.push(problem.with_hint("remove the key to accept all safe algorithms"));
        }
        let keys = OutboundKeys { ca_file, allow_http, proxy, ..OutboundKeys::default() };
        let outbound = self.outbound_policy(keys, &path, problems)?;
        let algorithms = algorithms.into_iter().map(|algorithm| algorithm.0).collect();
        let settings = AccessTokenSettings { issuer, audience, jwks_url, algorithms, outbound };
        match AccessTokens::new(settings, Arc::new(SystemClock)) {
            Ok(tokens) => Some(tokens).filter(|_| problems.len() == before),
            Err(error) => {
                problems.push(self.build_problem(&error, &[path]));
                None
            }
        }
    }
}
