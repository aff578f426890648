//! `/metrics`: the text format, the values, and the tenants of a reload.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU32;

use idp_bridge_connector_memory::sample_users;
use idp_bridge_server::{Server, Tenant, Tenants};
use serde_json::json;

use crate::bridge::{Bridge, envelope, limits, memory, signed, tenant};
use crate::http::{Answer, Connection, Request};

/// A bridge with its listener for operators.
pub(crate) struct Stage {
    pub(crate) bridge: Bridge,
    pub(crate) probes: SocketAddr,
}

impl Stage {
    pub(crate) async fn start(
        tenants: impl IntoIterator<Item = Tenant>,
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let probes = listener.local_addr().unwrap();
        let bridge = Bridge::with_server(tenants, limits(), |server| change(server.with_probes(listener))).await;
        Self { bridge, probes }
    }

    async fn with_samples() -> Self {
        Self::start([tenant("acme", memory(sample_users()))], |server| server).await
    }

    pub(crate) async fn operate(&self, request: &Request) -> Answer {
        Connection::open(self.probes).await.send(request).await
    }

    async fn metrics(&self) -> Metrics {
        let answer = self.operate(&Request::get("/metrics")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let media_type = answer.header("content-type").unwrap();
        assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        Metrics::parse(&answer.body)
    }
}

/// The metrics of a text that is valid in the format of OpenMetrics.
struct Metrics {
    /// The type of each family.
    families: BTreeMap<String, String>,
    /// The samples with their names and labels.
    samples: BTreeMap<String, f64>,
    text: String,
}

impl Metrics {
    fn parse(text: &str) -> Self {
        let (mut families, mut samples, mut current) = (BTreeMap::new(), BTreeMap::new(), String::new());
        let lines = text.strip_suffix("# EOF\n").expect("the text ends with its mark");
        for line in lines.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let [word, name, rest] = comment.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
                match word {
                    "HELP" => assert!(!families.contains_key(name), "{name} is one block"),
                    "TYPE" => {
                        current = name.to_owned();
                        families.insert(name.to_owned(), rest.to_owned());
                    }
                    _ => assert_eq!((word, name.ends_with(rest)), ("UNIT", true), "{line}"),
                }
                continue;
            }
            let sample = line.split(" # ").next().unwrap();
            let (series, value) = sample.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("{line} is not of {current}"));
            let allowed: &[&str] = match families[&current].as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => panic!("unknown type {other}"),
            };
            assert!(allowed.contains(&suffix), "{line}");
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{series} is there twice");
        }
        Self { families, samples, text: text.to_owned() }
    }

    fn value(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }

    fn series_of(&self, tenant: &str) -> usize {
        self.samples.keys().filter(|series| series.contains(&format!("tenant=\"{tenant}\""))).count()
    }
}

fn calls(tenant: &str, connector: &str, call: &str, code: &str) -> String {
    format!("idp_bridge_calls_total{{tenant=\"{tenant}\",connector=\"{connector}\",call=\"{call}\",code=\"{code}\"}}")
}

#[tokio::test]
async fn calls_are_counted_by_tenant_and_code() {
    let stage = Stage::with_samples().await;
    for id in ["u-1", "u-1", "missing"] {
        stage.bridge.call("users.get_by_id", json!({"id": id})).await;
    }
    stage.bridge.call("users.delete", json!({"id": "u-2"})).await;
    let call = signed(&envelope("users.get_by_id", json!({"id": "u-1"})));
    stage.bridge.send(&call.clone().body("{}")).await;
    let mut elsewhere = call;
    elsewhere.target = "/v1/tenants/unknown/webhook".into();
    stage.bridge.send(&elsewhere).await;
    let metrics = stage.metrics().await;
    for (series, value) in [
        (calls("acme", "memory", "users.get_by_id", "ok"), 2.0),
        (calls("acme", "memory", "users.get_by_id", "user_not_found"), 1.0),
        (calls("", "", "webhook", "invalid_signature"), 2.0),
        ("idp_bridge_call_duration_seconds_count{connector=\"memory\",call=\"users.get_by_id\"}".into(), 3.0),
        ("idp_bridge_store_operations_total{operation=\"begin_write\",result=\"ok\"}".into(), 1.0),
        ("idp_bridge_tenants".into(), 1.0),
        ("idp_bridge_calls_in_flight".into(), 0.0),
    ] {
        assert_eq!(metrics.value(&series), Some(value), "{series}\n{}", metrics.text);
    }
    assert!(!metrics.text.contains("unknown\""), "a path cannot create a series");
}

