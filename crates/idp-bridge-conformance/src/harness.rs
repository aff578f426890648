//! What the suite needs from whoever runs it: an environment, and nothing about how that environment works.

use std::sync::Arc;

use idp_bridge_core::{CallKind, Capabilities, CustomerId, Email, IdentityProvider, UserId, async_trait};

use crate::{FederationHarness, Flaw};

/// The result of staging something; any error will do, a text too.
///
/// An error fails the case that asked. What cannot be staged at all is declared by [`Harness::not_applicable`].
pub type Staged<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// An environment of one connector: an identity provider, real or fake, and providers in front of it.
///
/// The cases of the suite share the environment and run at the same time.
/// They never assume that it is empty: each makes its own users, with values that no other case and no other run has.
/// Every method may be called often and concurrently.
///
/// A method with a default body belongs to a [`Need`]; implement it, or declare the need as not applicable.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// What is tested, such as `keycloak (fake)`: the title of the report.
    fn name(&self) -> &str;

    /// What the connector declares: [`Connector::capabilities`](idp_bridge_core::Connector::capabilities).
    fn connector_capabilities(&self) -> Capabilities;

    /// Why the environment cannot stage this, in a sentence that a reader of the support matrix understands.
    ///
    /// The cases that need it are reported as not applicable, with the reason.
    /// Declare only what this identity provider can never do: everything that is not declared is tested.
    /// A reason that begins with `not written yet` fails a case of its own, which says what is left.
    fn not_applicable(&self, need: Need) -> Option<String> {
        let _ = need;
        None
    }

    /// Makes a provider with right settings, as [`Connector::build`](idp_bridge_core::Connector::build) does:
    /// a new one each time, that has asked the identity provider nothing yet.
    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>>;

    /// Makes a user at the identity provider itself, not through the connector, and answers its id.
    ///
    /// The user has exactly these properties, and has never logged in.
    /// Ids are far apart: one with a letter or a digit changed is nobody's.
    async fn create(&self, user: NewUser) -> Staged<UserId>;

    /// Ids that would reach something else than a user at this identity provider, such as Keycloak's `count`.
    ///
    /// A provider answers `NotFound` or `InvalidInput` for them without a request.
    fn reserved_ids(&self) -> Vec<UserId> {
        Vec::new()
    }

    /// Whether a user with this id, of whatever kind, is at the identity provider. See [`Need::ServiceAccount`].
    async fn exists(&self, id: &UserId) -> Staged<bool> {
        let _ = id;
        Err("the harness cannot look for a user, and does not declare `Need::ServiceAccount` as not applicable".into())
    }

    /// Changes the user's address at the identity provider itself, and nothing else. See [`Need::ChangeEmail`].
    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        let _ = (id, email);
        Err("the harness cannot change an address, and does not declare `Need::ChangeEmail` as not applicable".into())
    }

    /// Logs the user in as a person would, and answers whether the identity provider let them in. See [`Need::Login`].
    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        let _ = (email, password);
        Err("the harness cannot log in, and does not declare `Need::Login` as not applicable".into())
    }

    /// Writes this value, with the user's own login, everywhere that users may write about themselves, and under the name of
    /// the customer attribute where a name can be chosen; what the identity provider refuses stays as it is. See [`Need::SelfEdit`].
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> Staged<()> {
        let _ = (email, password, value);
        Err("the harness cannot let users edit themselves, and does not declare `Need::SelfEdit` as not applicable"
            .into())
    }

    /// How many mails were sent to this address by calls that have ended; where mails are delivered later, the harness waits
    /// for them. See [`Need::Mails`].
    async fn mails(&self, email: &Email) -> Staged<usize> {
        let _ = email;
        Err("the harness cannot count mails, and does not declare `Need::Mails` as not applicable".into())
    }

    /// Makes a provider whose settings or rights are wrong in one way. See [`Need::Control`].
    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let _ = control;
        Err("the harness cannot break a provider, and does not declare `Need::Control` as not applicable".into())
    }

    /// Where the identity provider listens, real or fake: an `http` URL without a trailing slash, with a path if it has one.
    ///
    /// The suite puts its own fault proxy in front of it. See [`Need::Upstream`].
    async fn upstream(&self) -> Staged<String> {
        Err("the harness names no upstream, and does not declare `Need::Upstream` as not applicable".into())
    }

    /// Like [`provider`](Self::provider), with all requests sent to this base URL instead of [`upstream`](Self::upstream).
    ///
    /// Path, query, headers and bodies are the same; the proxy forwards them with the upstream's `host`.
    /// Where a signature covers the host, use the base URL as the provider's HTTP proxy instead.
    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let _ = base_url;
        Err("the harness cannot move a provider, and does not declare `Need::Upstream` as not applicable".into())
    }

    /// The second origin of an identity provider that has two. See [`Need::SecondOrigin`].
    async fn second_origin(&self) -> Staged<SecondOrigin> {
        Err("the harness names no second origin, and does not declare `Need::SecondOrigin` as not applicable".into())
    }

    /// Like [`provider_at`](Self::provider_at), with the requests for the second origin sent to the base URL `second`.
    async fn provider_at_two(&self, first: &str, second: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let _ = (first, second);
        Err("the harness cannot move a provider, and does not declare `Need::SecondOrigin` as not applicable".into())
    }

    /// The OAuth side; none if the connector has none.
    fn federation(&self) -> Option<&dyn FederationHarness> {
        None
    }
}

