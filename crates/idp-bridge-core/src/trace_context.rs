//! The position of a call in a distributed trace (W3C Trace Context, level 1).

use std::fmt;

/// The bit of the flags that says that the trace is recorded.
const SAMPLED: u8 = 1;

/// A span of a trace, as the value of a `traceparent` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Creates the context of a span.
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Self {
        Self { trace_id, span_id, flags: if is_sampled { SAMPLED } else { 0 } }
    }

    /// Parses the value of a `traceparent` header. Later versions may append fields.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let mut hex = |length| fields.next().filter(|field| is_hex(field, length));
        let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        Some(Self { trace_id, span_id, flags: u8::from_str_radix(flags, 16).ok()? })
    }

    /// Returns the id of the trace.
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// Returns the id of the span.
    pub fn span_id(self) -> u64 {
        self.span_id
    }

    /// Returns whether the trace is recorded.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Returns another span of this trace.
    #[must_use]
    pub fn with_span(self, span_id: u64) -> Self {
        Self { span_id, ..self }
    }

    /// Returns the span of the step at this position of the call with this span.
    #[must_use]
    pub fn step(self, position: usize) -> Self {
        let offset = u64::try_from(position).unwrap_or(u64::MAX).wrapping_add(1);
        // Zero is not an id.
        self.with_span(self.span_id.wrapping_add(offset).max(1))
    }
}

/// Formats the value of a `traceparent` header.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Returns whether a text consists of this number of lower-case hexadecimal digits.
fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn valid_value_is_parsed() {
        for (good, is_sampled) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-02"), false),
            (format!("01-{TRACE}-00f067aa0ba902b7-01-more"), true),
        ] {
            let context = TraceContext::parse(&good).unwrap();
            assert_eq!(format!("{:032x}", context.trace_id()), TRACE, "{good}");
            assert_eq!((context.span_id(), context.is_sampled()), (0x00f0_67aa_0ba9_02b7, is_sampled), "{good}");
        }
    }

    #[test]
    fn invalid_value_is_rejected() {
        for bad in [
            "",
            TRACE,
            &format!("00-{TRACE}-00f067aa0ba902b7"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}x-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn formatted_value_is_parsed_again() {
        let context = TraceContext::new(7, 9, true);
        assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
    }

    #[test]
    fn steps_have_ids_of_their_own() {
        let call = TraceContext::new(7, u64::MAX - 1, true);
        assert_eq!([0, 1].map(|position| call.step(position).span_id()), [u64::MAX, 1], "an id is never zero");
        assert_eq!(call.step(0).trace_id(), 7);
    }
}
