//! The provider of one tenant: a database and the checked statements.

use std::sync::Arc;

use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Directory, Error, Fidelity, Field, MailKind, Result, Support,
};

use crate::SqlConfig;
use crate::columns::Column;
use crate::config::{EpochUnit, Statements};
use crate::database::{self, Database, Dialect};
use crate::mail::Mails;
use crate::statement::{Parameter, Rules, Statement};

/// The SQL connector, and the store of its providers.
pub struct Sql {
    pub(crate) database: Arc<dyn Database>,
    pub(crate) statements: Checked,
    pub(crate) mails: Option<Mails>,
    pub(crate) integer_times: Option<EpochUnit>,
    pub(crate) capabilities: Capabilities,
}

/// The statements of the settings, parsed.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) get_by_id: Statement,
    pub(crate) get_by_email: Option<Statement>,
    pub(crate) get_by_customer: Option<Statement>,
    pub(crate) delete: Option<Statement>,
    pub(crate) mark: Option<Statement>,
    pub(crate) unmark: Option<Statement>,
}

impl Checked {
    fn new(statements: &Statements, dialect: Dialect) -> Result<Self> {
        let parse = |text: &Option<String>, rules: Rules| {
            let text = text.as_deref().filter(|text| !text.trim().is_empty());
            text.map(|text| Statement::parse(text, dialect, rules)).transpose()
        };
        let rules = |name, is_read, required, optional| Rules { name, is_read, required, optional };
        let email: &'static [Parameter] = &[Parameter::Email];
        let get_by_id = parse(&statements.get_by_id, rules("get_by_id", true, Parameter::Id, &[]))?;
        let checked = Self {
            get_by_id: get_by_id.ok_or_else(|| {
                Error::misconfigured("the statement `get_by_id` is missing")
                    .with("setting", "statements")
                    .with_hint("set `statements.get_by_id`, or a `preset`")
            })?,
            get_by_email: parse(&statements.get_by_email, rules("get_by_email", true, Parameter::Email, &[]))?,
            get_by_customer: parse(
                &statements.get_by_customer,
                rules("get_by_customer", true, Parameter::Customer, &[]),
            )?,
            delete: parse(&statements.delete, rules("delete", false, Parameter::Id, &[]))?,
            mark: parse(&statements.mark_email_verified, rules("mark_email_verified", false, Parameter::Id, email))?,
            unmark: parse(
                &statements.unmark_email_verified,
                rules("unmark_email_verified", false, Parameter::Id, email),
            )?,
        };
        checked.check_columns()?;
        checked.check_mark()?;
        Ok(checked)
    }

    /// Checks that all reads return the same columns, since a user must not depend on how it was found.
    fn check_columns(&self) -> Result<()> {
        for other in [&self.get_by_email, &self.get_by_customer].into_iter().flatten() {
            let differs = |column: &&Column| self.get_by_id.columns.contains(column) != other.columns.contains(column);
            if let Some(column) = Column::ALL.iter().find(differs) {
                let message = format!("differs from `get_by_id` in the column `{}`", column.name());
                return Err(other.misfit(message, "let all reads return the same columns"));
            }
        }
        Ok(())
    }

    /// Checks that an address that changes while it is marked cannot stay marked.
    fn check_mark(&self) -> Result<()> {
        let Some(mark) = &self.mark else { return Ok(()) };
        if !self.returns(Field::EmailVerified) {
            return Err(
                mark.misfit("needs the column `email_verified` in all reads", "return it as `… as email_verified`")
            );
        }
        if !self.returns(Field::Email) {
            return Err(mark.misfit("needs the column `email` in all reads", "return it as `… as email`"));
        }
        if mark.parameters.contains(&Parameter::Email) || self.unmark.is_some() {
            return Ok(());
        }
        let hint = "add `and lower(email) = lower(:email)` to its condition, or set `statements.unmark_email_verified`";
        Err(mark.misfit("would mark an address that has changed since it was read", hint))
    }

    fn returns(&self, field: Field) -> bool {
        self.get_by_id.columns.contains(&Column::Field(field))
    }

