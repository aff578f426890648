//! The rules of calls and requests: placeholders, paths, and the origins of credentials.

use idp_bridge_core::CallKind;

use super::{Allowed, Checker, STAGE_NAMES, credential, key, path};
use crate::definition::{Call, Method, Next, RequestSpec, SettingKind, Stage};
use crate::template::{Name, Template};

impl Checker<'_> {
    pub(super) fn check_call(&mut self, kind: CallKind, name: &str, call: &Call) {
        let place = path(&["calls", name]);
        if call.unsupported.is_some() {
            return self.check_unsupported(&place, call);
        }
        if call.request.is_none() && call.steps.is_empty() {
            return self.report(&place, "add `request`, or `unsupported` with the reason");
        }
        if call.request.is_some() && !call.steps.is_empty() {
            self.report(&key(&place, "steps"), "a call has `request` or `steps`, not both");
        }
        self.check_keys(&place, kind, call);
        let is_read = is_read(kind);
        let allowed = Allowed {
            id: kind == CallKind::GetById || !is_read,
            email: kind == CallKind::GetByEmail || !is_read,
            customer: kind == CallKind::GetByCustomer,
            cursor: call.next.is_some(),
            session: false,
            detail: !is_read,
            ..Allowed::default()
        };
        if let Some(request) = &call.request {
            let own = key(&place, "request");
            if is_read {
                self.check_lookup(&own, request, &allowed);
            } else {
                self.check_request(&own, request, &allowed);
            }
            self.check_cursor(&place, call, request);
        }
        if let Some(request) = &call.if_absent {
            self.check_lookup(&key(&place, "if_absent"), request, &Allowed::default());
        }
        if let Some(request) = &call.undo {
            self.check_request(&key(&place, "undo"), request, &allowed);
        }
        self.check_steps(&key(&place, "steps"), &call.steps, allowed);
    }

    /// Checks that a call has only the keys of its kind, and the place of the users in its response.
    fn check_keys(&mut self, place: &[String], kind: CallKind, call: &Call) {
        let is_read = is_read(kind);
        let is_search = is_read && kind != CallKind::GetById;
        match (is_read, call.user.is_some(), call.users.is_some()) {
            (true, false, false) => self.report(place, "add `user` or `users`: where the answer has them"),
            (true, true, true) => self.report(&key(place, "user"), "a call has `user` or `users`, not both"),
            _ => {}
        }
        if is_read && !call.steps.is_empty() {
            self.report(&key(place, "steps"), "a read has one `request`");
        }
        for (name, is_refused, owner) in [
            ("undo", call.undo.is_some() && kind != CallKind::MarkEmailVerified, "`mark_email_verified` has"),
            ("users", call.users.is_some() && !is_read, "reads have"),
            ("absent", !call.absent.is_empty() && !is_read, "reads have"),
            ("if_absent", call.if_absent.is_some() && !is_read, "reads have"),
            ("next", call.next.is_some() && !is_search, "searches have"),
            ("reread", call.reread && !is_search, "searches have"),
            ("cannot_contain", !call.cannot_contain.is_empty() && !is_search, "searches have"),
        ] {
            if is_refused {
                self.report(&key(place, name), format!("only {owner} `{name}`"));
            }
        }
        for (name, pointer) in [("user", &call.user), ("users", &call.users)] {
            if let Some(pointer) = pointer.as_ref().filter(|own| !own.is_empty() && !own.starts_with('/')) {
                let message = format!("`{pointer}` is not a JSON pointer: it begins with `/`, or is empty");
                self.report(&key(place, name), message);
            }
        }
        self.check_conditions(&key(place, "absent"), &call.absent);
    }

    /// Checks the steps of a call, and that captured values are used.
    fn check_steps(&mut self, place: &[String], steps: &[RequestSpec], mut allowed: Allowed) {
        allowed.capture = true;
        self.used.retain(|name| !name.starts_with("step."));
        for (index, request) in steps.iter().enumerate() {
            self.check_request(&key(place, &index.to_string()), request, &allowed);
            allowed.steps.extend(request.capture.keys().cloned());
        }
        for (index, request) in steps.iter().enumerate() {
            let place = key(&key(place, &index.to_string()), "capture");
            for name in request.capture.keys() {
                if !self.used.contains(&format!("step.{name}")) {
                    self.report(&key(&place, name), format!("no later step has `{{step.{name}}}`: remove it"));
                }
            }
        }
    }

    /// Checks that a call without requests has no keys for them.
    fn check_unsupported(&mut self, place: &[String], call: &Call) {
        for (name, is_given) in [
            ("condition", call.condition.is_some()),
            ("request", call.request.is_some()),
            ("steps", !call.steps.is_empty()),
            ("undo", call.undo.is_some()),
            ("user", call.user.is_some()),
            ("users", call.users.is_some()),
            ("reread", call.reread),
            ("absent", !call.absent.is_empty()),
            ("cannot_contain", !call.cannot_contain.is_empty()),
            ("if_absent", call.if_absent.is_some()),
            ("next", call.next.is_some()),
        ] {
            if is_given {
                self.report(&key(place, name), "a call with `unsupported` has no other key: remove one of them");
            }
        }
    }

    fn check_cursor(&mut self, place: &[String], call: &Call, request: &RequestSpec) {
        let in_query = request.query.values().any(|value| value.as_name() == Some(&Name::Cursor));
        let in_body = request.json.as_ref().is_some_and(|body| body.names().contains(&&Name::Cursor));
        if call.next.is_some() && !in_query {
            self.report(&key(&key(place, "request"), "query"), "the query has no value `{cursor}`, which `next` needs");
        }
        if in_body {
            self.report(&key(place, "request"), "`{cursor}` belongs into the query");
        }
        let place = key(place, "next");
        let (kind, first, size) = match &call.next {
            None => return,
            Some(Next::At(pointer)) if pointer.starts_with('/') => return,
            Some(Next::At(_)) => return self.report(&key(&place, "at"), "a JSON pointer begins with `/`"),
            Some(Next::Page { first, size }) => ("page", first, size),
            Some(Next::Offset { first, size }) => ("offset", first, size),
        };
        let place = key(&place, kind);
        if *first > 1 {
            self.report(&key(&place, "first"), "the first page or position is 0 or 1");
        }
        if *size == 0 {
            self.report(&key(&place, "size"), "a full page has at least one user");
        }
    }

    /// Checks that a request has a method without side effects.
    pub(super) fn check_lookup(&mut self, place: &[String], request: &RequestSpec, allowed: &Allowed) {
        if !matches!(request.method, Method::Get | Method::Post) {
            self.report(&key(place, "method"), "the request must change nothing: use GET, or POST for a search");
        }
        self.check_request(place, request, allowed);
    }

    pub(super) fn check_request(&mut self, place: &[String], request: &RequestSpec, allowed: &Allowed) {
        self.check_origin(place, request.origin.as_deref());
        self.check_credential(place, request);
        if request.json.is_some() && !request.form.is_empty() {
            self.report(&key(place, "form"), "a request has `json` or `form`, not both");
        }
        let has_body = request.json.is_some() || !request.form.is_empty();
        if has_body && request.method == Method::Get {
            self.report(&key(place, "method"), "a GET has no body: set `method`");
        }
        for segment in &request.path {
            let place = key(place, "path");
            self.check_template(&place, segment, allowed);
            if matches!(segment.as_text(), Some("" | "." | "..")) || segment.as_text().is_some_and(|t| t.contains('/'))
            {
                self.report(&place, "a segment is empty, `.`, `..` or has a `/`: write each segment as an own text");
            }
        }
        let is_word = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
        if !request.custom_method.iter().all(is_word) {
            self.report(&key(place, "custom_method"), "a custom method has letters only");
        }
        for (name, value) in &request.query {
            self.check_template(&key(&key(place, "query"), name), value, allowed);
        }
        for value in request.form.values() {
            self.check_template(&key(place, "form"), value, allowed);
        }
        for name in request.json.iter().flat_map(|body| body.names()) {
            self.check_name(&key(place, "json"), name, allowed);
        }
        self.check_headers(place, request);
        self.check_conditions(&key(place, "require"), &request.require);
        if request.empty_body && !(request.require.is_empty() && request.capture.is_empty()) {
            self.report(&key(place, "empty_body"), "an answer without a body cannot have `require` or `capture`");
        }
        if !request.capture.is_empty() && !allowed.capture {
            self.report(&key(place, "capture"), "only `steps` of a call use captured values: remove it");
        }
        for (name, pointer) in &request.capture {
            if !pointer.starts_with('/') {
                self.report(&key(&key(place, "capture"), name), "a JSON pointer begins with `/`");
            }
        }
        if request.success.iter().any(|status| !(200..=299).contains(status)) {
            self.report(&key(place, "success"), "only statuses from 200 to 299 are a success");
        }
    }

    /// Checks that the credential of a request goes to its own origin.
    fn check_credential(&mut self, place: &[String], request: &RequestSpec) {
        let place = key(place, "auth");
        let names: Vec<&String> = self.definition.auth.keys().collect();
        let named = match (request.auth.as_deref(), names.as_slice()) {
            (Some("none"), _) | (None, []) => return,
            (Some(name), _) => name.to_owned(),
            (None, [only]) => (*only).clone(),
            (None, _) => return self.report(&place, "there are several credentials: name one, or `none`"),
        };
        self.used.insert(credential(&named));
        let Some(auth) = self.definition.auth.get(&named) else {
            return self.report(&place, format!("there is no credential `{named}`"));
        };
        let (own, target) = (self.origin(auth.origin()), self.origin(request.origin.as_deref()));
        if own != target {
            let message = format!("the credential `{named}` belongs to another origin: add `auth = \"none\"`");
            self.report(&place, message);
        }
    }

    pub(super) fn check_template(&mut self, place: &[String], template: &Template, allowed: &Allowed) {
        for name in template.names() {
            self.check_name(place, name, allowed);
        }
        // Beside other text, a setting must not change the meaning of the text.
        if template.as_name().is_none() {
            for name in template.names() {
                if let Name::Setting(own) = name
                    && self.definition.settings.get(own).is_some_and(|setting| setting.kind != SettingKind::Name)
                {
                    self.report(place, format!("`{{{own}}}` is beside other text: give the setting the type `name`"));
                }
            }
        }
    }

    fn check_name(&mut self, place: &[String], name: &Name, allowed: &Allowed) {
        self.used.insert(name.to_string());
        let is_allowed = match name {
            Name::Id => allowed.id,
            Name::Email => allowed.email,
            Name::Customer => allowed.customer,
            Name::Cursor => allowed.cursor,
            Name::Session => allowed.session,
            Name::Step(own) => allowed.steps.contains(own),
            Name::Detail(own) => allowed.detail && self.definition.user.detail.contains_key(own),
            Name::Setting(own) if own.starts_with("stage.") => self.is_stage && self.has_stage_value(own),
            Name::Setting(own) => match self.definition.settings.get(own) {
                Some(setting) if setting.kind == SettingKind::Secret => {
                    let message =
                        format!("the secret `{own}` belongs into `[auth]`, which sends it to its origin only");
                    return self.report(place, message);
                }
                setting => setting.is_some(),
            },
        };
        if !is_allowed {
            self.report(
                place,
                format!("`{{{name}}}` is not there: no setting, step or value of this call has the name"),
            );
        }
    }

    fn has_stage_value(&self, name: &str) -> bool {
        let own = |stage: &Stage| name.strip_prefix("stage.").is_some_and(|name| stage.values.contains_key(name));
        STAGE_NAMES.contains(&name) || self.definition.stage.as_ref().is_some_and(own)
    }
}

fn is_read(kind: CallKind) -> bool {
    matches!(kind, CallKind::GetById | CallKind::GetByEmail | CallKind::GetByCustomer)
}
