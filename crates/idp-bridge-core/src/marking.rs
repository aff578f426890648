//! Marking an address as verified without conditional writes, which no supported product has.

use crate::{Email, Error, ErrorKind, Result};

/// The maximum number of writes of the flag. One of two concurrent updates may be lost: Keycloak 26.7.3 lost one in 18 of 30 pairs
/// (November 2026).
const ROUNDS: usize = 3;

/// A user's current address, and whether it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailStatus {
    /// The current address, if it is valid.
    pub email: Option<Email>,
    /// Whether it is marked as verified.
    pub verified: bool,
}

impl EmailStatus {
    fn has_email(&self, address: &Email) -> bool {
        self.email.as_ref().is_some_and(|own| own.matches(address))
    }
}

/// Implements [`mark_email_verified`](crate::IdentityProvider::mark_email_verified) with an unconditional write.
///
/// `now` is the user's status before; `set` writes the flag and returns the status afterwards.
///
/// # Behavior
///
/// - Without a write: no address is `State`, an address other than the expected one is `Conflict`, a verified address is Ok.
/// - Without an expected address, the current one is expected.
/// - A flag that another writer resets is written again, at most three times; then it is `Conflict`.
/// - If the address changes meanwhile, the flag is cleared, because the new address is not verified. It is `Conflict`.
pub async fn mark_verified<F>(now: EmailStatus, expected: Option<&Email>, set: impl Fn(bool) -> F) -> Result<()>
where
    F: Future<Output = Result<EmailStatus>>,
{
    let Some(current) = &now.email else { return Err(Error::state("the user has no email")) };
    let address = expected.unwrap_or(current);
    if !now.has_email(address) {
        return Err(other_address());
    }
    if now.verified {
        return Ok(());
    }
    let after = write_until(|after| after.verified || !after.has_email(address), || set(true)).await?;
    if after.has_email(address) {
        return Ok(());
    }
    if after.verified {
        write_until(|after| !after.verified, || set(false)).await?;
    }
    Err(other_address())
}

/// Writes until the condition holds.
async fn write_until<F>(is_wanted: impl Fn(&EmailStatus) -> bool, write: impl Fn() -> F) -> Result<EmailStatus>
where
    F: Future<Output = Result<EmailStatus>>,
{
    for _ in 0..ROUNDS {
        let after = write().await?;
        if is_wanted(&after) {
            return Ok(after);
        }
    }
    Err(Error::upstream(ErrorKind::Conflict, "another writer keeps undoing the change of the flag"))
}

fn other_address() -> Error {
    Error::ours(ErrorKind::Conflict, "the user has another address than the expected one")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn status(email: &str, verified: bool) -> EmailStatus {
        EmailStatus { email: Email::new(email).ok(), verified }
    }

    /// Marks a user; `other` acts after each write. Returns the result, the user afterwards, and the writes.
    async fn mark(
        now: EmailStatus,
        expected: Option<&str>,
        other: impl Fn(usize, &mut EmailStatus),
    ) -> (Result<(), ErrorKind>, EmailStatus, Vec<bool>) {
        let user = RefCell::new(now.clone());
        let written = RefCell::new(Vec::new());
        let set = async |verified| {
            written.borrow_mut().push(verified);
            let mut user = user.borrow_mut();
            user.verified = verified;
            other(written.borrow().len(), &mut user);
            Ok(user.clone())
        };
        let expected = expected.map(|text| Email::new(text).unwrap());
        let ended = mark_verified(now, expected.as_ref(), set).await.map_err(|error| error.kind());
        let (user, written) = (user.borrow().clone(), written.borrow().clone());
        (ended, user, written)
    }

    fn nobody(_: usize, _: &mut EmailStatus) {}

    #[tokio::test]
    async fn expected_address_matches_in_any_case() {
        for expected in [None, Some("ada@acme.example"), Some("ADA@acme.example")] {
            let (ended, user, written) = mark(status("Ada@acme.example", false), expected, nobody).await;
            assert_eq!((ended, user, written), (Ok(()), status("Ada@acme.example", true), vec![true]), "{expected:?}");
        }
    }

    #[tokio::test]
    async fn unneeded_or_forbidden_writes_are_not_sent() {
        for (now, expected, ended) in [
            (status("a@b", true), None, Ok(())),
            (status("a@b", true), Some("a@b"), Ok(())),
            (status("a@b", true), Some("c@d"), Err(ErrorKind::Conflict)),
            (status("a@b", false), Some("c@d"), Err(ErrorKind::Conflict)),
            (status("none", false), None, Err(ErrorKind::State)),
            (status("none", true), Some("c@d"), Err(ErrorKind::State)),
        ] {
            assert_eq!(mark(now.clone(), expected, nobody).await, (ended, now, Vec::new()));
        }
    }

    #[tokio::test]
    async fn undone_flag_is_written_again_a_few_times() {
        let undone = |times| move |write, user: &mut EmailStatus| user.verified = write > times;
        let (ended, user, written) = mark(status("a@b", false), None, undone(2)).await;
        assert_eq!((ended, user.verified, written.len()), (Ok(()), true, 3));
        let (ended, user, written) = mark(status("a@b", false), None, undone(3)).await;
        assert_eq!((ended, user.verified, written.len()), (Err(ErrorKind::Conflict), false, 3));
    }

    #[tokio::test]
    async fn address_changed_meanwhile_is_not_left_verified() {
        for expected in [None, Some("a@b")] {
            let moved = |_, user: &mut EmailStatus| user.email = Email::new("c@d").ok();
            let ended = mark(status("a@b", false), expected, moved).await;
            assert_eq!(ended, (Err(ErrorKind::Conflict), status("c@d", false), vec![true, false]));
        }
        // A writer that changes the address may also clear the flag.
        let reset = |_, user: &mut EmailStatus| *user = status("c@d", false);
        let ended = mark(status("a@b", false), None, reset).await;
        assert_eq!(ended, (Err(ErrorKind::Conflict), status("c@d", false), vec![true]));
        let gone = |_, user: &mut EmailStatus| user.email = None;
        let ended = mark(status("a@b", false), None, gone).await;
        assert_eq!(ended, (Err(ErrorKind::Conflict), status("none", false), vec![true, false]));
    }

    #[tokio::test]
    async fn setting_back_is_tried_again_too() {
        let stubborn = |write, user: &mut EmailStatus| *user = status("c@d", write < 3);
        let ended = mark(status("a@b", false), None, stubborn).await;
        assert_eq!(ended, (Err(ErrorKind::Conflict), status("c@d", false), vec![true, false, false]));
    }

    #[tokio::test]
    async fn a_write_that_fails_ends_it() {
        let fails = async |_| Err(Error::upstream(ErrorKind::Unavailable, "down"));
        let error = mark_verified(status("a@b", false), None, fails).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
