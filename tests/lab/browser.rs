//! A minimal browser to follow the links in mails, with cookies, redirects, links and one form.

use std::collections::BTreeMap;

use crate::keycloak::form_request;
use crate::support::http::{Reply, Request};

/// A browser for one host.
#[derive(Debug)]
pub(crate) struct Browser {
    address: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(address: String) -> Self {
        Self { address, cookies: BTreeMap::new() }
    }

    /// Opens a link and confirms the page behind it.
    #[track_caller]
    pub(crate) fn open_and_proceed(&mut self, link: &str) -> Reply {
        let page = self.send(Request::get(self.path_of(link)));
        assert_eq!(page.status, 200, "{page:?}");
        let proceed = attribute(&page.body, "href", "action-token")
            .unwrap_or_else(|| panic!("no link to proceed: {}", page.body));
        self.send(Request::get(self.path_of(&proceed)))
    }

    /// Submits the form for a new password.
    #[track_caller]
    pub(crate) fn choose_password(&mut self, page: &Reply, password: &str) -> Reply {
        let action =
            attribute(&page.body, "action", "login-actions").unwrap_or_else(|| panic!("no form: {}", page.body));
        let form = [("password-new", password), ("password-confirm", password)];
        self.send(form_request(self.path_of(&action), &form))
    }

    fn path_of<'a>(&self, link: &'a str) -> &'a str {
        link.strip_prefix("http://").and_then(|rest| rest.strip_prefix(self.address.as_str())).unwrap_or(link)
    }

    /// Sends a request with the cookies, and follows redirects.
    fn send(&mut self, request: Request) -> Reply {
        let mut reply = self.send_once(&request);
        for _ in 0..5 {
            let Some(location) = reply.headers.get("location").cloned() else { break };
            reply = self.send_once(&Request::get(self.path_of(&location)));
        }
        reply
    }

    fn send_once(&mut self, request: &Request) -> Reply {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let reply = request.clone().header("cookie", cookies.join("; ")).send(&self.address);
        for cookie in reply.headers.get("set-cookie").into_iter().flat_map(|all| all.lines()) {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        reply
    }
}

/// Returns the first value of an attribute that contains a text.
fn attribute(page: &str, name: &str, text: &str) -> Option<String> {
    let start = format!("{name}=\"");
    let values = page.split(&start).skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.replace("&amp;", "&")).find(|value| value.contains(text))
}
