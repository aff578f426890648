//! What may not stand in a file.
//!
//! The patterns are written in two halves, so that this file keeps its own rules.

use super::{Problem, Source, is_comment};

/// What no Rust file contains, and what to do instead.
const BANNED_CODE: [(&str, &str); 6] = [
    (concat!("#[", "allow("), "silence a lint with `expect` and a reason"),
    (concat!("#![", "allow("), "silence a lint with `expect` and a reason"),
    (concat!("#[", "ignore"), "a test that cannot run fails and says what to install"),
    (concat!("todo", "!("), "finish it, or answer Unsupported"),
    (concat!("unimplemented", "!("), "finish it, or answer Unsupported"),
    (concat!("thread::", "sleep"), "wait for the condition itself"),
];

/// The hosts of package registries: which one is used is the user's own setting.
const REGISTRY_HOSTS: [&str; 8] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("files.python", "hosted.org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("repo.maven", ".apache.org"),
    concat!("repo1.maven", ".org"),
    concat!("proxy.golang", ".org"),
];

/// What should not stand there.
pub(super) fn check(source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    if source.is_rust() {
        problems.extend(banned_code(source));
        if !source.text.starts_with("//! ") {
            problems.push(Problem::whole(source, "begin the file with `//!` and why it exists"));
        }
    }
    // Cargo itself writes the host of its registry into its lock file.
    if source.path != "Cargo.lock" {
        problems.extend(registry_hosts(source));
    }
    problems
}

fn banned_code(source: &Source) -> impl Iterator<Item = Problem> {
    let code = source.lines().filter(|(_, line)| !is_comment(line));
    code.flat_map(move |(number, line)| {
        let found = BANNED_CODE.iter().filter(move |(pattern, _)| line.contains(pattern));
        found.map(move |(pattern, instead)| Problem::at(source, number, format!("`{pattern}` is banned: {instead}")))
    })
}

fn registry_hosts(source: &Source) -> impl Iterator<Item = Problem> {
    let rule = "names the host of a package registry: which one is used is the user's own setting";
    let names_host = |line: &str| REGISTRY_HOSTS.iter().any(|host| line.contains(host));
    source.lines().filter(move |(_, line)| names_host(line)).map(move |(number, _)| Problem::at(source, number, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_banned_pattern_is_found_in_code_but_not_in_a_comment() {
        for (pattern, _) in BANNED_CODE {
            let code = Source::new("a.rs", &format!("//! Why.\n    {pattern}\n"));
            assert_eq!(check(&code).iter().map(|problem| problem.line).collect::<Vec<_>>(), [Some(2)], "{pattern}");
            let comment = Source::new("a.rs", &format!("//! Why.\n    // never {pattern}\n"));
            assert_eq!(check(&comment), [], "{pattern}");
        }
    }

    #[test]
    fn a_rust_file_begins_with_why_it_exists() {
        assert_eq!(check(&Source::new("a.rs", "//! Why.\n")), []);
        assert_eq!(check(&Source::new("a.rs", "use std::fmt;\n")).len(), 1);
        assert_eq!(check(&Source::new("a.sh", "exit\n")), []);
    }

    #[test]
    fn every_registry_host_is_found_in_every_file_but_the_lock_file() {
        for host in REGISTRY_HOSTS {
            let text = format!("see {host}\n");
            assert_eq!(check(&Source::new("README.md", &text)).len(), 1, "{host}");
            assert_eq!(check(&Source::new("Cargo.lock", &text)), [], "{host}");
        }
    }
}
