//! Tests of the table `[tenants.X.rest.jwt]`.

use super::mistakes::Mistake;
use super::{read, tenant};

const ISSUER: &str = "issuer = \"https://issuer.example\"\n";
const AUDIENCE: &str = "audience = \"bridge\"\n";
const KEYS: &str = "jwks_url = \"https://keys.example/jwks\"\n";

/// Returns a tenant with these keys of the table, beginning in line 4.
fn jwt(keys: &str) -> String {
    tenant(&format!("[tenants.acme.rest.jwt]\n{keys}"), "")
}

/// Returns a tenant with the required keys of the table and these, beginning in line 7.
fn with(keys: &str) -> String {
    jwt(&format!("{ISSUER}{AUDIENCE}{KEYS}{keys}"))
}

#[test]
fn tenant_has_the_configured_issuer() {
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
        (jwt(ISSUER), "missing key `audience`", path, "must contain"),
        (jwt(&format!("{ISSUER}{AUDIENCE}")), "missing key `jwks_url`", path, "issuer's keys"),
        (with("").replace("\"bridge\"", "\"\""), "the value of the tokens' `aud`", ":5:1", ""),
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
        (with("secret = \"hunter2\""), "unknown key `secret`", "rest.jwt.secret", "the keys of this table are"),
    ]
}
