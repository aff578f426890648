//! Tests of REST with static tokens. Those of the server have all rules.

use crate::fixture::Configured;
use crate::support::http::Request;

pub(crate) const READER: &str = "reader-0123456789abcdef0123456789abcdef";
const WRITER: &str = "writer-0123456789abcdef0123456789abcdef";

pub(crate) fn sha256(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn configured_tokens_have_their_scopes() {
    let token = |name: &str, text: &str, scope: &str| {
        format!("{{ name = \"{name}\", sha256 = \"{}\", scopes = [\"users.{scope}\"] }}", sha256(text))
    };
    let tokens = [token("reader", READER, "read"), token("writer", WRITER, "write")].join(", ");
    let bridge = Configured::with_tenant_keys(&format!("rest.tokens = [{tokens}]")).serve();
    let off = Configured::with_tenant_keys("").serve();
    for (address, method, token, status) in [
        (bridge.address(), "GET", READER, 200),
        (bridge.address(), "DELETE", READER, 403),
        (bridge.address(), "GET", WRITER, 403),
        (bridge.address(), "DELETE", WRITER, 200),
        (bridge.address(), "GET", "wrong", 401),
        (off.address(), "GET", READER, 401),
    ] {
        let request = Request::new(method, "/v1/tenants/acme/users/u-1");
        let reply = request.header("authorization", format!("Bearer {token}")).send(address);
        assert_eq!(reply.status, status, "{method} with {token}");
    }
}
