//! Measures the parts of a call: verification, envelope, URL, search filters, and the conversion of users.

#![expect(clippy::unwrap_used, reason = "for measurements only")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue};
use idp_bridge_connector_http::fuzzing::fill;
use idp_bridge_connector_ldap::fuzzing::{equality_filter, parse_filter};
use idp_bridge_core::{CustomerId, Email, OutboundPolicy, SearchKey, UserId};
use idp_bridge_http::BaseUrl;
use idp_bridge_protocol::signature::{self, sign};
use idp_bridge_protocol::{Envelope, KeyRing, SigningKey, VerifyingKey};

/// The time at which calls are signed and verified, in seconds since 1970.
const NOW: i64 = 1_800_000_000;
/// The size of a signed body.
const BODY: usize = 1024;
const ID: &str = "43180368-bb2a-4a4a-b8b7-bee14c82bb42";
const ATTRIBUTE: &str = "customer_id";
/// A user as Keycloak 26.7.3 returned it.
const USER: &[u8] = br#"{"id":"43180368-bb2a-4a4a-b8b7-bee14c82bb42","username":"ada","firstName":"Ada","lastName":"Example","email":"ada@acme.example","emailVerified":true,"attributes":{"customer_id":["c-1"]},"enabled":true,"createdTimestamp":1795562773040,"totp":false,"disableableCredentialTypes":[],"requiredActions":[],"notBefore":0,"access":{"manageGroupMembership":true,"view":true,"mapRoles":true,"impersonate":false,"manage":true}}"#;

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    let keys = [("v1", SigningKey::from_shared([7; 32])), ("v1a", SigningKey::from_seed([7; 32]).unwrap())];
    for (scheme, key) in keys {
        let ring = KeyRing::new(vec![VerifyingKey::parse(key.to_verifying_text().expose()).unwrap()]).unwrap();
        let body = vec![b'x'; BODY];
        let mut headers = HeaderMap::new();
        headers.insert(signature::ID, HeaderValue::from_static("msg_1"));
        headers.insert(signature::TIMESTAMP, HeaderValue::from(NOW));
        headers.insert(signature::SIGNATURE, HeaderValue::try_from(sign(&[key], "msg_1", NOW, &body)).unwrap());
        group.bench_function(scheme, |bencher| {
            bencher.iter(|| ring.verify(black_box(&headers), black_box(&body), NOW).unwrap());
        });
    }
    group.finish();
}

fn envelope(criterion: &mut Criterion) {
    let body = format!(
        r#"{{"type":"users.get_by_id","timestamp":"2026-11-29T00:00:00Z","tenant":"acme","data":{{"id":"{ID}"}}}}"#
    );
    criterion.bench_function("envelope", |bencher| {
        bencher.iter(|| Envelope::parse(black_box(body.as_bytes())).unwrap());
    });
}

fn user(criterion: &mut Criterion) {
    criterion.bench_function("user/keycloak", |bencher| {
        bencher.iter(|| idp_bridge_connector_keycloak::fuzzing::convert_user(black_box(USER), ATTRIBUTE).unwrap());
    });
}

/// Measures what writes a value of a call into a request. The values have characters that need quoting.
fn quoting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("quoting");
    let base = BaseUrl::parse("https://idp.example/admin/realms/acme/users", &OutboundPolicy::default()).unwrap();
    let (id, email) = (UserId::new("auth0|4a4a/é").unwrap(), Email::new("ada+\"x\"@acme.example").unwrap());
    let customer = CustomerId::new(r#"c-1 "(*)\ é"#).unwrap();
    let key = SearchKey::Customer(&customer);
    group.bench_function("id in a URL", |bencher| bencher.iter(|| base.join(black_box(&[id.as_str()])).unwrap()));
    group.bench_function("q of Keycloak", |bencher| {
        bencher.iter(|| idp_bridge_connector_keycloak::fuzzing::search_query(black_box(key), ATTRIBUTE).unwrap());
    });
    group.bench_function("Lucene of Auth0", |bencher| {
        bencher.iter(|| idp_bridge_connector_auth0::fuzzing::search_query(black_box(key), ATTRIBUTE));
    });
    group.bench_function("three filters of Cognito", |bencher| {
        let attribute = (ATTRIBUTE, &customer);
        bencher.iter(|| idp_bridge_connector_cognito::fuzzing::filters(black_box(&id), &email, attribute));
    });
    group.bench_function("filter of LDAP", |bencher| {
        bencher.iter(|| equality_filter(ATTRIBUTE, black_box(customer.as_str().as_bytes())));
    });
    group.bench_function("RFC 4515 of a definition", |bencher| {
        bencher.iter(|| fill(black_box("(customer={customer|ldap})"), key).unwrap());
    });
    let written = fill("(customer={customer|ldap})", key).unwrap();
    group.bench_function("RFC 4515, parsed", |bencher| bencher.iter(|| parse_filter(black_box(&written)).unwrap()));
    group.finish();
}

criterion_group!(parts, verify, envelope, user, quoting);
criterion_main!(parts);
