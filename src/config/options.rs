//! Which options are there? The one table: the file, the variables, the README and the tests go by it.
//!
//! The key is the option's place in the TOML file. Its environment variable is `KEYWARD_` and the key in capitals with
//! `_` for each dot: `tokens.access_token_life` is `KEYWARD_TOKENS_ACCESS_TOKEN_LIFE`.

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionDoc {
    /// Dotted place in the file.
    pub key: &'static str,
    /// The default as it would stand in the file; empty if there is none.
    pub default: &'static str,
    /// What it does.
    pub sentence: &'static str,
}

const fn option(key: &'static str, default: &'static str, sentence: &'static str) -> OptionDoc {
    OptionDoc { key, default, sentence }
}

/// Every option, in the order of the README.
#[rustfmt::skip]
pub const OPTIONS: &[OptionDoc] = &[
    option("public_url", "", "The URL under which browsers and MCP clients reach Keyward: scheme, host and port, https except on loopback. It is the issuer, so changing it makes every client sign in again. Default: the listen address, if that is loopback."),
    option("listen", "\"127.0.0.1:8080\"", "Address and port to listen on; plain HTTP, for a proxy that terminates TLS."),
    option("data_dir", "\"keyward-data\"", "Directory of the database; made on first start, readable by its owner only. Relative to the working directory."),
    option("master_secret_file", "", "File with the master secret that seals signing keys and cookies. Default: master.key in the data directory, made on first start. KEYWARD_MASTER_SECRET may hold the secret itself instead."),
    option("log", "\"info\"", "How much is logged: off, error, warn, info, debug, trace, or levels by module such as warn,keyward=debug."),
    option("log_format", "\"auto\"", "pretty, json, or auto: pretty on a terminal, JSON otherwise."),
    option("trusted_proxies", "[]", "Addresses or networks of proxies whose X-Forwarded-For is believed, such as [\"127.0.0.1\", \"10.0.0.0/8\"]."),
    option("allowed_hosts", "[]", "Host names, besides the public URL's, to which Keyward answers."),
    option("allowed_origins", "[]", "Origins of web pages, besides Keyward's own and those on loopback, that may call MCP servers."),
    option("dashboard_commands", "false", "Whether an admin may add servers in the dashboard that are commands. Then whoever steals an admin's session can run programs on this machine."),

    option("tokens.access_token_life", "\"1h\"", "Life of an OAuth access token."),
    option("tokens.personal_token_life", "\"365d\"", "Life of a personal token: the default and the maximum that its owner may choose."),
    option("tokens.personal_tokens_per_user", "100", "Personal tokens that one user may have."),
    option("tokens.authorization_code_life", "\"60s\"", "Life of an authorization code."),
    option("tokens.refresh_token_idle", "\"30d\"", "A refresh token that is not used for this long ends."),
    option("tokens.refresh_token_longest", "\"365d\"", "A connection ends this long after its consent, however often it was refreshed."),
    option("tokens.refresh_grace", "\"120s\"", "For this long after a refresh the previous refresh token still works, for clients that race themselves; 0s to 30m."),
    option("tokens.clock_leeway", "\"30s\"", "Tolerance for clocks when a token's times are checked; 2s to 60s."),

    option("sessions.idle", "\"14d\"", "A browser that does not visit for this long is signed out."),
    option("sessions.longest", "\"90d\"", "A browser is signed out this long after signing in."),

    option("keys.rotate_every", "\"90d\"", "A signing key is replaced after this long; its old signatures stay good."),

    option("revocation.refresh_every", "\"5s\"", "How often the revocations in memory are refreshed from the store; 1s to 30s."),
    option("usage.flush_every", "\"5s\"", "How often the last use of tokens, counts and calls are written to the store; 1s to 10m."),
    option("events.keep", "\"365d\"", "How long the audit log keeps what people and clients have done: sign-ins, consents, tokens, administration."),
    option("events.keep_calls", "\"90d\"", "How long it keeps calls of tools and refused requests."),
    option("events.most_calls", "1000000", "Calls of tools and refused requests that it keeps at most; the oldest go first."),

    option("oauth.dynamic_registration", "true", "Whether clients may register themselves (RFC 7591)."),
    option("oauth.max_clients", "10000", "Registered clients at most."),
    option("oauth.forget_unused_clients_after", "\"24h\"", "A registered client that was never used is forgotten after this long; one with a connection never is."),
    option("oauth.client_documents.enabled", "true", "Whether a client may be named by the https URL of its metadata document."),
    option("oauth.client_documents.known_clients", "true", "Whether the built-in copies of well-known clients' documents stand in when fetching fails."),
    option("oauth.client_documents.extra_roots", "", "PEM file of certificate authorities that are trusted for client documents besides the public ones."),

    option("upstreams.extra_roots", "", "PEM file of certificate authorities that are trusted for servers with https URLs besides the public ones."),

    option("limits.mcp_body", "\"4MiB\"", "Largest MCP message."),
    option("limits.form_body", "\"64KiB\"", "Largest form."),
    option("limits.registration_body", "\"8KiB\"", "Largest client registration."),
    option("limits.header_bytes", "\"32KiB\"", "Largest head of a request: request line and headers together."),
    option("limits.connections", "2048", "Connections at once."),
    option("limits.connections_per_address", "512", "Connections at once from one address (of IPv6, from one /64 network). This machine and trusted proxies are not counted."),
    option("limits.children", "64", "Programs at once that are MCP servers, of all servers together."),
    option("limits.idle_timeout", "\"3m\"", "A connection on which no request comes for this long is closed. Longer than the proxies in front keep theirs."),
    option("limits.header_read_timeout", "\"10s\"", "Longest time for the head of a request to arrive."),
    option("limits.request_timeout", "\"30s\"", "Longest time to an answer, streams of MCP servers apart."),
    option("limits.operations_parallel", "32", "Operations on the store at once."),
    option("limits.password_hashing_parallel", "2", "Passwords hashed at once; each takes 19 MiB and a core for some milliseconds."),
    option("limits.rate_limits", "true", "Whether guessing is slowed down per account and address, registering, and refreshing in a loop. Switch it off in tests only."),
];

