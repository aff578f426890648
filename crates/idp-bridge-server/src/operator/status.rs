//! `/status`: a page with the tenants, their calls of the last hour, the last checks, the last failures and the last reload.

mod chart;
mod checks;
mod tenants;

use idp_bridge_protocol::Code;
use jiff::Timestamp;
use maud::Markup;

use self::tenants::{Row, TenantPage};
use crate::call_record::CallRecord;
use crate::error::Refusal;
use crate::history::Minute;
use crate::html::{self, Assets};
use crate::request;
use crate::response::Response;
use crate::state::ServerState;
use crate::tenants::LastReload;

/// The number of failed calls on the page.
const FAILURES: usize = 10;
static ASSETS: Assets = Assets::with_forms(concat!(
    include_str!("../html/style.css"),
    include_str!("../html/form.css"),
    include_str!("../html/status.css")
));

/// The query of the page.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    search: String,
    page: usize,
}

impl Query {
    /// Parses `q=…&page=…`. Returns `None` for other parameters.
    fn parse(query: &str) -> Option<Self> {
        let mut parsed = Self { page: 1, ..Self::default() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("q", text) => parsed.search = request::percent_decode(&text.replace('+', " "))?.trim().to_owned(),
                ("page", number) => parsed.page = number.parse().ok()?,
                _ => return None,
            }
        }
        Some(parsed)
    }
}

/// Responds to `GET /status`.
pub(super) fn show(state: &ServerState, query: Option<&str>) -> Result<Response, Refusal> {
    let query = Query::parse(query.unwrap_or_default()).ok_or_else(|| {
        let detail = "the query is not `q=…&page=…`";
        Refusal::new(Code::InvalidRequest).with_detail(detail)
    })?;
    let now = state.clock.now();
    let tenants = state.tenants.load();
    let page = TenantPage::new(&tenants, &query.search, query.page, now);
    let body = maud::html! {
        header {
            h1 { "idp-bridge" }
            p class="note" { (env!("CARGO_PKG_VERSION")) " · " (readiness(state)) " · " (now.strftime("%F %T UTC")) }
        }
        (overview(state, tenants.len(), now))
        (tenant_list(&page, &query))
        (checks::render(state.diagnoses.as_deref(), tenants.len()))
        (failures(state))
        (reload(state.tenants.last_reload().as_deref(), state.tenants.broken()))
    };
    Ok(html::new(html::document("idp-bridge status", &body.into_string(), &ASSETS), &ASSETS))
}

fn readiness(state: &ServerState) -> &'static str {
    if state.is_stopping() { "stopping" } else { "ready" }
}

/// Shows the calls of all tenants.
fn overview(state: &ServerState, tenants: usize, now: Timestamp) -> Markup {
    let minutes = state.telemetry.metrics.history.last_hour(now);
    let sum = minutes.as_ref().map(|minutes| Minute::sum(minutes)).unwrap_or_default();
    let in_flight = state.limits.calls.saturating_sub(state.guard.available());
    let lost = state.lost_lines.as_ref().map_or(0, |lost| lost());
    maud::html! {
        section {
            h2 { "The last hour" }
            dl class="facts" {
                (fact("tenants", &tenants.to_string(), false))
                (fact("calls", &sum.calls.to_string(), false))
                (fact("failed", &sum.errors.to_string(), sum.errors > 0))
                (fact("mean", &sum.mean_ms().map_or("–".to_owned(), milliseconds), false))
                (fact("longest", &milliseconds(sum.max_ms), false))
                (fact("in flight now", &in_flight.to_string(), false))
                (fact("lost log lines", &lost.to_string(), lost > 0))
            }
            @match &minutes {
                Some(minutes) => div class="charts" {
                    figure {
                        (chart::calls(minutes))
                        figcaption { "calls per minute, at most " (chart::max_calls(minutes)) "; failed ones in red" }
                    }
                    figure {
                        (chart::durations(minutes))
                        figcaption { "mean duration per minute, at most " (chart::max_mean_ms(minutes)) " ms" }
                    }
                },
                None => p class="note" { "No tenant had a call." },
            }
        }
    }
}

fn fact(name: &str, value: &str, is_bad: bool) -> Markup {
    maud::html! { div { dt { (name) } dd class=[is_bad.then_some("bad")] { (value) } } }
}

fn milliseconds(time: u32) -> String {
    format!("{time} ms")
}

