//! When something ends, what hangs on it ends as well, and nothing else: whatever a person holds at the very next request,
//! and open streams soon after. One table of what is done and of what stops then.

use crate::open_streams::{OF_FILES, all_end, all_go_on, open_files, open_scripted, servers};
use crate::revocation::resource_server;
use crate::support::{Agent, Answer, Appliance, Browser, Grant, Upstream, Wire, parameter};
use keyward::account::group::GroupName;
use keyward::account::user::User;
use serde_json::json;
use std::collections::BTreeSet;

/// A server whose requests come through a proxy, which asks at `/verify/tools`; for writers and ada.
pub(crate) const TOOLS_SECTION: &str = "\
[servers.tools]
title = \"Tools\"
proxied_url = \"https://tools.example.org/mcp\"
groups = [\"writers\"]
";
const TOOLS: &str = "https://tools.example.org/mcp";
const PASSWORD: &str = "four quiet random words";

/// What a person holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holding {
    /// The personal token at a guarded server.
    Personal,
    /// The access token at a guarded server.
    Access,
    /// The refresh token.
    Refresh,
    /// The browser's session.
    Session,
    /// What a resource server is told of the personal token.
    PersonalIntrospected,
    /// What a resource server is told of the access token.
    AccessIntrospected,
    /// The personal token at `/verify`.
    PersonalVerified,
    /// The access token at `/verify`.
    AccessVerified,
    /// Streams that were opened with the personal token.
    PersonalStreams,
    /// Streams that were opened with the access token.
    AccessStreams,
}
use Holding::{
    Access, AccessIntrospected, AccessStreams, AccessVerified, Personal, PersonalIntrospected, PersonalStreams,
    PersonalVerified, Refresh, Session,
};

const ALL: [Holding; 10] = [
    Personal,
    Access,
    Refresh,
    Session,
    PersonalIntrospected,
    AccessIntrospected,
    PersonalVerified,
    AccessVerified,
    PersonalStreams,
    AccessStreams,
];

/// All that can be asked for at once, but for some.
pub(crate) fn all_but(some: &[Holding]) -> BTreeSet<Holding> {
    let at_once = ALL.into_iter().filter(|holding| !matches!(holding, PersonalStreams | AccessStreams));
    at_once.filter(|holding| !some.contains(holding)).collect()
}

/// A person with all of it. The servers are `files` and `tools`.
pub(crate) struct Held {
    agent: Agent,
    pub personal: String,
    files: Grant,
    tools: Grant,
    pub browser: Browser,
    /// Of a resource server that may ask about tokens.
    basic: String,
}

impl Held {
    pub async fn by(appliance: &Appliance, user: &User) -> Self {
        let (_, personal) = appliance.personal_token_of(user.id, "Laptop");
        let mut browser = Browser::new();
        browser.sign_in(appliance, user.name.as_str(), PASSWORD).await.expect(303);
        let agent = Agent::register(appliance, "Desk").await;
        let files = connect(appliance, &mut browser, &agent, &appliance.url_of("files")).await;
        let tools = connect(appliance, &mut browser, &agent, TOOLS).await;
        let (_, basic) = resource_server(appliance);
        Self { agent, personal, files, tools, browser, basic }
    }

    /// What works, but for streams. The refresh token is replaced by its successor.
    pub async fn works(&mut self, appliance: &Appliance) -> BTreeSet<Holding> {
        let refreshed = self.agent.refresh(appliance, &self.files.refresh_token).await;
        if refreshed.status == 200 {
            refreshed.json()["refresh_token"].as_str().unwrap().clone_into(&mut self.files.refresh_token);
        }
        let outcomes = [
            (Personal, is_admitted(appliance, &self.personal).await),
            (Access, is_admitted(appliance, &self.files.access_token).await),
            (Refresh, refreshed.status == 200),
            (Session, self.browser.get(appliance, "/dashboard").await.status == 200),
            (PersonalIntrospected, self.is_active(appliance, &self.personal).await),
            (AccessIntrospected, self.is_active(appliance, &self.files.access_token).await),
            (PersonalVerified, verify(appliance, &self.personal).await.status == 200),
            (AccessVerified, verify(appliance, &self.tools.access_token).await.status == 200),
        ];
        outcomes.into_iter().filter(|(_, works)| *works).map(|(holding, _)| holding).collect()
    }

    async fn is_active(&self, appliance: &Appliance, token: &str) -> bool {
        let headers = [("authorization", self.basic.as_str())];
        let told = appliance.post_form("/introspect", &[("token", token)], &headers).await.expect(200);
        told.json()["active"].as_bool().unwrap()
    }
}

async fn connect(appliance: &Appliance, browser: &mut Browser, agent: &Agent, resource: &str) -> Grant {
    let callback = agent.authorize_with(appliance, browser, &[("resource", resource)], "approve").await;
    let code = parameter(&callback, "code").unwrap();
    Grant::of(&agent.redeem_with(appliance, &code, &[("resource", resource)]).await.expect(200).json())
}

/// Asks as a proxy does.
pub(crate) async fn verify(appliance: &Appliance, token: &str) -> Answer {
    appliance.get("/verify/tools", &[("authorization", &format!("Bearer {token}"))]).await
}

