//! Fake products for definitions that were not tried on a real server.
//!
//! A product says how its requests are authorized and what they do; [`Server`] has the users, the mails and the paths. Each fake is
//! stricter than its product: it refuses other searches, queries and bodies than those of the definition.

mod authentik;
mod entra;
mod fusionauth;
mod okta;
mod supabase;
mod users;
mod zitadel;

use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming, Outcome};
use idp_bridge_conformance::{Suites, TestResult};
use idp_bridge_connector_http::{HttpConfig, catalog};
use idp_bridge_connector_http_testing::DefinitionHarness;
use idp_bridge_core::Secret;
use idp_bridge_http::Method;
use users::Users;

/// The secret of each fake.
const SECRET: &str = "secret-of-the-bridge";

/// Adds the suite of each fake.
pub(crate) fn add_to(suites: Suites) -> Suites {
    suites
        .add("authentik", start(&authentik::Authentik))
        .add("entra", start(&entra::Entra))
        .add("fusionauth", start(&fusionauth::FusionAuth))
        .add("okta", start(&okta::Okta))
        .add("supabase", start(&supabase::Supabase))
        .add("zitadel", start(&zitadel::Zitadel))
}

/// The differences of a product.
trait Product: Send + Sync + 'static {
    /// Returns the name of the definition, and its setting with the secret.
    fn names(&self) -> (&'static str, &'static str);

    /// Returns further settings of the definition.
    fn settings(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Returns the refusal of a request without the right credential.
    fn authorize(&self, request: &Incoming) -> Result<(), Answer>;

    /// Answers a request with this method and path.
    fn handle(&self, users: &mut Users, request: &Incoming, path: (&Method, &[&str])) -> Outcome;

    /// Returns whether paths end with a slash.
    fn ends_with_slash(&self) -> bool {
        false
    }

    /// Adds the headers of all answers.
    fn finish(&self, answer: Answer) -> Answer {
        answer
    }
}

/// A running fake product.
struct Server<P: 'static> {
    product: &'static P,
    users: Users,
}

impl<P: Product> Fake for Server<P> {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let path = request.path();
        let (trimmed, has_slash) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
        let segments = Incoming::new(request.method.clone(), trimmed).segments().unwrap_or_default();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let path = (&request.method, segments.as_slice());
        let answer = match path {
            _ if has_slash != self.product.ends_with_slash() => Err(Answer::new(404, "text/plain", "not found")),
            _ => self.product.authorize(request).and_then(|()| self.product.handle(&mut self.users, request, path)),
        };
        self.product.finish(answer.unwrap_or_else(|refusal| refusal))
    }
}

/// Starts the suite's harness on a new fake.
async fn start<P: Product>(product: &'static P) -> TestResult<DefinitionHarness> {
    let (name, secret) = product.names();
    let server = FakeServer::start(Server { product, users: Users::default() }).await?;
    let text = catalog::find(name)?.to_owned();
    let mut config = HttpConfig::new(name);
    for origin in idp_bridge_connector_http_testing::parse(name, &text)?.origins() {
        config.settings.insert(origin, server.url());
    }
    config.settings.extend(product.settings().iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    config.secrets.insert(secret.to_owned(), Secret::new(SECRET));
    let harness = DefinitionHarness::start(name.to_owned(), text, config, 0).await?;
    server.with(|server| server.users.send_mails_to(harness.smtp_port()));
    Ok(harness.named(&format!("http:{name} (fake)")).keep(server))
}
