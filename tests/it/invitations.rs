//! How people get accounts: by a link that works once.

use crate::support::{Answer, Appliance, Browser};
use keyward::account::group::GroupName;
use keyward::account::invitation::InvitationState;
use keyward::account::user::Role;
use keyward::app::Caller;
use keyward::clock::{days, minutes};

const NEW: &str = "/dashboard/invitations/new";
const PASSWORD: &str = "a lantern over the harbour";

fn path(secret: &str) -> String {
    format!("/invitation?secret={secret}")
}

fn chosen<'f>(name: &'f str, password: &'f str) -> [(&'static str, &'f str); 3] {
    [("username", name), ("password", password), ("password_again", password)]
}

/// The path of the link that a page shows.
fn shown_link(page: &Answer) -> Option<String> {
    let (_, rest) = page.body.split_once("<pre id=\"link\"><code>")?;
    Some(rest.split('<').next()?.strip_prefix("http://127.0.0.1:8080")?.to_owned())
}

#[tokio::test]
async fn a_link_is_shown_once_and_gives_its_role_and_groups() {
    let appliance = Appliance::new();
    appliance.app.create_group(appliance.by_admin(), &GroupName::parse("writers").unwrap(), "").unwrap();
    let mut admin = Browser::signed_in(&appliance).await;
    let form = admin.get(&appliance, NEW).await.expect(200);
    let fields = [("role", "admin"), ("group", "writers"), ("note", "Grace, from Ghent")];
    let made = admin.submit(&appliance, &form, NEW, &fields).await.expect(200);
    let link = shown_link(&made).unwrap();
    assert_eq!(made.header("cache-control"), "no-store");
    let again = admin.submit(&appliance, &form, NEW, &fields).await.expect(200);
    assert!(shown_link(&again).is_none() && again.body.contains("already shown"));
    let list = admin.get(&appliance, "/dashboard/invitations").await.expect(200);
    for part in ["Grace, from Ghent", "open", "admin", "writers", "by ada"] {
        assert!(list.body.contains(part), "{part}");
    }
    let secret = link.split_once('=').unwrap().1;
    assert!(!list.body.contains(secret), "the list has no secret");

    let mut grace = Browser::new();
    let page = grace.get(&appliance, &link).await.expect(200);
    assert!(page.body.contains("<strong>ada</strong> invites you") && !page.body.contains("Ghent"));
    assert_eq!(page.header("referrer-policy"), "same-origin");
    for (name, password) in [("ada", PASSWORD), ("a b", PASSWORD), ("grace", "short"), ("grace", "Grace-grace-1")] {
        let fields = chosen(name, password);
        let refused = grace.submit(&appliance, &page, "/invitation", &fields).await.expect(422);
        assert!(refused.body.contains("class=\"problem\""), "{name} {password}");
    }
    let fields = chosen("grace", PASSWORD);
    let joined = grace.submit(&appliance, &page, "/invitation", &fields).await.expect(303);
    assert!(grace.get(&appliance, joined.location()).await.expect(200).body.contains("The account is yours"));
    grace.get(&appliance, "/dashboard/users").await.expect(200);
    let user = appliance.app.user_called("grace").unwrap().unwrap();
    assert_eq!((user.role, user.groups.len()), (Role::Admin, 1));
    assert_eq!(appliance.app.live().user(user.id).unwrap().groups, user.groups);

    let over = Browser::new().get(&appliance, &link).await.expect(410);
    assert!(over.body.contains("was used") && over.body.contains("sign in"), "{}", over.body);
    grace.submit(&appliance, &page, "/invitation", &chosen("grace2", PASSWORD)).await.expect(410);
    let list = admin.get(&appliance, "/dashboard/invitations").await.expect(200);
    assert!(list.body.contains("used") && list.body.contains(">grace</a>"));
}

