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
        UNSUPPORTED "A call that [`capabilities`](Self::capabilities) declares unsupported answers `Unsupported` without an upstream request."
        NEVER_NOT_FOUND "An outage, a refused credential, a missing right or a missing realm is never `NotFound` and never an empty answer."
        NOT_THE_IDP "A refusal by something in front of the identity provider (a gateway's 401, 403 or 404), and an answer about another user, is `InvalidResponse` or `Unavailable`: it says nothing about the user or the credential."
        DEADLINE "The call ends before `scope.deadline()`, whatever the identity provider does; late is `Timeout`."
        RECORDER "`scope.recorder()` is told of every request and attempt, and of a write before its first byte leaves."
        RATE_LIMIT "An upstream rate limit is `RateLimited` with the identity provider's own waiting time, if it named one."
        OUTAGE "An upstream 5xx or a broken connection is `Unavailable`; an answer that cannot be read is `InvalidResponse`."
        ERRORS_ARE_CLEAN "Errors hold no upstream body, no address, no id, no token."
        SENT_ONCE "A write is sent again only if the first one surely did not run."
        ORIGIN "A credential is sent only to the origin that it is for, also where the identity provider has several."
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
        UPDATED "An `update_time` that is declared exact is later after a change of the user."
        NOT_SELF_WRITTEN "The customer comes from a place that users cannot write themselves."
        IN_FORCE "`email` is the address in force, and `email_verified` is about this address and no other of the user."
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
        NOBODY "No such address is `NotFound` and several are `Ambiguous`; a user who cannot reset a password (blocked) is `State`; no mail then. (The server answers the platform alike for all of these.)"
        MAIL_FAILURE "A failure of the identity provider's mail system is `Unavailable` with an unknown outcome."
    }
    diagnose "diagnose" {
        NAMED "Every supported call is named by at least one finding."
        BROKEN "With a wrong secret, a wrong realm or a missing right at least one finding is `failed` and says how to mend it."
        HIDDEN "What a narrow right hides is `not_visible` and says which right shows it; it is never `ok`."
        NO_SIDE_EFFECTS "Checks settings, credentials and rights against the identity provider, without side effects."
    }
    federation "federation" {
        DECLARED "It is there exactly if [`capabilities`](Self::capabilities) declares federation."
    }
    oauth "Federation::every method" {
        ONLY_BAD_TOKENS "A token that is not good is `InvalidToken`; an outage, a refused credential or a missing right never is."
        DEADLINE "The call ends before `scope.deadline()`, whatever the identity provider does; late is `Timeout`."
        OUTAGE "An upstream rate limit is `RateLimited`; a 5xx or a broken connection is `Unavailable`; an answer that cannot be read is `InvalidResponse`."
        ERRORS_ARE_CLEAN "Errors hold no upstream body, no address, no id, no token."
        KEYS "Keys come only from where the settings or the discovery document say, never from where a token says."
    }
    identify "Federation::identify" {
        BY_ITSELF "A signed token is judged without a request, once the keys are known: signature, issuer, client and time."
        BAD "What is forged or altered, unsigned, another issuer's, another client's, not yet valid, of another kind (an ID token, a refresh token), a service account's or bound to its sender is `InvalidToken`."
        EXPIRED "A token that expired at most a day ago is still told, so that its login can be ended."
    }
    validate "Federation::validate" {
        USER "A token that a user got by logging in with one of the clients gives that user, by the id that a get by id takes."
        BAD "It refuses what [`identify`](Self::identify) refuses, and an expired token, as `InvalidToken`."
        ENDED "A token of a user who is blocked or deleted, or of a session that ended, is `InvalidToken`; where the identity provider never ends access tokens ([`Liveness::Signature`]), the end of a session does not show."
        CUSTOMER "The customer is that of the configured claim alone, and absent without it; several are [`Customer::Several`]."
        COST "It costs one request, once the keys are known."
    }
    log_out "Federation::log_out" {
        DEAD "Afterwards the session cannot be refreshed, and where the identity provider ends access tokens, none of that session lives."
        OTHERS_LIVE "Where it can end one session, other sessions of the user live on ([`LogoutReach::Session`])."
        OTHERS_END "Where it cannot, and no refresh token is shown, it is [`LoggedOut::User`], by which the bridge refuses the user's other logins too, or `Unsupported` if the settings say so."
        NOTHING_LEFT "An expired token, a repetition, and a session or user that is gone already are Ok."
        EVERY_STEP "Ok means that every step succeeded; an outage in any of them is an error."
        FOREIGN "A refresh token that belongs to no client of the tenant is `InvalidInput`."
    }
    end_session "Federation::end_session_url" {
        PARAMETERS "It lies at the identity provider, and carries the client, the way back, the hint and the state, each in one parameter whatever characters it has."
    }
    logout_token "Federation::check_logout_token" {
        BAD "What is forged or altered, unsigned, another issuer's, for another client, stale, of another kind, with a `nonce`, without the event, or without `sid` and `sub` is `InvalidToken`."
        NO_BACK_CHANNEL "Where there is no back channel, every token is `Unsupported`."
        CHECKED "Checks a logout token of OpenID Connect Back-Channel Logout 1.0, and says what has ended."
    }
    metadata "Federation::metadata" {
        ABSOLUTE "The issuer is the configured one; every endpoint is an absolute URL."
    }
    oauth_diagnose "Federation::diagnose" {
        BROKEN "With a wrong secret of a client at least one finding is `failed` and says how to mend it."
        HIDDEN "What a narrow right hides is `not_visible`, never `ok`."
        NO_SIDE_EFFECTS "Checks the settings of federation against the identity provider, without side effects and without a login."
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

    /// The sources of the contract, with what stands before the names of their methods here.
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
    fn every_bullet_of_the_contract_has_a_name_here() {
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
    fn every_name_here_is_in_the_contract_word_by_word() {
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
