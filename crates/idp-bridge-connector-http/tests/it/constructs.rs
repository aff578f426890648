//! Formats of fields, bodies and refusals that few definitions use.

use std::time::Duration;

use idp_bridge_core::{Customer, ErrorKind, IdentityProvider, Result, UserId, UserKey, UserRecord};
use idp_bridge_test_http::{Server, answer};

use crate::requests::{DEFINITION, provider_of, scope};

/// Replaces a part of the sample.
fn sample(good: &str, new: &str) -> String {
    assert!(DEFINITION.contains(good), "{good}");
    DEFINITION.replacen(good, new, 1)
}

/// Looks up a user at a server with this answer.
async fn get(definition: &str, status: u16, header: &'static str, body: String) -> Result<UserRecord> {
    let server = Server::start(move |_, _| answer(status, &[header], &body)).await;
    let provider = provider_of(definition, &server.base(), &server.base());
    provider.get(&scope(), UserKey::Id(&UserId::new("u-1").unwrap())).await
}

#[tokio::test]
async fn values_of_fields_are_converted() {
    let fields = r#"customer = { at = ["/customer", "/old/customer"] }
create_time = { value = "/c", format = "seconds" }
update_time = { value = "/u", format = "ticks" }
logins_count = "/n""#;
    let definition = sample("customer = \"/{field}\"", fields);
    for (body, expected) in [
        (r#""c":1764417600,"n":3,"customer":"new","old":{"customer":"old"}"#, "new 3 2025-11-29T12:00:00Z -"),
        (r#""c":"7","n":"3","customer":null,"old":{"customer":"old"}"#, "old 3 1970-01-01T00:00:07Z -"),
        (r#""c":-1,"n":1.5,"u":134088912001234567"#, "- - - 2025-11-29T12:00:00.1234567Z"),
        (r#""c":0,"n":"x","u":0"#, "- - - -"),
    ] {
        let user = get(&definition, 200, "x: y", format!("{{\"id\":\"u-1\",{body}}}")).await.unwrap();
        let customer = if let Customer::One(one) = &user.customer { Some(one.as_str().to_owned()) } else { None };
        let [created, updated] = [user.create_time, user.update_time].map(|time| time.map(|time| time.to_string()));
        let logins = user.logins_count.map(|count| count.to_string());
        let shown = [customer, logins, created, updated].map(|text| text.unwrap_or("-".to_owned())).join(" ");
        assert_eq!(shown, expected, "{body}");
    }
}

#[tokio::test]
async fn bodies_have_their_media_types() {
    for (body, media_type, expected) in [
        ("form = { id = \"{id}\" }", "application/x-www-form-urlencoded", "id=u+1%26x%3D2"),
        ("json = { id = \"{id}\" }", "application/json", r#"{"id":"u 1&x=2"}"#),
        ("json = {}, content_type = \"application/merge-patch+json\"", "application/merge-patch+json", "{}"),
    ] {
        let request = format!("method = \"PATCH\", origin = \"url\", path = [\"users\"], {body} }}\n[calls.mark");
        let delete = "method = \"DELETE\", origin = \"url\", path = [\"users\", \"{id}\"] }\n[calls.mark";
        let server = Server::start(|_, _| answer(200, &[], r#"{"id":"u 1&x=2"}"#)).await;
        let provider = provider_of(&sample(delete, &request), &server.base(), &server.base());
        provider.delete(&scope(), &UserId::new("u 1&x=2").unwrap()).await.unwrap();
        let sent = server.received().into_iter().find(|request| request.head.starts_with("PATCH ")).unwrap();
        assert!(sent.head.to_lowercase().contains(&format!("content-type: {media_type}\r\n")), "{}", sent.head);
        assert_eq!(sent.body, expected);
    }
}

#[tokio::test]
async fn text_and_header_of_a_refusal_are_read() {
    let rule = "[[errors]]\nstatus = 403\ntext = \"many\"\nkind = \"rate_limited\"\nmessage = \"m\"\n[[errors]]";
    let definition = sample("[[errors]]", rule).replacen("docs = []", "docs = []\nretry_after_header = \"x-wait\"", 1);
    for (body, header, kind, wait) in [
        ("<p>too many</p>", "x-wait: 7", ErrorKind::RateLimited, Some(7)),
        ("<p>too many</p>", "x-wait: soon", ErrorKind::RateLimited, None),
        ("<p>403</p>", "x-other: 7", ErrorKind::InvalidResponse, None),
    ] {
        let error = get(&definition, 403, header, body.to_owned()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (kind, wait.map(Duration::from_secs)), "{body} {header}");
    }
}
