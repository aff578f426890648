//! The addresses that a client may connect to.
//!
//! The check is made on the resolved address. A name that resolves to a cloud's metadata service is therefore refused, and
//! so is an unusual spelling of its address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use idp_bridge_core::{Error, OutboundPolicy, PrivateNetworks};

/// The part of a policy that limits where a client may connect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Whether loopback and private addresses are allowed.
    pub(crate) networks: PrivateNetworks,
    /// Whether plain `http` is allowed to hosts other than loopback.
    pub(crate) allow_http: bool,
}

impl From<&OutboundPolicy> for Reach {
    fn from(policy: &OutboundPolicy) -> Self {
        Self { networks: policy.private_networks, allow_http: policy.allow_http }
    }
}

/// The reason why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    kind: &'static str,
    by_policy: bool,
}

impl Refused {
    /// Converts the reason to the caller's error.
    pub(crate) fn into_error(self) -> Error {
        let hint = if self.by_policy {
            "use a public address, or set `outbound.private_networks` to `allow` if it is meant"
        } else {
            "no identity provider has such an address: check the host name and its DNS records"
        };
        Error::misconfigured("the host has an address that is not dialled").with_hint(hint).with_source(self)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address is {}", self.kind)
    }
}

impl std::error::Error for Refused {}

/// The class of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// An address on the internet.
    Global,
    /// A loopback or private address. The policy decides.
    Local(&'static str),
    /// An address that is always refused.
    Never(&'static str),
}

/// Checks that the policy allows an address.
pub(crate) fn check(address: IpAddr, networks: PrivateNetworks) -> Result<(), Refused> {
    match classify(address) {
        Class::Never(kind) => Err(Refused { kind, by_policy: false }),
        Class::Local(kind) if networks == PrivateNetworks::Deny => Err(Refused { kind, by_policy: true }),
        Class::Local(_) | Class::Global => Ok(()),
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
        // Azure's WireServer, Alibaba Cloud and Oracle Cloud keep their metadata outside the link-local range (as others'
        // block lists have them, November 2026).
        [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Class::Never("of the cloud's metadata"),
        [0, ..] => Class::Never("unspecified"),
        [169, 254, ..] => Class::Never("link-local"),
        [224..=239, ..] => Class::Never("multicast"),
        [255, 255, 255, 255] => Class::Never("broadcast"),
        [240..=255, ..] => Class::Never("reserved"),
        [127, ..] => Class::Local("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Local("private"),
        [100, 64..=127, ..] => Class::Local("of a carrier-grade NAT"),
        // Protocol assignments, documentation, 6to4 relays, benchmarking: not routed on the internet.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Class::Local("special-purpose")
        }
        _ => Class::Global,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    // An address that embeds an IPv4 address is classified by it.
    if let Some(inner) = embedded_v4(address) {
        return classify_v4(inner);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Local("loopback"),
        // AWS's own services, and the metadata of Google Cloud, Oracle Cloud, Scaleway, Alibaba Cloud and Akamai, all inside the
        // unique-local range (as their SDKs or others' block lists have them, November 2026).
        [0xfd00, 0xec2, ..]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        | [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]
        | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
        | [0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200]
        | [0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1] => Class::Never("of the cloud's metadata"),
        [0xfe80..=0xfebf, ..] => Class::Never("link-local"),
        [0xff00..=0xffff, ..] => Class::Never("multicast"),
        [0xfec0..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Class::Local("private"),
        // Discard-only, documentation, and everything outside global unicast.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Local("special-purpose"),
        [0x2000..=0x3fff, ..] => Class::Global,
        _ => Class::Local("special-purpose"),
    }
}

/// Returns the IPv4 address that a gateway, a tunnel or the system connects to instead of this address.
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
        // Teredo inverts the bits of the client's address.
        [0x2001, 0, _, _, _, _, high, low] => Some(join(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(address: &str, networks: PrivateNetworks) -> bool {
        check(address.parse().unwrap(), networks).is_ok()
    }

    /// Returns all IPv6 addresses that embed this IPv4 address.
    fn embeddings(address: &str) -> Vec<String> {
        let [a, b, c, d] = address.parse::<Ipv4Addr>().unwrap().octets();
        let hex = format!("{a:02x}{b:02x}:{c:02x}{d:02x}");
        let inverted = format!("{:02x}{:02x}:{:02x}{:02x}", !a, !b, !c, !d);
        vec![
            format!("::ffff:{hex}"),
            format!("::{hex}"),
            format!("::ffff:0:{hex}"),
            format!("64:ff9b::{hex}"),
            format!("64:ff9b:1::{hex}"),
            format!("64:ff9b:1:abcd:0:7:{hex}"),
            format!("2002:{hex}::1"),
            format!("2001:0:4136:e378:8000:63bf:{inverted}"),
            format!("2606:4700::5efe:{hex}"),
            format!("2606:4700::200:5efe:{hex}"),
        ]
    }

    #[test]
    fn metadata_and_link_local_addresses_are_always_refused() {
        let v4 = [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
        ];
        let v6 = [
            "::",
            "fe80::1",
            "febf::1",
            "fe80::a9fe:a9fe",
            "ff02::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:100::100:200",
            "fd00:a9fe:a9fe::1",
        ];
        let disguised: Vec<String> = v4.iter().flat_map(|address| embeddings(address)).collect();
        for address in v4.into_iter().chain(v6).chain(disguised.iter().map(String::as_str)) {
            assert!(!is_allowed(address, PrivateNetworks::Allow), "{address}");
            assert!(!is_allowed(address, PrivateNetworks::Deny), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_refused_by_policy() {
        let v4 = [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.0.0.8",
        ];
        let v6 = ["::1", "fc00::1", "fdff::1", "fd20:ce::1", "fec0::1", "2001:db8::1", "3fff::1", "100::1", "4000::1"];
        let disguised: Vec<String> = v4.iter().flat_map(|address| embeddings(address)).collect();
        for address in v4.into_iter().chain(v6).chain(disguised.iter().map(String::as_str)) {
            assert!(is_allowed(address, PrivateNetworks::Allow), "{address}");
            assert!(!is_allowed(address, PrivateNetworks::Deny), "{address}");
        }
    }

    #[test]
    fn global_addresses_are_always_allowed() {
        let v4 = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.0.1",
            "169.255.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.1.1",
            "192.169.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
        ];
        let disguised: Vec<String> = v4.iter().flat_map(|address| embeddings(address)).collect();
        for address in
            v4.into_iter().chain(["2606:4700::1111", "2a00::1", "3ffe::1"]).chain(disguised.iter().map(String::as_str))
        {
            assert!(is_allowed(address, PrivateNetworks::Deny), "{address}");
        }
    }
}
