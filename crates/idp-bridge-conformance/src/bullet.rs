//! The promises of the contract, each by the words of its bullet: what a case proves.
//!
//! A test compares them with the *Behavior* lists of `IdentityProvider`, so that neither side can change alone.

use std::fmt;

/// A promise of the contract, or of the wire protocol where that speaks about connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bullet {
    /// The method that promises it.
    pub(crate) method: &'static str,
    /// The words of the promise.
    pub(crate) text: &'static str,
}

impl fmt::Display for Bullet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.method, self.text)
    }
}

macro_rules! bullets {
    ($($module:ident $method:literal { $($name:ident $text:literal)* })*) => {
        $(
            pub(crate) mod $module {
                use super::Bullet;
                $(pub(crate) const $name: Bullet = Bullet { method: $method, text: $text };)*
            }
        )*
        /// All of them.
        #[cfg(test)]
        pub(crate) const ALL: &[Bullet] = &[$($($module::$name,)*)*];
    };
}

bullets! {
    every "every method" {
        UNSUPPORTED "A call that [`capabilities`](Self::capabilities) declares unsupported answers `Unsupported` without an upstream request."
        NEVER_NOT_FOUND "An outage, a refused credential, a missing right or a missing realm is never `NotFound` and never an empty answer."
        DEADLINE "The call ends before `scope.deadline()`, whatever the identity provider does; late is `Timeout`."
        RECORDER "`scope.recorder()` is told of every request and attempt, and of a write before its first byte leaves."
        RATE_LIMIT "An upstream rate limit is `RateLimited` with the identity provider's own waiting time, if it named one."
        OUTAGE "An upstream 5xx or a broken connection is `Unavailable`; an answer that cannot be read is `InvalidResponse`."
        ERRORS_ARE_CLEAN "Errors hold no upstream body, no address, no id, no token."
        SENT_ONCE "A write is sent again only if the first one surely did not run."
    }
    capabilities "capabilities" {
        WITHIN "What this provider can promise with its settings: at most what its connector declares."
    }
    get "get" {
        NONE_OR_SEVERAL "No user is `NotFound`; several are `Ambiguous`, unless a configured rule chooses; never the first."
        EXACT "The returned user has exactly the asked id or customer, or the asked address without regard to ASCII case."
        OTHER_RESOURCE "An id that would reach another resource of the identity provider is `NotFound` or `InvalidInput`, without a request."
        PLAIN_CHARACTERS "Characters that mean something in a URL or in a search filter mean nothing in a value."
        WHOLE_VALUE "A substring, a prefix or a wildcard of a value is no match; another case of an id or customer is none either."
        SEVERAL_CUSTOMERS "Several customer values are [`Customer::Several`](crate::Customer::Several), never one of them."
        WITHOUT "A user without a customer or an email is returned without it."
        PERSON "What is not a person (a service account) is `NotFound`."
        FIELDS "A field that is declared absent is absent; a field that is declared exact is the identity provider's value."
        BLOCKED "A blocked user is returned, with `blocked`."
    }
    delete "delete" {
        GONE "A user that is there is gone afterwards, by id, by email and by customer; the answer is `Existed` or `Unknown`."
        ABSENT "A user that is not there is `Absent` or `Unknown`, not an error; a repeated delete likewise."
        NO_OTHER "No other user is touched, whatever characters the id has."
        WITHOUT "A user without a customer or an email is deleted like any other."
        PERSON "What is not a person (a service account) is not deleted."
    }
    mark "mark_email_verified" {
        MARKED "Afterwards a get says `email_verified: true`, and nothing else of the user has changed."
        ALREADY "Of a user that is verified already it is Ok."
        EXPECTED "With `expected`, another address is `Conflict`, before and after the write; if it changed in between, the flag is set back."
        NOBODY "No such user is `NotFound`; a user without an email is `State`."
        ANYBODY "It works on a blocked user and on a user without a customer."
    }
    verification "send_verification_email" {
        SENT "Ok means that the identity provider accepted the order; one mail goes to the user's address and to no other."
        ALREADY "Of a user that is verified already it is Ok, and no mail is sent where the identity provider lets us avoid it."
        NOBODY "No such user is `NotFound`; a user without an email, or one that the identity provider sends no mail to (blocked), is `State`."
        MAIL_FAILURE "A failure of the identity provider's mail system is `Unavailable` with an unknown outcome."
    }
    reset "send_password_reset_email" {
        SENT "Ok means that the identity provider accepted the order; the present password goes on working until a new one is chosen."
        NOBODY "No such address is `NotFound` and several are `Ambiguous`; a user who cannot reset a password (blocked) is `State`; no mail then."
        MAIL_FAILURE "A failure of the identity provider's mail system is `Unavailable` with an unknown outcome."
    }
    diagnose "diagnose" {
        NAMED "Every supported call is named by at least one finding."
        BROKEN "With a wrong secret, a wrong realm or a missing right at least one finding is `failed` and says how to mend it."
        HIDDEN "What a narrow right hides is `not_visible` and says which right shows it; it is never `ok`."
        NO_SIDE_EFFECTS "Checks settings, credentials and rights against the identity provider, without side effects."
    }
    protocol "the protocol, section 5" {
        READS_RECOVER "reads ≤ 3 attempts"
        SURELY_NOT_RUN "retried only if the request surely did not run"
        NO_REDIRECTS "redirects not followed"
        BOUNDED "answer ≤ 1 MiB"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every bullet of the *Behavior* lists, with the method that it stands before.
    fn documented() -> Vec<(String, String)> {
        let source = include_str!("../../idp-bridge-core/src/provider.rs");
        let (mut bullets, mut pending) = (Vec::new(), Vec::new());
        for line in source.lines().map(str::trim_start) {
            if let Some(text) = line.strip_prefix("/// - ") {
                pending.push(text.to_owned());
            } else if line.starts_with("pub trait IdentityProvider") {
                bullets.extend(pending.drain(..).map(|text| ("every method".to_owned(), text)));
            } else if let Some(rest) = line.strip_prefix("async fn ") {
                let method = rest.split('(').next().unwrap().to_owned();
                bullets.extend(pending.drain(..).map(|text| (method.clone(), text)));
            } else if !line.starts_with("///") && !line.starts_with("#[") {
                pending.clear();
            }
        }
        bullets
    }

    #[test]
    fn every_bullet_of_the_contract_has_a_name_here() {
        let documented = documented();
        assert!(documented.len() >= 38, "found only {}", documented.len());
        for (method, text) in documented {
            assert!(
                ALL.iter().any(|own| own.method == method && own.text == text),
                "{method} has a new bullet: {text}"
            );
        }
    }

    #[test]
    fn every_name_here_is_in_the_contract_word_by_word() {
        let provider = include_str!("../../idp-bridge-core/src/provider.rs");
        for bullet in ALL.iter().filter(|bullet| bullet.method != "the protocol, section 5") {
            assert!(provider.contains(bullet.text), "the contract has lost or changed: {bullet}");
        }
    }
}
