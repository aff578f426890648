//! Programs of other projects that are built from source once, in `.lab/tools`, unless the machine has them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{files, lab, process, status};

/// A program of another project.
#[derive(Debug)]
pub(crate) struct BuiltTool {
    name: &'static str,
    /// The arguments with which a working program succeeds.
    probe: &'static [&'static str],
    /// The command that builds and installs it.
    build: &'static [&'static str],
}

/// Renders and checks the chart.
pub(crate) const HELM: BuiltTool =
    BuiltTool { name: "helm", probe: &["version"], build: &["go", "install", "helm.sh/helm/v3/cmd/helm@v3.19.0"] };
/// Renders the kustomize base.
pub(crate) const KUSTOMIZE: BuiltTool = BuiltTool {
    name: "kustomize",
    probe: &["version"],
    build: &["go", "install", "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"],
};
/// Builds the site of the documentation. Without optimizations and without its server, it is built in a third of the time.
pub(crate) const MDBOOK: BuiltTool = BuiltTool {
    name: "mdbook",
    probe: &["--version"],
    build: &["cargo", "install", "--quiet", "--debug", "--locked", "--no-default-features", "mdbook@0.5.4"],
};
/// Embeds the list of components in the program.
pub(crate) const AUDITABLE: BuiltTool = BuiltTool {
    name: "cargo-auditable",
    probe: &["auditable", "--version"],
    build: &["cargo", "install", "--quiet", "--debug", "--locked", "cargo-auditable@0.7.7"],
};
/// Writes the list of components.
pub(crate) const CYCLONEDX: BuiltTool = BuiltTool {
    name: "cargo-cyclonedx",
    probe: &["cyclonedx", "--version"],
    build: &["cargo", "install", "--quiet", "--debug", "--locked", "cargo-cyclonedx@0.5.9"],
};

impl BuiltTool {
    /// Returns the path of the program, after building it if it is missing.
    pub(crate) fn ensure(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = lab::folder(workspace);
        let built = folder.join("tools/bin").join(self.name);
        if let Some(path) = [Path::new(self.name), &built].into_iter().find(|path| self.works(path)) {
            return Ok(path.to_owned());
        }
        self.install(&folder)?;
        if self.works(&built) { Ok(built) } else { bail!("`{}` does not work after its installation", built.display()) }
    }

    fn works(&self, program: &Path) -> bool {
        process::output(Command::new(program).args(self.probe)).is_ok()
    }

    fn install(&self, folder: &Path) -> Result<()> {
        let [program, arguments @ ..] = self.build else { bail!("no command builds {}", self.name) };
        status::step("Building", format!("{}: {}", self.name, self.build.join(" ")));
        let tools = folder.join("tools");
        files::create_folder(&tools.join("bin"))?;
        let mut command = Command::new(program);
        command.args(arguments).env("GOBIN", tools.join("bin")).env("CARGO_INSTALL_ROOT", &tools);
        let log = folder.join(format!("log/build-{}.log", self.name));
        process::run_logged(&mut command, &log).with_context(|| format!("cannot build {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_names_the_program() {
        let tool = BuiltTool { name: "no-such-program", probe: &[], build: &["sh", "-c", "echo why >&2; exit 1"] };
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", tool.install(folder.path()).unwrap_err());
        assert!(error.starts_with("cannot build no-such-program") && error.contains("why"), "{error}");
    }
}
