//! Inspects a table before it is deserialized: reports all unknown and missing keys, and resolves secrets and paths.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::document::Document;
use super::path::KeyPath;
use super::problem::{Problem, list, nearest};
use super::schema::{FORMS, Kind, Shape};
use super::secrets::{FetchError, Sources};

/// Replaces a secret that could not be fetched, so that its key is not reported as missing too.
const UNRESOLVED: &str = "unresolved";

/// The inspection of one file's tables.
#[derive(Debug)]
pub(crate) struct Inspection<'a> {
    document: &'a Document<'a>,
    sources: &'a Sources,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Inspection<'a> {
    pub(crate) fn new(document: &'a Document<'a>, sources: &'a Sources) -> Self {
        Self { document, sources, problems: Vec::new() }
    }

    /// Inspects a table of this shape and the tables in it.
    pub(crate) fn inspect_table(&mut self, shape: Shape<'_>, table: &mut Map<String, Value>, path: &KeyPath) {
        if shape.is_closed() {
            self.report_unknown_keys(shape, table, path);
        }
        for (key, kind) in shape.keys() {
            match kind {
                Kind::Secret | Kind::Secrets => self.resolve_secret(key, kind, table, path),
                Kind::Path => self.resolve_path(key, table, path),
                Kind::Plain => {}
            }
        }
        if shape.has_secrets() {
            for key in names_of_secrets(table) {
                self.resolve_secret(&key, Kind::Secret, table, path);
            }
        }
        for key in shape.required() {
            if !table.contains_key(key) {
                self.report_missing_key(shape, key, path);
            }
        }
        for (key, value) in table.iter_mut() {
            if shape.kind_of(key).is_none_or(|kind| kind == Kind::Plain)
                && let Some(shape) = shape.key(key)
            {
                self.inspect_value(shape, value, &path.key(key));
            }
        }
    }

    fn inspect_value(&mut self, shape: Shape<'_>, value: &mut Value, path: &KeyPath) {
        match value {
            Value::Object(table) => self.inspect_table(shape, table, path),
            Value::Array(elements) => {
                let Some(shape) = shape.elements() else { return };
                for (index, element) in elements.iter_mut().enumerate() {
                    self.inspect_value(shape, element, &path.index(index));
                }
            }
            _ => {}
        }
    }

    /// Reports each unknown key. A table, and the value of a missing required key, is read as the nearest known one, to find
    /// further mistakes in it and not to report that key as missing. Other values are not: a wrong guess would be reported too.
    fn report_unknown_keys(&mut self, shape: Shape<'_>, table: &mut Map<String, Value>, path: &KeyPath) {
        let mut known: Vec<String> = shape
            .keys()
            .flat_map(|(key, kind)| match kind {
                Kind::Secret | Kind::Secrets => FORMS.iter().map(|form| format!("{key}{form}")).collect(),
                Kind::Path | Kind::Plain => vec![key.to_owned()],
            })
            .collect();
        known.sort();
        let unknown: Vec<String> = table.keys().filter(|key| !known.contains(key)).cloned().collect();
        for key in unknown {
            let near = nearest(&key, known.iter().map(String::as_str));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys of this table are {}", list(known.iter().map(String::as_str))),
            };
            self.problems.push(self.document.problem(&path.key(&key), format!("unknown key `{key}`")).with_hint(hint));
            let value = table.remove(&key);
            if let (Some(near), Some(value)) = (near, value)
                && !table.contains_key(near)
                && (value.is_object() || is_required(shape, near))
            {
                table.insert(near.to_owned(), value);
            }
        }
    }

    fn report_missing_key(&mut self, shape: Shape<'_>, key: &str, path: &KeyPath) {
        let problem = self.document.problem(path, format!("missing key `{key}`"));
        let hint = match shape.kind_of(key) {
            Some(Kind::Secret) => {
                format!("set `{key}_file` (a path), `{key}_env` (an environment variable) or `{key}`")
            }
            Some(Kind::Secrets) => {
                format!("set `{key}_file` (a list of paths), `{key}_env` (of environment variables) or `{key}`")
            }
            _ if shape.key(key).is_some_and(Shape::is_table) => format!("add a table `[{}]`", path.key(key)),
            _ => shape.summary(key).map_or_else(|| format!("add `{key} = …`"), |summary| format!("`{key}`: {summary}")),
        };
        self.problems.push(problem.with_hint(hint));
    }

    /// Replaces the file or variable of a secret by the secret itself.
    fn resolve_secret(&mut self, key: &str, kind: Kind, table: &mut Map<String, Value>, path: &KeyPath) {
        let given: Vec<String> =
            FORMS.iter().map(|form| format!("{key}{form}")).filter(|key| table.contains_key(key)).collect();
        let [form] = given.as_slice() else {
            if !given.is_empty() {
                let message = format!("only one of {} may be set", list(given.iter().map(String::as_str)));
                let last = given.last().map_or(key, String::as_str);
                self.problems.push(self.document.problem(&path.key(last), message).with_hint("keep one of them"));
                given.iter().for_each(|form| drop(table.remove(form)));
                table.insert(key.to_owned(), unresolved(kind));
            }
            return;
        };
        let Some(value) = table.remove(form) else { return };
        let path = path.key(form);
        let fetched = match (kind, value) {
            (Kind::Secret, value) => self.fetch(form == key, form, value, &path),
            (_, Value::Array(values)) => values
                .into_iter()
                .enumerate()
                .map(|(index, value)| self.fetch(form == key, form, value, &path.index(index)))
                .collect::<Option<Vec<_>>>()
                .map(Value::Array),
            (..) => {
                let problem = self.document.problem(&path, "expected a list");
                self.problems.push(problem.with_hint(format!("put brackets around it: `{form} = [\"…\"]`")));
                None
            }
        };
        table.insert(key.to_owned(), fetched.unwrap_or_else(|| unresolved(kind)));
    }

    fn fetch(&mut self, is_value: bool, form: &str, value: Value, path: &KeyPath) -> Option<Value> {
        let Value::String(text) = &value else {
            self.problems.push(self.document.problem(path, "expected a text"));
            return None;
        };
        let fetched = if is_value {
            if text.is_empty() { Err(empty_secret()) } else { Ok(text.clone()) }
        } else if form.ends_with("_file") {
            self.sources.read_file(text)
        } else {
            self.sources.read_variable(text)
        };
        self.accept(fetched, path)
    }

    fn resolve_path(&mut self, key: &str, table: &mut Map<String, Value>, path: &KeyPath) {
        let Some(Value::String(text)) = table.get(key) else { return };
        let full = self.sources.resolve_file(text).map(|full| full.to_string_lossy().into_owned());
        if let Some(full) = self.accept(full, &path.key(key)) {
            table.insert(key.to_owned(), full);
        }
    }

    /// Returns a fetched value, or reports why there is none.
    fn accept(&mut self, fetched: Result<String, FetchError>, path: &KeyPath) -> Option<Value> {
        match fetched {
            Ok(text) => Some(text.into()),
            Err(FetchError { reason, hint }) => {
                self.problems.push(self.document.problem(path, reason).with_hint(hint));
                None
            }
        }
    }
}

/// Returns whether a key, or the secret that it is a form of, is required.
fn is_required(shape: Shape<'_>, key: &str) -> bool {
    shape.required().any(|required| key.strip_prefix(required).is_some_and(|form| FORMS.contains(&form)))
}

/// Returns the names of the secrets in a table, without the suffixes of their forms.
fn names_of_secrets(table: &Map<String, Value>) -> BTreeSet<String> {
    let name = |key: &String| FORMS.iter().rev().find_map(|form| key.strip_suffix(form)).unwrap_or(key).to_owned();
    table.keys().map(name).collect()
}

fn empty_secret() -> FetchError {
    FetchError { reason: "the secret is empty".into(), hint: "write it between the quotation marks".into() }
}

fn unresolved(kind: Kind) -> Value {
    if kind == Kind::Secrets { vec![UNRESOLVED].into() } else { UNRESOLVED.into() }
}
