//! The LDAP connector keeps the contract on OpenLDAP and on an Active Directory.

mod harness;

fn main() -> std::process::ExitCode {
    idp_bridge_conformance::Suites::new(env!("CARGO_TARGET_TMPDIR"))
        .add("openldap", harness::OpenldapHarness::start())
        .add("samba", harness::SambaHarness::start())
        .run()
}
