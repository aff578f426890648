//! The raw HTTP client, for requests that a regular client would not send.

pub(crate) use idp_bridge_test_http::Answer as Reply;
pub(crate) use idp_bridge_test_http::*;
