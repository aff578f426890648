//! The provider of one tenant: a definition with the tenant's settings filled in.

use std::collections::BTreeMap;
use std::sync::Arc;

use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Directory, FederationCapabilities, Fidelity, Field,
    LogoutReach, Result, Support,
};

use crate::HttpConfig;
use crate::api::Api;
use crate::definition::{
    Call, Definition, FederationSpec, FlagField, Next, RequestSpec, Setting, SettingKind, TimeField, Verified,
};
use crate::diagnose::BoundProbe;
use crate::federation::HttpFederation;
use crate::map::BoundUserMap;
use crate::needed::Needed;
use crate::pointer::Pointer;
use crate::request::BoundRequest;
use crate::select::Check;
use crate::settings::Settings;

/// A product that a definition describes, with one tenant's settings.
pub struct Http {
    pub(crate) api: Arc<Api>,
    pub(crate) federation: Option<HttpFederation>,
    pub(crate) definition: Arc<Definition>,
    pub(crate) map: BoundUserMap,
    pub(crate) calls: BTreeMap<CallKind, BoundCall>,
    pub(crate) probes: Vec<BoundProbe>,
    pub(crate) capabilities: Capabilities,
}

/// One call with the settings filled in.
pub(crate) struct BoundCall {
    /// The key of its table.
    pub(crate) name: &'static str,
    pub(crate) steps: Vec<BoundRequest>,
    pub(crate) undo: Vec<BoundRequest>,
    /// The place of the user or the users in the answer.
    pub(crate) pointer: Pointer,
    pub(crate) has_user: bool,
    pub(crate) has_list: bool,
    pub(crate) reread: bool,
    pub(crate) absent: Vec<Check>,
    pub(crate) cannot_contain: Vec<String>,
    pub(crate) if_absent: Option<BoundRequest>,
    pub(crate) next: Option<Next>,
    /// The parts of a response to parse.
    pub(crate) needed: Needed,
}

impl BoundCall {
    fn new(name: &'static str, call: &Call, settings: &Settings, map: &BoundUserMap) -> Result<Self> {
        let bind = |spec: &RequestSpec| BoundRequest::new(spec, settings);
        let pointer = Pointer::parse(call.users.as_ref().or(call.user.as_ref()).map_or("", String::as_str));
        let mut needed = Needed::default();
        needed.set(&pointer, map.needed(), call.users.is_some());
        call.absent.iter().for_each(|check| needed.add_check(check, settings));
        if let Some(Next::At(pointer)) = &call.next {
            needed.add(&Pointer::parse(pointer));
        }
        Ok(Self {
            name,
            steps: call.request.iter().chain(&call.steps).map(bind).collect::<Result<_>>()?,
            undo: call.undo.iter().map(bind).collect::<Result<_>>()?,
            pointer,
            has_user: call.user.is_some(),
            has_list: call.users.is_some(),
            reread: call.reread,
            absent: call.absent.clone(),
            cannot_contain: call.cannot_contain.clone(),
            if_absent: call.if_absent.as_ref().map(bind).transpose()?,
            next: call.next.clone(),
            needed,
        })
    }
}

impl Http {
    /// Builds the provider of a definition that is not in the catalog. Providers share the definition.
    pub fn with_definition(
        definition: &Arc<Definition>,
        config: &HttpConfig,
        context: &ConnectorContext,
    ) -> Result<Directory<Self>> {
        let settings = Arc::new(Settings::new(definition, config, &context.outbound)?);
        let map = BoundUserMap::new(definition, &settings, context)?;
        let mut calls = BTreeMap::new();
        for (kind, name, call) in definition.calls.iter().filter(|(_, _, call)| call.unsupported.is_none()) {
            calls.insert(kind, BoundCall::new(name, call, &settings, &map)?);
        }
        let probes = definition.doctor.iter().map(|probe| BoundProbe::new(definition, probe, &settings));
        let api = Arc::new(Api::new(definition, &settings, context)?);
        let federation = definition.federation.as_ref().zip(context.federation.as_ref());
        let federation = federation.map(|(spec, own)| HttpFederation::new(spec, &settings, &api, context, own));
        let capabilities = match &context.federation {
            Some(_) => definition.capabilities(),
            None => definition.capabilities().with_federation(None),
        };
        Ok(Directory::new(Self {
            api,
            federation: federation.transpose()?,
            definition: Arc::clone(definition),
            map,
            calls,
            probes: probes.collect::<Result<_>>()?,
            capabilities,
        }))
    }
}

impl Connector for Http {
    const TYPE: &'static str = "http";
    type Config = HttpConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        Capabilities::all().with_federation(Some(FederationCapabilities {
            logout: LogoutReach::Session,
            opaque_tokens: true,
            ..FederationSpec::default().capabilities()
        }))
    }

    fn build(config: HttpConfig, context: &ConnectorContext) -> Result<Directory<Self>> {
        Self::with_definition(&config.read_definition()?, &config, context)
    }
}

impl Definition {
    /// Returns the features that the definition supports.
    pub fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none("not declared");
        for (kind, _, call) in self.calls.iter() {
            let support = match (&call.unsupported, &call.condition) {
                (Some(reason), _) => Support::unsupported(reason.clone()),
                (None, Some(condition)) => Support::conditional(condition.clone()),
                (None, None) => Support::Supported,
            };
            capabilities = capabilities.with_call(kind, support);
        }
        capabilities = capabilities.with_federation(self.federation.as_ref().map(FederationSpec::capabilities));
        let user = &self.user;
        let exact = |given: bool| if given { Fidelity::Exact } else { Fidelity::Absent };
        let flag = |field: &Option<FlagField>| field.as_ref().map_or(Fidelity::Absent, |f| f.fidelity());
        let time = |field: &Option<TimeField>| field.as_ref().map_or(Fidelity::Absent, |f| f.fidelity());
        for (field, fidelity) in [
            (Field::Customer, exact(user.customer.is_some())),
            (Field::Email, exact(user.email.is_some())),
            (Field::CreateTime, time(&user.create_time)),
            (Field::UpdateTime, time(&user.update_time)),
            (Field::LoginTime, time(&user.login_time)),
            (Field::LoginsCount, exact(user.logins_count.is_some())),
            (Field::EmailVerified, flag(&user.email_verified)),
            (Field::Blocked, flag(&user.blocked)),
        ] {
            capabilities = capabilities.with_field(field, fidelity);
        }
        capabilities
    }
}

impl Definition {
    /// Returns the names of the settings with an origin.
    pub fn origins(&self) -> Vec<String> {
        let is_origin = |setting: &Setting| setting.kind == SettingKind::Origin;
        self.settings.iter().filter(|(_, setting)| is_origin(setting)).map(|(name, _)| name.clone()).collect()
    }

    /// Returns the ids that address another resource than a user.
    pub fn reserved_ids(&self) -> &[String] {
        &self.id.reserved
    }

    /// Returns the addresses of the product's documentation.
    pub fn docs(&self) -> &[String] {
        &self.product.docs
    }

    /// Returns one line about the product: its name, its versions, and the check of the definition.
    pub fn summary(&self) -> String {
        let checked = match self.product.verified {
            Verified::Live => "checked on a real server",
            Verified::Emulator => "checked on the product's emulator",
            Verified::Contract => "not verified live",
        };
        format!("{} {} ({checked})", self.product.name, self.product.versions)
    }
}
