//! What admins do about people, and when it counts: at the next request.

use crate::state_matrix::Holding::{Access, Personal, Refresh, Session};
use crate::state_matrix::{Held, TOOLS_SECTION, all_but, verify};
use crate::support::{Agent, Answer, Appliance, Browser, call, parameter};
use keyward::account::group::GroupName;
use keyward::account::user::{Role, User};
use keyward::app::error::OperationError;
use keyward::app::users::By;
use keyward::clock::{hours, minutes};

/// What is behind the first server does not matter.
const FILES_SECTION: &str = "[servers.files]\nurl = \"http://127.0.0.1:9/mcp\"\ngroups = [\"writers\"]\n";
const TOOLS: &str = "https://tools.example.org/mcp";
const PASSWORD: &str = "four quiet random words";

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

async fn browser_of(appliance: &Appliance, name: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(appliance, name, PASSWORD).await.expect(303);
    browser
}

/// An appliance with the member ben, who is in the group of writers.
fn with_ben() -> (Appliance, User) {
    let mut appliance = Appliance::with_file(&format!("{FILES_SECTION}{TOOLS_SECTION}"));
    let ben = appliance.add_member("ben");
    appliance.put_into(&ben, &["writers"]);
    (appliance, ben)
}

#[tokio::test]
async fn a_group_opens_its_servers_at_the_next_request_and_closes_them_too() {
    let (appliance, ben) = with_ben();
    let (_, token) = appliance.personal_token_of(ben.id, "Laptop");
    let (_, adas) = appliance.personal_token("Laptop");
    verify(&appliance, &token).await.expect(200);
    verify(&appliance, &adas).await.expect(403);
    let mut browser = browser_of(&appliance, "ben").await;
    let agent = Agent::register(&appliance, "Desk").await;
    let callback = agent.authorize_with(&appliance, &mut browser, &[("resource", TOOLS)], "approve").await;
    let code = parameter(&callback, "code").unwrap();
    let tokens = agent.redeem_with(&appliance, &code, &[("resource", TOOLS)]).await.expect(200).json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    verify(&appliance, tokens["access_token"].as_str().unwrap()).await.expect(200);
    let form = browser.get(&appliance, "/dashboard/api-keys/new").await.expect(200);
    assert!(form.body.contains("value=\"tools\""));

    appliance.app.remove_from_group(appliance.by_admin(), &group("writers"), ben.id).unwrap();
    verify(&appliance, &token).await.expect(403);
    verify(&appliance, tokens["access_token"].as_str().unwrap()).await.expect(403);
    agent.refresh(&appliance, refresh).await.expect(400);
    let form = browser.get(&appliance, "/dashboard/api-keys/new").await.expect(200);
    assert!(!form.body.contains("value=\"tools\""));
    let asked = browser.get(&appliance, &agent.authorize_path(&appliance, &[("resource", TOOLS)])).await.expect(303);
    assert!(asked.location().contains("error=access_denied"), "{}", asked.location());

    appliance.app.add_to_group(appliance.by_admin(), &group("writers"), " BEN").unwrap();
    verify(&appliance, &token).await.expect(200);
    agent.refresh(&appliance, refresh).await.expect(200);
    assert_eq!(appliance.app.remove_group(appliance.by_admin(), &group("writers")).unwrap(), 1);
    verify(&appliance, &token).await.expect(403);
    appliance.app.create_group(appliance.by_admin(), &group("writers"), "").unwrap();
    verify(&appliance, &token).await.expect(403);
}

#[tokio::test]
async fn memberships_and_roles_survive_a_restart() {
    let (mut appliance, ben) = with_ben();
    let (_, token) = appliance.personal_token_of(ben.id, "Laptop");
    appliance.app.change_user(appliance.by_admin(), ben.id, Role::Admin, &[group("writers")]).unwrap();
    appliance.restart();
    verify(&appliance, &token).await.expect(200);
    assert_eq!(appliance.app.live().user(ben.id).unwrap().role, Role::Admin);
    assert_eq!(appliance.app.groups().unwrap()[0].members, 1);
}

#[test]
fn one_admin_who_can_sign_in_is_always_left() {
    let (appliance, ben) = with_ben();
    let (app, ada, by) = (&appliance.app, appliance.admin.id, appliance.by_admin());
    let refused = |done: Result<(), OperationError>| {
        assert!(done.unwrap_err().to_string().contains("ada is the only admin"));
    };
    refused(app.change_user(by, ada, Role::Member, &[]));
    refused(app.disable_user(by, ada));
    refused(app.delete_user(by, ada));
    app.change_user(by, ben.id, Role::Admin, &[]).unwrap();
    app.disable_user(by, ben.id).unwrap();
    refused(app.disable_user(By::CommandLine, ada));
    app.enable_user(by, ben.id).unwrap();
    app.disable_user(by, ada).unwrap();
    assert!(matches!(app.enable_user(by, ada), Err(OperationError::NotAllowed)), "who is disabled does nothing");
    assert!(matches!(app.delete_user(By::Admin(ada), ben.id), Err(OperationError::NotAllowed)));
    app.enable_user(By::Admin(ben.id), ada).unwrap();
}

