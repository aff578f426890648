//! The form of the reference page that signs a call in the browser and sends it.
//!
//! The key has no field of the type `password`, which browsers offer to store.

use maud::{Markup, html};
use serde_json::{Map, Value};

/// The examples of signed calls in the document.
const EXAMPLES: &str = "/paths/~1v1~1tenants~1{tenant}~1webhook/post/requestBody/content/application~1json/examples";

/// Renders the form. The fields have no names, so that a browser without the script cannot send them.
pub(super) fn render(document: &Value) -> Markup {
    let examples = document.pointer(EXAMPLES).and_then(Value::as_object);
    let data = |example: &Value| example.pointer("/value/data").map(Value::to_string).unwrap_or_default();
    html! {
        h2 id="try" { "Try a call" }
        p { "The browser signs the call and sends it to this server. The key stays in this page: it is not sent and not stored." }
        form id="playground" hidden autocomplete="off" {
            div class="row" {
                label { "Tenant" input id="try-tenant" required placeholder="acme" spellcheck="false"; }
                label { "Operation" select id="try-operation" { @for (kind, example) in examples.into_iter().flat_map(Map::iter) {
                    option value=(kind) data-example=(data(example)) { (kind) }
                } } }
            }
            label { "Data" textarea id="try-data" rows="4" spellcheck="false" {} }
            label {
                "Signing key"
                input id="try-key" class="secret" required placeholder="whsec_… or whsk_…" autocomplete="off" spellcheck="false";
            }
            button { "Sign and send" }
            output {
                pre id="try-request" hidden aria-label="request" {}
                pre id="try-response" hidden aria-label="response" aria-live="polite" {}
            }
        }
        noscript { p class="note" { "This form needs JavaScript." } }
    }
}
