//! Counts logins by the realm's login events.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{CallScope, ErrorKind, Result, UserId};
use serde::Deserialize;

use crate::client::AdminApi;
use crate::error::Step;

/// The number of events of a page. An event has about half a kilobyte, and an answer at most a megabyte.
const PAGE_SIZE: usize = 500;

/// The maximum number of pages. More logins are not counted.
const MAX_PAGES: usize = 10;

/// Login data of a user.
#[derive(Default)]
pub(crate) struct Logins {
    /// The newest login that the realm still has.
    pub(crate) last: Option<Timestamp>,
    /// The number of logins that the realm still has.
    pub(crate) count: Option<i64>,
}

/// The part of the realm's event settings that the bridge reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventsConfig {
    #[serde(default)]
    events_enabled: bool,
    #[serde(default)]
    enabled_event_types: Vec<String>,
}

impl EventsConfig {
    /// Reads the settings.
    pub(crate) async fn read(api: &AdminApi, scope: &CallScope) -> Result<Self> {
        api.read(scope, Step::ReadEvents, &["events", "config"], &[]).await
    }

    /// Returns whether the realm saves logins.
    pub(crate) fn keeps_logins(&self) -> bool {
        self.events_enabled && self.enabled_event_types.iter().any(|kind| kind == "LOGIN")
    }
}

/// The time of one event, in milliseconds since 1970.
#[derive(Deserialize)]
struct LoginEvent {
    time: i64,
}

impl Logins {
    /// Reads the user's logins, by paging, because Keycloak has no count of events.
    ///
    /// Without the right to view events, or if the realm does not save logins, both fields are absent:
    /// an empty list would mean a user without logins, and an old list one without recent logins.
    /// A count that takes too long is absent, never partial.
    pub(crate) async fn read(api: &AdminApi, scope: &CallScope, id: &UserId) -> Result<Self> {
        match EventsConfig::read(api, scope).await {
            Ok(config) if config.keeps_logins() => {}
            Err(error) if error.kind() != ErrorKind::PermissionDenied => return Err(error),
            Ok(_) | Err(_) => return Ok(Self::default()),
        }
        let reserve = scope.remaining() / 2;
        let (mut logins, mut seen) = (Self::default(), 0);
        for _ in 0..MAX_PAGES {
            // The newest first.
            let page: Vec<LoginEvent> = api.read(scope, Step::ReadEvents, &["events"], &query(id, seen)).await?;
            if let (0, Some(newest)) = (seen, page.first()) {
                logins.last = Timestamp::from_millisecond(newest.time).ok();
            }
            seen += page.len();
            if page.len() < PAGE_SIZE {
                logins.count = i64::try_from(seen).ok();
                break;
            }
            if scope.remaining() < reserve {
                break;
            }
        }
        Ok(logins)
    }
}

/// Returns the query of the page of the user's logins that begins with this event.
fn query(id: &UserId, first: usize) -> [(&'static str, String); 4] {
    [
        ("type", "LOGIN".into()),
        ("user", id.as_str().into()),
        ("first", first.to_string()),
        ("max", PAGE_SIZE.to_string()),
    ]
}
