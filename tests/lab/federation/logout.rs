//! Tests of logout.

use idp_bridge_conformance::{FederationHarness as _, TokenStatus, Tokens};

use super::stage::{Stage, TENANT, last_requests, log_out, userinfo};
use crate::keycloak::form_request;
use crate::lab::{Lab, alone, running};
use crate::support::bridge::until;
use crate::support::http::Request;

const GONE: TokenStatus = TokenStatus { userinfo: Some(false), introspection: Some(false), refresh: Some(false) };
const ALIVE: TokenStatus = TokenStatus { userinfo: Some(true), introspection: Some(true), refresh: Some(true) };

#[test]
fn logout_revokes_refresh_token_of_own_client() {
    let _running = running();
    let stage = Stage::new();
    let bridge = stage.serve("");
    let mut own = stage.log_in();
    let foreign = stage.log_in_with(|sign_in| sign_in.foreign_client = true);
    let refresh = |tokens: &Tokens| tokens.refresh.as_ref().unwrap().expose().to_owned();
    let reply = log_out(&bridge, own.access.expose(), &[("refresh_token", &refresh(&foreign))]);
    assert_eq!(reply.problem(), (400, "invalid_request".to_owned()));
    let reply = log_out(&bridge, own.access.expose(), &[("refresh_token", &refresh(&own))]);
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(stage.wait(stage.harness.check_tokens(&mut own)), GONE);

    // An application with lightweight tokens, and one without a secret.
    for client in ["light", "spa"] {
        let tokens = stage.log_in_at(client, "openid offline_access");
        let reply = log_out(&bridge, tokens.access.expose(), &[("refresh_token", &refresh(&tokens))]);
        assert_eq!(reply.status, 204, "{client}: {reply:?}");
        let mut tokens = tokens;
        assert_eq!(stage.wait(stage.harness.check_tokens(&mut tokens)), GONE, "{client}");
    }
}

#[test]
fn browser_logout_returns_to_application() {
    let _running = running();
    let stage = Stage::new();
    let bridge = stage.serve("post_logout_redirect_uris = [\"https://app.example/bye\"]\n");
    let mut tokens = stage.log_in();
    let hint = tokens.id.as_ref().unwrap().expose().to_owned();
    let fields = [
        ("client_id", "web"),
        ("post_logout_redirect_uri", "https://app.example/bye"),
        ("state", "a b&c=d"),
        ("id_token_hint", &hint),
    ];
    let query = String::from_utf8(form_request("", &fields).body).unwrap();
    let reply = Request::get(&format!("{TENANT}/logout?{query}")).send(bridge.address());
    assert_eq!(reply.status, 303, "{reply:?}");
    assert_eq!(stage.wait(stage.harness.check_tokens(&mut tokens)), ALIVE, "the bridge itself ends nothing here");
    let address = Lab::get_running().keycloak_address();
    let target = reply.headers["location"].strip_prefix(&format!("http://{address}")).unwrap().to_owned();
    let back = Request::get(&target).header("host", &address).send(&address);
    assert_eq!((back.status, back.headers["location"].as_str()), (302, "https://app.example/bye?state=a+b%26c%3Dd"));
    assert_eq!(stage.wait(stage.harness.check_tokens(&mut tokens)), GONE);
    assert_eq!(userinfo(&bridge, tokens.access.expose()).status, 401);

    let elsewhere = query.replace("app.example", "evil.example");
    let reply = Request::get(&format!("{TENANT}/logout?{elsewhere}")).send(bridge.address());
    assert_eq!((reply.status, reply.headers.get("location")), (400, None), "{reply:?}");
}

#[test]
fn back_channel_logout_ends_the_login() {
    let _running = running();
    let stage = Stage::new();
    // Without the logout token, the cache would answer for a minute.
    let bridge = stage.serve("cache = \"60s\"\n");
    let url = format!("{}{TENANT}/backchannel-logout", bridge.url());
    stage.wait(stage.harness.set_back_channel(&url));
    let (ended, other) = (stage.log_in(), stage.log_in());
    for tokens in [&ended, &other] {
        assert_eq!(userinfo(&bridge, tokens.access.expose()).status, 200);
    }
    stage.wait(stage.harness.end_login(&ended));
    assert_eq!(userinfo(&bridge, ended.access.expose()).status, 401);
    let still = userinfo(&bridge, other.access.expose());
    assert_eq!((still.status, last_requests(&bridge, &still)), (200, 0));
}

#[test]
fn logout_during_outage_rejects_the_token() {
    let _alone = alone();
    let lab = Lab::get_running();
    let stage = Stage::new();
    let bridge = stage.serve("");
    let (mut listed, other) = (stage.log_in(), stage.log_in());
    assert_eq!(userinfo(&bridge, listed.access.expose()).status, 200);

    lab.stop_keycloak();
    let reply = log_out(&bridge, listed.access.expose(), &[]);
    assert!(matches!(reply.problem().0, 503 | 504), "{reply:?}");
    assert_eq!(userinfo(&bridge, listed.access.expose()).status, 401, "it is listed");
    let unknown = userinfo(&bridge, other.access.expose());
    assert!(matches!(unknown.problem().0, 503 | 504), "an outage must not end logins: {unknown:?}");
    drop(bridge);
    // A restarted bridge has no keys yet, and cannot validate the token.
    let bridge = stage.serve("");
    assert!(matches!(log_out(&bridge, other.access.expose(), &[]).problem().0, 503 | 504));

    lab.start_keycloak();
    lab.wait_for_keycloak();
    assert_eq!(stage.wait(stage.harness.check_tokens(&mut listed)).refresh, Some(true), "the login is not ended");
    assert_eq!(userinfo(&bridge, listed.access.expose()).status, 401, "it is still listed");
    let works = until(|| (userinfo(&bridge, other.access.expose()).status == 200).then_some(()));
    assert_eq!(works, Some(()), "the other login lives on");
    assert_eq!(log_out(&bridge, listed.access.expose(), &[]).status, 204);
    assert_eq!(stage.wait(stage.harness.check_tokens(&mut listed)), GONE);
}
