//! The links of the pages: each names a file and a heading that exist, and the book lists each page.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Problem, Source};

/// The folder of the book, and its table of contents.
const BOOK: &str = "docs/";
const CONTENTS: &str = "docs/SUMMARY.md";
/// The address of the repository's files. The pages of the book use it for files outside their folder.
const REPOSITORY: &str = "https://github.com/idp-bridge/idp-bridge/";
const BRANCHES: [&str; 2] = ["blob/main/", "tree/main/"];

/// Returns the broken links, and the pages that the book does not list.
pub(super) fn check(sources: &[Source], root: &Path) -> Vec<Problem> {
    let pages: Vec<_> = sources.iter().filter(|source| source.path.ends_with(".md")).collect();
    let mut problems: Vec<_> = pages.iter().flat_map(|page| check_page(page, root)).collect();
    problems.extend(unlisted(&pages));
    problems
}

fn check_page(page: &Source, root: &Path) -> Vec<Problem> {
    let check = |(line, target): (usize, String)| {
        let rule = check_link(page, &target, root).err()?;
        Some(Problem::at(page, line, format!("the link `{target}` {rule}")))
    };
    links(&page.text).into_iter().filter_map(check).collect()
}

/// Checks one link. Addresses of other sites are not requested.
fn check_link(page: &Source, target: &str, root: &Path) -> Result<(), String> {
    let (link, heading) = target.split_once('#').map_or((target, None), |(link, heading)| (link, Some(heading)));
    let path = if let Some(rest) = link.strip_prefix(REPOSITORY) {
        let Some(path) = BRANCHES.iter().find_map(|branch| rest.strip_prefix(branch)) else { return Ok(()) };
        path.to_owned()
    } else if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    } else if link.is_empty() {
        page.path.clone()
    } else {
        let path = join(&page.path, link).ok_or("leaves the repository")?;
        if page.path.starts_with(BOOK) && !path.starts_with(BOOK) {
            return Err(format!("leaves the book: write `{REPOSITORY}{}{path}`", BRANCHES[0]));
        }
        path
    };
    if !root.join(&path).exists() {
        return Err(format!("names the file `{path}`, which does not exist"));
    }
    let Some(heading) = heading.filter(|_| path.ends_with(".md")) else { return Ok(()) };
    let text = std::fs::read_to_string(root.join(&path)).map_err(|error| format!("cannot be read: {error}"))?;
    if headings(&text).contains(heading) { Ok(()) } else { Err(format!("names a heading that `{path}` does not have")) }
}

/// Returns the path of a relative link of a page, from the root.
fn join(page: &str, link: &str) -> Option<String> {
    let mut folders: Vec<&str> = page.split('/').collect();
    folders.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(folders.pop()?),
            name => folders.push(name),
        }
    }
    Some(folders.join("/"))
}

/// Returns the lines of text outside code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        (!in_code && !is_fence).then_some((index + 1, line))
    })
}

/// Returns the targets of the links `[text](target)` outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let of_line = |(number, line): (usize, &str)| {
        // Every second part between backticks is code.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        let targets = plain.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next().map(str::to_owned));
        targets.map(|target| (number, target)).collect::<Vec<_>>()
    };
    prose(text).flat_map(of_line).collect()
}

/// Returns the names of the headings, as sites for Markdown create them.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = prose(text).filter_map(|(_, line)| line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' '));
    let name = |title: &str| {
        let letters = title.trim().to_lowercase();
        let kept = letters.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    titles.map(name).collect()
}

/// Returns the pages of the book's folder that are not in its table of contents.
fn unlisted(pages: &[&Source]) -> Vec<Problem> {
    let Some(contents) = pages.iter().find(|page| page.path == CONTENTS) else { return Vec::new() };
    let listed: BTreeSet<_> = links(&contents.text).into_iter().filter_map(|(_, link)| join(CONTENTS, &link)).collect();
    let own = pages.iter().filter(|page| page.path.starts_with(BOOK) && page.path != CONTENTS);
    let missing = own.filter(|page| !listed.contains(&page.path));
    missing.map(|page| Problem::whole(page, format!("add this page to `{CONTENTS}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(page: &str, text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("docs")).unwrap();
        std::fs::write(root.join("README.md"), "# Title\n\n## Use it: `a_b`\n").unwrap();
        std::fs::write(root.join("docs/limits.md"), "# Limits\n").unwrap();
        check_page(&Source::new(page, text), root).into_iter().map(|problem| problem.rule).collect()
    }

    #[test]
    fn existing_files_and_headings_pass() {
        let text = "[a](docs/limits.md) [b](#use-it-a_b) [c](README.md#title) [d](https://example.org/x)\n";
        assert!(problems("README.md", text).is_empty());
        assert!(problems("README.md", "```\n[a](missing.md)\n```\n`[a](missing.md)`\n").is_empty());
    }

    #[test]
    fn broken_links_are_problems() {
        for (target, rule) in [
            ("docs/missing.md", "does not exist"),
            ("docs/limits.md#none", "names a heading"),
            ("#none", "names a heading"),
            ("../outside.md", "leaves the repository"),
            ("https://github.com/idp-bridge/idp-bridge/blob/main/missing.md", "does not exist"),
        ] {
            let found = problems("README.md", &format!("[a]({target})"));
            assert!(found.len() == 1 && found[0].contains(rule), "{target}: {found:?}");
        }
    }

    #[test]
    fn book_links_outside_need_an_address() {
        let found = problems("docs/limits.md", "[a](../README.md)");
        assert!(found[0].contains("leaves the book: write `https://"), "{found:?}");
        assert!(problems("docs/limits.md", &format!("[a]({REPOSITORY}blob/main/README.md#title)")).is_empty());
    }

    #[test]
    fn unlisted_pages_are_problems() {
        let contents = Source::new(CONTENTS, "- [a](a.md)\n");
        let (a, b) = (Source::new("docs/a.md", ""), Source::new("docs/b.md", ""));
        let problems = unlisted(&[&contents, &a, &b]);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path, "docs/b.md");
    }
}
