//! What a configuration may say, what becomes of it, and what is said of each mistake.

#![cfg(all(feature = "keycloak", feature = "memory"))]

use std::path::{Path, PathBuf};

use idp_bridge_core::{Registry, TenantId};
use idp_bridge_server::CustomerMissing;
use tempfile::TempDir;

use super::{Problem, Settings, load};

const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const SHARED: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A folder with the files that a configuration may name.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("key", &format!("{PUBLIC}\n"));
        folder.write("secret", "hunter2\n");
        folder.write("users.json", r#"[{"id": "u-1"}]"#);
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, name: &str) -> Result<Settings, Vec<Problem>> {
        load(&self.0.path().join(name), &crate::registry())
    }
}

fn read(text: &str) -> Result<Settings, Vec<Problem>> {
    let folder = Folder::new();
    folder.write("idp-bridge.toml", text);
    folder.load("idp-bridge.toml")
}

/// A right tenant `acme`, followed by more of its table, its connector's table and the whole.
fn tenant(keys: &str, connector: &str) -> String {
    let keys =
        if keys.contains("webhook_keys") { keys.to_owned() } else { format!("webhook_keys_file = [\"key\"]\n{keys}") };
    let connector = if connector.contains("type") { connector.to_owned() } else { format!("{KEYCLOAK}{connector}") };
    format!("[tenants.acme]\n{keys}\n[tenants.acme.connector]\n{connector}")
}

const KEYCLOAK: &str = "type = \"keycloak\"\nurl = \"https://kc.example\"\nrealm = \"acme\"\nclient_id = \"b\"\nclient_secret_file = \"secret\"\n";

#[test]
fn a_small_configuration_has_the_documented_defaults() {
    let settings = read(&tenant("", "")).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    let tenant = settings.tenants().next().unwrap();
    assert_eq!((tenant.id.as_str(), tenant.connector.as_str()), ("acme", "keycloak"));
    assert_eq!(tenant.deadline.as_secs(), 4);
    assert_eq!(tenant.customer_missing, CustomerMissing::Reject);
    assert!(tenant.tokens.is_empty() && tenant.switched_off.is_empty());
}

#[test]
fn what_is_written_is_what_the_tenant_gets() {
    let settings = read(&tenant(
        "deadline = \"800ms\"\ncustomer.missing = \"use_id\"\ndisabled_calls = [\"users.delete\"]\n\
         rest.tokens = [{name = \"ops\", sha256 = \"00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00FF\", scopes = [\"users.read\"]}]",
        "type = \"memory\"\nusers_file = \"users.json\"",
    ))
    .unwrap();
    let tenant = settings.tenants().next().unwrap();
    assert_eq!(tenant.deadline.as_millis(), 800);
    assert_eq!(tenant.customer_missing, CustomerMissing::UseId);
    assert_eq!(tenant.switched_off.len(), 1);
    assert_eq!(tenant.tokens[0].sha256[30..], [0, 0xff]);
}

#[test]
fn a_folder_has_a_file_for_each_tenant_and_one_for_the_rest() {
    let folder = Folder::new();
    let memory = format!("webhook_keys = [\"{PUBLIC}\"]\n[connector]\ntype = \"memory\"\nusers = []\n");
    folder.write("conf/idp-bridge.toml", "[server]\nlisten = \"127.0.0.1:9\"\n");
    folder.write("conf/b.toml", &memory);
    folder.write("conf/a.toml", &memory);
    folder.write("conf/.hidden.toml", "not = = toml");
    folder.write("conf/notes.txt", "not toml");
    let settings = folder.load("conf").unwrap();
    let ids: Vec<_> = settings.ids.iter().map(TenantId::as_str).collect();
    assert_eq!((ids, settings.server.listen.port()), (vec!["a", "b"], 9));
    folder.write("conf/a.toml", &memory.replace("users", "user"));
    let problems = folder.load("conf").err().unwrap();
    assert!(problems[0].to_string().contains("conf/a.toml:4:1, key `connector.user`"), "{}", problems[0]);
}

#[test]
fn the_example_file_has_every_key_and_is_right() {
    let example = include_str!("../../../../docs/configuration.example.toml");
    let folder = Folder::new();
    for name in ["acme-webhook", "acme-keycloak"] {
        folder.write(&format!("secrets/{name}"), PUBLIC);
    }
    let ca = include_str!("tests/ca.pem");
    folder.write("secrets/acme-ca.pem", ca);
    folder.write("idp-bridge.toml", example);
    if let Err(problems) = folder.load("idp-bridge.toml") {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    for key in all_keys() {
        let has = example.lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ', '{']);
            line.split([' ', '=', '.', ',', ']', '[']).any(|word| word == key)
        });
        assert!(has, "the example lacks `{key}`");
    }
}

