//! One bridge, a tenant for each identity provider: every call lands at its own tenant's, and none at another's.

// `cfg(test)` is always true here; clippy reads it as leave for the helpers, too, to unwrap.
#[cfg(test)]
mod home;
#[cfg(test)]
mod served;
#[cfg(test)]
#[expect(dead_code, reason = "the black box tests use the rest of it")]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tap;

use serde_json::{Value, json};

use crate::home::{CUSTOMER, EMAIL};
use crate::served::Served;

/// All seven calls for a tenant's user; the last one deletes it.
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
fn every_call_lands_at_its_own_tenants_identity_provider_and_at_no_other() {
    let served = Served::new();
    for home in &served.homes {
        for (kind, data) in calls(home.user.as_str()) {
            let (reply, asked) = served.call(home, home, kind, &data);
            assert_eq!((reply.status, asked), (200, vec![home.tenant]), "{} {kind}: {reply:?}", home.tenant);
            if kind.starts_with("users.get") {
                let user = reply.json()["user"].clone();
                assert_eq!((&user["tenant"], &user["id"]), (&json!(home.tenant), &json!(home.user.as_str())));
            }
        }
    }
}

#[test]
fn no_tenants_key_or_id_opens_another_tenant() {
    let served = Served::new();
    for by in &served.homes {
        for to in served.homes.iter().filter(|to| to.tenant != by.tenant) {
            for (kind, data) in calls(to.user.as_str()) {
                let (reply, asked) = served.call(by, to, kind, &data);
                let refused = (reply.problem(), asked);
                assert_eq!(refused, ((401, "invalid_signature".into()), vec![]), "{} {} {kind}", by.tenant, to.tenant);
            }
            let id = json!({"id": by.user.as_str()});
            let (reply, asked) = served.call(to, to, "users.get_by_id", &id);
            assert_eq!(reply.problem(), (404, "user_not_found".into()), "{} {}", by.tenant, to.tenant);
            assert!(!asked.contains(&by.tenant), "{asked:?}");
        }
    }
}
