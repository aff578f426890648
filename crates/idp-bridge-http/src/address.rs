//! Which addresses may be dialled.
//!
//! A tenant's settings name a host; what is checked here is the address that is really dialled, so that neither a name that
//! resolves to the cloud's metadata service nor an unusual spelling of its address reaches it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use idp_bridge_core::PrivateNetworks;

/// Why an address is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} address is never dialled for this tenant", self.0)
    }
}

impl std::error::Error for Refused {}

/// What an address is for, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Anything on the internet.
    Global,
    /// The host itself or a network next to it: the policy decides.
    Local(&'static str),
    /// Never an identity provider.
    Never(&'static str),
}

/// Passes an address that the policy lets be dialled.
pub(crate) fn check(address: IpAddr, networks: PrivateNetworks) -> Result<(), Refused> {
    match (classify(address), networks) {
        (Class::Never(name), _) | (Class::Local(name), PrivateNetworks::Deny) => Err(Refused(name)),
        (Class::Local(_), PrivateNetworks::Allow) | (Class::Global, _) => Ok(()),
    }
}

fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        // Azure's WireServer, Alibaba Cloud and Oracle Cloud keep their metadata outside the link-local range.
        [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Class::Never("cloud metadata"),
        [0, ..] => Class::Never("unspecified"),
        [169, 254, ..] => Class::Never("link-local"),
        [224..=239, ..] => Class::Never("multicast"),
        [255, 255, 255, 255] => Class::Never("broadcast"),
        [240..=255, ..] => Class::Never("reserved"),
        [127, ..] => Class::Local("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Local("private"),
        [100, 64..=127, ..] => Class::Local("carrier-grade NAT"),
        // Protocol assignments, documentation, 6to4 relays, benchmarking: nothing that the internet routes.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Class::Local("special-purpose")
        }
        _ => Class::Global,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    // An address that carries an IPv4 address is at least as forbidden as that one.
    if let Some(inner) = embedded_v4(address) {
        return classify_v4(inner);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Local("loopback"),
        // The metadata services of AWS and of Google Cloud, both inside the unique-local range.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Class::Never("cloud metadata"),
        [0xfe80..=0xfebf, ..] => Class::Never("link-local"),
        [0xff00..=0xffff, ..] => Class::Never("multicast"),
        [0xfec0..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Class::Local("private"),
        // Discard-only, documentation, and whatever lies outside global unicast.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Local("special-purpose"),
        [0x2000..=0x3fff, ..] => Class::Global,
        _ => Class::Local("special-purpose"),
    }
}

/// The IPv4 address that a gateway, a tunnel or the system itself would dial for this one.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => None,
        // IPv4-compatible (and `::`, which is 0.0.0.0), IPv4-mapped, IPv4-translated.
        [0, 0, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        // NAT64 with the well-known prefix, and with the one for local use.
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        // 6to4, and ISATAP's interface identifiers below any prefix.
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(join(high, low)),
        // Teredo keeps the client's address inverted.
        [0x2001, 0, _, _, _, _, high, low] => Some(join(!high, !low)),
        _ => None,
    }
}
