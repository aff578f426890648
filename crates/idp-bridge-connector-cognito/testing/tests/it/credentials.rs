//! Credentials: assumed roles, the host's credentials, and endpoints.

use std::time::Duration;

use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming};
use idp_bridge_conformance::fixture::scope;
use idp_bridge_connector_cognito::{Cognito, CognitoConfig};
use idp_bridge_connector_cognito_testing::fake::{Principal, Status};
use idp_bridge_core::{
    CallScope, Connector as _, ConnectorContext, Error, ErrorKind, IdentityProvider as _, Result, Secret, TenantId,
    UserId, UserKey,
};

use crate::bench::Bench;

const ROLE: &str = "arn:aws:iam::123456789012:role/idp-bridge";

/// A fake token service that issues credentials for the right role, or returns the given answer.
struct FakeSts(Option<Answer>);

impl Fake for FakeSts {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let form = request.form().unwrap_or_default();
        let right = [
            ("Action", "AssumeRole"),
            ("RoleArn", ROLE),
            ("ExternalId", "of-acme"),
            ("RoleSessionName", "idp-bridge-conformance"),
        ];
        match &self.0 {
            Some(answer) => answer.clone(),
            None if right.iter().all(|(name, value)| form.get(*name).is_some_and(|own| own == value)) => issued(),
            None => refused(403, "AccessDenied"),
        }
    }
}

fn issued() -> Answer {
    let body = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
        <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s3cret-of-the-role</SecretAccessKey>\
        <SessionToken>token-of-the-role</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
        </Credentials></AssumeRoleResult></AssumeRoleResponse>";
    Answer::new(200, "text/xml", body)
}

fn refused(status: u16, code: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>s3cr3t</Message></Error>");
    Answer::new(status, "text/xml", format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"))
}

/// Returns a pool that accepts only the role, a user in it, and the token service.
async fn role_bench(answer: Option<Answer>) -> (Bench, UserId, FakeServer<FakeSts>) {
    let mut bench = Bench::new().await;
    let id = bench.insert("ada", Status::Confirmed, "true");
    let sts = FakeServer::start(FakeSts(answer)).await.unwrap();
    bench.rebuild(|config, _| {
        config.role_arn = Some(ROLE.into());
        config.external_id = Some("of-acme".into());
        config.sts_endpoint = Some(sts.url());
    });
    bench.fake().with(|pool| {
        let mut role = Principal::new("ASIAROLE", "s3cret-of-the-role", &["AdminGetUser"]);
        role.session_token = Some("token-of-the-role".into());
        pool.principals = vec![role];
    });
    (bench, id, sts)
}

#[tokio::test]
async fn role_is_assumed_once() {
    let (bench, id, sts) = role_bench(None).await;
    for (requests, assumed) in [(2, 1), (1, 0)] {
        let scope = scope();
        assert_eq!(bench.provider.get(&scope, UserKey::Id(&id)).await.unwrap().id, id);
        assert_eq!((scope.recorder().requests(), sts.take_exchanges().len()), (requests, assumed));
    }
}

#[tokio::test]
async fn refused_role_and_outage_differ() {
    for (answer, kind) in [
        (refused(403, "AccessDenied"), ErrorKind::Unauthenticated),
        (refused(403, "InvalidClientTokenId"), ErrorKind::Unauthenticated),
        (refused(400, "Throttling"), ErrorKind::RateLimited),
        (refused(500, "InternalFailure"), ErrorKind::Unavailable),
        (Answer::new(503, "text/html", "<h1>s3cr3t</h1>"), ErrorKind::Unavailable),
    ] {
        let (bench, id, _sts) = role_bench(Some(answer.clone())).await;
        let error = bench.provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:?}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        assert_eq!(bench.requests(), [""; 0]);
    }
}

#[tokio::test]
async fn unreachable_token_service_is_unavailable() {
    let (bench, id, sts) = role_bench(None).await;
    drop(sts);
    assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap_err(), ErrorKind::Unavailable);
    let late = CallScope::new("test", Duration::ZERO);
    assert_eq!(bench.provider.get(&late, UserKey::Id(&id)).await.unwrap_err().kind(), ErrorKind::Timeout);
}

/// Builds a provider without a pool, with an access key if wanted.
fn build(
    with_key: bool,
    change: impl FnOnce(&mut CognitoConfig),
    allow: impl FnOnce(&mut ConnectorContext),
) -> Result<(), Error> {
    let mut config = CognitoConfig::new("eu-west-1_AbCdEfGhI");
    if with_key {
        (config.access_key_id, config.secret_access_key) = (Some("AKIA".into()), Some(Secret::new("s")));
    }
    change(&mut config);
    let mut context = ConnectorContext::new(TenantId::new("acme").unwrap());
    allow(&mut context);
    Cognito::build(config, &context).map(drop)
}

#[test]
fn host_credentials_need_permission() {
    let error = build(false, |_| {}, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().unwrap().contains("access_key_id"), "{error:?}");
    let allowed = build(false, |_| {}, |context| context.host_credentials = true);
    assert_eq!(allowed.is_ok(), supports_host_credentials());
}

/// Returns whether the connector was built with the feature `default-chain`, by its hint.
fn supports_host_credentials() -> bool {
    let error = build(false, |_| {}, |_| {}).unwrap_err();
    !error.hint().unwrap().contains("does not support the host's credentials")
}

#[test]
fn host_credentials_serve_listed_roles_only() {
    let build = |role: Option<&str>, roles: Option<&[&str]>, own_keys: bool| {
        let roles = roles.map(|roles| roles.iter().map(|role| (*role).to_owned()).collect());
        build(
            own_keys,
            |config| config.role_arn = role.map(str::to_owned),
            |context| (context.host_credentials, context.host_roles) = (true, roles),
        )
    };
    let other = "arn:aws:iam::123456789012:role/of-another-tenant";
    for (role, roles) in [(Some(ROLE), Some(&[ROLE][..])), (Some(other), None), (None, None)] {
        assert_eq!(build(role, roles, false).is_ok(), supports_host_credentials(), "{role:?} of {roles:?}");
    }
    for (role, roles) in [(Some(other), &[ROLE][..]), (Some(ROLE), &[]), (None, &[ROLE]), (None, &[])] {
        let error = build(role, Some(roles), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.hint().unwrap().contains("`server.aws_roles`"), "{error:?}");
        // With its own keys the tenant assumes any role that they allow.
        assert!(build(role, Some(roles), true).is_ok(), "{role:?} of {roles:?}");
    }
}

#[test]
fn forbidden_endpoints_are_rejected() {
    for endpoint in ["http://cognito.example", "https://169.254.169.254", "https://a:b@cognito.example"] {
        let settings: [fn(&mut CognitoConfig) -> &mut Option<String>; 2] =
            [|config| &mut config.endpoint, |config| &mut config.sts_endpoint];
        for setting in settings {
            let error = build(true, |config| *setting(config) = Some(endpoint.into()), |_| {}).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{endpoint}");
        }
    }
}
