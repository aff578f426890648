//! Credentials at identity providers with two origins.

use idp_bridge_core::CallKind;

use crate::bullet::every;
use crate::case::{Case, case};
use crate::context::{CaseContext, ensure};
use crate::proxy::Proxy;
use crate::{Need, Setup, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let name = "origins::the_second_origin_gets_no_credential_of_the_first";
    vec![
        case(name, &[every::ORIGIN], second_origin)
            .calls(&[CallKind::GetById])
            .needs(&[Need::Upstream, Need::SecondOrigin]),
    ]
}

async fn second_origin(context: CaseContext) -> TestResult<()> {
    let own = context.harness().second_origin().await?;
    let first = Proxy::start(&context.harness().upstream().await?).await?;
    let second = Proxy::start(&own.url).await?;
    let provider = context.provider_with(Setup::AtTwo(&first.base_url(), &second.base_url())).await?;
    for kind in CallKind::ALL.into_iter().filter(|kind| provider.supports(*kind)) {
        let ada = context.person_for(kind, kind.as_str().rsplit('.').next().unwrap_or_default()).await?;
        provider.run(ada.call(kind)).await?.succeeds()?;
    }
    provider.diagnose().await?;
    ensure!(second.requests() > 0, "no request arrived at the second origin, so nothing was tested");
    let mut credentials = first.authorizations();
    ensure!(!credentials.is_empty() || !own.credentials.is_empty(), "no credential was seen, so nothing was tested");
    credentials.extend(own.credentials);
    let leaked = second.received().iter().any(|text| credentials.iter().any(|own| text.contains(own.as_str())));
    ensure!(!leaked, "a credential of the first origin was sent to the second");
    Ok(())
}
