//! Tests of loading a configuration again.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use idp_bridge_core::TenantId;
use idp_bridge_server::Tenants;

use super::{Folder, PUBLIC};
use crate::config::inputs::SETTLED;
use crate::config::{Loader, Reload};

const MEMORY: &str = "webhook_keys_file = [\"../key\"]\n[connector]\ntype = \"memory\"\nusers = []\n";
const SERVER: &str = "[server]\nstate_dir = \"state\"\npublic_url = \"https://bridge.example\"\n";

/// A folder with the tenants `a` and `b`, which was loaded once.
struct Loaded {
    folder: Folder,
    loader: Loader,
    tenants: Tenants,
}

impl Loaded {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("conf/idp-bridge.toml", SERVER);
        folder.write("conf/a.toml", MEMORY);
        folder.write("conf/b.toml", MEMORY);
        Self::load(folder)
    }

    fn load(folder: Folder) -> Self {
        let loaded = Loader::start(&folder.0.path().join("conf"), &crate::registry());
        let (settings, loader) = loaded.unwrap_or_else(|problems| panic!("{problems:?}"));
        Self { folder, loader, tenants: settings.tenants }
    }

    /// Writes a file and loads again.
    fn reload(&mut self, name: &str, text: &str) -> Reload {
        self.folder.write(name, text);
        self.loader.reload().unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    /// Returns whether a tenant is the object of the first load.
    fn is_kept(&self, reload: &Reload, id: &str) -> bool {
        let id = TenantId::new(id).unwrap();
        Arc::ptr_eq(&self.tenants.get(&id).unwrap(), &reload.tenants.get(&id).unwrap())
    }
}

fn names(ids: &[TenantId]) -> Vec<&str> {
    ids.iter().map(TenantId::as_str).collect()
}

#[test]
fn unchanged_tenants_are_kept() {
    let mut loaded = Loaded::new();
    let reload = loaded.reload("conf/a.toml", MEMORY);
    assert!(loaded.is_kept(&reload, "a") && loaded.is_kept(&reload, "b"));
    assert!(reload.changed.is_empty() && reload.removed.is_empty() && reload.broken.is_empty());
    let reload = loaded.reload("conf/a.toml", &format!("deadline = \"1s\"\n{MEMORY}"));
    assert!(!loaded.is_kept(&reload, "a") && loaded.is_kept(&reload, "b"));
    assert_eq!(names(&reload.changed), ["a"]);
}

/// A main file with the tenants `a` and `b`.
fn main_file(a: &str, b: &str) -> String {
    let tenant = |id: &str, keys: &str| {
        format!(
            "[tenants.{id}]\nwebhook_keys_file = [\"../key\"]\n{keys}\n[tenants.{id}.connector]\ntype = \"memory\"\nusers = []\n"
        )
    };
    format!("{SERVER}{}{}", tenant("a", a), tenant("b", b))
}

#[test]
fn unchanged_parts_of_a_file_are_kept() {
    let folder = Folder::new();
    folder.write("conf/idp-bridge.toml", &main_file("", ""));
    let mut loaded = Loaded::load(folder);
    let mut reload = |a: &str, b: &str| {
        let reload = loaded.reload("conf/idp-bridge.toml", &main_file(a, b));
        (names(&reload.changed).join(" "), loaded.is_kept(&reload, "a"), loaded.is_kept(&reload, "b"))
    };
    assert_eq!(reload("", ""), (String::new(), true, true));
    assert_eq!(reload("# a comment", "# a comment"), (String::new(), true, true));
    assert_eq!(reload("", "deadline = \"1s\""), ("b".into(), true, false));
    // A text with a line that looks like a header. The key does not exist, so that `a` keeps its settings.
    let text = "x = \"\"\"\n[tenants.c]\n\"\"\"";
    assert_eq!(reload(text, ""), ("b".into(), true, false));
    assert_eq!(reload("", ""), (String::new(), true, false));
    let reload = loaded.reload("key", &format!("{PUBLIC} "));
    assert_eq!(reload.changed.len(), 2, "{:?}", reload.problems);
}

