//! UUIDs in their canonical form, which many products give to users (RFC 9562).

/// Returns whether a text is a UUID in its canonical form, with digits in lower case.
pub fn is_canonical(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

/// Returns the canonical form of a UUID.
pub fn format(bytes: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Parses the canonical form of a UUID.
pub fn parse(text: &str) -> Option<[u8; 16]> {
    let digits = Some(text).filter(|text| is_canonical(text))?.replace('-', "");
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_accepted() {
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(parse(uuid).map(format).as_deref(), Some(uuid));
        let (upper, joined, braced) = (uuid.to_uppercase(), uuid.replace('-', ""), format!("{{{uuid}}}"));
        for bad in [
            &*upper,
            &joined,
            &braced,
            "",
            "+f8fad5b-d9cb-469f-a165-70867728950e",
            "0f8fad5b-d9cb-469f-a165-70867728950é",
        ] {
            assert_eq!((parse(bad), is_canonical(bad)), (None, false), "{bad}");
        }
    }
}
