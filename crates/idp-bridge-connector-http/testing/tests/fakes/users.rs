//! The users of a fake product.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Clock as _, SystemClock};

/// A user of a fake product.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) customer: Option<String>,
    pub(super) password: String,
    pub(super) verified: bool,
    pub(super) blocked: bool,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) last_login: Option<Timestamp>,
    /// Whether the user was deactivated before a deletion.
    pub(super) deactivated: bool,
}

/// All users.
#[derive(Debug, Default)]
pub(super) struct Users {
    users: Vec<User>,
    made: u32,
    last_change: Option<Timestamp>,
    smtp_port: u16,
}

impl Users {
    /// Sends mails to this port from now on.
    pub(super) fn send_mails_to(&mut self, port: u16) {
        self.smtp_port = port;
    }

    /// Returns a new number. Each differs from the others in two digits at least, as a multiple of 11.
    pub(super) fn next_number(&mut self) -> u32 {
        self.made += 11;
        self.made
    }

    /// Returns a new UUID.
    pub(super) fn next_uuid(&mut self) -> String {
        let number = self.next_number();
        format!("{number:08x}-0000-4000-8000-{number:012x}")
    }

    /// Creates a user with these values, which is neither verified nor blocked.
    pub(super) fn add(&mut self, id: String, email: &str, customer: Option<&str>, password: &str) -> &mut User {
        let created = self.now();
        self.users.push(User {
            id: id.clone(),
            email: email.to_owned(),
            customer: customer.map(str::to_owned),
            password: password.to_owned(),
            verified: false,
            blocked: false,
            created,
            updated: created,
            last_login: None,
            deactivated: false,
        });
        let last = self.users.len() - 1;
        &mut self.users[last]
    }

    /// Returns a time after that of every earlier change.
    fn now(&mut self) -> Timestamp {
        let (now, next) = (SystemClock.now(), self.last_change.map(|last| last + SignedDuration::from_millis(1)));
        *self.last_change.insert(next.map_or(now, |next| next.max(now)))
    }

    /// Returns the users that meet a condition.
    pub(super) fn filter<'a>(&'a self, is_wanted: impl Fn(&User) -> bool + 'a) -> impl Iterator<Item = &'a User> {
        self.users.iter().filter(move |user| is_wanted(user))
    }

    /// Returns the user with this id.
    pub(super) fn find(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// Changes the user with this id, and returns it.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut User)) -> Option<&User> {
        let now = self.now();
        let user = self.users.iter_mut().find(|user| user.id == id)?;
        change(user);
        user.updated = now;
        Some(user)
    }

    /// Deletes the user with this id, and returns whether there was one.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.users.len();
        self.users.retain(|user| user.id != id);
        self.users.len() < before
    }

    /// Logs a user in, unless blocked.
    pub(super) fn log_in(&mut self, email: &str, password: &str) -> Option<&User> {
        let now = self.now();
        let is_own =
            |user: &&mut User| user.email == email && user.password == password && !user.blocked && !user.deactivated;
        let user = self.users.iter_mut().find(is_own)?;
        user.last_login = Some(now);
        Some(user)
    }

    /// Sends a mail to each user with this address.
    pub(super) fn mail(&self, email: &str) {
        let port = self.smtp_port;
        for user in self.users.iter().filter(|user| user.email.eq_ignore_ascii_case(email)) {
            let address = user.email.clone();
            // A thread of its own, since the mail server runs in the runtime of the fake.
            std::thread::spawn(move || deliver(port, &address));
        }
    }
}

/// Sends a mail to the server on this port. A mail that cannot be delivered is lost.
fn deliver(port: u16, address: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let recipient = format!("RCPT TO:<{address}>");
    for line in
        ["", "HELO fake", "MAIL FROM:<fake@acme.example>", &recipient, "DATA", "Subject: a mail\r\n\r\n.", "QUIT"]
    {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes())?;
        }
        answers.read_line(&mut String::new())?;
    }
    Ok(())
}
