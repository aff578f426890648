//! Which path is what. Segments are compared as they stand on the wire: only a user's id is ever percent-decoded, and
//! only once, so that no encoded slash or dot reaches another route.

use http::Method;
use idp_bridge_core::TenantId;

use crate::federation;
use crate::limits::{MAX_LOGOUT_URI, MAX_URI};
use crate::rest::Resource;

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// A page of no tenant.
    Page(Page),
    /// `/v1/tenants/{tenant}/webhook`
    Webhook(TenantId),
    /// `/v1/tenants/{tenant}/users…`
    Rest(TenantId, Resource<'a>),
    /// `/v1/tenants/{tenant}/userinfo` and what else belongs to the OAuth side
    Federation(TenantId, federation::Resource),
}

/// What anybody may read.
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
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Health, Self::Ready, Self::OpenApi, Self::Docs];

    /// Its path.
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
    /// The route of a path. A segment that can be no tenant's id makes the path no route.
    pub(crate) fn find(path: &'a str) -> Option<Self> {
        if let Some(page) = Page::ALL.into_iter().find(|page| page.path() == path) {
            return Some(Self::Page(page));
        }
        let (tenant, rest) = path.strip_prefix("/v1/tenants/")?.split_once('/')?;
        let tenant = TenantId::new(tenant).ok()?;
        match rest {
            "webhook" => Some(Self::Webhook(tenant)),
            _ => match federation::Resource::find(rest) {
                Some(resource) => Some(Self::Federation(tenant, resource)),
                None => Resource::find(rest).map(|resource| Self::Rest(tenant, resource)),
            },
        }
    }

    /// The methods that it takes, as the `allow` header lists them.
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Self::Page(_) => "GET, HEAD",
            Self::Webhook(_) => "POST",
            Self::Rest(_, resource) => resource.allow(),
            Self::Federation(_, resource) => resource.allow(),
        }
    }

    /// The most bytes that its path and query may have.
    pub(crate) fn max_uri(&self, method: &Method) -> usize {
        match self {
            Self::Federation(_, federation::Resource::Logout) if method == Method::GET => MAX_LOGOUT_URI,
            _ => MAX_URI,
        }
    }

    /// Whether it takes this method.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_route_and_no_other_text_has_one() {
        let tenant = || TenantId::new("acme").unwrap();
        let rest = |resource| Some(Route::Rest(tenant(), resource));
        let of = |path: &'static str| Route::find(path);
        assert_eq!(of("/healthz"), Some(Route::Page(Page::Health)));
        assert_eq!(of("/v1/tenants/acme/webhook"), Some(Route::Webhook(tenant())));
        assert_eq!(of("/v1/tenants/acme/users:lookup"), rest(Resource::Lookup));
        assert_eq!(of("/v1/tenants/acme/users:send-password-reset-email"), rest(Resource::PasswordReset));
        assert_eq!(of("/v1/tenants/acme/users/u%2F1"), rest(Resource::User("u%2F1")));
        assert_eq!(of("/v1/tenants/acme/users/webhook"), rest(Resource::User("webhook")));
        assert_eq!(of("/v1/tenants/acme/users/u/mark-email-verified"), rest(Resource::MarkEmailVerified("u")));
        let federation = |resource| Some(Route::Federation(tenant(), resource));
        assert_eq!(of("/v1/tenants/acme/userinfo"), federation(federation::Resource::Userinfo));
        assert_eq!(of("/v1/tenants/acme/logout"), federation(federation::Resource::Logout));
        assert_eq!(of("/v1/tenants/acme/backchannel-logout"), federation(federation::Resource::BackchannelLogout));
        assert_eq!(of("/v1/tenants/acme/federation"), federation(federation::Resource::Metadata));
        assert_eq!(of("/v1/tenants/acme/users/u/send-verification-email"), rest(Resource::VerificationEmail("u")));
        for none in [
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
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn only_a_browser_that_logs_out_may_bring_a_long_query() {
        let most = |path: &'static str, method| Route::find(path).unwrap().max_uri(&method);
        assert_eq!(most("/v1/tenants/acme/logout", Method::GET), MAX_LOGOUT_URI);
        assert_eq!(most("/v1/tenants/acme/logout", Method::POST), MAX_URI);
        assert_eq!(most("/v1/tenants/acme/userinfo", Method::GET), MAX_URI);
    }

    #[test]
    fn methods_are_the_listed_ones() {
        let takes = |path: &'static str, method| Route::find(path).unwrap().takes(&method);
        assert!(takes("/healthz", Method::HEAD) && takes("/docs", Method::GET));
        assert!(takes("/v1/tenants/acme/users/u", Method::DELETE));
        assert!(!takes("/v1/tenants/acme/users/u", Method::HEAD));
        assert!(!takes("/v1/tenants/acme/webhook", Method::GET));
        assert!(takes("/v1/tenants/acme/logout", Method::OPTIONS));
        assert!(!takes("/v1/tenants/acme/backchannel-logout", Method::GET));
        assert!(!takes("/v1/tenants/acme/webhook", Method::from_bytes(b"post").unwrap()));
    }
}
