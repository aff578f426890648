//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use idp_bridge_client::{Call, CustomerId, Email, Operation, UserId};

use crate::commands::{call, check, connectors, doctor, keys, schema, serve, users};

const EXAMPLES: &str = "\
Examples:
  # a demo with sample users, without any configuration
  idp-bridge serve
  # a key pair: one half for the platform, one for the bridge
  idp-bridge keys new
  # is the configuration right, and does the identity provider let the bridge do its work?
  idp-bridge check --config idp-bridge.toml
  idp-bridge doctor --config idp-bridge.toml
  # the bridge itself, and a signed call to it
  idp-bridge serve --config idp-bridge.toml
  idp-bridge call get-by-email ada@acme.example --tenant acme --key-file platform.key

Configuration: --config, else the environment variable IDP_BRIDGE_CONFIG, else ./idp-bridge.toml.
Exit codes: 0 done, 1 a negative answer, 2 wrong usage or configuration.";

/// Answers a platform's calls about users from any identity provider
#[derive(Debug, Parser)]
#[command(name = "idp-bridge", version, after_help = EXAMPLES, max_term_width = 110)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the configured tenants; without a configuration, a demo with sample users
    ///
    /// The first line on standard output is `listening on http://<address>`, and the log goes to standard error.
    /// After SIGTERM or SIGINT calls in flight are finished, and the exit code is 0; a second signal ends the bridge at once.
    Serve(serve::Options),
    /// Check the configuration without asking any network
    Check(check::Options),
    /// Ask each tenant's identity provider whether it lets the bridge do its work, without side effects
    Doctor(doctor::Options),
    /// Sign a call, send it to a bridge and print the answer
    #[command(after_help = call::EXAMPLES)]
    Call {
        #[command(subcommand)]
        command: CallCommand,
    },
    /// Make a call straight through a configured connector, without a server
    Users {
        #[command(subcommand)]
        command: UserCommand<users::Options>,
    },
    /// List the connectors of this program: what each can do, and its settings
    Connectors(connectors::Options),
    /// Make keys for signed calls
    Keys {
        #[command(subcommand)]
        command: keys::Command,
    },
    /// Print a JSON document that describes the configuration, the API or a user
    Schema(schema::Options),
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigOption {
    /// The configuration: a file, or a folder with one file for each tenant [default: ./idp-bridge.toml]
    #[arg(long, short, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
}

/// What `call` can send.
#[derive(Debug, Subcommand)]
pub(crate) enum CallCommand {
    #[command(flatten)]
    Users(UserCommand<call::Options>),
    /// Ask whether the bridge is there and what it can do
    Ping {
        #[command(flatten)]
        options: call::Options,
    },
}

/// The seven calls, with options of whoever makes them.
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
        /// The address; ASCII case does not count
        email: Email,
        #[command(flatten)]
        options: O,
    },
    /// Get the user of this customer
    GetByCustomer {
        /// The tenant's own id of whom the user belongs to; case counts
        customer: CustomerId,
        #[command(flatten)]
        options: O,
    },
    /// Make sure that no user with this id exists
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
        /// The address that is meant: another one in force is refused
        #[arg(long)]
        email: Option<Email>,
        #[command(flatten)]
        options: O,
    },
    /// Have the identity provider send a mail that proves the user's address
    SendVerificationEmail {
        /// The identity provider's id of the user
        id: UserId,
        #[command(flatten)]
        options: O,
    },
    /// Have the identity provider send a mail that lets the user choose a new password
    SendPasswordResetEmail {
        /// The user's address
        email: Email,
        #[command(flatten)]
        options: O,
    },
}

impl Command {
    /// Whether the command prints JSON, also of what is wrong.
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::Check(options) => options.json,
            Self::Doctor(options) => options.json,
            Self::Call { command: CallCommand::Users(command) } => command.options().json,
            Self::Call { command: CallCommand::Ping { options } } => options.json,
            Self::Users { command } => command.options().json,
            Self::Keys { command: keys::Command::New(new) } => new.json,
            Self::Connectors(_) | Self::Serve(_) | Self::Schema(_) | Self::Completions { .. } | Self::Man => false,
        }
    }
}

impl CallCommand {
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
    fn options(&self) -> &O {
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

/// Reads a time such as `800ms`, `4s` or `1m`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "expected a time such as `800ms` or `4s`".to_owned();
    let time: idp_bridge_core::jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    std::time::Duration::try_from(time).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_is_written_as_people_write_it() {
        assert_eq!(duration("800ms"), Ok(std::time::Duration::from_millis(800)));
        assert!(duration("0s").is_err() && duration("-1s").is_err() && duration("4").is_err());
    }
}
