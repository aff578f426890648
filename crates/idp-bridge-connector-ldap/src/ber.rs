//! The part of BER that LDAP uses (RFC 4511, section 5.1): tags of one byte, and definite lengths.
//!
//! The reader does not recurse, so that a hostile server cannot exhaust the stack.

/// The tags of universal types.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const OCTETS: u8 = 0x04;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// The reason why bytes are not a message of the protocol. Does not contain the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Encodes an element with these contents.
pub(crate) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let length = contents.len().to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
            bytes.extend(length);
        }
    }
    bytes.extend_from_slice(contents);
    bytes
}

/// Encodes an element that contains others.
pub(crate) fn group<const N: usize>(tag: u8, elements: [Vec<u8>; N]) -> Vec<u8> {
    element(tag, &elements.concat())
}

/// Encodes a text or other bytes.
pub(crate) fn octets(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    element(tag::OCTETS, bytes.as_ref())
}

/// Encodes a number.
pub(crate) fn number(tag: u8, number: i32) -> Vec<u8> {
    element(tag, &number.to_be_bytes())
}

/// Encodes a boolean.
pub(crate) fn boolean(tag: u8, value: bool) -> Vec<u8> {
    element(tag, &[if value { 0xff } else { 0 }])
}

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Creates a reader of these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns whether all elements have been read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the next element: its tag and its contents.
    pub(crate) fn read(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let (start, length) = header(self.0)?.ok_or(Malformed)?;
        let tag = *self.0.first().ok_or(Malformed)?;
        let end = start.checked_add(length).ok_or(Malformed)?;
        let contents = self.0.get(start..end).ok_or(Malformed)?;
        self.0 = self.0.get(end..).unwrap_or_default();
        Ok((tag, contents))
    }

    /// Reads the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let (found, contents) = self.read()?;
        if found == tag { Ok(contents) } else { Err(Malformed) }
    }

    /// Reads the next element if it has this tag.
    pub(crate) fn read_if(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.0.first() == Some(&tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// Reads a number, which must have this tag.
    pub(crate) fn number(&mut self, tag: u8) -> Result<i32, Malformed> {
        let bytes = self.expect(tag)?;
        let first = *bytes.first().ok_or(Malformed)?;
        let sign = if first & 0x80 == 0 { 0 } else { -1 };
        let number = bytes.iter().try_fold(sign, |number: i64, byte| {
            number.checked_mul(256).map(|shifted| shifted | i64::from(*byte)).ok_or(Malformed)
        })?;
        i32::try_from(number).map_err(|_| Malformed)
    }

    /// Reads a text, which must have this tag.
    pub(crate) fn text(&mut self, tag: u8) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.expect(tag)?).map_err(|_| Malformed)
    }
}

/// Returns the length of the message at the beginning of these bytes, or `None` if its header is not complete.
pub(crate) fn message_length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    if bytes.first().is_some_and(|first| *first != tag::SEQUENCE) {
        return Err(Malformed);
    }
    let Some((start, length)) = header(bytes)? else { return Ok(None) };
    start.checked_add(length).map(Some).ok_or(Malformed)
}

/// Returns the position and the length of the first element's contents, or `None` if its header is not complete.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let [tag, first, rest @ ..] = bytes else { return Ok(None) };
    // Tags of several bytes and indefinite lengths are not allowed.
    if tag & 0x1f == 0x1f || *first == 0x80 {
        return Err(Malformed);
    }
    if *first < 0x80 {
        return Ok(Some((2, usize::from(*first))));
    }
    let count = usize::from(first & 0x7f);
    if count > size_of::<u32>() {
        return Err(Malformed);
    }
    let Some(length) = rest.get(..count) else { return Ok(None) };
    Ok(Some((2 + count, length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_have_one_or_more_bytes() {
        for length in [0, 127, 128, 255, 256, 70_000] {
            let contents = vec![7; length];
            let bytes = element(tag::OCTETS, &contents);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.read(), Ok((tag::OCTETS, contents.as_slice())));
            assert!(reader.is_empty());
        }
        assert_eq!(element(tag::OCTETS, &[7; 200]).get(..3), Some(&[4, 0x81, 200][..]));
    }

    #[test]
    fn numbers_have_a_sign() {
        for value in [0, 1, 127, 128, -1, -129, i32::MAX, i32::MIN] {
            let bytes = number(tag::INTEGER, value);
            assert_eq!(Reader::new(&bytes).number(tag::INTEGER), Ok(value));
        }
        assert_eq!(Reader::new(&[2, 1, 0x80]).number(tag::INTEGER), Ok(-128));
        for bad in [&[2, 0][..], &[2, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1], &[2, 5, 1, 0, 0, 0, 0], &[4, 1, 1]] {
            assert_eq!(Reader::new(bad).number(tag::INTEGER), Err(Malformed), "{bad:?}");
        }
    }

    #[test]
    fn incomplete_headers_are_awaited_and_wrong_ones_refused() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x82, 1]] {
            assert_eq!(message_length(bytes), Ok(None), "{bytes:?}");
        }
        assert_eq!(message_length(&[0x30, 0x82, 1, 0]), Ok(Some(260)));
        for bytes in [&[0x48, 0x54][..], &[0x30, 0x80], &[0x30, 0x85, 1, 1, 1, 1, 1]] {
            assert_eq!(message_length(bytes), Err(Malformed), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let (mut reader, mut read) = (Reader::new(&bytes), 0);
            while let Ok((_, contents)) = reader.read() {
                read += 2 + contents.len();
            }
            prop_assert!(read <= bytes.len());
            prop_assert!(!matches!(message_length(&bytes), Ok(Some(0 | 1))));
        }
    }
}
