//! The provider of one tenant: a directory and its attributes.

use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Directory, Fidelity, Field, MailKind, Result, Support,
};
use idp_bridge_mailer::Mailer;

use crate::LdapConfig;
use crate::client::Client;
use crate::preset::Schema;

/// The LDAP connector, and the store of its providers.
pub struct Ldap {
    pub(crate) client: Client,
    pub(crate) base_dn: String,
    pub(crate) schema: Schema,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) page_size: u16,
    pub(crate) capabilities: Capabilities,
}

impl Connector for Ldap {
    const TYPE: &'static str = "ldap";
    type Config = LdapConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        let mailer = || Support::conditional(idp_bridge_mailer::CONDITION);
        Capabilities::all()
            .with_call(CallKind::SendVerificationEmail, mailer())
            .with_call(CallKind::SendPasswordResetEmail, mailer())
            .with_field(Field::LoginsCount, Fidelity::Absent)
    }

    fn build(config: LdapConfig, context: &ConnectorContext) -> Result<Directory<Self>> {
        let schema = Schema::new(&config)?;
        let mailer = config.mail.as_ref().map(|mail| Mailer::new(mail, context)).transpose()?;
        Ok(Directory::new(Self {
            client: Client::new(&config, &context.outbound)?,
            capabilities: capabilities(&schema, mailer.as_ref()),
            base_dn: config.base_dn,
            schema,
            mailer,
            page_size: config.page_size.max(1),
        }))
    }
}

fn capabilities(schema: &Schema, mailer: Option<&Mailer>) -> Capabilities {
    let has = |field| schema.attribute(field).is_some();
    let needs = |fields: &[Field], support: Support| match fields.iter().find(|field| !has(**field)) {
        None => support,
        Some(field) => Support::unsupported(format!("the settings have no `attributes.{}`", field.as_str())),
    };
    let mail = |kind| match mailer {
        Some(mailer) => mailer.support(kind, has(Field::Email) && has(Field::EmailVerified)),
        None => Support::unsupported("the settings have no `mail`"),
    };
    let mut capabilities = Capabilities::none("")
        .with_call(CallKind::GetById, Support::Supported)
        .with_call(CallKind::Delete, Support::Supported)
        .with_call(CallKind::GetByEmail, needs(&[Field::Email], Support::Supported))
        .with_call(CallKind::GetByCustomer, needs(&[Field::Customer], Support::Supported))
        .with_call(CallKind::MarkEmailVerified, needs(&[Field::Email, Field::EmailVerified], Support::Supported))
        .with_call(
            CallKind::SendVerificationEmail,
            needs(&[Field::Email, Field::EmailVerified], mail(MailKind::Verification)),
        )
        .with_call(CallKind::SendPasswordResetEmail, needs(&[Field::Email], mail(MailKind::PasswordReset)));
    for field in Field::ALL {
        let fidelity = match schema.attribute(field) {
            // Written only if it is older than 9 to 14 days:
            // <https://learn.microsoft.com/windows/win32/adschema/a-lastlogontimestamp> (November 2026).
            Some(name) if name.eq_ignore_ascii_case("lastLogonTimestamp") => Fidelity::Derived,
            Some(_) => Fidelity::Exact,
            None => Fidelity::Absent,
        };
        capabilities = capabilities.with_field(field, fidelity);
    }
    capabilities
}
