//! The table `[tenants.X.rest.jwt]`: what is read of it, and what is said of its mistakes.

use super::mistakes::Mistake;
use super::{read, tenant};

const ISSUER: &str = "issuer = \"https://issuer.example\"\n";
const AUDIENCE: &str = "audience = \"bridge\"\n";
const KEYS: &str = "jwks_url = \"https://keys.example/jwks\"\n";

/// A tenant with these keys of the table; the first one stands in line 4.
fn jwt(keys: &str) -> String {
    tenant(&format!("[tenants.acme.rest.jwt]\n{keys}"), "")
}

fn with(keys: &str) -> String {
    jwt(&format!("{ISSUER}{AUDIENCE}{KEYS}{keys}"))
}

#[test]
fn a_tenant_takes_the_tokens_of_its_issuer() {
    for keys in ["", "algorithms = [\"ES256\"]", "proxy = \"http://127.0.0.1:1\"\nallow_http = true"] {
        let settings = read(&with(keys)).unwrap_or_else(|problems| panic!("{problems:?}"));
        let tenant = settings.tenants().next().unwrap();
        assert_eq!(tenant.access_tokens.as_ref().unwrap().issuer(), "https://issuer.example");
    }
    let settings = read(&tenant("", "")).unwrap();
    assert!(settings.tenants().next().unwrap().access_tokens.is_none());
}

pub(super) fn mistakes() -> Vec<Mistake> {
    let path = "tenants.acme.rest.jwt";
    vec![
        (jwt(""), "missing key `issuer`", path, "byte for byte"),
        (jwt(ISSUER), "missing key `audience`", path, "meant for"),
        (jwt(&format!("{ISSUER}{AUDIENCE}")), "missing key `jwks_url`", path, "no other key"),
        (with("").replace("\"bridge\"", "\"\""), "the name that tokens have in `aud`", ":5:1", ""),
        (
            with("").replace("https://issuer", "http://issuer"),
            "`issuer`",
            ":4:1, key `tenants.acme.rest.jwt.issuer`",
            "",
        ),
        (with("").replace("https://keys", "http://keys"), "`jwks_url`", ":6:1", ""),
        (with("algorithms = []"), "at least one algorithm", ":7:1", "remove the key"),
        (with("algorithms = [\"HS256\"]"), "expected one of `RS256`", "rest.jwt.algorithms[0]", "`RS256`"),
        (with("algorithms = [\"none\"]"), "expected one of `RS256`", "rest.jwt.algorithms[0]", ""),
        (with("ca_file = \"nothing\""), "the file cannot be read", "rest.jwt.ca_file", "check the path"),
        (with("secret = \"hunter2\""), "unknown key `secret`", "rest.jwt.secret", "the keys here are"),
    ]
}
