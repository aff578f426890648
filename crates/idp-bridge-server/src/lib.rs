//! The server of idp-bridge: signed webhooks and REST in, identity providers out.
