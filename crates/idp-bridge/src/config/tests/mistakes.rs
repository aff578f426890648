//! The mistakes of configurations, with the expected messages.

use super::tenant;

/// The text of a file, and parts of the expected message, of its place and key, and of its hint.
pub(super) type Mistake = (String, &'static str, &'static str, &'static str);

/// Returns all mistakes.
pub(super) fn all() -> Vec<Mistake> {
    [
        file_mistakes(),
        webhook_key_mistakes(),
        tenant_mistakes(),
        connector_mistakes(),
        outbound_mistakes(),
        super::federation::mistakes(),
        super::rest::mistakes(),
        super::store::mistakes(),
    ]
    .concat()
}

const LISTEN: &str = "expected an address and a port such as `127.0.0.1:8080`";

fn listen(address: &str) -> String {
    format!("[server]\nlisten = \"{address}\"\n")
}

fn file_mistakes() -> Vec<Mistake> {
    vec![
        (String::new(), "no tenant is configured", "idp-bridge.toml", "[tenants.<id>]"),
        ("[server]\n".into(), "no tenant is configured", "", ""),
        ("[server\n".into(), "not TOML", ":1:", ""),
        ("a = 1\na = 2\n".into(), "not TOML", ":2:", ""),
        ("tenants = 1".into(), "expected a table", ":1:1, key `tenants`", ""),
        ("tenants.acme = 1".into(), "expected a table", ":1:9, key `tenants.acme`", ""),
        ("[tenant.acme]".into(), "unknown key `tenant`", ":1:2, key `tenant`", "did you mean `tenants`"),
        (
            "[something]".into(),
            "unknown key",
            "",
            "the keys of this table are `audit`, `outbound`, `server`, `tenants` and `traces`",
        ),
        ("[server]\nlisten = \"localhost\"\n".into(), LISTEN, ":2:1, key `server.listen`", "`127.0.0.1:8080`"),
        (listen("localhost:8080"), LISTEN, "key `server.listen`", "write `127.0.0.1:8080`"),
        (listen(":8080"), LISTEN, "", "write `127.0.0.1:8080` for this host only, or `0.0.0.0:8080`"),
        (listen("8080"), LISTEN, "", "write `127.0.0.1:8080` for this host only, or `0.0.0.0:8080`"),
        (listen("0.0.0.0"), LISTEN, "", "add a port: `0.0.0.0:8080`"),
        (listen("::1"), LISTEN, "", "add a port: `[::1]:8080`"),
        (listen("127.0.0.1:99999"), LISTEN, "", "a port from 0 to 65535"),
        (listen("http://127.0.0.1:8080"), LISTEN, "", "an address, not a name or a URL"),
        (
            "[server]\nlisten = \"127.0.0.1:1\"\n\n[server] # again\nlisten = \"127.0.0.1:1\"\n".into(),
            "the table `[server]` is repeated",
            ":4:2",
            "it begins at line 1",
        ),
        ("[server]\nlisten = \"a\"\nlisten = \"b\"\n".into(), "the key `listen` is repeated", ":3:1", "keep one"),
        ("[server]\nlisten = 8080\n".into(), "found a number", "`server.listen`", ""),
        ("[server]\nlog.formt = \"json\"\n".into(), "unknown key `formt`", ":2:5", "did you mean `format`"),
        ("[server]\nlog.format = \"jsn\"\n".into(), "`auto`, `text` and `json`", ":2:5", "did you mean `json`"),
        ("[server]\nlog.filter = \"warning\"\n".into(), "did you mean `warn`?", ":2:5", ""),
        ("[server]\nlog.filter = \"info,idp_bridge=inf\"\n".into(), "did you mean `info`?", ":2:5", ""),
        ("[server]\nlog.filter = \"=x=\"\n".into(), "expected a log filter", ":2:5", ""),
        ("[outbound]\nprivate_networks = \"denied\"".into(), "`allow` and `deny`", ":2:1", "did you mean `deny`"),
    ]
}

const SHA256_OF_TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn webhook_key_mistakes() -> Vec<Mistake> {
    vec![
        (tenant("webhook_keys = \"whpk_x\"", ""), "expected a list", ":2:1", "webhook_keys = [\"…\"]"),
        (tenant("webhook_keys = [1]", ""), "expected a text", ":2:17, key `tenants.acme.webhook_keys[0]`", ""),
        (tenant("webhook_keys = [\"\"]", ""), "the secret is empty", "webhook_keys[0]", ""),
        (tenant("webhook_keys = [\"hunter2\"]", ""), "`whpk_` or `whsec_`", "webhook_keys[0]", "keys new"),
        (
            tenant("webhook_keys = [\"whsec_aHVudGVyMg\"]", ""),
            "7 bytes, expected 24 to 64",
            "webhook_keys[0]",
            "keys new",
        ),
        (tenant("webhook_keys = [\"whpk_hunter2!\"]", ""), "not base64", "webhook_keys[0]", "keys new"),
        (
            tenant("webhook_keys = [\"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"]", ""),
            "published (RFC 8032)",
            "webhook_keys[0]",
            "keys new",
        ),
        (
            tenant("webhook_keys = [\"whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]", ""),
            "small order",
            "webhook_keys[0]",
            "keys new",
        ),
        (
            tenant("webhook_keys = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]", ""),
            "published (the documentation of Standard Webhooks)",
            "webhook_keys[0]",
            "keys new",
        ),
        (tenant("webhook_keys = []", ""), "one to four keys, found 0", ":2:1", ""),
        (tenant("webhook_keys_file = [\"key\",\"key\",\"key\",\"key\",\"key\"]", ""), "found 5", ":2:1", ""),
        (tenant("webhook_keys_file = [\"nothing\"]", ""), "nothing` cannot be read", ":2:22", "check the path"),
        (tenant("webhook_keys_file = [\"secret\"]", ""), "`whpk_` or `whsec_`", ":2:22", "keys new"),
        (tenant("webhook_keys_env = [\"NO_SUCH_VARIABLE\"]", ""), "`NO_SUCH_VARIABLE` is not set", ":2:21", "export"),
        (
            tenant("webhook_keys = []\nwebhook_keys_env = []", ""),
            "only one of `webhook_keys` and `webhook_keys_env` may be set",
            ":3:1",
            "keep one",
        ),
        (tenant("webhok_keys = []", ""), "unknown key `webhok_keys`", ":3:1", "did you mean `webhook_keys`"),
    ]
}

fn tenant_mistakes() -> Vec<Mistake> {
    let token = |token: &str| tenant(&format!("rest.tokens = [{token}]"), "");
    vec![
        ("[tenants.\"a/b\"]".into(), "`a/b` is not a tenant id: it ", ":1:10", ""),
        (
            "[tenants.acme]".into(),
            "missing key `webhook_keys`",
            ":1:10, key `tenants.acme`",
            "`webhook_keys_file` (a list",
        ),
        ("[tenants.acme]".into(), "missing key `connector`", ":1:10", "add a table `[tenants.acme.connector]`"),
        (tenant("deadline = \"4 weeks\"", ""), "`100ms` to `30s`", ":3:1", ""),
        (tenant("deadline = \"31s\"", ""), "`100ms` to `30s`", "tenants.acme.deadline", ""),
        (tenant("deadline = 4", ""), "expected a text, found a number", "tenants.acme.deadline", ""),
        (tenant("customer.missing = \"rejct\"", ""), "`reject` and `use_id`", ":3:10", "did you mean `reject`"),
        (tenant("disabled_calls = [\"delete\"]", ""), "`users.delete`", "disabled_calls[0]", ""),
        (token("{}"), "missing key `sha256`", "rest.tokens[0]", "hexadecimal"),
        (
            token("{name = \"a\", sha256 = \"hunter2\", scopes = []}"),
            "64 hexadecimal digits",
            "rest.tokens[0].sha256",
            "",
        ),
        (
            token(&format!("{{name = \"a\", sha256 = \"{SHA256_OF_TEST}\", scopes = []}}")),
            "the token of this digest is guessable",
            "rest.tokens[0].sha256",
            "",
        ),
        (tenant("rest.tokens = \"hunter2\"", ""), "expected a list, found a text", "rest.tokens", ""),
    ]
}

fn connector_mistakes() -> Vec<Mistake> {
    let memory = |settings: &str| tenant("", &format!("type = \"memory\"\n{settings}"));
    vec![
        (
            tenant("", &super::KEYCLOAK.replace("https://kc.example", "login.acme.example")),
            "a URL cannot be read",
            "key `tenants.acme.connector.url`",
            "write it like `https://",
        ),
        (
            tenant("", &super::KEYCLOAK.replace("https:", "http:")),
            "plain `http`",
            "key `tenants.acme.connector.url`",
            "allow_http",
        ),
        (tenant("", "type = 1"), "the name of a connector", "connector.type", "built in: `"),
        (tenant("", "type = \"keycloack\""), "no connector `keycloack`", "connector.type", "did you mean `keycloak`"),
        (tenant("", "type = \"nis\""), "no connector `nis`", "connector.type", "built in: `"),
        (tenant("connector.url = 1", ""), "not TOML", "", ""),
        (
            tenant("", "realms = \"x\""),
            "unknown key `realms`",
            ":10:1, key `tenants.acme.connector.realms`",
            "did you mean `realm`",
        ),
        (tenant("", "allow_http = \"hunter2\""), "`true` or `false`, found a text", ":10:1", ""),
        (
            tenant("", "client_secret = \"hunter2\""),
            "only one of `client_secret` and `client_secret_file` may be set",
            "connector.client_secret_file",
            "keep one",
        ),
        (tenant("", "customer_attribute = \"a b\""), "`customer_attribute` may contain only", ":10:1", ""),
        (
            tenant("", "email_link_lifespan = \"soon\""),
            "",
            ":10:1, key `tenants.acme.connector.email_link_lifespan`",
            "",
        ),
        (
            tenant(
                "",
                "type = \"keycloak\"\nurl = \"ftp://x\"\nrealm = \"r\"\nclient_id = \"c\"\nclient_secret = \"hunter2\"",
            ),
            "neither `https` nor `http`",
            "connector",
            "",
        ),
        (
            tenant(
                "",
                "type = \"keycloak\"\nurl = \"http://kc.example\"\nrealm = \"r\"\nclient_id = \"c\"\nclient_secret = \"hunter2\"",
            ),
            "loopback only",
            "connector",
            "allow_http",
        ),
        (memory(""), "no users are given", "connector", ""),
        (memory("users_file = \"nothing.json\""), "cannot read the users", "connector.users_file", ""),
        (memory("users = [{ id = \"\" }]"), "is empty", "connector.users[0].id", ""),
        (memory("users = [{ id = \"a\" }, { id = \"a\" }]"), "the id of a user is taken", "connector", ""),
        (
            memory("users = [{ id = \"a\", emial = \"x\" }]"),
            "unknown key `emial`",
            "connector.users[0].emial",
            "did you mean `email`",
        ),
    ]
}

/// Mistakes in the keys about outbound requests.
fn outbound_mistakes() -> Vec<Mistake> {
    vec![
        (tenant("", "ca_file = \"nothing\""), "the file cannot be read", "connector.ca_file", "check the path"),
        (tenant("", "ca_file = \"secret\""), "`ca_file` cannot be read", "connector.ca_file", "BEGIN CERTIFICATE"),
        (
            tenant("", "client_certificate_file = \"nothing\""),
            "cannot be read",
            "client_certificate_file",
            "check the path",
        ),
        (tenant("", "client_certificate_file = \"key\""), "needs `client_key_file`", "connector", "set both"),
        (tenant("", "client_key_file = \"key\""), "needs `client_certificate_file`", "connector", "set both"),
        (
            tenant("", "client_certificate_file = \"key\"\nclient_key_file = \"secret\""),
            "the client certificate in `client_certificate_file` cannot be read",
            "connector.client_certificate_file",
            "BEGIN CERTIFICATE",
        ),
        (
            tenant("", "proxy = \"hunter2\""),
            "proxy's URL cannot be used",
            "key `tenants.acme.connector.proxy`",
            "http://proxy",
        ),
    ]
}
