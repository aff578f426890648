//! Conversions of attribute values: ids, times and flags.

use idp_bridge_core::uuid;
use jiff::Timestamp;

/// The seconds from 1601, from which Active Directory counts, to 1970.
const SECONDS_TO_1970: i64 = 11_644_473_600;

/// The bit of a disabled account: <https://learn.microsoft.com/windows/win32/adschema/a-useraccountcontrol> (November 2026).
const ACCOUNT_DISABLED: i64 = 2;

/// The value of an account that an administrator has locked: OpenLDAP's manual page `slapo-ppolicy` (November 2026).
const LOCKED_FOREVER: &str = "000001010000Z";

/// The form of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdForm {
    /// A UUID as text, such as OpenLDAP's `entryUUID`.
    Uuid,
    /// A UUID of 16 bytes, of which the first three groups begin with their lowest byte: Active Directory's `objectGUID`.
    Guid,
    Text,
}

impl IdForm {
    /// Returns the form of the ids in an attribute.
    pub(crate) fn from_attribute(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "entryuuid" => Self::Uuid,
            "objectguid" => Self::Guid,
            _ => Self::Text,
        }
    }

    /// Returns the value of the attribute for an id, or `None` if no user can have it.
    pub(crate) fn to_value(self, id: &str) -> Option<Vec<u8>> {
        match self {
            Self::Text => Some(id.as_bytes().to_vec()),
            Self::Uuid => uuid::is_canonical(id).then(|| id.as_bytes().to_vec()),
            Self::Guid => uuid::parse(id).map(|uuid| swap(uuid).to_vec()),
        }
    }

    /// Returns the id of a value.
    pub(crate) fn to_id(self, value: &[u8]) -> Option<String> {
        match self {
            Self::Text | Self::Uuid => std::str::from_utf8(value).ok().map(str::to_owned),
            Self::Guid => Some(uuid::format(swap(value.try_into().ok()?))),
        }
    }
}

/// Reverses the bytes of the first three groups.
fn swap(uuid: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = uuid;
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

/// A value of an attribute for times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    At(Timestamp),
    /// Active Directory's `0` and its largest number.
    Never,
}

/// Parses a GeneralizedTime (RFC 4517, section 3.3.13), one with a number after it (`entryCSN`), or Active Directory's number of
/// 100 nanoseconds since 1601.
pub(crate) fn parse_time(text: &str) -> Option<Time> {
    match text.parse() {
        Ok(0 | i64::MAX) => Some(Time::Never),
        Ok(number) => parse_file_time(number).map(Time::At),
        Err(_) => parse_generalized(text.split('#').next()?).map(Time::At),
    }
}

fn parse_file_time(number: i64) -> Option<Timestamp> {
    // A number of another unit would be in the distant past.
    let seconds = number.div_euclid(10_000_000).checked_sub(SECONDS_TO_1970).filter(|seconds| *seconds >= 0)?;
    let nanoseconds = i32::try_from(number.rem_euclid(10_000_000)).ok()?.checked_mul(100)?;
    Timestamp::new(seconds, nanoseconds).ok()
}

fn parse_generalized(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(14)?;
    let zone = rest.find(['Z', '+', '-'])?;
    let (fraction, zone) = rest.split_at_checked(zone)?;
    let fraction = fraction.strip_prefix(['.', ',']).unwrap_or_default();
    if !date.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let fraction: String = fraction.chars().chain("0".chars()).take(9).collect();
    let [year, month, day] = [part(0, 4), part(4, 6), part(6, 8)];
    let [hour, minute, second] = [part(8, 10), part(10, 12), part(12, 14)];
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction}{zone}").parse().ok()
}

/// Parses a value of the syntax Boolean.
pub(crate) fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Parses a value of an attribute for blocked users. Returns `Some(None)` if the directory does not contain whether the user is blocked.
pub(crate) fn parse_blocked(attribute: &str, value: Option<&str>) -> Option<Option<bool>> {
    match (attribute.to_ascii_lowercase().as_str(), value) {
        ("useraccountcontrol", None) => Some(None),
        ("useraccountcontrol", Some(value)) => Some(Some(value.parse::<i64>().ok()? & ACCOUNT_DISABLED != 0)),
        ("pwdaccountlockedtime", value) => Some(Some(value == Some(LOCKED_FOREVER))),
        (_, None) => Some(Some(false)),
        (_, Some(value)) => parse_flag(value).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "8aec4f2c-7fe2-1041-9264-878632ad99b3";

    #[test]
    fn ids_have_one_spelling() {
        let guid = b"\x2c\x4f\xec\x8a\xe2\x7f\x41\x10\x92\x64\x87\x86\x32\xad\x99\xb3";
        assert_eq!(IdForm::Guid.to_value(UUID).as_deref(), Some(&guid[..]));
        assert_eq!(IdForm::Guid.to_id(guid).as_deref(), Some(UUID));
        assert_eq!(IdForm::Guid.to_id(b"short"), None);
        assert_eq!(IdForm::Uuid.to_value(UUID).as_deref(), Some(UUID.as_bytes()));
        for bad in [&UUID.to_uppercase(), &UUID.replace('-', ""), "", "+aec4f2c-7fe2-1041-9264-878632ad99b3", "*"] {
            assert_eq!((IdForm::Uuid.to_value(bad), IdForm::Guid.to_value(bad)), (None, None), "{bad}");
        }
        assert_eq!(IdForm::from_attribute("ENTRYuuid"), IdForm::Uuid);
        assert_eq!(IdForm::from_attribute("uid").to_value("a*b").as_deref(), Some(&b"a*b"[..]));
    }

    #[test]
    fn times_of_both_products_are_converted() {
        for (text, expected) in [
            ("20261129014713Z", "2026-11-29T01:47:13Z"),
            ("20261128064002.0Z", "2026-11-28T06:40:02Z"),
            ("20261128064002,5Z", "2026-11-28T06:40:02.5Z"),
            ("20261128084002+0200", "2026-11-28T06:40:02Z"),
            ("20261129014713.210877Z#000000#000#000000", "2026-11-29T01:47:13.210877Z"),
            ("133774848000000000", "2024-12-01T00:00:00Z"),
            ("133774848000000001", "2024-12-01T00:00:00.0000001Z"),
        ] {
            assert_eq!(parse_time(text), Some(Time::At(expected.parse().unwrap())), "{text}");
        }
        assert_eq!((parse_time("0"), parse_time(&i64::MAX.to_string())), (Some(Time::Never), Some(Time::Never)));
        for bad in ["", "2026", "20261399000000Z", "20261129014713", "yesterday at noon Z", "-9223372036854775808"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn blocked_users_are_recognized() {
        for (attribute, value, expected) in [
            ("userAccountControl", Some("512"), Some(Some(false))),
            ("userAccountControl", Some("66050"), Some(Some(true))),
            ("userAccountControl", Some("disabled"), None),
            ("userAccountControl", None, Some(None)),
            ("pwdAccountLockedTime", Some("000001010000Z"), Some(Some(true))),
            ("pwdAccountLockedTime", Some("20261129014713Z"), Some(Some(false))),
            ("pwdAccountLockedTime", None, Some(Some(false))),
            ("nsAccountLock", Some("true"), Some(Some(true))),
            ("nsAccountLock", Some("yes"), None),
            ("nsAccountLock", None, Some(Some(false))),
        ] {
            assert_eq!(parse_blocked(attribute, value), expected, "{attribute}: {value:?}");
        }
    }
}
