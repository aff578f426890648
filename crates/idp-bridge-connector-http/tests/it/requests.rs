//! The requests of a definition.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_connector_http::{Definition, Http, HttpConfig};
use idp_bridge_core::{CallScope, CustomerId, Directory, Email, ErrorKind, IdentityProvider, UserId, UserKey};
use idp_bridge_test_http::{Server, answer};

pub(crate) const DEFINITION: &str = include_str!("sample.toml");

fn provider(url: &str, public: &str) -> Directory<Http> {
    provider_of(DEFINITION, url, public)
}

pub(crate) fn provider_of(definition: &str, url: &str, public: &str) -> Directory<Http> {
    let config = crate::config(url, public, "s3cr3t");
    let definition = Arc::new(Definition::parse(definition).unwrap());
    Http::with_definition(&definition, &config, &crate::context()).unwrap()
}

pub(crate) fn scope() -> CallScope {
    CallScope::new("r-1", Duration::from_secs(5))
}

const ADA: &str = r#"{"id":"u-1","email":"ada@acme.example","customer":"c-1"}"#;

#[tokio::test]
async fn credential_is_sent_to_its_origin_only() {
    let admin = Server::start(|_, _| answer(200, &[], ADA)).await;
    let public = Server::start(|_, request| {
        answer(200, &[], if request.head.contains("/flows") { r#"{"id":"f/1"}"# } else { r#"{"state":"sent"}"# })
    })
    .await;
    let provider = provider(&admin.base(), &public.base());
    provider.send_verification_email(&scope(), &UserId::new("u-1").unwrap()).await.unwrap();
    let sent = admin.received();
    assert!(sent.iter().all(|request| request.head.contains("x-api-key: SSWS s3cr3t")), "{sent:?}");
    let mails = public.received();
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|request| !request.head.contains("s3cr3t")), "{mails:?}");
    assert_eq!(mails[1].body, r#"{"flow":"f/1","to":"ada@acme.example"}"#);
}

#[tokio::test]
async fn bearer_token_is_in_a_further_header() {
    let header = "type = \"header\"\norigin = \"url\"\nname = \"x-api-key\"\nprefix = \"SSWS \"\nkey";
    let bearer = "type = \"bearer\"\norigin = \"url\"\nalso_in = \"apikey\"\ntoken";
    let definition = DEFINITION.replace(header, bearer);
    let server = Server::start(|_, _| answer(200, &[], ADA)).await;
    let provider = provider_of(&definition, &server.base(), &server.base());
    provider.get(&scope(), UserKey::Id(&UserId::new("u-1").unwrap())).await.unwrap();
    let head = server.received().last().unwrap().head.to_lowercase();
    assert!(head.contains("authorization: bearer s3cr3t") && head.contains("apikey: s3cr3t"), "{head}");
}

#[tokio::test]
async fn only_times_in_the_future_set_a_flag() {
    let flag = "email = \"/email\"\nblocked = { value = \"/banned_until\", in_future = true }";
    let definition = DEFINITION.replace("email = \"/email\"", flag);
    for (value, blocked) in
        [(r#""9999-01-01T00:00:00Z""#, true), (r#""2020-01-01T00:00:00Z""#, false), ("null", false), ("9e99", false)]
    {
        let user = ADA.replace('}', &format!(r#","banned_until":{value}}}"#));
        let server = Server::start(move |_, _| answer(200, &[], &user)).await;
        let provider = provider_of(&definition, &server.base(), &server.base());
        let user = provider.get(&scope(), UserKey::Id(&UserId::new("u-1").unwrap())).await.unwrap();
        assert_eq!(user.blocked, Some(blocked), "{value}");
    }
}

#[tokio::test]
async fn unaccepted_mail_is_an_error() {
    let admin = Server::start(|_, _| answer(200, &[], ADA)).await;
    let public = Server::start(|_, _| answer(200, &[], r#"{"id":"f-1","state":"choose_method"}"#)).await;
    let provider = provider(&admin.base(), &public.base());
    let sent = provider.send_verification_email(&scope(), &UserId::new("u-1").unwrap()).await;
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn body_of_an_empty_answer_is_refused() {
    let definition = DEFINITION.replace("method = \"DELETE\"", "empty_body = true, method = \"DELETE\"");
    for (body, is_deleted) in [("", true), ("{}", false), ("<p>200</p>", false)] {
        let server = Server::start(move |_, request| {
            answer(200, &[], if request.head.starts_with("DELETE") { body } else { ADA })
        })
        .await;
        let provider = provider_of(&definition, &server.base(), &server.base());
        let deleted = provider.delete(&scope(), &UserId::new("u-1").unwrap()).await;
        assert_eq!(
            deleted.err().map(|error| error.kind()),
            (!is_deleted).then_some(ErrorKind::InvalidResponse),
            "{body}"
        );
    }
}

#[tokio::test]
async fn hostile_values_stay_one_value() {
    let server = Server::start(|_, _| answer(404, &[], r#"{"code":"gone"}"#)).await;
    let provider = provider(&server.base(), &server.base());
    for (id, segment) in
        [("a/../b", "a%2f..%2fb"), ("x?y=z#w", "x%3fy%3dz%23w"), ("{id}", "%7bid%7d"), ("%2e%2e", "%252e%252e")]
    {
        let id = UserId::new(id).unwrap();
        let error = provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let head = server.received().last().unwrap().head.to_lowercase();
        assert!(head.starts_with(&format!("get /users/{segment} http/1.1")), "{head}");
    }
    let customer = CustomerId::new("x' or name ne '").unwrap();
    assert_eq!(provider.get(&scope(), UserKey::Customer(&customer)).await.unwrap_err().kind(), ErrorKind::NotFound);
    let head = server.received().last().unwrap().head.to_lowercase();
    assert!(head.contains("filter=customer+eq+%27x%27%27+or+name+ne+%27%27%27 "), "{head}");
    let email = Email::new("\"x\\\"or(1)\"@acme.example").or_else(|_| Email::new("a'b@acme.example")).unwrap();
    assert!(provider.get(&scope(), UserKey::Email(&email)).await.is_err());
}

#[tokio::test]
async fn pages_are_read_until_the_last() {
    let server = Server::start(|number, request| {
        assert_eq!(request.head.contains("page="), number > 0, "{}", request.head);
        match number {
            0 => answer(200, &[], r#"{"items":[{"id":"u-2","email":"other@acme.example"}],"next":"p 2"}"#),
            _ => answer(200, &[], &format!(r#"{{"items":[{ADA}],"next":null}}"#)),
        }
    })
    .await;
    let email = Email::new("ada@acme.example").unwrap();
    let user = provider(&server.base(), &server.base()).get(&scope(), UserKey::Email(&email)).await.unwrap();
    assert_eq!(user.id.as_str(), "u-1");
    assert!(server.received()[1].head.contains("page=p+2"));
}

#[tokio::test]
async fn absence_is_proved_by_another_request() {
    let proof = "users = \"/items\"\nif_absent = { origin = \"url\", path = [\"me\"] }";
    let definition = DEFINITION.replace("users = \"/items\"", proof);
    let email = Email::new("ada@acme.example").unwrap();
    for (status, kind) in [(200, ErrorKind::NotFound), (503, ErrorKind::Unavailable), (403, ErrorKind::InvalidResponse)]
    {
        let server = Server::start(move |_, request| {
            let is_proof = request.head.starts_with("GET /me ");
            if is_proof { answer(status, &[], "{}") } else { answer(200, &[], r#"{"items":[]}"#) }
        })
        .await;
        let provider = provider_of(&definition, &server.base(), &server.base());
        let error = provider.get(&scope(), UserKey::Email(&email)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
    }
}

#[tokio::test]
async fn inexpressible_value_is_not_sent() {
    let server = Server::start(|_, _| answer(200, &[], r#"{"items":[]}"#)).await;
    let definition = DEFINITION.replace("[calls.get_by_customer]", "[calls.get_by_customer]\ncannot_contain = ['\\']");
    let provider = provider_of(&definition, &server.base(), &server.base());
    let customer = CustomerId::new(r"a\b").unwrap();
    let error = provider.get(&scope(), UserKey::Customer(&customer)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(server.received().is_empty());
}

#[test]
fn settings_are_those_of_the_definition() {
    let definition = Arc::new(Definition::parse(DEFINITION).unwrap());
    let good = || crate::config("https://x.example", "https://x.example", "s");
    let build = |config: &HttpConfig| Http::with_definition(&definition, config, &crate::context());
    assert!(build(&good()).is_ok());
    let mut cases = Vec::new();
    for (name, value) in [("urll", "x"), ("key", "x"), ("field", "a b"), ("url", "ftp://x"), ("url", "")] {
        let mut config = good();
        config.settings.insert(name.into(), value.into());
        cases.push(config);
    }
    for remove in ["url", "public"] {
        let mut config = good();
        config.settings.remove(remove);
        cases.push(config);
    }
    let mut config = good();
    config.secrets.clear();
    cases.push(config);
    for config in cases {
        let error = build(&config).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{config:?}");
    }
}
