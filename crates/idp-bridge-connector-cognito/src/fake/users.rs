//! The operations on users that need IAM rights.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::fake::Answer;
use serde_json::{Value, json};

use super::answer::{empty, invalid_parameter, no_such_user, refusal, success, unexpected_request};
use super::filter::Filter;
use super::pool::{Pool, Status, User};
use super::{check_members, required, text};

/// The most users of one page.
const PAGE: u64 = 60;

impl Pool {
    pub(crate) fn admin_get_user(&self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "Username"])?;
        Ok(success(&self.user_named(required(body, "Username")?)?.to_json("UserAttributes")))
    }

    pub(crate) fn list_users(&self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "Filter", "Limit", "PaginationToken"])?;
        let wanted = text(body, "Filter").unwrap_or_default();
        let found: Vec<&User> = match wanted {
            "" => self.users.iter().collect(),
            wanted => {
                let filter = Filter::parse(wanted).ok_or_else(|| invalid_parameter("Error while parsing filter."))?;
                self.users.iter().filter(|user| filter.matches(user)).collect()
            }
        };
        self.page(body, wanted, "PaginationToken", &found)
    }

    /// In the fake a group without members does not exist.
    pub(crate) fn list_users_in_group(&self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "GroupName", "Limit", "NextToken"])?;
        let wanted = required(body, "GroupName")?;
        let found: Vec<&User> = self.users.iter().filter(|user| user.groups.contains(wanted)).collect();
        if found.is_empty() {
            return Err(refusal("ResourceNotFoundException", "Group not found."));
        }
        self.page(body, wanted, "NextToken", &found)
    }

    /// Returns a page of these users. A pagination token is valid only for its search.
    fn page(&self, body: &Value, search: &str, name: &str, found: &[&User]) -> Result<Answer, Answer> {
        let Some(limit @ 1..=PAGE) = body.get("Limit").map_or(Some(PAGE), Value::as_u64) else {
            return Err(invalid_parameter("Member must have value less than or equal to 60"));
        };
        let limit = usize::try_from(limit).unwrap_or_default();
        let token = |skipped: usize| STANDARD.encode(format!("{skipped} {search}"));
        let skipped = match text(body, name) {
            None if self.begins_with_an_empty_page => {
                return Ok(success(&json!({"Users": [], name: token(0)})));
            }
            None => 0,
            Some(given) => (0..=found.len())
                .find(|skipped| token(*skipped) == given)
                .ok_or_else(|| invalid_parameter("Invalid pagination token."))?,
        };
        let shown: Value = found.iter().skip(skipped).take(limit).map(|user| user.to_json("Attributes")).collect();
        let next = skipped + limit;
        let page =
            if next < found.len() { json!({"Users": shown, name: token(next)}) } else { json!({"Users": shown}) };
        Ok(success(&page))
    }

    pub(crate) fn admin_update_user_attributes(&mut self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "Username", "UserAttributes"])?;
        let at = self.find_index(required(body, "Username")?)?;
        let changes = body.get("UserAttributes").and_then(Value::as_array);
        let changes = changes.filter(|changes| !changes.is_empty());
        let changes = changes.ok_or_else(|| invalid_parameter("`UserAttributes` must not be empty"))?;
        let taken = self.is_alias_taken(at);
        let user = self.users.get_mut(at).ok_or_else(no_such_user)?;
        let mut changed = user.clone();
        for change in changes {
            check_members(change, &["Name", "Value"])?;
            match (required(change, "Name")?, text(change, "Value")) {
                ("email_verified", Some("true" | "false")) if changed.attribute("email").is_none() => {
                    return Err(invalid_parameter("Email is required to verify/un-verify an email"));
                }
                ("email_verified", Some("true")) if taken => {
                    return Err(refusal("AliasExistsException", "An account with the email already exists."));
                }
                ("email_verified", Some(value @ ("true" | "false"))) => changed.set("email_verified", value),
                ("email_verified", _) => {
                    return Err(invalid_parameter("Value of email_verified must be true or false"));
                }
                _ => return Err(unexpected_request("the connector changes only `email_verified`")),
            }
        }
        *user = changed;
        Ok(success(&json!({})))
    }

    /// Returns whether another user has this user's address as an alias.
    fn is_alias_taken(&self, at: usize) -> bool {
        let email = self.users.get(at).and_then(|user| user.attribute("email"));
        let others = self.users.iter().enumerate().filter(|(place, _)| *place != at);
        let mut verified = others.filter(|(_, other)| other.has_verified("email"));
        self.aliases.contains("email") && verified.any(|(_, other)| other.attribute("email") == email)
    }

    pub(crate) fn admin_delete_user(&mut self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "Username"])?;
        let at = self.find_index(required(body, "Username")?)?;
        self.users.remove(at);
        Ok(empty())
    }

    pub(crate) fn admin_create_user(&mut self, body: &Value) -> Result<Answer, Answer> {
        check_members(body, &["UserPoolId", "Username", "MessageAction", "DesiredDeliveryMediums"])?;
        if text(body, "MessageAction") != Some("RESEND") {
            return Err(unexpected_request("the connector does not create users"));
        }
        // The default is a text message.
        if body.get("DesiredDeliveryMediums") != Some(&json!(["EMAIL"])) {
            return Err(invalid_parameter("User has no phone_number, and SMS is the medium"));
        }
        let at = self.find_index(required(body, "Username")?)?;
        let user = self.users.get_mut(at).ok_or_else(no_such_user)?;
        if user.status != Status::ForceChangePassword {
            return Err(refusal("UnsupportedUserStateException", "Resend not possible. User status is another one"));
        }
        let to = user.attribute("email").ok_or_else(|| invalid_parameter("User has no email"))?.to_owned();
        user.password = Some("a new temporary one".into());
        let shown = user.to_json("Attributes");
        self.send(&to, "AdminCreateUser", None)?;
        Ok(success(&json!({"User": shown})))
    }
}