/// Every option of a server: `[servers.NAME]` in the file, where NAME is the server's. No flag and no variable has them.
#[rustfmt::skip]
pub const SERVER_OPTIONS: &[OptionDoc] = &[
    option("title", "", "Its name for people. Default: NAME."),
    option("path", "", "Where clients find it: /mcp/NAME by default. One server may take /mcp; the built-in one is then at /mcp/keyward."),
    option("enabled", "true", "Whether it answers. One that does not is unknown to clients."),

    option("url", "", "URL of the MCP server, http or https. Each server has a url, a command or a proxied_url."),
    option("credential.header", "\"Authorization\"", "Header in which the credential is sent to url, instead of what the client sent."),
    option("credential.file", "", "File with the credential, read at start."),
    option("credential.environment", "", "Environment variable with the credential, read at start."),
    option("credential.per_user", "false", "Whether each user enters a key of their own for url in the dashboard, which is sent with their calls and nobody else's."),
    option("credential.prefix", "\"\"", "What stands before the credential in the header, such as \"Bearer \"."),
    option("assertion", "false", "Whether the server at url gets X-Keyward-Assertion, a JWT of at most 60 seconds about the caller, to be checked with the public keys."),
    option("connect_timeout", "\"5s\"", "Longest time for a connection to url; 1s to 1m."),
    option("first_byte_timeout", "\"60s\"", "Longest time from a request to the head of the answer; 1s to 1h."),
    option("idle_timeout", "\"5m\"", "An answer of which nothing comes for this long is ended; 1s to 1d."),

    option("command", "[]", "Program and arguments of an MCP server on standard input and output."),
    option("environment", "{}", "Environment variables of the command, as { NAME = \"value\" }. It inherits nothing of Keyward's own."),
    option("environment_files", "{}", "Environment variables of the command whose values stand in files, as { NAME = \"/path\" }, read at start."),
    option("working_directory", "", "Where the command runs. Default: where Keyward does."),
    option("mode", "\"per-user\"", "Who shares a running command: per-user, shared or per-session."),
    option("max_children", "16", "Most running commands of this server; 1 to 1000."),
    option("idle", "\"10m\"", "A running command that nobody uses is ended after this; 10s to 7d."),

    option("proxied_url", "", "URL at which clients reach an MCP server behind a proxy of your own, which asks /verify/NAME about each request."),

    option("users", "", "Names of the users that may use it. Default: every user, unless there are groups."),
    option("groups", "", "Groups whose members may use it, beside the users. Groups are made in the dashboard, under Users."),
    option("scopes", "{}", "Scopes of its own over patterns of tool names, as { \"files:write\" = [\"write_*\", \"edit_*\"] }; * matches any characters."),
    option("most", "{}", "The most that a user, or a group with @ before it, may do here, as { ben = [\"mcp:read\"], \"@readers\" = [\"mcp:read\"] }. A user's own entry counts before those of groups, which add up. Default: mcp, which is everything."),
];

