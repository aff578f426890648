//! Runs the conformance suite on a server that runs already, with the stage of a definition.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use idp_bridge_conformance::{Failed, Harness, Report, TestResult, run_each};
use idp_bridge_connector_http::{HttpConfig, catalog};
use idp_bridge_connector_http_testing::{DefinitionHarness, redact};
use idp_bridge_core::Secret;

/// The maximum number of failed cases that run again to show their requests.
const EXPLAINED: usize = 10;
/// The maximum number of exchanges to show of a failed case.
const EXCHANGES: usize = 12;

/// Runs the conformance suite of idp-bridge on a server, with the stage of a definition.
///
/// The suite creates users, changes them and deletes them. Use a server without users of your own.
#[derive(Debug, Parser)]
#[command(name = "idp-bridge-conformance", version)]
struct Options {
    /// The definition: a file, or a name of the catalog
    #[arg(long)]
    definition: String,
    /// The base URL of the server: the setting with the first origin of the definition
    #[arg(long)]
    url: Option<String>,
    /// A setting of the definition
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_pair)]
    settings: Vec<(String, String)>,
    /// A secret of the definition
    #[arg(long = "secret", value_name = "KEY=VALUE", value_parser = parse_pair)]
    secrets: Vec<(String, String)>,
    /// A secret of the definition, in a file
    #[arg(long = "secret-file", value_name = "KEY=PATH", value_parser = parse_pair)]
    secret_files: Vec<(String, String)>,
    /// The port on 127.0.0.1 that the server sends its mails to [default: a free one, which the stage tells the server]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    smtp_port: u16,
    /// The maximum number of cases that run at a time
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// Run only cases with this text in their names
    #[arg(long, default_value = "", hide_default_value = true)]
    filter: String,
    /// Write the report to this file, as JSON
    #[arg(long)]
    report: Option<PathBuf>,
    /// Print the report as JSON, and the cases to standard error
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Writes text for people.
    fn write(&self, text: &str) -> io::Result<()> {
        if self.json { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") }
    }
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write `KEY=VALUE`")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // An error of `stderr` cannot be reported.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the cases, and returns whether all passed.
async fn run(options: Options) -> TestResult<bool> {
    let name = &options.definition;
    let text = if name.contains(['.', '/']) {
        std::fs::read_to_string(name).map_err(|error| format!("`{name}` cannot be read: {error}"))?
    } else {
        catalog::find(name)?.to_owned()
    };
    let config = config(&options, &text)?;
    let harness = Arc::new(DefinitionHarness::start(name.clone(), text, config, options.smtp_port).await?);
    let is_selected = |case: &str| case.contains(&options.filter);
    let show = |case: &str, failure: Option<&str>| {
        // A closed output must not stop the suite, which deletes its users in the end.
        let _ = options.write(&format!("{} {case}", if failure.is_none() { "ok    " } else { "FAILED" }));
    };
    let shared = Arc::<DefinitionHarness>::clone(&harness);
    let report = tokio::select! {
        report = run_each(shared, options.concurrency, is_selected, show) => report,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    let explained = match &report {
        Ok(report) => explain(&harness, report).await,
        Err(_) => Ok(String::new()),
    };
    let left = harness.clean_up().await?;
    let report = report?;
    options.write(&format!("\n{}{}", explained?, report.summary()))?;
    if left > 0 {
        options.write(&format!("{left} users of the suite could not be deleted"))?;
    }
    let json = serde_json::to_string_pretty(&report)?;
    if let Some(path) = &options.report {
        std::fs::write(path, &json)?;
    }
    if options.json {
        writeln!(io::stdout(), "{json}")?;
    }
    Ok(report.failed.is_empty() && !report.passed.is_empty())
}

fn config(options: &Options, text: &str) -> TestResult<HttpConfig> {
    let mut config = HttpConfig::default();
    config.settings.extend(options.settings.iter().cloned());
    if let Some(url) = &options.url {
        let definition = idp_bridge_connector_http_testing::parse(&options.definition, text)?;
        let origin = definition.origins().into_iter().next().ok_or("the definition has no origin")?;
        config.settings.insert(origin, url.clone());
    }
    for (key, value) in &options.secrets {
        config.secrets.insert(key.clone(), Secret::new(value));
    }
    for (key, path) in &options.secret_files {
        let value = std::fs::read_to_string(path).map_err(|error| format!("`{path}` cannot be read: {error}"))?;
        config.secrets.insert(key.clone(), Secret::new(value.trim_end()));
    }
    Ok(config)
}

/// Runs failed cases again, one at a time, and returns their requests with the redacted answers.
async fn explain(harness: &Arc<DefinitionHarness>, report: &Report) -> TestResult<String> {
    let mut text = String::new();
    let recording = harness.record();
    for failed in report.failed.iter().take(EXPLAINED) {
        text.push_str(&describe(failed));
        let shared: Arc<dyn Harness> = Arc::<DefinitionHarness>::clone(harness);
        let again = run_each(shared, 1, |case| case == failed.case, |_, _| {}).await?;
        if again.failed.is_empty() {
            text.push_str("  alone it passes; hint: fewer cases at once with `--concurrency 1`\n");
        }
        for exchange in recording.take().iter().rev().take(EXCHANGES).rev() {
            let (target, sent) = (redact(&exchange.target), redact(&exchange.request_body));
            writeln!(text, "  {} {target} {sent}", exchange.method)?;
            writeln!(text, "    {} {}", exchange.status, redact(&exchange.body))?;
        }
    }
    if report.failed.len() > EXPLAINED {
        writeln!(text, "and {} more failed cases", report.failed.len() - EXPLAINED)?;
    }
    Ok(text)
}

fn describe(failed: &Failed) -> String {
    let promises: String = failed.proves.iter().map(|promise| format!("  promised: {promise}\n")).collect();
    let hint = match failed.reason.contains("Timeout") {
        true => "  a call of the suite has 10 s, which a busy server can exceed\n",
        false => "",
    };
    format!("FAILED {}\n  {}\n{promises}{hint}", failed.case, failed.reason)
}
