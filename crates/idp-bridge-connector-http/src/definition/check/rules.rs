//! The rules of `[[errors]]`: conditions that can hold, for requests that are sent.

use super::{Checker, key, path};
use crate::definition::{Auth, ErrorRule};
use crate::text_or::OneOrMany;

impl Checker<'_> {
    pub(super) fn check_rules(&mut self) {
        let rules = &self.definition.errors;
        for (index, rule) in rules.iter().enumerate() {
            let place = path(&["errors", &index.to_string()]);
            self.check_rule(&place, rule);
            self.check_step(&place, rule);
            let earlier = rules.iter().take(index).position(|earlier| earlier.covers(rule));
            if let Some(earlier) = earlier {
                self.report(
                    &place,
                    format!("the rule never applies: `errors.{earlier}` covers its answers, remove one"),
                );
            }
        }
    }

    fn check_rule(&mut self, place: &[String], rule: &ErrorRule) {
        self.check_conditions(&key(place, "when"), &rule.when);
        for name in slice(rule.call.as_ref()) {
            self.check_call_name(&key(place, "call"), name);
        }
        for (name, is_empty) in [("call", is_empty(rule.call.as_ref())), ("status", is_empty(rule.status.as_ref()))] {
            if is_empty {
                self.report(&key(place, name), "the list is empty: name one, or remove the key");
            }
        }
        if slice(rule.status.as_ref()).iter().any(|status| !(200..=599).contains(status)) {
            self.report(&key(place, "status"), "a status is from 200 to 599");
        }
        if rule.text.as_ref().is_some_and(String::is_empty) {
            self.report(&key(place, "text"), "each body has the empty text: write what only the product sends");
        }
        let has_condition = rule.status.is_some() || !rule.when.is_empty() || rule.text.is_some() || rule.empty_body;
        if !has_condition {
            self.report(place, "the rule has no condition: add `status`, `when`, `text` or `empty_body`");
        }
        let is_proved = !rule.when.is_empty() || rule.text.is_some() || rule.empty_body;
        if has_condition && !is_proved {
            let message = "a gateway can send the status as well: add what only the product sends (`when`, `text` or `empty_body`)";
            self.report(place, message);
        }
    }

    /// Checks that each call of the rule has its step.
    fn check_step(&mut self, place: &[String], rule: &ErrorRule) {
        let Some(step) = rule.step else { return };
        let place = key(place, "step");
        let named = slice(rule.call.as_ref());
        for name in named {
            let count = self.requests_of(name);
            if !(1..=count).contains(&step) {
                self.report(&place, format!("`{name}` has no step {step}: its last one is {count}"));
            }
        }
        let has_step = |count: usize| (1..=count).contains(&step);
        if named.is_empty() && !self.definition.calls.iter().any(|(_, name, _)| has_step(self.requests_of(name))) {
            self.report(&place, format!("no call has a step {step}"));
        }
    }

    /// Checks that requests of this name are sent.
    pub(super) fn check_call_name(&mut self, place: &[String], name: &str) {
        let is_known = self.definition.calls.iter().any(|(_, own, _)| own == name)
            || place.first().is_some_and(|table| table == "errors") && OTHERS.contains(&name);
        if !is_known {
            self.report(place, format!("there is no call `{name}`"));
        } else if self.requests_of(name) == 0 {
            self.report(place, format!("no request is sent for `{name}`: remove it here"));
        }
    }

    /// Returns the number of requests of a call, or of another name of a rule.
    fn requests_of(&self, name: &str) -> usize {
        let definition = self.definition;
        let logs_in =
            |auth: &Auth| matches!(auth, Auth::Login { .. } | Auth::ClientCredentials { .. } | Auth::JwtBearer { .. });
        match name {
            "auth" => usize::from(definition.auth.values().any(logs_in)),
            "doctor" => usize::from(!definition.doctor.is_empty()),
            "end_session" => definition.federation.iter().filter(|federation| federation.end_session.is_some()).count(),
            _ => {
                let call = definition.calls.iter().find(|(_, own, _)| *own == name);
                let call = call.map(|(.., call)| call).filter(|call| call.unsupported.is_none());
                call.map_or(0, |call| call.request.iter().len() + call.steps.len() + call.if_absent.iter().len())
            }
        }
    }
}

/// The names of rules beside those of calls.
const OTHERS: [&str; 3] = ["auth", "doctor", "end_session"];

impl ErrorRule {
    /// Returns whether the rule applies to each answer that another one applies to.
    fn covers(&self, other: &Self) -> bool {
        covers(self.call.as_ref(), other.call.as_ref())
            && (self.step.is_none() || self.step == other.step)
            && covers(self.status.as_ref(), other.status.as_ref())
            && self.when.iter().all(|condition| other.when.contains(condition))
            && (self.text.is_none() || self.text == other.text)
            && (!self.empty_body || other.empty_body)
    }
}

fn covers<T: PartialEq>(values: Option<&OneOrMany<T>>, others: Option<&OneOrMany<T>>) -> bool {
    values.is_none() || others.is_some() && slice(others).iter().all(|other| slice(values).contains(other))
}

fn is_empty<T>(values: Option<&OneOrMany<T>>) -> bool {
    values.is_some_and(|values| values.as_slice().is_empty())
}

fn slice<T>(values: Option<&OneOrMany<T>>) -> &[T] {
    values.map_or(&[], OneOrMany::as_slice)
}
