//! What does a person paste into which MCP client? Commands and configuration for one server, with a personal token or
//! with sign-in.
//!
//! Pages and the terminal show the same [`Snippet`]s. Each is complete: nothing is left to fill in. JSON is written by a
//! serialiser and words of a command are quoted, so that no URL or token can break out of either. Commands are one line
//! long, because shells disagree about how a line goes on.

use serde::Serialize;
use std::collections::BTreeMap;

/// The environment variable in which Codex looks for the token.
const TOKEN_VARIABLE: &str = "KEYWARD_TOKEN";

/// What to paste into one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// A short name for anchors and tests: `claude-code`.
    pub slug: &'static str,
    /// The client as it calls itself.
    pub client: &'static str,
    /// Where it goes: a sentence without the last full stop.
    pub place: &'static str,
    /// The text to paste.
    pub text: String,
}

/// How each client connects to the server `name` at `url` with a personal token.
pub fn with_token(name: &str, url: &str, token: &str) -> Vec<Snippet> {
    let bearer = format!("Bearer {token}");
    let header = format!("Authorization: {bearer}");
    let (word_url, word_header) = (shell_word(url), shell_word(&header));
    vec![
        Snippet {
            slug: "claude-code",
            client: "Claude Code",
            place: "Run in a terminal; with --scope user it is there in every project",
            text: format!("claude mcp add --transport http {name} {word_url} --header {word_header}"),
        },
        Snippet {
            slug: "claude-desktop",
            client: "Claude Desktop",
            place: "Settings → Developer → Edit Config, file claude_desktop_config.json (needs Node.js for mcp-remote)",
            // The value stands in a variable: the Windows version splits arguments at spaces.
            text: settings(
                "mcpServers",
                name,
                &Program {
                    command: "npx",
                    args: vec!["-y", "mcp-remote", url, "--header", "Authorization:${KEYWARD_AUTHORIZATION}"],
                    env: Some(BTreeMap::from([("KEYWARD_AUTHORIZATION", &*bearer)])),
                },
            ),
        },
        Snippet {
            slug: "cursor",
            client: "Cursor",
            place: "File ~/.cursor/mcp.json, or .cursor/mcp.json in a project",
            text: settings(
                "mcpServers",
                name,
                &Endpoint { kind: None, url, headers: Some(BTreeMap::from([("Authorization", &*bearer)])) },
            ),
        },
        Snippet {
            slug: "vs-code",
            client: "VS Code",
            place: "Command “MCP: Open User Configuration”, or .vscode/mcp.json in a project that is not shared",
            text: settings(
                "servers",
                name,
                &Endpoint { kind: Some("http"), url, headers: Some(BTreeMap::from([("Authorization", &*bearer)])) },
            ),
        },
        Snippet {
            slug: "codex",
            client: "Codex",
            place: "Run both in a terminal; the variable must be set wherever Codex starts",
            text: format!(
                "export {TOKEN_VARIABLE}={}\ncodex mcp add {name} --url {word_url} --bearer-token-env-var {TOKEN_VARIABLE}",
                shell_word(token),
            ),
        },
        Snippet {
            slug: "inspector",
            client: "MCP Inspector",
            place: "Run in a terminal (needs Node.js 22)",
            text: format!(
                "npx -y @modelcontextprotocol/inspector --cli {word_url} --transport http --method tools/list --header {word_header}"
            ),
        },
        Snippet {
            slug: "curl",
            client: "curl",
            place: "Run in a terminal",
            text: format!(
                "curl -sS {word_url} -H {word_header} -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d '{}'",
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            ),
        },
    ]
}

/// How each client connects to the server `name` at `url` by signing in: the client opens a browser by itself.
pub fn with_sign_in(name: &str, url: &str) -> Vec<Snippet> {
    let word_url = shell_word(url);
    vec![
        Snippet {
            slug: "claude-code",
            client: "Claude Code",
            place: "Run in a terminal, then type /mcp inside Claude Code and choose Authenticate",
            text: format!("claude mcp add --transport http {name} {word_url}"),
        },
        Snippet {
            slug: "claude",
            client: "Claude and Claude Desktop",
            place: "Settings → Connectors → Add custom connector, and paste the URL (the server must be reachable from the internet)",
            text: url.to_owned(),
        },
        Snippet {
            slug: "claude-desktop",
            client: "Claude Desktop, for a server on this machine",
            place: "Settings → Developer → Edit Config, file claude_desktop_config.json (needs Node.js for mcp-remote)",
            text: settings(
                "mcpServers",
                name,
                &Program { command: "npx", args: vec!["-y", "mcp-remote", url], env: None },
            ),
        },
        Snippet {
            slug: "chatgpt",
            client: "ChatGPT",
            place: "Settings → Connectors → Create, in developer mode, and paste the URL (the server must be reachable from the internet)",
            text: url.to_owned(),
        },
        Snippet {
            slug: "cursor",
            client: "Cursor",
            place: "File ~/.cursor/mcp.json, or .cursor/mcp.json in a project",
            text: settings("mcpServers", name, &Endpoint { kind: None, url, headers: None }),
        },
        Snippet {
            slug: "vs-code",
            client: "VS Code",
            place: "File .vscode/mcp.json in a project, or command “MCP: Open User Configuration”",
            text: settings("servers", name, &Endpoint { kind: Some("http"), url, headers: None }),
        },
        Snippet {
            slug: "codex",
            client: "Codex",
            place: "Run both in a terminal",
            text: format!("codex mcp add {name} --url {word_url}\ncodex mcp login {name}"),
        },
        Snippet {
            slug: "inspector",
            client: "MCP Inspector",
            place: "Run in a terminal (needs Node.js 22), choose Streamable HTTP and paste the server's URL",
            text: "npx -y @modelcontextprotocol/inspector".to_owned(),
        },
    ]
}

