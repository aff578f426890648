//! Login data, counted from the realm's login events.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{CallScope, ErrorKind, Result, UserId};

use crate::client::AdminApi;

/// An event is about half a kilobyte, and an answer may have a megabyte.
const PAGE: usize = 500;

/// More logins than this are not counted.
const MOST_PAGES: usize = 10;

/// What the events tell; what they cannot tell is absent.
#[derive(Default)]
pub(crate) struct Logins {
    /// The newest login that the realm still has.
    pub(crate) last: Option<Timestamp>,
    /// How many the realm still has.
    pub(crate) count: Option<i64>,
}

impl Logins {
    /// Reads the user's logins.
    ///
    /// All is absent if the client may not see events, or if the realm does not keep them: an empty list would then
    /// look like a user that has never logged in, and an old list like one that came back no more.
    pub(crate) async fn of(api: &AdminApi, scope: &CallScope, id: &UserId) -> Result<Self> {
        match api.events_config(scope).await {
            Ok(config) if config.keeps_logins() => Self::count(api, scope, id).await,
            Ok(_) => Ok(Self::default()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Counts by paging, since Keycloak has no count of events. A count that would take too long is absent, never
    /// partial.
    async fn count(api: &AdminApi, scope: &CallScope, id: &UserId) -> Result<Self> {
        let reserve = scope.remaining() / 2;
        let mut logins = Self::default();
        let mut seen = 0;
        for _ in 0..MOST_PAGES {
            let page = api.logins(scope, id, seen, PAGE).await?;
            if let (0, Some(newest)) = (seen, page.first()) {
                logins.last = Timestamp::from_millisecond(newest.time).ok();
            }
            seen += page.len();
            if page.len() < PAGE {
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
