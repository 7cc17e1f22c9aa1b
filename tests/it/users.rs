//! What admins do about people, and when it counts: at the next request.

use crate::support::{Agent, Answer, Appliance, Browser, parameter};
use keyward::account::group::GroupName;
use keyward::account::user::{Role, User};
use keyward::app::error::OperationError;
use keyward::app::users::By;

const FILE: &str = "\
[servers.tools]
title = \"Tools\"
proxied_url = \"https://tools.example.org/mcp\"
groups = [\"writers\"]
";
const TOOLS: &str = "https://tools.example.org/mcp";
const PASSWORD: &str = "four quiet random words";

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

async fn verify(appliance: &Appliance, token: &str) -> Answer {
    appliance.get("/verify/tools", &[("authorization", &format!("Bearer {token}"))]).await
}

async fn browser_of(appliance: &Appliance, name: &str) -> Browser {
    let mut browser = Browser::new();
    browser.sign_in(appliance, name, PASSWORD).await.expect(303);
    browser
}

/// An appliance with the member ben, who is in the group of writers.
fn with_ben() -> (Appliance, User) {
    let mut appliance = Appliance::with_file(FILE);
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
