//! The checks of `doctor`, with their fixes in the admin console.
//!
//! Every check is a read. Pages, tabs and switches have the names of the admin console of Keycloak 26.

use std::collections::BTreeMap;

use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Finding, Result, Verdict};
use idp_bridge_http::ClientProof;
use serde::Deserialize;
use serde_json::Value;

use crate::client::AdminApi;
use crate::config::KeycloakConfig;
use crate::error::Step;
use crate::logins::EventsConfig;

const READS: [CallKind; 3] = [CallKind::GetById, CallKind::GetByEmail, CallKind::GetByCustomer];
const WRITES: [CallKind; 4] =
    [CallKind::Delete, CallKind::MarkEmailVerified, CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];
const MAILS: [CallKind; 2] = [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// Checks a realm.
pub(crate) struct Diagnosis<'a> {
    api: &'a AdminApi,
    config: &'a KeycloakConfig,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn new(api: &'a AdminApi, config: &'a KeycloakConfig) -> Self {
        Self { api, config }
    }

    /// Runs the checks that the settings need. All others depend on the login.
    pub(crate) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = self.login(scope).await;
        if findings.iter().any(|finding| finding.verdict != Verdict::Ok) {
            return findings;
        }
        findings.push(self.view_role(scope).await);
        findings.push(self.manage_role(scope).await);
        findings.push(self.customer_attribute(scope).await);
        findings.push(self.mail_server(scope).await);
        if self.config.login_events {
            findings.push(self.login_events(scope).await);
        }
        if self.config.brute_force {
            findings.push(self.brute_force(scope).await);
        }
        findings
    }

    /// Checks the connection, the realm and the client by one login. A failure hides the later ones.
    async fn login(&self, scope: &CallScope) -> Vec<Finding> {
        let KeycloakConfig { realm, client_id, .. } = self.config;
        let failure = self.api.check_login(scope).await.err();
        let checks = [
            ("Keycloak is reachable", "check that Keycloak runs at `url` and can be reached from here".to_owned()),
            (
                "the realm exists and is enabled",
                format!(
                    "check that `url` has the path of Keycloak, if it has one, and that its realm `{realm}` is enabled"
                ),
            ),
            (
                "the client can log in",
                format!(
                    "Clients → `{client_id}` → Settings → Capability config: switch `Client authentication` and \
                     `Service accounts roles` on; then {}",
                    self.credentials_fix(failure.as_ref())
                ),
            ),
        ];
        let failed = failure.as_ref().map(|error| match error.context("status") {
            // Sent by another server or a gateway. Keycloak's own refusals have other kinds.
            _ if error.kind() == ErrorKind::InvalidResponse => (0, error),
            Some("403" | "404") => (1, error),
            Some("400" | "401") => (2, error),
            _ => (0, error),
        });
        Finding::chain(&CallKind::ALL, checks, failed)
    }

    /// Returns the steps that register the configured credentials of the client.
    fn credentials_fix(&self, failure: Option<&Error>) -> String {
        let page = format!("Clients → `{}` → Credentials", self.config.client_id);
        match &self.api.bridge().proof {
            ClientProof::Secret(_) => format!("{page}: copy the Client Secret to `client_secret`"),
            ClientProof::PrivateKey(_) => {
                let hint = failure.and_then(Error::hint).unwrap_or_default();
                format!("{page} → Client Authenticator: `Signed JWT`; {hint}")
            }
            ClientProof::Certificate => format!(
                "{page} → Client Authenticator: `X509 Certificate`; Subject DN: that of the client certificate; and check that \
                 Keycloak runs with `https-client-auth` and trusts the certificate's authority"
            ),
        }
    }

    async fn view_role(&self, scope: &CallScope) -> Finding {
        let check = "the client may read users";
        match self.api.check_may_view_users(scope).await {
            Ok(()) => Finding::ok(check, &CallKind::ALL),
            Err(error) => Finding::failed_by(check, &CallKind::ALL, &error, self.assign("manage-users")),
        }
    }

    /// Checks the right to change users by the client's own user, which always exists.
    async fn manage_role(&self, scope: &CallScope) -> Finding {
        let check = "the client may change users and have mails sent to them";
        let own = format!("service-account-{}", self.config.client_id);
        match self.api.users_named(scope, &own).await {
            Err(error) => Finding::failed_by(check, &WRITES, &error, self.assign("manage-users")),
            Ok(users) => match users.first().and_then(|user| user.may_be_managed()) {
                Some(true) => Finding::ok(check, &WRITES),
                Some(false) => Finding::failed(check, &WRITES, self.assign("manage-users")),
                None => Finding::not_visible(check, &WRITES, self.assign("manage-users")),
            },
        }
    }

    async fn customer_attribute(&self, scope: &CallScope) -> Finding {
        let check = "the customer attribute is declared, and only administrators may edit it";
        let calls = &READS;
        let name = &self.config.customer_attribute;
        let profile: UserProfile = match UserProfile::read(self.api, scope).await {
            Ok(profile) => profile,
            Err(error) => return Finding::hidden_by(check, calls, &error, self.assign("view-users")).with_authority(),
        };
        let attributes = "Realm settings → User profile → Attributes";
        let permissions = "Permission: `Who can edit?` only Admin, `Who can view?` Admin";
        let finding = match profile.protection(name) {
            Protection::Protected => Finding::ok(check, calls),
            Protection::Undeclared => {
                Finding::failed(check, calls, format!("{attributes} → Create attribute: `{name}`; {permissions}"))
                    .with_detail("the attribute is not declared, so Keycloak hides it")
            }
            Protection::Hidden => Finding::failed(check, calls, format!("{attributes} → `{name}`; {permissions}"))
                .with_detail("administrators may not view the attribute"),
            Protection::UserEditable => {
                Finding::failed(check, calls, format!("{attributes} → `{name}`; {permissions}"))
                    .with_detail("users may edit the attribute themselves, and with it their customer")
            }
            Protection::UserEditableUnmanaged => Finding::failed(
                check,
                calls,
                format!(
                    "Realm settings → General → Unmanaged Attributes: `Only administrators can write`; \
                     or {attributes} → Create attribute: `{name}`; {permissions}"
                ),
            )
            .with_detail("the attribute is not declared, and users may edit such attributes themselves"),
        };
        finding.with_authority()
    }

    async fn mail_server(&self, scope: &CallScope) -> Finding {
        let check = "the realm has a mail server";
        match Realm::read(self.api, scope).await {
            Err(error) => Finding::hidden_by(check, &MAILS, &error, self.assign("view-realm")),
            Ok(Realm { smtp_server: None, .. }) => Finding::not_visible(check, &MAILS, self.assign("view-realm"))
                .with_detail("the client may not see the realm's settings"),
            Ok(Realm { smtp_server: Some(smtp), .. }) => {
                let has = |key: &str| smtp.get(key).and_then(Value::as_str).is_some_and(|value| !value.is_empty());
                if has("host") && has("from") {
                    return Finding::ok(check, &MAILS)
                        .with_detail("whether it accepts mails shows only when one is sent");
                }
                let fix = "Realm settings → Email: fill in `From` and `Host`, then `Test connection`";
                Finding::failed(check, &MAILS, fix)
            }
        }
    }

    async fn login_events(&self, scope: &CallScope) -> Finding {
        let check = "the realm saves login events, and the client may read them";
        match EventsConfig::read(self.api, scope).await {
            Err(error) => Finding::failed_by(check, &[], &error, self.assign("view-events")),
            Ok(config) if config.keeps_logins() => Finding::ok(check, &[]),
            Ok(_) => Finding::failed(
                check,
                &[],
                "Realm settings → Events → User events settings: switch `Save events` on, and add the type `Login`; \
                 or set `login_events = false`",
            ),
        }
    }

    async fn brute_force(&self, scope: &CallScope) -> Finding {
        let check = "the realm detects brute force attacks";
        match Realm::read(self.api, scope).await {
            Err(error) => Finding::hidden_by(check, &[], &error, self.assign("view-users")),
            Ok(Realm { brute_force_protected: Some(true), .. }) => Finding::ok(check, &[]),
            Ok(Realm { brute_force_protected: Some(false), .. }) => Finding::failed(
                check,
                &[],
                "Realm settings → Security defenses → Brute force detection: choose a mode; \
                 or set `brute_force = false`",
            ),
            Ok(_) => Finding::not_visible(check, &[], self.assign("view-realm")),
        }
    }

    fn assign(&self, role: &str) -> String {
        assign(&self.config.client_id, role)
    }
}

