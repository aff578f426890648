//! Redis, and the clock of the caller.

use idp_bridge_test_redis::RedisServer;
use serde_json::json;

use super::stage::{OK, Stage};
use crate::support::bridge::Bridge;
use crate::support::http::Request;
use crate::support::sign::{Signer, now};

const SERVER: &str = "[server]\nshutdown_delay = \"0s\"\n";

pub(super) fn redis_is_paused(stage: &Stage<'_>) -> Result<(), String> {
    let redis = RedisServer::start();
    let codes = &["overloaded", "deadline_exceeded"];
    with_redis_unavailable(stage, redis, codes, (|redis| redis.pause(), |redis| redis.resume()))
}

pub(super) fn redis_is_killed(stage: &Stage<'_>) -> Result<(), String> {
    with_redis_unavailable(stage, RedisServer::start(), &["overloaded"], (RedisServer::kill, RedisServer::restart))
}

fn with_redis_unavailable(
    stage: &Stage<'_>,
    mut redis: RedisServer,
    refused: &[&str],
    (begin, end): (impl Fn(&mut RedisServer), impl Fn(&mut RedisServer)),
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("{SERVER}[server.store]\ntype = \"redis\"\nurls = [\"{}\"]\n", redis.url());
    stage.configure(folder.path(), &store);
    let served = stage.serve(Bridge::serve(&folder.path().join("idp-bridge.toml")));
    served.check_all_served()?;
    let requests: Vec<_> = stage.idps.iter().map(|idp| served.requests_of(idp)).collect();
    begin(&mut redis);
    let during = requests.iter().flatten().enumerate().try_for_each(|(number, request)| {
        let codes = if request.target.ends_with("webhook") && is_read(request) { OK } else { refused };
        served.expect(codes, request).map(drop).map_err(|error| format!("request {number}: {error}"))
    });
    end(&mut redis);
    during?;
    requests.iter().flatten().try_for_each(|request| served.recover(request))
}

fn is_read(request: &Request) -> bool {
    request.body.windows(10).any(|part| part == b"users.get_")
}

pub(super) fn clocks_differ(stage: &Stage<'_>) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    stage.configure(folder.path(), &format!("{SERVER}state_dir = \"state\"\n"));
    let served = stage.serve(Bridge::serve(&folder.path().join("idp-bridge.toml")));
    served.check_all(|idp| {
        let person = idp.create("users.delete");
        let signer = Signer::new(&idp.home.key, idp.home.tenant);
        let body = json!({
            "type": "users.delete", "timestamp": "2026-01-02T03:04:05Z", "tenant": idp.home.tenant,
            "data": {"id": person.id.as_str()},
        });
        let call = |id: &str, minutes: i64| signer.sign(id, now() + 60 * minutes, body.to_string());
        for (id, minutes) in [("msg_ahead", 6), ("msg_behind", -6)] {
            served.expect(&["timestamp_out_of_range"], &call(id, minutes))?;
        }
        served.expect(OK, &idp.call("users.get_by_id", &person))?;
        served.expect(OK, &call("msg_near", -4)).map(drop)
    })
}
