//! Runs the shell commands and checks the configurations of the README and of `docs/`, as they are written.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::{Configured, KEY, MAIL_KEY, SAMPLE_USERS};
use crate::support::program::{finish, put_on_path, run_in};

/// Number of blocks that are not run, each with a reason before it. A new one needs a good reason.
const NOT_RUN: usize = 21;

/// A fenced block of shell commands.
struct Block {
    place: String,
    script: String,
    /// The reason why the block is not run.
    reason: Option<String>,
}

/// The blocks of a page.
#[derive(Default)]
struct Page {
    shell: Vec<Block>,
    /// The TOML blocks with a tenant and its connector.
    configurations: Vec<String>,
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

fn read(path: &Path) -> Page {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut page, mut before) = (Page::default(), "");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim().strip_prefix("```") else {
            before = line.trim();
            continue;
        };
        let body: Vec<&str> = lines.by_ref().map(|(_, line)| line.trim()).take_while(|line| *line != "```").collect();
        if matches!(language, "sh" | "bash" | "shell" | "console") {
            let reason = before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
            let place = format!("{}:{}", path.display(), number + 1);
            page.shell.push(Block { place, script: body.join("\n"), reason: reason.map(str::to_owned) });
        } else if language == "toml" && is_complete(&body) && !before.starts_with("<!-- checked by ") {
            page.configurations.push(body.join("\n"));
        }
        before = "";
    }
    page
}

/// Returns whether a TOML block has the keys of a tenant and the settings of its connector.
fn is_complete(lines: &[&str]) -> bool {
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    has("webhook_keys") && has("type = ")
}

/// Creates a folder with the page's configuration, and with the program on its `PATH`.
fn stage(configuration: Option<&String>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // The sample users replace the reader's identity provider.
    if let Some((bridge, _)) = configuration.and_then(|text| text.split_once("[tenants.acme.connector]")) {
        std::fs::write(folder.path().join("users.json"), SAMPLE_USERS).unwrap();
        let memory = "[tenants.acme.connector]\ntype = \"memory\"\nusers_file = \"users.json\"\n";
        std::fs::write(folder.path().join("idp-bridge.toml"), format!("{bridge}{memory}")).unwrap();
    }
    put_on_path(folder.path(), "");
    folder
}

#[test]
fn shell_commands_of_pages_run() {
    let (mut ran, mut not_run) = (0, 0);
    for page in pages() {
        let page = read(&page);
        let folder = stage(page.configurations.first());
        let path = format!("{}:/usr/bin:/bin", folder.path().join("bin").display());
        for block in page.shell {
            if let Some(reason) = block.reason {
                assert!(!reason.is_empty(), "{}", block.place);
                not_run += 1;
                continue;
            }
            // Background processes of a block are ended after it.
            let script = format!("set -e\n{}\n[ -z \"$!\" ] || {{ kill $!; wait $!; }}\n", block.script);
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]).env_clear().env("PATH", &path).current_dir(folder.path());
            let end = finish(&mut shell);
            assert_eq!(end.code, 0, "{}:\n{}\n{end:?}", block.place, block.script);
            ran += 1;
        }
    }
    assert!(ran >= 2, "{ran} blocks were run");
    assert_eq!(not_run, NOT_RUN, "blocks that are not run");
}

/// Replaces the placeholders and absolute paths of a page's configuration.
fn fill_in(configuration: &str) -> String {
    let files = configuration.replace("/run/secrets/", "").replace("/var/lib/idp-bridge", ".");
    files.replace("\"whpk_…\"", &format!("\"{KEY}\"")).replace('…', "x")
}

#[test]
fn configurations_of_pages_are_valid() {
    let mut checked = 0;
    for page in pages() {
        for configuration in read(&page).configurations {
            let text = fill_in(&configuration);
            let configured = Configured::new(&text);
            for value in text.split('"').skip(1).step_by(2).filter(|value| !value.contains(['/', ':'])) {
                if text.lines().any(|line| line.contains("_file = ") && line.contains(value)) {
                    configured.write(value, if value.ends_with("-mail") { MAIL_KEY } else { KEY });
                }
            }
            let ran = run_in(configured.folder(), ["check"]);
            assert_eq!(ran.code, 0, "{}:\n{configuration}\n{ran:?}", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 5, "{checked} configurations were checked");
}
