//! Tests of the isolation between tenants of one bridge, with one tenant for each identity provider.

#[expect(dead_code, reason = "the table of faults uses the rest of it")]
mod home;
mod served;

use serde_json::{Value, json};

use self::home::{CUSTOMER, EMAIL};
use self::served::Served;

/// Returns all seven calls for a user. The last one deletes it.
fn calls(user: &str) -> [(&'static str, Value); 7] {
    [
        ("users.get_by_id", json!({"id": user})),
        ("users.get_by_email", json!({"email": EMAIL})),
        ("users.get_by_customer", json!({"customer": CUSTOMER})),
        ("users.send_verification_email", json!({"id": user})),
        ("users.send_password_reset_email", json!({"email": EMAIL})),
        ("users.mark_email_verified", json!({"id": user, "email": EMAIL})),
        ("users.delete", json!({"id": user})),
    ]
}

#[test]
fn calls_reach_own_identity_provider_only() {
    let served = Served::new();
    for home in &served.homes {
        for (kind, data) in calls(home.user.as_str()) {
            let (reply, reached) = served.call(home, home, kind, &data);
            assert_eq!((reply.status, reached), (200, vec![home.tenant]), "{} {kind}: {reply:?}", home.tenant);
            if kind.starts_with("users.get") {
                let user = reply.json()["user"].clone();
                assert_eq!((&user["tenant"], &user["id"]), (&json!(home.tenant), &json!(home.user.as_str())));
            }
        }
    }
}

#[test]
fn keys_and_ids_are_valid_for_one_tenant() {
    let served = Served::new();
    for by in &served.homes {
        for to in served.homes.iter().filter(|to| to.tenant != by.tenant) {
            for (kind, data) in calls(to.user.as_str()) {
                let (reply, reached) = served.call(by, to, kind, &data);
                let refused = (reply.problem(), reached);
                assert_eq!(refused, ((401, "invalid_signature".into()), vec![]), "{} {} {kind}", by.tenant, to.tenant);
            }
            let id = json!({"id": by.user.as_str()});
            let (reply, reached) = served.call(to, to, "users.get_by_id", &id);
            assert_eq!(reply.problem(), (404, "user_not_found".into()), "{} {}", by.tenant, to.tenant);
            assert!(!reached.contains(&by.tenant), "{reached:?}");
        }
    }
}
