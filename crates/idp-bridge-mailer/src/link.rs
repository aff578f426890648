//! The links in mails.

use idp_bridge_core::{ConnectorContext, Error, MailKind, Result, Support};
use idp_bridge_http::Url;

use crate::config::SmtpConfig;

/// The last segment of the bridge's own page.
const OWN_PAGE: &str = "verify-email";

/// The pages that the links of mails open.
#[derive(Debug)]
pub(crate) struct Pages {
    verification: Option<Url>,
    /// Whether `verification` is the bridge's own page.
    is_own: bool,
    reset: Option<Url>,
}

impl Pages {
    /// Parses the pages of the settings.
    pub(crate) fn new(config: &SmtpConfig, context: &ConnectorContext) -> Result<Self> {
        let parse = |kind, text: &Option<String>| text.as_deref().map(|text| parse_page(kind, text)).transpose();
        let verification = parse(MailKind::Verification, &config.verification_url)?;
        let is_own = verification.is_none();
        let verification = verification.or_else(|| own_page(context));
        Ok(Self { verification, is_own, reset: parse(MailKind::PasswordReset, &config.reset_url)? })
    }

    /// Returns whether mails of this kind have a page that completes them, where `can_mark` is whether the bridge can mark addresses
    /// as verified.
    pub(crate) fn support(&self, kind: MailKind, can_mark: bool) -> Support {
        match (self.page(kind), kind) {
            (None, MailKind::Verification) => {
                Support::unsupported("the settings have neither `server.public_url` nor `mail.smtp.verification_url`")
            }
            (None, MailKind::PasswordReset) => Support::unsupported("the settings have no `mail.smtp.reset_url`"),
            (Some(_), MailKind::Verification) if self.is_own && !can_mark => {
                Support::unsupported("the bridge's page for links needs `users.mark_email_verified`")
            }
            (Some(_), _) => Support::conditional(crate::CONDITION),
        }
    }

    /// Returns the link of a mail with this token, or `None` if it has no page.
    pub(crate) fn link(&self, kind: MailKind, token: &str) -> Option<String> {
        self.page(kind).map(|page| with_token(page, token))
    }

    fn page(&self, kind: MailKind) -> Option<&Url> {
        match kind {
            MailKind::Verification => self.verification.as_ref(),
            MailKind::PasswordReset => self.reset.as_ref(),
        }
    }
}

/// Returns the key of the page in `mail.smtp`.
fn setting(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Verification => "verification_url",
        MailKind::PasswordReset => "reset_url",
    }
}

/// Parses the URL of a page. The user's browser opens it, so that the rules for outbound connections do not apply.
fn parse_page(kind: MailKind, text: &str) -> Result<Url> {
    let url = Url::parse(text).ok().filter(|url| url.host_str().is_some_and(|host| !host.is_empty()));
    let is_safe = |url: &Url| {
        let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        url.scheme() == "https" || (url.scheme() == "http" && is_local)
    };
    let has_login = |url: &Url| !url.username().is_empty() || url.password().is_some();
    url.filter(|url| is_safe(url) && !has_login(url) && url.fragment().is_none()).ok_or_else(|| {
        let key = setting(kind);
        Error::misconfigured(format!("`{key}` is not an `https` URL of a page"))
            .with("setting", "mail")
            .with_hint(format!("write `mail.smtp.{key}` like `https://app.acme.example/{key}`, without a fragment"))
    })
}

/// Returns the bridge's own page of the tenant, or `None` if the bridge has no public URL.
fn own_page(context: &ConnectorContext) -> Option<Url> {
    let base = context.public_url.as_deref()?.trim_end_matches('/');
    Url::parse(&format!("{base}/v1/tenants/{}/{OWN_PAGE}", context.tenant)).ok()
}

/// Returns a page with a token in its query.
fn with_token(page: &Url, token: &str) -> String {
    let mut link = page.clone();
    link.query_pairs_mut().append_pair("token", token);
    link.into()
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::TenantId;

    use super::*;

    #[test]
    fn pages_are_https_without_fragment() {
        for good in ["https://app.acme.example/reset?lang=de", "http://localhost:3000/reset", "http://[::1]/"] {
            assert!(parse_page(MailKind::PasswordReset, good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/reset",
            "app.acme.example",
            "http://app.acme.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://u:p@app.acme.example",
            "https://app.acme.example/#reset",
        ] {
            assert!(parse_page(MailKind::PasswordReset, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_are_added_to_the_query() {
        let page = parse_page(MailKind::PasswordReset, "https://app.acme.example/reset?lang=de").unwrap();
        assert_eq!(with_token(&page, "a.b-c_d&e"), "https://app.acme.example/reset?lang=de&token=a.b-c_d%26e");
    }

    #[test]
    fn own_page_is_below_the_public_url() {
        let mut context = ConnectorContext::new(TenantId::new("acme").unwrap());
        assert_eq!(own_page(&context), None);
        for base in ["https://bridge.example/base", "https://bridge.example/base/"] {
            context.public_url = Some(base.to_owned());
            assert_eq!(
                own_page(&context).unwrap().as_str(),
                "https://bridge.example/base/v1/tenants/acme/verify-email"
            );
        }
    }
}
