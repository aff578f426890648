//! Runs the shell commands of the README and of `docs/` as they are written.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program::finish;

/// Blocks with a reason before them why no test here runs them. A new one needs a reason as good as theirs.
const NOT_RUN: usize = 10;

/// A fenced block of shell commands.
struct Block {
    place: String,
    script: String,
    /// Why it is not run.
    reason: Option<String>,
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut pages, mut folders) = (vec![root.join("README.md")], vec![root.join("docs")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The shell blocks of a page, and its first TOML block with a tenant.
fn read(page: &Path) -> (Vec<Block>, Option<String>) {
    let text = std::fs::read_to_string(page).unwrap();
    let (mut blocks, mut configuration, mut before) = (Vec::new(), None, "");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim().strip_prefix("```") else {
            before = line.trim();
            continue;
        };
        let body: Vec<&str> = lines.by_ref().map(|(_, line)| line.trim()).take_while(|line| *line != "```").collect();
        if matches!(language, "sh" | "bash" | "shell" | "console") {
            let reason = before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
            let place = format!("{}:{}", page.display(), number + 1);
            blocks.push(Block { place, script: body.join("\n"), reason: reason.map(str::to_owned) });
        } else if language == "toml" && body.iter().any(|line| line.starts_with("[tenants.")) {
            configuration.get_or_insert_with(|| body.join("\n"));
        }
        before = "";
    }
    (blocks, configuration)
}

/// A folder with the page's configuration, and the program on its `PATH`.
fn stage(configuration: Option<String>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // The sample users stand in for the reader's identity provider.
    if let Some((bridge, _)) = configuration.as_deref().and_then(|text| text.split_once("[tenants.acme.connector]")) {
        let users = include_str!("../../crates/idp-bridge-connector-memory/src/sample_users.json");
        std::fs::write(folder.path().join("users.json"), users).unwrap();
        let memory = "[tenants.acme.connector]\ntype = \"memory\"\nusers_file = \"users.json\"\n";
        std::fs::write(folder.path().join("idp-bridge.toml"), format!("{bridge}{memory}")).unwrap();
    }
    // Another port than the one that everyone has, and a call that waits for the bridge as a person does.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let wrapper = format!(
        "#!/bin/sh\nprogram={}\ncase $1 in\n\
         serve) exec $program \"$@\" --listen 127.0.0.1:{port} ;;\n\
         call) tries=0\n\
         until $program call ping --tenant acme --key-file platform.key --url http://127.0.0.1:{port} >&2; do\n\
         tries=$((tries + 1)); [ $tries -lt 500 ] || exit 1; done\n\
         exec $program \"$@\" --url http://127.0.0.1:{port} ;;\n\
         *) exec $program \"$@\" ;;\nesac\n",
        env!("CARGO_BIN_EXE_idp-bridge")
    );
    let path = folder.path().join("bin/idp-bridge");
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    std::fs::write(&path, wrapper).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn every_command_of_the_pages_runs() {
    let (mut ran, mut not_run) = (0, 0);
    for page in pages() {
        let (blocks, configuration) = read(&page);
        let folder = stage(configuration);
        let path = format!("{}:/usr/bin:/bin", folder.path().join("bin").display());
        for block in blocks {
            if let Some(reason) = block.reason {
                assert!(!reason.is_empty(), "{}", block.place);
                not_run += 1;
                continue;
            }
            // What a block leaves running ends with it.
            let script = format!("set -e\n{}\n[ -z \"$!\" ] || {{ kill $!; wait $!; }}\n", block.script);
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]).env_clear().env("PATH", &path).current_dir(folder.path());
            let end = finish(&mut shell);
            assert_eq!(end.code, 0, "{}:\n{}\n{end:?}", block.place, block.script);
            ran += 1;
        }
    }
    assert!(ran >= 2, "{ran} blocks were run");
    assert_eq!(not_run, NOT_RUN, "blocks that say that they are not run");
}
