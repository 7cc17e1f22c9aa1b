//! Which line does each act of an admin leave in the log? Exactly its own, with who did it, about whom and from where; also
//! when the command line asked.

use crate::support::{Agent, Appliance, Browser};
use keyward::account::user::Username;
use keyward::app::events::{EventFilter, EventPlace};
use keyward::clock::days;
use keyward::control::{Request, perform};
use keyward::event::{Actor, Event, EventKind};
use serde_json::json;

const PASSWORD: &str = "four quiet random words";
const FILE: &str = "\
[servers.own]
url = \"http://127.0.0.1:9/mcp\"
credential = { header = \"X-Key\", per_user = true }
";

/// An admin at a browser, who looks at what each act leaves.
struct Story {
    appliance: Appliance,
    browser: Browser,
    seen: usize,
}

impl Story {
    fn left(&mut self) -> Vec<Event> {
        self.appliance.app.flush_events().unwrap();
        let all = self.appliance.app.events(&EventFilter::default(), EventPlace::Newest, 10_000).unwrap().events;
        let new = all.len() - self.seen;
        self.seen = all.len();
        all.into_iter().take(new).rev().map(|(_, event)| event).collect()
    }

    /// Fills in the form of `page` that posts to `action`; the one line that this leaves.
    async fn line(&mut self, page: &str, action: &str, fields: &[(&str, &str)], kind: EventKind) -> Event {
        let mut lines = self.lines(page, action, fields).await;
        let kinds: Vec<_> = lines.iter().map(|line| line.kind).collect();
        assert_eq!(kinds, [kind], "{action}");
        lines.remove(0)
    }

    async fn lines(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Vec<Event> {
        let form = self.browser.get(&self.appliance, page).await.expect(200);
        assert!(self.left().is_empty(), "to look at {page} is no act");
        let done = self.browser.submit(&self.appliance, &form, action, fields).await;
        assert!(done.status == 200 || done.status == 303, "{action}: {} {}", done.status, done.body);
        let lines = self.left();
        for line in &lines {
            assert_eq!(line.actor().map(|actor| actor.name.as_str()), Some("ada"), "{action}: {line:?}");
        }
        lines
    }
}

#[track_caller]
fn is_about(line: &Event, name: &str) {
    assert_eq!(line.user.as_ref().map(|user| user.name.as_str()), Some(name), "{line:?}");
}

#[tokio::test]
async fn each_act_of_an_admin_leaves_exactly_its_line() {
    use EventKind::*;
    let mut appliance = Appliance::with_file(FILE);
    let ben = appliance.add_member("ben");
    let (laptop, _) = appliance.personal_token_of(ben.id, "Laptop");
    appliance.personal_token_of(ben.id, "Desk");
    let mut bens = Browser::new();
    bens.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    Agent::register(&appliance, "Cursor").await.connect(&appliance, &mut bens).await;
    let browser = Browser::signed_in(&appliance).await;
    let mut story = Story { appliance, browser, seen: 0 };
    story.left();

    let groups = "/dashboard/groups";
    let line = story.line(groups, groups, &[("name", "readers")], GroupMade).await;
    assert_eq!(line.note, "readers");
    let readers = "/dashboard/groups/readers";
    let line = story.line(readers, &format!("{readers}/add"), &[("username", "ben")], GroupChanged).await;
    is_about(&line, "ben");
    let line = story.line(readers, &format!("{readers}/take-out"), &[], GroupChanged).await.kind;
    assert_eq!(line, GroupChanged);
    let remove = format!("{readers}/remove");
    story.line(&remove, &remove, &[], GroupRemoved).await;

    let of_ben = format!("/dashboard/users/{}", ben.id);
    let deed = |act: &str| format!("{of_ben}/{act}");
    is_about(&story.line(&of_ben, &of_ben, &[("role", "admin")], UserChanged).await, "ben");
    story.line(&of_ben, &of_ben, &[("role", "member")], UserChanged).await;
    let line = story.line(&deed("sign-out"), &deed("sign-out"), &[], SessionsEnded).await;
    is_about(&line, "ben");
    assert_eq!(line.times, 1);
    for (act, kind) in [("reset-link", ResetLinkMade), ("disable", UserDisabled), ("enable", UserEnabled)] {
        is_about(&story.line(&deed(act), &deed(act), &[], kind).await, "ben");
    }
    let revoke = format!("{}?token={laptop}", deed("revoke"));
    let line = story.line(&revoke, &deed("revoke"), &[], TokenRevoked).await;
    is_about(&line, "ben");
    assert_eq!(line.token.unwrap().name, "Laptop");
    let lines = story.lines(&deed("revoke-all"), &deed("revoke-all"), &[]).await;
    let kinds: Vec<_> = lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, [UserRevoked, ConnectionRevoked, TokenRevoked]);
    for line in &lines {
        is_about(line, "ben");
    }
    let line = story.line(&deed("delete"), &deed("delete"), &[], UserDeleted).await;
    is_about(&line, "ben");

    let new = "/dashboard/invitations/new";
    let line = story.line(new, new, &[("username", "cleo")], InvitationMade).await;
    assert!(line.note.contains("cleo"), "{}", line.note);
    let invitation = story.appliance.app.invitations().unwrap()[0].invitation.id;
    let revoke = format!("/dashboard/invitations/{invitation}/revoke");
    story.line(&revoke, &revoke, &[], InvitationRevoked).await;

    let new = "/dashboard/clients/new";
    let fields = [("name", "Team portal"), ("redirect_uris", "https://portal.example.org/cb"), ("kind", "public")];
    let line = story.line(new, new, &fields, ClientMade).await;
    assert_eq!(line.client.unwrap().name, "Team portal");
    let (pin, url) = ("/dashboard/clients/pin", "https://app.example.org/client.json");
    let document = json!({"client_id": url, "client_name": "Pinned", "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none"});
    let line = story.line(pin, pin, &[("url", url), ("document", &document.to_string())], ClientPinned).await;
    assert_eq!(line.client.unwrap().id, url);

    let new = "/dashboard/servers/new";
    let line = story.line(new, new, &[("name", "files"), ("url", "http://127.0.0.1:9/mcp")], ServerAdded).await;
    assert_eq!(line.server.as_deref(), Some("files"));
    let (files, edit) = ("/dashboard/servers/files", "/dashboard/servers/files/edit");
    story.line(edit, edit, &[("title", "Files")], ServerChanged).await;
    for kind in [ServerDisabled, ServerEnabled] {
        story.line(files, "/dashboard/servers/files/enable", &[], kind).await;
    }
    let remove = "/dashboard/servers/files/remove";
    story.line(remove, remove, &[], ServerRemoved).await;
    let key = "/dashboard/servers/own/key";
    let line = story.line(key, key, &[("key", "sesame-open")], UpstreamKeySet).await;
    assert_eq!(line.server.as_deref(), Some("own"));
    let remove = "/dashboard/servers/own/key/remove";
    story.line(remove, remove, &[], UpstreamKeyRemoved).await;

    let signer = story.appliance.app.live().keys().signer().id();
    let condemn = format!("/dashboard/signing-keys/{signer}/condemn");
    let line = story.line(&condemn, &condemn, &[], KeyCondemned).await;
    assert_eq!(line.key, Some(signer));

    Browser::signed_in(&story.appliance).await;
    story.left();
    let everywhere = "/dashboard/security/sign-out-everywhere";
    let line = story.line(everywhere, everywhere, &[], SessionsEnded).await;
    assert_eq!(line.times, 1);
    let new = "a lantern over the harbour";
    let fields = [("current_password", PASSWORD), ("new_password", new), ("new_password_again", new)];
    story.line("/dashboard/security", "/dashboard/security/password", &fields, PasswordChanged).await;
}

#[tokio::test]
async fn what_an_invitation_and_a_reset_link_do_is_told_of_whoever_used_them() {
    let appliance = Appliance::new();
    let mut story = Story { browser: Browser::new(), seen: 0, appliance };
    let secret = story.appliance.invite(|new| "cleo".clone_into(&mut new.name));
    story.left();
    let page = format!("/invitation?secret={secret}");
    let form = story.browser.get(&story.appliance, &page).await.expect(200);
    let fields = [("password", "a lantern over the harbour"), ("password_again", "a lantern over the harbour")];
    story.browser.submit(&story.appliance, &form, "/invitation", &fields).await.expect(303);
    let lines = story.left();
    assert_eq!(lines.iter().map(|line| line.kind).collect::<Vec<_>>(), [EventKind::UserMade]);
    assert_eq!(lines[0].actor().unwrap().name, "cleo");
    is_about(&lines[0], "cleo");

    let cleo = lines[0].user.as_ref().unwrap().id;
    let secret = story.appliance.app.make_password_reset(story.appliance.by_admin(), cleo).unwrap();
    story.left();
    let form = story.browser.get(&story.appliance, &format!("/reset?secret={}", secret.expose())).await.expect(200);
    let fields = [("password", "a boat under the lantern"), ("password_again", "a boat under the lantern")];
    story.browser.submit(&story.appliance, &form, "/reset", &fields).await.expect(303);
    let lines = story.left();
    assert_eq!(lines.iter().map(|line| line.kind).collect::<Vec<_>>(), [EventKind::PasswordReset]);
    is_about(&lines[0], "cleo");
}

#[test]
fn what_the_command_line_asks_for_is_told_as_such() {
    use EventKind::*;
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let (laptop, _) = appliance.personal_token_of(ben.id, "Laptop");
    let signer = appliance.app.live().keys().signer().id();
    let name = || Username::parse("ben").unwrap();
    appliance.advance(days(2));
    let mut story = Story { browser: Browser::new(), seen: 0, appliance };
    story.left();
    for (request, kind) in [
        (Request::ResetPassword { name: name() }, PasswordReset),
        (Request::ResetLink { name: name() }, ResetLinkMade),
        (Request::DisableUser { name: name() }, UserDisabled),
        (Request::EnableUser { name: name() }, UserEnabled),
        (Request::RevokeToken { id: laptop }, TokenRevoked),
        (Request::RotateKeys, KeysRotated),
        (Request::CondemnKey { id: signer }, KeyCondemned),
    ] {
        perform(&request, &story.appliance.app).unwrap();
        let lines = story.left();
        assert_eq!(lines.iter().map(|line| line.kind).collect::<Vec<_>>(), [kind]);
        assert_eq!((&lines[0].by, lines[0].address), (&Actor::CommandLine, None), "{kind:?}");
    }
    for request in [Request::ListUsers, Request::ListKeys] {
        perform(&request, &story.appliance.app).unwrap();
        assert!(story.left().is_empty(), "to look is no act");
    }
}
