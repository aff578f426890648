//! The routes of the server.
//!
//! Segments are compared without decoding. Only a user's id is percent-decoded, once and later, so that an encoded slash or
//! dot cannot change the route.

use http::Method;
use idp_bridge_core::TenantId;

use crate::federation;
use crate::limits::{MAX_LOGOUT_URI, MAX_URI};
use crate::rest::Resource;

/// The resource of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// A page without a tenant.
    Page(Page),
    /// `/v1/tenants/{tenant}/webhook`
    Webhook(TenantId),
    /// `/v1/tenants/{tenant}/users…`
    Rest(TenantId, Resource<'a>),
    /// `/v1/tenants/{tenant}/userinfo` and the other OAuth routes
    Federation(TenantId, federation::Resource),
    /// `/v1/tenants/{tenant}/verify-email`
    VerifyEmail(TenantId),
}

/// A page without a tenant, which needs no authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/openapi.json`
    OpenApi,
    /// `/docs`
    Docs,
}

impl Page {
    /// All pages.
    pub(crate) const ALL: [Self; 4] = [Self::Health, Self::Ready, Self::OpenApi, Self::Docs];
    /// The pages for the platform that runs the process.
    pub(crate) const PROBES: [Self; 2] = [Self::Health, Self::Ready];

    /// Returns the path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
        }
    }
}

impl<'a> Route<'a> {
    /// Parses a path. Returns `None` for an unknown path and for an invalid tenant id.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        if let Some(page) = Page::ALL.into_iter().find(|page| page.path() == path) {
            return Some(Self::Page(page));
        }
        let (tenant, rest) = path.strip_prefix("/v1/tenants/")?.split_once('/')?;
        let tenant = TenantId::new(tenant).ok()?;
        match rest {
            "webhook" => Some(Self::Webhook(tenant)),
            "verify-email" => Some(Self::VerifyEmail(tenant)),
            _ => match federation::Resource::parse(rest) {
                Some(resource) => Some(Self::Federation(tenant, resource)),
                None => Resource::parse(rest).map(|resource| Self::Rest(tenant, resource)),
            },
        }
    }

    /// Returns the path with names instead of values.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Page(page) => page.path(),
            Self::Webhook(_) => "/v1/tenants/{tenant}/webhook",
            Self::Rest(_, resource) => resource.template(),
            Self::Federation(_, resource) => resource.template(),
            Self::VerifyEmail(_) => "/v1/tenants/{tenant}/verify-email",
        }
    }

    /// Returns the supported methods in the form of the `allow` header.
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Self::Page(_) => "GET, HEAD",
            Self::Webhook(_) => "POST",
            Self::Rest(_, resource) => resource.allow(),
            Self::Federation(_, resource) => resource.allow(),
            Self::VerifyEmail(_) => "GET, HEAD, POST",
        }
    }

    /// Returns whether this is a page of [`Page::PROBES`].
    pub(crate) fn is_probe(&self) -> bool {
        matches!(self, Self::Page(page) if Page::PROBES.contains(page))
    }

    /// Returns the maximum length of path and query in bytes.
    pub(crate) fn max_uri(&self, method: &Method) -> usize {
        match self {
            Self::Federation(_, federation::Resource::Logout) if method == Method::GET => MAX_LOGOUT_URI,
            _ => MAX_URI,
        }
    }

    /// Returns whether the method is supported.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_their_routes() {
        let tenant = || TenantId::new("acme").unwrap();
        let rest = |resource| Some(Route::Rest(tenant(), resource));
        let parse = |path: &'static str| Route::parse(path);
        assert_eq!(parse("/healthz"), Some(Route::Page(Page::Health)));
        assert_eq!(parse("/v1/tenants/acme/webhook"), Some(Route::Webhook(tenant())));
        assert_eq!(parse("/v1/tenants/acme/users:lookup"), rest(Resource::Lookup));
        assert_eq!(parse("/v1/tenants/acme/users:send-password-reset-email"), rest(Resource::PasswordReset));
        assert_eq!(parse("/v1/tenants/acme/users/u%2F1"), rest(Resource::User("u%2F1")));
        assert_eq!(parse("/v1/tenants/acme/users/webhook"), rest(Resource::User("webhook")));
        assert_eq!(parse("/v1/tenants/acme/users/u/mark-email-verified"), rest(Resource::MarkEmailVerified("u")));
        let federation = |resource| Some(Route::Federation(tenant(), resource));
        assert_eq!(parse("/v1/tenants/acme/userinfo"), federation(federation::Resource::Userinfo));
        assert_eq!(parse("/v1/tenants/acme/logout"), federation(federation::Resource::Logout));
        assert_eq!(parse("/v1/tenants/acme/backchannel-logout"), federation(federation::Resource::BackchannelLogout));
        assert_eq!(parse("/v1/tenants/acme/federation"), federation(federation::Resource::Metadata));
        assert_eq!(parse("/v1/tenants/acme/verify-email"), Some(Route::VerifyEmail(tenant())));
        assert_eq!(parse("/v1/tenants/acme/users/u/send-verification-email"), rest(Resource::VerificationEmail("u")));
        for path in [
            "",
            "/",
            "*",
            "/healthz/",
            "//healthz",
            "/Healthz",
            "/health%7a",
            "/v1",
            "/v1/tenants/acme",
            "/v1/tenants/acme/",
            "/v1/tenants//webhook",
            "/v1/tenants/acme/webhook/",
            "/v1/tenants/ac%6de/webhook",
            "/v1/tenants/../webhook",
            "/v1/tenants/acme/../acme/webhook",
            "/v2/tenants/acme/webhook",
            "/v1/tenants/acme/users",
            "/v1/tenants/acme/users/",
            "/v1/tenants/acme/users//mark-email-verified",
            "/v1/tenants/acme/users/u/",
            "/v1/tenants/acme/users/u/other",
            "/v1/tenants/acme/users/u/mark-email-verified/",
            "/v1/tenants/acme/users%3Alookup",
            "/v1/tenants/acme/userinfo/",
            "/v1/tenants/acme/Logout",
            "/v1/tenants/acme/logout%2f",
            "/v1/tenants/acme/verify-email/x",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn templates_contain_no_values() {
        for (path, template) in [
            ("/healthz", "/healthz"),
            ("/v1/tenants/acme/webhook", "/v1/tenants/{tenant}/webhook"),
            ("/v1/tenants/acme/users/u%2F1", "/v1/tenants/{tenant}/users/{id}"),
            ("/v1/tenants/acme/users/u/mark-email-verified", "/v1/tenants/{tenant}/users/{id}/mark-email-verified"),
            ("/v1/tenants/acme/userinfo", "/v1/tenants/{tenant}/userinfo"),
        ] {
            assert_eq!(Route::parse(path).unwrap().template(), template);
        }
    }

    #[test]
    fn only_browser_logout_allows_long_query() {
        let max = |path: &'static str, method| Route::parse(path).unwrap().max_uri(&method);
        assert_eq!(max("/v1/tenants/acme/logout", Method::GET), MAX_LOGOUT_URI);
        assert_eq!(max("/v1/tenants/acme/logout", Method::POST), MAX_URI);
        assert_eq!(max("/v1/tenants/acme/userinfo", Method::GET), MAX_URI);
    }
}
