//! The setup of a tenant with an operator's token.

use idp_bridge_conformance::fixture::scope;
use idp_bridge_connector_auth0::setup::{ResetMails, SCOPES, SetUpTenant, TOKEN_SCOPES, TenantSetup};
use idp_bridge_connector_auth0_testing::fake::{Application, FakeAuth0, Tenant};
use idp_bridge_core::{ConnectorContext, Error, ErrorKind, Secret, TenantId};

fn setup(fake: &FakeAuth0) -> TenantSetup {
    TenantSetup {
        domain: FakeAuth0::DOMAIN.into(),
        endpoint: Some(fake.url()),
        application: "idp-bridge".into(),
        connection: None,
        email_client_id: None,
    }
}

async fn run(setup: &TenantSetup, token: &str) -> Result<SetUpTenant, Error> {
    let context = ConnectorContext::new(TenantId::new("acme").unwrap());
    setup.discover(&context, &scope()).await?;
    setup.run(&Secret::new(token), &context, &scope()).await
}

/// Returns a tenant with a database and an application for users, and an operator's token.
async fn tenant() -> (FakeAuth0, String) {
    let fake = FakeAuth0::start().await.unwrap();
    let token = fake.with(|tenant| {
        tenant.connections.extend([("Users".into(), "auth0".into()), ("google".into(), "google-oauth2".into())]);
        tenant.applications.push(Application::public("app-of-users"));
        tenant.issue_operator_token(&TOKEN_SCOPES)
    });
    (fake, token)
}

fn created(done: &SetUpTenant) -> usize {
    done.steps.iter().filter(|step| step.is_created).count()
}

#[tokio::test]
async fn new_application_gets_its_scopes_once() {
    let (fake, token) = tenant().await;
    let first = run(&setup(&fake), &token).await.unwrap();
    assert_eq!((created(&first), first.steps.len()), (1 + SCOPES.len(), 2 + SCOPES.len()));
    let mails = ResetMails { connection: "Users".into(), email_client_id: "app-of-users".into() };
    assert_eq!(first.mails, Some(mails));
    fake.with(|tenant| {
        let application = tenant.applications.iter().find(|own| own.client_id == first.client_id).unwrap();
        assert_eq!(application.secret.as_deref(), Some(first.client_secret.expose()));
        assert_eq!(application.scopes, Some(SCOPES.map(str::to_owned).into()));
    });
    let again = run(&setup(&fake), &token).await.unwrap();
    assert_eq!((created(&again), &again.client_id), (0, &first.client_id));
    assert_eq!(again.client_secret.expose(), first.client_secret.expose());
    fake.with(|tenant| tenant.set_scope(&first.client_id, "delete:users", false));
    let token = fake.with(|tenant| tenant.issue_operator_token(&TOKEN_SCOPES));
    let mended = run(&setup(&fake), &token).await.unwrap();
    let new: Vec<_> = mended.steps.iter().filter(|step| step.is_created).map(|step| step.part.as_str()).collect();
    assert_eq!(new, ["the scope `delete:users`"]);
}

#[tokio::test]
async fn several_candidates_for_mails_need_a_choice() {
    let (fake, token) = tenant().await;
    fake.with(|tenant| tenant.connections.insert("Staff".into(), "auth0".into()));
    assert_eq!(run(&setup(&fake), &token).await.unwrap().mails, None);
    let chosen = TenantSetup { connection: Some("Staff".into()), ..setup(&fake) };
    assert_eq!(run(&chosen, &token).await.unwrap().mails.unwrap().connection, "Staff");
    for wrong in [
        TenantSetup { connection: Some("google".into()), ..setup(&fake) },
        TenantSetup { email_client_id: Some("absent".into()), ..chosen },
    ] {
        assert_eq!(run(&wrong, &token).await.unwrap_err().kind(), ErrorKind::Misconfigured);
    }
}

#[tokio::test]
async fn unsuitable_applications_are_refused() {
    type Change = fn(&mut Tenant);
    let changes: [Change; 2] = [
        |tenant| {
            let mut application = Application::web("other", "s");
            application.name = "idp-bridge".into();
            tenant.applications.push(application);
        },
        |tenant| {
            for id in ["one", "two"] {
                let mut application = Application::machine(id, "s", &[]);
                application.name = "idp-bridge".into();
                tenant.applications.push(application);
            }
        },
    ];
    for change in changes {
        let (fake, token) = tenant().await;
        fake.with(change);
        let error = run(&setup(&fake), &token).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.hint().unwrap().contains("--application"), "{error}");
    }
}

#[tokio::test]
async fn wrong_domain_and_token_are_explained() {
    let (fake, _) = tenant().await;
    let other = TenantSetup { domain: "login.acme.example".into(), ..setup(&fake) };
    let error = run(&other, "any").await.unwrap_err();
    assert!(error.hint().unwrap().contains("no custom domain"), "{error}");
    let refused = run(&setup(&fake), "expired").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
    for missing in TOKEN_SCOPES.iter().filter(|scope| **scope != "update:client_grants") {
        let (fake, _) = tenant().await;
        let scopes: Vec<&str> = TOKEN_SCOPES.iter().filter(|scope| *scope != missing).copied().collect();
        let all = fake.with(|tenant| tenant.issue_operator_token(&TOKEN_SCOPES));
        if *missing == "read:client_keys" {
            run(&setup(&fake), &all).await.unwrap();
        }
        let token = fake.with(|tenant| tenant.issue_operator_token(&scopes));
        let refused = run(&setup(&fake), &token).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{missing}");
        assert!(refused.hint().unwrap().contains(missing), "{refused}");
    }
}
