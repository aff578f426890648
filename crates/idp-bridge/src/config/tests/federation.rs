//! Tests of the table `[tenants.X.federation]`.

use std::time::Duration;

use idp_bridge_server::{CustomerFrom, FederationRules};

use super::mistakes::Mistake;
use super::{KEYCLOAK, read};

/// Returns a tenant with these keys of federation, beginning in line 7.
fn federation(keys: &str) -> String {
    let server = "[server]\nstate_dir = \"state\"\npublic_url = \"https://bridge.example\"\n";
    let tenant = "[tenants.acme]\nwebhook_keys_file = [\"key\"]\n";
    format!("{server}{tenant}[tenants.acme.federation]\n{keys}\n[tenants.acme.connector]\n{KEYCLOAK}")
}

/// Returns a tenant with one client and these keys of federation, beginning in line 8.
fn with_client(keys: &str) -> String {
    federation(&format!("clients = [{{ id = \"app\" }}]\n{keys}"))
}

fn rules(text: &str) -> FederationRules {
    let settings = read(text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let tenant = settings.tenants().next().unwrap();
    assert!(tenant.provider.federation().is_some() && tenant.provider.capabilities().federation().is_some());
    tenant.federation.clone().unwrap()
}

#[test]
fn clients_are_the_only_required_key() {
    assert_eq!(rules(&with_client("")), FederationRules { clients: vec!["app".into()], ..FederationRules::default() });
}

#[test]
fn rules_have_configured_values() {
    let text = federation(
        "clients = [{ id = \"app\" }, { id = \"portal\", secret_file = \"secret\" }]\n\
         customer = \"claim_compared\"\ncustomer_claim = \"customer_id\"\ncache = \"1m\"\nmax_token_age = \"30m\"\n\
         post_logout_redirect_uris = [\"https://app.example/bye\"]\ncors_origins = [\"http://localhost:3000\"]\n\
         metadata = true\nlogout.fallback = \"refuse\"\nanonymous_per_second = 7",
    );
    let expected = FederationRules {
        clients: vec!["app".into(), "portal".into()],
        post_logout_redirect_uris: vec!["https://app.example/bye".into()],
        cors_origins: vec!["http://localhost:3000".into()],
        customer: CustomerFrom::ClaimCompared,
        cache: Some(Duration::from_mins(1)),
        max_token_age: Duration::from_mins(30),
        publish: true,
        anonymous_per_second: 7,
    };
    assert_eq!(rules(&text), expected);
}

#[test]
fn federation_is_off_without_its_table() {
    let settings = read(&super::tenant("", "")).unwrap_or_else(|problems| panic!("{problems:?}"));
    let tenant = settings.tenants().next().unwrap();
    assert!(tenant.federation.is_none() && tenant.provider.federation().is_none());
}

pub(super) fn mistakes() -> Vec<Mistake> {
    [client_mistakes(), key_mistakes(), missing_requirements()].concat()
}

fn client_mistakes() -> Vec<Mistake> {
    vec![
        (federation(""), "missing key `clients`", ":6:15, key `tenants.acme.federation`", "each with its `id`"),
        (federation("clients = []"), "at least one client", ":7:1, key `tenants.acme.federation.clients`", "{ id = "),
        (federation("clients = [\"app\"]"), "expected a table", "federation.clients[0]", ""),
        (federation("clients = [{}]"), "missing key `id`", "federation.clients[0]", ""),
        (federation("clients = [{ id = \"\" }]"), "1 to 256 visible characters", "federation.clients[0].id", ""),
        (federation("clients = [{ id = \"a b\" }]"), "1 to 256 visible characters", "federation.clients[0].id", ""),
        (
            federation("clients = [{ id = \"app\" }, { id = \"app\", secret = \"hunter2\" }]"),
            "this client is listed twice",
            ":7:30, key `tenants.acme.federation.clients[1].id`",
            "keep one",
        ),
        (
            federation("clients = [{ id = \"app\", secret = \"hunter2\", secret_file = \"secret\" }]"),
            "only one of `secret` and `secret_file` may be set",
            "federation.clients[0].secret_file",
            "keep one",
        ),
        (
            federation("clients = [{ id = \"app\", secret_env = \"NO_SUCH_VARIABLE\" }]"),
            "`NO_SUCH_VARIABLE` is not set",
            "federation.clients[0].secret_env",
            "export",
        ),
        (
            federation("clients = [{ id = \"app\", secrt = \"hunter2\" }]"),
            "unknown key `secrt`",
            "federation.clients[0].secrt",
            "did you mean `secret`",
        ),
    ]
}

fn key_mistakes() -> Vec<Mistake> {
    vec![
        (with_client("customer_clam = \"c\""), "unknown key", ":8:1", "did you mean `customer_claim`"),
        (with_client("customer_claim = \"\""), "1 to 256 visible characters", "federation.customer_claim", ""),
        (with_client("customer = \"both\""), "`claim`, `claim_compared` and `user`", "federation.customer", ""),
        (with_client("cache = \"61s\""), "`0s` to `1m`", ":8:1, key `tenants.acme.federation.cache`", ""),
        (with_client("cache = \"-1s\""), "`0s` to `1m`", "federation.cache", ""),
        (with_client("cache = 5"), "expected a text, found a number", "federation.cache", ""),
        (with_client("max_token_age = \"59s\""), "`1m` to `720h`", "federation.max_token_age", ""),
        (with_client("max_token_age = \"721h\""), "`1m` to `720h`", "federation.max_token_age", ""),
        (with_client("logout.fallback = \"none\""), "`user` and `refuse`", "federation.logout.fallback", ""),
        (with_client("anonymous_per_second = 0"), "nonzero", "federation.anonymous_per_second", ""),
        (with_client("anonymous_per_second = -1"), "expected", "federation.anonymous_per_second", ""),
        (
            with_client("post_logout_redirect_uris = [\"https://app.example/\", \"http://app.example/\"]"),
            "expected an `https` URL without a fragment",
            "federation.post_logout_redirect_uris[1]",
            "",
        ),
        (
            with_client("cors_origins = [\"https://app.example/\"]"),
            "expected an origin as browsers send it",
            "federation.cors_origins[0]",
            "",
        ),
        (with_client("cors_origins = [\"*\"]"), "expected an origin", "federation.cors_origins[0]", ""),
    ]
}

fn missing_requirements() -> Vec<Mistake> {
    let memory = with_client("").replace(KEYCLOAK, "type = \"memory\"\nusers = []\n");
    vec![
        (
            memory,
            "the connector `memory` has no federation",
            ":6:15, key `tenants.acme.federation`",
            "remove this table; `idp-bridge connectors`",
        ),
        (
            with_client("").replace("state_dir = \"state\"\n", ""),
            "federation needs `server.state_dir`",
            ":5:15, key `tenants.acme.federation`",
            "state_dir = ",
        ),
        (
            with_client("metadata = true").replace("public_url = \"https://bridge.example\"\n", ""),
            "`server.public_url` is missing",
            ":7:1, key `tenants.acme.federation.metadata`",
            "public_url = ",
        ),
        (
            "[server]\npublic_url = \"http://bridge.example\"\n".into(),
            "expected an `https` URL without a query",
            ":2:1, key `server.public_url`",
            "",
        ),
    ]
}
