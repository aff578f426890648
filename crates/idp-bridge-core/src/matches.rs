//! The users that match a lookup, of which exactly one is an answer.

use crate::{Error, ErrorKind, Result, UserId};

/// The distinct users that match a lookup.
#[derive(Debug, Clone)]
pub struct Matches<U>(Vec<(UserId, U)>);

impl<U> Default for Matches<U> {
    fn default() -> Self {
        Self::new()
    }
}

impl<U> Matches<U> {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a user, unless one with this id is present.
    pub fn add(&mut self, id: UserId, user: U) {
        if !self.0.iter().any(|(own, _)| *own == id) {
            self.0.push((id, user));
        }
    }

    /// Returns whether more than one user matches.
    pub fn is_ambiguous(&self) -> bool {
        self.0.len() > 1
    }

    /// Keeps only the user that fits, if exactly one does. Changes nothing otherwise.
    pub fn prefer(&mut self, fits: impl Fn(&U) -> bool) {
        if self.0.iter().filter(|(_, user)| fits(user)).count() == 1 {
            self.0.retain(|(_, user)| fits(user));
        }
    }

    /// Returns the single match. None is `NotFound`, several are `Ambiguous`.
    pub fn into_single(mut self) -> Result<U> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some((_, user)), true) => Ok(user),
            (Some(_), false) => Err(Error::upstream(ErrorKind::Ambiguous, "several users match")),
            (None, _) => Err(Error::no_such_user()),
        }
    }
}

/// Returns `None` for a `NotFound` error.
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

    fn matches(users: &[(&str, u8)]) -> Matches<u8> {
        let mut found = Matches::new();
        for (id, user) in users {
            found.add(UserId::new(*id).unwrap(), *user);
        }
        found
    }

    #[test]
    fn several_users_are_ambiguous() {
        let kind = |users| matches(users).into_single().map_err(|error| error.kind());
        assert_eq!(kind(&[]), Err(ErrorKind::NotFound));
        assert_eq!(kind(&[("a", 1)]), Ok(1));
        assert_eq!(kind(&[("a", 1), ("a", 1)]), Ok(1));
        assert_eq!(kind(&[("a", 1), ("A", 1)]), Err(ErrorKind::Ambiguous));
        assert!(!matches(&[("a", 1)]).is_ambiguous());
        assert!(matches(&[("a", 1), ("b", 1)]).is_ambiguous());
    }

    #[test]
    fn a_preference_keeps_the_only_fitting_user() {
        let preferred = |users, wanted| {
            let mut found = matches(users);
            found.prefer(|user| *user == wanted);
            found.into_single().map_err(|error| error.kind())
        };
        let users = &[("a", 1), ("b", 2), ("c", 2)];
        assert_eq!(preferred(users, 1), Ok(1));
        assert_eq!(preferred(users, 2), Err(ErrorKind::Ambiguous));
        assert_eq!(preferred(users, 3), Err(ErrorKind::Ambiguous));
        assert_eq!(preferred(&[("a", 1)], 2), Ok(1));
    }

    #[test]
    fn only_not_found_becomes_none() {
        assert_eq!(if_found(Ok(7)).unwrap(), Some(7));
        assert_eq!(if_found::<()>(Err(Error::no_such_user())).unwrap(), None);
        let down = if_found::<()>(Err(Error::upstream(ErrorKind::Unavailable, "down")));
        assert_eq!(down.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
