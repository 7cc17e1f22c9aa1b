//! Which servers are guarded? The built-in one and those of the file, with their secrets read; the domain judges
//! ([`ServerDescription::judge`]).

use crate::access::{
    CredentialDescription, CredentialValue, GuardedServer, ServerDescription, ServerDirectory, ServerKind, ServerName,
    ServerSource,
};
use crate::config::Size;
use crate::config::error::ConfigError;
use crate::config::server_settings::{CredentialSettings, SECTION, ServerSettings, ServersGiven};
use crate::oauth::issuer::Issuer;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The name of the built-in server.
const BUILTIN: &str = "keyward";
/// Largest file with a secret.
const MAX_SECRET: Size = Size::kib(64);

type Variables = BTreeMap<String, Secret<String>>;

/// All servers: the one at `/mcp` first, then the others by name.
pub(super) fn guarded(issuer: &Issuer, given: ServersGiven) -> Result<Vec<GuardedServer>, ConfigError> {
    let ServersGiven { servers, variables } = given;
    let mut all = servers
        .into_iter()
        .map(|(name, settings)| Section { name: &name }.server(issuer, settings, &variables))
        .collect::<Result<Vec<_>, _>>()?;
    let name = ServerName::parse(BUILTIN).expect("a name of small letters");
    let make = if all.iter().any(GuardedServer::is_main) { GuardedServer::further } else { GuardedServer::main };
    let builtin = make(issuer, name, "Keyward", ServerKind::Builtin)
        .map_err(|problem| ConfigError::OutOfRange { key: "public_url".into(), problem: problem.to_string() })?;
    all.push(builtin);
    all.sort_by(|a, b| b.is_main().cmp(&a.is_main()).then_with(|| a.name.cmp(&b.name)));
    ServerDirectory::new(all.iter().cloned())?;
    Ok(all)
}

struct Section<'a> {
    name: &'a ServerName,
}

