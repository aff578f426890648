//! The rules of a definition beyond its types. They do not depend on a tenant's settings.

mod auth;
mod headers;
mod requests;
mod rules;
mod stage;

use std::collections::BTreeSet;

use idp_bridge_core::{OutboundPolicy, PrivateNetworks};
use idp_bridge_http::BaseUrl;

use super::{Definition, FederationSpec, FlagField, Setting, SettingKind, TimeField};
use crate::select::{Check, Selector};
use crate::template::{Name, Template};

/// A problem: the path of the key, and the message.
pub(super) type Problem = (Vec<String>, String);

/// The names that settings may not have, because placeholders have them.
const RESERVED: [&str; 5] = ["id", "email", "customer", "cursor", "session"];
/// The placeholders of `[stage]`.
pub(crate) const STAGE_NAMES: [&str; 5] =
    ["stage.verified", "stage.blocked", "stage.password", "stage.smtp_host", "stage.smtp_port"];

/// Returns all problems.
pub(super) fn check(definition: &Definition) -> Vec<Problem> {
    let mut checker = Checker { definition, problems: Vec::new(), used: BTreeSet::new(), is_stage: false };
    checker.check_answer_headers();
    checker.check_settings();
    checker.check_auth();
    checker.check_user();
    for (kind, name, call) in definition.calls.iter() {
        checker.check_call(kind, name, call);
    }
    checker.check_rules();
    if let Some(federation) = &definition.federation {
        checker.check_federation(federation);
    }
    checker.check_secrets();
    for (index, probe) in definition.doctor.iter().enumerate() {
        let place = path(&["doctor", &index.to_string()]);
        checker.check_lookup(&key(&place, "request"), &probe.request, &Allowed::default());
        checker.check_conditions(&key(&place, "expect"), &probe.expect);
        for name in &probe.calls {
            checker.check_call_name(&key(&place, "calls"), name);
        }
    }
    if let Some(stage) = &definition.stage {
        checker.check_stage(stage);
    }
    checker.check_unused();
    checker.problems
}

/// The placeholders that a request may use beside settings.
#[derive(Debug, Clone, Default)]
struct Allowed {
    id: bool,
    email: bool,
    customer: bool,
    cursor: bool,
    session: bool,
    detail: bool,
    steps: BTreeSet<String>,
    /// Whether later requests can use captured values.
    capture: bool,
}

struct Checker<'d> {
    definition: &'d Definition,
    problems: Vec<Problem>,
    /// The settings, credentials and placeholders that were used.
    used: BTreeSet<String>,
    is_stage: bool,
}

