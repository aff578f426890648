//! Results that come in several pages.

use idp_bridge_core::{CustomerId, ErrorKind, UserKey};

use crate::support::{ample, config, provider, start};

#[tokio::test]
async fn each_page_of_a_search_is_read() {
    let server = start("");
    let mut config = config(&server);
    config.page_size = 1;
    let provider = provider(config);
    let customer = CustomerId::new("c-9").unwrap();
    let first = server.add_user("first", "first@acme.example", "c-9");
    let user = provider.get(&ample(), UserKey::Customer(&customer)).await.unwrap();
    assert_eq!(user.id.as_str(), first);
    // The second page has another user: without it the first one would be the result.
    server.add_user("second", "second@acme.example", "c-9");
    let error = provider.get(&ample(), UserKey::Customer(&customer)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error:?}");
}