#[test]
fn of_two_admins_who_end_each_other_at_once_one_stays() {
    for _ in 0..10 {
        let (appliance, ben) = with_ben();
        let (app, ada) = (&appliance.app, appliance.admin.id);
        app.change_user(appliance.by_admin(), ben.id, Role::Admin, &[]).unwrap();
        let done = std::thread::scope(|scope| {
            let one = scope.spawn(|| app.disable_user(By::Admin(ada), ben.id).is_ok());
            let other = scope.spawn(|| app.change_user(By::Admin(ben.id), ada, Role::Member, &[]).is_ok());
            [one.join().unwrap(), other.join().unwrap()]
        });
        assert_ne!(done[0], done[1]);
    }
}

#[tokio::test]
async fn what_is_given_back_works_again_but_for_sessions() {
    let (appliance, ben) = with_ben();
    let (app, by) = (&appliance.app, appliance.by_admin());
    let mut held = Held::by(&appliance, &ben).await;
    assert_eq!(held.works(&appliance).await, all_but(&[]));

    app.disable_user(by, ben.id).unwrap();
    let page = Browser::new().sign_in(&appliance, "ben", PASSWORD).await.expect(401);
    assert!(page.body.contains("do not belong together"), "a stranger is told nothing");
    app.enable_user(by, ben.id).unwrap();
    assert_eq!(held.works(&appliance).await, all_but(&[Session]), "what was not revoked works again");
    held.browser.sign_in(&appliance, "ben", PASSWORD).await.expect(303);

    app.remove_from_group(by, &group("writers"), ben.id).unwrap();
    call(&appliance, &held.personal).await.expect(200);
    verify(&appliance, &held.personal).await.expect(403);
    app.add_to_group(by, &group("writers"), "ben").unwrap();
    assert_eq!(held.works(&appliance).await, all_but(&[]), "in the group again");

    let secret = app.make_password_reset(by, ben.id).unwrap();
    assert_eq!(held.works(&appliance).await, all_but(&[]), "a link alone changes nothing");
    app.set_password_by_link(secret.expose(), "a lantern over the harbour").unwrap();
    held.browser.sign_in(&appliance, "ben", PASSWORD).await.expect(401);
    appliance.advance(hours(1));
    held.browser.sign_in(&appliance, "ben", "a lantern over the harbour").await.expect(303);
    assert!(held.works(&appliance).await.is_superset(&[Personal, Refresh, Session].into()));
    assert_eq!(app.revoke_everything_of(by, ben.id).unwrap(), (1, 2));
}

#[tokio::test]
async fn a_deleted_user_leaves_nothing_but_a_free_name() {
    let (mut appliance, ben) = with_ben();
    let mut held = Held::by(&appliance, &ben).await;
    let by = appliance.by_admin();
    appliance.app.make_password_reset(by, ben.id).unwrap();
    appliance.app.delete_user(by, ben.id).unwrap();
    assert!(held.works(&appliance).await.is_empty());
    assert!(appliance.app.personal_tokens(ben.id).unwrap().is_empty());
    assert!(appliance.app.connections(ben.id).unwrap().is_empty());
    assert!(matches!(appliance.app.user_entry(ben.id), Err(OperationError::NotFound(_))));
    appliance.app.sweep().unwrap();

    let other = appliance.add_member("ben");
    assert_ne!(other.id, ben.id);
    assert!(held.works(&appliance).await.is_empty(), "the new ben gets nothing of the old one's");
    let (_, token) = appliance.personal_token_of(other.id, "Laptop");
    call(&appliance, &token).await.expect(200);
    assert!(appliance.app.groups().unwrap()[0].members == 0);
}

