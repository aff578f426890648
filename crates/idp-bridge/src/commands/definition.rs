//! The command `definition`: the definitions of the connector `http`.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process;

use clap::{Args, Subcommand};
use idp_bridge_connector_http::{Definition, DefinitionError, catalog};
use serde_json::{Value, json};

use crate::config::{MAX_FILE, Problem, read_text};
use crate::report::{CommandResult, Exit, Failure, print, print_json};
use crate::show;

/// The program with the conformance suite, which is not part of this one.
const SUITE: &str = "idp-bridge-conformance";
const INSTALL_SUITE: &str = "install it with `cargo install --git https://github.com/idp-bridge/idp-bridge \
    idp-bridge-connector-http-testing`, in a folder of `PATH` or beside this program";

/// The subcommands of `definition`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the definitions that are built in
    List(List),
    /// Print a definition that is built in, as a start for your own
    Show {
        /// The name
        name: String,
    },
    /// Write a definition to begin with, or a copy of one that is built in
    New(New),
    /// Check a definition, and print its capabilities
    Check(Check),
    /// Run the conformance suite on a server, with the stage of a definition
    ///
    /// The suite creates users, changes them and deletes them. Use a server without users of your own.
    #[command(after_help = EXAMPLES)]
    Test(Test),
}

const EXAMPLES: &str = "\
Example:
  idp-bridge definition test our-idp.toml --url http://127.0.0.1:8090 --secret-file token=token.txt

The options are those of `idp-bridge-conformance`, which `idp-bridge-conformance --help` lists.
Exit codes: 0 all cases passed, 1 a case failed, 2 wrong usage or no server.";

impl Command {
    /// Returns whether the command prints JSON, including its errors.
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::List(list) => list.json,
            Self::Check(check) => check.json,
            Self::Test(test) => test.suite.iter().any(|option| option == "--json"),
            Self::Show { .. } | Self::New(_) => false,
        }
    }
}

/// The options of `definition list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The options of `definition new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The file, which must not exist
    file: PathBuf,
    /// The definition to copy, such as `pocketbase`
    #[arg(long)]
    from: Option<String>,
}

/// The options of `definition check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file with the definition
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The options of `definition test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The definition: a file, or a name of the catalog
    definition: OsString,
    /// Options of the suite, such as `--url`, `--secret-file key=path`, `--filter text` and `--json`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    suite: Vec<OsString>,
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> CommandResult {
    match command {
        Command::List(options) => list(options),
        Command::Show { name } => {
            print(find(name)?)?;
            Ok(Exit::Done)
        }
        Command::New(options) => write_new(options),
        Command::Check(options) => check(options),
        Command::Test(options) => Err(test(options)),
    }
}

fn find(name: &str) -> Result<&'static str, Failure> {
    catalog::find(name).map_err(|error| Problem::from_error(&error).into())
}

fn write_new(options: &New) -> CommandResult {
    let text = options.from.as_deref().map_or(Ok(catalog::SCAFFOLD), find)?;
    let name = options.file.display();
    let file = OpenOptions::new().write(true).create_new(true).open(&options.file);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        Problem::new(format!("`{name}` cannot be written: {error}")).with_hint("name a file that does not exist")
    })?;
    print(&format!("wrote `{name}`; next: `idp-bridge definition check {name}`"))?;
    Ok(Exit::Done)
}

fn list(options: &List) -> CommandResult {
    let mut definitions = Vec::new();
    for name in catalog::names() {
        let text = catalog::find(name).map_err(|error| Problem::new(error.to_string()))?;
        definitions.push((name, parse(text, name)?));
    }
    if options.json {
        let list: Vec<Value> = definitions.iter().map(|(name, own)| to_json(name, own)).collect();
        print_json(&list)?;
    } else {
        let line = |(name, own): &(&str, Definition)| format!("{name:<14}{}", own.summary());
        print(&definitions.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(Exit::Done)
}

fn check(options: &Check) -> CommandResult {
    let name = options.file.display().to_string();
    let text = read_text(&options.file, MAX_FILE)
        .map_err(|error| Problem::new(format!("`{name}` cannot be read: {error}")).with_hint("check the path"))?;
    let definition = parse(&text, &name)?;
    if options.json {
        print_json(&to_json(&name, &definition))?;
    } else {
        print(&format!("{}\n{}", definition.summary(), show::format_capabilities(&definition.capabilities())))?;
    }
    Ok(Exit::Done)
}

/// Replaces this program by the suite: the one beside it, or else the one in `PATH`. Returns the reason of a failure.
fn test(options: &Test) -> Failure {
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name(SUITE)).filter(|path| path.exists());
    let program = beside.as_deref().unwrap_or(Path::new(SUITE));
    let error = process::Command::new(program).arg("--definition").arg(&options.definition).args(&options.suite).exec();
    let problem = Problem::new(format!("`{SUITE}` cannot be run: {error}"));
    if error.kind() == ErrorKind::NotFound { problem.with_hint(INSTALL_SUITE).into() } else { problem.into() }
}

fn parse(text: &str, name: &str) -> Result<Definition, Failure> {
    Definition::parse(text).map_err(|problems| {
        let problem = |error: &DefinitionError| Problem::new(format!("{name}: {error}"));
        Failure::from(problems.iter().map(problem).collect::<Vec<_>>())
    })
}

fn to_json(name: &str, definition: &Definition) -> Value {
    json!({"name": name, "summary": definition.summary(), "docs": definition.docs(), "capabilities": definition.capabilities()})
}
