//! Verifies AWS signatures (version 4) and the rights of their principals.

use aws_lc_rs::{constant_time, digest, hmac};
use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_core::jiff::civil::DateTime;
use idp_bridge_core::jiff::tz::TimeZone;
use idp_bridge_core::{Clock as _, SystemClock};
use idp_bridge_http::HeaderName;

use super::answer::refusal;
use super::pool::{Pool, Principal};

const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The headers that must be signed.
const SIGNED: [&str; 3] = ["host", "x-amz-date", "x-amz-target"];

/// The maximum difference of the clocks, in seconds.
const SKEW: i64 = 300;

/// A parsed `Authorization` header.
struct Authorization<'a> {
    key: &'a str,
    day: &'a str,
    region: &'a str,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut parts = header.strip_prefix("AWS4-HMAC-SHA256 ")?.split(", ");
        let credential = parts.next()?.strip_prefix("Credential=")?;
        let signed = parts.next()?.strip_prefix("SignedHeaders=")?;
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let mut scope = credential.split('/');
        let (key, day, region) = (scope.next()?, scope.next()?, scope.next()?);
        let is_whole = scope.eq(["cognito-idp", "aws4_request"]) && parts.next().is_none();
        is_whole.then_some(Self { key, day, region, signed, signature })
    }

    /// Returns the right signature for this secret.
    fn expected(&self, request: &Incoming, date: &str, secret: &str) -> Option<String> {
        let mut canonical = format!("{}\n{}\n\n", request.method, request.path());
        for name in self.signed.split(';') {
            let value = request.header(&HeaderName::try_from(name).ok()?)?;
            canonical.push_str(&format!("{name}:{}\n", value.trim()));
        }
        canonical.push_str(&format!("\n{}\n{}", self.signed, hash(&request.body)));
        let scope = format!("{}/{}/cognito-idp/aws4_request", self.day, self.region);
        let message = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
        let key = [self.day, self.region, "cognito-idp", "aws4_request"]
            .into_iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
        Some(hex(&mac(&key, &message)))
    }
}

impl Pool {
    /// Checks the principal, the signature and the right to the action on this pool. As with AWS, a missing right has precedence
    /// over a missing pool.
    pub(crate) fn authorize(&self, request: &Incoming, action: &str, pool: &str) -> Result<(), Answer> {
        let principal = self.principal(request)?;
        if principal.is_allowed(action, pool) {
            return Ok(());
        }
        let who = &principal.access_key_id;
        let message = format!(
            "User: {who} is not authorized to perform: cognito-idp:{action} on resource: \
             arn:aws:cognito-idp:eu-west-1:123456789012:userpool/{pool} because no identity-based policy allows it"
        );
        Err(refusal("AccessDeniedException", &message))
    }

    fn principal(&self, request: &Incoming) -> Result<&Principal, Answer> {
        let header = request.header(&AUTHORIZATION);
        let header =
            header.ok_or_else(|| refusal("MissingAuthenticationTokenException", "Missing Authentication Token"))?;
        let given = Authorization::parse(header).ok_or_else(|| refusal("IncompleteSignatureException", ""))?;
        let unknown =
            || refusal("UnrecognizedClientException", "The security token included in the request is invalid.");
        let principal = self.principals.iter().find(|own| own.access_key_id == given.key).ok_or_else(unknown)?;
        if request.header(&TOKEN) != principal.session_token.as_deref() {
            return Err(unknown());
        }
        let wrong = |message| refusal("InvalidSignatureException", message);
        let date = request.header(&DATE).unwrap_or_default();
        if seconds_from_now(date).is_none_or(|seconds| seconds > SKEW) || !date.starts_with(given.day) {
            return Err(wrong("Signature expired"));
        }
        if given.region != "eu-west-1" || SIGNED.iter().any(|name| !given.signed.split(';').any(|own| own == *name)) {
            return Err(wrong(
                "Credential should be scoped to a valid region, and the request's own headers be signed.",
            ));
        }
        let expected = given.expected(request, date, &principal.secret_access_key).unwrap_or_default();
        constant_time::verify_slices_are_equal(expected.as_bytes(), given.signature.as_bytes())
            .map_err(|_| wrong("The request signature we calculated does not match the signature you provided."))?;
        Ok(principal)
    }
}

fn seconds_from_now(date: &str) -> Option<i64> {
    let time = TimeZone::UTC.to_timestamp(DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?).ok()?;
    Some((SystemClock.now().as_second() - time.as_second()).abs())
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes()).as_ref().to_vec()
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
