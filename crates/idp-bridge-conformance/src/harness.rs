//! The harness that a connector implements for the suite.

use std::sync::Arc;

use idp_bridge_core::{CallKind, Capabilities, CustomerId, Email, IdentityProvider, UserId, async_trait};

use crate::{FederationHarness, Flaw};

/// The result of a harness method, with any error, such as a text.
///
/// An error fails the case. Declare a need that cannot be implemented with [`Harness::not_applicable`].
pub type TestResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A real or fake identity provider, and the providers of one connector for it.
///
/// The cases of the suite run concurrently against one harness, and call its methods often.
/// Each case creates its own users, with values that no other case and no other run uses.
///
/// A method with a default body belongs to a [`Need`]. Implement the method, or declare the need as not applicable.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Returns the title of the report, such as `keycloak (fake)`.
    fn name(&self) -> &str;

    /// Returns [`Connector::capabilities`](idp_bridge_core::Connector::capabilities) of the connector.
    fn connector_capabilities(&self) -> Capabilities;

    /// Returns the reason why a need cannot be implemented, as a sentence for readers of the support matrix.
    ///
    /// The cases with this need are reported as not applicable, with the reason.
    /// Declare only needs that this identity provider can never meet. All others are tested.
    /// A reason that begins with `not written yet` fails a case that lists these needs.
    fn not_applicable(&self, need: Need) -> Option<String> {
        let _ = need;
        None
    }

    /// Builds a new provider, without a request, as [`Connector::build`](idp_bridge_core::Connector::build) does.
    ///
    /// Return [`Setup::unsupported`] for a setup that the harness declares as not applicable.
    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>>;

    /// Creates a user at the identity provider, not through the connector, and returns its id.
    ///
    /// The user has exactly these properties, and has never logged in.
    /// An id with one letter or digit changed must not belong to another user.
    async fn create(&self, user: NewUser) -> TestResult<UserId>;

    /// Returns ids that address another resource than a user, such as Keycloak's `count`.
    ///
    /// For them a provider must return `NotFound` or `InvalidInput` without a request.
    fn reserved_ids(&self) -> Vec<UserId> {
        Vec::new()
    }

    /// Returns whether the identity provider has a user or a service account with this id. See [`Need::ServiceAccount`].
    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        let _ = id;
        Err(not_implemented("exists", "ServiceAccount"))
    }

    /// Changes only the user's address, at the identity provider. See [`Need::ChangeEmail`].
    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let _ = (id, email);
        Err(not_implemented("change_email", "ChangeEmail"))
    }

    /// Logs the user in with a password, and returns whether that succeeded. See [`Need::Login`].
    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        let _ = (email, password);
        Err(not_implemented("log_in", "Login"))
    }

    /// Logs the user in, and writes this value to every field that users can edit, and to the customer attribute if users can
    /// choose names. The identity provider may refuse a write. See [`Need::SelfEdit`].
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        let _ = (email, password, value);
        Err(not_implemented("edit_self", "SelfEdit"))
    }

    /// Returns the number of mails that finished calls sent to this address, and waits for their delivery.
    /// See [`Need::Mails`].
    async fn mails(&self, email: &Email) -> TestResult<usize> {
        let _ = email;
        Err(not_implemented("mails", "Mails"))
    }

    /// Returns the base URL of the identity provider: `http`, without a trailing slash, with its path.
    ///
    /// The suite starts its proxy in front of it. See [`Need::Upstream`].
    async fn upstream(&self) -> TestResult<String> {
        Err(not_implemented("upstream", "Upstream"))
    }

    /// Returns the second origin of the identity provider. See [`Need::SecondOrigin`].
    async fn second_origin(&self) -> TestResult<SecondOrigin> {
        Err(not_implemented("second_origin", "SecondOrigin"))
    }

    /// Returns the federation of the harness, if the connector has one.
    fn federation(&self) -> Option<&dyn FederationHarness> {
        None
    }
}

/// Returns the error of a method that a harness does not implement.
pub(crate) fn not_implemented(method: &str, need: &str) -> Box<dyn std::error::Error + Send + Sync> {
    format!("the harness does not implement `{method}`, and does not declare `Need::{need}` as not applicable").into()
}

