//! The problems that the last diagnoses found.

use idp_bridge_core::{Finding, Verdict};
use maud::{Markup, PreEscaped, html};

use crate::doctor::{Diagnoses, Diagnosis};
use crate::html::inline;

/// The number of tenants with problems on the page.
const TENANTS: usize = 10;

/// Renders the section.
pub(super) fn render(diagnoses: Option<&Diagnoses>, tenants: usize) -> Markup {
    html! {
        section {
            h2 { "The last checks" }
            @match diagnoses.map(Diagnoses::list) {
                None => p class="note" {
                    "Off: " code { "server.doctor_interval" } " switches them on, and " code { "idp-bridge doctor" } " checks once."
                },
                Some(all) => (overview(&all.iter().map(|one| &**one).collect::<Vec<_>>(), tenants)),
            }
        }
    }
}

fn overview(all: &[&Diagnosis], tenants: usize) -> Markup {
    let with_problems: Vec<_> = all.iter().filter(|diagnosis| !diagnosis.problems.is_empty()).collect();
    let failed = all.iter().filter(|diagnosis| diagnosis.failed() > 0).count();
    html! {
        p {
            (all.len()) " of " (tenants) " tenants checked: "
            @if failed > 0 { span class="bad" { (failed) " failed" } } @else { span class="good" { "none failed" } }
        }
        @for diagnosis in with_problems.iter().take(TENANTS) {
            h3 { a href={ "/doctor?tenant=" (diagnosis.tenant) } { (diagnosis.tenant) } }
            p class="note" { (diagnosis.time.strftime("%F %T UTC")) ", " (diagnosis.passed) " checks passed" }
            ul { @for finding in &diagnosis.problems { li { (problem(finding)) } } }
        }
        @if with_problems.len() > TENANTS {
            p class="note" { (with_problems.len() - TENANTS) " more tenants have problems: " a href="/doctor" { "/doctor" } }
        }
    }
}

fn problem(finding: &Finding) -> Markup {
    let (label, class) = match finding.verdict {
        Verdict::Failed => ("failed", "bad"),
        Verdict::NotVisible => ("not visible", "note"),
        Verdict::Ok => ("ok", "good"),
    };
    html! {
        span class=(class) { (label) } ": " (line(&finding.check))
        @if let Some(detail) = &finding.detail { " – " (line(detail)) }
        @if let Some(fix) = &finding.fix { br; span class="note" { "fix: " (line(fix)) } }
    }
}

fn line(text: &str) -> Markup {
    PreEscaped(inline(text))
}
