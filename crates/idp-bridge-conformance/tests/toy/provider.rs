//! The provider for the toy, correct except for its defect.

use http::Method;
use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Customer, Deleted, Email, Error, ErrorKind, Federation, Finding,
    IdentityProvider, Result, Support, UserId, UserKey, UserRecord, async_trait,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Defect;
use super::client::{Client, Request, invalid};
use super::oauth::Oauth;

/// A provider for the toy identity provider.
pub(super) struct Provider {
    pub(super) client: Client,
    /// The public API, which needs no token.
    pub(super) public: Client,
    pub(super) capabilities: Capabilities,
    pub(super) oauth: Option<Oauth>,
}

impl Provider {
    fn has(&self, defect: Defect) -> bool {
        self.client.has(defect)
    }

    fn path(&self, id: &UserId, rest: &str) -> Result<String> {
        if self.has(Defect::SendsRawPaths) {
            // Replaces characters that a URL cannot contain, and keeps metacharacters.
            let raw = id.as_str().replace(['\\', ' ', '"', '<', '>', '^', '`', '{', '|', '}'], "_");
            let raw: String = raw.chars().filter(char::is_ascii).collect();
            return Ok(format!("users/{}{rest}", raw.split('#').next().unwrap_or_default()));
        }
        if id.as_str() == "count" {
            return Err(not_found());
        }
        Ok(format!("users/{}{rest}", encoded(id.as_str())))
    }

    async fn by_id(&self, scope: &CallScope, id: &UserId) -> Result<UserRecord> {
        let reply = self.client.send_authorized(scope, Request::get(self.path(id, "")?)).await?;
        let user = reply
            .json()
            .or_else(|error| if self.has(Defect::SwallowsGarbage) { Ok(json!({"id": id})) } else { Err(error) })?;
        if user["id"].is_null() && self.has(Defect::ConvertsNullToNotFound) {
            return Err(not_found());
        }
        let record = self.record(&user)?;
        let same = record.id == *id || self.has(Defect::SendsRawPaths) || self.has(Defect::TrustsAnyResponse);
        match same {
            true => Ok(record),
            false if self.has(Defect::ConvertsAnotherUserToNotFound) => Err(not_found()),
            false => Err(Error::another_user()),
        }
    }

    async fn search(&self, scope: &CallScope, name: &str, value: &str) -> Result<UserRecord> {
        let everyone = self.has(Defect::MatchesSubstrings) || self.has(Defect::FoldsCase);
        let path = if everyone { "users".to_owned() } else { format!("users?{name}={}", encoded(value)) };
        let reply = self.client.send_authorized(scope, Request::get(path)).await?;
        let mut found = match reply.json() {
            Ok(Value::Array(found)) => found,
            _ if self.has(Defect::SwallowsGarbage) => Vec::new(),
            _ => return Err(invalid("the answer is no list")),
        };
        found.retain(|user| self.matches(user, name, value));
        let mut records = found.iter().map(|user| self.record(user)).filter(|record| !is_not_found(record));
        let Some(first) = records.next() else {
            // An empty list may also mean that the right to see anybody is missing.
            self.check_right_to_read(scope).await?;
            return Err(not_found());
        };
        let first = first?;
        if records.next().is_some() && !self.has(Defect::ReturnsTheFirstOfSeveral) {
            return Err(Error::upstream(ErrorKind::Ambiguous, "several users match"));
        }
        let several = name == "customer" && first.customer == Customer::Several;
        if several { Err(Error::upstream(ErrorKind::Ambiguous, "the user has several customers")) } else { Ok(first) }
    }

    fn matches(&self, user: &Value, name: &str, value: &str) -> bool {
        let customers = user["customers"].as_array().into_iter().flatten();
        let own = if name == "email" { vec![&user["email"]] } else { customers.collect() };
        own.into_iter().filter_map(Value::as_str).any(|own| match self.client.defect {
            Some(Defect::TrustsAnyResponse) => true,
            Some(Defect::FoldsCase) => own.to_lowercase() == value.to_lowercase(),
            Some(Defect::MatchesSubstrings) => own.to_lowercase().contains(&value.to_lowercase()),
            _ if name == "email" => own.eq_ignore_ascii_case(value),
            _ => own == value,
        })
    }

    async fn check_right_to_read(&self, scope: &CallScope) -> Result<()> {
        if self.has(Defect::ConvertsEmptyToNotFound) {
            return Ok(());
        }
        let rights = self.client.send_authorized(scope, Request::get("rights")).await?.json()?;
        if rights["reads"] == true {
            return Ok(());
        }
        Err(Error::upstream(ErrorKind::PermissionDenied, "the credential lacks a right"))
    }

