//! Builds the site of the documentation with mdBook, and checks the links of its pages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::built_tool::MDBOOK;
use crate::workspace::Workspace;
use crate::{files, process, status};

/// The folder of the site, in the target folder.
const SITE: &str = "book";
/// The page for unknown addresses. Its links start at the root of the site.
const NOT_FOUND: &str = "404.html";

/// The pages of a site by their paths.
type Pages = BTreeMap<PathBuf, String>;

/// Builds the site, and fails for links to pages, files and headings that do not exist.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let site = workspace.target_directory.join(SITE);
    files::remove(&site)?;
    let mdbook = MDBOOK.ensure(workspace)?;
    process::output(Command::new(mdbook).arg("build").arg(&workspace.root).arg("--dest-dir").arg(&site))?;
    // The targets of links are compared without symbolic links.
    let site = site.canonicalize()?;
    let mut pages = Pages::new();
    read_pages(&site, &mut pages)?;
    let (mut count, mut broken) = (0, Vec::new());
    for (path, text) in pages.iter().filter(|(path, _)| !path.ends_with(NOT_FOUND)) {
        for link in links(text) {
            count += 1;
            if !exists(path, link, &pages) {
                broken.push(format!("{}: `{link}`", path.strip_prefix(&site).unwrap_or(path).display()));
            }
        }
    }
    if pages.is_empty() || !broken.is_empty() {
        bail!("broken links in {} pages of the site\n  {}", pages.len(), broken.join("\n  "));
    }
    status::step("Built", format!("the site in `{}`: {} pages with {count} links", site.display(), pages.len()));
    Ok(())
}

fn read_pages(folder: &Path, pages: &mut Pages) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_pages(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let text = files::read(&path)?;
            pages.insert(path, text);
        }
    }
    Ok(())
}

/// Returns the links of a page to its own site.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let attributes = [" href=\"", " src=\""].into_iter().flat_map(|name| page.split(name).skip(1));
    let links = attributes.filter_map(|rest| rest.split('"').next());
    links.filter(|link| !link.contains(':') && !link.starts_with("//"))
}

/// Whether the file of a link exists, and has the heading.
fn exists(page: &Path, link: &str, pages: &Pages) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { page.with_file_name("").join(file) };
    let Ok(target) = target.canonicalize() else { return false };
    let Some(text) = pages.get(&target).filter(|_| !heading.is_empty()) else { return true };
    ids(text).contains(heading)
}

fn ids(page: &str) -> BTreeSet<&str> {
    page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_need_a_file_and_a_heading() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let page = "<h2 id=\"one\"><a href=\"#one\">One</a></h2><a href=\"https://a.example/#x\">…</a>".to_owned();
        files::create_folder(&root.join("a")).unwrap();
        for name in ["a/b.html", "c.html"] {
            files::write(&root.join(name), &page).unwrap();
        }
        let mut pages = Pages::new();
        read_pages(&root, &mut pages).unwrap();
        assert_eq!(links(&page).collect::<Vec<_>>(), ["#one"]);
        let from = root.join("a/b.html");
        for (link, expected) in
            [("#one", true), ("../c.html#one", true), ("../c.html", true), ("../c.html#two", false), ("d.html", false)]
        {
            assert_eq!(exists(&from, link, &pages), expected, "{link}");
        }
    }
}
