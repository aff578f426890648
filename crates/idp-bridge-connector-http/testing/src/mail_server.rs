//! A mail server that counts the mails to each address, and delivers none.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A running mail server (RFC 5321, without extensions).
#[derive(Debug, Clone)]
pub(crate) struct MailServer {
    port: u16,
    mails: Arc<Mutex<HashMap<String, usize>>>,
    /// Counts the deliveries, so that a reader can wait for the next one.
    deliveries: watch::Receiver<usize>,
}

impl MailServer {
    /// Starts the server on a port of 127.0.0.1; 0 chooses a free one.
    pub(crate) async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let (sender, deliveries) = watch::channel(0);
        let server = Self { port: listener.local_addr()?.port(), mails: Arc::default(), deliveries };
        let mails = Arc::clone(&server.mails);
        let sender = Arc::new(sender);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(receive(stream, Arc::clone(&mails), Arc::clone(&sender)));
            }
        });
        Ok(server)
    }

    /// Returns the port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of mails to an address, after none to it has arrived for a while.
    ///
    /// Products send mails in the background, and the end of that cannot be observed.
    pub(crate) async fn count(&self, address: &str) -> usize {
        let address = address.to_ascii_lowercase();
        let count = || lock(&self.mails).get(&address).copied().unwrap_or_default();
        let mut deliveries = self.deliveries.clone();
        let mut counted = count();
        loop {
            let more = deliveries.wait_for(|_| count() > counted);
            match tokio::time::timeout(QUIET, more).await {
                Ok(Ok(_)) => counted = count(),
                _ => return counted,
            }
        }
    }
}

/// The time without a mail after which all mails have arrived.
const QUIET: Duration = Duration::from_millis(2500);

fn lock(mails: &Mutex<HashMap<String, usize>>) -> MutexGuard<'_, HashMap<String, usize>> {
    mails.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Speaks the server's side of one connection.
async fn receive(
    stream: TcpStream,
    mails: Arc<Mutex<HashMap<String, usize>>>,
    deliveries: Arc<watch::Sender<usize>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 localhost ESMTP\r\n").await?;
    let (mut recipients, mut in_data, mut line) = (Vec::new(), false, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let text = line.trim_end();
        let answer = if in_data {
            if text != "." {
                continue;
            }
            in_data = false;
            for recipient in recipients.drain(..) {
                *lock(&mails).entry(recipient).or_default() += 1;
            }
            deliveries.send_modify(|count| *count += 1);
            "250 ok"
        } else {
            let command = text.to_ascii_uppercase();
            if command.starts_with("DATA") {
                in_data = true;
                "354 go on"
            } else if command.starts_with("RCPT TO:") {
                let address = text.split(['<', '>']).nth(1).unwrap_or_default().to_ascii_lowercase();
                if address.starts_with("undeliverable") {
                    "550 refused"
                } else {
                    recipients.push(address);
                    "250 ok"
                }
            } else if command.starts_with("QUIT") {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            } else {
                "250 localhost"
            }
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