#[tokio::test]
async fn trace_ids_are_exemplars() {
    let stage = Stage::with_samples().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let call = signed(&envelope("users.get_by_id", json!({"id": "u-1"})));
    stage.bridge.send(&call.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))).await;
    let metrics = stage.metrics().await;
    assert_eq!(metrics.text.matches(&format!("# {{trace_id=\"{trace}\"}}")).count(), 1, "{}", metrics.text);
}

#[tokio::test]
async fn refused_calls_are_counted_by_limit() {
    let mut limited = tenant("acme", memory(sample_users()));
    limited.limits.calls_per_second = NonZeroU32::new(1);
    let stage = Stage::start([limited], |server| server).await;
    let mut refused = 0.0;
    for _ in 0..3 {
        let answer = stage.bridge.call("users.get_by_id", json!({"id": "u-1"})).await;
        refused += f64::from(u8::from(answer.status == 429));
    }
    let metrics = stage.metrics().await;
    assert!(refused > 0.0);
    assert_eq!(metrics.value("idp_bridge_calls_shed_total{limit=\"calls_per_second\"}"), Some(refused));
    assert_eq!(metrics.value("idp_bridge_calls_shed_total{limit=\"queue\"}"), Some(0.0));
}

#[tokio::test]
async fn removed_tenant_loses_its_series() {
    let mut current = None;
    let all = ["acme", "globex"].map(|id| tenant(id, memory(sample_users())));
    let stage = Stage::start(all, |server| {
        current = Some(server.tenants());
        server
    })
    .await;
    stage.bridge.call("users.get_by_id", json!({"id": "u-1"})).await;
    assert!(stage.metrics().await.series_of("acme") > 0);
    let current = current.unwrap();
    let acme = current.load().get(&idp_bridge_core::TenantId::new("acme").unwrap()).unwrap();
    let mut changed = tenant("acme", memory(sample_users()));
    changed.continue_counters(&acme);
    current.replace(Tenants::new([changed]).unwrap(), 1);
    let metrics = stage.metrics().await;
    assert_eq!(metrics.value(&calls("acme", "memory", "users.get_by_id", "ok")), Some(1.0), "new settings, same count");
    assert_eq!(metrics.value("idp_bridge_reloads_total{result=\"partial\"}"), Some(1.0));
    assert_eq!(metrics.value("idp_bridge_tenants_broken"), Some(1.0));
    current.replace(Tenants::new([tenant("globex", memory(sample_users()))]).unwrap(), 0);
    assert_eq!(stage.metrics().await.series_of("acme"), 0);
}

#[tokio::test]
async fn documented_metrics_are_exposed() {
    let stage = Stage::with_samples().await;
    stage.bridge.call("users.get_by_id", json!({"id": "u-1"})).await;
    let metrics = stage.metrics().await;
    let page = idp_bridge_server::metrics_page();
    let cell = |row: &str, index: usize| row.split(" | ").nth(index).unwrap().trim_start_matches("| ").to_owned();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let documented: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let (name, kind) = (cell(row, 0).replace('`', ""), cell(row, 1));
            (name.trim_end_matches("_total").to_owned(), kind)
        })
        .collect();
    assert_eq!(documented, metrics.families);
    for row in rows {
        let (name, labels) = (cell(row, 0).replace('`', ""), cell(row, 2));
        let expected: BTreeSet<_> = labels.split(", ").filter(|label| !label.is_empty()).collect();
        for series in metrics.samples.keys().filter(|series| series.starts_with(&format!("{name}{{"))) {
            let used = series.split(['{', ',']).skip(1).map(|pair| format!("`{}`", pair.split('=').next().unwrap()));
            assert_eq!(used.collect::<BTreeSet<_>>(), expected.iter().map(ToString::to_string).collect(), "{series}");
        }
    }
}

#[tokio::test]
async fn metrics_are_on_the_second_listener_only() {
    let stage = Stage::with_samples().await;
    assert_eq!(stage.bridge.send(&Request::get("/metrics")).await.status, 404);
    assert_eq!(stage.operate(&Request::new("POST", "/metrics")).await.status, 405);
}