    fn record(&self, user: &Value) -> Result<UserRecord> {
        let malformed = || invalid("the user is not well-formed");
        if user["service_account"] == true && !self.has(Defect::FindsServiceAccounts) {
            return Err(not_found());
        }
        if user["blocked"] == true && self.has(Defect::DropsBlockedUsers) {
            return Err(not_found());
        }
        let id = UserId::new(user["id"].as_str().ok_or_else(malformed)?).map_err(|_| malformed())?;
        let customers: Vec<&str> =
            user["customers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let customers =
            if self.has(Defect::PicksACustomer) { customers.into_iter().take(1).collect() } else { customers };
        let own = user["self_written"].as_str().filter(|_| self.has(Defect::ReadsUserWrittenCustomers));
        let customers = own.map_or(customers, |own| vec![own]);
        let time = |name: &str| user[name].as_str().and_then(|text| text.parse().ok());
        let mut record = UserRecord {
            customer: Customer::from_values(&customers),
            email: user["email"].as_str().and_then(|text| Email::new(text).ok()),
            create_time: time("created"),
            update_time: time(if self.has(Defect::NeverUpdatesTheUpdateTime) { "created" } else { "updated" }),
            login_time: time("last_login"),
            logins_count: user["logins"].as_i64(),
            email_verified: user["email_verified"].as_bool(),
            blocked: user["blocked"].as_bool(),
            ..UserRecord::new(id.clone())
        };
        if self.has(Defect::VerifiesAnyAddress) && user["second_email"][1] == true {
            record.email_verified = Some(true);
        }
        if self.has(Defect::InventsFields) {
            record.login_time = record.login_time.or(record.create_time);
            record.email = record.email.or_else(|| Email::new("unknown@example.com").ok());
            if record.customer == Customer::Absent {
                record.customer = Customer::from_values(&[id.as_str()]);
            }
        }
        Ok(record)
    }

    /// Sends a write, and checks its documented response.
    async fn write(&self, scope: &CallScope, method: Method, path: String, body: Value) -> Result<()> {
        if self.has(Defect::SkipsWrites) {
            return Ok(());
        }
        let reply =
            self.client.send_authorized(scope, Request { method, path, body: body.to_string().into_bytes() }).await?;
        let accepted = self.has(Defect::IgnoresUnacceptedMails) && reply.json().is_ok_and(|body| body.is_object());
        let done = reply.status == 204 || accepted || self.has(Defect::SwallowsGarbage);
        if done { Ok(()) } else { Err(invalid("the response to the write is unexpected")) }
    }

    async fn mark(&self, scope: &CallScope, id: &UserId, verified: bool) -> Result<()> {
        let wipe = json!({"email_verified": verified, "customers": []});
        let body = if self.has(Defect::MarksAndWipes) { wipe } else { json!({"email_verified": verified}) };
        self.write(scope, Method::PUT, self.path(id, "")?, body).await
    }

    async fn delete_by_prefix(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        // Not with a shorter prefix, which would match users of other cases.
        let everyone = self.client.send_authorized(scope, Request::get("users")).await?.json()?;
        let ids = everyone.as_array().into_iter().flatten().filter_map(|user| user["id"].as_str());
        for user in ids.filter(|user| id.as_str().len() > 15 && user.starts_with(id.as_str())) {
            self.write(scope, Method::DELETE, format!("users/{user}"), Value::Null).await?;
        }
        Ok(Deleted::Absent)
    }

    /// Checks at the public API that passwords can be reset.
    async fn check_public(&self, scope: &CallScope) -> Result<()> {
        let leaks = self.has(Defect::SendsTheTokenEverywhere);
        let token = if leaks { Some(self.client.token(scope).await?) } else { None };
        let reply = self.public.send(scope, Request::get("public"), token.as_deref()).await?;
        self.public.check(reply).map(drop)
    }

    /// Applies the defects of every call.
    fn check_blanket_defects(&self) -> Result<()> {
        assert!(!self.has(Defect::Panics), "this provider panics");
        if self.has(Defect::CallsEverythingUnexpected) {
            return Err(Error::ours(ErrorKind::Unexpected, "something went wrong"));
        }
        Ok(())
    }

    fn check_supported(&self, kind: CallKind) -> Result<()> {
        match self.capabilities.call(kind) {
            Support::Unsupported { reason } if !self.has(Defect::SendsUnsupportedCalls) => {
                Err(Error::unsupported(reason))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl IdentityProvider for Provider {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        self.check_blanket_defects()?;
        self.check_supported(match key {
            UserKey::Id(_) => CallKind::GetById,
            UserKey::Email(_) => CallKind::GetByEmail,
            UserKey::Customer(_) => CallKind::GetByCustomer,
        })?;
        if self.has(Defect::ReturnsAnyUser) {
            let everyone = self.client.send_authorized(scope, Request::get("users")).await?.json()?;
            return self.record(&everyone[0]);
        }
        match key {
            UserKey::Id(id) => self.by_id(scope, id).await,
            UserKey::Email(email) => self.search(scope, "email", email.as_str()).await,
            UserKey::Customer(customer) => self.search(scope, "customer", customer.as_str()).await,
        }
    }

    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        self.check_blanket_defects()?;
        self.check_supported(CallKind::Delete)?;
        if self.has(Defect::SkipsWrites) {
            return Ok(Deleted::Existed);
        }
        match self.by_id(scope, id).await {
            Err(error) if error.kind() == ErrorKind::NotFound && self.has(Defect::DeletesByPrefix) => {
                return self.delete_by_prefix(scope, id).await;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Deleted::Absent),
            other => other?,
        };
        self.write(scope, Method::DELETE, self.path(id, "")?, Value::Null).await?;
        Ok(Deleted::Existed)
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        self.check_blanket_defects()?;
        self.check_supported(CallKind::MarkEmailVerified)?;
        let expected = expected.filter(|_| !self.has(Defect::IgnoresTheExpectedAddress));
        let conflict = || Error::upstream(ErrorKind::Conflict, "the user has another address");
        let email = self.by_id(scope, id).await?.email.ok_or_else(no_address)?;
        if expected.is_some_and(|expected| !expected.matches(&email)) {
            return Err(conflict());
        }
        self.mark(scope, id, true).await?;
        let Some(expected) = expected.filter(|_| !self.has(Defect::ChecksOnlyBeforeTheWrite)) else { return Ok(()) };
        if self.by_id(scope, id).await?.email.is_some_and(|email| expected.matches(&email)) {
            return Ok(());
        }
        self.mark(scope, id, false).await?;
        Err(conflict())
    }

    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        self.check_blanket_defects()?;
        self.check_supported(CallKind::SendVerificationEmail)?;
        let user = self.by_id(scope, id).await?;
        user.email.ok_or_else(no_address)?;
        if user.email_verified == Some(true) && !self.has(Defect::MailsVerifiedUsers) {
            return Ok(());
        }
        if self.has(Defect::MailsTwice) {
            self.write(scope, Method::POST, self.path(id, "/verification")?, Value::Null).await?;
        }
        self.write(scope, Method::POST, self.path(id, "/verification")?, Value::Null).await
    }

    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        self.check_blanket_defects()?;
        self.check_supported(CallKind::SendPasswordResetEmail)?;
        let id = self.search(scope, "email", email.as_str()).await?.id;
        self.check_public(scope).await?;
        if self.has(Defect::SetsPasswordsAtOnce) {
            self.write(scope, Method::PUT, self.path(&id, "")?, json!({"password": "changeme"})).await?;
        }
        self.write(scope, Method::POST, self.path(&id, "/reset")?, Value::Null).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.oauth.as_ref().map(|oauth| oauth as &dyn Federation)
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        let all = if self.has(Defect::DiagnosisOmitsACall) { &CallKind::ALL[1..] } else { &CallKind::ALL[..] };
        if self.has(Defect::DiagnosisIsAlwaysFine) {
            return vec![Finding::ok("everything", all)];
        }
        if self.has(Defect::DiagnosisNeverEnds) {
            std::future::pending::<()>().await;
        }
        if self.has(Defect::DiagnosisSendsAMail) {
            let everyone = self.client.send_authorized(scope, Request::get("users")).await.unwrap().json().unwrap();
            for user in everyone.as_array().unwrap().iter().filter_map(|user| user["id"].as_str()) {
                let _ = self.send_verification_email(scope, &UserId::new(user).unwrap()).await;
            }
        }
        let fix = if self.has(Defect::DiagnosisHasNoFix) { "" } else { "give the bridge's client the role `full`" };
        match self.client.send_authorized(scope, Request::get("rights")).await.and_then(|reply| reply.json()) {
            Err(error) => vec![Finding::failed(error.to_string(), all, fix)],
            Ok(rights) => {
                let finding = |allowed: bool, check, calls: &[CallKind]| match allowed {
                    true => Finding::ok(check, calls),
                    false => Finding::failed(check, calls, fix),
                };
                let (reads, writes) = all.split_at(all.len() - 4);
                vec![
                    finding(rights["reads"] == true, "may read", reads),
                    finding(rights["writes"] == true, "may write", writes),
                ]
            }
        }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn not_found() -> Error {
    Error::upstream(ErrorKind::NotFound, "no such user")
}

fn no_address() -> Error {
    Error::upstream(ErrorKind::State, "the user has no address")
}

fn is_not_found(record: &Result<UserRecord>) -> bool {
    record.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
