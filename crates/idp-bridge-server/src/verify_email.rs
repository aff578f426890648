//! The page that a link in a mail opens, which verifies the address of the mail.
//!
//! Programs that scan mails open their links: a GET shows a button, and only its POST changes the user.
//! A token works once, as a write with its idempotency key, and only while the user has the address of the mail.

use std::sync::Arc;

use http::{Method, StatusCode};
use idp_bridge_core::{Call, MailKind, MailToken};
use idp_bridge_protocol::Code;
use maud::Markup;

use crate::error::Refusal;
use crate::form::{Fields, FormBody};
use crate::html::{self, Assets};
use crate::idempotency::Key;
use crate::log::{RequestLog, Surface};
use crate::pipeline::{self, AdmittedCall};
use crate::request::TenantRequest;
use crate::response::Response;
use crate::state::ServerState;
use crate::tenant::Tenant;

static ASSETS: Assets = Assets::with_forms(concat!(
    include_str!("html/style.css"),
    include_str!("html/form.css"),
    include_str!("html/verify.css")
));

/// The link of a mail.
struct Link {
    tenant: Arc<Tenant>,
    token: String,
    mail: MailToken,
}

/// Handles a request to the page.
pub(crate) async fn handle(state: &Arc<ServerState>, request: TenantRequest<'_>) -> Response {
    let TenantRequest { origin, tenant: id, head, body } = request;
    let found = state.find_tenant(&id);
    let body = FormBody { body, timeout: state.body_timeout(&head.headers, &found) };
    let tenant = found.into_known();
    let mut log = RequestLog::new(&state.telemetry, origin, Surface::VerifyEmail, id);
    log.set_call("open_link");
    if let Some(tenant) = &tenant {
        log.set_tenant(tenant.metrics());
    }
    let is_post = head.method == Method::POST;
    let token = match (state.is_draining(), is_post) {
        (true, _) => Err(Refusal::new(Code::ShuttingDown)),
        (false, true) => Fields::read_body(head, body).await.and_then(|fields| fields.take_all(["token"])),
        // Mailers and mail programs add parameters of their own.
        (false, false) => Fields::parse_query(head).map(|fields| fields.take(["token"])),
    };
    match token.and_then(|[token]| Link::open(tenant, token)) {
        Ok(link) if is_post => verify(state, link, log).await,
        Ok(link) => {
            log.write_status(StatusCode::OK);
            show(&question(&link))
        }
        Err(refusal) => {
            let page = failure(&refusal, log.request_id(), None);
            with_page(log.reject(refusal), &page)
        }
    }
}

impl Link {
    /// Opens a link. Its token must be valid; whether the user still has the address is checked by the write.
    ///
    /// A tenant that does not exist or sends no mails has no valid token.
    fn open(tenant: Option<Arc<Tenant>>, token: Option<String>) -> Result<Self, Refusal> {
        let opened = tenant.zip(token).and_then(|(tenant, token)| {
            let mail = tenant.provider.mail_tokens()?.verify(MailKind::Verification, &token).ok()?;
            Some(Self { tenant, token, mail })
        });
        opened.ok_or_else(|| Refusal::new(Code::InvalidRequest).with_detail("the link is invalid or has expired"))
    }
}

/// Marks the address of a link as verified, once.
async fn verify(state: &Arc<ServerState>, link: Link, log: RequestLog) -> Response {
    let request_id = Arc::clone(log.request_id());
    let Link { tenant, token, mail } = link;
    let call = Call::MarkEmailVerified { id: mail.user, email: Some(mail.email) };
    let key = Some(Key::for_mail(&tenant.id, &mail.id));
    let scope = log.call_scope(tenant.deadline);
    match pipeline::attempt(state, Box::new(AdmittedCall { tenant, call, key, scope, log })).await {
        Ok(_) => show(&success()),
        Err(refusal) => {
            let page = failure(&refusal, &request_id, Some(&token));
            with_page(refusal.into_response(&request_id), &page)
        }
    }
}

/// A page with its title.
struct Page {
    title: &'static str,
    body: Markup,
}

fn question(link: &Link) -> Page {
    let title = "Confirm your email address";
    let body = maud::html! {
        h1 { (title) }
        p { "Is this your address? " strong { (link.mail.email.as_str()) } }
        (button(&link.token, "Confirm the address"))
        p.note { "If you did not ask for this, close the page: nothing has changed." }
    };
    Page { title, body }
}

/// Returns a form that sends the token to this page, without a query.
fn button(token: &str, label: &str) -> Markup {
    maud::html! {
        form method="post" action="verify-email" {
            input type="hidden" name="token" value=(token);
            button type="submit" { (label) }
        }
    }
}

fn success() -> Page {
    let title = "Your email address is confirmed";
    Page { title, body: maud::html! { h1 { (title) } p { "You can close this page." } } }
}

/// Returns the page of a failure, which contains no part of the request but the token.
fn failure(refusal: &Refusal, request_id: &str, token: Option<&str>) -> Page {
    let is_stale =
        matches!(refusal.code(), Code::InvalidRequest | Code::UserNotFound | Code::UserConflict | Code::UserState);
    let title = if is_stale { "This link is not valid" } else { "Your email address could not be confirmed" };
    let can_repeat = refusal.code().is_retryable();
    let body = maud::html! {
        h1 { (title) }
        @if is_stale {
            p { "It may have expired, or your address has changed since. Ask for another mail." }
        } @else if can_repeat {
            p { "Try it again in a moment." }
            @if let Some(token) = token { (button(token, "Try again")) }
        } @else {
            p { (refusal.code().title()) "." }
        }
        p.note { "Request " (request_id) }
    };
    Page { title, body }
}

fn show(page: &Page) -> Response {
    html::new(html::document(page.title, &page.body.0, &ASSETS), &ASSETS)
}

fn with_page(mut response: Response, page: &Page) -> Response {
    html::replace_body(&mut response, page.title, &page.body.0, &ASSETS);
    response
}
