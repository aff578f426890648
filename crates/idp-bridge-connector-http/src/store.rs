//! The user store: the calls of the definition.

use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Deleted, Error, ErrorKind, Federation, Finding, Hit, MailKind, Page, Result,
    SearchKey, StoredUser, UserId, UserStore, async_trait, if_found, uuid,
};
use serde_json::Value;

use crate::api::Kind;
use crate::definition::{IdForm, IdRule, Next};
use crate::provider::{BoundCall, Http};
use crate::refusal::Place;
use crate::select::as_text;
use crate::values::{Detail, Values};

#[async_trait]
impl UserStore for Http {
    type Detail = Detail;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser<Detail>>> {
        if !self.definition.id.allows(id.as_str()) {
            return Ok(None);
        }
        let call = self.call(CallKind::GetById)?;
        let Some(answer) = if_found(self.look_up(scope, call, &Values::for_id(id)).await)? else {
            return self.check_absence(scope, call).await.map(|()| None);
        };
        let users: Vec<_> =
            call.users(&answer)?.into_iter().map(|user| self.map.convert(user)).collect::<Result<_>>()?;
        if users.is_empty() {
            self.check_absence(scope, call).await?;
        }
        // Of several users the one with the id; the directory refuses another one.
        let position = users.iter().position(|user| user.record.id == *id).unwrap_or_default();
        Ok(users.into_iter().nth(position))
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, cursor: Option<&str>) -> Result<Page<Detail>> {
        let call = self.call(match key {
            SearchKey::Email(_) => CallKind::GetByEmail,
            SearchKey::Customer(_) => CallKind::GetByCustomer,
        })?;
        call.check_value(key)?;
        let first = call.next.as_ref().and_then(Next::first);
        let is_first = cursor.is_none();
        let cursor = cursor.or(first.as_deref());
        let found = if_found(self.look_up(scope, call, &Values::for_search(key, cursor)).await)?;
        let users = found.as_ref().map(|answer| call.users(answer)).transpose()?.unwrap_or_default();
        if is_first && users.is_empty() {
            self.check_absence(scope, call).await?;
        }
        let Some(answer) = &found else { return Ok(Page { hits: Vec::new(), next: None }) };
        let next = call.next.as_ref().and_then(|next| next.after(answer, users.len(), cursor));
        let hits = users
            .into_iter()
            .map(|user| self.map.convert(user))
            .map(|user| user.map(|user| if call.reread { Hit::Id(user.record.id) } else { Hit::User(user) }));
        Ok(Page { hits: hits.collect::<Result<_>>()?, next })
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, user: Option<&StoredUser<Detail>>) -> Result<Deleted> {
        if !self.definition.id.allows(id.as_str()) {
            return Ok(Deleted::Absent);
        }
        let call = self.call(CallKind::Delete)?;
        let values = user.map_or_else(|| Values::for_id(id), Values::for_user);
        let deleted = self.api.send_all(scope, call.name, &call.steps, values).await;
        Ok(if_found(deleted)?.map_or(Deleted::Absent, |_| Deleted::Existed))
    }

    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser<Detail>,
        verified: bool,
    ) -> Result<Option<StoredUser<Detail>>> {
        let call = self.call(CallKind::MarkEmailVerified)?;
        let steps = if verified { &call.steps } else { &call.undo };
        if steps.is_empty() {
            return Err(Error::upstream(
                ErrorKind::Conflict,
                "the product cannot clear the flag of a verified address",
            ));
        }
        let response = self.api.send_all(scope, call.name, steps, Values::for_user(user)).await?;
        if !call.has_user {
            return Ok(None);
        }
        let answer: Value = response.json()?;
        call.users(&answer)?.into_iter().next().map(|user| self.map.convert(user)).transpose()
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser<Detail>) -> Result<()> {
        let call = self.call(match mail {
            MailKind::Verification => CallKind::SendVerificationEmail,
            MailKind::PasswordReset => CallKind::SendPasswordResetEmail,
        })?;
        self.api.send_all(scope, call.name, &call.steps, Values::for_user(user)).await.map(drop)
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = crate::diagnose::run(self, scope).await;
        if let Some(federation) = &self.federation {
            findings.extend(federation.check_access(scope).await);
        }
        findings
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}

