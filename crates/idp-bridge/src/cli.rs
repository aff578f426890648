//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use idp_bridge_client::{Call, CustomerId, Email, Operation, UserId};

#[cfg(feature = "http")]
use crate::commands::definition;
use crate::commands::{
    audit, call, check, completions, connectors, doctor, explain, init, keys, schema, serve, users, verify,
};

const EXAMPLES: &str = "\
Examples:
  # a demo with sample users, without any configuration
  idp-bridge serve
  # users in a file, for a tenant without an identity provider
  idp-bridge serve --sqlite users.db
  # a key pair: one half for the platform, one for the bridge
  idp-bridge keys new
  # check the configuration offline, then check the identity provider's settings
  idp-bridge check --config idp-bridge.toml
  idp-bridge doctor --config idp-bridge.toml
  # run the bridge, and send it a signed call
  idp-bridge serve --config idp-bridge.toml
  idp-bridge call get-by-email ada@acme.example --tenant acme --key-file platform.key

Configuration: --config, else the environment variable IDP_BRIDGE_CONFIG, else ./idp-bridge.toml.
Exit codes: 0 success, 1 a negative answer, 2 wrong usage or configuration.";

/// Answers a platform's calls about users from the tenants' identity providers
#[derive(Debug, Parser)]
#[command(name = "idp-bridge", version, after_help = EXAMPLES, max_term_width = 110)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the configured tenants, the users of a file, or a demo with sample users if there is no configuration
    ///
    /// The first line on standard output is `listening on http://<address>`, and the log goes to standard error.
    /// SIGTERM or SIGINT finishes the calls in flight and exits with 0; a second signal ends the bridge at once.
    Serve(serve::Options),
    /// Check the configuration without network access
    Check(check::Options),
    /// Check the settings and permissions at each tenant's identity provider, without side effects
    Doctor(doctor::Options),
    /// Set up a tenant: the client at its identity provider, the configuration and the keys
    #[command(after_help = init::EXAMPLES)]
    Init(Box<init::Options>),
    /// Show the steps of one of the last calls of a running bridge, and why it failed
    ///
    /// Reads it from `server.metrics_listen` of the bridge.
    Explain(explain::Options),
    /// Sign a call, send it to a bridge and print the answer
    #[command(after_help = call::EXAMPLES)]
    Call {
        #[command(subcommand)]
        command: CallCommand,
    },
    /// Check that a bridge, or an endpoint of your own, follows the protocol
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Options),
    /// Make a call directly through a configured connector, without a server, or import users
    Users {
        #[command(subcommand)]
        command: users::Command,
    },
    /// List the connectors of this program with their capabilities and settings
    Connectors(connectors::Options),
    /// List, show and check the definitions of the connector `http`
    #[cfg(feature = "http")]
    Definition {
        #[command(subcommand)]
        command: definition::Command,
    },
    /// Make keys for signed calls
    Keys {
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Check files of the audit
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Print the JSON schema of the configuration or of a user, the OpenAPI document, or the table of metrics
    Schema(schema::Options),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one page for each command
    Man(completions::ManOptions),
    /// Print the version, the commit and the connectors of this program
    Version,
}

/// The `--config` option.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigOption {
    /// The configuration file, or a folder with one file per tenant [default: ./idp-bridge.toml]
    #[arg(long, short, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
}

/// The calls that `call` can send.
#[derive(Debug, Subcommand)]
pub(crate) enum CallCommand {
    #[command(flatten)]
    Users(UserCommand<call::Options>),
    /// Check that the bridge answers, and print the tenant's capabilities
    Ping {
        #[command(flatten)]
        options: call::Options,
    },
}

