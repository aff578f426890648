//! The kinds of requests to Keycloak, with the roles that they require.

/// A kind of request. The meaning of a status depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    FetchToken,
    ReadUsers,
    UpdateUser,
    DeleteUser,
    SendMail,
    ReadEvents,
    ReadRealm,
    ReadClients,
    EndSession,
    ReadUserinfo,
    Introspect,
    EndRefreshToken,
    Discover,
    LogInAdministrator,
    SetUp,
}

impl Step {
    /// Returns the name in logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FetchToken => "fetch token",
            Self::ReadUsers => "read users",
            Self::UpdateUser => "update user",
            Self::DeleteUser => "delete user",
            Self::SendMail => "send mail",
            Self::ReadEvents => "read events",
            Self::ReadRealm => "read realm",
            Self::ReadClients => "read clients",
            Self::EndSession => "end session",
            Self::ReadUserinfo => "read userinfo",
            Self::Introspect => "introspect token",
            Self::EndRefreshToken => "end refresh token",
            Self::Discover => "read discovery document",
            Self::LogInAdministrator => "log in administrator",
            Self::SetUp => "set up realm",
        }
    }

    /// Returns the narrowest role of the client `realm-management` that allows the step, if a role is necessary.
    pub(super) fn role(self) -> Option<&'static str> {
        match self {
            Self::ReadUsers => Some("view-users"),
            Self::UpdateUser | Self::DeleteUser | Self::SendMail | Self::EndSession => Some("manage-users"),
            Self::ReadEvents => Some("view-events"),
            Self::ReadRealm => Some("view-realm"),
            Self::ReadClients => Some("view-clients"),
            Self::SetUp => Some("realm-admin"),
            Self::FetchToken
            | Self::ReadUserinfo
            | Self::Introspect
            | Self::EndRefreshToken
            | Self::Discover
            | Self::LogInAdministrator => None,
        }
    }
}
