//! Creates and changes users on a real server, for the conformance suite: `[stage]` of a definition.

use std::collections::BTreeMap;
use std::sync::Arc;

use idp_bridge_core::{CallScope, ConnectorContext, Error, ErrorKind, Result, Secret};
use serde_json::Value;

use crate::HttpConfig;
use crate::api::{Api, Kind};
use crate::definition::{Definition, RequestSpec, Stage, StageFlag};
use crate::refusal::Place;
use crate::request::BoundRequest;
use crate::select::as_text;
use crate::settings::Settings;
use crate::values::Values;

/// The place of all requests of the stage.
const PLACE: Place = Place { call: "stage", step: 1 };

/// The stage of a definition, with the settings of one server.
pub struct Staging {
    stage: Stage,
    settings: Arc<Settings>,
    api: Api,
}

/// A user to create.
#[derive(Debug, Clone, Copy, Default)]
pub struct StagedUser<'a> {
    /// The address.
    pub email: Option<&'a str>,
    /// The customer.
    pub customer: Option<&'a str>,
    /// Whether the address is verified.
    pub verified: bool,
    /// Whether the user is blocked.
    pub blocked: bool,
    /// The password.
    pub password: &'a str,
}

impl Staging {
    /// Creates the stage of a definition. Fails with `Misconfigured` if the definition has none.
    pub fn new(definition: &Arc<Definition>, config: &HttpConfig, context: &ConnectorContext) -> Result<Self> {
        let stage = definition.stage.clone();
        let stage = stage.ok_or_else(|| Error::misconfigured("the definition has no `[stage]`"))?;
        let settings = Arc::new(Settings::new(definition, config, &context.outbound)?);
        let api = Api::new(definition, &settings, context)?;
        Ok(Self { stage, settings, api })
    }

    /// Prepares the server; its mails go to this host and port.
    pub async fn prepare(&self, scope: &CallScope, smtp_host: &str, smtp_port: u16) -> Result<()> {
        let values =
            [("stage.smtp_host".to_owned(), Value::from(smtp_host)), ("stage.smtp_port".to_owned(), smtp_port.into())];
        for request in &self.stage.prepare {
            self.send(scope, request, &values, &Values::default()).await?;
        }
        Ok(())
    }

    /// Creates a user, and returns its id.
    pub async fn create(&self, scope: &CallScope, user: StagedUser<'_>) -> Result<String> {
        let mut values = vec![
            ("stage.verified".to_owned(), Value::from(user.verified)),
            ("stage.blocked".to_owned(), user.blocked.into()),
            ("stage.password".to_owned(), user.password.into()),
        ];
        for (name, value) in &self.stage.values {
            let flag = match value.of {
                StageFlag::Verified => user.verified,
                StageFlag::Blocked => user.blocked,
            };
            values.push((format!("stage.{name}"), if flag { value.yes.clone() } else { value.no.clone() }));
        }
        let new = Values::for_new_user(None, user.email, user.customer);
        let answer = self.send(scope, &self.stage.create, &values, &new).await?;
        let id = answer.pointer(&self.stage.id).and_then(as_text).ok_or_else(|| {
            Error::upstream(ErrorKind::InvalidResponse, "the answer to `stage.create` has no id at `stage.id`")
        })?;
        let verify = self.stage.verify.as_ref().filter(|_| user.verified);
        let block = self.stage.block.as_ref().filter(|_| user.blocked);
        for request in self.stage.complete.iter().chain(verify).chain(block) {
            let made = Values::for_new_user(Some(&id), user.email, user.customer);
            self.send(scope, request, &values, &made).await?;
        }
        Ok(id)
    }

    /// Changes the address of a user.
    pub async fn change_email(&self, scope: &CallScope, id: &str, email: &str) -> Result<()> {
        let request = self.stage.change_email.as_ref();
        let request = request.ok_or_else(|| Error::misconfigured("the stage has no `change_email`"))?;
        self.send(scope, request, &[], &Values::for_change(Some(id), email)).await.map(drop)
    }

