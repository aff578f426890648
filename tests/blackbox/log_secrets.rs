//! Tests that the log contains no secrets, even at `trace`.

use idp_bridge_conformance::{Harness as _, NewUser};
use idp_bridge_connector_cognito_testing::harness::CognitoHarness;
use idp_bridge_core::{Email, Secret};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::fixture::{Configured, signer};

#[test]
fn aws_keys_are_not_logged() {
    let runtime = Runtime::new().unwrap();
    let harness = runtime.block_on(CognitoHarness::start_with_fake()).unwrap();
    let user = NewUser::person(Email::new("ada@acme.example").unwrap());
    let id = runtime.block_on(harness.create(user)).unwrap();
    let config = harness.config();
    let key = config.access_key_id.unwrap();
    let configured = Configured::new(&format!(
        "[server.log]\nfilter = \"trace\"\n[tenants.acme]\nwebhook_keys_file = [\"webhook\"]\ncustomer.missing = \"use_id\"\n\
         [tenants.acme.connector]\ntype = \"cognito\"\nuser_pool_id = \"{}\"\nendpoint = \"{}\"\naccess_key_id = \"{key}\"\n\
         secret_access_key = \"{}\"\n",
        config.user_pool_id,
        harness.fake().url(),
        config.secret_access_key.as_ref().map(Secret::expose).unwrap(),
    ));
    let bridge = configured.serve();
    let reply = signer().call("users.get_by_id", json!({"id": id.as_str()})).send(bridge.address());
    assert_eq!(reply.status, 200, "{reply:?}");
    bridge.wait_for_log("\"TRACE\"");
    bridge.wait_for_log("users.get_by_id");
    let leaks: Vec<String> = bridge.log().into_iter().filter(|line| line.contains(&key)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
