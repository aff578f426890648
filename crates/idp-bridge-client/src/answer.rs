//! The responses of a bridge.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use idp_bridge_core::{Call, CallKind};
use idp_bridge_protocol::answer::{DeleteAnswer, DoneAnswer, PingAnswer, UserAnswer};
use idp_bridge_protocol::{MEDIA_TYPE, Operation, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ClientError;

/// The maximum size of a response: 256 KiB.
pub const MAX_ANSWER: usize = 256 * 1024;

/// A successful response. Serializes to the body that the bridge sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The response to a get.
    User(Box<UserAnswer>),
    /// The response to a delete.
    Deleted(DeleteAnswer),
    /// The response to the other writes.
    Done(DoneAnswer),
    /// The response to a ping.
    Pong(Box<PingAnswer>),
}

impl Answer {
    /// Reads the response to an operation.
    pub(crate) async fn read(operation: &Operation, answer: reqwest::Response) -> Result<Self, ClientError> {
        let (status, retry_after) = (answer.status(), retry_after(answer.headers()));
        let media_type = media_type(answer.headers());
        let body = read_body(answer).await?;
        if status == StatusCode::OK && media_type.as_deref() == Some("application/json") {
            return Self::parse(operation, &body).ok_or(ClientError::UnexpectedResponse { status });
        }
        if media_type.as_deref() == Some(MEDIA_TYPE)
            && let Ok(problem) = serde_json::from_slice::<Problem>(&body)
        {
            return Err(ClientError::Problem { problem: Box::new(problem), retry_after });
        }
        Err(ClientError::UnexpectedResponse { status })
    }

    fn parse(operation: &Operation, body: &[u8]) -> Option<Self> {
        match operation {
            Operation::Ping => json(body).map(Box::new).map(Self::Pong),
            Operation::Users(Call::GetById(_) | Call::GetByEmail(_) | Call::GetByCustomer(_)) => {
                json(body).map(Box::new).map(Self::User)
            }
            Operation::Users(call) if call.kind() == CallKind::Delete => json(body).map(Self::Deleted),
            Operation::Users(_) => json(body).map(Self::Done),
        }
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

pub(crate) async fn read_body(mut answer: reqwest::Response) -> Result<Bytes, ClientError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(ClientError::from_reqwest)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ClientError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Returns the media type in lower case, without parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
