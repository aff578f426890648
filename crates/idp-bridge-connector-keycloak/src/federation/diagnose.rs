//! The checks of federation for `doctor`, with their fixes in the admin console.

mod applications;

use idp_bridge_core::{CallScope, Error, ErrorKind, Finding, OauthClient, Result, Verdict};
use idp_bridge_http::oidc::{ClientAuthentication, ClientCredentials, SecretCheck, UNUSED_REDIRECT_URI};

use self::applications::{Application, Applications, Source};
use super::RealmFederation;
use crate::diagnose::{UserProfile, assign};

/// Checks the OAuth side of a realm.
pub(super) struct Diagnosis<'a> {
    federation: &'a RealmFederation,
}

impl<'a> Diagnosis<'a> {
    pub(super) fn new(federation: &'a RealmFederation) -> Self {
        Self { federation }
    }

    /// Runs the checks that the settings need. All others depend on the discovery document and the keys.
    pub(super) async fn run(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = vec![self.discovery(scope).await, self.keys(scope).await];
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

    /// Checks whether users can set the customer claim themselves. `None` if no mapper writes the claim.
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
            Source::Attribute(name) => profile.is_user_editable(name),
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
                .with_detail("a mapper writes a value that users choose"),
            (None, Some(kind)) => Finding::not_visible(check, &[], format!("{page}: check where its values come from"))
                .with_detail(format!("the source of a mapper of the type `{kind}` is unknown")),
            (None, None) => Finding::ok(check, &[]),
        };
        Some(finding.with_authority())
    }

    async fn discovery(&self, scope: &CallScope) -> Finding {
        let check = "the realm's issuer is the configured one";
        match self.federation.openid.discovery(scope).await {
            Ok(_) => Finding::ok(check, &[]),
            Err(error) if error.kind() == ErrorKind::Misconfigured => {
                let fix = "set `issuer` in the connector's settings to the `issuer` in `.well-known/openid-configuration` of the \
                           realm, after you have checked that it is your server's";
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

    /// Checks the secret of a client without a login.
    async fn secret(&self, scope: &CallScope, client: &OauthClient) -> Finding {
        let id = &client.id;
        let check = match client.secret {
            Some(_) => format!("the client `{id}` has the configured secret"),
            None => format!("the client `{id}` is public, as configured"),
        };
        let checked = match self.federation.endpoints.token() {
            Ok(url) => {
                let credentials = ClientCredentials { client, authentication: ClientAuthentication::Post };
                self.federation.openid.check_secret_at(scope, url, credentials, UNUSED_REDIRECT_URI).await
            }
            Err(error) => Err(error),
        };
        match checked {
            Ok(SecretCheck::Right) => Finding::ok(check, &[]),
            Ok(SecretCheck::Wrong) => {
                let fix = format!(
                    "Clients → `{id}`: it must exist and be enabled; if `Client authentication` is on, copy its Client Secret \
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

    /// Returns the finding for the checks that need the right to view clients.
    fn hidden(&self, error: &Error) -> Finding {
        let check = "the applications' tokens have the needed claims, and users cannot set the customer themselves";
        Finding::hidden_by(check, &[], error, self.assign("view-clients"))
    }

    fn assign(&self, role: &str) -> String {
        assign(&self.federation.admin.bridge().id, role)
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
                .with_detail("whether it leads to the bridge shows only at a logout"),
            None => Finding::ok(format!("`{id}` needs no back channel for logouts"), &[]).with_detail(
                "without one, a logout elsewhere shows only after `cache` of userinfo; \
                 to have one: Clients → the client → Settings → Logout settings → `Backchannel logout URL`",
            ),
        };
        let fix = format!(
            "Clients → `{id}` → Settings → Valid post logout redirect URIs: add each of `post_logout_redirect_uris`"
        );
        let redirects =
            self.federation.settings.check_post_logout_redirect_uris(id, |uri| application.may_redirect_to(uri), &fix);
        let redirects = redirects.filter(|_| application.has_standard_flow);
        let others =
            [self.introspection(id, application), subject(id, application), self.claim(id, application), back_channel];
        others.into_iter().chain(redirects).collect()
    }

    /// Checks that the customer claim is in the response that the bridge reads.
    fn claim(&self, id: &str, application: &Application) -> Finding {
        let claim = &self.federation.customer_claim;
        let check = format!("the tokens of `{id}` have the customer claim `{claim}`");
        let place = if application.is_introspected_by(&self.federation.admin.bridge().id) {
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
        let detail = "without it each `userinfo` takes a second request to Keycloak";
        match self.federation.settings.customer_claim {
            Some(_) => Finding::failed(check, &[], fix).with_detail(detail),
            None => Finding::ok(format!("`{id}` needs no claim for the customer"), &[])
                .with_detail(format!("{detail}; {fix}")),
        }
    }

    /// Checks that the bridge can validate the application's tokens.
    fn introspection(&self, id: &str, application: &Application) -> Finding {
        let bridge = &self.federation.admin.bridge().id;
        let check = format!("the bridge can validate the tokens of `{id}`");
        if !application.is_lightweight() || application.has_audience(bridge) {
            return Finding::ok(check, &[]);
        }
        let fix = format!(
            "Clients → `{id}` → Client scopes → its dedicated scope → Add mapper → By configuration → Audience: `Included \
             Client Audience` is `{bridge}`, `Add to token introspection` is on; or Advanced: `Always use lightweight access \
             token` is off"
        );
        Finding::failed(check, &[], fix)
            .with_detail("its access tokens are lightweight, and the bridge is not in their audience")
    }
}

/// Checks that `sub` is the id of the user.
fn subject(id: &str, application: &Application) -> Finding {
    let check = format!("the subject of the tokens of `{id}` is the user's id");
    if !application.has_pairwise_subject() {
        return Finding::ok(check, &[]);
    }
    let fix = format!(
        "Clients → `{id}` → Client scopes → its dedicated scope: delete the mapper `Pairwise subject identifier`"
    );
    Finding::failed(check, &[], fix).with_detail("each application gets another subject")
}

fn failed_by(check: impl Into<String>, error: &Error) -> Finding {
    Finding::failed_by(check, &[], error, "read Keycloak's log".into())
}