/// Returns the fix that assigns a role to the bridge's client.
pub(crate) fn assign(client: &str, role: &str) -> String {
    format!(
        "Clients → `{client}` → Service accounts roles → Assign role → Client roles: \
         tick `{role}` of `realm-management`"
    )
}

/// The part of a realm's settings that is checked. Fields that the client's roles hide are absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Realm {
    smtp_server: Option<BTreeMap<String, Value>>,
    brute_force_protected: Option<bool>,
}

impl Realm {
    async fn read(api: &AdminApi, scope: &CallScope) -> Result<Self> {
        api.read(scope, Step::ReadRealm, &[], &[]).await
    }
}

/// The part of a realm's user profile that is checked.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserProfile {
    attributes: Vec<Attribute>,
    unmanaged_attribute_policy: Option<String>,
}

#[derive(Deserialize)]
struct Attribute {
    name: String,
    #[serde(default)]
    permissions: Permissions,
}

/// The roles that may view and edit an attribute. The right to edit includes the right to view (tried in November 2026).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Permissions {
    view: Vec<String>,
    edit: Vec<String>,
}

/// The protection of an attribute from users.
#[derive(Debug, PartialEq, Eq)]
enum Protection {
    Protected,
    Undeclared,
    Hidden,
    UserEditable,
    UserEditableUnmanaged,
}

