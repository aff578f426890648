//! The checks of `doctor`: the connection, the base, the attributes, and the rights of the bridge's entry.

use idp_bridge_core::{CallKind, CallScope, Error, ErrorKind, Field, Finding, Result, StoredUser, UserStore as _};

use crate::Ldap;
use crate::client::undeclared;
use crate::filter::Filter;
use crate::map;
use crate::message::{Action, Change, Depth, Entry, Search, oid};
use crate::values::IdForm;

/// Checks the directory. Changes nothing.
pub(crate) async fn run(ldap: &Ldap, scope: &CallScope) -> Vec<Finding> {
    let is_possible = |kind: &CallKind| ldap.capabilities().call(*kind).is_possible();
    let all: Vec<CallKind> = CallKind::ALL.into_iter().filter(is_possible).collect();
    let check = "the directory accepts the bridge's name and password";
    let server = match read_entry(ldap, scope, "", &["supportedControl", "subschemaSubentry"]).await {
        Ok(server) => server,
        Err(error) => {
            let grant = "grant the bridge's entry the right to read the root entry".to_owned();
            let mut findings = vec![Finding::failed_by(check, &all, &error, grant)];
            findings.extend(check_mailer(ldap, scope).await);
            return findings;
        }
    };
    let mut findings = vec![Finding::ok(check, &all).with_detail(ldap.client.server.describe())];
    findings.extend(check_attributes(ldap, scope, &server).await);
    findings.extend(check_controls(ldap, &server));
    let users = check_users(ldap, scope, &all).await;
    let is_visible = users.iter().all(|finding| finding.verdict == idp_bridge_core::Verdict::Ok);
    findings.extend(users);
    let user = if is_visible { any_user(ldap, scope).await.ok() } else { None };
    findings.extend(check_writes(ldap, scope, user).await);
    findings.extend(check_mailer(ldap, scope).await);
    findings
}

/// Returns the calls that read or write a field.
fn calls(ldap: &Ldap, field: Option<Field>) -> Vec<CallKind> {
    use CallKind::{Delete, GetByCustomer, GetByEmail, GetById, MarkEmailVerified};
    use CallKind::{SendPasswordResetEmail, SendVerificationEmail};
    let kinds = match field {
        None => &[GetById, Delete, MarkEmailVerified, SendVerificationEmail][..],
        Some(Field::Email) => &[GetByEmail, MarkEmailVerified, SendVerificationEmail, SendPasswordResetEmail],
        Some(Field::Customer) => &[GetByCustomer],
        Some(Field::EmailVerified) => &[MarkEmailVerified, SendVerificationEmail],
        Some(_) => &[],
    };
    kinds.iter().copied().filter(|kind| ldap.capabilities().call(*kind).is_possible()).collect()
}

/// Checks that the schema of the directory has each attribute. A directory ignores the others.
async fn check_attributes(ldap: &Ldap, scope: &CallScope, server: &Entry) -> Vec<Finding> {
    let schema = match server.values("subschemaSubentry") {
        [name] => read_entry(ldap, scope, &String::from_utf8_lossy(name), &["attributeTypes"]).await,
        _ => Err(Error::upstream(ErrorKind::PermissionDenied, "the directory does not show its schema")),
    };
    let types = match &schema {
        Ok(schema) => names(schema.values("attributeTypes")),
        Err(error) => {
            let grant = "grant the bridge's entry the right to read the schema".to_owned();
            let grant = match error.kind() {
                ErrorKind::Misconfigured | ErrorKind::PermissionDenied => Finding::not_visible(ATTRIBUTES, &[], grant),
                _ => Finding::failed_by(ATTRIBUTES, &[], error, grant),
            };
            return vec![grant];
        }
    };
    let used = Field::ALL.into_iter().filter_map(|field| Some((Some(field), ldap.schema.attribute(field)?)));
    let missing =
        used.chain([(None, ldap.schema.id.as_str())]).filter(|(_, name)| !types.contains(&name.to_lowercase()));
    let missing: Vec<Finding> = missing
        .map(|(field, name)| {
            let fix = "correct `attributes`, or add the attribute to the schema";
            Finding::failed(format!("the directory has the attribute `{name}`"), &calls(ldap, field), fix)
        })
        .collect();
    if missing.is_empty() { vec![Finding::ok(ATTRIBUTES, &[])] } else { missing }
}

const ATTRIBUTES: &str = "the directory has the attributes of the settings";

/// Returns the names in descriptions of attributes (RFC 4512, section 4.1.2), in lower case.
fn names(descriptions: &[Vec<u8>]) -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    for description in descriptions {
        let description = String::from_utf8_lossy(description);
        // `NAME 'mail'` or `NAME ( 'mail' 'rfc822Mailbox' )`.
        let list = description.split(" NAME ").nth(1).unwrap_or_default().trim_start();
        let end =
            if list.starts_with('(') { list.find(')') } else { list.match_indices('\'').nth(1).map(|(at, _)| at) };
        let quoted = list.get(..end.unwrap_or_default()).unwrap_or_default().split('\'').skip(1).step_by(2);
        names.extend(quoted.map(str::to_lowercase));
    }
    names
}

/// Checks that the server has the control that makes writes conditional.
fn check_controls(ldap: &Ldap, server: &Entry) -> Option<Finding> {
    if ldap.schema.id_form == IdForm::Guid {
        return None;
    }
    let check = "the directory checks the condition of a write";
    let writes = [calls(ldap, Some(Field::EmailVerified)), vec![CallKind::Delete]].concat();
    let has_it = server.values("supportedControl").iter().any(|control| control == oid::ASSERTION.as_bytes());
    let fix = "use a server with the assertion control (RFC 4528), or the preset of your product";
    Some(if has_it { Finding::ok(check, &writes) } else { Finding::failed(check, &writes, fix) })
}

