//! In which browsers somebody is signed in, and how that ends.

use crate::events::lines;
use crate::support::{Answer, Appliance, Browser, PASSWORD};
use keyward::clock::{days, minutes};
use keyward::event::EventKind;

const SESSIONS: &str = "/dashboard/security/sessions";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// A browser in which ada is signed in that says what it is.
async fn signed_in_with(appliance: &Appliance, user_agent: &str) -> Browser {
    let mut browser = Browser::new();
    let page = browser.get(appliance, "/login").await;
    let token = Browser::form(&page, "/login").fields[0].1.clone();
    let (cookies, origin) = (browser.cookie_header(), appliance.issuer().to_owned());
    let headers = [("cookie", cookies.as_str()), ("origin", &origin), ("user-agent", user_agent)];
    let fields = [("form_token", token.as_str()), ("username", "ada"), ("password", PASSWORD)];
    let answer = appliance.post_form("/login", &fields, &headers).await.expect(303);
    for cookie in answer.headers.get_all("set-cookie") {
        let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
        browser.cookies.insert(name.to_owned(), value.to_owned());
    }
    browser
}

fn rows(page: &Answer) -> Vec<String> {
    let (_, body) = page.body.split_once("<tbody>").unwrap();
    body.split("</tr>").map(str::to_owned).filter(|row| row.contains("<th")).collect()
}

/// Where the row that shows `text` leads to end it.
fn end_of(page: &Answer, text: &str) -> String {
    let row = rows(page).into_iter().find(|row| row.contains(text)).unwrap();
    let (_, rest) = row.split_once("class=\"danger\" href=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_sees_each_browser_in_plain_words_and_which_one_this_is() {
    let appliance = Appliance::new();
    let mut firefox = signed_in_with(&appliance, FIREFOX).await;
    appliance.advance(minutes(5));
    let mut strange = signed_in_with(&appliance, "<script>alert(1)</script>").await;
    let page = strange.get(&appliance, SESSIONS).await.expect(200);
    let shown = rows(&page);
    assert_eq!(shown.len(), 2);
    assert!(shown[0].contains("a browser") && shown[0].contains("this browser") && shown[0].contains("just now"));
    assert!(shown[1].contains("Firefox on Linux") && !shown[1].contains("this browser"));
    assert!(shown[1].contains("5 minutes ago"), "{}", shown[1]);
    assert!(!page.body.contains("<script>alert"), "what a browser says of itself is not repeated");

    appliance.advance(minutes(1));
    let page = firefox.get(&appliance, SESSIONS).await.expect(200);
    let shown = rows(&page);
    assert!(shown[0].contains("Firefox on Linux") && shown[0].contains("this browser"), "seen last, it stands first");
    assert!(shown[0].contains("just now"), "a visit is seen at once: {}", shown[0]);
}

#[tokio::test]
async fn one_is_ended_after_a_question_and_at_its_next_page() {
    let appliance = Appliance::new();
    let (mut firefox, mut other) = (signed_in_with(&appliance, FIREFOX).await, Browser::signed_in(&appliance).await);
    let page = other.get(&appliance, SESSIONS).await.expect(200);
    let end = end_of(&page, "Firefox");
    let question = other.get(&appliance, &end).await.expect(200);
    assert!(question.body.contains("End Firefox on Linux?"));
    firefox.get(&appliance, "/dashboard").await.expect(200);
    let answer = other.submit(&appliance, &question, &end, &[]).await.expect(303);
    let page = other.visit(&appliance, answer.location()).await.1.expect(200);
    assert!(page.body.contains("The session is over.") && page.body.contains("in this browser only"));
    firefox.get(&appliance, "/dashboard").await.expect(303);
    other.submit(&appliance, &question, &end, &[]).await.expect(404);
    let ended: Vec<_> =
        lines(&appliance).into_iter().filter(|(_, line)| line.kind == EventKind::SessionsEnded).collect();
    assert_eq!(ended.len(), 1);
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let mut appliance = Appliance::new();
    let mut ada = Browser::signed_in(&appliance).await;
    let ben = appliance.add_member("ben");
    let mut bens = Browser::new();
    bens.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let id = appliance.app.sessions(&appliance.admin).unwrap()[0].id;
    let path = format!("{SESSIONS}/{id}/end");
    let page = bens.get(&appliance, SESSIONS).await.expect(200);
    assert!(!page.body.contains(&id.to_string()));
    bens.get(&appliance, &path).await.expect(404);
    let form = Browser::form(&page, "/logout");
    bens.send(&appliance, &path, &form, &[]).await.expect(404);
    ada.get(&appliance, "/dashboard").await.expect(200);
    assert_eq!(appliance.app.session_count(&ben).unwrap(), 1);
}

#[tokio::test]
async fn all_others_are_ended_after_a_question_that_names_them() {
    let appliance = Appliance::new();
    let mut firefox = signed_in_with(&appliance, FIREFOX).await;
    let mut browser = Browser::signed_in(&appliance).await;
    let path = "/dashboard/security/sign-out-everywhere";
    let question = browser.get(&appliance, path).await.expect(200);
    assert!(question.body.contains("End the other session?") && question.body.contains("Firefox on Linux"));
    browser.submit(&appliance, &question, path, &[]).await.expect(303);
    firefox.get(&appliance, "/dashboard").await.expect(303);
    let nothing = browser.get(&appliance, path).await.expect(303);
    assert_eq!(nothing.location(), SESSIONS, "there is nothing to ask");
}

#[tokio::test]
async fn ending_this_one_signs_out() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let id = appliance.app.sessions(&appliance.admin).unwrap()[0].id;
    let path = format!("{SESSIONS}/{id}/end");
    let question = browser.get(&appliance, &path).await.expect(200);
    assert!(question.body.contains("you are signed out"));
    let answer = browser.submit(&appliance, &question, &path, &[]).await.expect(303);
    assert!(browser.visit(&appliance, answer.location()).await.0.starts_with("/login"));
}

#[tokio::test]
async fn visits_keep_a_session_alive_and_survive_a_stop() {
    let mut appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    for _ in 0..3 {
        appliance.advance(days(13));
        browser.get(&appliance, "/dashboard").await.expect(200);
    }
    let seen = appliance.app.sessions(&appliance.admin).unwrap()[0].seen_at;
    appliance.app.flush_usage().unwrap();
    appliance.restart();
    assert_eq!(appliance.app.sessions(&appliance.admin).unwrap()[0].seen_at, seen);
    appliance.advance(days(13));
    browser.get(&appliance, "/dashboard").await.expect(200);
    appliance.advance(days(14));
    browser.get(&appliance, "/dashboard").await.expect(303);
    assert!(appliance.app.sessions(&appliance.admin).unwrap().is_empty());
    let gone = browser.get(&appliance, SESSIONS).await;
    assert!(gone.location().starts_with("/login"));
}
