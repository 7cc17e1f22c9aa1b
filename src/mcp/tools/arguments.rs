//! What did the model pass? Read strictly: the wrong type, an unknown argument or a doubled one is told by name.

use crate::mcp::tools::ToolError;
use serde::Deserialize;

/// For a tool that takes nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

/// Reads the JSON text of an object.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, ToolError> {
    serde_json::from_str(json).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        let what: String = what.chars().take(200).collect();
        ToolError::new(format!("The arguments do not fit: {what}. Nothing was done."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Sample {
        name: String,
    }

    #[test]
    fn what_does_not_fit_is_told_by_name() {
        assert!(read::<NoArguments>("{}").is_ok() && read::<Sample>(r#"{"name":"a"}"#).is_ok());
        for (json, told) in [
            ("{}", "missing field `name`"),
            (r#"{"name":1}"#, "invalid type: integer `1`, expected a string"),
            (r#"{"name":"a","x":1}"#, "unknown field `x`, expected `name`"),
            (r#"{"name":"a","name":"b"}"#, "duplicate field `name`"),
        ] {
            let ToolError(text) = read::<Sample>(json).unwrap_err();
            assert_eq!(text, format!("The arguments do not fit: {told}. Nothing was done."));
        }
        assert!(read::<NoArguments>(r#"{"x":1}"#).is_err());
    }
}
