//! The operations on users that need IAM rights.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::fake::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Named;
use super::answer::{empty, invalid_parameter, no_such_user, refusal, success, unexpected_request};
use super::filter::Filter;
use super::pool::{Pool, Status, User};

/// The most users of one page.
const PAGE: usize = 60;

fn whole_page() -> usize {
    PAGE
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct List {
    #[serde(rename = "UserPoolId")]
    _pool: String,
    filter: Option<String>,
    #[serde(default = "whole_page")]
    limit: usize,
    pagination_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListGroup {
    #[serde(rename = "UserPoolId")]
    _pool: String,
    group_name: String,
    #[serde(default = "whole_page")]
    limit: usize,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Update {
    #[serde(rename = "UserPoolId")]
    _pool: String,
    username: String,
    user_attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Invitation {
    #[serde(rename = "UserPoolId")]
    _pool: String,
    username: String,
    message_action: Option<String>,
    #[serde(default)]
    desired_delivery_mediums: Vec<String>,
}

impl Pool {
    pub(crate) fn admin_get_user(&self, request: &Named) -> Outcome {
        Ok(success(&self.user_named(&request.username)?.to_json("UserAttributes")))
    }

    pub(crate) fn list_users(&self, List { filter, limit, pagination_token, .. }: List) -> Outcome {
        let search = filter.unwrap_or_default();
        let invalid = || invalid_parameter("Error while parsing filter.");
        let filter = if search.is_empty() { None } else { Some(Filter::parse(&search).ok_or_else(invalid)?) };
        let found = self.users.iter().filter(|user| filter.as_ref().is_none_or(|filter| filter.matches(user)));
        self.page(&found.collect::<Vec<_>>(), limit, &search, ("PaginationToken", pagination_token))
    }

    /// In the fake a group without members does not exist.
    pub(crate) fn list_users_in_group(&self, ListGroup { group_name, limit, next_token, .. }: ListGroup) -> Outcome {
        let found: Vec<&User> = self.users.iter().filter(|user| user.groups.contains(&group_name)).collect();
        if found.is_empty() {
            return Err(refusal("ResourceNotFoundException", "Group not found."));
        }
        self.page(&found, limit, &group_name, ("NextToken", next_token))
    }

    /// Returns a page of these users. A pagination token is valid only for its search.
    fn page(&self, found: &[&User], limit: usize, search: &str, (name, given): (&str, Option<String>)) -> Outcome {
        if !(1..=PAGE).contains(&limit) {
            return Err(invalid_parameter("Member must have value less than or equal to 60"));
        }
        let token = |skipped: usize| STANDARD.encode(format!("{skipped} {search}"));
        let skipped = match given {
            None if self.begins_with_an_empty_page => return Ok(success(&json!({"Users": [], name: token(0)}))),
            None => 0,
            Some(given) => (0..=found.len())
                .find(|skipped| token(*skipped) == given)
                .ok_or_else(|| invalid_parameter("Invalid pagination token."))?,
        };
        let shown: Value = found.iter().skip(skipped).take(limit).map(|user| user.to_json("Attributes")).collect();
        let next = skipped + limit;
        let more = next < found.len();
        Ok(success(&if more { json!({"Users": shown, name: token(next)}) } else { json!({"Users": shown}) }))
    }

    pub(crate) fn admin_update_user_attributes(&mut self, request: Update) -> Outcome {
        let at = self.find_index(&request.username)?;
        let [Attribute { name, value }] = request.user_attributes.as_slice() else {
            return Err(invalid_parameter("`UserAttributes` must have one member"));
        };
        if name != "email_verified" {
            return Err(unexpected_request("the connector changes only `email_verified`"));
        }
        let taken = self.is_alias_taken(at);
        let user = self.users.get_mut(at).ok_or_else(no_such_user)?;
        match value.as_str() {
            "true" | "false" if user.attribute("email").is_none() => {
                Err(invalid_parameter("Email is required to verify/un-verify an email"))
            }
            "true" if taken => Err(refusal("AliasExistsException", "An account with the email already exists.")),
            "true" | "false" => {
                user.set("email_verified", value);
                Ok(success(&json!({})))
            }
            _ => Err(invalid_parameter("Value of email_verified must be true or false")),
        }
    }

    /// Returns whether another user has this user's address as an alias.
    fn is_alias_taken(&self, at: usize) -> bool {
        let email = self.users.get(at).and_then(|user| user.attribute("email"));
        let others = self.users.iter().enumerate().filter(|(place, _)| *place != at);
        let mut verified = others.filter(|(_, other)| other.has_verified("email"));
        self.aliases.contains("email") && verified.any(|(_, other)| other.attribute("email") == email)
    }

    pub(crate) fn admin_delete_user(&mut self, request: &Named) -> Outcome {
        let at = self.find_index(&request.username)?;
        self.users.remove(at);
        Ok(empty())
    }

    pub(crate) fn admin_create_user(&mut self, request: Invitation) -> Outcome {
        if request.message_action.as_deref() != Some("RESEND") {
            return Err(unexpected_request("the connector does not create users"));
        }
        // The default is a text message.
        if request.desired_delivery_mediums != ["EMAIL"] {
            return Err(invalid_parameter("User has no phone_number, and SMS is the medium"));
        }
        let at = self.find_index(&request.username)?;
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
