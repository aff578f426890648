//! A connection to a mail server, for one mail (RFC 5321).

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_core::{Error, ErrorKind, Result};
use idp_bridge_http::{HostTls, Protection, Stream, transport_error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::message::Mail;
use super::reply::{Fault, Reply, Step, closed, malformed};
use super::server::{Login, Server};

/// A session with a mail server.
pub(super) struct Session {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    /// The answer to the last `EHLO`.
    hello: Reply,
}

impl Session {
    /// Connects, and logs in.
    pub(super) async fn open(server: &Server) -> Result<Self> {
        let stream = server.dialer.connect(&server.host, server.port).await?;
        let name = address_literal(stream.local_addr().ok());
        let stream: Box<dyn Stream> = match &server.protection {
            Protection::Tls(tls) => tls.start(stream).await?,
            Protection::StartTls(_) | Protection::Plain => Box::new(stream),
        };
        let mut session = Self { stream, received: Vec::new(), hello: Reply { code: 0, lines: Vec::new() } };
        session.expect(220, Step::Greeting).await?;
        session.say_hello(&name).await?;
        if let Protection::StartTls(tls) = &server.protection {
            session = session.start_tls(tls).await?;
            session.say_hello(&name).await?;
        }
        if let Some(login) = &server.login {
            session.log_in(login).await?;
        }
        Ok(session)
    }

    async fn say_hello(&mut self, name: &str) -> Result<()> {
        self.hello = self.command(&format!("EHLO {name}"), 250, Step::Hello).await?;
        Ok(())
    }

    async fn start_tls(mut self, tls: &HostTls) -> Result<Self> {
        if self.hello.extension("STARTTLS").is_none() {
            return Err(Error::upstream(ErrorKind::Misconfigured, "the mail server does not offer STARTTLS")
                .with_hint("set `tls = \"implicit\"` and its port if the server has TLS from the first byte"));
        }
        self.command("STARTTLS", 220, Step::StartTls).await?;
        // Data received before the handshake may come from an attacker.
        if !self.received.is_empty() {
            return Err(malformed());
        }
        Ok(Self { stream: tls.start(self.stream).await?, ..self })
    }

    async fn log_in(&mut self, Login { user, password }: &Login) -> Result<()> {
        let mechanisms = self.hello.extension("AUTH").unwrap_or_default().to_ascii_uppercase();
        let has = |name| mechanisms.split(' ').any(|mechanism| mechanism == name);
        if has("PLAIN") {
            // RFC 4616.
            let response = STANDARD.encode(format!("\0{user}\0{}", password.expose()));
            self.command(&format!("AUTH PLAIN {response}"), 235, Step::Login).await?;
        } else if has("LOGIN") {
            self.command("AUTH LOGIN", 334, Step::Login).await?;
            self.command(&STANDARD.encode(user), 334, Step::Login).await?;
            self.command(&STANDARD.encode(password.expose()), 235, Step::Login).await?;
        } else {
            return Err(Error::upstream(ErrorKind::Misconfigured, "the mail server offers no login with a password")
                .with_hint("allow `AUTH PLAIN` or `AUTH LOGIN`, or remove `user` and `password`"));
        }
        Ok(())
    }

    /// Sends a mail without the line that ends it.
    pub(super) async fn transmit(&mut self, mail: &Mail) -> Result<()> {
        let parameters = self.parameters(mail)?;
        self.command(&format!("MAIL FROM:<{}>{parameters}", mail.from), 250, Step::Sender).await?;
        let command = format!("RCPT TO:<{}>", mail.to);
        // 251 and 252 are successes, too (RFC 5321, section 4.3.2).
        self.write(format!("{command}\r\n").as_bytes()).await?;
        let reply = self.reply().await?;
        if !matches!(reply.code, 250..=252) {
            return Err(reply.to_error(Step::Recipient));
        }
        self.command("DATA", 354, Step::Data).await?;
        self.write(&stuff(&mail.message)).await
    }

    /// Returns the parameters of a mail with other characters than ASCII in addresses (RFC 6531).
    fn parameters(&self, mail: &Mail) -> Result<&'static str> {
        if mail.message.is_ascii() && mail.from.is_ascii() && mail.to.is_ascii() {
            return Ok("");
        }
        if self.hello.extension("SMTPUTF8").is_none() {
            return Err(Error::upstream(
                ErrorKind::State,
                "the user's address is not ASCII, which the mail server does not support",
            )
            .with_hint("use a mail server with the extension SMTPUTF8"));
        }
        Ok(" BODY=8BITMIME SMTPUTF8")
    }

    /// Ends the mail, and waits until the server has accepted it.
    pub(super) async fn finish(&mut self) -> Result<(), Fault> {
        let unanswered = |error| Fault { error, is_answered: false };
        self.write(b".\r\n").await.map_err(unanswered)?;
        let reply = self.reply().await.map_err(unanswered)?;
        match reply.code {
            250 => Ok(()),
            code => Err(Fault { error: reply.to_error(Step::Content), is_answered: code >= 400 }),
        }
    }

    /// Checks that the server accepts commands.
    pub(super) async fn check(&mut self) -> Result<()> {
        self.command("NOOP", 250, Step::Check).await.map(drop)
    }

    /// Ends the session, without waiting for the answer.
    pub(super) async fn quit(mut self) {
        let _ = self.write(b"QUIT\r\n").await;
    }

    /// Sends a command, and fails unless its reply has this code.
    async fn command(&mut self, command: &str, code: u16, step: Step) -> Result<Reply> {
        self.write(format!("{command}\r\n").as_bytes()).await?;
        self.expect(code, step).await
    }

    async fn expect(&mut self, code: u16, step: Step) -> Result<Reply> {
        let reply = self.reply().await?;
        if reply.code == code { Ok(reply) } else { Err(reply.to_error(step)) }
    }

    async fn reply(&mut self) -> Result<Reply> {
        loop {
            if let Some(reply) = Reply::take(&mut self.received)? {
                return Ok(reply);
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Err(closed()),
                Ok(_) => {}
                Err(error) => return Err(transport_error(Box::new(error))),
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| transport_error(Box::new(error)))
    }
}

/// Returns the name of a client that has none (RFC 5321, section 4.1.3).
fn address_literal(address: Option<SocketAddr>) -> String {
    match address.map(|address| address.ip()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

/// Doubles a dot at the beginning of a line, so that it does not end the mail (RFC 5321, section 4.5.2). Ends the last line.
fn stuff(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 2);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_with_a_dot_ends_no_mail() {
        assert_eq!(stuff(b"a\r\n.\r\n..b\r\n.c"), b"a\r\n..\r\n...b\r\n..c\r\n");
        assert_eq!(stuff(b"a\r\n"), b"a\r\n");
    }

    #[test]
    fn clients_have_the_name_of_their_address() {
        for (address, name) in [("10.0.0.1:1", "[10.0.0.1]"), ("[::1]:1", "[IPv6:::1]")] {
            assert_eq!(address_literal(address.parse().ok()), name);
        }
    }
}
