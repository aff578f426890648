//! Entries that another server has.

use idp_bridge_core::{CustomerId, Email, ErrorKind, UserKey};

use crate::support::{SERVER, ample, config, id, provider, read, start};

#[tokio::test]
async fn references_in_results_are_not_followed() {
    // Were the reference followed, the call would wait for an address without a server.
    let server = start("");
    server.execute(
        "dn: ou=elsewhere,ou=people,dc=acme,dc=example\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\n\
         ref: ldap://192.0.2.1/ou=elsewhere,ou=people,dc=acme,dc=example\n",
    );
    let provider = provider(config(&server));
    let (ada, customer) = (id(&server, "ada"), CustomerId::new("c-1").unwrap());
    for key in [UserKey::Id(&ada), UserKey::Customer(&customer)] {
        assert_eq!(provider.get(&ample(), key).await.unwrap().id, ada);
    }
    let unknown = Email::new("unknown@acme.example").unwrap();
    let error = provider.get(&ample(), UserKey::Email(&unknown)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}

#[tokio::test]
async fn referred_base_is_misconfigured() {
    let server = start("referral ldap://192.0.2.1\n");
    let mut config = config(&server);
    config.base_dn = "dc=other,dc=example".to_owned();
    let error = read(&*provider(config)).await.unwrap_err();
    assert_eq!((error.kind(), error.context("code")), (ErrorKind::Misconfigured, Some("10")), "{error:?}");
    assert!(!format!("{error:?}").contains("192.0.2.1"), "{error:?}");
}

#[tokio::test]
async fn unknown_base_is_misconfigured() {
    for base in ["ou=other,ou=people,dc=acme,dc=example", "dc=other,dc=example", "people"] {
        let mut config = config(&SERVER);
        base.clone_into(&mut config.base_dn);
        let error = read(&*provider(config)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Misconfigured), "{base}: {error:?}");
    }
}
