//! Formats answers for people, and calls for shells.

use std::fmt::Display;
use std::path::Path;

use idp_bridge_client::{Answer, CallKind, SignedCall, User};
use idp_bridge_core::{Capabilities, FederationCapabilities, Field, Liveness, Support};

/// Formats an answer.
pub(crate) fn format_answer(answer: &Answer) -> String {
    match answer {
        Answer::User(answer) => format_user(&answer.user),
        Answer::Deleted(answer) => match answer.existed {
            Some(true) => "deleted".into(),
            Some(false) => "there was no such user".into(),
            None => "deleted, if it existed: the identity provider does not report that".into(),
        },
        Answer::Done(_) => "done".into(),
        Answer::Pong(answer) => {
            let head = format!("protocol {}, connector {}\n", answer.protocol, answer.connector);
            head + &format_capabilities(&answer.capabilities)
        }
    }
}

/// Formats a user as lines of a name and a value. Absent fields are left out.
fn format_user(user: &User) -> String {
    fn line(name: &str, value: Option<impl Display>) -> String {
        value.map(|value| format!("{name:<15} {value}\n")).unwrap_or_default()
    }
    [
        line("tenant", Some(&user.tenant)),
        line("id", Some(user.id.as_str())),
        line("customer", Some(user.customer.as_str())),
        line("email", Some(user.email.as_str())),
        line("create_time", user.create_time),
        line("update_time", user.update_time),
        line("login_time", user.login_time),
        line("logins_count", user.logins_count),
        line("email_verified", user.email_verified),
        line("blocked", user.blocked),
    ]
    .concat()
}

/// Formats the supported calls, the fidelity of fields and the federation.
pub(crate) fn format_capabilities(capabilities: &Capabilities) -> String {
    let calls =
        CallKind::ALL.map(|kind| format!("  {:<32} {}\n", kind.as_str(), format_support(&capabilities.call(kind))));
    let fields = Field::ALL.map(|field| {
        let (name, fidelity) = (field.as_str(), capabilities.field(field).as_str());
        format!("  {name:<32} {fidelity}\n")
    });
    calls.concat() + &fields.concat() + &format_federation(capabilities.federation())
}

fn format_support(support: &Support) -> String {
    match support {
        Support::Supported => "yes".into(),
        Support::Conditional { reason } => format!("with limits: {reason}"),
        Support::Unsupported { reason } => format!("no: {reason}"),
    }
}

fn format_federation(capabilities: Option<&FederationCapabilities>) -> String {
    let Some(capabilities) = capabilities else { return format!("  {:<32} no\n", "federation") };
    let userinfo = match capabilities.liveness {
        Liveness::IdentityProvider => "yes: the identity provider validates each token",
        Liveness::Signature => "with limits: ended sessions are known from the bridge's revocation list only",
    };
    let opaque = if capabilities.opaque_tokens { "yes" } else { "no" };
    let line = |name: &str, value: &str| format!("  {name:<32} {value}\n");
    [
        line("userinfo", userinfo),
        line("opaque tokens", opaque),
        line("logout", &format!("ends {}", capabilities.logout)),
        line("back-channel logout", &format_support(&capabilities.back_channel)),
    ]
    .concat()
}

/// Formats a signed call as a `curl` command for a shell, with the file of the certificate authorities if there is one.
pub(crate) fn curl_command(call: &SignedCall, ca_file: Option<&Path>) -> String {
    let mut line = format!("curl -sS --fail-with-body {}", quote(call.url()));
    if let Some(path) = ca_file {
        line += &format!(" --cacert {}", quote_path(path));
    }
    for (name, value) in call.headers() {
        line += &format!(" -H {}", quote(&format!("{name}: {value}")));
    }
    // `--data-raw` does not take a body that begins with `@` as a file name.
    line + &format!(" --data-raw {}", quote(&String::from_utf8_lossy(call.body())))
}

/// Quotes a word for a shell.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Quotes a path for a shell, if that is needed.
pub(crate) fn quote_path(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(is_plain) { text } else { quote(&text) }
}

/// Returns the command that starts this program again.
pub(crate) fn invocation() -> String {
    let own = std::env::args_os().next().unwrap_or_default();
    let own = Path::new(&own);
    if own.components().any(|part| part.as_os_str().to_string_lossy().starts_with("target")) {
        return "cargo run -q --".into();
    }
    own.display().to_string()
}

#[cfg(test)]
mod tests {
    use idp_bridge_client::{Client, Email, Operation, SigningKey, TenantId};

    use super::*;

    #[test]
    fn shell_reads_quoted_words_unchanged() {
        let mut words: Vec<String> = (1..=127_u8).map(|byte| format!("a{}b", char::from(byte))).collect();
        words.extend(["", "'", "''", "\\'", "$(id) `id` $HOME !! *", "ä\n\"\\"].map(str::to_owned));
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let script = format!("printf '%s\\0' {}", quoted.join(" "));
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        let read: Vec<_> = output.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        assert_eq!(read[..words.len()], words);
    }

    #[test]
    fn curl_command_quotes_the_body() {
        let key = SigningKey::from_seed([1; 32]).unwrap();
        let client = Client::new("http://127.0.0.1:1", TenantId::new("acme").unwrap(), vec![key]).unwrap();
        let email = Email::new("o'neil@acme.example").unwrap();
        let operation = Operation::Users(idp_bridge_client::Call::GetByEmail(email));
        let line = curl_command(&client.sign(&"msg_1".parse().unwrap(), &operation), None);
        assert!(line.contains(r"o'\''neil@acme.example"), "{line}");
        assert!(line.contains("-H 'webhook-id: msg_1'"), "{line}");
    }
}
