//! The diagnoses that a server makes by itself, at `/doctor` and on the status page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use idp_bridge_core::{CallKind, ErrorKind, Finding};
use idp_bridge_server::Tenants;
use serde_json::{Value, json};

use crate::bridge::{memory, tenant};
use crate::http::{Request, within};
use crate::metrics::Stage;
use crate::scripted::Scripted;

const INTERVAL: Duration = Duration::from_millis(30);

/// Returns the diagnoses as soon as they match.
pub(crate) async fn wait_for(stage: &Stage, query: &str, is_expected: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    within(async {
        loop {
            let answer = stage.operate(&Request::get(&format!("/doctor{query}"))).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let diagnoses = answer.json()["diagnoses"].as_array().unwrap().clone();
            if is_expected(&diagnoses) {
                return diagnoses;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn problems_are_shown_until_they_are_fixed() {
    let is_fixed = Arc::new(AtomicBool::new(false));
    let fixed = Arc::clone(&is_fixed);
    let expired = Scripted::failing(ErrorKind::Unauthenticated).with_findings(move || {
        let check = "the client <secret> is accepted";
        let first = match fixed.load(SeqCst) {
            true => Finding::ok(check, &CallKind::ALL),
            false => Finding::failed(check, &CallKind::ALL, "set `client_secret` again").with_detail("it expired"),
        };
        vec![first, Finding::ok("the realm exists", &[]), Finding::not_visible("who can write it", &[], "grant it")]
    });
    let panicking = Scripted::failing(ErrorKind::Unexpected).with_findings(|| panic!("as the script says"));
    let tenants = [tenant("acme", memory(Vec::new())), tenant("globex", panicking), tenant("initech", expired)];
    let mut current = None;
    let stage = Stage::start(tenants, |server| {
        current = Some(server.tenants());
        server.with_doctor(INTERVAL)
    })
    .await;
    let all = wait_for(&stage, "", |all| all.len() == 3).await;
    let ids: Vec<_> = all.iter().map(|one| one["tenant"].as_str().unwrap()).collect();
    assert_eq!(ids, ["initech", "globex", "acme"], "problems come first");
    assert_eq!((&all[0]["passed"], &all[0]["problems"][0]["fix"]), (&json!(1), &json!("set `client_secret` again")));
    assert_eq!(all[1]["problems"][0]["detail"], "the connector panicked");
    let page = stage.operate(&Request::get("/status")).await.body;
    for part in [
        "3 of 3 tenants checked",
        "<span class=\"bad\">2 failed</span>",
        "the client &lt;secret&gt; is accepted",
        "it expired",
        "fix: set <code>client_secret</code> again",
        "<span class=\"note\">not visible</span>: who can write it",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }

    let metrics = async || stage.operate(&Request::get("/metrics")).await.body;
    let failed = metrics().await;
    for (tenant, count) in [("acme", 0), ("globex", 1), ("initech", 1)] {
        let series = format!("idp_bridge_doctor_checks_failed{{tenant=\"{tenant}\"");
        let line = failed.lines().find(|line| line.starts_with(&series)).unwrap();
        assert!(line.ends_with(&format!(" {count}")), "{line}");
    }

    is_fixed.store(true, SeqCst);
    let one = wait_for(&stage, "?tenant=initech", |all| all[0]["passed"] == 2).await;
    assert_eq!((one.len(), one[0]["problems"].as_array().unwrap().len()), (1, 1));
    let remaining = [tenant("acme", memory(Vec::new()))];
    current.unwrap().replace(Tenants::new(remaining).unwrap(), 0);
    wait_for(&stage, "", |all| all.len() == 1).await;
    let failed = metrics().await;
    assert_eq!(failed.matches("idp_bridge_doctor_checks_failed{").count(), 1, "{failed}");
}

#[tokio::test]
async fn diagnoses_are_off_by_default() {
    let stage = Stage::start([tenant("acme", memory(Vec::new()))], |server| server).await;
    assert_eq!(stage.operate(&Request::get("/doctor")).await.verdict(), (404, "route_not_found".into()));
    let page = stage.operate(&Request::get("/status")).await.body;
    assert!(page.contains("server.doctor_interval"), "{page}");
    let stage = Stage::start([tenant("acme", memory(Vec::new()))], |server| server.with_doctor(INTERVAL)).await;
    let wrong = stage.operate(&Request::get("/doctor?all")).await;
    assert_eq!(wrong.verdict(), (400, "invalid_request".into()));
    assert_eq!(stage.bridge.send(&Request::get("/doctor")).await.status, 404, "not on the main listener");
}