    fn capabilities(&self, mails: Option<&Mails>) -> Capabilities {
        let mut capabilities = Capabilities::none("").with_call(CallKind::GetById, Support::Supported);
        for (kind, name, is_set) in [
            (CallKind::GetByEmail, "get_by_email", self.get_by_email.is_some()),
            (CallKind::GetByCustomer, "get_by_customer", self.get_by_customer.is_some()),
            (CallKind::Delete, "delete", self.delete.is_some()),
            (CallKind::MarkEmailVerified, "mark_email_verified", self.mark.is_some()),
        ] {
            let missing = || Support::unsupported(format!("the settings have no `statements.{name}`"));
            capabilities = capabilities.with_call(kind, if is_set { Support::Supported } else { missing() });
        }
        let can_verify = self.returns(Field::Email) && self.returns(Field::EmailVerified);
        let can_reset = self.returns(Field::Email) && self.get_by_email.is_some();
        for (kind, mail, is_possible) in [
            (CallKind::SendVerificationEmail, MailKind::Verification, can_verify),
            (CallKind::SendPasswordResetEmail, MailKind::PasswordReset, can_reset),
        ] {
            let support = match mails {
                None => Support::unsupported("the settings have no `mail`"),
                Some(_) if !is_possible => {
                    Support::unsupported("it needs `get_by_email`, and the columns `email` and `email_verified`")
                }
                Some(mails) => mails.support(mail, self.mark.is_some()),
            };
            capabilities = capabilities.with_call(kind, support);
        }
        for field in Field::ALL {
            let fidelity = if self.returns(field) { Fidelity::Exact } else { Fidelity::Absent };
            capabilities = capabilities.with_field(field, fidelity);
        }
        capabilities
    }

    /// Returns the statements, with the calls that need them if they are supported.
    fn with_calls(&self) -> impl Iterator<Item = (&Statement, &'static [CallKind])> {
        use CallKind::{Delete, GetByCustomer, GetByEmail, GetById, MarkEmailVerified};
        use CallKind::{SendPasswordResetEmail, SendVerificationEmail};
        let first = (&self.get_by_id, &[GetById, Delete, MarkEmailVerified, SendVerificationEmail][..]);
        let others = [
            (&self.get_by_email, &[GetByEmail, SendPasswordResetEmail][..]),
            (&self.get_by_customer, &[GetByCustomer]),
            (&self.delete, &[Delete]),
            (&self.mark, &[MarkEmailVerified]),
            (&self.unmark, &[MarkEmailVerified]),
        ];
        let others = others.into_iter().filter_map(|(statement, kinds)| Some((statement.as_ref()?, kinds)));
        std::iter::once(first).chain(others)
    }
}

impl Sql {
    /// Returns the statements with the supported calls that need them.
    pub(crate) fn checked_statements(&self) -> impl Iterator<Item = (&Statement, Vec<CallKind>)> {
        let outbox = self.mails.as_ref().and_then(Mails::outbox).map(|statement| (statement, idp_bridge_mailer::CALLS));
        let supported = |kinds: &[CallKind]| {
            kinds.iter().copied().filter(|kind| self.capabilities.call(*kind).is_possible()).collect()
        };
        self.statements.with_calls().chain(outbox).map(move |(statement, kinds)| (statement, supported(kinds)))
    }
}

impl Connector for Sql {
    const TYPE: &'static str = "sql";
    type Config = SqlConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        let mailer = || Support::conditional(idp_bridge_mailer::CONDITION);
        Capabilities::all()
            .with_call(CallKind::SendVerificationEmail, mailer())
            .with_call(CallKind::SendPasswordResetEmail, mailer())
    }

    fn build(config: SqlConfig, context: &ConnectorContext) -> Result<Directory<Self>> {
        let dialect = Dialect::from_url(config.url.expose())?;
        let customer = config.customer_column.as_deref();
        let statements = match config.preset {
            Some(preset) => config.statements.clone().or(preset.statements(dialect, customer)?),
            None if customer.is_some() => {
                return Err(Error::misconfigured("`customer_column` is set without a `preset`")
                    .with("setting", "customer_column")
                    .with_hint("return the column as `customer` in the statements"));
            }
            None => config.statements.clone(),
        };
        let statements = Checked::new(&statements, dialect)?;
        let mails = config.mail.as_ref().map(|mail| Mails::new(mail, dialect, context)).transpose()?;
        Ok(Directory::new(Self {
            database: database::open(&config, dialect, context)?.into(),
            capabilities: statements.capabilities(mails.as_ref()),
            mails,
            statements,
            integer_times: config.integer_times,
        }))
    }
}
