//! Zitadel, by the protocol buffers of <https://github.com/zitadel/zitadel> (proto/zitadel/user/v2, November 2026).
//!
//! Flags that are false and lists without elements are left out, as in the JSON of protocol buffers. Searches return outdated users.

use idp_bridge_conformance::fake::{Answer, Incoming, Outcome};
use idp_bridge_http::Method;
use serde_json::{Value, json};

use super::users::{User, Users};
use super::{Product, SECRET};

pub(super) struct Zitadel;

impl Product for Zitadel {
    fn names(&self) -> (&'static str, &'static str) {
        ("zitadel", "token")
    }

    fn authorize(&self, request: &Incoming) -> Result<(), Answer> {
        match request.bearer() {
            Some(SECRET) => Ok(()),
            Some("token-without-roles") if request.path().ends_with("/ListUsers") => {
                // Users that the token may not see are left out.
                Err(Answer::json(200, &json!({"details": {"timestamp": "2026-11-29T00:00:00Z"}})))
            }
            Some("token-without-roles") => Err(refusal(403, "permission_denied", "No matching permissions found")),
            _ => Err(refusal(401, "unauthenticated", "Errors.Token.Invalid")),
        }
    }

    fn handle(&self, users: &mut Users, request: &Incoming, path: (&Method, &[&str])) -> Outcome {
        let (&Method::POST, [service, method]) = path else { return Err(no_such_method()) };
        let body = request.json().ok_or_else(|| refusal(400, "invalid_argument", "no JSON"))?;
        let id = body["userId"].as_str().unwrap_or_default();
        let missing = || refusal(404, "not_found", "User could not be found (QUERY-Dfbg2)");
        let done = |user: &User| Answer::json(200, &json!({"details": details(user), "changeDate": user.updated}));
        match (*service, *method) {
            ("zitadel.session.v2.SessionService", "CreateSession") => {
                let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let user = users.log_in(text("/checks/user/loginName"), text("/checks/password/password"));
                user.map(done).ok_or_else(|| refusal(400, "invalid_argument", "Password is invalid (COMMAND-3M0fs)"))
            }
            ("zitadel.user.v2.UserService", "GetUserByID") => {
                let user = users.find(id).ok_or_else(missing)?;
                Ok(Answer::json(200, &json!({"details": details(user), "user": show(user)})))
            }
            ("zitadel.user.v2.UserService", "ListUsers") => list(users, &body),
            ("zitadel.user.v2.UserService", "AddHumanUser") => {
                let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let id = format!("{:018}", 310_000_000_000_000_000_u64 + u64::from(users.next_number()));
                let user = users.add(id, text("/email/email"), None, text("/password/password"));
                user.verified = body["email"]["isVerified"] == true;
                Ok(Answer::json(200, &json!({"userId": user.id, "details": details(user)})))
            }
            ("zitadel.user.v2.UserService", "UpdateUser") => {
                let email = &body["human"]["email"];
                let address = email["email"].as_str().ok_or_else(|| refusal(400, "invalid_argument", "no email"))?;
                users.change(id, |user| {
                    user.verified &= user.email == address;
                    user.email = address.to_owned();
                });
                users.find(id).map(done).ok_or_else(missing)
            }
            ("zitadel.user.v2.UserService", "DeactivateUser") => {
                users.change(id, |user| user.blocked = true).map(done).ok_or_else(missing)
            }
            ("zitadel.user.v2.UserService", "DeleteUser") => {
                let deleted = users.find(id).map(done).ok_or_else(missing);
                users.remove(id);
                deleted
            }
            ("zitadel.user.v2.UserService", "SendEmailCode" | "PasswordReset") => {
                let user = users.find(id).ok_or_else(missing)?;
                if body["returnCode"].is_object() {
                    return Ok(Answer::json(200, &json!({"details": details(user), "verificationCode": code(user)})));
                }
                let by_link = body["sendLink"]["notificationType"] == "NOTIFICATION_TYPE_Email";
                if !by_link && !body["sendCode"].is_object() {
                    return Err(refusal(400, "invalid_argument", "no mail is sent"));
                }
                users.mail(&user.email);
                Ok(done(user))
            }
            ("zitadel.user.v2.UserService", "VerifyEmail") => {
                if body["verificationCode"] != code(users.find(id).ok_or_else(missing)?) {
                    return Err(refusal(400, "invalid_argument", "Code is invalid (CODE-woT0xc)"));
                }
                users.change(id, |user| user.verified = true).map(done).ok_or_else(missing)
            }
            _ => Err(no_such_method()),
        }
    }
}

fn list(users: &Users, body: &Value) -> Outcome {
    let queries = body["queries"].as_array().map_or(&[][..], Vec::as_slice);
    let limit = body["query"]["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
    let hits: Vec<Value> = match queries {
        [email, kind] if kind["typeQuery"]["type"] == "TYPE_HUMAN" => {
            let email = &email["emailQuery"];
            if email["method"] != "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE" {
                return Err(refusal(400, "invalid_argument", "the method is case-sensitive"));
            }
            let address = email["emailAddress"].as_str().unwrap_or_default();
            users.filter(|user| user.email.eq_ignore_ascii_case(address)).take(limit).map(outdated).collect()
        }
        // The administrator.
        [kind] if kind["typeQuery"]["type"] == "TYPE_HUMAN" => vec![json!({"userId": "1", "human": {}})],
        _ => return Err(refusal(400, "invalid_argument", "unknown queries")),
    };
    let mut answer = json!({"details": {"timestamp": "2026-11-29T00:00:00Z"}});
    if !hits.is_empty() {
        answer["result"] = hits.into();
    }
    Ok(Answer::json(200, &answer))
}

/// Returns the code that verifies the user's address.
fn code(user: &User) -> String {
    format!("code-for-{}", user.email)
}

fn details(user: &User) -> Value {
    json!({"sequence": "2", "changeDate": user.updated, "creationDate": user.created, "resourceOwner": "3"})
}

fn show(user: &User) -> Value {
    let mut email = json!({"email": user.email});
    if user.verified {
        email["isVerified"] = true.into();
    }
    let state = if user.blocked { "USER_STATE_INACTIVE" } else { "USER_STATE_ACTIVE" };
    json!({"userId": user.id, "details": details(user), "state": state, "human": {"email": email}})
}

/// Returns the user as a search returns it.
fn outdated(user: &User) -> Value {
    let mut shown = show(user);
    shown["human"] = json!({"email": {"email": "outdated@acme.example"}});
    shown
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"code": code, "message": message}))
}

fn no_such_method() -> Answer {
    Answer::new(404, "text/plain", "404 page not found")
}
