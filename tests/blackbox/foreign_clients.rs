//! Tests of the listener with HTTP implementations of others: curl, h2load and nginx.

use std::process::{Command, Output};

use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::nginx::Nginx;
use crate::rest::{READER, sha256};
use crate::support::bridge::Bridge;
use crate::support::http::unused_address;
use crate::tls;

const PATH: &str = "/v1/tenants/acme/users/u-1";

/// Starts a bridge with TLS and a token for REST. Returns its certificate, too.
fn serve() -> (Configured, Bridge, String) {
    let digest = sha256(READER);
    let token = format!("rest.tokens = [{{ name = \"reader\", sha256 = \"{digest}\", scopes = [\"users.read\"] }}]");
    let (configured, certificate) = tls::configured(&token);
    let bridge = configured.serve();
    (configured, bridge, certificate)
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {stdout}{stderr}");
    stdout
}

/// Returns the port of a bridge. The certificate is for `localhost`, and not for the address.
fn port(bridge: &Bridge) -> &str {
    bridge.address().rsplit(':').next().unwrap()
}

#[test]
fn curl_reads_a_user_with_each_http_version() {
    let (configured, bridge, _) = serve();
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", option, "--write-out", "\n%{http_code} %{http_version}", "--cacert"]);
        curl.arg(configured.folder().join("tls.pem")).arg("--header").arg(format!("authorization: Bearer {READER}"));
        curl.arg("--resolve").arg(format!("localhost:{}:127.0.0.1", port(&bridge)));
        let output = run(curl.arg(format!("https://localhost:{}{PATH}", port(&bridge))));
        let (body, status) = output.rsplit_once('\n').unwrap();
        assert_eq!(status, format!("200 {version}"));
        assert!(body.contains("\"id\":\"u-1\""), "{body}");
    }
}

#[test]
fn h2c_serves_http2_in_clear_text() {
    for is_on in [true, false] {
        let configured = Configured::with_server_keys(&format!("shutdown_delay = \"0s\"\nh2c = {is_on}"));
        let bridge = configured.serve();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--http2-prior-knowledge", "--write-out", "%{http_code} %{http_version}"]);
        let output = curl.args(["--output", "/dev/null"]).arg(format!("{}/healthz", bridge.url())).output().unwrap();
        assert_eq!((output.status.success(), output.stdout == b"200 2"), (is_on, is_on), "{output:?}");
    }
}

#[test]
fn h2load_reads_users_over_concurrent_streams() {
    let (_configured, bridge, _) = serve();
    let mut h2load = Command::new("h2load");
    h2load.args(["--requests=2000", "--clients=4", "--max-concurrent-streams=25", "--header"]);
    h2load.arg(format!("authorization: Bearer {READER}")).arg(format!("https://127.0.0.1:{}{PATH}", port(&bridge)));
    let output = run(&mut h2load);
    assert!(output.contains("Application protocol: h2"), "{output}");
    assert!(output.contains("status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"), "{output}");
}

#[test]
fn nginx_passes_calls_on_over_tls() {
    let (_configured, bridge, certificate) = serve();
    let address = unused_address();
    let http = format!(
        "server {{ listen {address}; location / {{ proxy_pass https://{}; proxy_http_version 1.1;\n\
         proxy_ssl_verify on; proxy_ssl_trusted_certificate bridge.pem; proxy_ssl_name localhost; }} }}",
        bridge.address()
    );
    let _nginx = Nginx::start(address, &http, &[("bridge.pem", &certificate)]);
    for _ in 0..20 {
        let reply = signer().call("users.get_by_id", json!({"id": "u-1"})).send(&address.to_string());
        assert_eq!((reply.status, &reply.json()["user"]["id"]), (200, &json!("u-1")));
    }
}
