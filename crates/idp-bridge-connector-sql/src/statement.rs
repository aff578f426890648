//! A statement of the settings, with its named parameters rewritten to bound ones.

use std::collections::BTreeSet;

use idp_bridge_core::{CustomerId, Email, Error, Result, UserId};

use crate::columns::Column;
use crate::database::Dialect;
use crate::lexer::{self, Token};

/// The maximum number of rows of a read.
pub(crate) const MAX_ROWS: usize = 100;

/// A named parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Parameter {
    Id,
    Email,
    Customer,
    /// The kind of a mail.
    Kind,
    /// The token of a mail.
    Token,
}

impl Parameter {
    const ALL: [Self; 5] = [Self::Id, Self::Email, Self::Customer, Self::Kind, Self::Token];

    /// Returns the name in a statement, without its colon.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Email => "email",
            Self::Customer => "customer",
            Self::Kind => "kind",
            Self::Token => "token",
        }
    }
}

/// The values of the parameters in one call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Values<'a> {
    pub(crate) id: Option<&'a UserId>,
    pub(crate) email: Option<&'a Email>,
    pub(crate) customer: Option<&'a CustomerId>,
    pub(crate) kind: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

impl<'a> Values<'a> {
    /// Returns the value of a parameter.
    pub(crate) fn get(&self, parameter: Parameter) -> Option<&'a str> {
        match parameter {
            Parameter::Id => self.id.map(UserId::as_str),
            Parameter::Email => self.email.map(Email::as_str),
            Parameter::Customer => self.customer.map(CustomerId::as_str),
            Parameter::Kind => self.kind,
            Parameter::Token => self.token,
        }
    }
}

/// The rules for one statement of the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The key in `statements`.
    pub(crate) name: &'static str,
    pub(crate) is_read: bool,
    pub(crate) required: Parameter,
    /// The parameters that it may have, too.
    pub(crate) optional: &'static [Parameter],
}

/// The rules for the statement of an outbox.
pub(crate) const OUTBOX: Rules = Rules {
    name: "outbox",
    is_read: false,
    required: Parameter::Token,
    optional: &[Parameter::Kind, Parameter::Id, Parameter::Email],
};

/// A checked statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The key in `statements`.
    pub(crate) name: &'static str,
    /// The text with numbered parameters.
    pub(crate) sql: String,
    pub(crate) is_read: bool,
    /// The parameters, in the order of their numbers.
    pub(crate) parameters: Vec<Parameter>,
    /// The columns of a read.
    pub(crate) columns: Vec<Column>,
}

impl Statement {
    /// Parses a statement. An error is `Misconfigured`, with the name of the statement.
    pub(crate) fn parse(text: &str, dialect: Dialect, rules: Rules) -> Result<Self> {
        let invalid = |message: String| Error::misconfigured(format!("the statement `{}` {message}", rules.name));
        let tokens = lexer::tokens(text, dialect).map_err(|reason| invalid(format!("cannot be read: {reason}")))?;
        let mut parsed = Parsed::default();
        for token in tokens {
            parsed.add(token, dialect).map_err(invalid)?;
        }
        parsed.check(rules).map_err(|(message, hint)| invalid(message).with_hint(hint))?;
        let Parsed { sql, parameters, words, .. } = parsed;
        let columns = Column::ALL.into_iter().filter(|column| rules.is_read && words.contains(column.name()));
        let sql = if rules.is_read {
            // A nested query cannot change data, and the limit bounds the answer.
            format!("SELECT * FROM (\n{}\n) AS found LIMIT {}", sql.trim(), MAX_ROWS + 1)
        } else {
            sql.trim().to_owned()
        };
        Ok(Self { name: rules.name, sql, is_read: rules.is_read, parameters, columns: columns.collect() })
    }

    /// Creates the error of a statement that does not fit the database.
    pub(crate) fn misfit(&self, message: impl AsRef<str>, hint: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        let message = format!("the statement `{}` {}", self.name, message.as_ref());
        Error::upstream(idp_bridge_core::ErrorKind::Misconfigured, message).with_hint(hint)
    }

