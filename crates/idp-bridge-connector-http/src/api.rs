//! The requests of one tenant: credentials, proofs and captured values.

use std::collections::BTreeMap;
use std::sync::Arc;

use idp_bridge_core::{CallScope, ConnectorContext, Error, ErrorKind, Result, Secret};
use idp_bridge_http::{Client, Response, StatusCode};
use serde_json::Value;

use crate::credential::{Credential, SignIn};
use crate::definition::Definition;
use crate::refusal::{Place, Rules};
use crate::request::BoundRequest;
use crate::select::{Check, as_text};
use crate::settings::Settings;
use crate::values::Values;

/// The effect of a request: whether it changes data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Changes no data, with any method.
    Lookup,
    /// Changes data unless it is a `GET`.
    Action,
}

/// The client of one tenant.
pub(crate) struct Api {
    client: Client,
    credentials: BTreeMap<String, Credential>,
    rules: Rules,
}

impl Api {
    pub(crate) fn new(
        definition: &Arc<Definition>,
        settings: &Arc<Settings>,
        context: &ConnectorContext,
    ) -> Result<Self> {
        let client = Client::new(&context.outbound)?;
        for origin in settings.origins() {
            client.prepare(origin)?;
        }
        let rules = Rules::new(definition, settings)?;
        let sign_in = SignIn { settings, client: &client, rules: &rules, context };
        let credentials = definition
            .auth
            .iter()
            .map(|(name, auth)| Ok((name.clone(), Credential::new(auth, &sign_in)?)))
            .collect::<Result<_>>()?;
        Ok(Self { client, credentials, rules })
    }

    /// Returns the client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and checks its answer. Returns the response of a success.
    pub(crate) async fn send(
        &self,
        scope: &CallScope,
        place: Place,
        kind: Kind,
        (request, values): (&BoundRequest, &Values<'_>),
    ) -> Result<Response> {
        let mut built = request.build(values)?;
        if kind == Kind::Lookup {
            built = built.read_only();
        }
        let response = match request.auth.as_ref().and_then(|name| self.credentials.get(name)) {
            Some(credential) => credential.send(&self.client, scope, built).await?,
            None => self.client.send(scope, built).await?,
        };
        self.check(response, place, (request, values))
    }

    /// Sends a request with the token of a user. Returns whether it succeeded: a status from 400 to 499 is a refusal, except 429.
    pub(crate) async fn send_as_user(
        &self,
        scope: &CallScope,
        place: Place,
        token: &Secret,
        (request, values): (&BoundRequest, &Values<'_>),
    ) -> Result<bool> {
        let response = self.client.send(scope, request.build(values)?.bearer(token)?).await?;
        if response.status.is_client_error() && response.status != StatusCode::TOO_MANY_REQUESTS {
            return Ok(false);
        }
        self.check(response, place, (request, values)).map(|_| true)
    }

    /// Returns the response of a success.
    fn check(
        &self,
        response: Response,
        place: Place,
        (request, values): (&BoundRequest, &Values<'_>),
    ) -> Result<Response> {
        let response = self.rules.check(response, place, &request.success)?;
        if request.empty_body && !response.body.is_empty() {
            return Err(self.rules.error(&response, place));
        }
        if !request.require.is_empty() || !self.rules.has_answer_header(&response) {
            let answer: Value = response.json()?;
            if !self.rules.has_answer_header(&response) || !self.rules.meets(&request.require, &answer, values.email())
            {
                return Err(self.rules.unproved(&response, &answer, place));
            }
        }
        Ok(response)
    }

    /// Sends the steps of a call one after the other. Returns the last response.
    pub(crate) async fn send_all(
        &self,
        scope: &CallScope,
        call: &'static str,
        steps: &[BoundRequest],
        mut values: Values<'_>,
    ) -> Result<Response> {
        let mut last = None;
        for (index, step) in steps.iter().enumerate() {
            let place = Place { call, step: index + 1 };
            let response = self.send(scope, place, Kind::Action, (step, &values)).await?;
            if !step.capture.is_empty() {
                let answer: Value = response.json()?;
                for (name, pointer) in &step.capture {
                    let value = answer.pointer(pointer).and_then(as_text).ok_or_else(|| {
                        Error::upstream(ErrorKind::InvalidResponse, "the answer lacks a value that the next step sends")
                            .with("at", pointer.clone())
                    })?;
                    values.capture(name, value);
                }
            }
            last = Some(response);
        }
        last.ok_or_else(|| Error::ours(ErrorKind::Unexpected, "a call of the definition has no request"))
    }

    /// Returns whether an answer meets all conditions.
    pub(crate) fn meets(&self, conditions: &[Check], answer: &Value) -> bool {
        self.rules.meets(conditions, answer, None)
    }
}
