//! The rules of `[stage]`: its requests, and the names of the suite.

use super::{Allowed, Checker, key, path};
use crate::definition::{SelfEdit, Stage};

impl Checker<'_> {
    pub(super) fn check_stage(&mut self, stage: &Stage) {
        self.is_stage = true;
        let allowed = Allowed { id: true, email: true, customer: true, ..Allowed::default() };
        for (index, request) in stage.prepare.iter().enumerate() {
            self.check_request(&path(&["stage", "prepare", &index.to_string()]), request, &Allowed::default());
        }
        for (index, request) in stage.complete.iter().enumerate() {
            self.check_request(&path(&["stage", "complete", &index.to_string()]), request, &allowed);
        }
        self.check_request(&path(&["stage", "create"]), &stage.create, &allowed);
        let requests = [("verify", &stage.verify), ("block", &stage.block), ("change_email", &stage.change_email)];
        for (name, request) in requests.into_iter().chain([("log_in", &stage.log_in)]) {
            if let Some(request) = request {
                self.check_request(&path(&["stage", name]), request, &allowed);
            }
        }
        if !stage.id.starts_with('/') {
            self.report(&path(&["stage", "id"]), "a JSON pointer begins with `/`");
        }
        if let Some(edits) = &stage.edit_self {
            self.check_self_edit(edits, stage.log_in.is_some(), &allowed);
        }
        self.check_stage_names(stage);
    }

    /// Checks the requests of a user who changes itself.
    fn check_self_edit(&mut self, edits: &SelfEdit, can_log_in: bool, allowed: &Allowed) {
        let place = path(&["stage", "edit_self"]);
        if !can_log_in {
            self.report(&place, "the user logs in first: add `log_in`");
        }
        if !edits.token.starts_with('/') {
            self.report(&key(&place, "token"), "a JSON pointer begins with `/`");
        }
        if edits.requests.is_empty() {
            self.report(&key(&place, "requests"), "add what a user sends to change itself");
        }
        for (index, request) in edits.requests.iter().enumerate() {
            let place = key(&key(&place, "requests"), &index.to_string());
            self.check_request(&place, request, allowed);
            if request.auth.as_deref() != Some("none") {
                self.report(&key(&place, "auth"), "the request has the user's token: set `auth = \"none\"`");
            }
        }
    }

    /// Checks the names of mistakes and of needs, and the settings with a mistake.
    fn check_stage_names(&mut self, stage: &Stage) {
        for (name, settings) in &stage.controls {
            let place = path(&["stage", "controls", name]);
            if !CONTROLS.contains(&name.as_str()) {
                self.report(&place, format!("there is no control `{name}`: the names are {}", CONTROLS.join(", ")));
            }
            for setting in settings.keys().filter(|own| !self.definition.settings.contains_key(*own)) {
                self.report(&key(&place, setting), format!("there is no setting `{setting}`"));
            }
        }
        for name in stage.not_applicable.keys() {
            if !CONTROLS.iter().chain(&NEEDS).any(|own| own == name) {
                let names = [CONTROLS.as_slice(), NEEDS.as_slice()].concat().join(", ");
                let place = path(&["stage", "not_applicable", name]);
                self.report(&place, format!("the suite has no need `{name}`: the names are {names}"));
            }
        }
    }
}

/// The names of `[stage.controls]`.
const CONTROLS: [&str; 5] = ["wrong_secret", "wrong_realm", "missing_role", "narrow_role", "read_only_role"];
/// The names of `[stage.not_applicable]` beside those of controls.
const NEEDS: [&str; 16] = [
    "no_email",
    "no_customer",
    "several_customers",
    "shared_customer",
    "shared_email",
    "unusual_customer",
    "blocked_user",
    "service_account",
    "mails",
    "undeliverable_mail",
    "unaccepted_mail",
    "second_email",
    "self_edit",
    "second_origin",
    "login",
    "change_email",
];
