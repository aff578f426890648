//! Splits a statement into tokens, far enough to find its parameters.

use crate::database::Dialect;

/// A token of a statement, with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A keyword or an unquoted name.
    Word(&'a str),
    /// A name in quotes, which are not included in the name.
    Name {
        /// The text with its quotes.
        text: &'a str,
        /// The name between the quotes.
        name: &'a str,
    },
    /// A named parameter, without its colon.
    Parameter(&'a str),
    /// The end of a statement.
    Semicolon,
    /// A comment or white space.
    Blank(&'a str),
    /// Any other text, such as a string, a number or an operator.
    Other(&'a str),
}

/// A mistake in a statement, as a sentence for the operator.
pub(crate) type LexError = &'static str;

/// Returns the tokens of a statement.
pub(crate) fn tokens(text: &str, dialect: Dialect) -> Result<Vec<Token<'_>>, LexError> {
    let mut lexer = Lexer { rest: text, dialect, previous: None };
    let mut tokens = Vec::new();
    while !lexer.rest.is_empty() {
        tokens.push(lexer.token()?);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    dialect: Dialect,
    /// The last consumed character.
    previous: Option<char>,
}

impl<'a> Lexer<'a> {
    fn token(&mut self) -> Result<Token<'a>, LexError> {
        let mut characters = self.rest.chars();
        let (first, second) = (characters.next().unwrap_or_default(), characters.next());
        match (first, second) {
            ('-', Some('-')) => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                Ok(Token::Blank(self.take(end)))
            }
            ('/', Some('*')) => self.comment(),
            (space, _) if space.is_whitespace() => {
                let end = self.rest.find(|c: char| !c.is_whitespace()).unwrap_or(self.rest.len());
                Ok(Token::Blank(self.take(end)))
            }
            ('\'', _) => self.quoted('\'', false).map(Token::Other),
            ('e' | 'E', Some('\'')) if self.dialect == Dialect::Postgres && !self.follows_word() => {
                self.escape_string()
            }
            ('"', _) => self.name('"', '"'),
            ('`', _) => self.name('`', '`'),
            ('[', _) if self.dialect == Dialect::Sqlite => self.name('[', ']'),
            ('$', _) if self.dialect == Dialect::Postgres && !self.follows_word() => self.dollar_quoted(second),
            ('$' | '@', Some(next)) if self.dialect == Dialect::Sqlite && is_word_start(next) => Err(OTHER_PARAMETER),
            ('?', _) if self.dialect == Dialect::Sqlite => Err(OTHER_PARAMETER),
            (':', Some(':' | '=')) => Ok(Token::Other(self.take(2))),
            (':', Some(next)) if is_word_start(next) && !self.follows_value() => {
                self.take(1);
                Ok(Token::Parameter(self.take_word()))
            }
            (';', _) => {
                self.take(1);
                Ok(Token::Semicolon)
            }
            (start, _) if is_word_start(start) => Ok(Token::Word(self.take_word())),
            // The digits of a number include its exponent and its underscores.
            (digit, _) if digit.is_ascii_digit() => Ok(Token::Other(self.take_word())),
            (other, _) => Ok(Token::Other(self.take(other.len_utf8()))),
        }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.previous = taken.chars().next_back();
        self.rest = rest;
        taken
    }

    fn take_word(&mut self) -> &'a str {
        self.take(self.rest.find(|c: char| !is_word(c)).unwrap_or(self.rest.len()))
    }

    fn follows_word(&self) -> bool {
        self.previous.is_some_and(is_word)
    }

    /// Returns whether a colon here belongs to an array slice such as `list[1:n]`.
    fn follows_value(&self) -> bool {
        self.previous.is_some_and(|previous| is_word(previous) || matches!(previous, ')' | ']' | '"' | '\''))
    }

    fn comment(&mut self) -> Result<Token<'a>, LexError> {
        let inside = self.rest.get(2..).unwrap_or_default();
        let end = inside.find("*/").ok_or("a comment has no end")?;
        // PostgreSQL nests comments and SQLite does not.
        if inside.get(..end).is_some_and(|comment| comment.contains("/*")) {
            return Err("a comment is inside another one");
        }
        Ok(Token::Blank(self.take(end + 4)))
    }

    /// Takes a text up to the closing quote. A doubled quote is a part of it.
    fn quoted(&mut self, close: char, escapes: bool) -> Result<&'a str, LexError> {
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((index, character)) = characters.next() {
            if escapes && character == '\\' {
                characters.next();
            } else if character == close && characters.next_if(|(_, next)| *next == close).is_none() {
                return Ok(self.take(index + close.len_utf8()));
            }
        }
        Err("a quote has no end")
    }

    fn escape_string(&mut self) -> Result<Token<'a>, LexError> {
        let whole = self.rest;
        self.take(1);
        let length = 1 + self.quoted('\'', true)?.len();
        Ok(Token::Other(whole.get(..length).unwrap_or_default()))
    }

    fn name(&mut self, open: char, close: char) -> Result<Token<'a>, LexError> {
        let text = self.quoted(close, false)?;
        let name = text.strip_prefix(open).and_then(|name| name.strip_suffix(close)).unwrap_or_default();
        Ok(Token::Name { text, name })
    }

    /// Takes `$tag$ … $tag$`.
    fn dollar_quoted(&mut self, second: Option<char>) -> Result<Token<'a>, LexError> {
        if second.is_some_and(|second| second.is_ascii_digit()) {
            return Err(OTHER_PARAMETER);
        }
        let inside = self.rest.get(1..).unwrap_or_default();
        let tag_end = inside
            .find(|c: char| !is_word(c) || c == '$')
            .filter(|end| inside.get(*end..).is_some_and(|rest| rest.starts_with('$')));
        let Some(tag_end) = tag_end else { return Ok(Token::Other(self.take(1))) };
        let tag = self.rest.get(..tag_end + 2).unwrap_or_default();
        let body = self.rest.get(tag.len()..).unwrap_or_default();
        let end = body.find(tag).ok_or("a dollar quote has no end")?;
        Ok(Token::Other(self.take(end + 2 * tag.len())))
    }
}

