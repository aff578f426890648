//! Tells people from the users of clients, which Keycloak calls service accounts.
//!
//! The representation of a user does not say which of the two it is, and the name proves nothing: a person can be called
//! `service-account-x`, and an import can give a service account any name. A search with `search` leaves service accounts out, and one
//! with `username` does not; both need no other role than reading a user (seen on 26.7.3, November 2026).

use idp_bridge_core::{CallScope, Error, Result};

use crate::client::AdminApi;
use crate::map::KeycloakUser;

/// The most users that the search for a name may find. More of them leave open whether the user is among the rest.
pub(crate) const PAGE: usize = 100;

/// Whether the user is a person. Fails with `State` if Keycloak's answers do not prove either.
pub(crate) async fn is_person(api: &AdminApi, scope: &CallScope, user: &KeycloakUser) -> Result<bool> {
    // Service accounts are kept in Keycloak's own database.
    if user.is_federated() {
        return Ok(true);
    }
    let name = user.username().filter(|name| !name.contains(char::is_whitespace)).ok_or_else(in_doubt)?;
    let people = api.people_named(scope, name).await?;
    if people.iter().any(|person| person.is_same_as(user)) {
        return Ok(true);
    }
    let named = api.users_named(scope, name).await?;
    let is_left_out = people.len() < PAGE && named.iter().any(|own| own.is_same_as(user));
    if is_left_out { Ok(false) } else { Err(in_doubt()) }
}

fn in_doubt() -> Error {
    Error::state("keycloak does not show whether this user is a person or the service account of a client")
}
