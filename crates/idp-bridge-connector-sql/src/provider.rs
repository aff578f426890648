//! The provider of one tenant: a database and the checked statements.

use std::sync::Arc;

use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Directory, Error, Fidelity, Field, Result, Support,
};

use crate::SqlConfig;
use crate::columns::Column;
use crate::config::{EpochUnit, Statements};
use crate::database::{self, Database, Dialect};
use crate::statement::{Parameter, Rules, Statement};

/// The SQL connector, and the store of its providers.
pub struct Sql {
    pub(crate) database: Arc<dyn Database>,
    pub(crate) statements: Checked,
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
        let mail = Some(Parameter::Email);
        let get_by_id = parse(&statements.get_by_id, rules("get_by_id", true, Parameter::Id, None))?;
        let checked = Self {
            get_by_id: get_by_id.ok_or_else(|| {
                Error::misconfigured("the statement `get_by_id` is missing")
                    .with("setting", "statements")
                    .with_hint("set `statements.get_by_id`, or a `preset`")
            })?,
            get_by_email: parse(&statements.get_by_email, rules("get_by_email", true, Parameter::Email, None))?,
            get_by_customer: parse(
                &statements.get_by_customer,
                rules("get_by_customer", true, Parameter::Customer, None),
            )?,
            delete: parse(&statements.delete, rules("delete", false, Parameter::Id, None))?,
            mark: parse(&statements.mark_email_verified, rules("mark_email_verified", false, Parameter::Id, mail))?,
            unmark: parse(
                &statements.unmark_email_verified,
                rules("unmark_email_verified", false, Parameter::Id, mail),
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
        if !self.get_by_id.columns.contains(&Column::Field(Field::EmailVerified)) {
            return Err(
                mark.misfit("needs the column `email_verified` in all reads", "return it as `… as email_verified`")
            );
        }
        if !self.get_by_id.columns.contains(&Column::Field(Field::Email)) {
            return Err(mark.misfit("needs the column `email` in all reads", "return it as `… as email`"));
        }
        if mark.parameters.contains(&Parameter::Email) || self.unmark.is_some() {
            return Ok(());
        }
        let hint = "add `and lower(email) = lower(:email)` to its condition, or set `statements.unmark_email_verified`";
        Err(mark.misfit("would mark an address that has changed since it was read", hint))
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none(NO_MAIL).with_call(CallKind::GetById, Support::Supported);
        for (kind, name, is_set) in [
            (CallKind::GetByEmail, "get_by_email", self.get_by_email.is_some()),
            (CallKind::GetByCustomer, "get_by_customer", self.get_by_customer.is_some()),
            (CallKind::Delete, "delete", self.delete.is_some()),
            (CallKind::MarkEmailVerified, "mark_email_verified", self.mark.is_some()),
        ] {
            let missing = || Support::unsupported(format!("the settings have no `statements.{name}`"));
            capabilities = capabilities.with_call(kind, if is_set { Support::Supported } else { missing() });
        }
        for field in Field::ALL {
            let is_returned = self.get_by_id.columns.contains(&Column::Field(field));
            let fidelity = if is_returned { Fidelity::Exact } else { Fidelity::Absent };
            capabilities = capabilities.with_field(field, fidelity);
        }
        capabilities
    }

    /// Returns the statements with the calls that need them.
    pub(crate) fn with_calls(&self) -> impl Iterator<Item = (&Statement, Vec<CallKind>)> {
        use CallKind::{Delete, GetByCustomer, GetByEmail, GetById, MarkEmailVerified};
        let writes = [(&self.delete, Delete), (&self.mark, MarkEmailVerified)];
        let with_id = writes.iter().filter(|(statement, _)| statement.is_some()).map(|(_, kind)| *kind);
        let first = (&self.get_by_id, std::iter::once(GetById).chain(with_id).collect());
        let others = [
            (&self.get_by_email, GetByEmail),
            (&self.get_by_customer, GetByCustomer),
            (&self.delete, Delete),
            (&self.mark, MarkEmailVerified),
            (&self.unmark, MarkEmailVerified),
        ];
        let others = others.into_iter().filter_map(|(statement, kind)| Some((statement.as_ref()?, vec![kind])));
        std::iter::once(first).chain(others)
    }
}

const NO_MAIL: &str = "a database sends no mails; let the application that owns the table send them";

impl Connector for Sql {
    const TYPE: &'static str = "sql";
    type Config = SqlConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        let mail = || Support::unsupported(NO_MAIL);
        Capabilities::all()
            .with_call(CallKind::SendVerificationEmail, mail())
            .with_call(CallKind::SendPasswordResetEmail, mail())
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
        Ok(Directory::new(Self {
            database: database::open(&config, dialect, context)?.into(),
            capabilities: statements.capabilities(),
            statements,
            integer_times: config.integer_times,
        }))
    }
}
