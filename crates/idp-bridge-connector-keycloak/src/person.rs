//! Distinguishes people from the users of clients, which Keycloak calls service accounts.
//!
//! The representation of a user does not contain the kind, and the name does not prove it: a person can be called
//! `service-account-x`, and an import can give a service account any name. A search with `search` omits service accounts, and one
//! with `username` does not; both need no other role than reading a user (seen on 26.7.3, November 2026).

use idp_bridge_core::{CallScope, Error, Result};

use crate::client::AdminApi;
use crate::map::KeycloakUser;

/// The maximum number of people that a search for a name returns.
const PAGE: usize = 100;

/// Returns whether the user is a person. Fails with `State` if Keycloak's answers prove neither.
pub(crate) async fn is_person(api: &AdminApi, scope: &CallScope, user: &KeycloakUser) -> Result<bool> {
    // Service accounts are stored in Keycloak's own database.
    if user.is_federated() {
        return Ok(true);
    }
    let unknown_kind =
        || Error::state("keycloak does not show whether this user is a person or the service account of a client");
    // Keycloak cannot search for a whole name with a space.
    let name = user.username.as_deref().filter(|name| !name.contains(char::is_whitespace)).ok_or_else(unknown_kind)?;
    let query = [("search", format!("\"{name}\"")), ("max", PAGE.to_string())];
    let people = api.users(scope, &query).await?;
    if people.iter().any(|person| person.id == user.id) {
        return Ok(true);
    }
    let named = api.users_named(scope, name).await?;
    // A full page may have cut the user off.
    let is_omitted = people.len() < PAGE && named.iter().any(|own| own.id == user.id);
    if is_omitted { Ok(false) } else { Err(unknown_kind()) }
}
