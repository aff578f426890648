//! The Keycloak connector of idp-bridge.
