//! The status page: its contents, its search and its pictures.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use idp_bridge_connector_memory::sample_users;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{CallKind, ErrorKind, Finding, IdentityProvider};
use idp_bridge_server::{CurrentTenants, LastReload, Scope, Tenant};

use crate::bridge::{memory, rest_token, tenant};
use crate::clock::BEGIN;
use crate::doctor;
use crate::http::{Answer, Request};
use crate::metrics::Stage;
use crate::scripted::{Returned, Scripted, record, upstream};

/// Returns a tenant that needs no timestamp in REST calls, so that a test can set the clock.
fn rest_tenant(id: &str, connector: &'static str, provider: impl IdentityProvider) -> Tenant {
    let mut tenant = tenant(id, provider);
    tenant.connector = connector;
    tenant.tokens = vec![rest_token("token", [Scope::Read])];
    tenant
}

fn get_user(tenant: &str) -> Request {
    Request::get(&format!("/v1/tenants/{tenant}/users/u-1")).header("authorization", "Bearer token")
}

/// Starts a server with these tenants. Returns its current tenants, too.
async fn start(tenants: Vec<Tenant>) -> (Stage, std::sync::Arc<CurrentTenants>) {
    let mut current = None;
    let stage = Stage::start(tenants, |server| {
        current = Some(server.tenants());
        server
    })
    .await;
    (stage, current.unwrap())
}

