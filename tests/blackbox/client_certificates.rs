//! Tests of the client certificate of a tenant (`client_certificate_file`) with nginx, which verifies it with OpenSSL.

use std::net::SocketAddr;

use idp_bridge_test_http::{Certificates, unused_address};
use serde_json::json;

use crate::fixture::{Configured, KEY, signer};
use crate::nginx::Nginx;
use crate::support::bridge::until;
use crate::support::http::Reply;

const USER: &str = "43180368-bb2a-4a4a-b8b7-000000000001";

/// Starts an nginx that requires client certificates of this authority, with the token and one user of a realm.
fn start_nginx(address: SocketAddr, own: &Certificates, client_authority: &str) -> Nginx {
    let user = json!({
        "id": USER, "username": "ada", "email": "ada@acme.example", "emailVerified": true, "enabled": true,
        "createdTimestamp": 1_700_000_000_000_u64, "attributes": {"customer_id": ["c-1"]}
    });
    let http = format!(
        "default_type application/json; ssl_certificate own.pem; ssl_certificate_key own.key;\n\
         ssl_client_certificate clients.pem; ssl_verify_client on;\n\
         server {{ listen {address} ssl;\n\
         location = /realms/acme/protocol/openid-connect/token {{\n\
         return 200 '{{\"access_token\": \"t\", \"expires_in\": 60, \"token_type\": \"Bearer\"}}'; }}\n\
         location = /admin/realms/acme/users/{USER} {{ return 200 '{user}'; }} }}"
    );
    let files = [("own.pem", own.certificate.as_str()), ("own.key", &own.key), ("clients.pem", client_authority)];
    Nginx::start(address, &http, &files)
}

fn configuration(port: u16, login: &str) -> String {
    format!(
        "[server]\nshutdown_delay = \"0s\"\n[tenants.acme]\nwebhook_keys = [\"{KEY}\"]\n[tenants.acme.connector]\n\
         type = \"keycloak\"\nurl = \"https://localhost:{port}\"\nrealm = \"acme\"\nclient_id = \"idp-bridge\"\n\
         ca_file = \"ca.pem\"\n{login}\n"
    )
}

#[test]
fn nginx_accepts_the_current_client_certificate() {
    let [own, client, stranger] = ["localhost", "idp-bridge", "stranger"].map(Certificates::issue);
    let address = unused_address();
    let _nginx = start_nginx(address, &own, &client.authority);
    let with_certificate =
        configuration(address.port(), "client_certificate_file = \"client.pem\"\nclient_key_file = \"client.key\"");
    let configured = Configured::new(&with_certificate);
    let write = |certificates: &Certificates| {
        configured.write("client.key", &certificates.key);
        configured.write("client.pem", &certificates.certificate);
    };
    configured.write("ca.pem", &own.authority);
    write(&client);
    let bridge = configured.serve();
    let call = || signer().call("users.get_by_id", json!({"id": USER})).send(bridge.address());
    let wait_for = |status: u16| -> Reply {
        until(|| Some(call()).filter(|reply| reply.status == status)).unwrap_or_else(|| panic!("{:?}", call()))
    };
    assert_eq!(wait_for(200).json()["user"]["customer"], "c-1");
    write(&stranger);
    assert_eq!(wait_for(502).json()["code"], "upstream_invalid_response");
    write(&client);
    wait_for(200);
    configured.write("idp-bridge.toml", &configuration(address.port(), "client_secret = \"s\""));
    assert_eq!(wait_for(502).json()["code"], "upstream_invalid_response");
}
