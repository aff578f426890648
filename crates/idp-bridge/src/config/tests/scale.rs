//! Tests of the cost of many tenants.

use std::fmt::Write as _;
use std::path::Path;

use allocation_counter::measure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Folder, Settings};
use crate::config::Loader;

/// The maximum size of an idle tenant of Keycloak in bytes, without the overhead of the allocator.
const MAX_BYTES: i64 = 8_192;

/// Returns the keys of a tenant, with a webhook key of its own.
fn keys(number: usize) -> String {
    format!("webhook_keys = [\"whsec_{}\"]", STANDARD.encode(format!("{number:032}")))
}

fn connector(table: &str) -> String {
    format!(
        "[{table}]\ntype = \"keycloak\"\nurl = \"https://kc.example\"\nrealm = \"acme\"\nclient_id = \"b\"\nclient_secret = \"s\"\n"
    )
}

type Loaded = (Settings, Loader);

fn start(path: &Path) -> Loaded {
    Loader::start(path, &crate::registry()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn load_file(tenants: usize) -> Loaded {
    let mut text = String::new();
    for number in 0..tenants {
        let connector = connector(&format!("tenants.t-{number}.connector"));
        writeln!(text, "[tenants.t-{number}]\n{}\n{connector}", keys(number)).unwrap();
    }
    let folder = Folder::new();
    start(&folder.write("idp-bridge.toml", &text))
}

fn load_folder(tenants: usize) -> Loaded {
    let folder = Folder::new();
    for number in 0..tenants {
        folder.write(&format!("conf/t-{number}.toml"), &format!("{}\n{}", keys(number), connector("connector")));
    }
    start(&folder.0.path().join("conf"))
}

/// Returns the bytes that a tenant takes, with those of the loader.
fn bytes_per_tenant(load: fn(usize) -> Loaded) -> i64 {
    let [few, many] = [100, 300].map(|tenants| {
        let mut loaded = None;
        let info = measure(|| loaded = Some(load(tenants)));
        drop(loaded);
        info.bytes_current
    });
    (many - few) / 200
}

#[test]
fn idle_tenant_takes_little_memory() {
    load_file(1);
    for load in [load_file, load_folder] {
        let bytes = bytes_per_tenant(load);
        assert!((1..=MAX_BYTES).contains(&bytes), "{bytes}");
    }
}