impl OptionDoc {
    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("KEYWARD_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }
}

/// The option with this key.
pub fn find(key: &str) -> Option<&'static OptionDoc> {
    OPTIONS.iter().find(|option| option.key == key)
}

/// The option of a server with this key.
pub fn find_of_server(key: &str) -> Option<&'static OptionDoc> {
    SERVER_OPTIONS.iter().find(|option| option.key == key)
}

/// The key of a server's option that was most probably meant.
pub fn nearest_of_server(key: &str) -> Option<&'static str> {
    nearest_in(SERVER_OPTIONS, key)
}

/// The key that was most probably meant.
pub fn nearest(key: &str) -> Option<&'static str> {
    nearest_in(OPTIONS, key)
}

fn nearest_in(options: &'static [OptionDoc], key: &str) -> Option<&'static str> {
    let leaf = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |known: &str| {
        let whole = strsim::normalized_damerau_levenshtein(known, key);
        let leaves = strsim::normalized_damerau_levenshtein(&leaf(known), &leaf(key));
        whole.max(leaves * 0.95)
    };
    options
        .iter()
        .map(|option| (likeness(option.key), option.key))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_have_a_sentence() {
        for options in [OPTIONS, SERVER_OPTIONS] {
            for (place, option) in options.iter().enumerate() {
                assert!(options[place + 1..].iter().all(|other| other.key != option.key), "{}", option.key);
                assert!(option.sentence.ends_with('.'), "{}", option.key);
            }
        }
        let mut variables: Vec<_> = OPTIONS.iter().map(OptionDoc::variable).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), OPTIONS.len());
        assert_eq!(find("sessions.idle").unwrap().variable(), "KEYWARD_SESSIONS_IDLE");
    }

    #[test]
    fn the_nearest_key_is_found_across_sections_and_slips() {
        for (typed, meant) in [
            ("public-url", "public_url"),
            ("listne", "listen"),
            ("access_token_life", "tokens.access_token_life"),
            ("token.access_token_life", "tokens.access_token_life"),
            ("oauth.known_clients", "oauth.client_documents.known_clients"),
            ("trusted_proxy", "trusted_proxies"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(nearest("zzzzzzzzzzzzzzzzzzz"), None);
        assert_eq!(nearest_of_server("comand"), Some("command"));
        assert_eq!(nearest_of_server("credential.heder"), Some("credential.header"));
        assert_eq!(nearest_of_server("cert"), None);
    }

    /// The row of an option in the README.
    fn row(option: &OptionDoc) -> String {
        let default = if option.default.is_empty() { String::new() } else { format!("`{}`", option.default) };
        format!("| `{}` | {default} | {} |", option.key, option.sentence)
    }

    #[test]
    fn the_readme_has_every_option_and_no_other() {
        let readme = include_str!("../../README.md");
        for (options, head) in [
            (OPTIONS, "| Option | Default | What it does |"),
            (SERVER_OPTIONS, "| Option of a server | Default | What it does |"),
        ] {
            let lines = readme.lines().skip_while(|line| *line != head).skip(2);
            let table: Vec<&str> = lines.take_while(|line| line.starts_with('|')).collect();
            let expected: Vec<String> = options.iter().map(row).collect();
            assert_eq!(table, expected, "the table should be:\n{}\n", expected.join("\n"));
        }
    }
}
