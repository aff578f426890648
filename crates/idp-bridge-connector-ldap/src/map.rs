//! Converts entries to users.

use idp_bridge_core::{Email, Error, ErrorKind, Field, Result, StoredUser, UserId, UserRecord};
use jiff::Timestamp;

use crate::message::Entry;
use crate::preset::Schema;
use crate::values::{self, Time};

/// Converts an entry that matches the filter of users. The detail is the name of the entry, which writes address.
pub(crate) fn to_user(entry: &Entry, schema: &Schema) -> Result<StoredUser<String>> {
    let [id] = entry.values(&schema.id) else {
        // Each entry has one. An attribute of one's own may have several values.
        return Err(hidden_or_several(&schema.id, entry));
    };
    let id = schema.id_form.to_id(id).and_then(|id| UserId::new(id).ok());
    let mut record = UserRecord::new(id.ok_or_else(|| invalid(&schema.id, "is not a valid id"))?);
    let field = |field| schema.attribute(field).map(|name| Attribute { name, entry });
    record.email = field(Field::Email).and_then(|email| email.to_email());
    record.create_time = field(Field::CreateTime).map(|time| time.to_time()).transpose()?.flatten();
    record.update_time = field(Field::UpdateTime).map(|time| time.to_time()).transpose()?.flatten();
    record.login_time = field(Field::LoginTime).map(|time| time.to_time()).transpose()?.flatten();
    record.email_verified = field(Field::EmailVerified).map(|flag| flag.to_verified()).transpose()?;
    record.blocked = field(Field::Blocked).map(|flag| flag.to_blocked()).transpose()?.flatten();
    let customers = field(Field::Customer).map(|customer| customer.to_texts()).transpose()?.unwrap_or_default();
    Ok(StoredUser::new(record, entry.name.clone()).with_customers(customers))
}

/// An attribute of an entry.
struct Attribute<'a> {
    name: &'a str,
    entry: &'a Entry,
}

impl<'a> Attribute<'a> {
    fn to_texts(&self) -> Result<Vec<&'a str>> {
        let text = |value: &'a Vec<u8>| std::str::from_utf8(value).map_err(|_| invalid(self.name, "is not a text"));
        self.entry.values(self.name).iter().map(text).collect()
    }

    /// Returns the only value.
    fn to_text(&self) -> Result<Option<&'a str>> {
        match self.to_texts()?.as_slice() {
            [] => Ok(None),
            [text] => Ok(Some(text)),
            _ => Err(invalid(self.name, "is one of several")),
        }
    }

    /// Returns the address, if there is one. Of several, none is in force, since values have no order. A malformed one is absent,
    /// as for every identity provider.
    fn to_email(&self) -> Option<Email> {
        self.to_text().ok().flatten().and_then(|text| Email::new(text).ok())
    }

    fn to_time(&self) -> Result<Option<Timestamp>> {
        let Some(text) = self.to_text()? else { return Ok(None) };
        match values::parse_time(text) {
            Some(Time::At(time)) => Ok(Some(time)),
            Some(Time::Never) => Ok(None),
            None => Err(invalid(self.name, "is not a time")),
        }
    }

    /// Returns whether the address is verified. Without a value it is not.
    fn to_verified(&self) -> Result<bool> {
        let Some(text) = self.to_text()? else { return Ok(false) };
        values::parse_flag(text).ok_or_else(|| invalid(self.name, "is neither `TRUE` nor `FALSE`"))
    }

    fn to_blocked(&self) -> Result<Option<bool>> {
        values::parse_blocked(self.name, self.to_text()?).ok_or_else(|| invalid(self.name, "cannot be read"))
    }
}

/// Creates the error of a value, without the value.
fn invalid(attribute: &str, problem: &str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, format!("a value of the attribute `{attribute}` {problem}"))
        .with_hint("compare `attributes` with the schema of the directory")
}

fn hidden_or_several(attribute: &str, entry: &Entry) -> Error {
    if entry.values(attribute).is_empty() { hidden(attribute) } else { invalid(attribute, "is one of several") }
}

