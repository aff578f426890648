//! Federation: tokens, users and logouts.

mod back_channel;
mod logout;
mod outages;
mod session_end;
mod settings;
mod tokens;
mod users;

use idp_bridge_core::{FederationCapabilities, Liveness, LogoutReach};

use crate::bullet::{Bullet, federation};
use crate::case::{Case, case};
use crate::context::{CaseContext, ensure};
use crate::{Need, Setup, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let own = vec![
        case("federation::federation_is_implemented_exactly_if_declared", &[federation::DECLARED], declared),
        oauth("federation::disabled_federation_is_not_declared", &[federation::DECLARED], switched_off)
            .needs(&[Need::FederationOff]),
    ];
    let parts = [
        own,
        users::cases(),
        tokens::cases(),
        logout::cases(),
        outages::cases(),
        session_end::cases(),
        back_channel::cases(),
        settings::cases(),
    ];
    parts.into_iter().flatten().collect()
}

/// Creates a case for providers with federation.
fn oauth<F>(name: impl Into<String>, proves: &[Bullet], run: impl Fn(CaseContext) -> F + Send + Sync + 'static) -> Case
where
    F: Future<Output = TestResult<()>> + Send + 'static,
{
    case(name, proves, run).requires(|_| Ok(()))
}

/// Requires that a logout ends access tokens.
fn ends_access_tokens(own: &FederationCapabilities) -> Result<(), String> {
    match own.liveness {
        Liveness::IdentityProvider => Ok(()),
        Liveness::Signature => {
            Err("access tokens outlive their session: the bridge's revocation list refuses them".to_owned())
        }
    }
}

/// Requires that a logout can end a single session.
fn ends_one_session(own: &FederationCapabilities) -> Result<(), String> {
    match own.logout {
        LogoutReach::Session => Ok(()),
        LogoutReach::RefreshToken | LogoutReach::RefreshTokenOrUser => Err("no single session can be ended".to_owned()),
    }
}

/// Requires that a logout needs only the access token.
fn ends_without_refresh_token(own: &FederationCapabilities) -> Result<(), String> {
    match own.logout {
        LogoutReach::Session | LogoutReach::RefreshTokenOrUser => Ok(()),
        LogoutReach::RefreshToken => Err("only a refresh token can be ended".to_owned()),
    }
}

async fn declared(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
    let (declared, implemented) = (provider.capabilities().federation().is_some(), provider.federation().is_some());
    ensure!(declared == implemented, "federation is declared: {declared}, implemented: {implemented}");
    let implemented = context.harness().federation().is_some();
    let hint = "hint: implement `Harness::federation`, and add federation to the settings of its providers";
    ensure!(
        declared == implemented,
        "federation is declared: {declared}, implemented by the harness: {implemented}; {hint}"
    );
    let most = context.harness().connector_capabilities().federation().is_some();
    ensure!(
        most == implemented,
        "the connector declares federation: {most}, implemented by the harness: {implemented}"
    );
    Ok(())
}

async fn switched_off(context: CaseContext) -> TestResult<()> {
    let provider = context.provider_with(Setup::WithoutFederation).await?;
    let (declared, implemented) = (provider.capabilities().federation().is_some(), provider.federation().is_some());
    ensure!(
        !declared && !implemented,
        "without settings federation is declared: {declared}, implemented: {implemented}"
    );
    Ok(())
}
