//! The fake parses and matches the `q` of a search as it was recorded.

use std::collections::BTreeMap;

use idp_bridge_connector_keycloak_testing::fake::query::{finds, parse};

#[test]
fn queries_are_parsed_as_recorded() {
    for (query, name, value) in [
        ("customer_id:cust-1", "customer_id", "cust-1"),
        ("customer_id:\"has space\"", "customer_id", "has space"),
        ("customer_id:quo\"te", "customer_id", "quo\"te"),
        ("customer_id:\"quo\\\"te\"", "customer_id", "quo\"te"),
        ("customer_id:nope customer_id:cust-frank", "customer_id", "cust-frank"),
        ("customer_id:\"a\\\\b\"", "customer_id", "ab"),
        ("customer_id:\"a\\b\"", "customer_id", "a\\b"),
        ("customer_id:\"cust-1\\\"", "customer_id", "cust-1\""),
        ("customer_id:\"a\"\\ x", "customer_id", "a\\"),
        ("customer_id:cust-1\n", "customer_id", "cust-1"),
        ("customer_id:a:b:c", "customer_id", "a:b:c"),
    ] {
        assert_eq!(parse(query), Some(BTreeMap::from([(name.into(), value.into())])), "{query}");
    }
    assert_eq!(parse("customer_id"), Some(BTreeMap::new()));
    assert_eq!(parse("customer_id:a\\"), None);
}

#[test]
fn values_match_as_recorded() {
    for (pattern, exact, stored, found) in [
        ("CUST-MIXED", true, "cust-Mixed", true),
        ("cust", true, "cust-1", false),
        ("cust", false, "cust-1", true),
        ("ust_1", false, "cust-1", true),
        ("a__b", false, "a\\\\b", true),
        ("a__b", false, "a\\b", false),
        ("%", false, "cust-1", true),
        ("%", true, "cust-1", false),
        ("", false, "cust-1", true),
    ] {
        assert_eq!(finds(pattern, exact, stored), found, "{pattern} in {stored}");
    }
}
