//! Mails: their links and failures.

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{ErrorKind, IdentityProvider as _, Outcome};

use crate::bench::{Stage, email, scope};

#[tokio::test]
async fn links_follow_the_settings() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let mut config = stage.harness.config();
    config.email_client_id = Some("application".into());
    config.email_redirect_uri = Some("https://app.example/welcome?a=b&c".into());
    config.email_link_lifespan = Some(SignedDuration::from_hours(2));
    let provider = stage.harness.build(config).unwrap();
    provider.send_verification_email(&scope(), &id).await.unwrap();
    provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap();
    let mails = stage.fake.mails();
    let orders: Vec<&str> = mails.iter().map(|mail| mail.order.as_str()).collect();
    assert_eq!(orders, ["send-verify-email", "execute-actions-email"]);
    for mail in &mails {
        assert_eq!(mail.to, "ada@acme.example");
        assert_eq!(mail.options["client_id"], "application");
        assert_eq!(mail.options["redirect_uri"], "https://app.example/welcome?a=b&c");
        assert_eq!(mail.options["lifespan"], "7200");
    }
}

#[tokio::test]
async fn refused_link_is_misconfigured() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    for (client, redirect) in [("no-such-client", None), ("application", Some("https://evil.example/"))] {
        let mut config = stage.harness.config();
        config.email_client_id = Some(client.into());
        config.email_redirect_uri = redirect.map(Into::into);
        let provider = stage.harness.build(config).unwrap();
        let scope = scope();
        let error = provider.send_verification_email(&scope, &id).await.unwrap_err();
        assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Misconfigured, Outcome::NotApplied));
    }
}
