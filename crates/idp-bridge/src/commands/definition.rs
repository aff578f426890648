//! The command `definition`: the definitions of the connector `http`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use idp_bridge_connector_http::{Definition, DefinitionError, catalog};
use serde_json::{Value, json};

use crate::config::{MAX_FILE, Problem, read_text};
use crate::report::{CommandResult, Exit, Failure, print, print_json};
use crate::show;

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
    /// Check a definition, and print what it supports
    Check(Check),
}

impl Command {
    /// Returns whether the command prints JSON, including its errors.
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::List(list) => list.json,
            Self::Check(check) => check.json,
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
    }
}

fn find(name: &str) -> Result<&'static str, Failure> {
    catalog::find(name).map_err(|error| {
        let problem = Problem::new(error.to_string());
        Failure::from(error.hint().map_or(problem.clone(), |hint| problem.with_hint(hint)))
    })
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

fn parse(text: &str, name: &str) -> Result<Definition, Failure> {
    Definition::parse(text).map_err(|problems| {
        let problem = |error: &DefinitionError| Problem::new(format!("{name}: {error}"));
        Failure::from(problems.iter().map(problem).collect::<Vec<_>>())
    })
}

fn to_json(name: &str, definition: &Definition) -> Value {
    json!({"name": name, "summary": definition.summary(), "docs": definition.docs(), "capabilities": definition.capabilities()})
}
