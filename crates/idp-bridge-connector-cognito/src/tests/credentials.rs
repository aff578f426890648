//! Credentials: assumed roles, the host's credentials, and endpoints.

use std::collections::BTreeMap;
use std::time::Duration;

use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming};
use idp_bridge_core::{
    CallScope, Connector as _, ConnectorContext, Directory, ErrorKind, IdentityProvider as _, TenantId, UserId, UserKey,
};

use super::{Stage, scope};
use crate::fake::{Principal, Status};
use crate::{Cognito, CognitoConfig, CognitoStore};

const ROLE: &str = "arn:aws:iam::123456789012:role/idp-bridge";

/// A fake token service that issues credentials for the right role, or returns the given answer.
struct FakeSts(Option<Answer>);

impl Fake for FakeSts {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let form: BTreeMap<String, String> = request.form().unwrap_or_default();
        let has = |name: &str, value: &str| form.get(name).is_some_and(|own| own == value);
        let is_right = has("Action", "AssumeRole") && has("RoleArn", ROLE) && has("ExternalId", "of-acme");
        match &self.0 {
            Some(answer) => answer.clone(),
            None if is_right && has("RoleSessionName", "idp-bridge-acme") => issued(),
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

fn context() -> ConnectorContext {
    ConnectorContext::new(TenantId::new("acme").unwrap())
}

/// A pool that accepts only the role, its token service, a provider, and a user.
struct RoleStage {
    stage: Stage,
    sts: FakeServer<FakeSts>,
    provider: Directory<CognitoStore>,
    id: UserId,
}

async fn role_stage(answer: Option<Answer>) -> RoleStage {
    let stage = Stage::new().await;
    let id = stage.insert("ada", Status::Confirmed, "true");
    let sts = FakeServer::start(FakeSts(answer)).await.unwrap();
    let mut config = stage.harness.config();
    config.role_arn = Some(ROLE.into());
    config.external_id = Some("of-acme".into());
    config.sts_endpoint = Some(sts.url());
    stage.fake().with(|pool| {
        let mut role = Principal::new("ASIAROLE", "s3cret-of-the-role", &["AdminGetUser"]);
        role.session_token = Some("token-of-the-role".into());
        pool.principals = vec![role];
    });
    let provider = Cognito::build(config, &context()).unwrap();
    RoleStage { stage, sts, provider, id }
}

#[tokio::test]
async fn role_is_assumed_once() {
    let RoleStage { stage: _stage, sts, provider, id } = role_stage(None).await;
    for (requests, assumed) in [(2, 1), (1, 0)] {
        let scope = scope();
        assert_eq!(provider.get(&scope, UserKey::Id(&id)).await.unwrap().id, id);
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
        let RoleStage { stage, sts: _sts, provider, id } = role_stage(Some(answer.clone())).await;
        let error = provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:?}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        assert_eq!(stage.requests(), [""; 0]);
    }
}

#[tokio::test]
async fn unreachable_token_service_is_unavailable() {
    let RoleStage { stage: _stage, sts, provider, id } = role_stage(None).await;
    drop(sts);
    let error = provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let late = CallScope::new("test", Duration::ZERO);
    assert_eq!(provider.get(&late, UserKey::Id(&id)).await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn host_credentials_need_permission() {
    let config = CognitoConfig::new("eu-west-1_AbCdEfGhI");
    let error = Cognito::build(config.clone(), &context()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().unwrap().contains("access_key_id"), "{error:?}");
    let mut allowed = context();
    allowed.host_credentials = true;
    assert_eq!(Cognito::build(config, &allowed).is_ok(), cfg!(feature = "default-chain"));
}

#[test]
fn host_credentials_serve_listed_roles_only() {
    let build = |role: Option<&str>, roles: Option<&[&str]>, own_keys: bool| {
        let mut config = CognitoConfig::new("eu-west-1_AbCdEfGhI");
        config.role_arn = role.map(str::to_owned);
        if own_keys {
            config.access_key_id = Some("AKIA".into());
            config.secret_access_key = Some(idp_bridge_core::Secret::new("s"));
        }
        let mut context = context();
        context.host_credentials = true;
        context.host_roles = roles.map(|roles| roles.iter().map(|role| (*role).to_owned()).collect());
        Cognito::build(config, &context).map(drop)
    };
    let other = "arn:aws:iam::123456789012:role/of-another-tenant";
    for (role, roles) in [(Some(ROLE), Some(&[ROLE][..])), (Some(other), None), (None, None)] {
        assert_eq!(build(role, roles, false).is_ok(), cfg!(feature = "default-chain"), "{role:?} of {roles:?}");
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
        for is_sts in [false, true] {
            let mut config = CognitoConfig::new("eu-west-1_AbCdEfGhI");
            config.access_key_id = Some("AKIA".into());
            config.secret_access_key = Some(idp_bridge_core::Secret::new("s"));
            let setting = if is_sts { &mut config.sts_endpoint } else { &mut config.endpoint };
            *setting = Some(endpoint.into());
            let error = Cognito::build(config, &context()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{endpoint}");
        }
    }
}