async fn page(stage: &Stage, query: &str) -> Answer {
    let answer = stage.operate(&Request::get(&format!("/status{query}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Returns the ids of the tenants on a page.
fn tenant_ids(answer: &Answer) -> Vec<String> {
    let links = answer.body.split("href=\"/calls?tenant=").skip(1);
    links.map(|link| link.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn page_shows_calls_failures_and_reload() {
    let down = rest_tenant("down", "keycloak", Scripted::failing(ErrorKind::Unavailable));
    down.upstream.count_request();
    down.upstream.host_down();
    let acme = rest_tenant("acme", "memory", memory(sample_users()));
    let (stage, current) = start(vec![acme, down]).await;
    for (id, status) in [("acme", 200), ("acme", 200), ("down", 503)] {
        assert_eq!(stage.bridge.send(&get_user(id)).await.status, status);
    }
    let before = page(&stage, "").await.body;
    assert!(before.contains("was not loaded again since the start"), "{before}");
    let time = Timestamp::from_second(BEGIN).unwrap();
    current.set_last_reload(LastReload { time, problems: vec!["error: <no realm>".into()] });
    let shown = page(&stage, "").await;
    assert_eq!(tenant_ids(&shown), ["down", "acme"], "problems come first");
    for part in [
        "<dt>calls</dt><dd>3</dd>",
        "<dt>failed</dt><dd class=\"bad\">1</dd>",
        "<span class=\"bad\">down</span>",
        "<svg",
        "users.get_by_id",
        "503 upstream_unavailable",
        "error: &lt;no realm&gt;",
        "href=\"/calls/",
    ] {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    let policy = shown.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("form-action 'self'"),
        "{policy}"
    );
    assert!(
        !shown.body.contains("<script") && !shown.body.contains("style=") && !shown.body.contains("http"),
        "{shown:?}"
    );
    stage.bridge.clock.set(BEGIN + 3_600);
    assert!(page(&stage, "").await.body.contains("<dt>calls</dt><dd>0</dd>"), "an hour later");
}

#[tokio::test]
async fn tenants_are_searched_and_paged() {
    let tenants = (0..120).map(|number| tenant(&format!("tenant-{number:03}"), memory(sample_users()))).collect();
    let (stage, _) = start(tenants).await;
    let (first, last) = (page(&stage, "").await, page(&stage, "?page=3").await);
    assert_eq!((tenant_ids(&first).len(), tenant_ids(&last).len()), (50, 20));
    assert_eq!((&*tenant_ids(&first)[0], &*tenant_ids(&last)[19]), ("tenant-000", "tenant-119"));
    assert!(first.body.contains("page 1 of 3, 120 tenants") && first.body.contains("?q=&amp;page=2"), "{}", first.body);
    assert_eq!(tenant_ids(&page(&stage, "?q=TENANT-11").await).len(), 10);
    let nothing = page(&stage, "?q=%3Cb%3E+c&page=9").await.body;
    assert!(nothing.contains("No tenant matches") && nothing.contains("value=\"&lt;b&gt; c\""), "{nothing}");
    for wrong in ["sort=id", "q", "page=x", "page=-1"] {
        let answer = stage.operate(&Request::get(&format!("/status?{wrong}"))).await;
        assert_eq!(answer.verdict(), (400, "invalid_request".into()), "{wrong}");
    }
    assert_eq!(stage.bridge.send(&Request::get("/status")).await.status, 404, "not on the main listener");
}

/// Returns the folder for pictures, which is set by `cargo xtask screenshots` only.
#[expect(clippy::disallowed_methods, reason = "`cargo xtask screenshots` names the folder by a variable")]
fn pictures() -> Option<PathBuf> {
    std::env::var_os("IDP_BRIDGE_SCREENSHOTS").map(|folder| Path::new(&folder).to_owned())
}

/// Takes a picture of a page with Chromium.
fn take_picture(url: &str, (width, height): (u32, u32), is_dark: bool, file: &Path) {
    let mut chromium = Command::new("chromium");
    chromium.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--hide-scrollbars",
    ]);
    if is_dark {
        chromium.arg("--blink-settings=preferredColorScheme=0");
    }
    chromium.arg(format!("--window-size={width},{height}")).arg(format!("--screenshot={}", file.display())).arg(url);
    let output = chromium.output().unwrap();
    assert!(output.status.success() && file.exists(), "{output:?}");
}

/// A provider that takes some milliseconds, and fails sometimes.
fn busy_provider(failing: usize) -> Scripted {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    Scripted::new(move |_, _| {
        let number = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(2 + (number as u64 * 7) % 19)).await;
            if failing > 0 && (number / 9).is_multiple_of(failing) {
                return Err(upstream(ErrorKind::Unavailable));
            }
            Ok(Returned::User(record("u-1", "c-1", "ada@acme.example")))
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn page_fits_wide_and_narrow_windows() {
    let findings = || {
        let fix = "create a new secret in the console, and write it to the file of `client_secret_file`";
        vec![Finding::failed("the client's secret is accepted", &CallKind::ALL, fix).with_detail("it has expired")]
    };
    let down = rest_tenant("initech", "keycloak", busy_provider(3).with_findings(findings));
    down.upstream.count_request();
    down.upstream.host_down();
    let mut tenants = vec![down];
    for (id, connector) in [("acme", "keycloak"), ("globex", "auth0"), ("hooli", "cognito"), ("umbrella", "oidc")] {
        let tenant = rest_tenant(id, connector, busy_provider(0));
        tenant.upstream.count_request();
        tenants.push(tenant);
    }
    tenants.push(tenant("vandelay", memory(sample_users())));
    let mut current = None;
    let stage = Stage::start(tenants, |server| {
        current = Some(server.tenants());
        server.with_doctor(Duration::from_millis(60))
    })
    .await;
    doctor::wait_for(&stage, "", |all| all.len() == 6).await;
    let problem = "error: the key `realm` is missing\n   at: tenants/vandelay.toml:4:1, key `connector`\n hint: add `realm = \"…\"`";
    let time = Timestamp::from_second(BEGIN + 3_000).unwrap();
    current.unwrap().set_last_reload(LastReload { time, problems: vec![problem.into()] });
    let minutes = if pictures().is_some() { 60 } else { 1 };
    for minute in 0..minutes {
        stage.bridge.clock.set(BEGIN + 60 * minute);
        for (id, calls) in [("acme", 3 + minute % 7), ("globex", minute % 4), ("hooli", 1), ("initech", minute % 5)] {
            for _ in 0..calls {
                stage.bridge.send(&get_user(id)).await;
            }
        }
    }
    let shown = page(&stage, "").await.body;
    assert!(shown.contains("width=device-width") && shown.contains("prefers-color-scheme: dark"), "{shown}");
    let Some(folder) = pictures() else { return };
    let url = format!("http://{}/status", stage.probes);
    let windows = [("status.png", (1280, 1200), false), ("status-narrow-dark.png", (390, 1100), true)];
    for (name, size, is_dark) in windows {
        let (url, file) = (url.clone(), folder.join(name));
        tokio::task::spawn_blocking(move || take_picture(&url, size, is_dark, &file)).await.unwrap();
    }
}
