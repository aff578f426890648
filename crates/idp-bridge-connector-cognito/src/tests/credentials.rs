//! Credentials: a role that is taken on, and what it means if it is not given.

use std::collections::BTreeMap;
use std::time::Duration;

use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming};
use idp_bridge_core::{
    CallScope, Connector as _, ConnectorContext, ErrorKind, IdentityProvider as _, TenantId, UserId, UserKey,
};

use super::{Stage, scope};
use crate::fake::{Principal, Status};
use crate::{Cognito, CognitoConfig};

const ROLE: &str = "arn:aws:iam::123456789012:role/idp-bridge";

/// A token service that gives the same credentials for an hour, or an answer of the test's own.
struct Tokens(Option<Answer>);

impl Fake for Tokens {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let form: BTreeMap<String, String> = request.form().unwrap_or_default();
        let has = |name: &str, value: &str| form.get(name).is_some_and(|own| own == value);
        let is_right = has("Action", "AssumeRole") && has("RoleArn", ROLE) && has("ExternalId", "of-acme");
        match &self.0 {
            Some(answer) => answer.clone(),
            None if is_right && has("RoleSessionName", "idp-bridge-acme") => given(),
            None => refused(403, "AccessDenied"),
        }
    }
}

fn given() -> Answer {
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

/// A pool that knows the role alone, the token service that gives it, and a user.
async fn role(answer: Option<Answer>) -> (Stage, FakeServer<Tokens>, Cognito, UserId) {
    let stage = Stage::new().await;
    let id = stage.insert("ada", Status::Confirmed, "true");
    let tokens = FakeServer::start(Tokens(answer)).await.unwrap();
    let mut config = stage.harness.config();
    config.role_arn = Some(ROLE.into());
    config.external_id = Some("of-acme".into());
    config.sts_endpoint = Some(tokens.url());
    stage.fake().with(|pool| {
        let mut role = Principal::new("ASIAROLE", "s3cret-of-the-role", &["AdminGetUser"]);
        role.session_token = Some("token-of-the-role".into());
        pool.principals = vec![role];
    });
    let provider = Cognito::build(config, &context()).unwrap();
    (stage, tokens, provider, id)
}

#[tokio::test]
async fn a_role_is_taken_on_once_and_counts_for_the_call_that_needed_it() {
    let (_stage, tokens, provider, id) = role(None).await;
    for (requests, asked) in [(2, 1), (1, 0)] {
        let scope = scope();
        assert_eq!(provider.get(&scope, UserKey::Id(&id)).await.unwrap().id, id);
        assert_eq!((scope.recorder().requests(), tokens.take_exchanges().len()), (requests, asked));
    }
}

#[tokio::test]
async fn a_role_that_is_not_given_is_told_from_a_token_service_that_is_down() {
    for (answer, kind) in [
        (refused(403, "AccessDenied"), ErrorKind::Unauthenticated),
        (refused(403, "InvalidClientTokenId"), ErrorKind::Unauthenticated),
        (refused(400, "Throttling"), ErrorKind::RateLimited),
        (refused(500, "InternalFailure"), ErrorKind::Unavailable),
        (Answer::new(503, "text/html", "<h1>s3cr3t</h1>"), ErrorKind::Unavailable),
    ] {
        let (stage, _tokens, provider, id) = role(Some(answer.clone())).await;
        let error = provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:?}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        assert_eq!(stage.requests(), [""; 0]);
    }
}

#[tokio::test]
async fn a_token_service_that_nobody_can_reach_is_unavailable_or_late() {
    let (_stage, tokens, provider, id) = role(None).await;
    drop(tokens);
    let error = provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let late = CallScope::new("test", Duration::ZERO);
    assert_eq!(provider.get(&late, UserKey::Id(&id)).await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn without_keys_the_hosts_own_credentials_are_used_only_if_that_is_allowed() {
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
        // With keys of its own the tenant takes on what those keys may.
        assert!(build(role, Some(roles), true).is_ok(), "{role:?} of {roles:?}");
    }
}

#[test]
fn an_endpoint_that_the_policy_forbids_is_refused_without_a_request() {
    for endpoint in ["http://cognito.example", "https://169.254.169.254", "https://a:b@cognito.example"] {
        for of_tokens in [false, true] {
            let mut config = CognitoConfig::new("eu-west-1_AbCdEfGhI");
            config.access_key_id = Some("AKIA".into());
            config.secret_access_key = Some(idp_bridge_core::Secret::new("s"));
            let setting = if of_tokens { &mut config.sts_endpoint } else { &mut config.endpoint };
            *setting = Some(endpoint.into());
            let error = Cognito::build(config, &context()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{endpoint}");
        }
    }
}
