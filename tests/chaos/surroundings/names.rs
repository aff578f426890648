//! A name server that never answers.

use super::stage::{OK, Stage};
use crate::idp::CALLS;
use crate::support::namespace::SilentNameServer;
use crate::support::sign::Signer;

const KEY: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

pub(super) fn name_server_hangs(stage: &Stage<'_>) -> Result<(), String> {
    let silent = SilentNameServer::start("127.0.53.1");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let named = format!(
        "[server]\nshutdown_delay = \"0s\"\nstate_dir = \"state\"\n\
         [tenants.named]\nwebhook_keys = [\"{KEY}\"]\ndeadline = \"1s\"\n[tenants.named.connector]\ntype = \"keycloak\"\n\
         url = \"https://kc.acme.example\"\nrealm = \"acme\"\nclient_id = \"bridge\"\nclient_secret = \"s3cret\"\n"
    );
    stage.configure(folder.path(), &named);
    let served = stage.serve(silent.serve(folder.path()));
    let signer = Signer::new(KEY, "named");
    let person = stage.idps[0].create("users.get_by_id");
    std::thread::scope(|scope| {
        let others = scope.spawn(|| served.check_all_served());
        for call in CALLS.into_iter().filter(|call| call.starts_with("users.")) {
            let request = stage.idps[0].call_with(&signer, call, &person);
            served.expect(&["deadline_exceeded", "upstream_unavailable"], &request)?;
        }
        others.join().unwrap()
    })?;
    served.expect(OK, &stage.idps[0].probe())?;
    if silent.was_queried() { Ok(()) } else { Err("the name server got no query".to_owned()) }
}
