//! The checks of writes: of users that do not exist, and of a known user with another address.

use idp_bridge_client::{Code, RawAnswer};
use serde_json::{Value, json};

use super::expected::{Expected, describe, read_body, read_code};
use super::target::Target;
use super::users::is_not_offered;
use super::{Checked, Options};

const REPLAYED: &str = "a repeated write is answered from the first one";
const REUSED: &str = "an id with other data is refused";
const CONFLICT: &str = "another address is not marked as verified";
const SECTION: &str = "Retries and idempotency";

/// Checks writes, if they are allowed.
pub(super) async fn check(target: &Target, options: &Options) -> Vec<Checked> {
    if !options.writes {
        let skipped = |(name, section)| Checked::skipped(name, section, "give `--writes`");
        return [(REPLAYED, SECTION), (REUSED, SECTION), (CONFLICT, "Operations")].map(skipped).into();
    }
    let mut checked = check_replay(target).await;
    checked.push(check_conflict(target, options).await);
    checked
}

/// Deletes a user that does not exist, twice, and then another one with the same id of the call.
async fn check_replay(target: &Target) -> Vec<Checked> {
    let id = target.new_id();
    let delete = |user: &str| target.call_with_id(&id, "users.delete", &json!({"id": user}));
    let first = target.send(delete(target.unique())).await;
    let first = match first {
        Ok(answer) if is_not_offered(read_code(&answer).as_deref()) => {
            let skipped = |name| Checked::skipped(name, SECTION, "the tenant does not offer `users.delete`");
            return [REPLAYED, REUSED].map(skipped).into();
        }
        Ok(answer) => answer,
        Err(error) => return vec![Checked::new(REPLAYED, SECTION, vec![format!("the first delete: {error}")])],
    };
    let mut details: Vec<String> = check_deleted(&first).into_iter().collect();
    match target.send(delete(target.unique())).await {
        Ok(again) if again.header("idempotent-replayed") != Some("true") => {
            details.push("the repetition has no header `idempotent-replayed: true`".into());
        }
        Ok(again) if (again.status, &again.body) != (first.status, &first.body) => {
            details.push(format!("the repetition differs from the first answer: {}", describe(&again)));
        }
        Ok(_) => {}
        Err(error) => details.push(format!("the repetition: {error}")),
    }
    let other = target.new_id();
    let reused = Expected::Problem(422, Code::WebhookIdReused);
    vec![
        Checked::new(REPLAYED, SECTION, details),
        Checked::new(REUSED, SECTION, target.send_and_compare("another user", delete(&other), &reused).await),
    ]
}

/// Returns a mistake unless an answer says that there was no such user.
fn check_deleted(answer: &RawAnswer) -> Option<String> {
    match read_body(answer) {
        Ok(body) if matches!(body.get("existed"), Some(Value::Null | Value::Bool(false))) => None,
        Ok(_) => Some("a delete of an unknown user has not `existed` false or null".into()),
        Err(mistake) => Some(format!("a delete of an unknown user: {mistake}")),
    }
}

/// Marks an address that the known user does not have.
async fn check_conflict(target: &Target, options: &Options) -> Checked {
    let Some(id) = &options.user_id else {
        return Checked::skipped(CONFLICT, "Operations", "give `--user-id`");
    };
    let data = json!({"id": id, "email": format!("{}@nobody.example", target.unique())});
    match target.send(target.call("users.mark_email_verified", &data)).await {
        Ok(answer) if is_not_offered(read_code(&answer).as_deref()) => {
            Checked::skipped(CONFLICT, "Operations", "the tenant does not offer `users.mark_email_verified`")
        }
        Ok(answer) => Checked::new(CONFLICT, "Operations", Expected::Problem(409, Code::UserConflict).compare(&answer)),
        Err(error) => Checked::new(CONFLICT, "Operations", vec![error.to_string()]),
    }
}