fn tenant_list(page: &TenantPage, query: &Query) -> Markup {
    maud::html! {
        section {
            h2 { "Tenants" }
            form method="get" action="/status" {
                @let label = "id or connector";
                input type="search" name="q" value=(query.search) placeholder=(label) aria-label=(label) maxlength="128";
                button { "Search" }
            }
            @if page.rows.is_empty() {
                p class="note" { "No tenant matches." }
            } @else {
                table class="tenants" {
                    (head(&["tenant", "connector", "identity provider", "calls", "failed", "mean", "last hour"]))
                    tbody { @for row in &page.rows { (tenant_row(row)) } }
                }
            }
            (pages(page, query))
        }
    }
}

fn head(names: &[&str]) -> Markup {
    maud::html! { thead { tr { @for name in names { th { (name) } } } } }
}

fn tenant_row(row: &Row) -> Markup {
    let id = row.tenant.id.as_str();
    maud::html! {
        tr {
            th scope="row" { a href={ "/calls?tenant=" (id) } { (id) } }
            td data-name="connector" { (row.tenant.connector) }
            td data-name="identity provider" { (health(row)) }
            td data-name="calls" { (row.sum.calls) }
            td data-name="failed" class=[(row.sum.errors > 0).then_some("bad")] { (row.sum.errors) }
            td data-name="mean" { (row.sum.mean_ms().map_or("–".to_owned(), milliseconds)) }
            td class="chart" { @if let Some(minutes) = &row.minutes { (chart::calls(minutes)) } }
        }
    }
}

/// Shows whether the circuit breakers of a tenant are open.
fn health(row: &Row) -> Markup {
    let quota = row.tenant.upstream.quota().map(|quota| format!(", {quota} requests left"));
    maud::html! {
        @if row.hosts_down() > 0 {
            span class="bad" { "down" }
        } @else if row.tenant.upstream.requests() == 0 {
            span class="note" { "no request yet" }
        } @else {
            span class="good" { "up" }
        }
        (quota.unwrap_or_default())
    }
}

fn pages(page: &TenantPage, query: &Query) -> Markup {
    let encoded: String =
        percent_encoding::utf8_percent_encode(&query.search, percent_encoding::NON_ALPHANUMERIC).collect();
    let link = |number: usize| format!("/status?q={encoded}&page={number}");
    maud::html! {
        p class="pages" {
            @if page.number > 1 { a href=(link(page.number - 1)) rel="prev" { "← previous" } " " }
            span class="note" { "page " (page.number) " of " (page.pages) ", " (page.matches) " tenants" }
            @if page.number < page.pages { " " a href=(link(page.number + 1)) rel="next" { "next →" } }
        }
    }
}

/// Shows the last failed calls.
fn failures(state: &ServerState) -> Markup {
    let calls = state.telemetry.recent.latest_failures(FAILURES);
    maud::html! {
        section {
            h2 { "The last failed calls" }
            @if calls.is_empty() {
                p class="note" { "No call has failed since the start." }
            } @else {
                table class="tenants" {
                    (head(&["request", "time", "tenant", "call", "result", "took"]))
                    tbody { @for call in &calls { (failure_row(call)) } }
                }
                p class="note" { code { "idp-bridge explain REQUEST" } " shows the steps of a call." }
            }
        }
    }
}

fn failure_row(call: &CallRecord) -> Markup {
    maud::html! {
        tr {
            th scope="row" { a class="id" href={ "/calls/" (call.request_id) } { (call.request_id) } }
            td data-name="time" { (call.time.strftime("%F %T")) }
            td data-name="tenant" { (call.tenant) }
            td data-name="call" { (call.call.unwrap_or(call.surface)) }
            td data-name="result" { (call.status) " " (call.code) }
            td data-name="took" { (call.duration.as_millis()) " ms" }
        }
    }
}

/// Shows the last reload of the configuration, and its problems.
fn reload(last: Option<&LastReload>, broken: usize) -> Markup {
    maud::html! {
        section {
            h2 { "The last reload" }
            @match last {
                None => p class="note" { "The configuration was not loaded again since the start." },
                Some(reload) => {
                    p {
                        (reload.time.strftime("%F %T UTC")) ": "
                        @if reload.problems.is_empty() {
                            span class="good" { "no problem" }
                        } @else {
                            span class="bad" { (reload.problems.len()) " problems" }
                            ", " (broken) " tenants or tables keep their earlier settings"
                        }
                    }
                    @for problem in &reload.problems { pre { (problem) } }
                },
            }
        }
    }
}
