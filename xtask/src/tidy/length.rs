//! How long files and functions may be.

use super::{Problem, Source};

/// A file is aimed to be shorter than this.
const FILE_AIM: usize = 400;
/// No file is longer.
const FILE_LIMIT: usize = 600;
/// No function is longer.
const FUNCTION_LIMIT: usize = 80;

/// What is too long.
pub(super) fn check(source: &Source) -> Vec<Problem> {
    if !source.is_rust() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LIMIT {
        let rule = format!("{lines} lines, at most {FILE_LIMIT}: split it by what changes together");
        problems.push(Problem::whole(source, rule));
    }
    for function in functions(&source.text) {
        if function.lines > FUNCTION_LIMIT {
            let rule = format!("a function of {} lines, at most {FUNCTION_LIMIT}", function.lines);
            problems.push(Problem::at(source, function.first, rule));
        }
    }
    problems
}

/// A word about a file that is long but not too long.
pub(super) fn note(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    let is_long = source.is_rust() && lines > FILE_AIM && lines <= FILE_LIMIT;
    is_long.then(|| format!("{}: {lines} lines, aim for {FILE_AIM}", source.path))
}

/// A function, by its first line and its length.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    first: usize,
    lines: usize,
}

/// The functions with a body of several lines, as rustfmt lays them out: the closing brace stands under the `fn`.
fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if !begins_function(code) {
            continue;
        }
        let end = format!("{}}}", " ".repeat(line.len() - code.len()));
        let rest = lines.iter().skip(index);
        // A declaration without body ends with `;`, an empty or one-line body with `}` on the line of its `{`.
        let opens = rest.clone().find(|line| line.ends_with(['{', ';', '}']));
        if opens.is_some_and(|line| line.ends_with('{'))
            && let Some(length) = rest.clone().position(|line| *line == end)
        {
            functions.push(Function { first: index + 1, lines: length + 1 });
        }
    }
    functions
}

fn begins_function(code: &str) -> bool {
    let mut words = code.split(' ').skip_while(|word| {
        word.starts_with("pub") || matches!(*word, "const" | "async" | "unsafe" | "extern" | "\"C\"" | "default")
    });
    words.next() == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_first_line_and_length() {
        let text = "\
fn one() {}
trait A {
    fn declared(&self);
    async fn longer(
        &self,
    ) -> u8 {
        if true {
            1
        }
    }
}
pub(crate) const fn short() -> u8 {
    2
}
let a = |fn_like| 1;
";
        let expected = [Function { first: 4, lines: 7 }, Function { first: 12, lines: 3 }];
        assert_eq!(functions(text), expected);
    }

    #[test]
    fn a_function_may_have_80_lines_and_not_81() {
        let function = |lines: usize| format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2));
        assert_eq!(check(&Source::new("a.rs", &function(FUNCTION_LIMIT))), []);
        let problems = check(&Source::new("a.rs", &function(FUNCTION_LIMIT + 1)));
        assert_eq!(
            problems.first().map(ToString::to_string).as_deref(),
            Some("a.rs:1: a function of 81 lines, at most 80")
        );
    }

    #[test]
    fn a_file_over_the_limit_is_a_problem_and_one_over_the_aim_a_note() {
        let file = |lines: usize| Source::new("a.rs", &"//\n".repeat(lines));
        assert!(note(&file(FILE_AIM)).is_none());
        assert!(note(&file(FILE_AIM + 1)).is_some());
        assert_eq!(check(&file(FILE_LIMIT)), []);
        assert_eq!(check(&file(FILE_LIMIT + 1)).len(), 1);
        assert!(check(&Source::new("a.json", &"\n".repeat(FILE_LIMIT + 1))).is_empty());
    }
}