/// The seven calls, with the options of the command that makes them.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand<O: Args> {
    /// Get the user with this id
    GetById {
        /// The identity provider's id of the user
        id: UserId,
        #[command(flatten)]
        options: O,
    },
    /// Get the user with this address
    GetByEmail {
        /// The address; ASCII case is ignored
        email: Email,
        #[command(flatten)]
        options: O,
    },
    /// Get the user of this customer
    GetByCustomer {
        /// The tenant's identifier for the customer; case-sensitive
        customer: CustomerId,
        #[command(flatten)]
        options: O,
    },
    /// Delete the user with this id, if it exists
    Delete {
        /// The identity provider's id of the user
        id: UserId,
        #[command(flatten)]
        options: O,
    },
    /// Mark the user's address as verified
    MarkEmailVerified {
        /// The identity provider's id of the user
        id: UserId,
        /// The expected address; the call is refused if the user's address differs
        #[arg(long)]
        email: Option<Email>,
        #[command(flatten)]
        options: O,
    },
    /// Send the user a mail to verify the address
    SendVerificationEmail {
        /// The identity provider's id of the user
        id: UserId,
        #[command(flatten)]
        options: O,
    },
    /// Send the user a mail to reset the password
    SendPasswordResetEmail {
        /// The user's address
        email: Email,
        #[command(flatten)]
        options: O,
    },
}

impl Command {
    /// Returns whether the command prints JSON, including its errors.
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::Check(options) => options.json,
            Self::Doctor(options) => options.json,
            Self::Explain(options) => options.json,
            Self::Call { command: CallCommand::Users(command) } => command.options().json,
            Self::Call { command: CallCommand::Ping { options } } => options.json,
            Self::Verify(options) => options.json,
            Self::Users { command } => command.prints_json(),
            Self::Keys { command: keys::Command::New(new) } => new.json,
            Self::Keys { command: keys::Command::Public(_) } => true,
            #[cfg(feature = "http")]
            Self::Definition { command } => command.prints_json(),
            Self::Audit { command: audit::Command::Verify(verify) } => verify.json,
            Self::Init(_)
            | Self::Connectors(_)
            | Self::Serve(_)
            | Self::Schema(_)
            | Self::Completions { .. }
            | Self::Man(_)
            | Self::Version => false,
        }
    }
}

impl CallCommand {
    /// Returns the operation and the options.
    pub(crate) fn into_parts(self) -> (Operation, call::Options) {
        match self {
            Self::Ping { options } => (Operation::Ping, options),
            Self::Users(command) => {
                let (call, options) = command.into_parts();
                (Operation::Users(call), options)
            }
        }
    }
}

impl<O: Args> UserCommand<O> {
    /// Returns the options.
    pub(crate) fn options(&self) -> &O {
        match self {
            Self::GetById { options, .. }
            | Self::GetByEmail { options, .. }
            | Self::GetByCustomer { options, .. }
            | Self::Delete { options, .. }
            | Self::MarkEmailVerified { options, .. }
            | Self::SendVerificationEmail { options, .. }
            | Self::SendPasswordResetEmail { options, .. } => options,
        }
    }

    /// Returns the call and the options.
    pub(crate) fn into_parts(self) -> (Call, O) {
        match self {
            Self::GetById { id, options } => (Call::GetById(id), options),
            Self::GetByEmail { email, options } => (Call::GetByEmail(email), options),
            Self::GetByCustomer { customer, options } => (Call::GetByCustomer(customer), options),
            Self::Delete { id, options } => (Call::Delete(id), options),
            Self::MarkEmailVerified { id, email, options } => (Call::MarkEmailVerified { id, email }, options),
            Self::SendVerificationEmail { id, options } => (Call::SendVerificationEmail(id), options),
            Self::SendPasswordResetEmail { email, options } => (Call::SendPasswordResetEmail(email), options),
        }
    }
}

/// Parses a positive time such as `800ms`, `4s` or `1m`.
pub(crate) fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "expected a time such as `800ms` or `4s`".to_owned();
    let time: idp_bridge_core::jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    std::time::Duration::try_from(time).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_need_a_unit_and_are_positive() {
        assert_eq!(parse_duration("800ms"), Ok(std::time::Duration::from_millis(800)));
        assert!(parse_duration("0s").is_err() && parse_duration("-1s").is_err() && parse_duration("4").is_err());
    }
}
