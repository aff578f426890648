//! The conversion of unsuccessful answers by the rules of the definition.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{Error, ErrorKind, Result};
use idp_bridge_http::{HeaderName, Response, status_error};
use serde_json::{Map, Value};

use crate::definition::{Definition, ErrorRule};
use crate::request::header_name;
use crate::select::Check;
use crate::settings::Settings;

/// The call and step of a request, by which rules are chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The key of the call's table, or `auth`.
    pub(crate) call: &'static str,
    /// The number of the step, from 1.
    pub(crate) step: usize,
}

impl Place {
    /// Logins and token requests.
    pub(crate) const AUTH: Self = Self { call: "auth", step: 1 };
}

/// The rules of a definition, which all of its tenants share, with one tenant's settings. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    definition: Arc<Definition>,
    settings: Arc<Settings>,
    retry_after: Option<HeaderName>,
    answer_header: Option<HeaderName>,
}

impl Rules {
    pub(crate) fn new(definition: &Arc<Definition>, settings: &Arc<Settings>) -> Result<Self> {
        let header = |name: &Option<String>| name.as_deref().map(header_name).transpose();
        Ok(Self {
            definition: Arc::clone(definition),
            settings: Arc::clone(settings),
            retry_after: header(&definition.product.retry_after_header)?,
            answer_header: header(&definition.product.answer_header)?,
        })
    }

    /// Returns whether the response has the header that marks the product's responses.
    pub(crate) fn has_answer_header(&self, response: &Response) -> bool {
        self.answer_header.as_ref().is_none_or(|name| response.header(name).is_some())
    }

    /// Returns whether the answer meets all conditions, in a call about a user with this address.
    pub(crate) fn meets(&self, conditions: &[Check], answer: &Value, own_email: Option<&str>) -> bool {
        conditions.iter().all(|condition| condition.holds(answer, &self.settings, own_email))
    }

    /// Returns the response if its status is a success, otherwise the error that it means.
    pub(crate) fn check(&self, response: Response, place: Place, success: &[u16]) -> Result<Response> {
        let status = response.status.as_u16();
        let is_success = if success.is_empty() { response.status.is_success() } else { success.contains(&status) };
        if is_success {
            return Ok(response);
        }
        Err(self.error(&response, place))
    }

    /// Returns the error of an unsuccessful response.
    pub(crate) fn error(&self, response: &Response, place: Place) -> Error {
        let answer: Option<Value> = serde_json::from_slice(&response.body).ok();
        let status = response.status.as_u16();
        let error = match self.find(response, answer.as_ref(), place) {
            Some(rule) => explain(rule),
            // A refusal that the definition does not list is never a missing user or a refused credential.
            None if (400..500).contains(&status) && answer.is_none() => return response.foreign_refusal(),
            None => status_error(status),
        };
        let wait = response.retry_after().or_else(|| self.own_retry_after(response));
        error.with("status", status.to_string()).with("call", place.call).with_retry_after(wait)
    }

    /// Returns the error of a success without the product's header, or that does not meet `require`: that of a rule, otherwise
    /// an outage.
    pub(crate) fn unproved(&self, response: &Response, answer: &Value, place: Place) -> Error {
        let error = match self.find(response, Some(answer), place) {
            Some(rule) => explain(rule),
            // An empty object is not a response of the product.
            None if answer.as_object().is_none_or(Map::is_empty) => status_error(response.status.as_u16()),
            None if !self.has_answer_header(response) => Error::upstream(
                ErrorKind::Unavailable,
                "the response lacks the product's header (`answer_header` of the definition)",
            ),
            None => Error::upstream(ErrorKind::Unavailable, "the response does not meet `require` of the definition"),
        };
        error.with("call", place.call)
    }

    /// Returns the first rule that applies.
    fn find(&self, response: &Response, answer: Option<&Value>, place: Place) -> Option<&ErrorRule> {
        self.definition.errors.iter().find(|rule| self.applies(rule, response, answer, place))
    }

    fn applies(&self, rule: &ErrorRule, response: &Response, answer: Option<&Value>, place: Place) -> bool {
        let status = response.status.as_u16();
        rule.call.as_ref().is_none_or(|calls| calls.as_slice().iter().any(|call| call == place.call))
            && rule.step.is_none_or(|step| step == place.step)
            && rule.status.as_ref().is_none_or(|statuses| statuses.as_slice().contains(&status))
            && (rule.when.is_empty() || answer.is_some_and(|answer| self.meets(&rule.when, answer, None)))
            && rule.text.as_ref().is_none_or(|part| response.text().is_some_and(|text| text.contains(part.as_str())))
            && (!rule.empty_body || response.body.is_empty())
    }

    fn own_retry_after(&self, response: &Response) -> Option<Duration> {
        let seconds = response.header(self.retry_after.as_ref()?)?.trim().parse::<u32>().ok()?;
        Some(Duration::from_secs(seconds.into()))
    }
}

fn explain(rule: &ErrorRule) -> Error {
    let kind = ErrorKind::from(rule.kind);
    let error = match kind {
        ErrorKind::NotFound => Error::no_such_user(),
        _ => Error::upstream(kind, rule.message.clone()),
    };
    match &rule.hint {
        Some(hint) => error.with_hint(hint.clone()),
        None => error,
    }
}