#[test]
fn problems_in_a_part_have_their_line() {
    let folder = Folder::new();
    folder.write("conf/idp-bridge.toml", &main_file("", "deadline = 1"));
    let problems = Loader::start(&folder.0.path().join("conf"), &crate::registry()).err().unwrap();
    let positions: Vec<_> =
        problems.iter().map(|problem| problem.place.as_ref().unwrap().position.unwrap().line).collect();
    assert_eq!(positions, [12], "{problems:?}");
}

#[test]
fn tenants_are_added_and_removed() {
    let mut loaded = Loaded::new();
    std::fs::remove_file(loaded.folder.0.path().join("conf/a.toml")).unwrap();
    let reload = loaded.reload("conf/c.toml", MEMORY);
    assert_eq!((names(&reload.changed), names(&reload.removed), reload.tenants.len()), (vec!["c"], vec!["a"], 2));
}

#[test]
fn changed_client_certificate_changes_the_tenant() {
    let folder = Folder::new();
    folder.write("conf/idp-bridge.toml", SERVER);
    let files = "client_certificate_file = \"../client.pem\"\nclient_key_file = \"../client.key\"\n";
    folder.write("conf/a.toml", &format!("{MEMORY}{files}"));
    folder.write("conf/b.toml", MEMORY);
    folder.write("client.pem", "one");
    folder.write("client.key", "one");
    let mut loaded = Loaded::load(folder);
    for file in ["client.pem", "client.key"] {
        assert_eq!(names(&loaded.reload(file, "one").changed), [""; 0]);
        assert_eq!(names(&loaded.reload(file, "two").changed), ["a"], "{file}");
    }
}

#[test]
fn changed_secret_file_changes_the_tenant() {
    let mut loaded = Loaded::new();
    let reload = loaded.reload("key", &format!("{PUBLIC}\n# \n"));
    assert_eq!(reload.broken, ["a", "b"], "a key with more text is invalid");
    let reload = loaded.reload("key", "whsec_MSRjPPxLmJtpK9OVH8KDqggkVjFnu0Oevow4dEoKvE1=");
    assert_eq!(reload.broken, ["a", "b"], "{:?}", reload.problems);
    let reload = loaded.reload("key", &format!("{PUBLIC} "));
    assert_eq!(reload.changed.len(), 2, "{:?}", reload.problems);
}

