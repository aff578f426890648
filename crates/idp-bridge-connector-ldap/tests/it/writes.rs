//! Writes to users that change at the same time.

use idp_bridge_connector_ldap::Ldap;
use idp_bridge_core::{
    Connector as _, ConnectorContext, Deleted, Directory, ErrorKind, IdentityProvider as _, Outcome, TenantId,
    UserStore as _,
};
use idp_bridge_test_slapd::SlapdServer;

use crate::support::{ample, config, id, start};

fn directory(server: &SlapdServer) -> Directory<Ldap> {
    Ldap::build(config(server), &ConnectorContext::new(TenantId::new("acme").unwrap())).unwrap()
}

#[tokio::test]
async fn changed_address_is_not_marked() {
    let server = start("");
    let (directory, ada) = (directory(&server), id(&server, "ada"));
    let user = directory.store().read(&ample(), &ada).await.unwrap().unwrap();
    server.execute(
        "dn: uid=ada,ou=people,dc=acme,dc=example\nchangetype: modify\nreplace: mail\nmail: new@acme.example\n",
    );
    let scope = ample();
    assert_eq!(directory.store().set_email_verified(&scope, &user, true).await.unwrap(), None);
    assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
    assert!(!server.find("(uid=ada)").contains("emailVerified"));
    directory.mark_email_verified(&ample(), &ada, None).await.unwrap();
    assert!(server.find("(uid=ada)").contains("emailVerified: TRUE"));
}

#[tokio::test]
async fn entry_of_another_user_is_not_deleted() {
    let server = start("");
    let (directory, ada) = (directory(&server), id(&server, "ada"));
    let user = directory.store().read(&ample(), &ada).await.unwrap().unwrap();
    // The user moves, and another one gets its place.
    server
        .execute("dn: uid=ada,ou=people,dc=acme,dc=example\nchangetype: modrdn\nnewrdn: uid=moved\ndeleteoldrdn: 1\n");
    server
        .execute("dn: uid=grace,ou=people,dc=acme,dc=example\nchangetype: modrdn\nnewrdn: uid=ada\ndeleteoldrdn: 1\n");
    let scope = ample();
    let error = directory.store().delete(&scope, &ada, Some(&user)).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Conflict, Outcome::NotApplied), "{error:?}");
    assert!(server.find("(uid=ada)").contains("grace@acme.example") && server.find("(uid=moved)").contains("ada@"));
    assert_eq!(directory.delete(&ample(), &ada).await.unwrap(), Deleted::Existed);
    assert_eq!(directory.store().delete(&ample(), &ada, Some(&user)).await.unwrap(), Deleted::Absent);
    assert!(server.find("(uid=ada)").contains("grace@acme.example") && server.find("(uid=moved)").is_empty());
}

#[tokio::test]
async fn entries_that_are_no_users_are_not_deleted() {
    let server = start("");
    let (directory, ada) = (directory(&server), id(&server, "ada"));
    let user = directory.store().read(&ample(), &ada).await.unwrap().unwrap();
    let robot = server.find("(cn=robot)");
    let robot = robot.lines().find_map(|line| line.strip_prefix("entryUUID: ")).unwrap();
    let robot = idp_bridge_core::UserId::new(robot).unwrap();
    assert_eq!(directory.delete(&ample(), &robot).await.unwrap(), Deleted::Absent);
    assert!(!server.find("(cn=robot)").is_empty());
    server.execute("dn: cn=device,uid=ada,ou=people,dc=acme,dc=example\nobjectClass: organizationalRole\ncn: device\n");
    let error = directory.store().delete(&ample(), &ada, Some(&user)).await.unwrap_err();
    assert_eq!((error.kind(), error.context("code")), (ErrorKind::State, Some("66")), "{error:?}");
}

#[tokio::test]
async fn write_is_not_sent_on_a_closed_connection() {
    let mut server = start("");
    let (directory, ada) = (directory(&server), id(&server, "ada"));
    let user = directory.store().read(&ample(), &ada).await.unwrap().unwrap();
    server.kill();
    server.restart();
    // The runtime notices the end of the connection.
    tokio::task::yield_now().await;
    assert_eq!(directory.store().delete(&ample(), &ada, Some(&user)).await.unwrap(), Deleted::Existed);
}
