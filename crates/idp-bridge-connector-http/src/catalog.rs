//! The definitions that are built in.

use idp_bridge_core::{Error, Result};

/// The name and text of each definition.
const CATALOG: &[(&str, &str)] = &[
    ("authentik", include_str!("../catalog/authentik.toml")),
    ("better-auth", include_str!("../catalog/better-auth.toml")),
    ("entra", include_str!("../catalog/entra.toml")),
    ("firebase", include_str!("../catalog/firebase.toml")),
    ("fusionauth", include_str!("../catalog/fusionauth.toml")),
    ("kratos", include_str!("../catalog/kratos.toml")),
    ("okta", include_str!("../catalog/okta.toml")),
    ("parse-server", include_str!("../catalog/parse-server.toml")),
    ("pocketbase", include_str!("../catalog/pocketbase.toml")),
    ("scim2", include_str!("../catalog/scim2.toml")),
    ("supabase", include_str!("../catalog/supabase.toml")),
    ("zitadel", include_str!("../catalog/zitadel.toml")),
];

/// A definition to begin with, which [`Definition::parse`](crate::Definition::parse) accepts.
pub const SCAFFOLD: &str = include_str!("scaffold.toml");

/// Returns the names of all definitions.
pub fn names() -> impl Iterator<Item = &'static str> {
    CATALOG.iter().map(|(name, _)| *name)
}

/// Returns the text of a definition. Fails with `Misconfigured` if the catalog lacks this name.
pub fn find(name: &str) -> Result<&'static str> {
    CATALOG.iter().find(|(own, _)| *own == name).map(|(_, text)| *text).ok_or_else(|| {
        Error::misconfigured(format!("the catalog has no definition `{name}`"))
            .with_hint(format!("it has {}", names().collect::<Vec<_>>().join(", ")))
    })
}
