//! The table of faults, with the answers that each may cause.

use idp_bridge_test_http::Fault as Wire;
use idp_bridge_test_http::Target;

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The codes that a call may be answered with. `ok` is a success.
    pub(crate) codes: &'static [&'static str],
    /// Whether the fault needs an access token, which calls to Cognito's API do not have.
    pub(crate) needs_token: bool,
}

/// A fault and the place of its injection.
#[derive(Debug)]
pub(crate) enum Place {
    /// Bytes between the bridge and any server.
    Connection,
    /// Messages of HTTP.
    Http,
    /// The process of a real server.
    Process,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// The server's process is stopped, with its connections open.
    Paused,
    /// The server's process is killed.
    Killed,
    Down,
    Hanging,
    Wire(Wire),
    /// A response with this status, these headers and this body.
    Response(u16, &'static str, &'static str),
    /// A response without an end.
    Endless,
}

impl Fault {
    /// Returns the target of a relay in front of this host and port.
    pub(crate) fn target(&self, upstream: &str) -> Target {
        let faulty = |wire| Target::Faulty(upstream.to_owned(), wire);
        match &self.kind {
            Kind::Paused | Kind::Killed => Target::At(upstream.to_owned()),
            Kind::Down => Target::Down,
            Kind::Hanging => Target::Hanging,
            Kind::Wire(wire) => faulty(wire.clone()),
            Kind::Response(status, headers, body) => {
                let length = body.len();
                let text = format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\n\r\n{body}");
                faulty(Wire::Respond(text.into_bytes()))
            }
            Kind::Endless => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"id\":\"u-1\"";
                faulty(Wire::RespondWithoutEnd(head.as_bytes().to_vec()))
            }
        }
    }
}

impl Fault {
    /// Returns where the fault is injected.
    pub(crate) fn place(&self) -> Place {
        match &self.kind {
            Kind::Paused | Kind::Killed => Place::Process,
            Kind::Response(..) | Kind::Endless | Kind::Wire(Wire::OldTokensAreRefused) => Place::Http,
            Kind::Wire(_) | Kind::Down | Kind::Hanging => Place::Connection,
        }
    }
}

const fn fault(name: &'static str, kind: Kind, codes: &'static [&'static str]) -> Fault {
    Fault { name, kind, codes, needs_token: false }
}

/// Any answer that says that the identity provider is unavailable.
const UNAVAILABLE: &[&str] = &["upstream_unavailable"];
const INVALID: &[&str] = &["upstream_invalid_response"];
const BROKEN: &[&str] = &["upstream_unavailable", "upstream_invalid_response"];
const LATE: &[&str] = &["deadline_exceeded"];
const LIMITED: &[&str] = &["upstream_rate_limited"];

const JSON: &str = "content-type: application/json\r\n";
const HTML: &str = "content-type: text/html\r\n";
const PAGE: &str = "<html><h1>Welcome to the gateway</h1></html>";

/// All faults.
pub(crate) const FAULTS: &[Fault] = &[
    fault("the server is killed", Kind::Killed, UNAVAILABLE),
    fault("the server is paused", Kind::Paused, LATE),
    fault("each connection is closed at once", Kind::Down, UNAVAILABLE),
    fault("the connection is reset before the request is read", Kind::Wire(Wire::ResetRequest), UNAVAILABLE),
    fault("the request is executed, and its response is lost", Kind::Wire(Wire::LostAnswer), UNAVAILABLE),
    fault("the response ends in its middle", Kind::Wire(Wire::CutAnswer), BROKEN),
    fault("the response comes byte by byte", Kind::Wire(Wire::SlowAnswer), LATE),
    fault("connections hang", Kind::Hanging, LATE),
    fault("the request is executed, and its response never comes", Kind::Wire(Wire::NoAnswer), LATE),
    fault("the response is noise", Kind::Wire(Wire::InvertedAnswer), BROKEN),
    fault("429", Kind::Response(429, JSON, "{}"), LIMITED),
    fault("429 with `retry-after: 7`", Kind::Response(429, "retry-after: 7\r\n", ""), LIMITED),
    fault("500", Kind::Response(500, JSON, "{}"), UNAVAILABLE),
    fault("503", Kind::Response(503, HTML, PAGE), UNAVAILABLE),
    fault("200 with half of a document", Kind::Response(200, JSON, "{\"id\":\"u-1\","), INVALID),
    fault("200 with a page", Kind::Response(200, HTML, PAGE), INVALID),
    fault("200 with an endless body", Kind::Endless, INVALID),
    fault(
        "302 to another host",
        Kind::Response(302, "location: http://127.0.0.2:9/\r\n", ""),
        &["upstream_invalid_response", "misconfigured"],
    ),
    fault("401 with a gateway's page", Kind::Response(401, HTML, PAGE), BROKEN),
    fault("404 with a gateway's page", Kind::Response(404, HTML, PAGE), BROKEN),
    Fault {
        name: "the bridge's access token was revoked",
        kind: Kind::Wire(Wire::OldTokensAreRefused),
        codes: &["ok"],
        needs_token: true,
    },
];
