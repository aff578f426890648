//! Tests of the directory against a store in memory.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::{Customer, CustomerId, Support};

/// A store in memory that logs the operations that reach it.
struct TestStore {
    capabilities: Capabilities,
    users: Mutex<Vec<StoredUser>>,
    log: Mutex<Vec<String>>,
    /// The id of the user that every read returns, as a faulty cache would.
    always_returns: Option<&'static str>,
    /// Returns ids instead of users from searches.
    searches_ids: bool,
    endless: bool,
    looks_up_persons: bool,
}

fn id(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

fn email(text: &str) -> Email {
    Email::new(text).unwrap()
}

fn user(name: &str, address: &str, customers: &[&str]) -> StoredUser {
    let mut record = UserRecord::new(id(name));
    record.email = Email::new(address).ok();
    record.email_verified = Some(false);
    record.blocked = Some(false);
    StoredUser::new(record, ()).with_customers(customers.iter().copied())
}

fn service_account(name: &str, address: &str) -> StoredUser {
    let mut account = user(name, address, &["c-1"]);
    account.is_person = false;
    account
}

fn directory(users: Vec<StoredUser>) -> Directory<TestStore> {
    Directory::new(TestStore {
        capabilities: Capabilities::all(),
        users: Mutex::new(users),
        log: Mutex::default(),
        always_returns: None,
        searches_ids: false,
        endless: false,
        looks_up_persons: false,
    })
}

fn scope() -> CallScope {
    CallScope::new("r-1", Duration::from_secs(5))
}

impl TestStore {
    fn log(&self, operation: impl Into<String>) {
        self.log.lock().unwrap().push(operation.into());
    }

    fn logged(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn stored(&self, id: &UserId) -> Option<StoredUser> {
        self.users.lock().unwrap().iter().find(|user| user.record.id == *id).cloned()
    }
}

impl MailTokens for TestStore {
    fn verify(&self, _: MailKind, _: &str) -> Result<crate::MailToken> {
        Err(Error::invalid_token("no token is valid"))
    }
}

#[async_trait]
impl UserStore for TestStore {
    type Detail = ();

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, _: &CallScope, wanted: &UserId) -> Result<Option<StoredUser>> {
        self.log(format!("read {}", wanted.as_str()));
        Ok(self.stored(&self.always_returns.map_or_else(|| wanted.clone(), id)))
    }

    async fn is_person(&self, _: &CallScope, user: &StoredUser) -> Result<bool> {
        if self.looks_up_persons {
            self.log(format!("look up {}", user.record.id.as_str()));
        }
        Ok(user.is_person)
    }

    async fn search(&self, _: &CallScope, _: SearchKey<'_>, cursor: Option<&str>) -> Result<Page<()>> {
        self.log("search");
        let place: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let users = self.users.lock().unwrap();
        let hits = users.get(place).cloned().into_iter();
        let hits = hits.map(|user| if self.searches_ids { Hit::Id(user.record.id) } else { Hit::User(user) }).collect();
        let next = (self.endless || place + 1 < users.len()).then(|| (place + 1).to_string());
        Ok(Page { hits, next })
    }

    async fn delete(&self, _: &CallScope, id: &UserId, user: Option<&StoredUser>) -> Result<Deleted> {
        assert!(user.is_some());
        self.log(format!("delete {}", id.as_str()));
        Ok(Deleted::Existed)
    }

    async fn set_email_verified(&self, _: &CallScope, user: &StoredUser, verified: bool) -> Result<Option<StoredUser>> {
        self.log(format!("set {verified}"));
        let mut users = self.users.lock().unwrap();
        let stored = users.iter_mut().find(|stored| stored.record.id == user.record.id).unwrap();
        stored.record.email_verified = Some(verified);
        Ok(None)
    }

    async fn send_mail(&self, _: &CallScope, mail: MailKind, user: &StoredUser) -> Result<()> {
        self.log(format!("{mail:?} {}", user.record.id.as_str()));
        Ok(())
    }

    async fn diagnose(&self, _: &CallScope) -> Vec<Finding> {
        Vec::new()
    }

    fn mail_tokens(&self) -> Option<&dyn MailTokens> {
        Some(self)
    }
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn undeclared_calls_do_not_reach_the_store() {
    let mut directory = directory(vec![user("u-1", "a@b.c", &["c-1"])]);
    directory.store.capabilities = Capabilities::none("read only");
    let (scope, u1, address, customer) = (scope(), id("u-1"), email("a@b.c"), CustomerId::new("c-1").unwrap());
    let unsupported = [
        kind(directory.get(&scope, UserKey::Id(&u1)).await),
        kind(directory.get(&scope, UserKey::Email(&address)).await),
        kind(directory.get(&scope, UserKey::Customer(&customer)).await),
        kind(directory.get_for_userinfo(&scope, &u1).await),
        kind(directory.delete(&scope, &u1).await),
        kind(directory.mark_email_verified(&scope, &u1, None).await),
        kind(directory.send_verification_email(&scope, &u1).await),
        kind(directory.send_password_reset_email(&scope, &address).await),
    ];
    assert_eq!(unsupported, [Some(ErrorKind::Unsupported); 8]);
    assert!(directory.store.logged().is_empty());
}

#[tokio::test]
async fn another_users_record_is_an_invalid_response() {
    let mut directory = directory(vec![user("u-1", "a@b.c", &[]), user("u-2", "d@e.f", &[])]);
    directory.store.always_returns = Some("u-2");
    let (scope, u1) = (scope(), id("u-1"));
    let kinds = [
        kind(directory.get(&scope, UserKey::Id(&u1)).await),
        kind(directory.delete(&scope, &u1).await),
        kind(directory.mark_email_verified(&scope, &u1, None).await),
        kind(directory.send_verification_email(&scope, &u1).await),
    ];
    assert_eq!(kinds, [Some(ErrorKind::InvalidResponse); 4]);
    assert_eq!(directory.store.logged(), ["read u-1"; 4]);
}

#[tokio::test]
async fn service_accounts_are_not_found_and_not_deleted() {
    let directory = directory(vec![service_account("s-1", "s@b.c"), user("u-1", "a@b.c", &["c-1"])]);
    let (scope, s1, customer) = (scope(), id("s-1"), CustomerId::new("c-1").unwrap());
    assert_eq!(kind(directory.get(&scope, UserKey::Id(&s1)).await), Some(ErrorKind::NotFound));
    assert_eq!(kind(directory.get(&scope, UserKey::Email(&email("s@b.c"))).await), Some(ErrorKind::NotFound));
    assert_eq!(directory.get(&scope, UserKey::Customer(&customer)).await.unwrap().id, id("u-1"));
    assert_eq!(directory.delete(&scope, &s1).await.unwrap(), Deleted::Absent);
    assert!(!directory.store.logged().contains(&"delete s-1".to_owned()));
}

#[tokio::test]
async fn only_matching_hits_are_looked_up_as_persons() {
    let mut directory = directory(vec![user("u-1", "other@b.c", &[]), service_account("u-2", "a@b.c")]);
    directory.store.looks_up_persons = true;
    assert_eq!(kind(directory.get(&scope(), UserKey::Email(&email("a@b.c"))).await), Some(ErrorKind::NotFound));
    assert_eq!(directory.store.logged(), ["search", "search", "look up u-2"]);
    assert_eq!(kind(directory.get(&scope(), UserKey::Id(&id("u-2"))).await), Some(ErrorKind::NotFound));
    assert_eq!(directory.store.logged(), ["read u-2", "look up u-2"]);
}

#[tokio::test]
async fn hits_with_another_value_are_dropped() {
    let users = vec![user("u-1", "ada@acme.example.org", &["C-1"]), user("u-2", "Ada@acme.example", &["c-1"])];
    let directory = directory(users);
    let (scope, address, customer) = (scope(), email("ada@ACME.example"), CustomerId::new("c-1").unwrap());
    assert_eq!(directory.get(&scope, UserKey::Email(&address)).await.unwrap().id, id("u-2"));
    assert_eq!(directory.get(&scope, UserKey::Customer(&customer)).await.unwrap().id, id("u-2"));
}

#[tokio::test]
async fn several_matches_are_ambiguous() {
    let directory =
        directory(vec![user("u-1", "a@b.c", &["c-1"]), user("u-2", "a@b.c", &["c-1"]), user("u-3", "x@b.c", &[])]);
    let (scope, address, customer) = (scope(), email("a@b.c"), CustomerId::new("c-1").unwrap());
    assert_eq!(kind(directory.get(&scope, UserKey::Email(&address)).await), Some(ErrorKind::Ambiguous));
    assert_eq!(directory.store.logged(), ["search"; 2], "the third page is not read");
    assert_eq!(kind(directory.get(&scope, UserKey::Customer(&customer)).await), Some(ErrorKind::Ambiguous));
    assert_eq!(kind(directory.send_password_reset_email(&scope, &address).await), Some(ErrorKind::Ambiguous));
}

#[tokio::test]
async fn a_user_of_several_customers_is_ambiguous() {
    let directory = directory(vec![user("u-1", "a@b.c", &["c-1", "c-2"])]);
    let (scope, other) = (scope(), CustomerId::new("c-3").unwrap());
    for name in ["c-1", "c-2"] {
        let customer = CustomerId::new(name).unwrap();
        assert_eq!(kind(directory.get(&scope, UserKey::Customer(&customer)).await), Some(ErrorKind::Ambiguous));
    }
    assert_eq!(kind(directory.get(&scope, UserKey::Customer(&other)).await), Some(ErrorKind::NotFound));
    assert_eq!(directory.get(&scope, UserKey::Id(&id("u-1"))).await.unwrap().customer, Customer::Several);
}

#[tokio::test]
async fn found_ids_are_read_and_compared() {
    let mut directory = directory(vec![user("u-1", "old@b.c", &[]), user("u-2", "a@b.c", &[])]);
    directory.store.searches_ids = true;
    assert_eq!(directory.get(&scope(), UserKey::Email(&email("a@b.c"))).await.unwrap().id, id("u-2"));
    assert_eq!(directory.store.logged(), ["search", "read u-1", "search", "read u-2"]);
}

#[tokio::test]
async fn stale_hits_are_read_again_and_compared() {
    let mut stale = user("u-1", "old@b.c", &[]);
    stale.is_stale = true;
    let directory = directory(vec![stale]);
    assert_eq!(directory.get(&scope(), UserKey::Email(&email("old@b.c"))).await.unwrap().id, id("u-1"));
    assert_eq!(directory.store.logged(), ["search", "read u-1"]);
}

#[tokio::test]
async fn only_writes_read_by_the_written_name() {
    let mut unnamed = user("u-1", "a@b.c", &["c-1"]);
    unnamed.reread_before_write = true;
    let mut directory = directory(vec![unnamed]);
    directory.store.searches_ids = true;
    let (scope, u1, address, customer) = (scope(), id("u-1"), email("a@b.c"), CustomerId::new("c-1").unwrap());
    directory.get(&scope, UserKey::Id(&u1)).await.unwrap();
    directory.get(&scope, UserKey::Customer(&customer)).await.unwrap();
    assert_eq!(directory.store.logged(), ["read u-1", "search", "read u-1"]);
    directory.delete(&scope, &u1).await.unwrap();
    assert_eq!(directory.store.logged(), ["read u-1", "read u-1", "delete u-1"]);
    directory.send_password_reset_email(&scope, &address).await.unwrap();
    assert_eq!(directory.store.logged(), ["search", "read u-1", "read u-1", "PasswordReset u-1"]);
}

#[tokio::test]
async fn pages_without_an_end_are_an_invalid_response() {
    let mut directory = directory(Vec::new());
    directory.store.endless = true;
    let found = directory.get(&scope(), UserKey::Email(&email("a@b.c"))).await;
    assert_eq!(kind(found), Some(ErrorKind::InvalidResponse));
    assert_eq!(directory.store.logged().len(), MAX_PAGES);
}

#[tokio::test]
async fn deletes_only_a_user_that_exists() {
    let directory = directory(vec![user("u-1", "none", &[])]);
    assert_eq!(directory.delete(&scope(), &id("u-1")).await.unwrap(), Deleted::Existed);
    assert_eq!(directory.store.logged(), ["read u-1", "delete u-1"]);
    assert_eq!(directory.delete(&scope(), &id("u-2")).await.unwrap(), Deleted::Absent);
    assert_eq!(directory.store.logged(), ["read u-2"]);
}

#[tokio::test]
async fn mails_go_to_users_who_can_get_them() {
    let mut blocked = user("u-2", "blocked@b.c", &[]);
    blocked.record.blocked = Some(true);
    let mut verified = user("u-3", "verified@b.c", &[]);
    verified.record.email_verified = Some(true);
    let mut both = user("u-6", "both@b.c", &[]);
    (both.record.blocked, both.record.email_verified) = (Some(true), Some(true));
    let directory = directory(vec![user("u-1", "a@b.c", &[]), blocked, verified, user("u-4", "none", &[]), both]);
    let scope = scope();
    let mut sent = Vec::new();
    for name in ["u-1", "u-2", "u-3", "u-4", "u-5", "u-6"] {
        sent.push(kind(directory.send_verification_email(&scope, &id(name)).await));
    }
    let (state, unknown) = (Some(ErrorKind::State), Some(ErrorKind::NotFound));
    assert_eq!(sent, [None, state, None, state, unknown, None]);
    assert_eq!(kind(directory.send_password_reset_email(&scope, &email("blocked@b.c")).await), state);
    assert_eq!(kind(directory.send_password_reset_email(&scope, &email("both@b.c")).await), state);
    assert_eq!(kind(directory.send_password_reset_email(&scope, &email("verified@b.c")).await), None);
    let mails: Vec<_> =
        directory.store.logged().into_iter().filter(|line| line.contains(" u-") && !line.starts_with("read")).collect();
    assert_eq!(mails, ["Verification u-1", "PasswordReset u-3"]);
}

#[tokio::test]
async fn a_declared_condition_does_not_stop_a_call() {
    let mut directory = directory(vec![user("u-1", "a@b.c", &[])]);
    directory.store.capabilities = Capabilities::all().with_call(CallKind::GetById, Support::conditional("some users"));
    assert!(directory.get(&scope(), UserKey::Id(&id("u-1"))).await.is_ok());
}

#[test]
fn mail_tokens_need_the_mark() {
    let mut users = directory(Vec::new());
    assert!(users.mail_tokens().is_some());
    let none = Support::unsupported("no flag");
    users.store.capabilities = Capabilities::all().with_call(CallKind::MarkEmailVerified, none);
    assert!(users.mail_tokens().is_none());
}