/// Checks that the directory shows users by each attribute that the bridge searches.
async fn check_users(ldap: &Ldap, scope: &CallScope, all: &[CallKind]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for field in [None, Some(Field::Email), Some(Field::Customer)] {
        let attribute = match field {
            None => Some(ldap.schema.id.as_str()),
            Some(field) => ldap.schema.attribute(field),
        };
        let Some(attribute) = attribute else { continue };
        let calls = if field.is_none() { all.to_vec() } else { calls(ldap, field) };
        let check = format!("users can be found by `{attribute}`");
        findings.push(match ldap.check_visible(scope, attribute).await {
            Ok(()) => Finding::ok(check, &calls),
            Err(error) => {
                let grant = error.hint().unwrap_or_default().to_owned();
                Finding::failed_by(check, &calls, &error, grant)
            }
        });
    }
    findings
}

/// Checks the rights to write with writes that always fail, after the directory has checked the right.
async fn check_writes(ldap: &Ldap, scope: &CallScope, user: Option<StoredUser<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(attribute) = ldap.schema.attribute(Field::EmailVerified) {
        // A mark in Active Directory replaces the address by itself.
        let email = ldap.schema.attribute(Field::Email).filter(|_| ldap.schema.id_form == IdForm::Guid);
        let written = email.map_or_else(|| format!("`{attribute}`"), |email| format!("`{attribute}` and `{email}`"));
        let check = format!("the bridge may write {written}");
        let grant = format!("grant the bridge's entry the right to write {written} of all users");
        // A flag cannot have both values, so that one of the deletions always fails, and with it the other one.
        let both = ["TRUE", "FALSE"].map(|value| Change::Delete(attribute.to_owned(), value.to_owned()));
        let calls = [CallKind::MarkEmailVerified];
        findings.push(probe(ldap, scope, user.as_ref(), Action::Modify(both.into()), (check, grant, &calls)).await);
    }
    let check = "the bridge may delete users".to_owned();
    let grant = "grant the bridge's entry the right to delete entries below `base_dn`".to_owned();
    let delete = (check, grant, &[CallKind::Delete][..]);
    findings.push(match ldap.schema.id_form {
        // Without the assertion control no delete is safe.
        IdForm::Guid => Finding::not_visible(delete.0, delete.2, delete.1),
        _ => probe(ldap, scope, user.as_ref(), Action::Delete, delete).await,
    });
    findings
}

/// Sends a write that always fails.
async fn probe(
    ldap: &Ldap,
    scope: &CallScope,
    user: Option<&StoredUser<String>>,
    action: Action,
    (check, grant, calls): (String, String, &[CallKind]),
) -> Finding {
    let Some(user) = user else { return Finding::skipped(check, calls) };
    let is_delete = matches!(action, Action::Delete);
    let failed = async {
        let email = user.record.email.as_ref().filter(|_| !is_delete).map(|email| email.as_str());
        let mut write = ldap.write(user, email, action)?;
        if is_delete {
            // No entry has an id and lacks it.
            let present = Filter::present(&ldap.schema.id);
            write.condition = Some(Filter::all([&present, &Filter::not(&present)]));
        }
        ldap.client.probe(scope, &write).await
    };
    match failed.await {
        Err(error) if error.kind() == ErrorKind::Conflict => Finding::ok(check, calls),
        Err(error) => Finding::failed_by(check, calls, &error, grant),
        Ok(()) => Finding::not_visible(check, calls, grant),
    }
}

/// Checks the delivery of mails.
async fn check_mailer(ldap: &Ldap, scope: &CallScope) -> Option<Finding> {
    let calls: Vec<CallKind> =
        idp_bridge_mailer::CALLS.iter().copied().filter(|kind| ldap.capabilities().call(*kind).is_possible()).collect();
    Some(ldap.mailer.as_ref()?.diagnose(scope, &calls).await)
}

/// Reads attributes of one entry.
async fn read_entry(ldap: &Ldap, scope: &CallScope, name: &str, attributes: &[&str]) -> Result<Entry> {
    let search = Search {
        base: name.to_owned(),
        depth: Depth::Base,
        filter: Filter::present("objectClass"),
        attributes: attributes.iter().map(ToString::to_string).collect(),
        limit: 1,
        page_size: None,
    };
    let found = ldap.client.search(scope, &search).await?;
    let hidden = || Error::upstream(ErrorKind::PermissionDenied, "the directory does not show the entry");
    found.entries.into_iter().next().ok_or_else(hidden)
}

/// Reads any user with values that can be read: of a flag, that is one value at most.
async fn any_user(ldap: &Ldap, scope: &CallScope) -> Result<StoredUser<String>> {
    let search = ldap.users(&Filter::present(&ldap.schema.id), ldap.schema.attributes(), 1);
    let found = ldap.client.search(scope, &search).await?;
    map::to_user(found.entries.first().ok_or_else(undeclared)?, &ldap.schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attributes_are_read() {
        let descriptions = [
            "( 0.9.2342.19200300.100.1.3 NAME ( 'mail' 'rfc822Mailbox' ) DESC 'it''s a NAME' EQUALITY caseIgnoreIA5Match )",
            "( 1.3.6.1.4.1.32473.1.1 NAME 'customerId' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
            "( 1.2.3 DESC 'nameless' )",
        ];
        let found = names(&descriptions.map(|text| text.as_bytes().to_vec()));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["customerid", "mail", "rfc822mailbox"]);
    }
}
