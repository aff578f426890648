//! Tests of the dashboard and the alert rules: a real Prometheus reads the metrics of a bridge, and runs each query.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use idp_bridge_conformance::Harness as _;
use idp_bridge_connector_keycloak::KeycloakConfig;
use idp_bridge_connector_keycloak_testing::harness::KeycloakHarness;
use idp_bridge_test_http::{Server, answer, unused_address};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::fixture::{Configured, KEY};
use crate::support::bridge::{Bridge, until};
use crate::support::http::Request;
use crate::support::sign::Signer;

const DASHBOARD: &str = include_str!("../../packaging/monitoring/dashboard.json");
const RULES: &str = include_str!("../../packaging/monitoring/alerts.yaml");
const DEFINITION: &str = include_str!("../../crates/idp-bridge-connector-http/tests/it/sample.toml");

/// Time for each query to have a result: Prometheus needs two values for a rate.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tenants: a Keycloak, one that refuses the secret, one that is down, and a product that limits requests.
const TENANTS: [&str; 4] = ["keycloak", "refused", "down", "limited"];

/// Returns the key of a tenant, which no other tenant may have.
fn key(tenant: &str) -> String {
    let number = TENANTS.iter().position(|own| *own == tenant).unwrap();
    format!("whsec_{}{number}{}", &KEY["whsec_".len()..][..22], "A".repeat(9))
}

/// Returns the tables of a tenant.
fn tables(tenant: &str, connector: &str) -> String {
    format!("[tenants.{tenant}]\nwebhook_keys = [\"{}\"]\n[tenants.{tenant}.connector]\n{connector}", key(tenant))
}

/// Returns the settings of a connector for Keycloak, at this URL and with this secret.
fn connector(config: &KeycloakConfig, url: &str, secret: &str) -> String {
    format!(
        "type = \"keycloak\"\nurl = \"{url}\"\nrealm = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{secret}\"\n",
        config.realm, config.client_id
    )
}

/// A bridge with traffic.
struct Stage {
    bridge: Bridge,
    _configured: Configured,
    _limited: Server,
    _keycloak: KeycloakHarness,
    _runtime: Runtime,
}

impl Stage {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (keycloak, url, limited) = runtime.block_on(async {
            let keycloak = KeycloakHarness::start_with_fake().await.unwrap();
            let url = keycloak.upstream().await.unwrap();
            let user = json!({"id": "u-1", "email": "ada@acme.example", "customer": "c-1"}).to_string();
            let headers = ["content-type: application/json", "x-ratelimit-remaining: 7"];
            (keycloak, url, Server::start(move |_, _| answer(200, &headers, &user)).await)
        });
        let (config, unused) = (keycloak.config(), format!("http://{}", unused_address()));
        let secret = config.client_secret.as_ref().unwrap().expose();
        let configured = Configured::new(&format!(
            "[server]\nshutdown_delay = \"0s\"\nmetrics_listen = \"127.0.0.1:0\"\ndoctor_interval = \"1m\"\n\
             [traces]\nendpoint = \"{unused}\"\nsample_ratio = 1.0\n[audit]\nfile = \"audit.log\"\n{}{}{}{}",
            tables("keycloak", &connector(&config, &url, secret)),
            tables("refused", &connector(&config, &url, "wrong")),
            tables("down", &connector(&config, &unused, secret)),
            tables(
                "limited",
                &format!(
                    "type = \"http\"\ndefinition_file = \"sample.toml\"\nsettings.url = \"{0}\"\nsettings.public = \"{0}\"\n\
                     secrets.key = \"k\"\n",
                    limited.base()
                )
            ),
        ));
        configured.write("sample.toml", DEFINITION);
        let bridge = configured.serve();
        Self { bridge, _configured: configured, _limited: limited, _keycloak: keycloak, _runtime: runtime }
    }

    /// Makes a call to each tenant, and one write.
    fn call_all(&self) {
        for tenant in TENANTS {
            Signer::new(&key(tenant), tenant).call("users.get_by_id", json!({"id": "u-1"})).send(self.bridge.address());
        }
        Signer::new(&key("limited"), "limited").call("users.delete", json!({"id": "u-1"})).send(self.bridge.address());
    }
}

/// A Prometheus that scrapes a bridge four times a second and evaluates the rules.
struct Prometheus {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Prometheus {
    fn start(probes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [{"job_name": "idp-bridge", "static_configs": [{"targets": [probes]}]}],
        });
        // JSON is YAML.
        std::fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
        std::fs::write(folder.path().join("alerts.yaml"), RULES).unwrap();
        let address = unused_address().to_string();
        let mut command = Command::new("prometheus");
        command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]);
        let child = command.arg(format!("--web.listen-address={address}")).spawn();
        let child = child.expect("`prometheus` runs; hint: install the package `prometheus` of Debian");
        let prometheus = Self { child, address, _folder: folder };
        until(|| std::net::TcpStream::connect(&prometheus.address).ok()).expect("Prometheus listens");
        prometheus
    }

    /// Requests a path of the API, and returns the data of its response.
    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let mut reply = Request::get(&format!("/api/v1/{path}")).send(&self.address).json();
        assert_eq!(reply["status"], "success", "{path}: {reply}");
        reply["data"].take()
    }

    /// Returns whether a query has a result.
    fn has_result(&self, query: &Query) -> bool {
        let data = match query {
            Query::Values { metric, label } => self.get(&format!("label/{label}/values?match[]={metric}")),
            Query::Expression(expression) => self.get(&format!("query?query={}", encode(expression)))["result"].take(),
        };
        !data.as_array().unwrap().is_empty()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A query of the dashboard, as Grafana sends it for all tenants and connectors.
#[derive(Debug)]
enum Query {
    Values { metric: String, label: String },
    Expression(String),
}

fn queries_of_dashboard() -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let values = variables.filter_map(|variable| {
        let arguments = variable["query"].as_str()?.strip_prefix("label_values(")?.strip_suffix(')')?;
        let (metric, label) = arguments.split_once(", ").unwrap();
        Some(Query::Values { metric: metric.to_owned(), label: label.to_owned() })
    });
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions = targets.map(|target| {
        let expression = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
        Query::Expression(expression.replace("$tenant", ".*").replace("$connector", ".*"))
    });
    let queries: Vec<_> = values.chain(expressions).collect();
    assert!(!queries.iter().any(|query| format!("{query:?}").contains('$')), "unknown variables: {queries:?}");
    queries
}

#[test]
fn dashboard_queries_and_rules_have_results() {
    let stage = Stage::start();
    let prometheus = Prometheus::start(&stage.bridge.probes_address());
    let mut empty = queries_of_dashboard();
    let begun = Instant::now();
    while !empty.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "no result of {empty:#?}");
        stage.call_all();
        empty.retain(|query| !prometheus.has_result(query));
    }
    let target = &prometheus.get("targets")["activeTargets"][0];
    assert_eq!((&target["health"], &target["lastError"]), (&json!("up"), &json!("")), "{target}");
    let rules = until(|| {
        let rules = prometheus.get("rules")["groups"][0]["rules"].take();
        let rules = rules.as_array().unwrap().clone();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    let rules = rules.expect("all rules are evaluated");
    assert_eq!(rules.len(), RULES.matches("- alert: ").count());
    assert!(rules.iter().all(|rule| rule["health"] == "ok"), "{rules:#?}");
    let failed: Vec<_> = rules.iter().filter(|rule| rule["state"] == "firing").map(|rule| &rule["name"]).collect();
    assert!(failed.contains(&&json!("IdpBridgeDoctorFails")), "{failed:?}");
}