/// Whether the server called files is asked; whether it answers is its own affair.
async fn is_admitted(appliance: &Appliance, token: &str) -> bool {
    let bearer = format!("Bearer {token}");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let answer = appliance.post_json("/mcp/files", &ping, &[("authorization", &bearer)]).await;
    !matches!(answer.status.as_u16(), 401 | 403 | 404)
}

/// What is done, and what stops then.
const ACTS: [(&str, &[Holding]); 10] = [
    ("user disabled", &ALL),
    ("user deleted", &ALL),
    ("password reset", &[Session]),
    ("grant revoked", &[Access, Refresh, AccessIntrospected, AccessVerified, AccessStreams]),
    ("client removed", &[Access, Refresh, AccessIntrospected, AccessVerified, AccessStreams]),
    ("personal token revoked", &[Personal, PersonalIntrospected, PersonalVerified, PersonalStreams]),
    (
        "everything revoked",
        &[
            Personal,
            Access,
            Refresh,
            PersonalIntrospected,
            AccessIntrospected,
            PersonalVerified,
            AccessVerified,
            PersonalStreams,
            AccessStreams,
        ],
    ),
    // The personal token is for every server, so it is still good elsewhere.
    (
        "server disabled",
        &[
            Personal,
            Access,
            Refresh,
            AccessIntrospected,
            PersonalVerified,
            AccessVerified,
            PersonalStreams,
            AccessStreams,
        ],
    ),
    (
        "group removed",
        &[
            Personal,
            Access,
            Refresh,
            AccessIntrospected,
            PersonalVerified,
            AccessVerified,
            PersonalStreams,
            AccessStreams,
        ],
    ),
    (
        "signing key condemned",
        &[
            Personal,
            Access,
            PersonalIntrospected,
            AccessIntrospected,
            PersonalVerified,
            AccessVerified,
            PersonalStreams,
            AccessStreams,
        ],
    ),
];

fn file(upstream: &Upstream, further: &str) -> String {
    let rule = format!("groups = [\"writers\"]\nusers = [\"ada\"]\n{further}");
    format!("{}{TOOLS_SECTION}users = [\"ada\"]\n{further}\n", servers(upstream, &rule, &rule))
}

fn perform(act: &str, appliance: &Appliance, upstream: &Upstream, held: &Held, ben: &User) {
    let (app, by) = (&appliance.app, appliance.by_admin());
    match act {
        "user disabled" => app.disable_user(by, ben.id).unwrap(),
        "user deleted" => app.delete_user(by, ben.id).unwrap(),
        "password reset" => {
            let secret = app.make_password_reset(by, ben.id).unwrap();
            app.set_password_by_link(secret.expose(), "a lantern over the harbour").unwrap();
        }
        "grant revoked" => {
            for connection in app.connections(ben.id).unwrap() {
                app.revoke_connection(ben.id, connection.grant.id).unwrap();
            }
        }
        "client removed" => app.remove_client(&held.agent.client_id, appliance.admin.id).unwrap(),
        "personal token revoked" => {
            let token = app.personal_tokens(ben.id).unwrap()[0].token.id;
            app.revoke_personal_token(ben.id, token).unwrap();
        }
        "everything revoked" => drop(app.revoke_everything_of(by, ben.id).unwrap()),
        "server disabled" => appliance.change_servers(&file(upstream, "enabled = false")),
        "group removed" => drop(app.remove_group(by, &GroupName::parse("writers").unwrap()).unwrap()),
        "signing key condemned" => {
            let key = app.live().keys().signer().id();
            app.condemn_signing_key(key).unwrap();
        }
        other => panic!("nobody knows how to do this: {other}"),
    }
}

#[tokio::test]
async fn what_stops_when_stops_at_the_next_request_and_nothing_else_does() {
    for (act, stops) in ACTS {
        println!("{act}");
        let upstream = Upstream::start();
        let mut appliance = Appliance::with_file(&file(&upstream, ""));
        let ben = appliance.add_member("ben");
        appliance.put_into(&ben, &["writers"]);
        let (_, adas) = appliance.personal_token("Laptop");
        let mut held = Held::by(&appliance, &ben).await;
        assert_eq!(held.works(&appliance).await, all_but(&[]), "before: {act}");

        let address = appliance.listen();
        let by_personal = Wire::to(address, &held.personal);
        let (mut by_personal, programs) = (open_files(&by_personal).await, open_scripted(&by_personal).await);
        by_personal.extend(programs);
        let mut by_access = open_files(&Wire::to(address, &held.files.access_token)).await;
        let mut by_ada = open_files(&Wire::to(address, &adas)).await;
        upstream.until_open(3 * OF_FILES).await;

        perform(act, &appliance, &upstream, &held, &ben);
        assert_eq!(held.works(&appliance).await, all_but(stops), "{act}");
        for (holding, streams) in [(PersonalStreams, &mut by_personal), (AccessStreams, &mut by_access)] {
            if stops.contains(&holding) {
                all_end(std::mem::take(streams)).await;
            } else {
                all_go_on(streams).await;
            }
        }
        if ["server disabled", "signing key condemned"].contains(&act) {
            all_end(by_ada).await;
        } else {
            assert!(is_admitted(&appliance, &adas).await, "{act}: another person's token");
            all_go_on(&mut by_ada).await;
        }
    }
}