#[tokio::test]
async fn a_name_that_was_chosen_for_somebody_stays() {
    let appliance = Appliance::new();
    let secret = appliance.invite(|new| "Grace".clone_into(&mut new.name));
    let mut grace = Browser::new();
    let page = grace.get(&appliance, &path(&secret)).await.expect(200);
    assert!(page.body.contains("value=\"Grace\"") && page.body.contains("readonly"));
    grace.submit(&appliance, &page, "/invitation", &chosen("eve", PASSWORD)).await.expect(303);
    assert!(appliance.app.user_called("eve").unwrap().is_none());
    assert_eq!(appliance.app.user_called("grace").unwrap().unwrap().name.as_str(), "Grace");
    let mut admin = Browser::signed_in(&appliance).await;
    let form = admin.get(&appliance, NEW).await.expect(200);
    let taken = admin.submit(&appliance, &form, NEW, &[("username", "GRACE")]).await.expect(422);
    assert!(taken.body.contains("Somebody has the user name GRACE already"));
}

#[tokio::test]
async fn a_link_ends_by_time_by_an_admin_and_with_its_maker() {
    let mut appliance = Appliance::new();
    let carl = appliance.add_member("carl");
    let mut visitor = Browser::new();
    let secret = appliance.invite(|_| {});
    appliance.advance(minutes(72 * 60 - 1));
    let page = visitor.get(&appliance, &path(&secret)).await.expect(200);
    appliance.advance(minutes(1));
    let over = visitor.submit(&appliance, &page, "/invitation", &chosen("grace", PASSWORD)).await.expect(410);
    assert!(over.body.contains("good for 72 hours") && over.body.contains("Ask an admin"), "no sweep was needed");

    let secret = appliance.invite(|_| {});
    let mut admin = Browser::signed_in(&appliance).await;
    let id = appliance.app.invitations().unwrap()[0].invitation.id;
    let revoke = format!("/dashboard/invitations/{id}/revoke");
    let asked = admin.get(&appliance, &revoke).await.expect(200);
    admin.submit(&appliance, &asked, &revoke, &[]).await.expect(303);
    let over = visitor.get(&appliance, &path(&secret)).await.expect(410);
    assert!(over.body.contains("was taken back"));

    let secret = appliance.invite(|_| {});
    appliance.app.change_user(appliance.by_admin(), carl.id, Role::Admin, &[]).unwrap();
    appliance.app.disable_user(appliance.by_admin(), appliance.admin.id).unwrap();
    visitor.get(&appliance, &path(&secret)).await.expect(410);
    let refused = appliance.app.accept_invitation(&secret, "grace", PASSWORD, &Caller::default());
    assert!(refused.is_err(), "whoever made it may not invite any more");

    for strange in ["", "x", "kwn_0", &secret[..secret.len() - 1]] {
        visitor.get(&appliance, &path(strange)).await.expect(404);
    }
    assert_eq!(appliance.app.invitations().unwrap().len(), 3);
    appliance.advance(days(94));
    appliance.app.sweep().unwrap();
    assert!(appliance.app.invitations().unwrap().is_empty());
}

#[test]
fn of_many_who_send_one_link_at_once_one_gets_in() {
    let appliance = Appliance::new();
    let secret = appliance.invite(|_| {});
    let app = &appliance.app;
    let joined = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|number| {
                let (secret, name) = (secret.as_str(), format!("guest-{number}"));
                scope.spawn(move || app.accept_invitation(secret, &name, PASSWORD, &Caller::default()).is_ok())
            })
            .collect();
        tries.into_iter().map(|tried| usize::from(tried.join().unwrap())).sum::<usize>()
    });
    assert_eq!(joined, 1);
    assert_eq!(app.users("guest-", 1).unwrap().matching, 1);
    assert!(matches!(app.invitations().unwrap()[0].state, InvitationState::Used(_)));
}

#[tokio::test]
async fn a_group_that_went_since_keeps_nobody_out() {
    let appliance = Appliance::new();
    let writers = GroupName::parse("writers").unwrap();
    appliance.app.create_group(appliance.by_admin(), &writers, "").unwrap();
    let secret = appliance.invite(|new| new.groups.push(writers.clone()));
    appliance.app.remove_group(appliance.by_admin(), &writers).unwrap();
    appliance.app.accept_invitation(&secret, "grace", PASSWORD, &Caller::default()).unwrap();
    assert!(appliance.app.user_called("grace").unwrap().unwrap().groups.is_empty());
}
