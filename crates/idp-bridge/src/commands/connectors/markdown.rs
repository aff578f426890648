//! The declared capabilities of all connectors as Markdown tables, for `docs/support-matrix.md`.

use std::collections::BTreeMap;

use idp_bridge_core::{CallKind, Capabilities, FederationCapabilities, Field, Liveness, Registry, Support};

/// A connector's name and its capabilities.
type Column = (&'static str, Capabilities);

/// Returns the sections about calls, fields and federation.
pub(super) fn render(registry: &Registry) -> String {
    let columns: Vec<Column> = registry.iter().map(|entry| (entry.kind(), entry.capabilities())).collect();
    let mut text = "## Calls\n\n".to_owned() + &header("Call", &columns);
    for kind in CallKind::ALL {
        text += &row(&format!("`{}`", kind.as_str()), &columns, |own| support(&own.call(kind)).to_owned());
    }
    let limits: String = columns.iter().map(limits_of_calls).collect();
    text += &format!(
        "\n{limits}\n## Fields of a user\n\n\
         *Exact* is the identity provider's own value, *derived* is computed within limits that the connector's page \
         names, *absent* is never returned.\n\n{}",
        header("Field", &columns)
    );
    for field in Field::ALL {
        text += &row(&format!("`{}`", field.as_str()), &columns, |own| own.field(field).as_str().to_owned());
    }
    text + "\n## Federation\n\n" + &federation(&columns)
}

fn federation(columns: &[Column]) -> String {
    type Show = fn(&FederationCapabilities) -> String;
    let rows: [(&str, Show); 5] = [
        ("Validity of a token is checked by", |own| liveness(own.liveness).to_owned()),
        ("A logout ends", |own| own.logout.to_string()),
        ("Logouts elsewhere reach the bridge (back channel)", |own| support(&own.back_channel).to_owned()),
        ("Opaque access tokens", |own| if own.opaque_tokens { "yes" } else { "no" }.to_owned()),
        ("Seconds that userinfo may be cached, by default", |own| own.cache_seconds.to_string()),
    ];
    let mut text = header("Capability", columns);
    for (title, show) in rows {
        text += &row(title, columns, |own| own.federation().map_or_else(|| "–".to_owned(), show));
    }
    let limits = columns.iter().filter_map(|(name, own)| {
        let reason = reason(&own.federation()?.back_channel)?.to_owned();
        Some(format!("- {name}, back channel: {reason}.\n"))
    });
    text + "\n" + &limits.collect::<String>()
}

/// Lists the reasons of limited and unsupported calls; calls with an equal reason share a line.
fn limits_of_calls((name, own): &Column) -> String {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in CallKind::ALL {
        if let Some(reason) = reason(&own.call(kind)) {
            reasons.entry(reason.to_owned()).or_default().push(format!("`{}`", kind.as_str()));
        }
    }
    reasons.iter().map(|(reason, calls)| format!("- {name}, {}: {reason}.\n", calls.join(", "))).collect()
}

fn header(title: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    format!("| {title} | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()))
}

fn row(title: &str, columns: &[Column], cell: impl Fn(&Capabilities) -> String) -> String {
    let cells: Vec<String> = columns.iter().map(|(_, own)| cell(own)).collect();
    format!("| {title} | {} |\n", cells.join(" | "))
}

fn support(support: &Support) -> &'static str {
    match support {
        Support::Supported => "yes",
        Support::Conditional { .. } => "with limits",
        Support::Unsupported { .. } => "no",
    }
}

fn reason(support: &Support) -> Option<&str> {
    match support {
        Support::Supported => None,
        Support::Conditional { reason } | Support::Unsupported { reason } => Some(reason),
    }
}

fn liveness(liveness: Liveness) -> &'static str {
    match liveness {
        Liveness::IdentityProvider => "the identity provider",
        Liveness::Signature => "its signature, its time and the state of the user",
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::LogoutReach;

    use super::*;

    fn columns() -> [Column; 2] {
        let limited = Capabilities::all()
            .with_call(CallKind::Delete, Support::conditional("needs `manage-users`"))
            .with_call(CallKind::GetByEmail, Support::conditional("needs `manage-users`"))
            .with_federation(Some(FederationCapabilities {
                liveness: Liveness::IdentityProvider,
                logout: LogoutReach::Session,
                back_channel: Support::conditional("needs a public address"),
                opaque_tokens: false,
                cache_seconds: 0,
            }));
        [("keycloak", limited), ("memory", Capabilities::all())]
    }

    #[test]
    fn each_connector_is_a_column() {
        assert_eq!(header("Call", &columns()), "| Call | keycloak | memory |\n|---|---|---|\n");
        let cells = row("`users.delete`", &columns(), |own| support(&own.call(CallKind::Delete)).to_owned());
        assert_eq!(cells, "| `users.delete` | with limits | yes |\n");
    }

    #[test]
    fn calls_with_one_reason_share_a_line() {
        let [limited, unlimited] = columns();
        let line = "- keycloak, `users.get_by_email`, `users.delete`: needs `manage-users`.\n";
        assert_eq!(limits_of_calls(&limited), line);
        assert_eq!(limits_of_calls(&unlimited), "");
    }

    #[test]
    fn missing_federation_is_a_dash() {
        let text = federation(&columns());
        assert!(text.contains("| A logout ends | the session | – |\n"), "{text}");
        assert!(text.contains("(back channel) | with limits | – |\n"), "{text}");
        assert!(text.contains("- keycloak, back channel: needs a public address.\n"), "{text}");
    }

    #[test]
    fn every_section_is_rendered() {
        let text = render(&Registry::default());
        for section in
            ["## Calls\n", "| `users.delete` |", "## Fields of a user\n", "| `login_time` |", "## Federation\n"]
        {
            assert!(text.contains(section), "{section}: {text}");
        }
    }
}