impl UserProfile {
    /// Reads the user profile.
    pub(crate) async fn read(api: &AdminApi, scope: &CallScope) -> Result<Self> {
        api.read(scope, Step::ReadUsers, &["users", "profile"], &[]).await
    }

    /// Returns whether users may edit this attribute themselves.
    pub(crate) fn is_user_editable(&self, name: &str) -> bool {
        matches!(self.protection(name), Protection::UserEditable | Protection::UserEditableUnmanaged)
    }

    /// Returns whether the attribute is declared, or undeclared attributes are visible.
    pub(crate) fn is_visible(&self, name: &str) -> bool {
        self.protection(name) != Protection::Undeclared
    }

    fn protection(&self, name: &str) -> Protection {
        let Some(attribute) = self.attributes.iter().find(|attribute| attribute.name == name) else {
            return match self.unmanaged_attribute_policy.as_deref() {
                Some("ADMIN_EDIT" | "ADMIN_VIEW") => Protection::Protected,
                Some("ENABLED") => Protection::UserEditableUnmanaged,
                _ => Protection::Undeclared,
            };
        };
        let has = |roles: &[String], role: &str| roles.iter().any(|own| own == role);
        let Permissions { view, edit } = &attribute.permissions;
        if has(edit, "user") {
            Protection::UserEditable
        } else if has(view, "admin") || has(edit, "admin") {
            Protection::Protected
        } else {
            Protection::Hidden
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_editable_and_hidden_attributes_are_found() {
        let declared = |permissions: Value| json!([{"name": "customer_id", "permissions": permissions}]);
        for (attributes, policy, protection) in [
            (declared(json!({"view": ["admin", "user"], "edit": ["admin"]})), None, Protection::Protected),
            (declared(json!({"view": [], "edit": ["admin"]})), None, Protection::Protected),
            (declared(json!({"view": ["admin"], "edit": []})), None, Protection::Protected),
            (declared(json!({"view": ["admin"], "edit": ["admin", "user"]})), None, Protection::UserEditable),
            (declared(json!({"view": ["user"], "edit": []})), None, Protection::Hidden),
            (json!([{"name": "customer_id"}]), None, Protection::Hidden),
            (json!([{"name": "customer_id"}]), Some("ENABLED"), Protection::Hidden),
            (json!([]), None, Protection::Undeclared),
            (json!([]), Some("ADMIN_VIEW"), Protection::Protected),
            (json!([]), Some("ADMIN_EDIT"), Protection::Protected),
            (json!([]), Some("ENABLED"), Protection::UserEditableUnmanaged),
            (json!([]), Some("SOMETHING_NEW"), Protection::Undeclared),
        ] {
            let profile = json!({"attributes": attributes, "unmanagedAttributePolicy": policy, "groups": []});
            let parsed: UserProfile = serde_json::from_value(profile.clone()).unwrap();
            assert_eq!(parsed.protection("customer_id"), protection, "{profile}");
        }
    }
}