    /// Logs in, and returns whether that succeeded.
    pub async fn log_in(&self, scope: &CallScope, email: &str, password: &str) -> Result<bool> {
        match self.send_login(scope, email, password).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Logs in as the user with this id, address and password, and writes the customer to all that the user can edit.
    ///
    /// The product may refuse some of the changes. Fails if it refuses all, since it may not accept the token then.
    pub async fn edit_self(&self, scope: &CallScope, id: &str, user: StagedUser<'_>) -> Result<()> {
        let edits = self.stage.edit_self.as_ref();
        let edits = edits.ok_or_else(|| Error::misconfigured("the stage has no `edit_self`"))?;
        let answer = self.send_login(scope, user.email.unwrap_or_default(), user.password).await?;
        let token = answer.pointer(&edits.token).and_then(as_text).map(Secret::new).ok_or_else(|| {
            Error::upstream(
                ErrorKind::InvalidResponse,
                "the answer to `stage.log_in` has no token at `stage.edit_self.token`",
            )
        })?;
        let values = Values::for_new_user(Some(id), user.email, user.customer);
        let mut has_succeeded = false;
        for request in &edits.requests {
            let request = self.bind(request, &password_value(user.password))?;
            has_succeeded |= self.api.send_as_user(scope, PLACE, &token, (&request, &values)).await?;
        }
        if !has_succeeded {
            let message =
                "the product refused all requests of `stage.edit_self`: users must be able to send one of them";
            return Err(Error::upstream(ErrorKind::PermissionDenied, message));
        }
        Ok(())
    }

    /// Returns whether the stage can log users in.
    pub fn can_log_in(&self) -> bool {
        self.stage.log_in.is_some()
    }

    /// Returns whether the stage can change addresses.
    pub fn can_change_email(&self) -> bool {
        self.stage.change_email.is_some()
    }

    /// Returns whether the stage has requests by which users change themselves.
    pub fn can_edit_self(&self) -> bool {
        self.stage.edit_self.is_some()
    }

    /// Returns the needs that the product cannot meet, with the reasons.
    pub fn not_applicable(&self) -> &BTreeMap<String, String> {
        &self.stage.not_applicable
    }

    /// Returns whether the stage has this control.
    pub fn has_control(&self, name: &str) -> bool {
        self.stage.controls.contains_key(name)
    }

    /// Returns the settings with the mistake of a control.
    pub fn with_control(&self, config: &HttpConfig, name: &str) -> HttpConfig {
        let mut config = config.clone();
        for (key, value) in self.stage.controls.get(name).into_iter().flatten() {
            match config.secrets.get_mut(key) {
                Some(secret) => *secret = Secret::new(value),
                None => drop(config.settings.insert(key.clone(), value.clone())),
            }
        }
        config
    }

    /// Sends the login, and returns the answer of a success.
    async fn send_login(&self, scope: &CallScope, email: &str, password: &str) -> Result<Value> {
        let request = self.stage.log_in.as_ref();
        let request = request.ok_or_else(|| Error::misconfigured("the stage has no `log_in`"))?;
        self.send(scope, request, &password_value(password), &Values::for_change(None, email)).await
    }

    async fn send(
        &self,
        scope: &CallScope,
        request: &RequestSpec,
        stage_values: &[(String, Value)],
        values: &Values<'_>,
    ) -> Result<Value> {
        let request = self.bind(request, stage_values)?;
        let response = self.api.send(scope, PLACE, Kind::Action, (&request, values)).await?;
        if response.body.is_empty() { Ok(Value::Null) } else { response.json() }
    }

    /// Fills in the settings and the values of the stage.
    fn bind(&self, request: &RequestSpec, stage_values: &[(String, Value)]) -> Result<BoundRequest> {
        let mut settings = Settings::clone(&self.settings);
        for (name, value) in stage_values {
            settings.set(name, value.clone());
        }
        BoundRequest::new(request, &settings)
    }
}

fn password_value(password: &str) -> [(String, Value); 1] {
    [("stage.password".to_owned(), password.into())]
}