#[test]
fn unchanged_files_are_not_read_again() {
    let mut loaded = Loaded::new();
    let path = loaded.folder.0.path().join("conf/a.toml");
    let unchanged = |loaded: &mut Loaded| {
        let reload = loaded.loader.reload().unwrap_or_else(|problems| panic!("{problems:?}"));
        (reload.changed.len(), reload.broken.len(), loaded.loader.count_conclusive("a"))
    };
    // The files were written a moment ago, so that they could change again without a new time.
    assert_eq!(unchanged(&mut loaded), (0, 0, 0));
    let is_settled = || path.metadata().unwrap().modified().unwrap().elapsed().unwrap() > SETTLED;
    while !is_settled() {
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    assert_eq!(unchanged(&mut loaded), (0, 0, 2), "they are read once more");
    assert_eq!(unchanged(&mut loaded), (0, 0, 2));
    let reload = loaded.reload("conf/a.toml", &format!("deadline = \"1s\"\n{MEMORY}"));
    assert_eq!(names(&reload.changed), ["a"]);
    let reload = loaded.reload("key", &format!("{PUBLIC} "));
    assert_eq!(reload.changed.len(), 2, "{:?}", reload.problems);
}

#[test]
fn swapped_volume_changes_the_tenant() {
    let folder = Folder::new();
    let path = folder.0.path().to_owned();
    folder.write("volume/..1/key", PUBLIC);
    folder.write("volume/..2/key", &format!("{PUBLIC}\n"));
    symlink("..1", path.join("volume/..data")).unwrap();
    symlink("..data/key", path.join("volume/key")).unwrap();
    folder.write("conf/a.toml", &MEMORY.replace("../key", "../volume/key"));
    let mut loaded = Loaded::load(folder);
    assert!(loaded.loader.folders().contains(&path.join("conf/../volume")));
    symlink("..2", path.join("volume/..new")).unwrap();
    std::fs::rename(path.join("volume/..new"), path.join("volume/..data")).unwrap();
    let reload = loaded.loader.reload().unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(names(&reload.changed), ["a"]);
}

#[test]
fn broken_tenant_keeps_its_settings() {
    let mut loaded = Loaded::new();
    for broken in ["not = = toml", "[connector]\ntype = \"memory\"\n"] {
        let reload = loaded.reload("conf/a.toml", broken);
        assert!(loaded.is_kept(&reload, "a") && !reload.problems.is_empty());
        assert_eq!((reload.broken, reload.changed.len()), (vec!["a".to_owned()], 0));
    }
    loaded.folder.write("conf/b.toml", &format!("deadline = \"1s\"\n{MEMORY}"));
    let reload = loaded.reload("conf/new.toml", "not toml");
    assert_eq!((names(&reload.changed), reload.broken.len(), reload.tenants.len()), (vec!["b"], 2, 2));
    let reload = loaded.reload("conf/a.toml", MEMORY);
    assert!(loaded.is_kept(&reload, "a"), "the settings are as they were");
}

#[test]
fn missing_files_of_broken_tenants_are_watched() {
    let mut loaded = Loaded::new();
    let path = loaded.folder.0.path().to_owned();
    std::fs::create_dir(path.join("later")).unwrap();
    for (named, watched) in [("../later/key", "conf/../later"), ("../later/on/key", "conf/../later"), ("x/key", "conf")]
    {
        let reload = loaded.reload("conf/new.toml", &MEMORY.replace("../key", named));
        assert_eq!(reload.broken, ["new"], "{:?}", reload.problems);
        let folders = loaded.loader.folders();
        assert!(folders.contains(&path.join(watched)), "{named}: {folders:?}");
    }
    loaded.reload("conf/new.toml", &MEMORY.replace("../key", "../later/key"));
    let reload = loaded.reload("later/key", PUBLIC);
    assert_eq!((names(&reload.changed), reload.broken.len()), (vec!["new"], 0), "{:?}", reload.problems);
}

#[test]
fn broken_main_file_changes_nothing() {
    let mut loaded = Loaded::new();
    loaded.folder.write("conf/a.toml", &format!("deadline = \"1s\"\n{MEMORY}"));
    loaded.folder.write("conf/idp-bridge.toml", "[server]\nlisten = 1\n");
    assert!(loaded.loader.reload().is_err());
    let reload = loaded.reload("conf/idp-bridge.toml", SERVER);
    assert_eq!(names(&reload.changed), ["a"]);
}

#[test]
fn conflicting_tenants_change_nothing() {
    let mut loaded = Loaded::new();
    let shared = MEMORY.replace("_file = [\"../key\"]", &format!(" = [\"{}\"]", super::SHARED));
    loaded.folder.write("conf/a.toml", &shared);
    loaded.folder.write("conf/b.toml", &shared);
    let problems = loaded.loader.reload().err().unwrap();
    assert!(problems[0].message.contains("share the key"), "{problems:?}");
}

#[test]
fn settings_of_the_bridge_need_a_restart() {
    let mut loaded = Loaded::new();
    let reload = loaded.reload("conf/idp-bridge.toml", &format!("{SERVER}listen = \"127.0.0.1:9\"\n"));
    assert_eq!(reload.keys_for_restart, ["server.listen"]);
    assert!(loaded.is_kept(&reload, "a"));
    let denied = format!("{SERVER}secrets_dir = \"..\"\n[outbound]\nprivate_networks = \"deny\"\n");
    let reload = loaded.reload("conf/idp-bridge.toml", &denied);
    assert!(reload.keys_for_restart.is_empty());
    assert_eq!(reload.changed.len(), 2, "{:?}", reload.problems);
}

#[test]
fn first_federation_needs_a_restart() {
    let mut loaded = Loaded::new();
    loaded.loader.refuse_federation();
    let keycloak = super::KEYCLOAK.replace("\"secret\"", "\"../secret\"");
    let tenant = format!(
        "webhook_keys_file = [\"../key\"]\n[federation]\nclients = [{{ id = \"app\" }}]\n[connector]\n{keycloak}"
    );
    let reload = loaded.reload("conf/a.toml", &tenant);
    assert_eq!(reload.broken, ["a"]);
    assert_eq!(reload.problems[0].hint.as_deref(), Some("restart the bridge"), "{:?}", reload.problems);
}
