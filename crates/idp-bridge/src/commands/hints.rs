//! The next step for codes of problems that name none themselves.

/// Returns the next step for a problem with this code, if it depends on the code alone.
pub(super) fn hint_for_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_signature" => "check the tenant, and that the bridge has the other half of this key",
        "timestamp_out_of_range" => "synchronize the clocks: they differ by more than five minutes",
        "upstream_unauthorized" | "misconfigured" => {
            "run `idp-bridge doctor` on the bridge's host: it names the missing step"
        }
        _ => return None,
    })
}
