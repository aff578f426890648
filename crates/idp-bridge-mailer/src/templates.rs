//! The texts of mails: templates of the tenant's files, or the default ones.

use std::path::Path;

use idp_bridge_core::{Error, ErrorKind, MailKind, Result};
use minijinja::{Environment, UndefinedBehavior, context};

use crate::config::MailText;

/// The maximum size of a template in bytes.
const MAX_TEMPLATE: u64 = 256 * 1024;

/// The maximum number of instructions of a template, so that a loop cannot run for long.
const FUEL: u64 = 100_000;

/// The values of templates, for hints.
const VALUES: &str = "the values are `email`, `expires`, `link` and `tenant`";

const SUBJECT: &str = "subject";
const TEXT: &str = "text";
/// Ends with `.html`, so that values are escaped.
const HTML: &str = "mail.html";

/// The checked templates of a mail.
pub(crate) struct Templates {
    environment: Environment<'static>,
    has_html: bool,
}

/// The values of a mail.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    pub(crate) email: &'a str,
    /// The end of the link, for people.
    pub(crate) expires: &'a str,
    pub(crate) link: &'a str,
    pub(crate) tenant: &'a str,
}

/// The parts of a mail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
}

impl Templates {
    /// Reads and checks the templates of a mail.
    pub(crate) fn new(kind: MailKind, config: &MailText) -> Result<Self> {
        let [subject, text, html] = defaults(kind);
        let subject = config.subject.clone().unwrap_or_else(|| subject.to_owned());
        let own_text = config.text_file.as_deref().map(|path| read(kind, path)).transpose()?;
        let own_html = config.html_file.as_deref().map(|path| read(kind, path)).transpose()?;
        // A default HTML part beside the tenant's own text would have other contents.
        let html = own_html.or_else(|| own_text.is_none().then(|| html.to_owned()));
        let text = own_text.unwrap_or_else(|| text.to_owned());
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        let sources = [("subject", SUBJECT, Some(subject)), ("text_file", TEXT, Some(text)), ("html_file", HTML, html)];
        for (key, name, source) in sources {
            let Some(source) = source else { continue };
            let added = environment.add_template_owned(name, source);
            added.map_err(|error| mistake(kind, key, &error))?;
        }
        let has_html = environment.get_template(HTML).is_ok();
        let templates = Self { environment, has_html };
        templates.check(kind)?;
        Ok(templates)
    }

    /// Renders the templates with sample values, so that mistakes are found before the first mail.
    fn check(&self, kind: MailKind) -> Result<()> {
        let link = "https://bridge.example/verify-email?token=mail_0";
        let sample = Values { email: "ada@acme.example", expires: "2026-11-29 10:00 UTC", link, tenant: "acme" };
        let keys = [("subject", SUBJECT, false), ("text_file", TEXT, true), ("html_file", HTML, true)];
        for (key, name, needs_link) in keys.into_iter().filter(|(_, name, _)| *name != HTML || self.has_html) {
            let text = self.render_template(name, &sample).map_err(|error| mistake(kind, key, &error))?;
            if needs_link && !text.contains("token=mail_0") {
                return Err(invalid(kind, key, "has no `{{ link }}`"));
            }
            if name == SUBJECT && text.trim().lines().count() != 1 {
                return Err(invalid(kind, key, "is not one line"));
            }
        }
        Ok(())
    }

    /// Renders the mail with these values.
    pub(crate) fn render(&self, values: &Values<'_>) -> Result<Parts> {
        let render = |name| {
            self.render_template(name, values).map_err(|error| {
                // The message of the error could contain a value.
                let kind = error.kind();
                Error::ours(ErrorKind::Misconfigured, "a template of a mail failed").with("reason", format!("{kind:?}"))
            })
        };
        // A line break would begin another header.
        let one_line = |text: String| text.trim().replace(char::is_control, " ");
        let html = self.has_html.then(|| render(HTML)).transpose()?;
        Ok(Parts { subject: one_line(render(SUBJECT)?), text: render(TEXT)?, html })
    }

    fn render_template(&self, name: &str, values: &Values<'_>) -> Result<String, minijinja::Error> {
        let Values { email, expires, link, tenant } = *values;
        self.environment.get_template(name)?.render(context! { email, expires, link, tenant })
    }
}

