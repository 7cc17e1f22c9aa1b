//! What does an answer to `tools/list` show, and what of it may this token see? One JSON-RPC message, read and written anew.
//!
//! Only the tools that the token opens are left, each byte for byte as it came; so is everything around them. The list
//! belongs to one person from then on, so it is marked private (MCP 2026-07-28, caching: `cacheScope`). Fails closed: a tool
//! that cannot be read is not shown, and a message that cannot be read is an error.

use crate::access::Effect;
use crate::gateway::catalogue::Page;
use crate::gateway::greeting;
use crate::mcp::{Era, Mirrored, members};
use crate::wire::server_insight::MAX_TOOLS;
use serde_json::value::RawValue;
use std::ops::Range;

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is no list of tools: pass it as it came.
    AsItCame,
    /// It was one: pass this instead. With all that the server listed.
    List(String, Page),
}

/// The message cannot be read, so it is not known what it shows.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer cannot be read as a JSON-RPC message")]
pub(super) struct Unclear;

/// Shows of the message (or batch) `json` only the tools for which `shows` says yes.
pub(super) fn show(json: &str, era: Era, shows: &dyn Fn(&str, Effect) -> bool) -> Result<Shown, Unclear> {
    let json = json.trim_matches([' ', '\t', '\r', '\n']);
    if !json.starts_with('[') {
        return show_one(json, era, shows);
    }
    let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Unclear)?;
    let (mut page, mut lists, mut written) = (Page::default(), false, Vec::new());
    for element in elements {
        match show_one(element.get(), era, shows)? {
            Shown::AsItCame => written.push(element.get().to_owned()),
            Shown::List(text, listed) => {
                lists = true;
                page.tools.extend(listed.tools);
                page.told.extend(listed.told);
                page.mirrored.extend(listed.mirrored);
                page.next = page.next.or(listed.next);
                written.push(text);
            }
        }
    }
    Ok(if lists { Shown::List(format!("[{}]", written.join(",")), page) } else { Shown::AsItCame })
}

