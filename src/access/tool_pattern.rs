//! Which tools does this pattern name? A text in which `*` stands for any run of characters, the empty one included.
//!
//! Everything else stands for itself, letter case included: tool names are compared byte for byte (MCP 2026-07-28, tools).
//! Matching takes at most the product of both lengths in steps, so neither a pattern nor a name can make it slow.

use std::fmt;

/// Longest pattern, in bytes.
pub const MAX_PATTERN: usize = 128;

/// A pattern over tool names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolPattern(String);

/// The text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tool pattern is a name, in which * stands for anything: 1 to {MAX_PATTERN} characters without spaces")]
pub struct NotAToolPattern;

impl ToolPattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Self, NotAToolPattern> {
        let fits = (1..=MAX_PATTERN).contains(&text.len());
        if fits && !text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAToolPattern)
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it name this tool?
    pub fn matches(&self, tool: &str) -> bool {
        let (pattern, tool) = (self.0.as_bytes(), tool.as_bytes());
        let (mut at, mut read) = (0, 0);
        // Where to go on if it fails: behind the last star, with one byte more given to that star.
        let mut retry: Option<(usize, usize)> = None;
        while read < tool.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    at += 1;
                    retry = Some((at, read));
                }
                Some(byte) if *byte == tool[read] => {
                    at += 1;
                    read += 1;
                }
                _ => {
                    let Some((behind_star, given)) = retry else { return false };
                    at = behind_star;
                    read = given + 1;
                    retry = Some((behind_star, given + 1));
                }
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for ToolPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, yes, no) in [
            ("write_file", &["write_file"][..], &["write_files", "xwrite_file", "Write_file", ""][..]),
            ("write_*", &["write_", "write_file", "write_*"], &["write", "rewrite_x"]),
            ("*_file", &["_file", "read_file", "a_file_file"], &["read_files", "file"]),
            ("*", &["", "anything", "ä"], &[]),
            ("**", &["", "a"], &[]),
            ("a*b*c", &["abc", "aXbYc", "abcbc", "aabbcc"], &["ab", "acb", "abcd", "xabc"]),
            ("*.delete", &["files.delete", ".delete"], &["files.deleted"]),
            ("a?b", &["a?b"], &["axb"]),
        ] {
            let pattern = ToolPattern::parse(pattern).unwrap();
            for tool in yes {
                assert!(pattern.matches(tool), "{pattern} names {tool:?}");
            }
            for tool in no {
                assert!(!pattern.matches(tool), "{pattern} does not name {tool:?}");
            }
        }
    }

    #[test]
    fn a_pattern_is_short_and_has_no_spaces() {
        assert!(ToolPattern::parse(&"x".repeat(MAX_PATTERN)).is_ok());
        for wrong in ["", " ", "a b", "a\n", "\u{a0}", "a\0", &"x".repeat(MAX_PATTERN + 1)] {
            assert_eq!(ToolPattern::parse(wrong), Err(NotAToolPattern), "{wrong:?}");
        }
    }

    /// The same question, answered the slow and obvious way.
    fn obviously(pattern: &[u8], tool: &[u8]) -> bool {
        match pattern.split_first() {
            None => tool.is_empty(),
            Some((b'*', rest)) => (0..=tool.len()).any(|skipped| obviously(rest, &tool[skipped..])),
            Some((byte, rest)) => tool.first() == Some(byte) && obviously(rest, &tool[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_is_as_the_obvious_way_says(pattern in "[ab*]{1,8}", tool in "[ab]{0,10}") {
            let parsed = ToolPattern::parse(&pattern).unwrap();
            prop_assert_eq!(parsed.matches(&tool), obviously(pattern.as_bytes(), tool.as_bytes()));
        }
    }
}
