//! Creates IAM users in a stand-in, which enforces their rights.

use idp_bridge_conformance::TestResult;
use idp_bridge_core::{OutboundPolicy, Secret};
use idp_bridge_http::{BaseUrl, Client, HeaderValue, Request, header};
use serde_json::{Value, json};

use super::application::scope;
use super::site::Key;

/// A client of a stand-in's IAM, as root.
pub(super) struct Iam {
    http: Client,
    base: BaseUrl,
    authorization: HeaderValue,
}

impl Iam {
    pub(super) fn new(url: &str, region: &str, root: &str) -> TestResult<Self> {
        let policy = OutboundPolicy::default();
        // Ministack 1.5.33 does not verify signatures of its root (seen in November 2026), so this one is invalid.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={root}/20260101/{region}/iam/aws4_request, SignedHeaders=host, Signature=00"
        );
        Ok(Self {
            http: Client::new(&policy)?,
            base: BaseUrl::parse(url, &policy)?,
            authorization: HeaderValue::from_str(&authorization)?,
        })
    }

    /// Creates a user with these rights on one pool, and returns the key.
    pub(super) async fn create_user(&self, name: &str, actions: &[&str], pool_arn: &str) -> TestResult<Key> {
        self.send("CreateUser", &[("UserName", name)]).await?;
        if !actions.is_empty() {
            let actions: Value = actions.iter().map(|action| format!("cognito-idp:{action}")).collect();
            let statement = json!({"Effect": "Allow", "Action": actions, "Resource": pool_arn});
            let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
            let fields = [("UserName", name), ("PolicyName", "pool"), ("PolicyDocument", &policy)];
            self.send("PutUserPolicy", &fields).await?;
        }
        let answer = self.send("CreateAccessKey", &[("UserName", name)]).await?;
        Ok(Key { id: element(&answer, "AccessKeyId")?, secret: Secret::new(element(&answer, "SecretAccessKey")?) })
    }

    async fn send(&self, action: &str, fields: &[(&str, &str)]) -> TestResult<String> {
        let form = [&[("Action", action), ("Version", "2010-05-08")], fields].concat();
        let request = Request::post(self.base.as_url().clone()).form(&form);
        let request = request.header(header::AUTHORIZATION, self.authorization.clone());
        let response = self.http.send(&scope(), request).await?;
        let text = response.text().unwrap_or_default().to_owned();
        if response.status.is_success() { Ok(text) } else { Err(format!("IAM refused {action}: {text}").into()) }
    }
}

/// Returns the text of the XML element with this name.
fn element(xml: &str, name: &str) -> TestResult<String> {
    let after = xml.split_once(&format!("<{name}>")).map(|(_, after)| after);
    let text = after.and_then(|after| after.split_once(&format!("</{name}>"))).map(|(text, _)| text);
    Ok(text.ok_or_else(|| format!("IAM's response has no `{name}`"))?.to_owned())
}