const OTHER_PARAMETER: LexError =
    "it has a parameter without a name; write parameters as `:id`, `:email` and `:customer`";

fn is_word_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}

fn is_word(character: char) -> bool {
    is_word_start(character) || character.is_ascii_digit() || character == '$'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parameters(text: &str, dialect: Dialect) -> Result<Vec<&str>, LexError> {
        let is_parameter = |token| if let Token::Parameter(name) = token { Some(name) } else { None };
        Ok(tokens(text, dialect)?.into_iter().filter_map(is_parameter).collect())
    }

    #[test]
    fn only_parameters_outside_of_quotes_count() {
        for (text, expected) in [
            ("select :id", &["id"][..]),
            ("select id::text, x ::int from t where id = :id::uuid", &["id"]),
            ("select ':id', 'it''s :email', \":id\", `:id`", &[]),
            ("select 1 -- :id\n, :email", &["email"]),
            ("select /* :id */ :email/**/", &["email"]),
            ("where a=:id and b=(:email)or c>:customer", &["id", "email", "customer"]),
            ("select :id_2, :idä", &["id_2", "idä"]),
            ("x := 1", &[]),
        ] {
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                assert_eq!(parameters(text, dialect).unwrap(), expected, "{text}");
            }
        }
    }

    #[test]
    fn dialects_quote_differently() {
        for (text, dialect, expected) in [
            ("$$ :id $$, $tag$ :id $$ $tag$, :email", Dialect::Postgres, &["email"][..]),
            (r"E'\' :id', e'\\', :email", Dialect::Postgres, &["email"]),
            (r"'\', :email, ''", Dialect::Postgres, &["email"]),
            ("a$$, :id", Dialect::Postgres, &["id"]),
            ("list[1:n], list[x:y], data ? 'a', tags @> :id", Dialect::Postgres, &["id"]),
            ("[:id], :email", Dialect::Sqlite, &["email"]),
            (r"'\', :email, ''", Dialect::Sqlite, &["email"]),
        ] {
            assert_eq!(parameters(text, dialect).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_errors() {
        for (text, dialect) in [
            ("'", Dialect::Postgres),
            ("\"a", Dialect::Sqlite),
            ("/* a", Dialect::Postgres),
            ("/* /* */ */", Dialect::Sqlite),
            ("$a$ b", Dialect::Postgres),
            ("$1", Dialect::Postgres),
            ("?1", Dialect::Sqlite),
            ("$id", Dialect::Sqlite),
            ("@id", Dialect::Sqlite),
            ("[a", Dialect::Sqlite),
        ] {
            assert!(tokens(text, dialect).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_cover_the_whole_text(text in "[-a-z0-9:;'\"$@?/*\\[\\]()\\\\ \n`äé]{0,40}") {
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                let Ok(tokens) = tokens(&text, dialect) else { continue };
                let joined: String = tokens.into_iter().map(|token| match token {
                    Token::Word(text) | Token::Blank(text) | Token::Other(text) | Token::Name { text, .. } => text.to_owned(),
                    Token::Parameter(name) => format!(":{name}"),
                    Token::Semicolon => ";".to_owned(),
                }).collect();
                prop_assert_eq!(joined, text.clone());
            }
        }
    }
}