/// Creates the error of an attribute that the directory does not show.
pub(crate) fn hidden(attribute: &str) -> Error {
    Error::upstream(
        ErrorKind::PermissionDenied,
        format!("the directory shows no user with the attribute `{attribute}`"),
    )
    .with_hint(format!("grant the bridge's entry the right to search and read `{attribute}` of all users"))
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::{Customer, Secret};

    use super::*;
    use crate::{LdapConfig, Preset};

    fn schema(preset: Preset) -> Schema {
        let mut config = LdapConfig::new("ldaps://h", "cn=b", Secret::new("s"), "dc=acme", preset);
        config.attributes.customer = Some("customerId".to_owned());
        config.attributes.email_verified = Some("emailVerified".to_owned());
        Schema::new(&config).unwrap()
    }

    #[test]
    fn entry_of_active_directory_is_converted() {
        let entry = Entry::new(
            "CN=Ada,DC=acme",
            &[
                ("objectGUID", &[b"\x2c\x4f\xec\x8a\xe2\x7f\x41\x10\x92\x64\x87\x86\x32\xad\x99\xb3"]),
                ("mail", &[b"Ada@acme.example"]),
                ("customerId", &[b"c-1"]),
                ("emailVerified", &[b"TRUE"]),
                ("whenCreated", &[b"20241201000000.0Z"]),
                ("whenChanged", &[b"20241202000000.0Z"]),
                ("lastLogonTimestamp", &[b"133774848000000000"]),
                ("userAccountControl", &[b"514"]),
            ],
        );
        let user = to_user(&entry, &schema(Preset::ActiveDirectory)).unwrap();
        let record = &user.record;
        assert_eq!(record.id.as_str(), "8aec4f2c-7fe2-1041-9264-878632ad99b3");
        assert_eq!(record.email.as_ref().unwrap().as_str(), "Ada@acme.example");
        assert!(matches!(&record.customer, Customer::One(customer) if customer.as_str() == "c-1"));
        assert_eq!((record.email_verified, record.blocked), (Some(true), Some(true)));
        let times = [record.create_time, record.update_time, record.login_time].map(|time| time.unwrap().to_string());
        assert_eq!(times, ["2024-12-01T00:00:00Z", "2024-12-02T00:00:00Z", "2024-12-01T00:00:00Z"]);
        assert_eq!(user.detail, "CN=Ada,DC=acme");
    }

    #[test]
    fn absent_and_several_values_are_kept_apart() {
        let id: (&str, &[&[u8]]) = ("entryUUID", &[b"8aec4f2c-7fe2-1041-9264-878632ad99b3"]);
        let schema = schema(Preset::Openldap);
        let user = to_user(&Entry::new("uid=ada", &[id]), &schema).unwrap();
        let bare = UserRecord { email_verified: Some(false), ..UserRecord::new(user.record.id.clone()) };
        assert_eq!(user.record, bare);
        let several = Entry::new("uid=ada", &[id, ("mail", &[b"a@b", b"c@d"]), ("customerId", &[b"c-1", b"c-2"])]);
        let user = to_user(&several, &schema).unwrap();
        assert_eq!((user.record.email, user.record.customer), (None, Customer::Several));
    }

    #[test]
    fn wrong_values_are_errors_without_the_value() {
        let id: (&str, &[&[u8]]) = ("entryUUID", &[b"8aec4f2c-7fe2-1041-9264-878632ad99b3"]);
        for (name, values, kind) in [
            ("entryUUID", &[&b"hunter2\0"[..]][..], ErrorKind::InvalidResponse),
            ("entryUUID", &[b"hunter2", b"hunter3"], ErrorKind::InvalidResponse),
            ("sn", &[b"hunter2"], ErrorKind::PermissionDenied),
            ("customerId", &[b"hunter2\xff"], ErrorKind::InvalidResponse),
            ("emailVerified", &[b"hunter2"], ErrorKind::InvalidResponse),
            ("emailVerified", &[b"TRUE", b"FALSE"], ErrorKind::InvalidResponse),
            ("createTimestamp", &[b"hunter2"], ErrorKind::InvalidResponse),
        ] {
            let mut attributes = vec![(name, values)];
            if !matches!(name, "entryUUID" | "sn") {
                attributes.push(id);
            }
            let error = to_user(&Entry::new("uid=hunter2", &attributes), &schema(Preset::Openldap)).unwrap_err();
            assert_eq!(error.kind(), kind, "{name}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