fn show_one(json: &str, era: Era, shows: &dyn Fn(&str, Effect) -> bool) -> Result<Shown, Unclear> {
    let [result] = members::read(json, ["result"]).map_err(|_| Unclear)?;
    let Some(result) = result.map(RawValue::get).filter(|result| result.starts_with('{')) else {
        return Ok(Shown::AsItCame);
    };
    let names = ["tools", "nextCursor", "cacheScope"];
    let [tools, next, scope] = members::read(result, names).map_err(|_| Unclear)?;
    let Some(tools) = tools.map(RawValue::get) else { return Ok(Shown::AsItCame) };
    let listed: Vec<&RawValue> = serde_json::from_str(tools).map_err(|_| Unclear)?;
    let mut page = Page { tools: Vec::with_capacity(listed.len()), ..Page::default() };
    page.next = next.map(RawValue::get).filter(|next| *next != "null").map(str::to_owned);
    let mut left = Vec::with_capacity(listed.len());
    for tool in listed {
        if let Some((name, effect)) = read_tool(tool.get()) {
            if shows(&name, effect) {
                left.push(tool.get());
            }
            let mirrored = read_mirrored(tool.get());
            if !mirrored.is_empty() {
                page.mirrored.push((name.clone(), mirrored));
            }
            if page.told.len() < MAX_TOOLS {
                page.told.extend(greeting::tool(tool.get()));
            }
            page.tools.push((name, effect));
        }
    }
    let mut changes = vec![(place(json, tools), format!("[{}]", left.join(",")))];
    match scope.map(RawValue::get) {
        Some(scope) => changes.push((place(json, scope), PRIVATE.to_owned())),
        None if era == Era::Modern => {
            let end = place(json, result).end - 1;
            changes.push((end..end, format!(r#","cacheScope":{PRIVATE}"#)));
        }
        None => {}
    }
    changes.sort_by_key(|(range, _)| range.start);
    let (mut written, mut read) = (String::with_capacity(json.len() + 32), 0);
    for (range, text) in changes {
        written.push_str(&json[read..range.start]);
        written.push_str(&text);
        read = range.end;
    }
    written.push_str(&json[read..]);
    Ok(Shown::List(written, page))
}

const PRIVATE: &str = r#""private""#;

/// A tool's name, and what it says of itself.
fn read_tool(json: &str) -> Option<(String, Effect)> {
    let [name, annotations] = members::read(json, ["name", "annotations"]).ok()?;
    let name: String = serde_json::from_str(name?.get()).ok()?;
    let reads_only = match annotations.map(RawValue::get).filter(|annotations| annotations.starts_with('{')) {
        Some(annotations) => {
            let [hint] = members::read(annotations, ["readOnlyHint"]).ok()?;
            hint.is_some_and(|hint| hint.get() == "true")
        }
        None => false,
    };
    Some((name, if reads_only { Effect::ReadOnly } else { Effect::Any }))
}

/// Which arguments it wants repeated in headers.
fn read_mirrored(json: &str) -> Vec<Mirrored> {
    let schema = members::read(json, ["inputSchema"]).ok().and_then(|[schema]| schema);
    schema.map_or_else(Vec::new, |schema| Mirrored::declared_by(schema.get()))
}

/// Where `part`, which was read out of `whole`, stands in it.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const READ: &str = r#"{"name":"read","annotations":{"readOnlyHint":true},"inputSchema":{ "type" : "object" }}"#;
    const WRITE: &str = r#"{"name":"write","annotations":{"readOnlyHint":false}}"#;
    const BARE: &str = r#"{"name":"bare"}"#;

    fn readers(_: &str, effect: Effect) -> bool {
        effect == Effect::ReadOnly
    }

    fn answer(result: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{result}}}}}"#)
    }

    fn shown(json: &str, era: Era) -> String {
        match show(json, era, &readers).unwrap() {
            Shown::List(text, _) => text,
            Shown::AsItCame => panic!("{json}"),
        }
    }

    #[test]
    fn only_what_the_token_opens_is_left_and_the_rest_stays_as_it_was() {
        let json = answer(&format!(r#""_meta":{{"a": 1}},"tools":[{READ} , {WRITE},{BARE}],"nextCursor":"p2" "#));
        let legacy = answer(&format!(r#""_meta":{{"a": 1}},"tools":[{READ}],"nextCursor":"p2" "#));
        assert_eq!(shown(&json, Era::Legacy), legacy);
        let modern =
            answer(&format!(r#""_meta":{{"a": 1}},"tools":[{READ}],"nextCursor":"p2" ,"cacheScope":"private""#));
        assert_eq!(shown(&json, Era::Modern), modern);
        let Ok(Shown::List(_, page)) = show(&json, Era::Modern, &readers) else { panic!() };
        let tools = [("read", Effect::ReadOnly), ("write", Effect::Any), ("bare", Effect::Any)];
        assert_eq!(page.tools, tools.map(|(name, effect)| (name.to_owned(), effect)));
        assert_eq!(page.next.as_deref(), Some("\"p2\""));
    }

    #[test]
    fn a_public_list_becomes_a_private_one_wherever_that_stands() {
        for json in [
            answer(&format!(r#""cacheScope":"public","tools":[{READ},{WRITE}]"#)),
            answer(&format!(r#""tools":[{READ},{WRITE}],"cacheScope":"public""#)),
        ] {
            for era in [Era::Modern, Era::Legacy] {
                let value: Value = serde_json::from_str(&shown(&json, era)).unwrap();
                assert_eq!(value["result"]["cacheScope"], "private");
                assert_eq!(value["result"]["tools"].as_array().unwrap().len(), 1);
            }
        }
    }

    #[test]
    fn a_batch_is_filtered_element_by_element() {
        let list = answer(&format!(r#""tools":[{READ},{WRITE}]"#));
        let other = r#"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#;
        let filtered = answer(&format!(r#""tools":[{READ}]"#));
        assert_eq!(shown(&format!(" [{other},{list}] "), Era::Legacy), format!("[{other},{filtered}]"));
        assert_eq!(show(&format!("[{other}]"), Era::Legacy, &readers), Ok(Shown::AsItCame));
    }

    #[test]
    fn what_is_no_list_passes() {
        for json in [
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"tools":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        ] {
            assert_eq!(show(json, Era::Modern, &readers), Ok(Shown::AsItCame), "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for json in [
            "",
            "nonsense",
            "[",
            "{\"result\":",
            r#"{"result":{"tools":[]},"result":{}}"#,
            r#"{"Result":{"tools":[]}}"#,
            r#"{"result":{"Tools":[]}}"#,
            r#"{"result":{"tools":{"a":1}}}"#,
            r#"{"result":{"tools":[],"tools":[]}}"#,
        ] {
            assert_eq!(show(json, Era::Modern, &|_, _| true), Err(Unclear), "{json}");
        }
        for tool in [
            "1",
            "null",
            "{}",
            r#"{"name":1}"#,
            r#"{"name":"a","name":"b"}"#,
            r#"{"Name":"a"}"#,
            r#"{"name":"a","annotations":{"readOnlyHint":false,"readOnlyHint":true}}"#,
            r#"{"name":"a","annotations":{"readonlyhint":true}}"#,
        ] {
            let json = answer(&format!(r#""tools":[{tool}]"#));
            let Ok(Shown::List(text, page)) = show(&json, Era::Legacy, &|_, _| true) else { panic!("{tool}") };
            assert_eq!((text, page.tools), (answer(r#""tools":[]"#), vec![]), "{tool}");
        }
        for hint in ["\"true\"", "1", "null", "[true]"] {
            let json = answer(&format!(r#""tools":[{{"name":"a","annotations":{{"readOnlyHint":{hint}}}}}]"#));
            assert_eq!(shown(&json, Era::Legacy), answer(r#""tools":[]"#), "{hint}");
        }
    }

    proptest! {
        #[test]
        fn a_list_has_what_an_ordinary_reader_would_leave(
            tools in proptest::collection::vec(("[a-c\\\\\"é]{0,4}", any::<bool>(), any::<bool>()), 0..8),
            cursor in proptest::option::of("[a-z]{1,3}"),
        ) {
            let tools: Vec<Value> = tools
                .iter()
                .map(|(name, annotated, reads)| match annotated {
                    true => json!({"name": name, "annotations": {"readOnlyHint": reads}, "x": [name]}),
                    false => json!({"name": name}),
                })
                .collect();
            let mut expected = json!({"jsonrpc": "2.0", "id": "a", "result": {"tools": tools, "ttlMs": 5}});
            if let Some(cursor) = cursor {
                expected["result"]["nextCursor"] = cursor.into();
            }
            let json = expected.to_string();
            expected["result"]["cacheScope"] = "private".into();
            let list = expected["result"]["tools"].as_array_mut().unwrap();
            list.retain(|tool| tool["annotations"]["readOnlyHint"] == true);
            let read: Value = serde_json::from_str(&shown(&json, Era::Modern)).unwrap();
            prop_assert_eq!(read, expected);
        }
    }
}