/// A server that a client reaches by itself.
#[derive(Serialize)]
struct Endpoint<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<&'a str, &'a str>>,
}

/// A server that a client reaches through a program that it starts.
#[derive(Serialize)]
struct Program<'a> {
    command: &'a str,
    args: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<BTreeMap<&'a str, &'a str>>,
}

/// The settings file of a client that keeps its servers under the key `list`.
fn settings<T: Serialize>(list: &str, name: &str, server: &T) -> String {
    serde_json::to_string_pretty(&BTreeMap::from([(list, BTreeMap::from([(name, server)]))]))
        .expect("plain data serialises")
}

/// `text` as one word of a POSIX shell's command; as it stands if it holds nothing that a shell would touch.
fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else if text.bytes().any(|byte| b"\"$`\\!".contains(&byte)) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        // Also what cmd.exe and PowerShell understand.
        format!("\"{text}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    const URL: &str = "https://mcp.example.org/mcp";

    fn text(snippets: &[Snippet], slug: &str) -> String {
        snippets.iter().find(|snippet| snippet.slug == slug).unwrap().text.clone()
    }

    #[test]
    fn every_client_gets_the_token_where_it_looks_for_it() {
        let all = with_token("keyward", URL, "eyJ.a.b");
        assert_eq!(
            text(&all, "claude-code"),
            "claude mcp add --transport http keyward https://mcp.example.org/mcp --header \"Authorization: Bearer eyJ.a.b\""
        );
        assert_eq!(
            text(&all, "inspector"),
            "npx -y @modelcontextprotocol/inspector --cli https://mcp.example.org/mcp --transport http --method tools/list --header \"Authorization: Bearer eyJ.a.b\""
        );
        let json = |slug| serde_json::from_str::<serde_json::Value>(&text(&all, slug)).unwrap();
        assert_eq!(
            json("cursor"),
            json!({"mcpServers": {"keyward": {"url": URL, "headers": {"Authorization": "Bearer eyJ.a.b"}}}})
        );
        assert_eq!(
            json("vs-code"),
            json!({"servers": {"keyward": {"type": "http", "url": URL, "headers": {"Authorization": "Bearer eyJ.a.b"}}}})
        );
        let desktop = &json("claude-desktop")["mcpServers"]["keyward"];
        assert_eq!(
            desktop["args"],
            json!(["-y", "mcp-remote", URL, "--header", "Authorization:${KEYWARD_AUTHORIZATION}"])
        );
        assert_eq!(desktop["env"]["KEYWARD_AUTHORIZATION"], "Bearer eyJ.a.b");
        assert_eq!(
            text(&all, "codex"),
            "export KEYWARD_TOKEN=eyJ.a.b\ncodex mcp add keyward --url https://mcp.example.org/mcp --bearer-token-env-var KEYWARD_TOKEN"
        );
        assert!(all.iter().all(|snippet| snippet.text.contains("eyJ.a.b") && snippet.text.contains(URL)));
    }

    #[test]
    fn signing_in_needs_no_secret() {
        let all = with_sign_in("notes", URL);
        assert_eq!(text(&all, "claude-code"), "claude mcp add --transport http notes https://mcp.example.org/mcp");
        assert_eq!(text(&all, "codex"), "codex mcp add notes --url https://mcp.example.org/mcp\ncodex mcp login notes");
        assert!(all.iter().all(|snippet| !snippet.text.contains("Bearer")));
    }

    #[test]
    fn slugs_are_unique() {
        for all in [with_token("a", URL, "t"), with_sign_in("a", URL)] {
            assert_eq!(all.iter().map(|snippet| snippet.slug).collect::<BTreeSet<_>>().len(), all.len());
        }
    }

    #[test]
    fn a_shell_reads_back_the_word_that_was_meant() {
        for word in ["http://[::1]:8080/mcp", "a b", "it's", "$HOME `x` \"q\" \\", "", "!", "https://h/a?b=c&d"] {
            let quoted = shell_word(word);
            let output =
                std::process::Command::new("sh").args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{quoted}");
        }
        assert_eq!(shell_word(URL), URL);
    }
}
