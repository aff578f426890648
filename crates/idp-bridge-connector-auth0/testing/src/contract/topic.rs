//! The topics of recorded exchanges.

use idp_bridge_http::Method;

/// The endpoint of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Token,
    GetUser,
    UsersByEmail,
    SearchUsers,
    CreateUser,
    UpdateUser,
    DeleteUser,
    VerificationEmail,
    ChangePassword,
    Connections,
    EmailTemplate,
    Userinfo,
    RevokeToken,
    /// Another endpoint of the Management API, which the connector does not use.
    OtherManagement,
    /// Another endpoint.
    Other,
}

impl Topic {
    /// Returns the topic of a request.
    pub(super) fn from_request(method: &Method, segments: &[String]) -> Self {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method.as_str(), segments.as_slice()) {
            ("POST", ["oauth", "token"]) => Self::Token,
            ("POST", ["dbconnections", "change_password"]) => Self::ChangePassword,
            ("GET", ["api", "v2", "users", _]) => Self::GetUser,
            ("GET", ["api", "v2", "users-by-email"]) => Self::UsersByEmail,
            ("GET", ["api", "v2", "users"]) => Self::SearchUsers,
            ("POST", ["api", "v2", "users"]) => Self::CreateUser,
            ("PATCH", ["api", "v2", "users", _]) => Self::UpdateUser,
            ("DELETE", ["api", "v2", "users", _]) => Self::DeleteUser,
            ("POST", ["api", "v2", "jobs", "verification-email"]) => Self::VerificationEmail,
            ("GET", ["api", "v2", "connections"]) => Self::Connections,
            ("GET", ["api", "v2", "email-templates", _]) => Self::EmailTemplate,
            ("GET", ["userinfo"]) => Self::Userinfo,
            ("POST", ["oauth", "revoke"]) => Self::RevokeToken,
            (_, ["api", "v2", ..]) => Self::OtherManagement,
            _ => Self::Other,
        }
    }
}
