//! `/dashboard/servers/{name}`: one server, for those who may use it and for admins; `…/test` tries its connection.
//!
//! Whoever may not use a server is told what is told of one that is not there.

use super::tested::{self, TestResult, ToolRow};
use super::traffic::Traffic;
use super::{ServerState, behind, source_in_words};
use crate::access::{AccessRule, ChildMode, GuardedServer, ServerKind, ServerName, ServerSource, UpstreamCredential};
use crate::app::error::OperationError;
use crate::app::servers::ServerEntry;
use crate::clock::{Span, Timestamp};
use crate::oauth::scope;
use crate::web::dashboard::Frame;
use crate::web::dashboard::upstream_key::KeyRow;
use crate::web::extract::{Admin, Confirmed, CsrfForm, PathId, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::operation_error;
use crate::web::scopes::{ScopeRow, in_words};
use crate::web::state::WebState;
use crate::web::when::{When, span};
use crate::wire::paths;
use crate::wire::server_insight::{ChildState, ChildView};
use crate::wire::snippets::{self, Snippet};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::Arc;

/// `GET /dashboard/servers/{name}`, and the answer to `POST /dashboard/servers/{name}/test`.
#[derive(Debug, Template)]
#[template(path = "dashboard/servers/show.html")]
pub struct ServerView {
    /// Around the page.
    pub frame: Frame,
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What to paste into a client; nothing if it is not served.
    pub url: Option<String>,
    /// How each client connects by signing in.
    pub guides: Vec<Snippet>,
    /// What the person may do there, in words; nothing if they may not use it.
    pub allows: Option<String>,
    /// The user's own key for it, if it wants one.
    pub key: Option<KeyRow>,
    /// The scopes and what they open.
    pub scopes: Vec<ScopeRow>,
    /// The tools that it told; nothing if it was not heard.
    pub tools: Option<ToolsShown>,
    /// What goes on there.
    pub traffic: Traffic,
    /// What only admins see.
    pub inside: Option<Inside>,
    /// What came of a test.
    pub test: Option<TestResult>,
}

/// The tools of a server as far as they are known.
#[derive(Debug, Clone)]
pub struct ToolsShown {
    /// When they were told.
    pub at: When,
    /// Whether these are all.
    pub whole: bool,
    /// The tools.
    pub rows: Vec<ToolRow>,
}

/// What only admins see of a server.
#[derive(Debug, Clone)]
pub struct Inside {
    /// Whether it answers.
    pub state: ServerState,
    /// Why it is not served, as a sentence.
    pub not_served: Option<String>,
    /// What stands behind it.
    pub behind: String,
    /// Who set it up.
    pub source: &'static str,
    /// Whether it can be changed here.
    pub is_of_dashboard: bool,
    /// Whether it can be tried.
    pub is_testable: bool,
    /// Who added or changed it last, and when.
    pub changed: Option<(String, When)>,
    /// Further facts: label and text.
    pub facts: Vec<(&'static str, String)>,
    /// Who may use it: users, and groups as such; every user if empty.
    pub admitted: Vec<String>,
    /// The most that single users and groups may do: name and scopes in words.
    pub most: Vec<(String, String)>,
    /// Its programs; absent if it is none.
    pub children: Option<Vec<ChildRow>>,
}

/// One program of a server.
#[derive(Debug, Clone)]
pub struct ChildRow {
    /// Whom it serves.
    pub serves: String,
    /// In a word.
    pub state: &'static str,
    /// Whether that is good, bad or neither.
    pub seal: &'static str,
    /// Further words about the state.
    pub note: String,
    /// Since when it runs.
    pub since: Option<When>,
    /// "48 MiB in 3 processes".
    pub memory: String,
    /// When anybody needed it last.
    pub last_used: When,
    /// Its last line on standard error.
    pub complaint: Option<String>,
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(name): PathId<ServerName>,
    notice: Done,
) -> Result<Response, Response> {
    Ok(Page::new(view(&state, &signed_in, name, notice, None).await?).into_response())
}

/// Tries the connection; the answer is the page with what came of it.
pub async fn post_test(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(name): PathId<ServerName>,
    CsrfForm(Confirmed {}): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let which = name.clone();
    let found = attempt(&state, move |app| {
        let entry = app.server_entry(&which)?;
        match (&entry.server, &entry.stored) {
            (Some(server), _) if entry.not_served.is_none() => Ok(Ok(Arc::clone(server))),
            (_, Some(stored)) => {
                let (description, _) = app.describe_server(stored);
                Ok(app.judge_server(&description).map(Arc::new).map_err(|refusal| refusal.to_string()))
            }
            (_, None) => Err(OperationError::NotFound("server")),
        }
    });
    let result = match found.await?.map_err(|error| operation_error(&error))? {
        Ok(server) => tested::test(&state, &admin, server).await,
        Err(happened) => TestResult::Bad { happened, advice: "Change the server first.".to_owned() },
    };
    Ok(Page::new(view(&state, &admin, name, Done(None), Some(result)).await?).into_response())
}

async fn view(
    state: &WebState,
    signed_in: &SignedIn,
    name: ServerName,
    notice: Done,
    test: Option<TestResult>,
) -> Result<ServerView, Response> {
    let (user, is_admin) = (&signed_in.user, signed_in.user.is_admin());
    let entry = operate(state, move |app| app.server_entry(&name)).await?;
    let server = entry.server.clone().filter(|_| entry.not_served.is_none());
    let usable = server.as_ref().is_some_and(|server| server.enabled && server.rule.admits(user.person()));
    if !usable && !is_admin {
        return Err(operation_error(&OperationError::NotFound("server")));
    }
    let now = state.app.now();
    let (viewer, called) = (user.id, entry.name.to_string());
    let traffic = operate(state, move |app| Traffic::of(app, &called, viewer, is_admin)).await?;
    let wants_key = server.as_ref().filter(|server| usable && server.per_user_credential().is_some());
    let key = match wants_key.map(|server| server.name.clone()) {
        Some(server) => {
            let user = user.id;
            Some(operate(state, move |app| app.upstream_key_place(user, &server)).await?)
        }
        None => None,
    };
    let name = entry.name.to_string();
    let url = server.as_ref().map(|server| server.resource.to_string());
    let most = server.as_ref().filter(|_| usable).map(|server| server.rule.most_for(user.person()).into_owned());
    let reaches = |scope: &str| is_admin || most.as_ref().is_some_and(|most| most.satisfies(scope));
    let scopes = server.iter().flat_map(|server| {
        let own = |name: &str| server.rule.own_scopes().iter().find(|own| own.name.as_str() == name);
        let names = server.scopes().iter().filter(|name| *name != scope::OFFLINE_ACCESS && reaches(name));
        names.map(|name| ScopeRow::new(name, own(name), false)).collect::<Vec<_>>()
    });
    let heard = server.as_ref().and_then(|server| {
        let own = state.insight.tools(server, Some(user.id));
        own.or_else(|| is_admin.then(|| state.insight.tools(server, None)).flatten()).map(|heard| (server, heard))
    });
    let tools = heard.map(|(server, heard)| ToolsShown {
        at: When::new(heard.at, now),
        whole: heard.whole,
        rows: heard
            .tools
            .iter()
            .map(|tool| ToolRow::of(tool, &server.rule))
            .filter(|row| row.scopes.iter().any(|scope| reaches(scope)))
            .collect(),
    });
    let inside = if is_admin { Some(inside(state, &entry, now).await?) } else { None };
    Ok(ServerView {
        frame: Frame::new(state, signed_in, notice),
        title: server.as_ref().map_or_else(|| name.clone(), |server| server.title.clone()),
        guides: url.as_ref().map(|url| snippets::with_sign_in(&name, url)).unwrap_or_default(),
        url: url.filter(|_| server.as_ref().is_some_and(|server| server.enabled)),
        allows: most.as_ref().map(
            |most| {
                if most.contains(scope::MCP) { "everything".to_owned() } else { in_words(most) }
            },
        ),
        key: key.map(|place| KeyRow::of(&place, now)),
        scopes: scopes.collect(),
        // A good test has just told them.
        tools: tools.filter(|_| !test.as_ref().is_some_and(TestResult::is_good)),
        traffic,
        inside,
        test,
        name,
    })
}

async fn inside(state: &WebState, entry: &ServerEntry, now: Timestamp) -> Result<Inside, Response> {
    let server = entry.server.as_ref().filter(|_| entry.not_served.is_none());
    let changed = match &entry.stored {
        Some(stored) => {
            let (by, at) = (stored.changed_by, stored.changed_at);
            let name = operate(state, move |app| app.user_name(by)).await?;
            Some((name, When::new(at, now)))
        }
        None => None,
    };
    let kind = server.map(|server| &server.kind);
    let children = match (kind, server) {
        (Some(ServerKind::Stdio(_)), Some(server)) => {
            let name = server.name.clone();
            let insight = Arc::clone(&state.insight);
            let seen = operate(state, move |app| {
                let children = insight.children(&name);
                let users = children.iter().filter_map(|child| child.user);
                let names =
                    users
                        .map(|user| Ok::<_, OperationError>((user, app.user_name(user)?)))
                        .collect::<Result<HashMap<_, _>, _>>()?;
                Ok((children, names))
            });
            let (children, names) = seen.await?;
            let name_of = |child: &ChildView| child.user.and_then(|user| names.get(&user).cloned());
            Some(children.iter().map(|child| ChildRow::of(child, name_of(child), now)).collect())
        }
        _ => None,
    };
    let rule = server.map(|server| &server.rule);
    Ok(Inside {
        state: match server {
            Some(server) if server.enabled => ServerState::On,
            Some(_) => ServerState::Off,
            None => ServerState::NotServed,
        },
        not_served: entry.not_served.as_ref().map(|why| {
            let why = why.to_string();
            if why.ends_with('.') { why } else { format!("{why}.") }
        }),
        behind: server.map(|server| behind(server)).unwrap_or_default(),
        source: source_in_words(server.map_or(ServerSource::Dashboard, |server| server.source)),
        is_of_dashboard: entry.stored.is_some(),
        is_testable: matches!(kind, Some(ServerKind::Http(_) | ServerKind::Stdio(_))),
        changed,
        facts: server.map(|server| facts(server)).unwrap_or_default(),
        admitted: rule.map(admitted).unwrap_or_default(),
        most: rule
            .into_iter()
            .flat_map(AccessRule::most)
            .map(|(name, most)| (name, if most.is_empty() { "nothing".to_owned() } else { in_words(most) }))
            .collect(),
        children,
    })
}

/// Those whom a rule names, if it names anybody.
fn admitted(rule: &AccessRule) -> Vec<String> {
    let users = rule.users().unwrap_or_default().iter().cloned();
    let groups = rule.groups().unwrap_or_default().iter().map(|group| format!("the group {group}"));
    users.chain(groups).collect()
}

/// What is set about what stands behind a server; nothing secret.
fn facts(server: &GuardedServer) -> Vec<(&'static str, String)> {
    let span = |duration: std::time::Duration| Span::seconds(duration.as_secs()).to_string();
    match &server.kind {
        ServerKind::Http(upstream) => {
            let credential = upstream.credential.as_ref().map_or_else(
                || "none".to_owned(),
                |credential| match credential {
                    UpstreamCredential::Fixed(_) => {
                        format!("in the header {}, not shown", credential.header())
                    }
                    UpstreamCredential::PerUser(_) => {
                        format!("each user’s own, in the header {}", credential.header())
                    }
                },
            );
            let times = upstream.timeouts;
            let waits = [span(times.connect), span(times.first_byte), span(times.idle)];
            vec![
                ("Credential", credential),
                ("Assertion", if upstream.assertion { "sent" } else { "not sent" }.to_owned()),
                ("Waits", format!("{} to connect, {} for an answer, {} in between", waits[0], waits[1], waits[2])),
            ]
        }
        ServerKind::Stdio(upstream) => {
            let names: Vec<_> = upstream.environment.iter().map(|(name, _)| name.as_str()).collect();
            let mode = match upstream.mode {
                ChildMode::PerUser => "one program for each user",
                ChildMode::Shared => "one program for all",
                ChildMode::PerSession => "one program for each session",
            };
            let mut facts = vec![(
                "Runs as",
                format!("{mode}, at most {}, ended after {} unused", upstream.max_children, span(upstream.idle)),
            )];
            if !names.is_empty() {
                facts.push(("Environment", format!("{} (values not shown)", names.join(", "))));
            }
            if let Some(directory) = &upstream.working_directory {
                facts.push(("Runs in", directory.display().to_string()));
            }
            facts
        }
        ServerKind::Proxied => vec![("Proxy asks at", server.path.clone())],
        ServerKind::Builtin => Vec::new(),
    }
}

impl ChildRow {
    fn of(child: &ChildView, name: Option<String>, now: Timestamp) -> Self {
        let (mut since, mut memory) = (None, String::new());
        let (state, seal, note) = match &child.state {
            ChildState::Starting => ("starting", "", String::new()),
            ChildState::Running { since: started, memory: held, calls, .. } => {
                since = Some(When::new(*started, now));
                if let Some((bytes, processes)) = held {
                    let word = if *processes == 1 { "process" } else { "processes" };
                    memory = format!("{} MiB in {processes} {word}", bytes.div_ceil(1 << 20));
                }
                let note = if *calls == 0 { String::new() } else { format!("{calls} at work") };
                ("running", "seal-good", note)
            }
            ChildState::Failing { failures, why, again_in } => {
                let note = format!("{failures} times in a row: {why}. Tried again in {}", span(again_in.as_secs()));
                ("failing", "seal-bad", note)
            }
            ChildState::Stopped => ("stopped", "", String::new()),
        };
        let restarts = child.restarts;
        let note = match (note.is_empty(), restarts) {
            (_, 0) => note,
            (true, _) => format!("started again {restarts} times"),
            (false, _) => format!("{note}; started again {restarts} times"),
        };
        let last_used = When::new(child.last_used, now);
        let serves = name.unwrap_or_else(|| "everybody".to_owned());
        Self { serves, state, seal, note, since, memory, last_used, complaint: child.last_complaint.clone() }
    }
}

#[cfg(test)]
impl ServerView {
    pub(crate) fn sample() -> Self {
        let url = "https://mcp.example.org/mcp/files".to_owned();
        let admitted = vec!["ada".to_owned(), "the group writers".to_owned()];
        let waits = "5s to connect, 1m for an answer, 5m in between".to_owned();
        Self {
            frame: Frame::sample(),
            name: "files".to_owned(),
            title: "Files <script>".to_owned(),
            guides: snippets::with_sign_in("files", &url),
            url: Some(url),
            allows: Some("everything".to_owned()),
            key: None,
            scopes: ["files:write", "mcp", "mcp:read"].map(|name| ScopeRow::sample(name, false)).to_vec(),
            tools: None,
            traffic: Traffic::sample(),
            inside: Some(Inside {
                state: ServerState::On,
                not_served: None,
                behind: "http://127.0.0.1:9000".to_owned(),
                source: "dashboard",
                is_of_dashboard: true,
                is_testable: true,
                changed: Some(("ben".to_owned(), When::sample(-86_400))),
                facts: vec![("Credential", "in the header authorization, not shown".to_owned()), ("Waits", waits)],
                admitted,
                most: vec![("ben".to_owned(), "reading".to_owned())],
                children: None,
            }),
            test: Some(TestResult::sample_good()),
        }
    }

    pub(crate) fn sample_of_program() -> Self {
        let child = |serves: &str, state, seal, note: &str, complaint: Option<&str>| ChildRow {
            serves: serves.to_owned(),
            state,
            seal,
            note: note.to_owned(),
            since: (state == "running").then(|| When::sample(-3_600)),
            memory: if state == "running" { "48 MiB in 3 processes".to_owned() } else { String::new() },
            last_used: When::sample(-60),
            complaint: complaint.map(str::to_owned),
        };
        let sample = Self::sample();
        let inside = sample.inside.clone().map(|inside| Inside {
            behind: "uvx mcp-server-git --repository /srv/project".to_owned(),
            source: "configuration file",
            is_of_dashboard: false,
            changed: None,
            facts: vec![("Environment", "TOKEN (values not shown)".to_owned())],
            admitted: Vec::new(),
            most: Vec::new(),
            children: Some(vec![
                child("ada", "running", "seal-good", "2 at work", None),
                child("ben", "failing", "seal-bad", "3 times in a row: it ended with status 1.", Some("<b>no key</b>")),
            ]),
            ..inside
        });
        Self { inside, test: Some(TestResult::sample_bad()), traffic: Traffic::sample_quiet(), ..sample }
    }

    pub(crate) fn sample_of_member() -> Self {
        let frame = Frame { is_admin: false, ..Frame::sample() };
        let tools = Some(ToolsShown { at: When::sample(-240), whole: false, rows: ToolRow::samples() });
        let (traffic, allows) = (Traffic::sample_of_member(), Some("reading".to_owned()));
        Self { frame, inside: None, test: None, tools, traffic, allows, ..Self::sample() }
    }

    pub(crate) fn sample_not_served() -> Self {
        let sample = Self::sample();
        let why =
            "The server files of the configuration file has the same name or address. Give this server another one.";
        let inside = sample.inside.clone().map(|inside| Inside {
            state: ServerState::NotServed,
            not_served: Some(why.to_owned()),
            behind: String::new(),
            facts: Vec::new(),
            is_testable: false,
            ..inside
        });
        Self {
            inside,
            url: None,
            guides: Vec::new(),
            tools: None,
            test: None,
            scopes: Vec::new(),
            allows: None,
            traffic: Traffic::sample_quiet(),
            ..sample
        }
    }
}
