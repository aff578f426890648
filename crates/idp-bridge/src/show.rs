//! Answers and texts as people and shells read them.

use std::fmt::Display;
use std::path::Path;

use idp_bridge_client::{Answer, CallKind, SignedCall, User};
use idp_bridge_core::{Capabilities, FederationCapabilities, Fidelity, Field, Liveness, Support};

/// An answer as lines of a name and a value.
pub(crate) fn answer(answer: &Answer) -> String {
    match answer {
        Answer::User(answer) => user(&answer.user),
        Answer::Deleted(answer) => match answer.existed {
            Some(true) => "deleted".into(),
            Some(false) => "there was no such user".into(),
            None => "deleted, if it was there: the identity provider does not tell".into(),
        },
        Answer::Done(_) => "done".into(),
        Answer::Pong(answer) => {
            let head = format!("protocol {}, connector {}\n", answer.protocol, answer.connector);
            head + &capabilities(&answer.capabilities)
        }
    }
}

/// A user: what the identity provider does not know is left out, as on the wire.
fn user(user: &User) -> String {
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

/// What is possible, and where fields come from.
pub(crate) fn capabilities(capabilities: &Capabilities) -> String {
    let calls = CallKind::ALL.map(|kind| {
        format!("  {kind:<32} {support}\n", kind = kind.as_str(), support = support(&capabilities.call(kind)))
    });
    let fields = Field::ALL.map(|field| {
        let fidelity = match capabilities.field(field) {
            Fidelity::Exact => "exact",
            Fidelity::Derived => "derived",
            Fidelity::Absent => "absent",
        };
        let name = serde_json::to_value(field).unwrap_or_default();
        format!("  {:<32} {fidelity}\n", name.as_str().unwrap_or_default())
    });
    calls.concat() + &fields.concat() + &federation(capabilities.federation())
}

fn support(support: &Support) -> String {
    match support {
        Support::Supported => "yes".into(),
        Support::Conditional { reason } => format!("with limits: {reason}"),
        Support::Unsupported { reason } => format!("no: {reason}"),
    }
}

/// What the OAuth side promises.
fn federation(capabilities: Option<&FederationCapabilities>) -> String {
    let Some(capabilities) = capabilities else { return format!("  {:<32} no\n", "federation") };
    let userinfo = match capabilities.liveness {
        Liveness::IdentityProvider => "yes: the identity provider says whether a token lives",
        Liveness::Signature => "with limits: only the bridge's own list tells that a session ended",
    };
    let opaque = if capabilities.opaque_tokens { "yes" } else { "no" };
    let line = |name: &str, value: &str| format!("  {name:<32} {value}\n");
    [
        line("userinfo", userinfo),
        line("opaque tokens", opaque),
        line("logout", &format!("ends {}", capabilities.logout)),
        line("back-channel logout", &support(&capabilities.back_channel)),
    ]
    .concat()
}

/// A signed call as a `curl` line for a shell.
pub(crate) fn curl(call: &SignedCall) -> String {
    let mut line = format!("curl -sS --fail-with-body {}", quote(call.url()));
    for (name, value) in call.headers() {
        line += &format!(" -H {}", quote(&format!("{name}: {value}")));
    }
    // `--data-raw`: a body that begins with `@` is no file name.
    line + &format!(" --data-raw {}", quote(&String::from_utf8_lossy(call.body())))
}

/// A word for a shell.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How whoever started this program can start it again.
pub(crate) fn program() -> String {
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
    fn a_shell_reads_a_quoted_word_as_it_was() {
        let mut words: Vec<String> = (1..=127_u8).map(|byte| format!("a{}b", char::from(byte))).collect();
        words.extend(["", "'", "''", "\\'", "$(id) `id` $HOME !! *", "ä\n\"\\"].map(str::to_owned));
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let script = format!("printf '%s\\0' {}", quoted.join(" "));
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        let read: Vec<_> = output.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        assert_eq!(read[..words.len()], words);
    }

    #[test]
    fn a_curl_line_survives_quotation_marks() {
        let key = SigningKey::from_seed([1; 32]).unwrap();
        let client = Client::new("http://127.0.0.1:1", TenantId::new("acme").unwrap(), vec![key]).unwrap();
        let email = Email::new("o'neil@acme.example").unwrap();
        let operation = Operation::Users(idp_bridge_client::Call::GetByEmail(email));
        let line = curl(&client.sign(&"msg_1".parse().unwrap(), &operation));
        assert!(line.contains(r"o'\''neil@acme.example"), "{line}");
        assert!(line.contains("-H 'webhook-id: msg_1'"), "{line}");
    }
}
