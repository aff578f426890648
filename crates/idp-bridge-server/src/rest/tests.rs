//! The parsing of REST requests.

use super::*;

fn call(resource: Resource<'_>, method: Method, body: &'static str) -> Result<Call, Code> {
    resource.parse_call(&method, &Bytes::from_static(body.as_bytes())).map_err(|refusal| refusal.code())
}

fn id(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

#[test]
fn requests_are_parsed_to_calls() {
    let email = || Email::new("a@b.c").unwrap();
    let invalid = Err(Code::InvalidRequest);
    for (resource, method, body, expected) in [
        (Resource::User("u"), Method::GET, "", Ok(Call::GetById(id("u")))),
        (Resource::User("u"), Method::GET, "{}", Ok(Call::GetById(id("u")))),
        (Resource::User("u"), Method::GET, r#"{"id":"v"}"#, invalid.clone()),
        (Resource::User("u"), Method::DELETE, "", Ok(Call::Delete(id("u")))),
        (Resource::Lookup, Method::POST, r#"{"email":"a@b.c"}"#, Ok(Call::GetByEmail(email()))),
        (Resource::Lookup, Method::POST, r#"{"customer":"c"}"#, Ok(Call::GetByCustomer(CustomerId::new("c").unwrap()))),
        (Resource::Lookup, Method::POST, r#"{"email":"a@b.c","customer":"c"}"#, invalid.clone()),
        (Resource::Lookup, Method::POST, r#"{"email":"a@b.c","id":"u"}"#, invalid.clone()),
        (Resource::Lookup, Method::POST, r#"{"email":"nobody"}"#, invalid.clone()),
        (Resource::Lookup, Method::POST, r#"{"email":7}"#, invalid.clone()),
        (Resource::Lookup, Method::POST, "", invalid.clone()),
        (Resource::Lookup, Method::POST, "[]", invalid.clone()),
        (Resource::PasswordReset, Method::POST, r#"{"email":"a@b.c"}"#, Ok(Call::SendPasswordResetEmail(email()))),
        (Resource::PasswordReset, Method::POST, "", invalid.clone()),
        (
            Resource::MarkEmailVerified("u"),
            Method::POST,
            r#"{"email":"a@b.c"}"#,
            Ok(Call::MarkEmailVerified { id: id("u"), email: Some(email()) }),
        ),
        (Resource::MarkEmailVerified("u"), Method::POST, "", Ok(Call::MarkEmailVerified { id: id("u"), email: None })),
        (Resource::MarkEmailVerified("u"), Method::POST, r#"{"email":null}"#, invalid.clone()),
        (Resource::VerificationEmail("u"), Method::POST, "", Ok(Call::SendVerificationEmail(id("u")))),
        (Resource::VerificationEmail("u"), Method::POST, r#"{"email":"a@b.c"}"#, invalid),
    ] {
        assert_eq!(call(resource, method, body), expected, "{resource:?} {body}");
    }
}

#[test]
fn id_is_percent_decoded_once() {
    for (segment, expected) in [
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("%C3%A4", "ä"),
        ("auth0%7c1", "auth0|1"),
        ("a+b", "a+b"),
        ("...", "..."),
    ] {
        assert_eq!(user_id(segment).unwrap(), id(expected), "{segment}");
    }
    for bad in [".", "..", "%2e%2E", "%", "a%", "a%2", "a%zz", "%0a", "%00", "%ff", "%C3", &"x".repeat(257)] {
        assert_eq!(user_id(bad).unwrap_err().code(), Code::InvalidRequest, "{bad}");
    }
}

#[test]
fn scopes_depend_on_the_call() {
    let scope = |resource: Resource<'_>, method| resource.scope(&method);
    assert_eq!(scope(Resource::User("u"), Method::GET), Scope::Read);
    assert_eq!(scope(Resource::Lookup, Method::POST), Scope::Read);
    assert_eq!(scope(Resource::User("u"), Method::DELETE), Scope::Write);
    assert_eq!(scope(Resource::PasswordReset, Method::POST), Scope::Write);
    assert_eq!(scope(Resource::MarkEmailVerified("u"), Method::POST), Scope::Write);
    assert_eq!(scope(Resource::VerificationEmail("u"), Method::POST), Scope::Write);
}

#[test]
fn idempotency_key_is_single_and_visible() {
    let key = |values: &[&'static str]| {
        let headers: HeaderMap =
            values.iter().map(|value| (IDEMPOTENCY_KEY, http::HeaderValue::from_static(value))).collect();
        idempotency_key(&headers).map(|key| key.map(str::to_owned)).map_err(|refusal| refusal.code())
    };
    assert_eq!(key(&[]), Ok(None));
    assert_eq!(key(&["\"8e03978e-40d5\""]), Ok(Some("\"8e03978e-40d5\"".into())));
    for bad in [&[""][..], &["a b"], &["a", "a"]] {
        assert_eq!(key(bad), Err(Code::InvalidRequest), "{bad:?}");
    }
}
