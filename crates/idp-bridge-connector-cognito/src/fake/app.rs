//! What an app client may ask for: mails with codes, and the sign-in by password.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::fake::Answer;
use serde_json::{Value, json};

use super::answer::{good, invalid_parameter, not_authorized, refusal};
use super::pool::{AppClient, Pool, Status, User};
use super::{needed, only, text};

impl Pool {
    pub(crate) fn resend_confirmation_code(&mut self, body: &Value) -> Result<Answer, Answer> {
        self.order(body, "ResendConfirmationCode", |user| match user.status {
            Status::Unconfirmed => Ok(()),
            _ => Err(invalid_parameter("User is already confirmed.")),
        })
    }

    pub(crate) fn forgot_password(&mut self, body: &Value) -> Result<Answer, Answer> {
        self.order(body, "ForgotPassword", |user| match user.status {
            Status::ForceChangePassword | Status::ExternalProvider => {
                Err(not_authorized("User password cannot be reset in the current state."))
            }
            _ if !user.has_verified("email") => Err(invalid_parameter(
                "Cannot reset password for the user as there is no registered/verified email or phone_number",
            )),
            _ => Ok(()),
        })
    }

    /// A mail with a code. A client that hides users answers for missing and disabled ones as if the mail had been sent, and to
    /// `ForgotPassword` also for those whose state refuses it (AWS, Developer Guide, Managing error responses, November 2026).
    fn order(&mut self, body: &Value, operation: &str, may: fn(&User) -> Result<(), Answer>) -> Result<Answer, Answer> {
        only(body, &["ClientId", "Username", "SecretHash"])?;
        let name = needed(body, "Username")?;
        let client = self.client(body, text(body, "SecretHash"), name)?;
        let (client_id, hides) = (client.client_id.clone(), client.hides_users);
        let user = self.user_named(name);
        let user = user.and_then(|user| if user.enabled { Ok(user) } else { Err(not_authorized("User is disabled.")) });
        let to = match user.map(|user| may(user).map(|()| user.attribute("email").map(str::to_owned))) {
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

    pub(crate) fn initiate_auth(&mut self, body: &Value) -> Result<Answer, Answer> {
        only(body, &["ClientId", "AuthFlow", "AuthParameters"])?;
        if text(body, "AuthFlow") != Some("USER_PASSWORD_AUTH") {
            return Err(invalid_parameter("Auth flow not enabled for this client"));
        }
        let given = body.get("AuthParameters").unwrap_or(&Value::Null);
        let name = needed(given, "USERNAME")?;
        self.client(body, text(given, "SECRET_HASH"), name)?;
        let user = self.user_named(name).ok().filter(|user| user.password.is_some());
        let user = user.filter(|user| user.enabled && user.password.as_deref() == text(given, "PASSWORD"));
        match user.map(|user| user.status) {
            Some(Status::Confirmed) => {
                Ok(good(&json!({"AuthenticationResult": {"ExpiresIn": 3600, "TokenType": "Bearer"}})))
            }
            Some(Status::Unconfirmed) => Err(refusal("UserNotConfirmedException", "User is not confirmed.")),
            Some(Status::ResetRequired) => Err(refusal("PasswordResetRequiredException", "Password reset required")),
            _ => Err(not_authorized("Incorrect username or password.")),
        }
    }

    /// The client that asks, if it proves that it knows its secret.
    fn client(&self, body: &Value, proof: Option<&str>, name: &str) -> Result<&AppClient, Answer> {
        let id = needed(body, "ClientId")?;
        let client = self.app_clients.iter().find(|own| own.client_id == id);
        let client = client.ok_or_else(|| refusal("ResourceNotFoundException", "User pool client does not exist."))?;
        let expected = client.secret.as_ref().map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            STANDARD.encode(hmac::sign(&key, format!("{name}{id}").as_bytes()))
        });
        match (expected, proof) {
            (Some(_), None) => Err(not_authorized("Client is configured with secret but SECRET_HASH was not received")),
            (expected, proof) if expected.as_deref() == proof => Ok(client),
            _ => Err(not_authorized("Unable to verify secret hash for client")),
        }
    }
}

fn delivery(attribute: &str, medium: &str) -> Answer {
    let details = json!({"AttributeName": attribute, "DeliveryMedium": medium, "Destination": "a***"});
    good(&json!({"CodeDeliveryDetails": details}))
}
