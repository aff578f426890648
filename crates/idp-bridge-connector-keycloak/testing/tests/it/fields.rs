//! The fields that cost further requests: logins and locks.

use idp_bridge_conformance::Harness as _;
use idp_bridge_core::{Connector as _, Fidelity, Field, IdentityProvider as _, UserId, UserKey, UserRecord};
use serde_json::json;

use crate::bench::{Stage, email, scope};
use idp_bridge_connector_keycloak::Keycloak;

const PASSWORD: &str = "Correct-Horse-7-Battery";

async fn person(stage: &Stage, name: &str) -> UserId {
    stage.create_with(name, &["c-1"], |user| user.password = Some(PASSWORD.into())).await
}

async fn log_in(stage: &Stage, name: &str, times: usize) {
    for _ in 0..times {
        assert!(stage.harness.log_in(&email(name), PASSWORD).await.unwrap());
    }
}

async fn with_logins(stage: &Stage, id: &UserId) -> UserRecord {
    let mut config = stage.harness.config();
    config.login_events = true;
    stage.harness.build(config).unwrap().get(&scope(), UserKey::Id(id)).await.unwrap()
}

#[tokio::test]
async fn logins_are_counted_if_switched_on() {
    let stage = Stage::new().await;
    let id = person(&stage, "ada").await;
    log_in(&stage, "ada", 3).await;
    let user = with_logins(&stage, &id).await;
    assert_eq!(user.logins_count, Some(3));
    assert!(user.login_time.unwrap() >= user.create_time.unwrap());
    let user = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    assert_eq!((user.logins_count, user.login_time), (None, None));
    assert_eq!(stage.provider.capabilities().field(Field::LoginTime), Fidelity::Absent);
    assert_eq!(<Keycloak as idp_bridge_core::Connector>::capabilities().field(Field::LoginTime), Fidelity::Derived);
    assert_eq!(Keycloak::TYPE, "keycloak");
}

#[tokio::test]
async fn userinfo_read_costs_one_request() {
    let stage = Stage::new().await;
    let id = person(&stage, "ada").await;
    let mut config = stage.harness.config();
    (config.login_events, config.brute_force) = (true, true);
    let provider = stage.harness.build(config).unwrap();
    let full = provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    stage.requests();
    let brief = provider.get_for_userinfo(&scope(), &id).await.unwrap();
    assert_eq!(stage.requests(), [format!("GET users/{}", id.as_str())]);
    assert_eq!((&brief.customer, &brief.email, brief.blocked), (&full.customer, &full.email, full.blocked));
    assert_eq!((full.logins_count, brief.logins_count), (Some(0), None));
}

#[tokio::test]
async fn logins_are_counted_over_pages() {
    let stage = Stage::new().await;
    let id = person(&stage, "ada").await;
    log_in(&stage, "ada", 501).await;
    assert_eq!(with_logins(&stage, &id).await.logins_count, Some(501));
}

#[tokio::test]
async fn logins_are_absent_without_events() {
    let stage = Stage::new().await;
    let id = person(&stage, "ada").await;
    for settings in [json!({"eventsEnabled": false}), json!({"eventsEnabled": true, "enabledEventTypes": ["LOGOUT"]})] {
        stage.harness.change_realm(settings).await.unwrap();
        let user = with_logins(&stage, &id).await;
        assert_eq!((user.logins_count, user.login_time), (None, None));
    }
    stage.harness.change_realm(json!({"enabledEventTypes": ["LOGIN"]})).await.unwrap();
    let user = with_logins(&stage, &id).await;
    assert_eq!((user.logins_count, user.login_time), (Some(0), None));
}

#[tokio::test]
async fn logins_are_absent_without_the_role() {
    let stage = Stage::new().await;
    let id = person(&stage, "ada").await;
    log_in(&stage, "ada", 1).await;
    for role in ["view-events", "view-realm"] {
        stage.harness.set_role(role, false).await.unwrap();
    }
    let user = with_logins(&stage, &id).await;
    assert_eq!((user.logins_count, user.login_time), (None, None));
}

#[tokio::test]
async fn locked_user_is_blocked_if_switched_on() {
    let stage = Stage::new().await;
    let id = person(&stage, "ada").await;
    let mut config = stage.harness.config();
    config.brute_force = true;
    stage.harness.detect_brute_force(true).await.unwrap();
    let with_locks = stage.harness.build(config).unwrap();
    assert_eq!(with_locks.get(&scope(), UserKey::Id(&id)).await.unwrap().blocked, Some(false));
    for _ in 0..3 {
        assert!(!stage.harness.log_in(&email("ada"), "wrong").await.unwrap());
    }
    assert_eq!(with_locks.get(&scope(), UserKey::Id(&id)).await.unwrap().blocked, Some(true));
    assert_eq!(stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap().blocked, Some(false));
}
