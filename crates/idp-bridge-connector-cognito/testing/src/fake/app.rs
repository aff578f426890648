//! The operations of app clients: mails with codes.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::fake::{Answer, Outcome};
use serde::Deserialize;
use serde_json::json;

use super::answer::{invalid_parameter, no_such_client, not_authorized, success};
use super::pool::{AppClient, Pool, Status, User};

/// An order of a mail with a code.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Order {
    client_id: String,
    username: String,
    secret_hash: Option<String>,
}

impl Pool {
    pub(crate) fn resend_confirmation_code(&mut self, order: Order) -> Outcome {
        self.send_code(&order, "ResendConfirmationCode", |user| match user.status {
            Status::Unconfirmed => Ok(()),
            _ => Err(invalid_parameter("User is already confirmed.")),
        })
    }

    pub(crate) fn forgot_password(&mut self, order: Order) -> Outcome {
        self.send_code(&order, "ForgotPassword", |user| match user.status {
            Status::ForceChangePassword | Status::ExternalProvider => {
                Err(not_authorized("User password cannot be reset in the current state."))
            }
            _ if !user.has_verified("email") => Err(invalid_parameter(
                "Cannot reset password for the user as there is no registered/verified email or phone_number",
            )),
            _ => Ok(()),
        })
    }

    /// Sends a mail with a code. A client that hides users returns success for missing and disabled users, and for
    /// `ForgotPassword` also if `check` fails (AWS, Developer Guide, Managing error responses, November 2026).
    fn send_code(&mut self, order: &Order, operation: &str, check: fn(&User) -> Result<(), Answer>) -> Outcome {
        let client = self.client(&order.client_id, order.secret_hash.as_deref(), &order.username)?;
        let (client_id, hides) = (client.client_id.clone(), client.hides_users);
        let user = self.user_named(&order.username);
        let user = user.and_then(|user| if user.enabled { Ok(user) } else { Err(not_authorized("User is disabled.")) });
        let to = match user.map(|user| check(user).map(|()| user.attribute("email").map(str::to_owned))) {
            Ok(Ok(to)) => to,
            Err(_) if hides => return Ok(delivery("email", "EMAIL")),
            Ok(Err(_)) if hides && operation == "ForgotPassword" => return Ok(delivery("email", "EMAIL")),
            Ok(Err(refused)) | Err(refused) => return Err(refused),
        };
        let is_texted = to.as_deref().is_some_and(|to| to.starts_with("unaccepted"));
        if self.texts_codes || is_texted {
            return Ok(delivery("phone_number", "SMS"));
        }
        let to = to.ok_or_else(|| invalid_parameter("User has no email"))?;
        self.send(&to, operation, Some(&client_id))?;
        Ok(delivery("email", "EMAIL"))
    }

    /// Returns the client of a request, if the secret hash is right.
    fn client(&self, id: &str, secret_hash: Option<&str>, name: &str) -> Result<&AppClient, Answer> {
        let client = self.app_client(id).ok_or_else(no_such_client)?;
        let expected = client.secret.as_ref().map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            STANDARD.encode(hmac::sign(&key, format!("{name}{id}").as_bytes()))
        });
        match (expected, secret_hash) {
            (Some(_), None) => Err(not_authorized("Client is configured with secret but SECRET_HASH was not received")),
            (expected, sent) if expected.as_deref() == sent => Ok(client),
            _ => Err(not_authorized("Unable to verify secret hash for client")),
        }
    }
}

fn delivery(attribute: &str, medium: &str) -> Answer {
    let details = json!({"AttributeName": attribute, "DeliveryMedium": medium, "Destination": "a***"});
    success(&json!({"CodeDeliveryDetails": details}))
}
