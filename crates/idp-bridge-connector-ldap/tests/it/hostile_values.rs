//! Values that try to become a part of a filter or of a name.

use idp_bridge_core::{CustomerId, Deleted, Email, ErrorKind, UserId, UserKey};

use crate::support::{ample, config, provider, read, start};

const HOSTILE: [&str; 12] = [
    "*",
    "c-*",
    "c-1)(objectClass=*",
    "*)(uid=*))(|(uid=*",
    "c-1)",
    "\\2a",
    "c\\2d1",
    "\\",
    "c-1,ou=people",
    "#04024869",
    "ｃ-1",
    "c-1\u{202e}",
];

#[tokio::test]
async fn hostile_values_are_stored_and_found() {
    let server = start("");
    let mut config = config(&server);
    // An id that is a text is compared byte for byte, too.
    config.attributes.id = Some("employeeNumber".to_owned());
    config.attributes.email = Some("description".to_owned());
    let provider = provider(config);
    for (number, text) in HOSTILE.into_iter().enumerate() {
        let name = format!(
            "dn: uid=h{number},ou=people,dc=acme,dc=example\nobjectClass: inetOrgPerson\nobjectClass: tenantUser"
        );
        server.execute(&format!(
            "{name}\nuid: h{number}\ncn: H\nsn: H\nemployeeNumber: {number}{text}\ncustomerId: {text}{number}\n\
             description: x{text}@{number}.example\n"
        ));
        let id = UserId::new(format!("{number}{text}")).unwrap();
        let customer = CustomerId::new(format!("{text}{number}")).unwrap();
        let email = Email::new(format!("x{text}@{number}.example")).unwrap();
        for key in [UserKey::Id(&id), UserKey::Customer(&customer), UserKey::Email(&email)] {
            assert_eq!(provider.get(&ample(), key).await.unwrap().id, id, "{text}");
        }
        provider.mark_email_verified(&ample(), &id, Some(&email)).await.unwrap();
        assert_eq!(provider.get(&ample(), UserKey::Id(&id)).await.unwrap().email_verified, Some(true));
        let other = UserId::new(id.as_str().to_uppercase()).unwrap();
        if other != id {
            let error = provider.get(&ample(), UserKey::Id(&other)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{text}: {error:?}");
        }
        assert_eq!(provider.delete(&ample(), &id).await.unwrap(), Deleted::Existed);
    }
    let ada = crate::support::provider(crate::support::config(&server));
    assert_eq!(read(&*ada).await.unwrap().email_verified, Some(false));
}
