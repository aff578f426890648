//! The OAuth routes.

use crate::log::Surface;

/// An OAuth route of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `userinfo`
    Userinfo,
    /// `logout`
    Logout,
    /// `backchannel-logout`
    BackchannelLogout,
    /// `federation`
    Metadata,
}

impl Resource {
    /// Parses the path after the tenant and its slash.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        match rest {
            "userinfo" => Some(Self::Userinfo),
            "logout" => Some(Self::Logout),
            "backchannel-logout" => Some(Self::BackchannelLogout),
            "federation" => Some(Self::Metadata),
            _ => None,
        }
    }

    /// Returns the path with names instead of values.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::Userinfo => "/v1/tenants/{tenant}/userinfo",
            Self::Logout => "/v1/tenants/{tenant}/logout",
            Self::BackchannelLogout => "/v1/tenants/{tenant}/backchannel-logout",
            Self::Metadata => "/v1/tenants/{tenant}/federation",
        }
    }

    /// Returns the supported methods in the form of the `allow` header.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Userinfo | Self::Logout => "GET, POST, OPTIONS",
            Self::BackchannelLogout => "POST",
            Self::Metadata => "GET",
        }
    }

    /// Returns the methods that pages of other origins may use.
    pub(super) fn cors_methods(self) -> &'static str {
        match self {
            Self::Userinfo => "GET, POST",
            // A GET is a navigation of the browser, not a cross-origin request.
            Self::Logout => "POST",
            Self::BackchannelLogout | Self::Metadata => "",
        }
    }

    /// Returns the interface in the log.
    pub(super) fn surface(self) -> Surface {
        match self {
            Self::Userinfo => Surface::Userinfo,
            Self::Logout => Surface::Logout,
            Self::BackchannelLogout => Surface::BackchannelLogout,
            Self::Metadata => Surface::Federation,
        }
    }
}
