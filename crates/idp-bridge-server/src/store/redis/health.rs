//! Checks that the server can be reached, and that it loses nothing.

use idp_bridge_core::{Error, Finding};
use redis::Value;

use super::link::Link;

/// Returns the findings about the server.
pub(super) async fn diagnose(link: &Link) -> Vec<Finding> {
    let reached = "the shared store can be reached";
    let info = match link.query(&redis::cmd("INFO")).await {
        Ok(value) => value,
        Err(error) => return vec![unreached(reached, &error)],
    };
    let mut text = String::new();
    collect_text(&info, &mut text);
    let version = values(&text, "redis_version").next().map(|version| format!("version {version}"));
    let reached = Finding::ok(reached, &[]);
    vec![
        version.map_or(reached.clone(), |version| reached.with_detail(version)),
        check_eviction(&text),
        check_aof(&text),
    ]
}

fn unreached(check: &str, error: &Error) -> Finding {
    let fix = error.hint().unwrap_or("check `[server.store]` and the server").to_owned();
    let mut detail = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        // The text of some errors contains that of their cause.
        if !detail.ends_with(&error.to_string()) {
            detail += &format!(": {error}");
        }
        cause = error.source();
    }
    Finding::failed(check, &[], fix).with_detail(detail)
}

fn check_eviction(info: &str) -> Finding {
    let check = "the shared store evicts nothing";
    let setting = "`maxmemory-policy`";
    match values(info, "maxmemory_policy").find(|policy| *policy != "noeviction") {
        Some(policy) => {
            let fix =
                format!("set {setting} to `noeviction`: an ended login is accepted again if its entry was evicted");
            Finding::failed(check, &[], fix).with_detail(format!("{setting} is `{policy}`"))
        }
        None => visible(check, info, "maxmemory_policy"),
    }
}

fn check_aof(info: &str) -> Finding {
    let check = "the shared store survives a restart";
    match values(info, "aof_enabled").find(|enabled| *enabled != "1") {
        Some(_) => {
            let fix =
                "set `appendonly yes`: without it ended logins are accepted after a restart, and writes run again";
            Finding::failed(check, &[], fix).with_detail("`appendonly` is `no`")
        }
        None => visible(check, info, "aof_enabled"),
    }
}

/// Returns a passed check if the server shows this value.
fn visible(check: &str, info: &str, name: &str) -> Finding {
    if values(info, name).next().is_some() {
        return Finding::ok(check, &[]);
    }
    Finding::not_visible(check, &[], format!("the server does not show `{name}`: check its settings by hand"))
}

/// Returns the values of a name, one for each node.
fn values<'i>(info: &'i str, name: &str) -> impl Iterator<Item = &'i str> {
    info.lines()
        .filter_map(move |line| line.split_once(':').filter(|(own, _)| *own == name))
        .map(|(_, value)| value.trim())
}

/// Appends all texts of a value. A cluster returns one text for each node.
fn collect_text(value: &Value, text: &mut String) {
    match value {
        Value::BulkString(bytes) => *text += &(String::from_utf8_lossy(bytes) + "\n"),
        Value::SimpleString(own) | Value::VerbatimString { text: own, .. } => *text += &format!("{own}\n"),
        Value::Array(values) | Value::Set(values) => values.iter().for_each(|value| collect_text(value, text)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| collect_text(value, text)),
        _ => {}
    }
}
