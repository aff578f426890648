//! Writes a value into the search filter of each product. A parser of the filter finds this value and nothing else.

#![cfg_attr(fuzzing, no_main)]

use idp_bridge_connector_http::fuzzing::fill;
use idp_bridge_connector_keycloak_testing::fake::query;
use idp_bridge_core::{CustomerId, Email, SearchKey, UserId};
use idp_bridge_http::quote::{double_quoted, read_double_quoted};

pub(crate) fn run(data: &[u8]) {
    let Ok(value) = std::str::from_utf8(data) else { return };
    assert_eq!(read_double_quoted(&double_quoted(value)).as_deref(), Some(value));
    assert_eq!(read_double_quoted(&format!("{}x", double_quoted(value))), None);
    // A value of an attacker in place of a quoted one.
    if let Some(read) = read_double_quoted(value) {
        assert_eq!(read_double_quoted(&double_quoted(&read)), Some(read));
    }
    check_ldap(value);
    if let Ok(customer) = CustomerId::new(value) {
        check_keycloak(&customer);
        check_auth0(SearchKey::Customer(&customer), "app_metadata.customer_id:", value);
        check_cognito(&customer);
        check_definitions(SearchKey::Customer(&customer), value);
    }
    if let Ok(email) = Email::new(value) {
        check_auth0(SearchKey::Email(&email), "email:", value);
    }
}

/// Parses Keycloak's `q`. Wildcards, which stand for `\`, also find other values, which the directory compares.
fn check_keycloak(customer: &CustomerId) {
    use idp_bridge_connector_keycloak::fuzzing::search_query;

    let Ok([(name, q), (_, exact), ..]) = search_query(SearchKey::Customer(customer), "customer_id") else {
        assert!(customer.as_str().chars().count() > 255);
        return;
    };
    assert_eq!(name, "q");
    let pairs = query::parse(&q).expect("keycloak parses the filter");
    assert_eq!(pairs.keys().collect::<Vec<_>>(), ["customer_id"], "{q}");
    let (value, exact) = (&pairs["customer_id"], exact == "true");
    if exact {
        assert_eq!(value, customer.as_str(), "{q}");
    } else {
        assert_eq!(*value, customer.as_str().replace('\\', "_"), "{q}");
    }
}

/// Parses the Lucene query of Auth0.
fn check_auth0(key: SearchKey<'_>, field: &str, value: &str) {
    let q = idp_bridge_connector_auth0::fuzzing::search_query(key, "customer_id");
    assert_eq!(q.strip_prefix(field).and_then(read_double_quoted).as_deref(), Some(value), "{q}");
}

/// Parses Cognito's filters.
fn check_cognito(customer: &CustomerId) {
    let (id, email) = (UserId::new(customer.as_str()), Email::new(format!("{}@acme.example", customer.as_str())));
    let (Ok(id), Ok(email)) = (id, email) else { return };
    let filters = idp_bridge_connector_cognito::fuzzing::filters(&id, &email, ("name", customer));
    for (filter, (attribute, value)) in
        filters.into_iter().zip([("sub", id.as_str()), ("email", email.as_str()), ("name", customer.as_str())])
    {
        match filter {
            Ok(filter) => {
                let quoted = filter.strip_prefix(&format!("{attribute} = "));
                assert_eq!(quoted.and_then(read_double_quoted).as_deref(), Some(value), "{filter}");
            }
            // Cognito limits the length of a filter.
            Err(_) => assert!(value.chars().count() * 2 + attribute.len() + 5 > 256, "{value}"),
        }
    }
}

/// Parses a filter of the settings (RFC 4515), and compares a quoted value with an encoded one.
fn check_ldap(value: &str) {
    use idp_bridge_connector_ldap::fuzzing::{equality_filter, parse_filter};

    let mut quoted = String::new();
    for character in value.chars() {
        match character {
            '*' | '(' | ')' | '\\' | '\0' => quoted.push_str(&format!("\\{:02x}", u32::from(character))),
            other => quoted.push(other),
        }
    }
    let equal = equality_filter("mail", value.as_bytes());
    assert_eq!(parse_filter(&format!("(mail={quoted})")).as_deref(), Ok(equal.as_slice()));
    // A text of the settings is parsed or refused, and has one root.
    if let Ok(encoded) = parse_filter(value) {
        assert!(matches!(encoded.first(), Some(0x87 | 0xa0..=0xa9)), "{encoded:?}");
        assert!(parse_filter(&format!("{value}x")).is_err());
        match parse_filter(&format!("(!{})", value.trim())) {
            Ok(negated) => assert!(negated.starts_with(&[0xa2]) && negated.ends_with(&encoded)),
            Err(reason) => assert!(reason.contains("levels"), "{reason}"),
        }
    }
}

/// Parses what the functions of definitions write.
fn check_definitions(key: SearchKey<'_>, value: &str) {
    let written = |function: &str| fill(&format!("{{customer|{function}}}"), key).expect("the template is valid");
    assert_eq!(read_double_quoted(&written("quoted")).as_deref(), Some(value));
    let odata = written("odata");
    let inner = odata.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap();
    assert_eq!(inner.replace("''", "'"), value);
    assert!(!inner.replace("''", "").contains('\''), "{odata}");
    let pointer = written("pointer");
    assert!(!pointer.contains('/'));
    assert_eq!(pointer.replace("~1", "/").replace("~0", "~"), value);
    let filter = format!("(customer={})", written("ldap"));
    let encoded = idp_bridge_connector_ldap::fuzzing::equality_filter("customer", value.as_bytes());
    assert_eq!(idp_bridge_connector_ldap::fuzzing::parse_filter(&filter), Ok(encoded));
    let regex: String = serde_json::from_str(&format!("\"{}\"", written("regex"))).unwrap();
    assert_eq!(unescape_regex(&regex).as_deref(), Some(value));
    let like: String = written("like");
    assert_eq!(unescape_like(&like).as_deref(), Some(value));
}

/// Returns the literal that a regular expression matches; `None` if it has an operator.
fn unescape_regex(text: &str) -> Option<String> {
    let (mut literal, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                literal.push(characters.next().filter(|escaped| !escaped.is_ascii_alphanumeric() || *escaped == 'E')?)
            }
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|' => return None,
            other => literal.push(other),
        }
    }
    Some(literal)
}

/// Returns the literal that a pattern of SQL's `LIKE` matches; `None` if it has a wildcard.
fn unescape_like(text: &str) -> Option<String> {
    let (mut literal, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => literal.push(characters.next()?),
            '%' | '_' => return None,
            other => literal.push(other),
        }
    }
    Some(literal)
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
