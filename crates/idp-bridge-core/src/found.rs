//! What a look-up found: none, one, or several of whom none may be chosen.

use crate::{Error, ErrorKind, Result, UserId};

/// The users that a look-up found so far, each of them once, however many of its answers name them.
#[derive(Debug, Clone)]
pub struct Found<U>(Vec<(UserId, U)>);

impl<U> Found<U> {
    /// Nobody yet.
    pub fn nobody() -> Self {
        Self(Vec::new())
    }

    /// Adds a user who is not there yet.
    pub fn add(&mut self, id: UserId, user: U) {
        if !self.0.iter().any(|(own, _)| *own == id) {
            self.0.push((id, user));
        }
    }

    /// Whether several were found, so that to look further changes nothing.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// Lets a rule of the settings or of the identity provider choose: if it fits exactly one of several, that one is left.
    pub fn prefer(&mut self, fits: impl Fn(&U) -> bool) {
        if self.0.iter().filter(|(_, user)| fits(user)).count() == 1 {
            self.0.retain(|(_, user)| fits(user));
        }
    }

    /// The one user; `NotFound` if there is none, `Ambiguous` if there are several.
    pub fn only(mut self) -> Result<U> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some((_, user)), true) => Ok(user),
            (Some(_), false) => Err(Error::upstream(ErrorKind::Ambiguous, "several users match")),
            (None, _) => Err(Error::no_such_user()),
        }
    }
}

/// What was read; nothing if it failed with `NotFound`.
pub fn if_found<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(users: &[(&str, u8)]) -> Found<u8> {
        let mut found = Found::nobody();
        for (id, user) in users {
            found.add(UserId::new(*id).unwrap(), *user);
        }
        found
    }

    #[test]
    fn a_user_found_twice_is_one_and_several_are_never_the_first() {
        let kind = |users| found(users).only().map_err(|error| error.kind());
        assert_eq!(kind(&[]), Err(ErrorKind::NotFound));
        assert_eq!(kind(&[("a", 1)]), Ok(1));
        assert_eq!(kind(&[("a", 1), ("a", 1)]), Ok(1));
        assert_eq!(kind(&[("a", 1), ("A", 1)]), Err(ErrorKind::Ambiguous));
        assert!(!found(&[("a", 1)]).are_several());
        assert!(found(&[("a", 1), ("b", 1)]).are_several());
    }

    #[test]
    fn a_preference_chooses_if_exactly_one_fits_and_otherwise_changes_nothing() {
        let preferred = |users, wanted| {
            let mut found = found(users);
            found.prefer(|user| *user == wanted);
            found.only().map_err(|error| error.kind())
        };
        let users = &[("a", 1), ("b", 2), ("c", 2)];
        assert_eq!(preferred(users, 1), Ok(1));
        assert_eq!(preferred(users, 2), Err(ErrorKind::Ambiguous));
        assert_eq!(preferred(users, 3), Err(ErrorKind::Ambiguous));
        assert_eq!(preferred(&[("a", 1)], 2), Ok(1));
    }

    #[test]
    fn only_not_found_is_nothing() {
        assert_eq!(if_found(Ok(7)).unwrap(), Some(7));
        assert_eq!(if_found::<()>(Err(Error::no_such_user())).unwrap(), None);
        let down = if_found::<()>(Err(Error::upstream(ErrorKind::Unavailable, "down")));
        assert_eq!(down.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
