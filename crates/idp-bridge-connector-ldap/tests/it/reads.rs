//! Users by id, email and customer.

use idp_bridge_core::{CustomerId, Email, ErrorKind, UserKey};

use crate::support::{SERVER, ample, config, id, provider};

#[tokio::test]
async fn user_is_found_by_each_key() {
    let provider = provider(config(&SERVER));
    let (id, email) = (id(&SERVER, "ada"), Email::new("ADA@acme.example").unwrap());
    let customer = CustomerId::new("c-1").unwrap();
    for key in [UserKey::Id(&id), UserKey::Email(&email), UserKey::Customer(&customer)] {
        let user = provider.get(&ample(), key).await.unwrap();
        assert_eq!((user.id, user.email_verified), (id.clone(), Some(false)));
        assert!(user.create_time.is_some() && user.update_time.is_some() && user.blocked.is_none());
    }
    let robot = CustomerId::new("c-3").unwrap();
    let error = provider.get(&ample(), UserKey::Customer(&robot)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}
