//! The files of a configuration.

use std::path::{Path, PathBuf};

use super::document::File;
use super::load::FILE_NAME;
use super::problem::Problem;

/// The files of a configuration.
pub(super) struct Files {
    pub(super) main: Option<File>,
    pub(super) tenants: Vec<TenantFile>,
}

/// The file of one tenant in a folder.
pub(super) struct TenantFile {
    /// The tenant's id, which is the name of the file.
    pub(super) id: String,
    pub(super) path: PathBuf,
}

impl Files {
    /// Reads a file, or lists the files in a folder and reads the one with the settings of the bridge itself.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<Problem>> {
        let unreadable = |error: std::io::Error| {
            let problem = Problem::new(format!("the configuration cannot be read: {error}")).in_file(path);
            vec![problem.with_hint("name a file or a folder with `--config`; without one, `serve` runs a demo")]
        };
        if !path.metadata().map_err(unreadable)?.is_dir() {
            return Ok(Self { main: Some(File::read(path).map_err(|problem| vec![problem])?), tenants: Vec::new() });
        }
        let mut files = Self { main: None, tenants: Vec::new() };
        for entry in path.read_dir().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (name, path) = (entry.file_name(), entry.path());
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            if is_hidden || !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
                continue;
            }
            if name == FILE_NAME {
                files.main = Some(File::read(&path).map_err(|problem| vec![problem])?);
            } else {
                let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                files.tenants.push(TenantFile { id, path });
            }
        }
        // By id first, since paths take ten times as long to compare.
        files.tenants.sort_by(|one, other| one.id.cmp(&other.id).then_with(|| one.path.cmp(&other.path)));
        Ok(files)
    }
}

impl TenantFile {
    /// Reads the file.
    pub(super) fn read(&self) -> Result<File, Problem> {
        if self.path.extension().is_some_and(|extension| extension == "toml") {
            return File::read(&self.path);
        }
        let message = "the file would be ignored: its name must end with `.toml` in lower case";
        let hint = format!("rename it to `{}`", self.path.with_extension("toml").display());
        Err(Problem::new(message).in_file(&self.path).with_hint(hint))
    }
}
