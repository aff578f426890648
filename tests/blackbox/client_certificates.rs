//! Tests of the client certificate of a tenant (`client_certificate_file`) with nginx, which verifies it with OpenSSL.

use std::process::{Child, Command};

use idp_bridge_test_http::{Certificates, unused_address};
use serde_json::json;
use tempfile::TempDir;

use crate::fixture::{Configured, KEY, signer};
use crate::support::bridge::until;
use crate::support::http::Reply;

const USER: &str = "43180368-bb2a-4a4a-b8b7-000000000001";

/// An nginx that requires client certificates, with the token and one user of a realm. It is stopped when this is dropped.
struct Nginx {
    _folder: TempDir,
    process: Child,
    port: u16,
}

impl Nginx {
    /// Starts nginx with a certificate, for clients with certificates of this authority.
    fn start(own: &Certificates, client_authority: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, shown) = (unused_address(), folder.path().display());
        let user = json!({
            "id": USER, "username": "ada", "email": "ada@acme.example", "emailVerified": true, "enabled": true,
            "createdTimestamp": 1_700_000_000_000_u64, "attributes": {"customer_id": ["c-1"]}
        });
        let text = format!(
            "daemon off; pid {shown}/pid; error_log {shown}/error; events {{ }}\n\
             http {{ access_log off; client_body_temp_path {shown}/b; proxy_temp_path {shown}/p; fastcgi_temp_path {shown}/f;\n\
             uwsgi_temp_path {shown}/u; scgi_temp_path {shown}/s; default_type application/json;\n\
             ssl_certificate {shown}/own.pem; ssl_certificate_key {shown}/own.key;\n\
             ssl_client_certificate {shown}/clients.pem; ssl_verify_client on;\n\
             server {{ listen {address} ssl;\n\
             location = /realms/acme/protocol/openid-connect/token {{\n\
             return 200 '{{\"access_token\": \"t\", \"expires_in\": 60, \"token_type\": \"Bearer\"}}'; }}\n\
             location = /admin/realms/acme/users/{USER} {{ return 200 '{user}'; }} }} }}\n"
        );
        let files = [
            ("own.pem", own.certificate.as_str()),
            ("own.key", &own.key),
            ("clients.pem", client_authority),
            ("nginx.conf", &text),
        ];
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        let process = Command::new("nginx").arg("-c").arg(folder.path().join("nginx.conf")).spawn().unwrap();
        until(|| std::net::TcpStream::connect(address).ok()).expect("nginx starts");
        Self { _folder: folder, process, port: address.port() }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It ends its own processes.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
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
    let nginx = Nginx::start(&own, &client.authority);
    let with_certificate =
        configuration(nginx.port, "client_certificate_file = \"client.pem\"\nclient_key_file = \"client.key\"");
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
    configured.write("idp-bridge.toml", &configuration(nginx.port, "client_secret = \"s\""));
    assert_eq!(wait_for(502).json()["code"], "upstream_invalid_response");
}