#[tokio::test]
async fn admins_look_after_people_in_the_dashboard() {
    let (appliance, ben) = with_ben();
    let mut admin = Browser::signed_in(&appliance).await;
    let mut held = Held::by(&appliance, &ben).await;
    let list = admin.get(&appliance, "/dashboard/users").await.expect(200);
    for part in ["ada", "ben", "writers", "2 users"] {
        assert!(list.body.contains(part), "{part}");
    }
    let path = format!("/dashboard/users/{}", ben.id);
    let page = admin.get(&appliance, &path).await.expect(200);
    for part in ["Laptop", "Desk", "personal token", "connected app", "value=\"writers\" checked", "in 1 browser"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains(&held.personal) && !page.body.contains("$argon2"));

    let saved = admin.submit(&appliance, &page, &path, &[("role", "admin"), ("group", "writers")]).await.expect(303);
    assert!(admin.get(&appliance, saved.location()).await.expect(200).body.contains("count from the next request on"));
    held.browser.get(&appliance, "/dashboard/users").await.expect(200);
    let page = admin.get(&appliance, &path).await.expect(200);
    admin.submit(&appliance, &page, &path, &[("role", "member"), ("group", "writers")]).await.expect(303);
    held.browser.get(&appliance, "/dashboard/users").await.expect(403);
    admin.submit(&appliance, &page, &path, &[("role", "member"), ("group", "nowhere")]).await.expect(422);

    let deed = |act: &str| format!("{path}/{act}");
    for (act, names, stops) in [("sign-out", "Sign ben out?", Session), ("disable", "Disable ben?", Personal)] {
        let asked = admin.get(&appliance, &deed(act)).await.expect(200);
        assert!(asked.body.contains(names), "{act}");
        admin.submit(&appliance, &asked, &deed(act), &[]).await.expect(303);
        assert!(!held.works(&appliance).await.contains(&stops), "{act}");
    }
    let list = admin.get(&appliance, "/dashboard/users?name=BE").await.expect(200);
    assert!(list.body.contains("disabled") && !list.body.contains(">ada</a>"));
    let asked = admin.get(&appliance, &deed("enable")).await.expect(200);
    admin.submit(&appliance, &asked, &deed("enable"), &[]).await.expect(303);
    assert!(held.works(&appliance).await.contains(&Personal));

    let token = appliance.app.personal_tokens(ben.id).unwrap()[0].token.id;
    let asked = admin.get(&appliance, &format!("{path}/revoke?token={token}")).await.expect(200);
    assert!(asked.body.contains("Revoke “Laptop” of ben?"));
    admin.submit(&appliance, &asked, &deed("revoke"), &[]).await.expect(303);
    let works = held.works(&appliance).await;
    assert!(!works.contains(&Personal) && works.contains(&Access));
    let strange = format!("/dashboard/users/{}/revoke?token={token}", appliance.admin.id);
    admin.get(&appliance, &strange).await.expect(404);
    admin.get(&appliance, &deed("revoke")).await.expect(404);
    let asked = admin.get(&appliance, &deed("revoke-all")).await.expect(200);
    admin.submit(&appliance, &asked, &deed("revoke-all"), &[]).await.expect(303);
    assert!(!held.works(&appliance).await.contains(&Access));

    let own = format!("/dashboard/users/{}/delete", appliance.admin.id);
    let asked = admin.get(&appliance, &own).await.expect(200);
    assert!(asked.body.contains("This is you"));
    let refused = admin.submit(&appliance, &asked, &own, &[]).await.expect(422);
    assert!(refused.body.contains("ada is the only admin who can sign in"));
    let asked = admin.get(&appliance, &deed("delete")).await.expect(200);
    let gone = admin.submit(&appliance, &asked, &deed("delete"), &[]).await.expect(303);
    assert!(admin.get(&appliance, gone.location()).await.expect(200).body.contains("1 user"));
    admin.get(&appliance, &path).await.expect(404);
}

#[tokio::test]
async fn groups_are_made_filled_and_removed_in_the_dashboard() {
    let mut appliance = Appliance::with_file(TOOLS_SECTION);
    let ben = appliance.add_member("ben");
    let mut admin = Browser::signed_in(&appliance).await;
    let (_, token) = appliance.personal_token_of(ben.id, "Laptop");
    let list = admin.get(&appliance, "/dashboard/groups").await.expect(200);
    assert!(list.body.contains("does not exist") && list.body.contains("value=\"writers\""), "the rule names one");
    for (name, status) in [("a b", 422), ("@writers", 422), ("Writers", 303), ("writers", 422)] {
        let made = admin.submit(&appliance, &list, "/dashboard/groups", &[("name", name)]).await;
        assert_eq!(made.status, status, "{name}");
    }
    let page = admin.get(&appliance, "/dashboard/groups/writers").await.expect(200);
    assert!(page.body.contains("Opens <strong>Tools</strong>"));
    admin.get(&appliance, "/dashboard/groups/Writers").await.expect(404);
    let add = "/dashboard/groups/writers/add";
    admin.submit(&appliance, &page, add, &[("username", "carl")]).await.expect(422);
    verify(&appliance, &token).await.expect(403);
    admin.submit(&appliance, &page, add, &[("username", "Ben")]).await.expect(303);
    verify(&appliance, &token).await.expect(200);
    let page = admin.get(&appliance, "/dashboard/groups/writers").await.expect(200);
    let out = "/dashboard/groups/writers/take-out";
    admin.submit(&appliance, &page, out, &[]).await.expect(303);
    verify(&appliance, &token).await.expect(403);
    admin.submit(&appliance, &page, add, &[("username", "ben")]).await.expect(303);
    let remove = "/dashboard/groups/writers/remove";
    let asked = admin.get(&appliance, remove).await.expect(200);
    assert!(asked.body.contains("One user is in it") && asked.body.contains("<strong>Tools</strong>"));
    admin.submit(&appliance, &asked, remove, &[]).await.expect(303);
    verify(&appliance, &token).await.expect(403);
}

