//! Tests of loading configurations and of the messages about mistakes.

#![cfg(all(feature = "keycloak", feature = "memory"))]

mod federation;
mod mistakes;
mod reload;
mod rest;
mod scale;
mod store;
mod tls;

use std::path::{Path, PathBuf};

use idp_bridge_core::{Registry, TenantId};
use idp_bridge_server::CustomerMissing;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{Problem, Settings, load};

const PUBLIC: &str = "whpk_OzHzv9dJQOjJf0cyLa6rPQCJhfbThuf70Bc1z9fVDQA=";
const SHARED: &str = "whsec_MSRjPPxLmJtpK9OVH8KDqggkVjFnu0Oevow4dEoKvE0=";

/// A folder with the files that the test configurations refer to.
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

/// Returns a valid tenant `acme`, with more keys in its table and in its connector's table.
fn tenant(keys: &str, connector: &str) -> String {
    let keys =
        if keys.contains("webhook_keys") { keys.to_owned() } else { format!("webhook_keys_file = [\"key\"]\n{keys}") };
    let connector = if connector.contains("type") { connector.to_owned() } else { format!("{KEYCLOAK}{connector}") };
    format!("[tenants.acme]\n{keys}\n[tenants.acme.connector]\n{connector}")
}

const KEYCLOAK: &str = "type = \"keycloak\"\nurl = \"https://kc.example\"\nrealm = \"acme\"\nclient_id = \"b\"\nclient_secret_file = \"secret\"\n";

#[test]
fn small_configuration_has_documented_defaults() {
    let settings = read(&tenant("", "")).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    let tenant = settings.tenants().next().unwrap();
    assert_eq!((tenant.id.as_str(), tenant.connector), ("acme", "keycloak"));
    assert_eq!(tenant.deadline.as_secs(), 4);
    assert_eq!(tenant.customer_missing, CustomerMissing::Reject);
    assert!(tenant.tokens.is_empty() && tenant.switched_off.is_empty());
}

