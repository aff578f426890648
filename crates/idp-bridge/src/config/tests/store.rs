//! Tests of the table `[server.store]`.

use idp_bridge_server::store::{RedisSettings, RedisTopology};

use super::mistakes::Mistake;
use super::{read, tenant};
use crate::config::StoreSettings;

/// Returns a configuration with these keys of the store, beginning in line 4.
fn store(keys: &str) -> String {
    format!("[server]\n\n[server.store]\n{keys}\n{}", tenant("", ""))
}

fn redis(keys: &str) -> String {
    store(&format!("type = \"redis\"\n{keys}"))
}

fn settings(text: &str) -> StoreSettings {
    read(text).unwrap_or_else(|problems| panic!("{problems:?}")).store
}

fn redis_settings(keys: &str) -> RedisSettings {
    match settings(&redis(keys)) {
        StoreSettings::Redis(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn folder_decides_without_the_table() {
    assert!(matches!(settings(&tenant("", "")), StoreSettings::Memory));
    let with_folder = format!("[server]\nstate_dir = \"state\"\n{}", tenant("", ""));
    assert!(matches!(settings(&with_folder), StoreSettings::File(folder) if folder.ends_with("state")));
    let named = with_folder.replace("[tenants.acme]", "[server.store]\ntype = \"file\"\n[tenants.acme]");
    assert!(matches!(settings(&named), StoreSettings::File(_)));
}

#[test]
fn redis_has_configured_values() {
    let settings = redis_settings(
        "urls = [\"rediss://a:1/2\"]\nusername = \"bridge\"\npassword_file = \"secret\"\nprefix = \"test:\"",
    );
    assert_eq!((settings.servers[0].to_string().as_str(), settings.database, settings.uses_tls), ("a:1", 2, true));
    assert_eq!((settings.username.as_deref(), settings.prefix.as_str()), (Some("bridge"), "test:"));
    assert_eq!((settings.password.unwrap().expose(), settings.topology), ("hunter2", RedisTopology::Single));
    let sentinel = redis_settings("urls = [\"redis://a\", \"redis://b\"]\nsentinel_master = \"main\"");
    assert_eq!(
        (sentinel.topology, sentinel.servers.len()),
        (RedisTopology::Sentinel { master: "main".into(), password: None }, 2)
    );
    let cluster = redis_settings("urls = [\"redis://a\", \"redis://b\"]\ncluster = true");
    assert_eq!((cluster.topology, cluster.prefix.as_str()), (RedisTopology::Cluster, RedisSettings::DEFAULT_PREFIX));
}

#[test]
fn redis_suffices_for_federation() {
    let federation = tenant("federation.clients = [{ id = \"app\" }]", "");
    assert!(read(&federation).is_err());
    let text = format!("[server.store]\ntype = \"redis\"\nurls = [\"redis://a\"]\n{federation}");
    assert!(matches!(settings(&text), StoreSettings::Redis(_)));
}

pub(super) fn mistakes() -> Vec<Mistake> {
    let one = "urls = [\"redis://a\"]\n";
    let two = "urls = [\"redis://a\", \"redis://b\"]\n";
    vec![
        (store(""), "missing key `type`", "key `server.store`", ""),
        (store("type = \"etcd\""), "`memory`, `file` and `redis`", "key `server.store.type`", ""),
        (store("type = \"file\""), "needs `server.state_dir`", ":4:1, key `server.store.type`", "state_dir = "),
        (
            store(&format!("type = \"memory\"\n{one}")),
            "belongs to a store of the type `redis`",
            ":5:1",
            "remove the key",
        ),
        (redis(""), "needs `urls`", "key `server.store`", "rediss://"),
        (redis("urls = [\"http://a\"]"), "expected a URL such as `redis://", "server.store.urls[0]", ""),
        (redis("urls = [\"redis://:hunter2@a\"]"), "without user and password", "server.store.urls[0]", ""),
        (redis(two), "several URLs", ":5:1, key `server.store.urls`", "`cluster = true`"),
        (redis("urls = [\"redis://a\", \"rediss://b\"]\ncluster = true"), "differ", "store.urls", "`rediss` for all"),
        (redis("urls = [\"redis://a\"]\nsentinel_password = \"p\""), "needs Sentinels", "store.sentinel_password", ""),
        (redis(&format!("{two}cluster = true\nsentinel_master = \"m\"")), "exclude each other", "store.cluster", ""),
        (redis("urls = [\"redis://a/1\"]\ncluster = true"), "the database 0 only", "store.urls", ""),
        (redis(&format!("{one}ca_file = \"key\"")), "needs URLs with TLS", ":6:1, key `server.store.ca_file`", ""),
        (redis("urls = [\"rediss://a\"]\nca_file = \"nowhere\""), "cannot be read", "store.ca_file", "permissions"),
        (redis(&format!("{one}prefix = \"{{a}}\"")), "without braces", "server.store.prefix", "`idp-bridge:`"),
        (
            redis(&format!("{one}pasword = \"hunter2\"")),
            "unknown key `pasword`",
            "store.pasword",
            "did you mean `password`",
        ),
        (redis(&format!("{one}password_env = \"NO_SUCH_VARIABLE\"")), "is not set", "store.password_env", "export"),
    ]
}
