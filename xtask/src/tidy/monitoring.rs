//! The alert rules and the dashboard: each metric and label that they query is in `docs/metrics.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, Source};

const PAGE: &str = "docs/metrics.md";
const FOLDER: &str = "packaging/monitoring/";
const PREFIX: &str = "idp_bridge_";
/// The suffixes of the series of a histogram.
const HISTOGRAM: [&str; 3] = ["_bucket", "_sum", "_count"];
/// The label of a histogram's buckets.
const BUCKET: &str = "le";

/// The labels of each metric.
type Metrics<'s> = BTreeMap<&'s str, BTreeSet<&'s str>>;

/// Returns the queries of metrics and labels that do not exist.
pub(super) fn check(sources: &[Source]) -> Vec<Problem> {
    let Some(page) = sources.iter().find(|source| source.path == PAGE) else { return Vec::new() };
    let metrics = metrics(&page.text);
    let queries = sources.iter().filter(|source| source.path.starts_with(FOLDER));
    queries.flat_map(|source| check_file(source, &metrics)).collect()
}

/// Parses the table of the page.
fn metrics(page: &str) -> Metrics<'_> {
    page.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            let name = cells.next()?.trim().trim_end_matches('`');
            let labels = cells.nth(1)?.split(',').map(|label| label.trim().trim_matches('`'));
            Some((name, labels.filter(|label| !label.is_empty()).collect()))
        })
        .collect()
}

fn check_file(source: &Source, metrics: &Metrics<'_>) -> Vec<Problem> {
    let queries = source.lines().filter(|(_, line)| line.contains(PREFIX));
    queries
        .flat_map(|(number, line)| {
            let rules = check_query(line, metrics);
            rules.into_iter().map(move |rule| Problem::at(source, number, rule))
        })
        .collect()
}

/// Returns the fault of the query in a line.
fn check_query(line: &str, metrics: &Metrics<'_>) -> Vec<String> {
    let (mut rules, mut known) = (Vec::new(), BTreeSet::from([BUCKET]));
    for (at, _) in line.match_indices(PREFIX) {
        let rest = line.get(at..).unwrap_or_default();
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let base = HISTOGRAM.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let Some(labels) = metrics.get(name).or_else(|| metrics.get(base)) else {
            rules.push(format!("queries `{name}`, which `{PAGE}` does not have"));
            continue;
        };
        known.extend(labels);
        let is_known = |label: &&str| labels.contains(label) || (*label == BUCKET && base != name);
        let unknown = selected_labels(after).into_iter().filter(|label| !is_known(label));
        rules.extend(unknown.map(|label| format!("queries the label `{label}`, which `{name}` does not have")));
    }
    let unknown = grouped_labels(line).into_iter().filter(|label| !known.contains(label));
    rules.extend(unknown.map(|label| format!("groups by the label `{label}`, which no metric of the query has")));
    rules
}

/// Returns the labels in the braces after a metric.
fn selected_labels(after: &str) -> Vec<&str> {
    let selector = after.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let conditions = selector.into_iter().flat_map(|(selector, _)| selector.split(','));
    conditions.filter_map(|condition| condition.split(['=', '!']).next()).map(str::trim).collect()
}

/// Returns the labels of `by (…)`, and those of `label_values(metric, label)`.
fn grouped_labels(line: &str) -> Vec<&str> {
    let groups = line.split("by (").skip(1).filter_map(|rest| rest.split(')').next()).flat_map(|list| list.split(','));
    let values = line.split("label_values(").skip(1).filter_map(|rest| rest.split([',', ')']).nth(1));
    groups.chain(values).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(query: &str) -> Vec<String> {
        let page = "| Name | Type | Labels | Meaning |\n|---|---|---|---|\n\
            | `idp_bridge_calls_total` | counter | `tenant`, `code` | Calls |\n\
            | `idp_bridge_duration_seconds` | histogram | `call` | Time |\n\
            | `idp_bridge_tenants` | gauge |  | Tenants |\n";
        check_query(query, &metrics(page))
    }

    #[test]
    fn existing_metrics_and_labels_pass() {
        for query in [
            "sum by (tenant, code) (rate(idp_bridge_calls_total{code=~\"a|b\",tenant!=\"x\"}[5m])) > 0",
            "histogram_quantile(0.9, sum by (le, call) (rate(idp_bridge_duration_seconds_bucket[5m])))",
            "idp_bridge_duration_seconds_bucket{call=\"get\",le=\"1\"}",
            "\"query\": \"label_values(idp_bridge_calls_total, tenant)\"",
            "idp_bridge_tenants > 0",
        ] {
            assert_eq!(rules(query), Vec::<String>::new(), "{query}");
        }
    }

    #[test]
    fn unknown_metrics_and_labels_are_problems() {
        for (query, rule) in [
            ("idp_bridge_call_total > 0", "`idp_bridge_call_total`"),
            ("idp_bridge_calls_total{call=\"x\"} > 0", "the label `call`"),
            ("idp_bridge_tenants{le=\"1\"}", "the label `le`"),
            ("sum by (call) (idp_bridge_calls_total)", "groups by the label `call`"),
            ("label_values(idp_bridge_tenants, tenant)", "groups by the label `tenant`"),
        ] {
            let found = rules(query);
            assert!(found.len() == 1 && found[0].contains(rule), "{query}: {found:?}");
        }
    }
}