#[test]
fn tenant_has_configured_values() {
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
fn folder_has_one_file_per_tenant() {
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
fn example_file_has_no_credentials() {
    let example = include_str!("../../../../docs/configuration.example.toml");
    let found =
        |text: &str| example.lines().filter(|line| !line.trim_start().starts_with('#') && line.contains(text)).count();
    assert_eq!(found("whpk_"), found("webhook_keys = [\"whpk_…\"]"));
    assert_eq!(found("sha256 ="), found("sha256 = \"…\""));
    assert!(found("whpk_") > 0 && found("sha256 =") > 0 && found("whsec_") == 0);
    let folder = Folder::new();
    folder.write("idp-bridge.toml", example);
    let problems = folder.load("idp-bridge.toml").err().unwrap();
    let refused = |message: &str| problems.iter().filter(|problem| problem.message.contains(message)).count();
    assert_eq!(refused("not base64"), found("whpk_"), "{problems:?}");
    assert!(refused("64 hexadecimal digits") > 0, "{problems:?}");
}

#[test]
fn example_file_is_valid_and_has_all_keys() {
    let example = include_str!("../../../../docs/configuration.example.toml");
    let mut filled = example.replace("\"whpk_…\"", &format!("\"{PUBLIC}\""));
    for digest in ["5c", "c5"].map(|byte| byte.repeat(32)) {
        filled = filled.replacen("sha256 = \"…\"", &format!("sha256 = \"{digest}\""), 1);
    }
    let folder = Folder::new();
    for name in [
        "metrics-token",
        "log-user-salt",
        "acme-webhook",
        "acme-portal",
        "acme-keycloak",
        "globex-auth0",
        "initech-aws",
        "initech-app-client",
        "umbrella",
        "hooli-pocketbase",
        "soylent-database",
        "vandelay-ldap",
        "vandelay-smtp",
    ] {
        folder.write(&format!("secrets/{name}"), PUBLIC);
    }
    folder.write("secrets/traces-headers", "authorization: Bearer 1");
    for mailer in ["soylent-mail", "vandelay-mail"] {
        folder.write(&format!("secrets/{mailer}"), "whsk_T2Ygbm8gdXNlIGJleW9uZCB0aGlzIHRlc3QgZmlsZS4=");
    }
    let ca = include_str!("tests/ca.pem");
    folder.write("secrets/acme-ca.pem", ca);
    folder.write("secrets/platform-ca.pem", ca);
    let (certificate, key) = tls::issue();
    folder.write("tls/idp-bridge.pem", &certificate);
    folder.write("tls/idp-bridge.key", &key);
    folder.write("tls/platform-ca.pem", ca);
    folder.write("idp-bridge.toml", &filled);
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

/// Returns all keys except those of the memory connector's users, which are data.
fn all_keys() -> Vec<String> {
    let schema = super::json_schema(&crate::registry());
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

#[test]
fn mistakes_are_reported_with_place_and_hint() {
    for (text, message, place, hint) in mistakes::all() {
        let Err(problems) = read(&text) else { panic!("this was accepted:\n{text}") };
        let fits = |problem: &Problem| {
            let shown = problem.to_string();
            problem.message.contains(message)
                && shown.contains(place)
                && problem.hint.iter().all(|own| own.contains(hint))
        };
        let shown = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(problems.iter().any(fits), "expected {message:?}, {place:?}, {hint:?} for\n{text}\nfound\n{shown}");
        assert!(!shown.contains("hunter2"), "a secret is shown: {shown}");
    }
}

#[test]
fn repeated_table_is_reported_once() {
    let text = tenant("", "");
    let problems = read(&format!("{text}\n{text}")).err().unwrap();
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the file is not TOML: the table `[tenants.acme]` is repeated",
            "the file is not TOML: the table `[tenants.acme.connector]` is repeated"
        ]
    );
}

#[test]
fn repeated_tenant_is_reported_with_both_places() {
    let folder = Folder::new();
    let memory = format!("webhook_keys = [\"{PUBLIC}\"]\n[connector]\ntype = \"memory\"\nusers = []\n");
    folder.write("conf/acme.toml", &memory);
    let tables = memory.replace("[connector]", "[tenants.acme.connector]");
    folder.write("conf/idp-bridge.toml", &format!("[tenants.acme]\n{tables}"));
    let problems = folder.load("conf").err().unwrap();
    let shown = problems[0].to_string();
    assert!(shown.contains("`acme`") && shown.contains("twice") && shown.contains("at: "), "{shown}");
    assert!(shown.contains("conf/acme.toml"), "{shown}");
    let hint = problems[0].hint.as_deref().unwrap();
    assert!(hint.contains("conf/idp-bridge.toml:1:10") && hint.ends_with("too: remove one of them"), "{shown}");
}

#[test]
fn misspelt_file_extension_is_reported() {
    let folder = Folder::new();
    let memory = format!("webhook_keys = [\"{PUBLIC}\"]\n[connector]\ntype = \"memory\"\nusers = []\n");
    folder.write("conf/acme.toml", &memory);
    folder.write("conf/globex.TOML", &memory);
    let problems = folder.load("conf").err().unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains("conf/globex.TOML"), "{problems:?}");
    assert!(problems[0].hint.as_deref().unwrap().ends_with("conf/globex.toml`"), "{problems:?}");
}

#[test]
fn all_mistakes_are_reported_in_file_order() {
    let problems = read(
        "[server]\nlisen = \"127.0.0.1:1\"\n[tenants.acme]\nwebhook_keys = []\ndeadline = \"9h\"\ncustomer.missing = \"x\"\n\
         [tenants.acme.connector]\ntype = \"keycloak\"\nulr = \"https://kc.example\"\n[tenants.other]\nconnector.type = \"memory\"\n",
    )
    .err()
    .unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.place.clone().unwrap().position.unwrap().line).collect();
    assert_eq!(lines, [2, 5, 6, 7, 7, 9, 10, 11], "{problems:#?}");
}

#[test]
fn shared_keys_and_ids_are_unique() {
    let tenant = |id: &str, key: &str| {
        format!("[tenants.{id}]\nwebhook_keys = [\"{key}\"]\n[tenants.{id}.connector]\ntype = \"memory\"\nusers = []\n")
    };
    assert!(read(&(tenant("a", PUBLIC) + &tenant("b", PUBLIC))).is_ok());
    let problems = read(&(tenant("a", SHARED) + &tenant("b", SHARED))).err().unwrap();
    assert!(problems[0].to_string().contains(":6:10, key `tenants.b`"), "{}", problems[0]);
    assert!(problems[0].message.contains("share the key"), "{}", problems[0]);
    let folder = Folder::new();
    folder.write("conf/idp-bridge.toml", &tenant("a", PUBLIC));
    folder.write(
        "conf/a.toml",
        &format!("webhook_keys = [\"{PUBLIC}\"]\nconnector = {{ type = \"memory\", users = [] }}"),
    );
    let problems = folder.load("conf").err().unwrap();
    assert!(problems[0].message.contains("`a`") && problems[0].message.contains("twice"), "{}", problems[0]);
}

