//! The promises of the contract, each by the words of its bullet: what a case proves.
//!
//! A test compares them with the *Behavior* lists of `IdentityProvider` and `Federation`, so that neither side can change alone.

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
        UNSUPPORTED "A call that [`capabilities`](Self::capabilities) declares unsupported is `Unsupported`, without an upstream request."
        NEVER_NOT_FOUND "An outage, a refused credential, a missing right or a missing realm is never `NotFound` and never an empty result."
        NOT_THE_IDP "A 401, 403 or 404 of a gateway in front of the identity provider, and a response about another user, is `InvalidResponse` or `Unavailable`."
        DEADLINE "The call ends before `scope.deadline()`, also with a slow identity provider. An exceeded deadline is `Timeout`."
        RECORDER "`scope.recorder()` records every request and attempt, and a write before it is sent."
        RATE_LIMIT "An upstream rate limit is `RateLimited`, with the identity provider's retry hint if it sent one."
        OUTAGE "An upstream 5xx or a broken connection is `Unavailable`. An unreadable response is `InvalidResponse`."
        ERRORS_ARE_CLEAN "Errors contain no upstream body, address, id or token."
        SENT_ONCE "A write is retried only if it was certainly not executed."
        ORIGIN "A credential is sent only to the origin it belongs to, also if the identity provider has several."
    }
    capabilities "capabilities" {
        WITHIN "Returns the capabilities with the tenant's settings, at most those that the connector declares."
    }
    get "get" {
        NONE_OR_SEVERAL "No match is `NotFound`. Several matches are `Ambiguous`, unless a configured rule selects one."
        EXACT "The returned user has exactly the requested id or customer, or the requested address in any ASCII case."
        OTHER_RESOURCE "An id that is the path of another resource is `NotFound` or `InvalidInput`, without a request."
        PLAIN_CHARACTERS "Special characters of URLs and search filters have no effect in values."
        WHOLE_VALUE "A substring, prefix or wildcard does not match. Neither does an id or customer in another case."
        SEVERAL_CUSTOMERS "Several customer values are returned as [`Customer::Several`](crate::Customer::Several)."
        WITHOUT "A user without a customer or an email is returned without it."
        PERSON "A service account is `NotFound`."
        FIELDS "A field declared absent is absent. A field declared exact has the identity provider's value."
        BLOCKED "A blocked user is returned with `blocked`."
        UPDATED "An `update_time` declared exact increases when the user changes."
        NOT_SELF_WRITTEN "The customer comes from data that users cannot edit themselves."
        IN_FORCE "`email` is the current address, and `email_verified` refers to this address."
    }
    delete "delete" {
        GONE "An existing user is no longer found by id, email or customer. The result is `Existed` or `Unknown`."
        ABSENT "A missing user, also after a repeated delete, is `Absent` or `Unknown`, not an error."
        NO_OTHER "No other user changes, also with special characters in the id."
        WITHOUT "A user without a customer or an email is deleted."
        PERSON "A service account is not deleted."
    }
    mark "mark_email_verified" {
        MARKED "Afterwards a get returns `email_verified: true`, and no other field has changed."
        ALREADY "Succeeds for a verified user."
        EXPECTED "With `expected`, another address is `Conflict`, before and after the write. If the address changed during the write, the flag is reset."
        REFUSED "A missing user is `NotFound`. A user without an email is `State`."
        ANY_USER "Works for a blocked user and for a user without a customer."
    }
    verification "send_verification_email" {
        SENT "`Ok` means that the identity provider accepted the request. One mail is sent, only to the user's address."
        ALREADY "Succeeds for a verified user. Sends no mail if the identity provider allows skipping it."
        REFUSED "A missing user is `NotFound`. A user without an email, or one that gets no mails because it is blocked, is `State`."
        MAIL_FAILURE "A failure of the identity provider's mail system is `Unavailable` with an unknown outcome."
    }
    reset "send_password_reset_email" {
        SENT "`Ok` means that the identity provider accepted the request. The current password stays valid until the user sets a new one."
        REFUSED "An unknown address is `NotFound`, several users are `Ambiguous`, and a user without password reset (blocked) is `State`. No mail is sent then. (The server hides these errors from the platform.)"
        MAIL_FAILURE "A failure of the identity provider's mail system is `Unavailable` with an unknown outcome."
    }
    diagnose "diagnose" {
        NAMED "At least one finding names each supported call."
        BROKEN "With a wrong secret, a wrong realm or a missing right, at least one finding is `failed` and contains a fix."
        HIDDEN "A check that needs a missing right is `not_visible` and names the right. It is never `ok`."
        NO_SIDE_EFFECTS "Checks settings, credentials and rights against the identity provider, without side effects."
    }
    federation "federation" {
        DECLARED "Is `Some` exactly if [`capabilities`](Self::capabilities) declares federation."
    }
    oauth "Federation::every method" {
        ONLY_BAD_TOKENS "An invalid token is `InvalidToken`. An outage, a refused credential or a missing right is another error."
        DEADLINE "The call ends before `scope.deadline()`, also with a slow identity provider. An exceeded deadline is `Timeout`."
        OUTAGE "An upstream rate limit is `RateLimited`, a 5xx or a broken connection is `Unavailable`, and an unreadable response is `InvalidResponse`."
        ERRORS_ARE_CLEAN "Errors contain no upstream body, address, id or token."
        KEYS "Keys come only from the settings or the discovery document, never from a token."
    }
    identify "Federation::identify" {
        BY_ITSELF "Signature, issuer, client and times of a signed token are checked without a request, once the keys are cached."
        BAD "A token that is forged, altered, unsigned, not yet valid or sender-constrained, belongs to another issuer or client or to a service account, or is an ID or refresh token, is `InvalidToken`."
        EXPIRED "A token that expired at most a day ago is accepted, so that its login can be ended."
    }
    validate "Federation::validate" {
        USER "A token from a login with one of the clients returns its user, with the id that a get by id accepts."
        BAD "A token that [`identify`](Self::identify) rejects, and an expired token, is `InvalidToken`."
        ENDED "A token of a blocked or deleted user, or of an ended session, is `InvalidToken`. With [`Liveness::Signature`], the end of a session is not detected."
        CUSTOMER "The customer comes only from the configured claim, and is absent without it. Several values are [`Customer::Several`]."
        COST "Needs one request, once the keys are cached."
    }
    log_out "Federation::log_out" {
        DEAD "Afterwards the session cannot be refreshed. If the identity provider revokes access tokens, those of the session are inactive."
        OTHERS_LIVE "With [`LogoutReach::Session`], other sessions of the user stay active."
        OTHERS_END "Otherwise, without a refresh token, the result is [`LoggedOut::User`], and the bridge rejects the user's other logins too. It is `Unsupported` if the settings require it."
        NOTHING_LEFT "Succeeds for an expired token, a repeated logout, and a session or user that no longer exists."
        EVERY_STEP "`Ok` means that every step succeeded. An outage in any step is an error."
        FOREIGN "A refresh token of a client outside the tenant is `InvalidInput`."
    }
    end_session "Federation::end_session_url" {
        PARAMETERS "The URL is at the identity provider, and contains the client, the return URL, the hint and the state, each encoded as one parameter."
    }
    logout_token "Federation::check_logout_token" {
        BAD "A token that is forged, altered, unsigned or too old, of another issuer, client or kind, with a `nonce`, without the event, or without both `sid` and `sub`, is `InvalidToken`."
        NO_BACK_CHANNEL "Without a back channel, every token is `Unsupported`."
        CHECKED "Checks a logout token of OpenID Connect Back-Channel Logout 1.0 and returns what ended."
    }
    metadata "Federation::metadata" {
        ABSOLUTE "The issuer is the configured one. Every endpoint is an absolute URL."
    }
    oauth_diagnose "Federation::diagnose" {
        BROKEN "With a wrong client secret, at least one finding is `failed` and contains a fix."
        HIDDEN "A check that needs a missing right is `not_visible`, never `ok`."
        NO_SIDE_EFFECTS "Checks the federation settings against the identity provider, without side effects and without a login."
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

    /// The sources of the contract, with the prefix of their methods' names here.
    const TRAITS: [(&str, &str); 2] = [
        ("", include_str!("../../idp-bridge-core/src/provider.rs")),
        ("Federation::", include_str!("../../idp-bridge-core/src/federation.rs")),
    ];

    /// Every bullet of the *Behavior* lists, with the method that it stands before.
    fn documented() -> Vec<(String, String)> {
        TRAITS.iter().flat_map(|(prefix, source)| documented_in(prefix, source)).collect()
    }

    fn documented_in(prefix: &str, source: &str) -> Vec<(String, String)> {
        let (mut bullets, mut pending) = (Vec::new(), Vec::<String>::new());
        for line in source.lines().map(str::trim_start) {
            if let Some(text) = line.strip_prefix("/// - ") {
                pending.push(text.to_owned());
            } else if let (Some(rest), Some(bullet)) = (line.strip_prefix("///   "), pending.last_mut()) {
                *bullet += &format!(" {rest}");
            } else if line.starts_with("pub trait ") {
                bullets.extend(pending.drain(..).map(|text| (format!("{prefix}every method"), text)));
            } else if let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ") {
                let method = format!("{prefix}{}", rest.split('(').next().unwrap());
                bullets.extend(pending.drain(..).map(|text| (method.clone(), text)));
            } else if !line.starts_with("///") && !line.starts_with("#[") {
                pending.clear();
            }
        }
        bullets
    }

    #[test]
    fn every_bullet_of_the_contract_is_listed() {
        let documented = documented();
        assert!(documented.len() >= 66, "found only {}", documented.len());
        for (method, text) in documented {
            assert!(
                ALL.iter().any(|own| own.method == method && own.text == text),
                "{method} has a new bullet: {text}"
            );
        }
    }

    #[test]
    fn every_listed_bullet_is_in_the_contract() {
        let documentation = |source: &str| -> String {
            source
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("///"))
                .map(|line| format!(" {}", line.trim()))
                .collect()
        };
        let contract = TRAITS.map(|(_, source)| documentation(source)).concat();
        for bullet in ALL.iter().filter(|bullet| bullet.method != "the protocol, section 5") {
            assert!(contract.contains(bullet.text), "the contract has lost or changed: {bullet}");
        }
    }
}
