//! Converts a product's user. Id, address and customer are exactly those of the document.

#![cfg_attr(fuzzing, no_main)]

use std::sync::{Arc, LazyLock};

use idp_bridge_connector_http::fuzzing::BoundDefinition;
use idp_bridge_connector_http::{Definition, catalog};
use idp_bridge_connector_keycloak as keycloak;
use idp_bridge_core::{ConnectorContext, Customer, TenantId, UserRecord};
use serde_json::Value;

const KEYCLOAK: &str = include_str!("../../../crates/idp-bridge-connector-http/testing/definitions/keycloak.toml");
/// The attribute with the customer. `BoundDefinition` uses the name of the setting.
const CUSTOMER: &str = "customer_attribute";

static KEYCLOAK_DEFINITION: LazyLock<BoundDefinition> = LazyLock::new(|| bind(KEYCLOAK));
static CATALOG: LazyLock<Vec<BoundDefinition>> =
    LazyLock::new(|| catalog::names().map(|name| bind(catalog::find(name).unwrap())).collect());

fn bind(text: &str) -> BoundDefinition {
    let context = ConnectorContext::new(TenantId::new("acme").unwrap());
    let definition = Arc::new(Definition::parse(text).unwrap());
    BoundDefinition::new(&definition, "https://idp.example", &context).unwrap()
}

pub(crate) fn run(json: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(json) else { return };
    if let Some(Ok(record)) = keycloak::fuzzing::convert_user(json, CUSTOMER) {
        check_keycloak(&record, &document);
    }
    if let Some(Ok(record)) = idp_bridge_connector_auth0::fuzzing::convert_user(json, CUSTOMER) {
        check_auth0(&record, &document);
    }
    let mut texts = Vec::new();
    collect_texts(&document, &mut texts, 0);
    for definition in CATALOG.iter() {
        let Ok(record) = definition.convert_user(&document) else { continue };
        let customer = customer(&record);
        let email = record.email.as_ref().map(|email| email.as_str());
        for text in [Some(record.id.as_str()), email, customer].into_iter().flatten() {
            assert!(texts.iter().any(|own| own == text), "{text} is not in {document}");
        }
    }
}

/// Compares a user with the document, and with what the definition of Keycloak makes of it.
fn check_keycloak(record: &UserRecord, document: &Value) {
    assert_eq!(document["id"], record.id.as_str());
    if let Some(email) = &record.email {
        assert_eq!(document["email"], email.as_str());
    }
    assert_eq!(record.email_verified, document["emailVerified"].as_bool());
    assert_eq!(record.blocked, document["enabled"].as_bool().map(|enabled| !enabled));
    if let Some(customer) = customer(record) {
        let values = document["attributes"][CUSTOMER].as_array().unwrap();
        assert_eq!(values.iter().filter(|value| !value.is_null()).collect::<Vec<_>>(), [customer]);
    }
    let defined = KEYCLOAK_DEFINITION.convert_user(document).unwrap();
    assert_eq!((&defined.id, &defined.email), (&record.id, &record.email));
    assert_eq!((defined.email_verified, defined.blocked), (record.email_verified, record.blocked));
    // To a definition, an empty value is none.
    let has_empty = document["attributes"][CUSTOMER].as_array().is_some_and(|all| all.iter().any(|one| one == ""));
    assert!(has_empty || defined.customer == record.customer, "{defined:?} {record:?}");
}

fn check_auth0(record: &UserRecord, document: &Value) {
    assert_eq!(document["user_id"], record.id.as_str());
    if let Some(email) = &record.email {
        assert_eq!(document["email"], email.as_str());
    }
    let is_true = |value: &Value| value == true || value == "true";
    assert_eq!(record.email_verified == Some(true), is_true(&document["email_verified"]));
    assert_eq!(record.blocked, Some(is_true(&document["blocked"])));
    if let Some(customer) = customer(record) {
        let value = match &document["app_metadata"][CUSTOMER] {
            Value::Array(values) => values.as_slice().first().filter(|_| values.len() == 1).unwrap(),
            value => value,
        };
        assert_eq!(scalar(value).as_deref(), Some(customer));
    }
}

fn customer(record: &UserRecord) -> Option<&str> {
    match &record.customer {
        Customer::One(customer) => Some(customer.as_str()),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Collects all texts and numbers, also those of JSON in a text.
fn collect_texts(value: &Value, texts: &mut Vec<String>, depth: usize) {
    texts.extend(scalar(value));
    match value {
        Value::String(text) if depth == 0 => {
            if let Ok(inner) = serde_json::from_str(text) {
                collect_texts(&inner, texts, 1);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, texts, depth)),
        Value::Object(members) => members.values().for_each(|value| collect_texts(value, texts, depth)),
        _ => {}
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