impl Section<'_> {
    fn server(
        &self,
        issuer: &Issuer,
        settings: ServerSettings,
        variables: &Variables,
    ) -> Result<GuardedServer, ConfigError> {
        let description = self.description(settings, variables)?;
        description.judge(issuer).map_err(|bad| self.wrong(bad.part, bad.to_string()))
    }

    /// What the file says, with what it names read.
    fn description(&self, settings: ServerSettings, variables: &Variables) -> Result<ServerDescription, ConfigError> {
        let credential = settings.credential.as_ref().map(|credential| self.credential(credential, variables));
        let mut environment = settings.environment;
        if !settings.environment_files.is_empty() && settings.command.is_empty() {
            return Err(self.wrong("environment_files", "belongs to a server with a command"));
        }
        for (name, file) in &settings.environment_files {
            let value = self.read_secret("environment_files", file)?;
            let value = Secret::new(value.expose().trim_end_matches(['\r', '\n']).to_owned());
            if environment.insert(name.clone(), value).is_some() {
                return Err(self.wrong("environment_files", format!("has {name}, which environment has too")));
            }
        }
        Ok(ServerDescription {
            name: self.name.clone(),
            source: ServerSource::File,
            title: settings.title,
            path: settings.path,
            enabled: settings.enabled,
            url: settings.url,
            credential: credential.transpose()?,
            assertion: settings.assertion,
            connect_timeout: settings.connect_timeout,
            first_byte_timeout: settings.first_byte_timeout,
            idle_timeout: settings.idle_timeout,
            command: settings.command,
            environment,
            working_directory: settings.working_directory,
            mode: settings.mode,
            max_children: settings.max_children,
            idle: settings.idle,
            proxied_url: settings.proxied_url,
            users: settings.users,
            groups: settings.groups,
            scopes: settings.scopes,
            most: settings.most,
        })
    }

    fn credential(
        &self,
        settings: &CredentialSettings,
        variables: &Variables,
    ) -> Result<CredentialDescription, ConfigError> {
        let value = match (&settings.file, &settings.environment, settings.per_user) {
            (None, None, true) => CredentialValue::PerUser,
            (Some(file), None, false) => CredentialValue::Known(self.read_secret("credential.file", file)?),
            (None, Some(name), false) => {
                let given = variables.get(name).filter(|value| !value.expose().is_empty());
                let missing = || format!("names {name}, and there is no such environment variable");
                let given = given.cloned().ok_or_else(|| self.wrong("credential.environment", missing()));
                CredentialValue::Known(given?)
            }
            _ => {
                return Err(self.wrong(
                    "credential",
                    "needs one of file and environment, which hold the value, or per_user = true",
                ));
            }
        };
        Ok(CredentialDescription { header: settings.header.clone(), prefix: settings.prefix.clone(), value })
    }

    fn read_secret(&self, key: &str, file: &Path) -> Result<Secret<String>, ConfigError> {
        let most = MAX_SECRET.bytes() as u64;
        let mut text = String::new();
        let read = File::open(file).and_then(|file| file.take(most + 1).read_to_string(&mut text));
        let text = Secret::new(text);
        match read {
            Ok(length) if length as u64 <= most => Ok(text),
            Ok(_) => Err(self.wrong(key, format!("names {}, which is larger than {MAX_SECRET}", file.display()))),
            Err(cause) => Err(self.wrong(key, format!("names {}, which cannot be read: {cause}", file.display()))),
        }
    }

    fn wrong(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::OutOfRange { key: self.key(key).into(), problem: problem.into() }
    }

    fn key(&self, key: &str) -> String {
        format!("{SECTION}.{}.{key}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AccessRule, ChildMode, HttpUpstream, UpstreamCredential, UpstreamTimeouts};
    use crate::account::group::GroupName;
    use crate::account::user::Person;
    use crate::config::{Config, Given, load};
    use std::io::Write;

    fn config_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().display().to_string();
        let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let given = Given { file: Some(file.path().to_owned()), variables, ..Given::default() };
        let loaded = load(given).map_err(|error| error.to_string().replace(&path, "FILE"))?;
        assert_eq!(loaded.warnings, [""; 0]);
        Config::new(loaded, "127.0.0.1:80".parse().unwrap()).map_err(|error| error.to_string())
    }

    fn alone(name: &str) -> Person<'_> {
        Person { name, groups: &[] }
    }

    fn refusal(text: &str) -> String {
        config_with(text, &[]).expect_err(text)
    }

    fn servers(text: &str) -> Vec<GuardedServer> {
        config_with(text, &[]).unwrap().servers
    }

    #[test]
    fn two_lines_guard_a_server() {
        let all = servers("[servers.files]\nurl = \"http://127.0.0.1:9000/mcp\"");
        let places: Vec<_> = all.iter().map(|server| (server.name.as_str(), server.path.as_str())).collect();
        assert_eq!(places, [("keyward", "/mcp"), ("files", "/mcp/files")]);
        let ServerKind::Http(upstream) = &all[1].kind else { panic!("{:?}", all[1]) };
        assert_eq!(upstream.url.as_str(), "http://127.0.0.1:9000/mcp");
        assert_eq!(upstream.timeouts, UpstreamTimeouts::default());
        assert!(upstream.credential.is_none() && !upstream.assertion && all[1].enabled);
        assert_eq!((all[1].title.as_str(), all[1].source), ("files", ServerSource::File));
        assert_eq!(servers("").len(), 1);
    }

    #[test]
    fn one_server_may_take_the_built_in_ones_place() {
        let all = servers("[servers.files]\nurl = \"http://127.0.0.1:9000/mcp\"\npath = \"/mcp\"");
        let places: Vec<_> = all.iter().map(|server| (server.name.as_str(), server.path.as_str())).collect();
        assert_eq!(places, [("files", "/mcp"), ("keyward", "/mcp/keyward")]);
    }

    #[test]
    fn a_server_may_have_a_rule() {
        let all = servers(
            "[servers.files]\nurl = \"http://h\"\nusers = [\"anna\", \"Ben\"]\n\
             [servers.files.scopes]\n\"files:write\" = [\"write_*\"]\n[servers.files.most]\nben = [\"mcp:read\"]",
        );
        let rule = &all[1].rule;
        assert_eq!(rule.scopes().as_str(), "files:write mcp mcp:read");
        assert!(rule.own_scopes()[0].names("write_file") && rule.admits(alone("ben")) && !rule.admits(alone("ada")));
        assert_eq!((rule.most_for(alone("ben")).as_str(), rule.most_for(alone("anna")).as_str()), ("mcp:read", "mcp"));
        let all = servers(
            "[servers.files]\nurl = \"http://h\"\ngroups = [\"Writers\"]\nmost = { \"@writers\" = [\"mcp:read\"] }",
        );
        let groups = [GroupName::parse("writers").unwrap()];
        let person = Person { name: "ada", groups: &groups };
        assert!(all[1].rule.admits(person) && !all[1].rule.admits(alone("ada")));
        assert_eq!(all[1].rule.most_for(person).as_str(), "mcp:read");
        assert_eq!(all[0].rule, AccessRule::default());
    }

    #[test]
    fn a_server_behind_a_proxy_is_where_clients_reach_it() {
        let line = "[servers.tools]\nproxied_url = \"https://tools.example.org/mcp\"\nusers = [\"ada\"]";
        let all = servers(line);
        assert!(matches!(all[1].kind, ServerKind::Proxied));
        assert_eq!(
            (all[1].path.as_str(), all[1].resource.as_str()),
            ("/verify/tools", "https://tools.example.org/mcp")
        );
        assert_eq!((all[1].scopes().as_str(), all[1].rule.users()), ("mcp", Some(&["ada".to_owned()][..])));
        for (line, part) in [
            ("proxied_url = \"http://tools.example.org/mcp\"", "servers.tools.proxied_url is \"http://"),
            ("proxied_url = \"https://h/mcp\"\nurl = \"http://h\"", "a server has one of them"),
            ("proxied_url = \"https://h/mcp\"\npath = \"/mcp\"", "path belongs to a server with a url or a command"),
            ("proxied_url = \"https://h/mcp\"\nscopes = { \"a:b\" = [\"x\"] }", "scopes belongs to"),
            ("proxied_url = \"https://h/mcp\"\nmost = { ben = [\"mcp\"] }", "most belongs to"),
            ("proxied_ur = \"https://h/mcp\"", "did you mean servers.tools.proxied_url?"),
        ] {
            let refusal = refusal(&format!("[servers.tools]\n{line}"));
            assert!(refusal.contains(part), "{line}\n{refusal}");
        }
    }

    #[test]
    fn a_command_has_an_environment_of_its_own_which_is_not_printed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hunter3\n").unwrap();
        let text = format!(
            "[servers.git]\ncommand = [\"uvx\", \"mcp-git\"]\nmode = \"shared\"\nmax_children = 3\nidle = \"1h\"\n\
             environment = {{ TOKEN = \"hunter2\" }}\nenvironment_files = {{ KEY = {:?} }}\n",
            file.path()
        );
        let config = config_with(&text, &[]).unwrap();
        let ServerKind::Stdio(upstream) = &config.servers[1].kind else { panic!("{:?}", config.servers) };
        assert_eq!((upstream.command.join(" ").as_str(), upstream.mode), ("uvx mcp-git", ChildMode::Shared));
        assert_eq!((upstream.max_children, upstream.idle.as_secs()), (3, 3600));
        let environment = upstream.environment.iter().map(|(name, value)| format!("{name}={}", value.expose()));
        assert_eq!(environment.collect::<Vec<_>>(), ["KEY=hunter3", "TOKEN=hunter2"]);
        assert!(!format!("{config:?}").contains("hunter"));
    }

    #[test]
    fn a_credential_comes_from_a_file_or_the_environment_and_is_not_printed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hunter2\n").unwrap();
        let url = "[servers.files]\nurl = \"http://127.0.0.1:9000/mcp\"\n";
        let from_file = format!("{url}credential = {{ file = {:?}, prefix = \"Bearer \" }}", file.path());
        let from_variable = format!("{url}credential = {{ environment = \"KEYWARD_FILES\", header = \"X-Key\" }}");
        for (text, header, value) in
            [(from_file, "authorization", "Bearer hunter2"), (from_variable, "x-key", "hunter3")]
        {
            let variables = if header == "x-key" { vec![("KEYWARD_FILES", "hunter3")] } else { Vec::new() };
            let config = config_with(&text, &variables).unwrap();
            let ServerKind::Http(HttpUpstream { credential: Some(credential), .. }) = &config.servers[1].kind else {
                panic!("{:?}", config.servers)
            };
            let UpstreamCredential::Fixed(credential) = credential else { panic!("{credential:?}") };
            assert_eq!((credential.header(), credential.value().expose().as_str()), (header, value));
            assert!(!format!("{config:?}").contains("hunter"));
        }
    }

    #[test]
    fn a_credential_may_be_each_users_own() {
        let text = "[servers.files]\nurl = \"http://127.0.0.1:9000/mcp\"\n\
                    credential = { header = \"X-Key\", prefix = \"key \", per_user = true }";
        let all = servers(text);
        let ServerKind::Http(HttpUpstream { credential: Some(credential), .. }) = &all[1].kind else {
            panic!("{all:?}")
        };
        let UpstreamCredential::PerUser(credential) = credential else { panic!("{credential:?}") };
        assert_eq!((credential.header(), credential.prefix().expose().as_str()), ("x-key", "key "));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place_and_the_next_step() {
        let server = |line: &str| format!("[servers.files]\nurl = \"http://127.0.0.1:9000/mcp\"\n{line}");
        let command = |line: &str| format!("[servers.files]\ncommand = [\"x\"]\n{line}");
        for (text, part) in [
            (
                server("comand = [\"x\"]"),
                "FILE: there is no option servers.files.comand; did you mean servers.files.command?",
            ),
            (
                server("credential = { heder = \"x\" }"),
                "servers.files.credential.heder; did you mean servers.files.credential.header?",
            ),
            (server("credential = \"x\""), "servers.files.credential is a section"),
            (server("credential = { header = \"x\" }"), "needs one of file and environment"),
            (server("credential = { per_user = true, file = \"x\" }"), "or per_user = true"),
            (server("credential = { per_user = \"yes\" }"), "servers.files.credential.per_user cannot be"),
            (
                server("credential = { per_user = true, prefix = \"a\\nb\" }"),
                "cannot be sent: the prefix is too long or",
            ),
            (server("credential = { environment = \"NOT_THERE\" }"), "no such environment variable"),
            (server("credential = { file = \"/nowhere/secret\" }"), "/nowhere/secret, which cannot be read"),
            (server("enabled = \"yes\""), "servers.files.enabled cannot be \"yes\""),
            (server("mode = \"each\""), "unknown variant"),
            (server("path = \"/files\""), "the path must be /mcp or /mcp/NAME"),
            (server("path = \"/mcp/a\"\n[servers.a]\nurl = \"http://h\""), "the servers a and files have the same"),
            (server("title = \"\""), "servers.files.title must be"),
            (server("idle_timeout = \"0s\""), "servers.files.idle_timeout is 0s; it must be 1s to 1d"),
            (server("users = []"), "servers.files.users is not good: the list of users is empty"),
            (server("groups = []"), "servers.files.groups is not good: the list of groups is empty"),
            (server("groups = [\"@a\"]"), "servers.files.groups is not good: “@a” is no group"),
            (server("users = [\"@writers\"]"), "servers.files.users is not good: “@writers” is no user name; groups"),
            (server("most = { ada = [\"x\"] }"), "servers.files.most is not good: the most for ada names the scope x"),
            (
                server("scopes = { mcp = [\"x\"] }"),
                "servers.files.scopes is not good: the scope mcp has its meaning already",
            ),
            (server("command = [\"x\"]"), "a server has one of them"),
            (server("environment = { A = \"b\" }"), "servers.files.environment belongs to a server with a command"),
            (command("assertion = true"), "servers.files.assertion belongs to a server with a url"),
            (command("max_children = 0"), "must be 1 to 1000"),
            (command("environment = { \"A=\" = \"b\" }"), "no environment variable"),
            ("[servers.files]\ncommand = []".to_owned(), "servers.files.url is missing"),
            ("[servers.files]\nurl = \"unix:/run/mcp\"".to_owned(), "start it with `command`"),
            ("[servers.Files]\nurl = \"http://h\"".to_owned(), "FILE: [servers.Files]: a server's name has"),
            ("[servers.keyward]\nurl = \"http://h\"".to_owned(), "the servers keyward and keyward have the same"),
            ("servers = 5".to_owned(), "servers.NAME is a section"),
            ("[servers]\nfiles = 5".to_owned(), "servers.files is a section"),
        ] {
            let refusal = refusal(&text);
            assert!(refusal.contains(part), "{text}\n{refusal}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for text in [
            "[servers.a]\nurl = \"http://ada:hunter2@h\"",
            "[servers.a]\nurl = [\"hunter2\"]",
            "[servers.a]\ncommand = [\"x\"]\nenvironment = \"hunter2\"",
            "[servers.a]\ncommand = [\"x\"]\nenvironment = { A = [\"hunter2\"] }",
            "[servers.a]\ncommand = [\"x\"]\nenvironment = { A = \"hunter2",
            "[servers.a]\ncommand = [\"x\"]\nenvironment = { A = hunter2 }",
            "[servers.a]\nurl = \"http://h\"\ncredential = { value = \"hunter2\" }",
            "[servers.a]\nurl = \"http://h\"\ncredential = { prefix = [\"hunter2\"] }",
            "[servers.a]\nurl = \"http://h\"\ncredential = \"hunter2\"",
        ] {
            let refusal = refusal(text);
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
        assert!(refusal("\n[servers.a]\nurl = x").contains("is not TOML: line 3: "));
    }
}