impl Checker<'_> {
    fn report(&mut self, place: &[String], message: impl Into<String>) {
        self.problems.push((place.to_vec(), message.into()));
    }

    fn origins(&self) -> Vec<&str> {
        let is_origin = |setting: &Setting| setting.kind == SettingKind::Origin;
        self.definition.settings.iter().filter(|(_, own)| is_origin(own)).map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the origin that a request or credential uses: the named one, or the only one.
    fn origin<'n>(&'n self, named: Option<&'n str>) -> Option<&'n str> {
        named.or_else(|| match self.origins().as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }

    fn check_settings(&mut self) {
        if self.origins().is_empty() {
            self.report(&path(&["settings"]), "no setting has the type `origin`: add the base URL of the product");
        }
        for (name, setting) in &self.definition.settings {
            let place = path(&["settings", name]);
            let taken = RESERVED.contains(&name.as_str());
            if taken || !is_identifier(name) {
                self.report(&place, "the name is reserved, or has other characters than small letters, digits and `_`");
            }
            if let Some(default) = &setting.default {
                self.check_default(&key(&place, "default"), setting.kind, default);
            }
        }
    }

    /// Checks a default by the rules for values of tenants.
    fn check_default(&mut self, place: &[String], kind: SettingKind, default: &str) {
        match kind {
            SettingKind::Secret => self.report(place, "a secret has no default"),
            SettingKind::Name if !is_name(default) => {
                self.report(place, "a name has letters, digits, `_`, `-`, `.` and `:`");
            }
            SettingKind::Text if default.is_empty() => self.report(place, "the text is empty: remove it"),
            SettingKind::Origin => {
                // A default is checked by the most permissive policy, since the settings of a tenant may allow it.
                let networks = PrivateNetworks::Allow;
                let policy =
                    OutboundPolicy { allow_http: true, private_networks: networks, ..OutboundPolicy::default() };
                if let Err(error) = BaseUrl::parse(default, &policy) {
                    let hint = "an origin is a base URL such as `https://api.acme.example`";
                    self.report(place, format!("{}: {hint}", error.message()));
                }
            }
            _ => {}
        }
    }

    /// Checks texts that have no placeholders but those of settings.
    fn check_templates<'t>(&mut self, place: &[String], templates: impl IntoIterator<Item = &'t Template>) {
        for template in templates {
            self.check_template(place, template, &Allowed::default());
        }
    }

    /// Checks that each setting, credential and value is used.
    fn check_unused(&mut self) {
        let is_only_origin = self.origins().len() == 1;
        for (name, setting) in &self.definition.settings {
            let is_implied = setting.kind == SettingKind::Origin && is_only_origin;
            if !is_implied && !self.used.contains(name) {
                self.report(&path(&["settings", name]), "the setting is not used: remove it");
            }
        }
        for name in self.definition.auth.keys() {
            if !self.used.contains(&credential(name)) {
                self.report(&path(&["auth", name]), "no request uses the credential: remove it");
            }
        }
        for name in self.definition.user.detail.keys() {
            if !self.used.contains(&format!("detail.{name}")) {
                self.report(&path(&["user", "detail", name]), "no request has the value: remove it");
            }
        }
        for name in self.definition.stage.iter().flat_map(|stage| stage.values.keys()) {
            if !self.used.contains(&format!("stage.{name}")) {
                self.report(&path(&["stage", "values", name]), "the value is not used: remove it");
            }
        }
    }

    fn check_setting(&mut self, place: &[String], name: &str, kinds: &[SettingKind]) {
        self.used.insert(name.to_owned());
        match self.definition.settings.get(name) {
            None => self.report(place, format!("there is no setting `{name}`")),
            Some(setting) if !kinds.contains(&setting.kind) => {
                self.report(place, format!("the setting `{name}` has another type"));
            }
            Some(_) => {}
        }
    }

    fn check_origin(&mut self, place: &[String], named: Option<&str>) {
        let place = key(place, "origin");
        match named {
            Some(name) => self.check_setting(&place, name, &[SettingKind::Origin]),
            None if self.origins().len() > 1 => {
                self.report(&place, "there are several origins: name the setting of one");
            }
            None => {}
        }
    }

    fn check_federation(&mut self, federation: &FederationSpec) {
        let place = path(&["federation"]);
        self.check_origin(&place, federation.origin.as_deref());
        self.check_templates(&key(&place, "path"), &federation.path);
        self.check_templates(&key(&place, "customer_claim"), &federation.customer_claim);
        if let Some(name) = &federation.client_id {
            self.check_setting(&key(&place, "client_id"), name, &[SettingKind::Text, SettingKind::Name]);
        }
        if let Some(name) = &federation.client_secret {
            self.check_setting(&key(&place, "client_secret"), name, &[SettingKind::Secret]);
        }
        if federation.client_id.is_some() != federation.client_secret.is_some() {
            self.report(&place, "`client_id` and `client_secret` belong together");
        }
        if !federation.scopes.iter().any(|scope| scope == "openid") {
            self.report(&key(&place, "scopes"), "the scopes lack `openid`");
        }
        if let Some(request) = &federation.end_session {
            let allowed = Allowed { session: true, ..Allowed::default() };
            self.check_request(&key(&place, "end_session"), request, &allowed);
            if federation.session_claim.is_none() {
                self.report(&key(&place, "end_session"), "a login has an id with `session_claim` only");
            }
        }
    }

    fn check_user(&mut self) {
        let user = &self.definition.user;
        let place = path(&["user"]);
        let fields = [("email", &user.email), ("customer", &user.customer), ("logins_count", &user.logins_count)];
        let flags = [("email_verified", &user.email_verified), ("blocked", &user.blocked)];
        let times =
            [("create_time", &user.create_time), ("update_time", &user.update_time), ("login_time", &user.login_time)];
        let selectors = [("id", Some(user.id.clone()))]
            .into_iter()
            .chain(fields.map(|(name, field)| (name, field.clone())))
            .chain(flags.map(|(name, field)| (name, field.as_ref().map(FlagField::selector))))
            .chain(times.map(|(name, field)| (name, field.as_ref().map(TimeField::selector))))
            .filter_map(|(name, selector)| Some((name, selector?)));
        for (name, selector) in selectors {
            self.check_selector(&key(&place, name), &selector);
        }
        for (name, selector) in &user.detail {
            self.check_selector(&key(&key(&place, "detail"), name), selector);
        }
        self.check_conditions(&key(&place, "not_a_person"), &user.not_a_person);
        self.check_authority();
    }

    /// Checks that `customer_protected` or probes with `authority`, not both, show who can write the customer.
    fn check_authority(&mut self) {
        let user = &self.definition.user;
        for (index, probe) in self.definition.doctor.iter().enumerate() {
            let place = path(&["doctor", &index.to_string(), "authority"]);
            if probe.authority && probe.expect.is_empty() {
                self.report(&place, "the probe proves nothing: add `expect`");
            }
            if probe.authority && user.customer_protected.is_some() {
                self.report(
                    &place,
                    "remove it, or `user.customer_protected`: one of them shows who can write the customer",
                );
            }
        }
        let place = path(&["user", "customer_protected"]);
        match &user.customer_protected {
            Some(reason) if reason.trim().is_empty() => self.report(&place, "the reason is empty"),
            Some(_) if user.customer.is_none() => self.report(&place, "add `customer`, or remove the reason"),
            _ => {}
        }
    }

    fn check_selector(&mut self, place: &[String], selector: &Selector) {
        for pointer in selector.pointers() {
            self.check_template(place, pointer, &Allowed::default());
            for name in pointer.names() {
                if let Name::Setting(name) = name {
                    self.check_setting(place, name, &[SettingKind::Name]);
                }
            }
        }
        // Any value shows whether the pointer is one after its settings are filled in.
        if let Err(message) = selector.bind(&|_| Some("x".to_owned())) {
            self.report(place, message);
        }
    }

    fn check_conditions(&mut self, place: &[String], conditions: &[Check]) {
        for (index, condition) in conditions.iter().enumerate() {
            let place = key(place, &index.to_string());
            if let Some(message) = condition.problem() {
                self.report(&place, message);
            }
            self.check_template(&key(&place, "at"), &condition.at, &Allowed::default());
            for (name, text) in [("contains", &condition.contains), ("and_term", &condition.and_term)] {
                self.check_templates(&key(&place, name), text);
            }
        }
    }
}

fn path(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn key(place: &[String], name: &str) -> Vec<String> {
    place.iter().cloned().chain([name.to_owned()]).collect()
}

/// Returns the name of a credential in [`Checker::used`], which no placeholder has.
fn credential(name: &str) -> String {
    format!("[auth.{name}]")
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Returns whether a text may be a setting of the type `name`.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
}
