//! A connection that runs one operation at a time.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use idp_bridge_http::{MAX_BODY, Protection, Stream};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

use crate::ber::{Malformed, message_length};
use crate::error::{Fault, Step};
use crate::message::{self, Entry, Outcome, Response, Search, Write};
use crate::server::Server;

/// The code of a result with more entries than the limit of the search.
const SIZE_LIMIT_EXCEEDED: i32 = 4;
/// The maximum number of pages of a search.
const MAX_PAGES: usize = 100;

/// A connection with the bridge's own entry.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    last_id: i32,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// Whether there are more entries than the limit of the search or of the server.
    pub(crate) is_cut: bool,
    /// The number of parts that other servers have. They are not followed.
    pub(crate) references: usize,
}

impl Connection {
    /// Connects and binds.
    pub(crate) async fn open(server: &Server) -> Result<Self, Fault> {
        let stream = server.dialer.connect(&server.host, server.port).await?;
        let stream: Box<dyn Stream> = match &server.protection {
            Protection::Plain => Box::new(stream),
            Protection::Tls(tls) => tls.start(stream).await?,
            Protection::StartTls(tls) => {
                let mut connection = Connection { stream: Box::new(stream), received: Vec::new(), last_id: 0 };
                connection.run(message::start_tls(), None, Step::StartTls).await?;
                // Data received before the handshake may come from an attacker.
                if !connection.received.is_empty() {
                    return Err(Malformed.into());
                }
                tls.start(connection.stream).await?
            }
        };
        let mut connection = Connection { stream, received: Vec::new(), last_id: 0 };
        let bind = message::bind(&server.bind_dn, server.password.expose());
        connection.run(bind, None, Step::Bind).await?;
        Ok(connection)
    }

    /// Returns whether the connection is open, and the server has sent nothing since its last answer.
    pub(crate) fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        let poll =
            Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut ReadBuf::new(&mut byte));
        self.received.is_empty() && matches!(poll, Poll::Pending)
    }

    /// Runs a search with all of its pages. The server gives each one up at the end of `remaining`.
    pub(crate) async fn search(&mut self, search: &Search, remaining: Duration) -> Result<Found, Fault> {
        let seconds = i32::try_from(remaining.as_secs()).unwrap_or(i32::MAX).saturating_add(1);
        let (mut found, mut cookie, mut bytes) = (Found::default(), Vec::new(), 0);
        for _ in 0..MAX_PAGES {
            let id = self.send(search.encode(seconds), search.page(&cookie)).await?;
            let outcome = loop {
                let (length, response) = self.receive(id).await?;
                bytes += length;
                match response {
                    Response::Entry(entry) if found.entries.len() < search.limit => found.entries.push(entry),
                    Response::Entry(_) => found.is_cut = true,
                    Response::Reference => found.references += 1,
                    Response::End(outcome) => break outcome,
                }
                if bytes > MAX_BODY {
                    return Err(Malformed.into());
                }
            };
            match outcome.code {
                0 => {}
                SIZE_LIMIT_EXCEEDED if !found.entries.is_empty() => found.is_cut = true,
                _ => return Err(Fault::from_outcome(&outcome, Step::Search)),
            }
            // Cookies are opaque (RFC 2696, section 3): 389 Directory Server sends one cookie for all pages of a search
            // (<https://github.com/389ds/389-ds-base>, `pagedresults.c`, read in December 2026).
            if outcome.cookie.is_empty() || found.is_cut {
                return Ok(found);
            }
            cookie = outcome.cookie;
        }
        Err(Malformed.into())
    }

    /// Runs a write.
    pub(crate) async fn write(&mut self, write: &Write) -> Result<(), Fault> {
        self.run(write.encode(), write.assertion(), Step::Write).await
    }

    async fn run(&mut self, operation: Vec<u8>, control: Option<Vec<u8>>, step: Step) -> Result<(), Fault> {
        let id = self.send(operation, control).await?;
        match self.receive(id).await?.1 {
            Response::End(Outcome { code: 0, .. }) => Ok(()),
            Response::End(outcome) => Err(Fault::from_outcome(&outcome, step)),
            Response::Entry(_) | Response::Reference => Err(Malformed.into()),
        }
    }

    async fn send(&mut self, operation: Vec<u8>, control: Option<Vec<u8>>) -> Result<i32, Fault> {
        self.last_id = self.last_id.checked_add(1).ok_or_else(Fault::closed)?;
        self.stream.write_all(&message::message(self.last_id, operation, control)).await?;
        self.stream.flush().await?;
        Ok(self.last_id)
    }

    /// Receives a message that answers this request. Returns its length, too.
    async fn receive(&mut self, id: i32) -> Result<(usize, Response), Fault> {
        let length = loop {
            match message_length(&self.received)? {
                Some(length) if length > MAX_BODY => return Err(Malformed.into()),
                Some(length) if length <= self.received.len() => break length,
                _ => {}
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Fault::closed());
            }
        };
        let rest = self.received.split_off(length);
        let bytes = std::mem::replace(&mut self.received, rest);
        match message::parse(&bytes)? {
            (found, response) if found == id => Ok((length, response)),
            // A message without a request says that the server ends the connection (RFC 4511, section 4.4.1).
            (0, Response::End(_)) => Err(Fault::closed()),
            _ => Err(Malformed.into()),
        }
    }
}
