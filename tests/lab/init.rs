//! Tests of `init` against a real Keycloak, and of the commands in docs/quickstart.md.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::{Lab, running};
use crate::support::program::{Output, command, finish, put_on_path, run_in};

const PAGE: &str = include_str!("../../docs/quickstart.md");
/// The commands that a reader types.
const STEPS: usize = 3;
/// The time that the page promises, without the reader's typing.
const FIRST_CALL: Duration = Duration::from_secs(60);

/// A new realm without any settings for the bridge. It is removed when dropped.
struct Realm {
    lab: Lab,
    name: String,
    folder: TempDir,
}

impl Realm {
    fn new(name: &str) -> Self {
        let lab = Lab::get_running();
        let name = format!("{name}-{}", std::process::id());
        let made = lab.admin_of_all("POST", "", &json!({"realm": name, "enabled": true}));
        assert_eq!(made.status, 201, "{made:?}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("admin.password"), lab.text("/keycloak/admin_password")).unwrap();
        Self { lab, name, folder }
    }

    /// Creates the user `ada` with a customer, which Keycloak keeps only if the attribute is declared.
    fn add_user(&self) {
        let user = json!({
            "username": "ada", "email": "ada@acme.example", "emailVerified": true, "enabled": true,
            "attributes": {"customer_id": ["c-1001"]},
        });
        let made = self.lab.admin_of_all("POST", &format!("/{}/users", self.name), &user);
        assert_eq!(made.status, 201, "{made:?}");
    }

    fn init(&self, more: &[&str]) -> Output {
        let (url, user) = (self.lab.text("/keycloak/url"), self.lab.text("/keycloak/admin_username"));
        let fixed = ["init", "keycloak", "--url", &url, "--realm", &self.name, "--tenant", "acme"];
        let login = ["--admin-user", &user, "--admin-password-file", "admin.password"];
        run_in(self.folder.path(), fixed.iter().chain(&login).chain(more))
    }

    /// Returns the realm's client with this id.
    fn client(&self, client_id: &str) -> Value {
        let path = format!("/{}/clients?clientId={client_id}", self.name);
        self.lab.admin_of_all("GET", &path, &Value::Null).json()[0].clone()
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        self.lab.admin_of_all("DELETE", &format!("/{}", self.name), &Value::Null);
    }
}

#[test]
fn fresh_realm_is_set_up_once() {
    let _running = running();
    let realm = Realm::new("init");
    let first = realm.init(&[]).with_code(0);
    assert_eq!(first.stdout.matches("  created  ").count(), 3, "{first:?}");
    assert!(!first.stdout.contains("FAILED"), "{first:?}");
    let client = realm.client("idp-bridge");
    for (setting, expected) in [
        ("publicClient", false),
        ("serviceAccountsEnabled", true),
        ("standardFlowEnabled", false),
        ("directAccessGrantsEnabled", false),
    ] {
        assert_eq!(client[setting], expected, "{setting}");
    }
    let secret = std::fs::read_to_string(realm.folder.path().join("keycloak.secret")).unwrap();
    let again = realm.init(&["--force"]).with_code(0);
    assert_eq!(again.stdout.matches("  found    ").count(), 3, "{again:?}");
    assert_eq!(std::fs::read_to_string(realm.folder.path().join("keycloak.secret")).unwrap(), secret);
    // With these roles, `doctor` sees that the realm has no mail server.
    let with_roles = realm.init(&["--force", "--view-roles"]).with_code(1);
    assert!(with_roles.stdout.contains("FAILED       the realm has a mail server"), "{with_roles:?}");
    assert_eq!(with_roles.stdout.matches("  created  the role `view-").count(), 2, "{with_roles:?}");
}

#[test]
fn wrong_password_and_realm_are_explained() {
    let _running = running();
    let realm = Realm::new("init-refused");
    let absent = realm.init(&["--admin-realm", "absent"]).with_code(1);
    assert!(absent.stderr.contains("no such realm"), "{absent:?}");
    std::fs::write(realm.folder.path().join("admin.password"), "wrong").unwrap();
    let refused = realm.init(&[]).with_code(1);
    assert!(refused.stderr.contains("keycloak refused the administrator's name or password"), "{refused:?}");
    assert_eq!(realm.client("idp-bridge"), Value::Null, "nothing is created");
}

/// Runs `init` for the stand-in for Cognito, with these AWS credentials in the environment.
fn init_pool(lab: &Lab, folder: &Path, keys: (&str, &str), more: &[&str]) -> Output {
    let (url, pool) = (lab.text("/ministack/url"), lab.text("/pool/id"));
    let mut command = command(folder);
    command.args(["init", "cognito", "--tenant", "initech", "--endpoint", &url, "--user-pool-id", &pool]).args(more);
    command.envs([("AWS_ACCESS_KEY_ID", keys.0), ("AWS_SECRET_ACCESS_KEY", keys.1)]);
    finish(command.env("AWS_EC2_METADATA_DISABLED", "true"))
}

#[test]
fn user_pool_is_set_up_once() {
    let lab = Lab::find("cognito").unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let root = (lab.text("/ministack/access_key_id"), lab.text("/ministack/secret_access_key"));
    let (name, attribute) = (format!("init-{}", std::process::id()), format!("custom:init_{}", std::process::id()));
    let options = ["--app-client", &name, "--pool-attribute", &attribute, "--force"];
    let init = |keys: (&str, &str)| init_pool(&lab, folder.path(), keys, &options);
    // The bridge's own user may not declare attributes.
    let refused = init((&lab.text("/pool/access_key_id"), &lab.text("/pool/secret_access_key"))).with_code(1);
    assert!(refused.stderr.contains("AddCustomAttributes"), "{refused:?}");
    assert!(!folder.path().join("idp-bridge.toml").exists());

    let first = init((&root.0, &root.1)).with_code(0);
    assert_eq!(first.stdout.matches("  created  ").count(), 2, "{first:?}");
    let arn = format!("userpool/{}\"", lab.text("/pool/id"));
    assert!(first.stdout.contains(&arn) && !first.stdout.contains("eu-west-1_AbCdEfGhI"), "{first:?}");
    let secret = std::fs::read_to_string(folder.path().join("cognito.secret")).unwrap();
    let again = init((&root.0, &root.1)).with_code(0);
    assert_eq!(again.stdout.matches("  found    ").count(), 2, "{again:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("cognito.secret")).unwrap(), secret);

    // The operator adds the access key of the bridge's user.
    let path = folder.path().join("idp-bridge.toml");
    let mut config = std::fs::read_to_string(&path).unwrap();
    for key in ["access_key_id", "secret_access_key"] {
        config += &format!("{key} = \"{}\"\n", lab.text(&format!("/pool/{key}")));
    }
    std::fs::write(&path, config).unwrap();
    let doctor = run_in(folder.path(), ["doctor"]);
    for check in ["the pool has the customer attribute", "the app client for mails fits the settings"] {
        let line = doctor.stdout.lines().find(|line| line.contains(check));
        assert!(line.is_some_and(|line| line.trim_start().starts_with("ok")), "{check}: {doctor:?}");
    }
}

/// Returns the shell blocks of the page.
fn blocks() -> Vec<String> {
    PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn quickstart_leads_to_a_signed_call() {
    let _running = running();
    let realm = Realm::new("quickstart");
    let folder = realm.folder.path();
    let cases = "init) exec $program \"$@\" --admin-password-file admin.password ;;\n\
                 verify) shift 2; exec $program verify $url \"$@\" ;;\n";
    put_on_path(folder, cases);
    let blocks = blocks();
    assert_eq!(blocks.len(), STEPS, "{blocks:?}");
    // The reader writes the URL, the realm and the name of the administrator.
    let typed = blocks[0].replace("https://login.acme.example", &realm.lab.text("/keycloak/url"));
    let typed = typed.replace("--realm acme", &format!("--realm {}", realm.name));
    let typed =
        typed.replace("--admin-user admin", &format!("--admin-user {}", realm.lab.text("/keycloak/admin_username")));
    let begun = Instant::now();
    let shell = |script: &str| {
        for line in script.lines().filter(|line| !line.is_empty() && !line.starts_with("kill")) {
            println!("{:5.1} s  $ {line}", begun.elapsed().as_secs_f32());
        }
        let mut shell = Command::new("sh");
        let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
        shell.args(["-c", &format!("set -e\n{script}")]).env_clear().env("PATH", path).current_dir(folder);
        finish(&mut shell).with_code(0)
    };
    let init = shell(&typed);
    let (_, shown) = PAGE.split_once("```text\n").unwrap();
    for line in shown.split("```").next().unwrap().lines().skip(1) {
        assert!(init.stdout.contains(line.trim()), "no {line:?} in {init:?}");
    }
    let set_up = begun.elapsed();
    realm.add_user();
    let called = shell(&format!("{}{}\nkill -9 $!", blocks[1], blocks[2]));
    assert!(called.stdout.contains("customer        c-1001"), "{called:?}");
    assert!(called.stdout.contains(" 0 failed"), "{called:?}");
    println!("{:5.1} s  done, {:.1} s of it for `init`", begun.elapsed().as_secs_f32(), set_up.as_secs_f32());
    assert!(begun.elapsed() < FIRST_CALL, "the page promises less: {:?}", begun.elapsed());
}