/// A second origin of an identity provider, such as a public API beside the one for administrators.
#[derive(Debug, Clone)]
pub struct SecondOrigin {
    /// Where it listens, as [`Harness::upstream`] does.
    pub url: String,
    /// What the bridge may send to the first origin only; the suite adds the `authorization` headers that it sees there.
    pub credentials: Vec<String>,
}

/// A user to make at the identity provider.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewUser {
    /// The address in force; none only where [`Need::NoEmail`] applies.
    pub email: Option<Email>,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// Whether the user is kept from logging in.
    pub blocked: bool,
    /// The values of the customer attribute: one, or none ([`Need::NoCustomer`]), or more ([`Need::SeveralCustomers`]).
    pub customers: Vec<CustomerId>,
    /// What the user is.
    pub kind: UserKind,
    /// A password that works at once; none if the case does not care.
    pub password: Option<String>,
    /// Another address that the user has and that is not in force, and whether it is proven; only where
    /// [`Need::SecondEmail`] applies.
    pub second_email: Option<(Email, bool)>,
}

impl NewUser {
    /// A person with this address, not proven, not blocked, without customer and password.
    pub fn person(email: Email) -> Self {
        Self {
            email: Some(email),
            email_verified: false,
            blocked: false,
            customers: Vec::new(),
            kind: UserKind::Person,
            password: None,
            second_email: None,
        }
    }
}

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// Someone who logs in.
    Person,
    /// What the identity provider keeps among its users but is no person; asked for only where [`Need::ServiceAccount`] applies.
    ServiceAccount,
}

/// Something that a case needs and that not every environment can stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// A user without an address.
    NoEmail,
    /// A user without a customer.
    NoCustomer,
    /// A user with several customer values.
    SeveralCustomers,
    /// Two users of one customer.
    SharedCustomer,
    /// Two users with one address.
    SharedEmail,
    /// Customers with spaces, quotes, colons, wildcards and letters beyond ASCII.
    UnusualCustomer,
    /// A blocked user.
    BlockedUser,
    /// [`UserKind::ServiceAccount`], and [`Harness::exists`].
    ServiceAccount,
    /// [`Harness::change_email`].
    ChangeEmail,
    /// A password in [`NewUser`], and [`Harness::log_in`].
    Login,
    /// [`Harness::mails`].
    Mails,
    /// The identity provider fails to send mails to addresses that begin with `undeliverable`
    /// (a fake answers as its original does then; the mail sink of a real one refuses such recipients).
    UndeliverableMail,
    /// The identity provider answers this order of a mail, to an address that begins with `unaccepted`, with a success that says
    /// that no mail will be sent.
    UnacceptedMail(CallKind),
    /// [`NewUser::second_email`].
    SecondEmail,
    /// [`Harness::edit_self`].
    SelfEdit,
    /// [`Harness::upstream`] and [`Harness::provider_at`].
    Upstream,
    /// [`Harness::second_origin`] and [`Harness::provider_at_two`].
    SecondOrigin,
    /// [`Harness::provider_broken`] with this control.
    Control(Control),
    /// That this control breaks this call; declare it where the call needs no right, and say so.
    ControlOf(Control, CallKind),
    /// [`Tokens::access`](crate::Tokens::access) is a signed JWT.
    SignedToken,
    /// [`Tokens::id`](crate::Tokens::id).
    IdToken,
    /// [`Tokens::refresh`](crate::Tokens::refresh).
    RefreshToken,
    /// [`SignIn::offline`](crate::SignIn::offline).
    OfflineLogin,
    /// [`SignIn::expired`](crate::SignIn::expired).
    ExpiredLogin,
    /// [`SignIn::foreign_client`](crate::SignIn::foreign_client).
    ForeignClient,
    /// The identity provider refuses to end the refresh token of another client than the one that asks.
    ForeignRefreshToken,
    /// Logout tokens have the type `logout+jwt`, so that one of another type is none.
    TypedLogoutToken,
    /// [`SignIn::customer_claim`](crate::SignIn::customer_claim).
    ClaimValue,
    /// [`FederationHarness::flawed`] with this flaw.
    Flawed(Flaw),
    /// [`FederationHarness::sign`].
    Signing,
    /// [`FederationHarness::end_login`].
    EndLogin,
    /// [`FederationHarness::block`].
    BlockedLogin,
    /// [`FederationHarness::delete`].
    DeletedLogin,
    /// [`FederationHarness::provider_with_wrong_client_secret`].
    WrongClientSecret,
    /// [`FederationHarness::provider_without`].
    FederationOff,
}

/// A way in which a provider's settings or rights are wrong: a negative control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// The bridge's own credential is wrong: every call is `Unauthenticated`.
    WrongSecret,
    /// The realm, pool, domain or project does not exist: every call is `Misconfigured`, or `Unauthenticated` where the
    /// identity provider checks the credential first.
    WrongRealm,
    /// The credential is right and has no rights at all: every call is `PermissionDenied`.
    MissingRole,
    /// The credential has the right that makes the identity provider answer searches with empty lists instead of a refusal
    /// (Keycloak's `query-users`): every call is still `PermissionDenied`.
    NarrowRole,
    /// The credential may read and not write: reads work, writes are `PermissionDenied`.
    ReadOnlyRole,
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::WrongSecret, Self::WrongRealm, Self::MissingRole, Self::NarrowRole, Self::ReadOnlyRole];
}
