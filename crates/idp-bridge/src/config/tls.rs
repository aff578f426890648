//! Reads the certificate, the key and the authorities of client certificates.

use std::path::{Path, PathBuf};

use idp_bridge_server::{Tls, TlsError, TlsFile, TlsFiles};

use super::document::Document;
use super::inputs::Digest;
use super::model;
use super::path::KeyPath;
use super::problem::Problem;
use super::regular::{MAX_FILE, read_file};

/// The certificate of the listener, as it was read.
pub(super) struct TlsEntry {
    /// The files, which may be missing.
    pub(super) files: Vec<PathBuf>,
    /// The files' contents. `None` if one of them cannot be read.
    pub(super) digest: Option<Digest>,
    pub(super) tls: Result<Tls, Problem>,
}

impl TlsEntry {
    /// Reads the files that the settings name.
    pub(super) fn read(document: &Document<'_>, settings: &model::Tls) -> Self {
        let model::Tls { certificate_file, key_file, client_ca_file } = settings;
        let files: Vec<_> = [certificate_file, key_file].into_iter().chain(client_ca_file).cloned().collect();
        let path = KeyPath::default().key("server").key("tls");
        let read = |file: TlsFile, name: &Path| {
            read_file(name, MAX_FILE).map_err(|error| {
                let message = format!("`{}` cannot be read: {error}", name.display());
                let hint = "check the path and the permissions of the file";
                document.problem(&path.key(key_of(file)), message).with_hint(hint)
            })
        };
        let read_all = || {
            let certificate = read(TlsFile::Certificate, certificate_file)?;
            let key = read(TlsFile::Key, key_file)?;
            let client_ca = client_ca_file.as_ref().map(|name| read(TlsFile::ClientCa, name)).transpose()?;
            Ok((certificate, key, client_ca))
        };
        let (certificate, key, client_ca) = match read_all() {
            Ok(contents) => contents,
            Err(problem) => return Self { files, digest: None, tls: Err(problem) },
        };
        let digest = Digest::from_files(&[&certificate, &key, client_ca.as_deref().unwrap_or_default()]);
        let tls = Tls::new(TlsFiles { certificate: &certificate, key: &key, client_ca: client_ca.as_deref() });
        let tls = tls.map_err(|error| problem_of(document, &path, &error));
        Self { files, digest: Some(digest), tls }
    }
}

fn problem_of(document: &Document<'_>, path: &KeyPath, error: &TlsError) -> Problem {
    document.problem(&path.key(key_of(error.file)), error.to_string()).with_hint(error.hint)
}

fn key_of(file: TlsFile) -> &'static str {
    match file {
        TlsFile::Certificate => "certificate_file",
        TlsFile::Key => "key_file",
        TlsFile::ClientCa => "client_ca_file",
    }
}