impl Http {
    pub(crate) fn call(&self, kind: CallKind) -> Result<&BoundCall> {
        self.calls.get(&kind).ok_or_else(|| Error::ours(ErrorKind::Unexpected, "the call is not declared"))
    }

    /// Fails if the user may be missing from the response for another reason, such as a missing right.
    async fn check_absence(&self, scope: &CallScope, call: &BoundCall) -> Result<()> {
        let Some(request) = &call.if_absent else { return Ok(()) };
        let place = Place { call: call.name, step: 2 };
        self.api.send(scope, place, Kind::Lookup, (request, &Values::default())).await.map(drop)
    }

    async fn look_up(&self, scope: &CallScope, call: &BoundCall, values: &Values<'_>) -> Result<Value> {
        let request = call.steps.first();
        let request = request.ok_or_else(|| Error::ours(ErrorKind::Unexpected, "a read has no request"))?;
        let place = Place { call: call.name, step: 1 };
        let response = self.api.send(scope, place, Kind::Lookup, (request, values)).await?;
        // The error of a response that is not JSON contains the place.
        let answer = call.needed.parse(&response.body).or_else(|_| response.json())?;
        if !call.absent.is_empty() && self.api.meets(&call.absent, &answer) {
            return Err(Error::no_such_user());
        }
        Ok(answer)
    }
}

impl BoundCall {
    /// Refuses a value that the search cannot express.
    fn check_value(&self, key: SearchKey<'_>) -> Result<()> {
        let value = match key {
            SearchKey::Email(email) => email.as_str(),
            SearchKey::Customer(customer) => customer.as_str(),
        };
        match self.cannot_contain.iter().find(|part| value.contains(part.as_str())) {
            None => Ok(()),
            Some(part) => Err(Error::ours(
                ErrorKind::InvalidInput,
                format!("the product cannot search for a value with `{part}`"),
            )),
        }
    }

    /// Returns the users of an answer: those of the list, or the only one.
    fn users<'a>(&self, answer: &'a Value) -> Result<Vec<&'a Value>> {
        let found = self.pointer.find(answer);
        match found {
            Some(Value::Array(users)) if self.has_list => Ok(users.iter().collect()),
            Some(user @ Value::Object(_)) if !self.has_list => Ok(vec![user]),
            _ => Err(Error::upstream(
                ErrorKind::InvalidResponse,
                "the answer has no users at the place that the definition names",
            )
            .with("call", self.name)
            .with("at", self.pointer.tokens().iter().map(|token| format!("/{token}")).collect::<String>())),
        }
    }
}

impl Next {
    /// Returns the cursor of the first page.
    fn first(&self) -> Option<String> {
        match self {
            Self::At(_) => None,
            Self::Page { first, .. } | Self::Offset { first, .. } => Some(first.to_string()),
        }
    }

    /// Returns the cursor of the page after this one.
    fn after(&self, answer: &Value, count: usize, cursor: Option<&str>) -> Option<String> {
        let number = || cursor.and_then(|cursor| cursor.parse::<u64>().ok());
        match self {
            Self::At(pointer) => answer.pointer(pointer).and_then(as_text).filter(|cursor| !cursor.is_empty()),
            Self::Page { size, .. } if count >= *size => Some((number()? + 1).to_string()),
            Self::Offset { size, .. } if count >= *size => Some((number()? + count as u64).to_string()),
            Self::Page { .. } | Self::Offset { .. } => None,
        }
    }
}

impl IdRule {
    /// Returns whether the product can have issued this id.
    pub(crate) fn allows(&self, id: &str) -> bool {
        let has_form = match self.form {
            IdForm::Uuid => uuid::is_canonical(id),
            IdForm::Decimal => id.bytes().all(|b| b.is_ascii_digit()) && (id == "0" || !id.starts_with('0')),
            IdForm::Alphanumeric => id.bytes().all(|b| b.is_ascii_alphanumeric()),
            IdForm::Token => {
                id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~:@|+".contains(&b)) && !matches!(id, "." | "..")
            }
            IdForm::Opaque => !matches!(id, "." | ".."),
        };
        has_form
            && !id.is_empty()
            && self.length.is_none_or(|length| id.len() == length)
            && !self.reserved.iter().any(|own| own.eq_ignore_ascii_case(id))
    }
}
