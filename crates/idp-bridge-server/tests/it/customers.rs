//! Users without a customer (section 2), under both rules.

use idp_bridge_connector_memory::{Customers, Memory, MemoryUser};
use idp_bridge_core::{CallKind, Capabilities, CustomerId, Directory, Email, ErrorKind, Support, UserId};
use idp_bridge_server::CustomerMissing;
use serde_json::{Value, json};

use crate::bridge::{Bridge, memory, tenant};
use crate::scripted::{ProviderCall, Returned, Scripted, record, upstream};

fn user(id: &str, customers: &[&str]) -> MemoryUser {
    let customers = customers.iter().map(|customer| CustomerId::new(*customer).unwrap()).collect();
    MemoryUser {
        customer: Customers::List(customers),
        email: Some(Email::new(format!("{id}@acme.example")).unwrap()),
        ..MemoryUser::new(UserId::new(id).unwrap())
    }
}

/// Returns users with every kind of customer. The customer of `with` is the id of `own`.
fn users() -> Directory<Memory> {
    memory(vec![
        user("own", &[]),
        user("with", &["c-1"]),
        user("several", &["c-2", "c-3"]),
        user("shadow", &["taken"]),
        user("taken", &[]),
    ])
}

async fn bridge(missing: CustomerMissing) -> Bridge {
    let mut acme = tenant("acme", users());
    acme.customer_missing = missing;
    Bridge::start([acme]).await
}

async fn found(bridge: &Bridge, kind: &str, data: Value) -> Result<(String, String), (u16, String)> {
    let answer = bridge.call(kind, data).await;
    if answer.status != 200 {
        return Err(answer.verdict());
    }
    let text = |name: &str| answer.json()["user"][name].as_str().unwrap().to_owned();
    Ok((text("id"), text("customer")))
}

#[tokio::test]
async fn reject_rule_hides_users_without_customer() {
    let bridge = bridge(CustomerMissing::Reject).await;
    let by_id = |id: &str| json!({"id": id});
    let incomplete = Err((409, "user_incomplete".into()));
    assert_eq!(found(&bridge, "users.get_by_id", by_id("own")).await, incomplete);
    assert_eq!(found(&bridge, "users.get_by_email", json!({"email": "own@acme.example"})).await, incomplete);
    assert_eq!(found(&bridge, "users.get_by_id", by_id("with")).await, Ok(("with".into(), "c-1".into())));
    assert_eq!(found(&bridge, "users.get_by_id", by_id("several")).await, Err((409, "ambiguous_user".into())));
    let by_customer = found(&bridge, "users.get_by_customer", json!({"customer": "own"})).await;
    assert_eq!(by_customer, Err((404, "user_not_found".into())));
}

#[tokio::test]
async fn use_id_rule_finds_users_by_id() {
    let bridge = bridge(CustomerMissing::UseId).await;
    let not_found = || Err((404, "user_not_found".to_owned()));
    let pair = |id: &str, customer: &str| Ok((id.to_owned(), customer.to_owned()));
    for (customer, expected) in [
        ("own", pair("own", "own")),
        ("c-1", pair("with", "c-1")),
        // The attribute has priority over an equal id.
        ("taken", pair("shadow", "taken")),
        // The id of a user with customers is not a customer.
        ("with", not_found()),
        ("several", not_found()),
        ("c-2", Err((409, "ambiguous_user".into()))),
        ("OWN", not_found()),
        ("unknown", not_found()),
    ] {
        let answer = found(&bridge, "users.get_by_customer", json!({"customer": customer})).await;
        assert_eq!(answer, expected, "{customer}");
    }
    assert_eq!(found(&bridge, "users.get_by_id", json!({"id": "own"})).await, pair("own", "own"));
    let by_email = found(&bridge, "users.get_by_email", json!({"email": "own@acme.example"})).await;
    assert_eq!(by_email, pair("own", "own"));
    assert_eq!(found(&bridge, "users.get_by_id", json!({"id": "with"})).await, pair("with", "c-1"));
}

async fn second_look(then: impl Fn() -> idp_bridge_core::Result<Returned> + Send + Sync + 'static) -> (u16, String) {
    let provider = Scripted::at_once(move |asked| match asked {
        ProviderCall::Customer(_) => Err(upstream(ErrorKind::NotFound)),
        _ => then(),
    });
    let mut acme = tenant("acme", provider);
    acme.customer_missing = CustomerMissing::UseId;
    let bridge = Bridge::start([acme]).await;
    bridge.call("users.get_by_customer", json!({"customer": "c/1"})).await.verdict()
}

#[tokio::test]
async fn second_lookup_preserves_errors() {
    let not_found = (404, "user_not_found".into());
    assert_eq!(second_look(|| Err(upstream(ErrorKind::NotFound))).await, not_found);
    assert_eq!(second_look(|| Err(upstream(ErrorKind::InvalidInput))).await, not_found);
    assert_eq!(second_look(|| Err(upstream(ErrorKind::Unavailable))).await, (503, "upstream_unavailable".into()));
    let other = second_look(|| Ok(Returned::User(record("c", "c", "a@b")))).await;
    assert_eq!(other, (502, "upstream_invalid_response".into()));
}

#[tokio::test]
async fn no_second_lookup_without_get_by_id() {
    let provider = Scripted::failing(ErrorKind::NotFound)
        .with(Capabilities::all().with_call(CallKind::GetById, Support::unsupported("no")));
    let mut acme = tenant("acme", provider.clone());
    acme.customer_missing = CustomerMissing::UseId;
    let bridge = Bridge::start([acme]).await;
    assert_eq!(bridge.call("users.get_by_customer", json!({"customer": "c"})).await.status, 404);
    assert_eq!(provider.calls(), 1);
}