/// The keys of everything but of a user of the memory connector, which is data.
fn all_keys() -> Vec<String> {
    let schema = super::schema(&crate::registry());
    let mut keys = Vec::new();
    let mut tables = vec![&schema];
    tables.extend(
        schema["$defs"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "memory.MemoryUser")
            .map(|(_, table)| table),
    );
    tables.extend(schema["$defs"]["Connector"]["oneOf"].as_array().unwrap());
    for table in tables {
        keys.extend(table["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()));
    }
    assert!(keys.len() > 30, "{keys:?}");
    keys
}

/// A mistake: the file, and what the message, the place with its key, and the hint must hold.
type Mistake<'a> = (String, &'a str, &'a str, &'a str);

fn mistakes() -> Vec<Mistake<'static>> {
    let token = |token: &str| tenant(&format!("rest.tokens = [{token}]"), "");
    let memory = |settings: &str| tenant("", &format!("type = \"memory\"\n{settings}"));
    vec![
        // The file.
        (String::new(), "no tenant is configured", "idp-bridge.toml", "[tenants.<id>]"),
        ("[server]\n".into(), "no tenant is configured", "", ""),
        ("[server\n".into(), "not TOML", ":1:", ""),
        ("a = 1\na = 2\n".into(), "not TOML", ":2:", ""),
        ("tenants = 1".into(), "expected a table", ":1:1, key `tenants`", ""),
        ("tenants.acme = 1".into(), "expected a table", ":1:9, key `tenants.acme`", ""),
        ("[tenant.acme]".into(), "unknown key `tenant`", ":1:2, key `tenant`", "did you mean `tenants`"),
        ("[something]".into(), "unknown key", "", "the keys here are `outbound`, `server` and `tenants`"),
        ("[server]\nlisten = \"localhost\"\n".into(), "socket address", ":2:1, key `server.listen`", ""),
        ("[server]\nlisten = 8080\n".into(), "found a number", "`server.listen`", ""),
        ("[server]\nlog.formt = \"json\"\n".into(), "unknown key `formt`", ":2:5", "did you mean `format`"),
        ("[server]\nlog.format = \"jsn\"\n".into(), "`auto`, `text` and `json`", ":2:5", "did you mean `json`"),
        ("[outbound]\nprivate_networks = \"denied\"".into(), "`allow` and `deny`", ":2:1", "did you mean `deny`"),
        // The tenant.
        ("[tenants.\"a/b\"]".into(), "no tenant id: it may hold only", ":1:10", ""),
        (
            "[tenants.acme]".into(),
            "missing key `webhook_keys`",
            ":1:10, key `tenants.acme`",
            "`webhook_keys_file` (a list",
        ),
        ("[tenants.acme]".into(), "missing key `connector`", ":1:10", "add a table `[tenants.acme.connector]`"),
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
        (tenant("webhook_keys = []", ""), "one to four keys, found 0", ":2:1", ""),
        (tenant("webhook_keys_file = [\"key\",\"key\",\"key\",\"key\",\"key\"]", ""), "found 5", ":2:1", ""),
        (tenant("webhook_keys_file = [\"nothing\"]", ""), "nothing` cannot be read", ":2:22", "check the path"),
        (tenant("webhook_keys_file = [\"secret\"]", ""), "`whpk_` or `whsec_`", ":2:22", "keys new"),
        (tenant("webhook_keys_env = [\"NO_SUCH_VARIABLE\"]", ""), "`NO_SUCH_VARIABLE` is not set", ":2:21", "export"),
        (
            tenant("webhook_keys = []\nwebhook_keys_env = []", ""),
            "`webhook_keys` and `webhook_keys_env` are both given",
            ":3:1",
            "keep one",
        ),
        (tenant("webhok_keys = []", ""), "unknown key `webhok_keys`", ":3:1", "did you mean `webhook_keys`"),
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
        (tenant("rest.tokens = \"hunter2\"", ""), "expected a list, found a text", "rest.tokens", ""),
        // The connector.
        (tenant("", "type = 1"), "the name of a connector", "connector.type", "built in: `keycloak` and `memory`"),
        (tenant("", "type = \"keycloack\""), "no connector `keycloack`", "connector.type", "did you mean `keycloak`"),
        (tenant("", "type = \"ldap\""), "no connector `ldap`", "connector.type", "built in: `keycloak` and `memory`"),
        (tenant("connector.url = 1", ""), "not TOML", "", ""),
        (
            tenant("", "realms = \"x\""),
            "unknown key `realms`",
            ":10:1, key `tenants.acme.connector.realms`",
            "did you mean `realm`",
        ),
        (tenant("", "allow_http = \"hunter2\""), "`true` or `false`, found a text", ":10:1", ""),
        (tenant("", "ca_file = \"nothing\""), "the file cannot be read", "connector.ca_file", "check the path"),
        (tenant("", "ca_file = \"secret\""), "`ca_file` cannot be read", "connector.ca_file", "BEGIN CERTIFICATE"),
        (tenant("", "proxy = \"hunter2\""), "proxy's URL cannot be used", "connector", "http://proxy"),
        (tenant("", "client_secret = \"hunter2\""), "are both given", "connector.client_secret_file", "keep one"),
        (tenant("", "customer_attribute = \"a b\""), "`customer_attribute` may hold only", ":10:1", ""),
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

#[test]
fn every_mistake_is_named_with_its_place_its_key_and_the_next_step() {
    for (text, message, place, hint) in mistakes() {
        let Err(problems) = read(&text) else { panic!("this was taken:\n{text}") };
        let fits = |problem: &Problem| {
            let shown = problem.to_string();
            problem.message.contains(message)
                && shown.contains(place)
                && problem.hint.iter().all(|own| own.contains(hint))
        };
        let shown = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(problems.iter().any(fits), "expected {message:?}, {place:?}, {hint:?} of\n{text}\nbut it is\n{shown}");
        assert!(!shown.contains("hunter2"), "a secret is shown: {shown}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
    let problems = read(
        "[server]\nlisen = \"127.0.0.1:1\"\n[tenants.acme]\nwebhook_keys = []\ndeadline = \"9h\"\ncustomer.missing = \"x\"\n\
         [tenants.acme.connector]\ntype = \"keycloak\"\nulr = \"https://kc.example\"\n[tenants.other]\nconnector.type = \"memory\"\n",
    )
    .err()
    .unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.place.clone().unwrap().position.unwrap().line).collect();
    assert_eq!(lines, [2, 5, 6, 7, 7, 7, 9, 10, 11], "{problems:#?}");
}

#[test]
fn no_two_tenants_have_the_same_shared_key_or_the_same_id() {
    let tenant = |id: &str, key: &str| {
        format!("[tenants.{id}]\nwebhook_keys = [\"{key}\"]\n[tenants.{id}.connector]\ntype = \"memory\"\nusers = []\n")
    };
    assert!(read(&(tenant("a", PUBLIC) + &tenant("b", PUBLIC))).is_ok());
    let problems = read(&(tenant("a", SHARED) + &tenant("b", SHARED))).err().unwrap();
    assert!(problems[0].to_string().contains(":6:10, key `tenants.b`"), "{}", problems[0]);
    assert!(problems[0].message.contains("same shared key"), "{}", problems[0]);
    let folder = Folder::new();
    folder.write("conf/idp-bridge.toml", &tenant("a", PUBLIC));
    folder.write(
        "conf/a.toml",
        &format!("webhook_keys = [\"{PUBLIC}\"]\nconnector = {{ type = \"memory\", users = [] }}"),
    );
    let problems = folder.load("conf").err().unwrap();
    assert!(problems[0].message.contains("`a` is there twice"), "{}", problems[0]);
}

#[test]
fn tenants_with_their_own_settings_are_kept_from_the_hosts_files_variables_and_network() {
    let folder = Folder::new();
    let deny = "[server]\nsecrets_dir = \"secrets\"\n[outbound]\nprivate_networks = \"deny\"\n";
    folder.write("secrets/key", PUBLIC);
    let at = |name: &str, connector: &str| {
        format!("{deny}[tenants.a]\nwebhook_keys_file = [\"{name}\"]\n[tenants.a.connector]\n{connector}")
    };
    let keycloak =
        "type = \"keycloak\"\nurl = \"https://kc.example\"\nrealm = \"r\"\nclient_id = \"c\"\nclient_secret = \"s\"\n";
    folder.write("right.toml", &at("secrets/key", keycloak));
    assert!(folder.load("right.toml").is_ok());
    for (name, text, message) in [
        ("file", at("key", keycloak), "is not under"),
        ("users", at("secrets/key", "type = \"memory\"\nusers_file = \"users.json\""), "is not under"),
        ("ca", at("secrets/key", &format!("{keycloak}ca_file = \"secret\"")), "is not under"),
        ("proxy", at("secrets/key", &format!("{keycloak}proxy = \"http://127.0.0.1:1\"")), "a proxy would see"),
        ("env", at("secrets/key", &keycloak.replace("client_secret =", "client_secret_env =")), "IDP_BRIDGE_SECRET_"),
        ("url", at("secrets/key", &keycloak.replace("https://kc.example", "http://127.0.0.1:1")), "not dialled"),
    ] {
        folder.write(name, &text);
        let problems = folder.load(name).err().unwrap_or_default();
        assert!(problems.iter().any(|problem| problem.message.contains(message)), "{name}: {problems:#?}");
    }
}

#[test]
fn a_connector_of_the_workspace_that_is_not_built_in_is_named_with_its_feature() {
    let folder = Folder::new();
    let path = folder.write("idp-bridge.toml", &tenant("", ""));
    let problems = load(&path, &Registry::default()).err().unwrap();
    assert_eq!(problems[0].hint.as_deref(), Some("build it with `--features keycloak`; built in: none"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let problems = load(Path::new("/nowhere/idp-bridge.toml"), &crate::registry()).err().unwrap();
    assert!(problems[0].to_string().contains("at: /nowhere/idp-bridge.toml"), "{}", problems[0]);
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("latin.toml"), b"# \xe4\n").unwrap();
    assert!(folder.load("latin.toml").err().unwrap()[0].message.contains("cannot be read"));
    std::fs::create_dir(folder.0.path().join("empty")).unwrap();
    assert!(folder.load("empty").err().unwrap()[0].message.contains("no tenant"));
}