#[test]
fn untrusted_settings_cannot_reach_the_host() {
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
        ("proxy", at("secrets/key", &format!("{keycloak}proxy = \"http://127.0.0.1:1\"")), "a proxy could reach"),
        ("env", at("secrets/key", &keycloak.replace("client_secret =", "client_secret_env =")), "IDP_BRIDGE_SECRET_"),
        ("url", at("secrets/key", &keycloak.replace("https://kc.example", "http://127.0.0.1:1")), "not dialled"),
    ] {
        folder.write(name, &text);
        let problems = folder.load(name).err().unwrap_or_default();
        assert!(problems.iter().any(|problem| problem.message.contains(message)), "{name}: {problems:#?}");
    }
}

#[cfg(feature = "cognito")]
#[test]
fn tenants_assume_listed_roles_only() {
    let folder = Folder::new();
    folder.write("secrets/key", PUBLIC);
    let role = "arn:aws:iam::123456789012:role/of-a";
    for (number, (server, connector, message)) in [
        ("", "", "listed roles only"),
        ("", &*format!("role_arn = \"{role}\""), "may not assume `role_arn`"),
        (&*format!("aws_roles.b = [\"{role}\"]"), &*format!("role_arn = \"{role}\""), "may not assume `role_arn`"),
        (&*format!("aws_roles.a = [\"{role}\"]"), "", "listed roles only"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!(
            "[server]\nsecrets_dir = \"secrets\"\naws_default_chain = true\n{server}\n[outbound]\nprivate_networks = \"deny\"\n\
             [tenants.a]\nwebhook_keys_file = [\"secrets/key\"]\n\
             [tenants.a.connector]\ntype = \"cognito\"\nuser_pool_id = \"eu-west-1_AbCdEfGhI\"\n{connector}\n"
        );
        let name = format!("{number}.toml");
        folder.write(&name, &text);
        let problems = folder.load(&name).err().unwrap_or_default();
        assert!(problems.iter().any(|problem| problem.message.contains(message)), "{text}: {problems:#?}");
    }
}

#[test]
fn missing_connector_is_reported_with_its_feature() {
    let folder = Folder::new();
    let path = folder.write("idp-bridge.toml", &tenant("", ""));
    let problems = load(&path, &Registry::default()).err().unwrap();
    assert_eq!(problems[0].hint.as_deref(), Some("build it with `--features keycloak`; built in: none"));
}

#[test]
fn unreadable_files_are_reported() {
    let problems = load(Path::new("/nowhere/idp-bridge.toml"), &crate::registry()).err().unwrap();
    assert!(problems[0].to_string().contains("at: /nowhere/idp-bridge.toml"), "{}", problems[0]);
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("latin.toml"), b"# \xe4\n").unwrap();
    assert!(folder.load("latin.toml").err().unwrap()[0].message.contains("cannot be read"));
    std::fs::create_dir(folder.0.path().join("empty")).unwrap();
    assert!(folder.load("empty").err().unwrap()[0].message.contains("no tenant"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_or_shows_values(
        lines in prop::collection::vec(
            prop_oneof![
                "\\PC{0,20}",
                "\\[(server|outbound|tenants\\.a|tenants\\.a\\.connector|tenants\\.b\\.rest)\\]",
                // The name of an unknown connector is shown, since it is not a secret.
                "type = \"(keycloak|memory|nis)\"",
                "(listen|webhook_keys|webhook_keys_file|deadline|rest|customer|url|realm|client_secret|proxy|log|users) = (\"hunter2\"|\\[\"hunter2\"\\]|\\{hunter = \"hunter2\"\\}|2|true)",
            ],
            0..12,
        )
    ) {
        let problems = read(&lines.join("\n")).err().unwrap_or_default();
        for problem in problems {
            // Names of files and variables may be shown, other values may not.
            let shown = problem.to_string();
            prop_assert!(!shown.contains("hunter2") || shown.contains("hunter2` cannot be read"), "{shown}");
        }
    }
}
