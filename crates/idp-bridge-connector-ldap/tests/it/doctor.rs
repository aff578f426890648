//! The findings of `doctor` for wrong rights and settings, and the errors of calls with them.

use idp_bridge_connector_ldap::LdapConfig;
use idp_bridge_core::{CallKind, CustomerId, ErrorKind, Finding, UserKey, Verdict};

use crate::support::{BRIDGE, RIGHTS, SERVER, ample, config, provider, read, start};

async fn diagnose(config: LdapConfig, check: &str) -> Finding {
    let findings = provider(config).diagnose(&ample()).await;
    let found = findings.iter().find(|finding| finding.check.contains(check));
    found.unwrap_or_else(|| panic!("{check}: {findings:?}")).clone()
}

#[tokio::test]
async fn healthy_directory_has_no_doubts_and_no_changes() {
    let server = start("");
    let before = server.find("(objectClass=*)");
    let scope = ample();
    let findings = provider(config(&server)).diagnose(&scope).await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
    assert_eq!(findings[0].detail.as_deref(), Some("clear text"));
    assert!(!scope.recorder().has_written());
    assert_eq!(server.find("(objectClass=*)"), before);
}

#[tokio::test]
async fn unknown_attributes_are_named() {
    let mut wrong = config(&SERVER);
    wrong.attributes.customer = Some("customerNumber".to_owned());
    wrong.attributes.blocked = Some("nsAccountLock".to_owned());
    let finding = diagnose(wrong.clone(), "the attribute `customerNumber`").await;
    assert_eq!((finding.verdict, finding.calls), (Verdict::Failed, vec![CallKind::GetByCustomer]));
    assert_eq!(diagnose(wrong.clone(), "the attribute `nsAccountLock`").await.verdict, Verdict::Failed);
    // A directory answers a search by an unknown attribute with an empty result.
    let customer = CustomerId::new("c-1").unwrap();
    let error = provider(wrong).get(&ample(), UserKey::Customer(&customer)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    assert!(error.hint().unwrap().contains("`customerNumber`"), "{error:?}");
}

#[tokio::test]
async fn attributes_need_rights_to_search_and_read() {
    for (rights, denied) in [("search", true), ("read", false), ("none", true)] {
        let mut server = start("");
        server.kill();
        server.set_database(&format!("access to attrs=mail by dn.exact=\"{BRIDGE}\" {rights} by * none\n{RIGHTS}"));
        server.restart();
        let result = read(&*provider(config(&server))).await.map(drop).map_err(|error| error.kind());
        assert_eq!(result, if denied { Err(ErrorKind::PermissionDenied) } else { Ok(()) }, "{rights}");
        let finding = diagnose(config(&server), "found by `mail`").await;
        assert_eq!(finding.verdict == Verdict::Failed, denied, "{rights}: {finding:?}");
    }
}

#[tokio::test]
async fn wrong_filter_finds_no_users() {
    let mut wrong = config(&SERVER);
    wrong.user_filter = Some("(objectClass=account)".to_owned());
    let error = read(&*provider(wrong)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    let mut narrow = config(&SERVER);
    narrow.user_filter = Some("(&(objectClass=inetOrgPerson)(!(uid=ada)))".to_owned());
    let error = read(&*provider(narrow)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}

#[tokio::test]
async fn flag_with_both_values_is_not_probed() {
    let mut server = start("");
    server.kill();
    server.set_database(&format!("access to attrs=description by dn.exact=\"{BRIDGE}\" write by * none\n{RIGHTS}"));
    server.restart();
    for uid in ["ada", "grace"] {
        server.execute(&format!(
            "dn: uid={uid},ou=people,dc=acme,dc=example\nchangetype: modify\nadd: description\ndescription: TRUE\n\
             description: FALSE\n"
        ));
    }
    let before = server.find("(objectClass=*)");
    let mut config = config(&server);
    config.attributes.email_verified = Some("description".to_owned());
    assert_eq!(diagnose(config, "may write `description`").await.verdict, Verdict::NotVisible);
    assert_eq!(server.find("(objectClass=*)"), before);
}
