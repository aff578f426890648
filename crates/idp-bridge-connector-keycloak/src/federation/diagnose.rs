//! What `doctor` checks of the OAuth side, and the step in the admin console that mends it.

mod applications;

use idp_bridge_core::{CallScope, Error, ErrorKind, Finding, OauthClient, Result, Verdict};
use idp_bridge_http::oidc::{ClientAuthentication, SecretCheck};

use self::applications::{Application, Applications, Source};
use super::RealmFederation;
use crate::diagnose::{UserProfile, assign};

/// Where a made-up code is said to have led; nothing is ever sent there.
const NOWHERE: &str = "https://idp-bridge.invalid/";

/// The OAuth side of a realm under diagnosis.
pub(super) struct Diagnosis<'a> {
    federation: &'a RealmFederation,
}

impl<'a> Diagnosis<'a> {
    pub(super) fn of(federation: &'a RealmFederation) -> Self {
        Self { federation }
    }

    /// Checks all that the settings need. Without the realm's own document nothing else can be seen, so that comes first.
    pub(super) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = vec![self.document(scope).await, self.keys(scope).await];
        if findings.iter().any(|finding| finding.verdict != Verdict::Ok) {
            return findings;
        }
        let clients = &self.federation.settings.clients;
        for client in clients {
            findings.push(self.secret(scope, client).await);
        }
        match Applications::read(&self.federation.admin, scope, clients).await {
            Ok(applications) => {
                findings
                    .extend(clients.iter().flat_map(|client| self.application(client, applications.get(&client.id))));
                let profile = UserProfile::read(&self.federation.admin, scope).await;
                let read = clients.iter().filter_map(|client| applications.get(&client.id).map(|own| (client, own)));
                findings.extend(read.filter_map(|(client, own)| self.authority(&client.id, own, &profile)));
            }
            Err(error) => findings.push(self.hidden(&error).with_authority()),
        }
        findings
    }

    /// Whether users can set the claim of the customer themselves. Nothing if no mapper writes the claim.
    fn authority(&self, id: &str, application: &Application, profile: &Result<UserProfile>) -> Option<Finding> {
        let claim = &self.federation.customer_claim;
        let check = format!("users cannot set the claim `{claim}` of `{id}` themselves");
        let page =
            format!("Clients → `{id}` → Client scopes → the mapper of `{claim}` in its dedicated scope or another one");
        let sources = application.sources(claim);
        let profile = match profile {
            Ok(profile) => profile,
            Err(error) if sources.iter().any(|source| matches!(source, Source::Attribute(_))) => {
                return Some(Finding::hidden_by(check, &[], error, self.assign("view-users")).with_authority());
            }
            Err(_) => &UserProfile::default(),
        };
        let is_editable = |source: &&Source| match source {
            Source::Attribute(name) => profile.lets_users_edit(name),
            Source::User => true,
            Source::Administrators | Source::Unknown(_) => false,
        };
        let unknown = |source: &Source| match source {
            Source::Unknown(kind) => Some(kind.clone()),
            _ => None,
        };
        let finding = match (sources.iter().find(is_editable), sources.iter().find_map(unknown)) {
            _ if sources.is_empty() => return None,
            (Some(Source::Attribute(name)), _) => Finding::failed(
                check,
                &[],
                format!(
                    "{page}: read another attribute; or Realm settings → User profile → Attributes → `{name}`: \
                     `Who can edit?` only Admin"
                ),
            )
            .with_detail(format!("a mapper reads the attribute `{name}`, which users may edit themselves")),
            (Some(_), _) => Finding::failed(check, &[], format!("{page}: delete it"))
                .with_detail("a mapper writes what the user has chosen"),
            (None, Some(kind)) => Finding::not_visible(check, &[], format!("{page}: check where its values come from"))
                .with_detail(format!("the mapper has the type `{kind}`, which cannot be followed")),
            (None, None) => Finding::ok(check, &[]),
        };
        Some(finding.with_authority())
    }

    async fn document(&self, scope: &CallScope) -> Finding {
        let check = "Keycloak names the issuer of its tokens";
        match self.federation.openid.discovery(scope).await {
            Ok(_) => Finding::ok(check, &[]),
            Err(error) if error.kind() == ErrorKind::Misconfigured => {
                let fix = "set `issuer` in the connector's settings to the `issuer` in `.well-known/openid-configuration` of the \
                           realm, once you know that it is yours";
                Finding::failed(check, &[], fix).with_detail(error.to_string())
            }
            Err(error) => failed_by(check, &error),
        }
    }

    async fn keys(&self, scope: &CallScope) -> Finding {
        let check = "the realm's keys can be read";
        match self.federation.openid.check_keys(scope).await {
            Ok(()) => Finding::ok(check, &[]),
            Err(error) => failed_by(check, &error),
        }
    }

    /// The secret of a client, proven without a login.
    async fn secret(&self, scope: &CallScope, client: &OauthClient) -> Finding {
        let id = &client.id;
        let check = match client.secret {
            Some(_) => format!("the client `{id}` has the secret that is set"),
            None => format!("the client `{id}` is public, as it is set"),
        };
        let checked = match self.federation.endpoints.token() {
            Ok(url) => {
                let client = (client, ClientAuthentication::Post);
                self.federation.openid.check_secret_at(scope, url, client, NOWHERE).await
            }
            Err(error) => Err(error),
        };
        match checked {
            Ok(SecretCheck::Right) => Finding::ok(check, &[]),
            Ok(SecretCheck::Wrong) => {
                let fix = format!(
                    "Clients → `{id}`: it must be there and enabled; if `Client authentication` is on, copy its Client Secret \
                     from Credentials to `secret` of this client in `federation.clients`"
                );
                Finding::failed(check, &[], fix)
            }
            Ok(SecretCheck::Unknown) => {
                Finding::not_visible(check, &[], format!("Clients → `{id}` → Credentials: compare the Client Secret"))
            }
            Err(error) => failed_by(check, &error),
        }
    }

    /// What cannot be seen without a role that no call needs.
    fn hidden(&self, error: &Error) -> Finding {
        let check = "the applications give the bridge what it needs, and users cannot set the customer themselves";
        Finding::hidden_by(check, &[], error, self.assign("view-clients"))
    }

    fn assign(&self, role: &str) -> String {
        assign(&self.federation.bridge, role)
    }

    fn application(&self, client: &OauthClient, application: Option<&Application>) -> Vec<Finding> {
        let id = &client.id;
        let Some(application) = application else {
            let check = format!("the realm has the client `{id}`");
            return vec![Finding::failed(
                check,
                &[],
                "Clients → Create client, or take it out of `federation.clients`",
            )];
        };
        let back_channel = match application.back_channel() {
            Some(_) => Finding::ok(format!("`{id}` has a back channel for logouts"), &[])
                .with_detail("whether its address is the bridge's shows only at a logout"),
            None => Finding::ok(format!("`{id}` needs no back channel for logouts"), &[]).with_detail(
                "without one, a logout elsewhere shows only after `cache` of userinfo; \
                 to have one: Clients → the client → Settings → Logout settings → `Backchannel logout URL`",
            ),
        };
        let fix = format!(
            "Clients → `{id}` → Settings → Valid post logout redirect URIs: add each of `post_logout_redirect_uris`"
        );
        let way_back = self.federation.settings.check_way_back(id, |uri| application.may_return_to(uri), &fix);
        let way_back = way_back.filter(|_| application.has_standard_flow);
        let others = [self.told(id, application), subject(id, application), self.claim(id, application), back_channel];
        others.into_iter().chain(way_back).collect()
    }

    /// Whether the application's tokens say the customer where the bridge reads it.
    fn claim(&self, id: &str, application: &Application) -> Finding {
        let claim = &self.federation.customer_claim;
        let check = format!("`{id}` tells the customer in the claim `{claim}`");
        let place = if application.is_introspected_by(&self.federation.bridge) {
            "introspection.token.claim"
        } else {
            "userinfo.token.claim"
        };
        if application.has_claim(claim, place) {
            return Finding::ok(check, &[]);
        }
        let fix = format!(
            "Clients → `{id}` → Client scopes → its dedicated scope → Add mapper → By configuration → User Attribute: \
             `User Attribute` and `Token Claim Name` are `{claim}`; `Add to userinfo`, `Add to token introspection` and \
             `Multivalued` are on"
        );
        let detail = "without it userinfo asks Keycloak a second time for each answer";
        match self.federation.settings.customer_claim {
            Some(_) => Finding::failed(check, &[], fix).with_detail(detail),
            None => Finding::ok(format!("`{id}` needs no claim for the customer"), &[])
                .with_detail(format!("{detail}; {fix}")),
        }
    }

    /// Whether Keycloak tells the bridge of the application's tokens at all.
    fn told(&self, id: &str, application: &Application) -> Finding {
        let bridge = &self.federation.bridge;
        let check = format!("Keycloak tells the bridge of the tokens of `{id}`");
        if !application.is_lightweight() || application.has_audience(bridge) {
            return Finding::ok(check, &[]);
        }
        let fix = format!(
            "Clients → `{id}` → Client scopes → its dedicated scope → Add mapper → By configuration → Audience: `Included \
             Client Audience` is `{bridge}`, `Add to token introspection` is on; or Advanced: `Always use lightweight access \
             token` is off"
        );
        Finding::failed(check, &[], fix)
            .with_detail("its access tokens are lightweight ones, and not meant for the bridge")
    }
}

/// Whether `sub` is the id of the user.
fn subject(id: &str, application: &Application) -> Finding {
    let check = format!("the tokens of `{id}` name the user by the id of the Users calls");
    if !application.hides_users() {
        return Finding::ok(check, &[]);
    }
    let fix = format!(
        "Clients → `{id}` → Client scopes → its dedicated scope: delete the mapper `Pairwise subject identifier`"
    );
    Finding::failed(check, &[], fix).with_detail("the subject is another one at each application")
}

fn failed_by(check: impl Into<String>, error: &Error) -> Finding {
    Finding::failed_by(check, &[], error, "look into Keycloak's log".into())
}
