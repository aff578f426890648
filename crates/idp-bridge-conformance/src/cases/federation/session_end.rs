//! The URL where a browser ends its session: each value of the application stays one parameter.

use std::collections::BTreeMap;

use idp_bridge_core::{EndSession, Secret};
use percent_encoding::percent_decode_str;

use super::oauth;
use crate::bullet::end_session;
use crate::case::Case;
use crate::context::{CaseContext, ensure};
use crate::{EndSessionForm, TestResult};

/// Values with metacharacters of URLs, headers and pages.
const HOSTILE: [&str; 9] = [
    "a&client_id=evil&post_logout_redirect_uri=https://evil.example&logout_uri=https://evil.example",
    "#fragment",
    "?query=1;a=b",
    "a b+c%20d%26e%",
    "line\r\nset-cookie: a=b",
    "\"><script>alert(1)</script>",
    "ä漢\u{0}\u{7f}",
    "//evil.example/@[::1]\\..\\..",
    "==",
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        oauth("federation_session_end::the_url_is_the_identity_providers", &[end_session::PARAMETERS], plain),
        oauth("federation_session_end::each_value_is_one_parameter", &[end_session::PARAMETERS], hostile),
    ]
}

/// Parses the parameters of an end-session URL, and checks its base.
fn parameters(url: &str, form: &EndSessionForm) -> TestResult<BTreeMap<String, String>> {
    let query = url.strip_prefix(&form.url).and_then(|rest| rest.strip_prefix('?'));
    let query = query.ok_or_else(|| format!("`{url}` is not `{}` with a query", form.url))?;
    let visible = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte));
    ensure!(visible, "`{url}` has a character that is invalid in a URL, or a fragment");
    let mut parameters = BTreeMap::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{url}` has a parameter without a value"))?;
        let value = percent_decode_str(&value.replace('+', " ")).decode_utf8()?.into_owned();
        let first = parameters.insert(name.to_owned(), value).is_none();
        ensure!(first, "`{name}` comes twice in `{url}`");
    }
    Ok(parameters)
}

/// Checks that the URL has exactly these values.
async fn check_parameters(context: &CaseContext, end: &EndSession<'_>) -> TestResult<()> {
    let form = context.facts()?.end_session;
    let url = context.provider().await?.end_session_url(end).await?.succeeds()?;
    let hint = end.id_token_hint.map(Secret::expose);
    let wanted = [
        (Some(form.client), Some(end.client_id)),
        (Some(form.redirect_uri), Some(end.post_logout_redirect_uri)),
        (form.hint, hint),
        (form.state, end.state),
    ];
    let wanted: BTreeMap<String, String> =
        wanted.into_iter().filter_map(|(name, value)| Some((name?.to_owned(), value?.to_owned()))).collect();
    let parameters = parameters(&url, &form)?;
    ensure!(parameters == wanted, "the URL should have {wanted:?}, not {parameters:?}");
    Ok(())
}

async fn plain(context: CaseContext) -> TestResult<()> {
    let redirect_uri = "https://app.example/after?from=logout&to=home";
    for client in context.facts()?.clients {
        let end =
            EndSession { client_id: &client, post_logout_redirect_uri: redirect_uri, id_token_hint: None, state: None };
        check_parameters(&context, &end).await?;
    }
    Ok(())
}

async fn hostile(context: CaseContext) -> TestResult<()> {
    let client = context.client()?;
    let full = "s".repeat(512);
    for value in HOSTILE.into_iter().chain([full.as_str()]) {
        let (hint, redirect_uri) = (Secret::new(value), format!("https://app.example/after?x={value}"));
        let end = EndSession {
            client_id: &client,
            post_logout_redirect_uri: &redirect_uri,
            id_token_hint: Some(&hint),
            state: Some(value),
        };
        check_parameters(&context, &end).await.map_err(|error| format!("with {value:?}: {error}"))?;
    }
    Ok(())
}
