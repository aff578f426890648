//! The wire of idp-bridge: envelope, signatures and problems, shared by server and client.