/// Returns the default subject, text and HTML.
fn defaults(kind: MailKind) -> [&'static str; 3] {
    match kind {
        MailKind::Verification => [
            "Confirm your email address",
            include_str!("templates/verification.txt"),
            include_str!("templates/verification.html"),
        ],
        MailKind::PasswordReset => [
            "Choose a new password",
            include_str!("templates/password_reset.txt"),
            include_str!("templates/password_reset.html"),
        ],
    }
}

fn read(kind: MailKind, path: &Path) -> Result<String> {
    let unreadable = |reason: String| {
        let message = format!("the template `{}` of `{}` cannot be read: {reason}", path.display(), kind.as_str());
        Error::misconfigured(message).with("setting", "mail").with_hint("check the path and its permissions")
    };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() || metadata.len() > MAX_TEMPLATE {
        return Err(unreadable("it is not a regular file of at most 256 KiB".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

/// Creates the error of a template with the line of the mistake.
fn mistake(kind: MailKind, key: &str, error: &minijinja::Error) -> Error {
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    Error::misconfigured(format!("the template `{}.{key}`{line}: {}{detail}", kind.as_str(), error.kind()))
        .with("setting", "mail")
        .with_hint(VALUES)
}

fn invalid(kind: MailKind, key: &str, problem: &str) -> Error {
    Error::misconfigured(format!("the template `{}.{key}` {problem}", kind.as_str()))
        .with("setting", "mail")
        .with_hint(VALUES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Values<'_> = Values {
        email: "<b>\"ada\"@acme.example",
        expires: "2026-11-29 10:00 UTC",
        link: "https://bridge.example/verify-email?lang=de&token=mail_1.2.3",
        tenant: "acme",
    };

    fn text(files: &[(&str, &str)]) -> Result<Templates> {
        let folder = tempfile::tempdir().unwrap();
        let mut config = MailText::default();
        for (key, contents) in files {
            let path = folder.path().join(key);
            std::fs::write(&path, contents).unwrap();
            match *key {
                "subject" => config.subject = Some((*contents).to_owned()),
                "text_file" => config.text_file = Some(path),
                _ => config.html_file = Some(path),
            }
        }
        Templates::new(MailKind::Verification, &config)
    }

    #[test]
    fn values_are_escaped_in_html_only() {
        let parts = text(&[]).unwrap().render(&SAMPLE).unwrap();
        let html = parts.html.unwrap();
        assert!(parts.text.contains("<b>\"ada\"@acme.example") && parts.text.contains(SAMPLE.link));
        assert!(!html.contains("\"ada\"") && html.contains("&lt;b&gt;&quot;ada"), "{html}");
        assert!(html.contains("&amp;token=mail_1.2.3"), "{html}");
    }

    #[test]
    fn subject_is_one_line() {
        let templates = text(&[("subject", "Hello {{ email }}")]).unwrap();
        let values = Values { email: "a\r\nBcc: eve@evil.example", ..SAMPLE };
        assert_eq!(templates.render(&values).unwrap().subject, "Hello a  Bcc: eve@evil.example");
    }

    #[test]
    fn own_text_has_no_foreign_html() {
        let parts = text(&[("text_file", "Go to {{ link }}")]).unwrap().render(&SAMPLE).unwrap();
        assert_eq!((parts.text, parts.html), (format!("Go to {}", SAMPLE.link), None));
    }

    #[test]
    fn mistakes_have_line_and_hint() {
        for (files, part) in [
            (&[("text_file", "a\nb {{ link }\n")][..], "`verification.text_file`, line 2"),
            (&[("text_file", "a\n\n{{ lnik }}")], "`verification.text_file`, line 3: undefined value"),
            (&[("html_file", "{{ link|upcase }}")], "`verification.html_file`, line 1: unknown filter"),
            (&[("text_file", "no link")], "has no `{{ link }}`"),
            (&[("subject", "a\nb")], "is not one line"),
            (&[("subject", "")], "is not one line"),
            (&[("text_file", "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}")], "fuel"),
            (&[("text_file", "{% include '/etc/passwd' %}{{ link }}")], "unknown statement include"),
        ] {
            let error = text(files).err().unwrap_or_else(|| panic!("{files:?} should be refused"));
            assert!(error.to_string().contains(part), "{error} lacks {part}");
            assert!(error.hint().is_some_and(|hint| hint.contains("`link`")), "{error:?}");
        }
    }
}