    /// Returns the columns with these names, in their order. They must be exactly those that the statement names.
    pub(crate) fn match_columns<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Vec<Column>> {
        let known = || Column::ALL.map(Column::name).join(", ");
        let mut found = Vec::new();
        for name in names {
            let column = Column::find(name).filter(|column| !found.contains(column)).ok_or_else(|| {
                let message = format!("returns the column `{name}`, which is unknown or repeated");
                self.misfit(message, format!("name each column with `as`, and return only these: {}", known()))
            })?;
            found.push(column);
        }
        match self.columns.iter().find(|column| !found.contains(column)) {
            None => Ok(found),
            Some(missing) => {
                let name = missing.name();
                let hint = format!("return it as `… as {name}`, or give the other thing of that name an alias");
                Err(self.misfit(format!("names `{name}`, but returns no such column"), hint))
            }
        }
    }
}

/// The parsed part of a statement.
#[derive(Debug, Default)]
struct Parsed {
    sql: String,
    parameters: Vec<Parameter>,
    /// The names in lower case.
    words: BTreeSet<String>,
    first: Option<String>,
    selects_all: bool,
    last: String,
    has_ended: bool,
}

type Mistake = (String, String);

impl Parsed {
    fn add(&mut self, token: Token<'_>, dialect: Dialect) -> Result<(), String> {
        if self.has_ended && !matches!(token, Token::Blank(_) | Token::Semicolon) {
            return Err("is more than one statement".to_owned());
        }
        match token {
            // A comment could hide what follows it.
            Token::Blank(_) => self.sql.push(' '),
            Token::Semicolon => self.has_ended = true,
            Token::Parameter(name) => {
                let number = self.number(name)?;
                let sign = if dialect == Dialect::Postgres { '$' } else { '?' };
                self.push(&format!("{sign}{number}"));
            }
            Token::Word(word) => {
                let lower = word.to_ascii_lowercase();
                self.first.get_or_insert_with(|| lower.clone());
                self.push(word);
                self.words.insert(lower);
            }
            Token::Name { text, name } => {
                self.words.insert(name.to_owned());
                self.push(text);
            }
            Token::Other(text) => {
                // `count(*)` and `2 * 3` are not columns.
                self.selects_all |=
                    text == "*" && matches!(self.last.as_str(), "select" | "distinct" | "all" | "." | ",");
                self.push(text);
            }
        }
        Ok(())
    }

    fn push(&mut self, text: &str) {
        self.sql.push_str(text);
        self.last = text.to_ascii_lowercase();
    }

    fn number(&mut self, name: &str) -> Result<usize, String> {
        let parameter = Parameter::ALL.into_iter().find(|parameter| parameter.name() == name);
        let parameter = parameter.ok_or_else(|| {
            let known = Parameter::ALL.map(|known| format!("`:{}`", known.name())).join(", ");
            format!("has the unknown parameter `:{name}`; there are {known}")
        })?;
        let place = self.parameters.iter().position(|own| *own == parameter);
        Ok(place.unwrap_or_else(|| {
            self.parameters.push(parameter);
            self.parameters.len() - 1
        }) + 1)
    }