#[tokio::test]
async fn a_reset_link_works_once_for_a_day_and_as_long_as_its_maker_may() {
    let (mut appliance, ben) = with_ben();
    let carl = appliance.add_member("carl");
    appliance.app.change_user(appliance.by_admin(), carl.id, Role::Admin, &[]).unwrap();
    let mut admin = Browser::signed_in(&appliance).await;
    let path = format!("/dashboard/users/{}/reset-link", ben.id);
    let asked = admin.get(&appliance, &path).await.expect(200);
    let link = |page: &Answer| {
        let (_, rest) = page.body.split_once("<pre id=\"link\"><code>").unwrap();
        rest.split('<').next().unwrap().trim_start_matches("http://127.0.0.1:8080").to_owned()
    };
    let first = link(&admin.submit(&appliance, &asked, &path, &[]).await.expect(200));
    let second = link(&admin.submit(&appliance, &asked, &path, &[]).await.expect(200));
    let mut visitor = Browser::new();
    let over = visitor.get(&appliance, &first).await.expect(410);
    assert!(over.body.contains("Ask an admin"), "another was made");
    for (password, again) in
        [("short", "short"), ("password1", "password1"), ("benbenben1", "benbenben1"), ("a b c d e f", "x")]
    {
        let page = visitor.get(&appliance, &second).await.expect(200);
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        let fields = [("password", password), ("password_again", again)];
        visitor.submit(&appliance, &page, "/reset", &fields).await.expect(422);
    }
    let page = visitor.get(&appliance, &second).await.expect(200);
    let fields = [("password", "a lantern over the harbour"), ("password_again", "a lantern over the harbour")];
    let done = visitor.submit(&appliance, &page, "/reset", &fields).await.expect(303);
    assert!(visitor.get(&appliance, done.location()).await.expect(200).body.contains("Your new password is set"));
    visitor.submit(&appliance, &page, "/reset", &fields).await.expect(410);
    visitor.sign_in(&appliance, "ben", "a lantern over the harbour").await.expect(303);

    let by = By::Admin(carl.id);
    let secret = appliance.app.make_password_reset(by, ben.id).unwrap();
    appliance.app.change_user(appliance.by_admin(), carl.id, Role::Member, &[]).unwrap();
    assert_eq!(appliance.app.password_reset_for(secret.expose()).unwrap(), None, "its maker is no admin");
    let secret = appliance.app.make_password_reset(By::CommandLine, ben.id).unwrap();
    assert!(appliance.app.password_reset_for(secret.expose()).unwrap().is_some());
    appliance.app.disable_user(appliance.by_admin(), ben.id).unwrap();
    assert!(appliance.app.make_password_reset(By::CommandLine, ben.id).is_err());
    appliance.app.enable_user(appliance.by_admin(), ben.id).unwrap();
    assert_eq!(appliance.app.password_reset_for(secret.expose()).unwrap(), None, "it went when ben was disabled");
    let secret = appliance.app.make_password_reset(By::CommandLine, ben.id).unwrap();
    appliance.advance(minutes(24 * 60 - 1));
    assert!(appliance.app.password_reset_for(secret.expose()).unwrap().is_some());
    appliance.advance(minutes(1));
    assert_eq!(appliance.app.password_reset_for(secret.expose()).unwrap(), None);
    appliance.app.sweep().unwrap();
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
async fn a_thousand_users_are_listed_quickly_page_by_page() {
    let appliance = Appliance::with_people(1_000);
    let mut admin = Browser::signed_in(&appliance).await;
    let began = std::time::Instant::now();
    let list = admin.get(&appliance, "/dashboard/users").await.expect(200);
    let took = began.elapsed();
    assert!(list.body.contains("1001 users.") && list.body.contains("Page 1 of 21") && list.body.contains("Next page"));
    assert_eq!(list.body.matches("<tr").count(), 51);
    let found = admin.get(&appliance, "/dashboard/users?name=Person-77").await.expect(200);
    assert!(found.body.contains("11 users with") && !found.body.contains("Next page"));
    let beyond = admin.get(&appliance, "/dashboard/users?page=999").await.expect(200);
    assert!(beyond.body.contains("Page 21 of 21") && !beyond.body.contains("Next page"));
    assert!(
        admin.get(&appliance, "/dashboard/users?page=x&name=%00").await.expect(200).body.contains("Nobody is called")
    );
    println!("the list of 1,001 users took {took:?}");
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}