/// The settings of a provider under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setup<'a> {
    /// Working settings.
    Working,
    /// One wrong setting or right. See [`Need::Control`].
    Broken(Control),
    /// All requests go to this base URL instead of [`Harness::upstream`]. See [`Need::Upstream`].
    ///
    /// The proxy forwards path, query, headers and bodies unchanged, with the upstream's `host`.
    /// If a signature covers the host, or with federation, use the base URL as the provider's HTTP proxy.
    At(&'a str),
    /// Requests go to the first base URL instead of [`Harness::upstream`], and to the second instead of
    /// [`Harness::second_origin`]. See [`Need::SecondOrigin`].
    AtTwo(&'a str, &'a str),
    /// A wrong secret of the first client of federation. See [`Need::WrongClientSecret`].
    WrongClientSecret,
    /// Working settings without federation. See [`Need::FederationOff`].
    WithoutFederation,
}

impl Setup<'_> {
    /// Returns the error of a harness that does not support this setup.
    pub fn unsupported(self) -> Box<dyn std::error::Error + Send + Sync> {
        format!("the harness builds no provider for `{self:?}`, and does not declare the need as not applicable").into()
    }
}

/// A second origin of an identity provider, such as a public API beside an administrative one.
#[derive(Debug, Clone)]
pub struct SecondOrigin {
    /// The base URL, in the form of [`Harness::upstream`].
    pub url: String,
    /// Credentials for the first origin only. The suite adds those in its `authorization` headers.
    pub credentials: Vec<String>,
}

/// A user to create at the identity provider.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewUser {
    /// The current address. `None` requires [`Need::NoEmail`].
    pub email: Option<Email>,
    /// Whether the address is verified.
    pub email_verified: bool,
    /// Whether the user is blocked from logging in.
    pub blocked: bool,
    /// The values of the customer attribute: one, none ([`Need::NoCustomer`]) or several ([`Need::SeveralCustomers`]).
    pub customers: Vec<CustomerId>,
    /// A person or a service account.
    pub kind: UserKind,
    /// A permanent password.
    pub password: Option<String>,
    /// An address that is not in force, and whether it is verified. Requires [`Need::SecondEmail`].
    pub second_email: Option<(Email, bool)>,
}

impl NewUser {
    /// Creates a person with this unverified address, not blocked, without a customer and a password.
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

/// The kind of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// A person.
    Person,
    /// A service account among the users. Requires [`Need::ServiceAccount`].
    ServiceAccount,
}

/// A requirement of a case that not every harness can meet.
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
    /// The identity provider fails to send mails to addresses that begin with `undeliverable`. A fake returns the recorded
    /// response; the mail sink of a real one refuses such recipients.
    UndeliverableMail,
    /// For an address that begins with `unaccepted`, the identity provider answers this call with a success that says that no
    /// mail is sent.
    UnacceptedMail(CallKind),
    /// [`NewUser::second_email`].
    SecondEmail,
    /// [`Harness::edit_self`].
    SelfEdit,
    /// [`Harness::upstream`] and [`Setup::At`].
    Upstream,
    /// [`Harness::second_origin`] and [`Setup::AtTwo`].
    SecondOrigin,
    /// [`Setup::Broken`] with this control.
    Control(Control),
    /// This control breaks this call. Declare it as not applicable if the call needs no right.
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
    /// The identity provider refuses to revoke the refresh token of another client.
    ForeignRefreshToken,
    /// Logout tokens must have the type `logout+jwt`.
    TypedLogoutToken,
    /// [`SignIn::customer_claim`](crate::SignIn::customer_claim).
    ClaimValue,
    /// [`FederationHarness::issue_flawed`] with this flaw.
    Flawed(Flaw),
    /// [`FederationHarness::sign`].
    Signing,
    /// [`FederationHarness::end_login`].
    EndLogin,
    /// [`FederationHarness::block`].
    BlockedLogin,
    /// [`FederationHarness::delete`].
    DeletedLogin,
    /// [`Setup::WrongClientSecret`].
    WrongClientSecret,
    /// [`Setup::WithoutFederation`].
    FederationOff,
}

/// A negative control: a wrong setting or right of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// The bridge's own credential is wrong: every call is `Unauthenticated`.
    WrongSecret,
    /// The realm, pool, domain or project does not exist: every call is `Misconfigured`, or `Unauthenticated` if the identity
    /// provider checks the credential first.
    WrongRealm,
    /// The credential is valid and has no rights: every call is `PermissionDenied`.
    MissingRole,
    /// The credential has a right with which searches return empty lists instead of a refusal (Keycloak's `query-users`): every
    /// call is `PermissionDenied`.
    NarrowRole,
    /// The credential may only read: reads succeed, writes are `PermissionDenied`.
    ReadOnlyRole,
}

impl Control {
    /// All controls.
    pub const ALL: [Self; 5] =
        [Self::WrongSecret, Self::WrongRealm, Self::MissingRole, Self::NarrowRole, Self::ReadOnlyRole];
}
