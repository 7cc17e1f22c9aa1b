//! How are lists written into a form? One entry a line: names; `name = one, two`; `NAME=value`. A problem names its line.

use crate::secret::Secret;
use std::collections::BTreeMap;

/// Names, separated by lines or commas; nothing if there are none.
pub(super) fn names(text: &str) -> Option<Vec<String>> {
    let names: Vec<_> =
        text.split(['\n', ',']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

/// `name = one, two` a line.
pub(super) fn lists(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut all = BTreeMap::new();
    for (number, line) in lines(text) {
        let (name, rest) = line.split_once('=').ok_or_else(|| format!("Line {number}: there is no = in it."))?;
        let list = names(rest).unwrap_or_default();
        if all.insert(name.trim().to_owned(), list).is_some() {
            return Err(format!("Line {number}: {} is there twice.", name.trim()));
        }
    }
    Ok(all)
}

/// One part of a command a line, as it is.
pub(super) fn command(text: &str) -> Vec<String> {
    let mut parts: Vec<_> = text.lines().map(str::to_owned).collect();
    while parts.last().is_some_and(|part| part.trim().is_empty()) {
        parts.pop();
    }
    parts
}

/// `NAME=value` a line. What stands before the first `=` is the name, everything after it the value.
pub(super) fn environment(text: &str) -> Result<BTreeMap<String, Secret<String>>, String> {
    let mut all = BTreeMap::new();
    for (number, line) in lines(text) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let (name, value) = (name.trim().to_owned(), Secret::new(value.to_owned()));
        if name.is_empty() {
            return Err(format!("Line {number}: begin with the name of the variable."));
        }
        // What stands there may be a secret and is not repeated.
        if all.insert(name, value).is_some() {
            return Err(format!("Line {number}: that variable is there twice."));
        }
    }
    Ok(all)
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(place, line)| (place + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty())
}

/// Lists as the form shows them.
pub(super) fn show_lists<'a>(lists: impl IntoIterator<Item = (&'a String, &'a Vec<String>)>) -> String {
    lists.into_iter().map(|(name, list)| format!("{name} = {}", list.join(", "))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_again() {
        let text = "files:move = move_*\nfiles:write = write_*, edit_*";
        assert_eq!(show_lists(&lists(text).unwrap()), text);
        assert_eq!(names(" ada,ben\r\n cleo \n,"), Some(vec!["ada".to_owned(), "ben".to_owned(), "cleo".to_owned()]));
        assert_eq!(names(" \n , "), None);
        assert_eq!(lists("ben =").unwrap()["ben"], [""; 0], "nothing at all is something to say");
        assert_eq!(command("uvx\r\nmcp-server\r\n--path=a b\r\n\r\n"), ["uvx", "mcp-server", "--path=a b"]);
    }

    #[test]
    fn a_variable_is_what_stands_before_the_first_equals_sign() {
        let read = environment("A=1=2\n\n B = x\nC").unwrap();
        let read: Vec<_> = read.iter().map(|(name, value)| format!("{name}:{}", value.expose())).collect();
        assert_eq!(read, ["A:1=2", "B: x", "C:"]);
    }

    #[test]
    fn a_problem_names_its_line_and_no_value() {
        assert_eq!(lists("a = b\n\nc").unwrap_err(), "Line 3: there is no = in it.");
        assert!(lists("a = b\na = c").unwrap_err().starts_with("Line 2: a is there twice"));
        let problem = environment("A=hunter1\nA=hunter2").unwrap_err();
        assert!(problem.starts_with("Line 2") && !problem.contains("hunter"), "{problem}");
        assert!(environment("=x").is_err());
    }
}