    fn check(&self, rules: Rules) -> Result<(), Mistake> {
        let mistake = |message: String, hint: &str| Err((message, hint.to_owned()));
        let first = self.first.as_deref().unwrap_or_default();
        if rules.is_read && !matches!(first, "select" | "with") {
            return mistake("does not begin with `select`".to_owned(), "write a query that returns the user");
        }
        if !rules.is_read && !matches!(first, "update" | "delete" | "insert" | "with") {
            let hint = "write a statement that changes exactly one row";
            return mistake("does not begin with `update`, `delete` or `insert`".to_owned(), hint);
        }
        let required = rules.required.name();
        if !self.parameters.contains(&rules.required) {
            return mistake(format!("lacks the parameter `:{required}`"), "each statement needs its own parameter");
        }
        let is_allowed = |own: &&Parameter| **own == rules.required || rules.optional.contains(*own);
        if let Some(other) = self.parameters.iter().find(|own| !is_allowed(own)) {
            let hint = format!("this statement has `:{required}`");
            return Err((format!("has the parameter `:{}`, which has no value here", other.name()), hint));
        }
        if rules.is_read && self.selects_all {
            let hint = "name the columns, so that passwords and other data stay in the database";
            return mistake("selects `*`".to_owned(), hint);
        }
        if rules.is_read && !self.words.contains(Column::Id.name()) {
            return mistake("returns no column `id`".to_owned(), "return the user's key as `… as id`");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Rules = Rules { name: "get_by_id", is_read: true, required: Parameter::Id, optional: &[] };
    const MARK: Rules =
        Rules { name: "mark_email_verified", is_read: false, required: Parameter::Id, optional: &[Parameter::Email] };

    #[test]
    fn parameters_are_numbered_by_first_use() {
        let text =
            "update users set v = true -- :id\nwhere lower(email) = lower(:email) and id = :id::uuid or id = :id;";
        let statement = Statement::parse(text, Dialect::Postgres, MARK).unwrap();
        assert_eq!(
            statement.sql,
            "update users set v = true   where lower(email) = lower($1) and id = $2::uuid or id = $2"
        );
        assert_eq!(statement.parameters, [Parameter::Email, Parameter::Id]);
        assert!(Statement::parse(text, Dialect::Sqlite, MARK).unwrap().sql.contains("lower(?1)"));
    }

    #[test]
    fn reads_are_nested_and_name_their_columns() {
        let text = "select id, email, \"blocked\", org as customer, count(*) from users where id = :id -- end";
        let statement = Statement::parse(text, Dialect::Postgres, READ).unwrap();
        assert!(statement.sql.starts_with("SELECT * FROM (\nselect id"), "{}", statement.sql);
        assert!(statement.sql.ends_with("id = $1\n) AS found LIMIT 101"), "{}", statement.sql);
        let names: Vec<_> = statement.columns.iter().map(|column| column.name()).collect();
        assert_eq!(names, ["id", "customer", "email", "blocked"]);
    }

    #[test]
    fn mistakes_name_statement_and_reason() {
        for (text, rules, part) in [
            ("delete from users where id = :id", READ, "`get_by_id` does not begin with `select`"),
            ("select id from users", READ, "lacks the parameter `:id`"),
            ("select id from users where id = :id and email = :email", READ, "`:email`, which has no value here"),
            ("select id from users where id = :user", READ, "unknown parameter `:user`"),
            ("select id from users where id = :id; drop table users", READ, "more than one statement"),
            ("select * from users where id = :id", READ, "selects `*`"),
            ("select u.* from users u where id = :id", READ, "selects `*`"),
            ("select email from users where key = :id", READ, "returns no column `id`"),
            ("select id from users where id = ':id", READ, "a quote has no end"),
            ("select mark(:id)", MARK, "`mark_email_verified` does not begin with `update`"),
            ("", MARK, "does not begin with"),
        ] {
            let error = Statement::parse(text, Dialect::Postgres, rules).unwrap_err();
            assert!(error.to_string().contains(part), "{error} lacks {part}");
        }
    }

    #[test]
    fn returned_columns_must_be_the_named_ones() {
        let statement = Statement::parse("select id, email from t where id = :id", Dialect::Postgres, READ).unwrap();
        assert_eq!(statement.match_columns(["email", "id"].into_iter()).unwrap().len(), 2);
        for (names, part) in [
            (&["id", "email", "password"][..], "`password`"),
            (&["id", "id", "email"], "repeated"),
            (&["id"], "names `email`, but returns no such column"),
        ] {
            let error = statement.match_columns(names.iter().copied()).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
