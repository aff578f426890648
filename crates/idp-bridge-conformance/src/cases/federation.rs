//! The OAuth side: whose a token is, whether it lives, and how a login ends.

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
use crate::scene::{Scene, ensure};
use crate::{Need, Staged};

pub(super) fn cases() -> Vec<Case> {
    let own = vec![
        case("federation::it_is_there_exactly_if_it_is_declared", &[federation::DECLARED], declared),
        oauth("federation::switched_off_it_is_neither_there_nor_declared", &[federation::DECLARED], switched_off)
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

/// A case for providers with an OAuth side.
fn oauth<F>(name: impl Into<String>, proves: &[Bullet], run: impl Fn(Scene) -> F + Send + Sync + 'static) -> Case
where
    F: Future<Output = Staged<()>> + Send + 'static,
{
    case(name, proves, run).promised(|_| Ok(()))
}

/// Promises the end of access tokens.
fn ends_access_tokens(own: &FederationCapabilities) -> Result<(), String> {
    match own.liveness {
        Liveness::IdentityProvider => Ok(()),
        Liveness::Signature => {
            Err("access tokens outlive their session: the bridge's revocation list refuses them".to_owned())
        }
    }
}

/// Promises to end one session alone.
fn ends_one_session(own: &FederationCapabilities) -> Result<(), String> {
    match own.logout {
        LogoutReach::Session => Ok(()),
        LogoutReach::RefreshToken | LogoutReach::RefreshTokenOrUser => Err("no single session can be ended".to_owned()),
    }
}

/// Promises to end a login of which only the access token is shown.
fn ends_without_refresh_token(own: &FederationCapabilities) -> Result<(), String> {
    match own.logout {
        LogoutReach::Session | LogoutReach::RefreshTokenOrUser => Ok(()),
        LogoutReach::RefreshToken => Err("only a refresh token can be ended".to_owned()),
    }
}

async fn declared(scene: Scene) -> Staged<()> {
    let provider = scene.provider().await?;
    let (declared, there) = (provider.capabilities().federation().is_some(), provider.federation().is_some());
    ensure!(declared == there, "federation is declared: {declared}, and it is there: {there}");
    let staged = scene.harness().federation().is_some();
    let hint = "hint: implement `Harness::federation`, and give its providers settings of federation";
    ensure!(declared == staged, "federation is declared: {declared}, and the harness stages it: {staged}; {hint}");
    let most = scene.harness().connector_capabilities().federation().is_some();
    ensure!(most == staged, "the connector declares federation: {most}, and the harness stages it: {staged}");
    Ok(())
}

async fn switched_off(scene: Scene) -> Staged<()> {
    let provider = scene.around(scene.oauth()?.provider_without().await?);
    let (declared, there) = (provider.capabilities().federation().is_some(), provider.federation().is_some());
    ensure!(!declared && !there, "without settings federation is declared: {declared}, and it is there: {there}");
    Ok(())
}
