//! Tests of an outage of Keycloak.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{Lab, alone};
use crate::support::bridge::{Bridge, until};
use crate::support::http::Request;

/// The default deadline, which the lab's configuration does not change.
const DEADLINE: Duration = Duration::from_secs(4);

fn all_calls(person: &crate::keycloak::Person) -> [(&'static str, Value); 7] {
    [
        ("users.get_by_id", json!({"id": person.id})),
        ("users.get_by_email", json!({"email": person.email})),
        ("users.get_by_customer", json!({"customer": person.customer})),
        ("users.mark_email_verified", json!({"id": person.id})),
        ("users.send_verification_email", json!({"id": person.id})),
        ("users.send_password_reset_email", json!({"email": person.email})),
        ("users.delete", json!({"id": person.id})),
    ]
}

#[test]
fn outage_is_reported_and_recovers_quickly() {
    let _alone = alone();
    let lab = Lab::get_running();
    let bridge = lab.serve();
    let person = lab.new_person();
    let ready = || Request::get("/readyz").send(bridge.address()).status;
    assert_eq!(call(&lab, &bridge, "users.get_by_id", json!({"id": person.id})), 200);

    lab.stop_keycloak();
    for (kind, data) in all_calls(&person) {
        let begun = Instant::now();
        // `problem` checks the `retry-after` of a 503.
        let problem = lab.signer().call(kind, data).send(bridge.address()).problem();
        let took = begun.elapsed();
        assert!(
            matches!((problem.0, problem.1.as_str()), (503, "upstream_unavailable") | (504, "deadline_exceeded")),
            "{kind}: {problem:?}"
        );
        assert!(took < DEADLINE + Duration::from_secs(1), "{kind} took {took:?}");
        assert_eq!(ready(), 200, "an outage does not affect readiness");
        println!("{kind}: {problem:?} after {took:?}");
    }

    lab.start_keycloak();
    lab.wait_for_keycloak();
    let back = Instant::now();
    let worked = until(|| (call(&lab, &bridge, "users.get_by_id", json!({"id": person.id})) == 200).then(Instant::now));
    let pause = worked.unwrap() - back;
    println!("calls work {pause:?} after Keycloak's return");
    assert!(pause < Duration::from_secs(3), "{pause:?}");
    for (kind, data) in all_calls(&person) {
        assert_eq!(call(&lab, &bridge, kind, data), 200, "{kind}");
    }
    assert_eq!(lab.person(&person.id), None);
}

fn call(lab: &Lab, bridge: &Bridge, kind: &str, data: Value) -> u16 {
    lab.signer().call(kind, data).send(bridge.address()).status
}
