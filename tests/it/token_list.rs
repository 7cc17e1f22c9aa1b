//! The list of personal tokens: found by name and state, page by page, however many there are.

use crate::support::{Answer, Appliance, Browser, call};
use keyward::app::personal_tokens::{NewPersonalToken, TokenFilter, TokenPlace, TokenSort};
use keyward::clock::{Clock, days, hours, minutes};
use keyward::entropy::OsEntropy;
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use std::time::Instant;

const TOKENS: &str = "/dashboard/api-keys";

fn names(page: &Answer) -> Vec<&str> {
    let cells = page.body.split("<th scope=\"row\"><a class=\"quiet\" href=\"").skip(1);
    cells.map(|cell| cell.split_once("\">").unwrap().1.split('<').next().unwrap()).collect()
}

/// The address of a link with this text.
fn link<'a>(page: &'a Answer, rel: &str) -> Option<&'a str> {
    let (before, _) = page.body.split_once(&format!("\" rel=\"{rel}\""))?;
    before.rsplit("href=\"").next()
}

fn make(appliance: &Appliance, name: &str, life: std::time::Duration) -> TokenId {
    let id = TokenId::generate(appliance.clock.now(), &OsEntropy);
    let expires_at = Some(appliance.clock.now() + life);
    let new = NewPersonalToken { id, name: name.to_owned(), expires_at, servers: None, scopes: ScopeSet::mcp() };
    appliance.app.create_personal_token(appliance.admin.id, &new).unwrap();
    id
}

#[tokio::test]
async fn a_list_is_turned_page_by_page_in_both_directions() {
    let appliance = Appliance::with(&[("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", "500")]);
    let mut browser = Browser::signed_in(&appliance).await;
    for number in 0..50 {
        appliance.personal_token(&format!("token-{number:03}"));
        appliance.advance(minutes(1));
    }
    let first = browser.get(&appliance, TOKENS).await.expect(200);
    assert_eq!((names(&first).len(), names(&first)[0], link(&first, "prev")), (20, "token-049", None));
    let second = browser.get(&appliance, &link(&first, "next").unwrap().replace("&#38;", "&")).await.expect(200);
    assert_eq!((names(&second)[0], names(&second)[19]), ("token-029", "token-010"));
    let third = browser.get(&appliance, link(&second, "next").unwrap()).await.expect(200);
    assert_eq!((names(&third).len(), link(&third, "next")), (10, None));
    let back = browser.get(&appliance, link(&third, "prev").unwrap()).await.expect(200);
    assert_eq!(names(&back), names(&second));
    let front = browser.get(&appliance, link(&back, "prev").unwrap()).await.expect(200);
    assert_eq!((names(&front), link(&front, "prev")), (names(&first), None));

    let found = browser.get(&appliance, &format!("{TOKENS}?text=TOKEN-01")).await.expect(200);
    assert_eq!(names(&found).len(), 10);
    for odd in ["?before=x", "?after=tok_x", "?state=nothing", "?text=%00", "?before=x&after=y"] {
        browser.get(&appliance, &format!("{TOKENS}{odd}")).await.expect(200);
    }
    let nobody = browser.get(&appliance, &format!("{TOKENS}?text=zebra")).await.expect(200);
    assert!(nobody.body.contains("No token here fits."));
}

#[tokio::test]
async fn tokens_are_found_by_their_state() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let short = make(&appliance, "short", days(40));
    let revoked = make(&appliance, "revoked", days(300));
    let (_, used) = appliance.personal_token("used");
    call(&appliance, &used).await.expect(200);
    appliance.app.flush_usage().unwrap();
    appliance.app.revoke_personal_token(appliance.admin.id, revoked).unwrap();
    appliance.advance(hours(24 * 31));
    let mut later = Browser::signed_in(&appliance).await;
    std::mem::swap(&mut browser, &mut later);
    for (state, expected) in [
        ("", vec!["used", "revoked", "short"]),
        ("working", vec!["used", "short"]),
        ("soon", vec!["short"]),
        ("unused", vec!["short"]),
        ("ended", vec!["revoked"]),
    ] {
        let page = browser.get(&appliance, &format!("{TOKENS}?state={state}")).await.expect(200);
        let (mut found, mut expected) = (names(&page), expected);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{state}");
    }
    let page = browser.get(&appliance, TOKENS).await.expect(200);
    assert!(page.body.contains("expires soon") && page.body.contains("never used"), "{}", page.body);
    let revoked = format!("{TOKENS}/{revoked}");
    assert!(!browser.get(&appliance, &revoked).await.expect(200).body.contains("<dt>Expire"), "it ended before");
    appliance.advance(days(10));
    let mut later = Browser::signed_in(&appliance).await;
    let short = later.get(&appliance, &format!("{TOKENS}/{short}")).await.expect(200).body;
    assert!(short.contains("<dt>Expired</dt>") && short.contains("1 day ago"), "{short}");
    appliance.advance(days(80));
    appliance.app.sweep().unwrap();
    let mut later = Browser::signed_in(&appliance).await;
    let page = later.get(&appliance, TOKENS).await.expect(200);
    assert_eq!(names(&page).len(), 2, "what ended goes after ninety days: {:?}", names(&page));
}

#[tokio::test]
async fn all_tokens_are_revoked_after_a_question() {
    let mut appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let tokens = ["a", "b", "c"].map(|name| appliance.personal_token(name).1);
    let ben = appliance.add_member("ben");
    let mut browser_again = Browser::signed_in(&appliance).await;
    std::mem::swap(&mut browser, &mut browser_again);
    let (_, others) = appliance.personal_token_of(ben.id, "a");
    let path = "/dashboard/api-keys/revoke-all";
    let question = browser.get(&appliance, path).await.expect(200);
    assert!(question.body.contains("Revoke all 3 tokens?"));
    call(&appliance, &tokens[0]).await.expect(200);
    browser.submit(&appliance, &question, path, &[]).await.expect(303);
    for token in &tokens {
        call(&appliance, token).await.expect(401);
    }
    call(&appliance, &others).await.expect(200);
    browser.get(&appliance, path).await.expect(303);
}

#[tokio::test]
async fn the_page_of_a_new_token_waits_for_its_first_use() {
    let mut appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let (id, token) = appliance.personal_token("Laptop");
    let (page, state) = (format!("{TOKENS}/{id}"), format!("{TOKENS}/{id}/use"));
    let waiting = browser.get(&appliance, &page).await.expect(200);
    assert!(waiting.body.contains("waiting for its first use") && !waiting.body.contains("eyJ"));
    let told = browser.get(&appliance, &state).await.expect(200);
    assert_eq!((told.json()["used"].as_bool(), told.header("cache-control")), (Some(false), "no-store"));
    call(&appliance, &token).await.expect(200);
    let told = browser.get(&appliance, &state).await.expect(200).json();
    assert_eq!(told["used"], true);
    assert!(told["words"].as_str().unwrap().starts_with("used just now from"), "{told}");
    assert!(!browser.get(&appliance, &page).await.expect(200).body.contains("waiting for its first use"));

    appliance.add_member("ben");
    let mut ben = Browser::new();
    ben.sign_in(&appliance, "ben", "four quiet random words").await.expect(303);
    ben.get(&appliance, &state).await.expect(404);
    ben.get(&appliance, &page).await.expect(404);
}

#[tokio::test]
async fn a_link_fills_the_form_in_and_makes_nothing() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let link = "/dashboard/api-keys/new?name=Claude+Code&server=keyward&scope=mcp:read&expires=14&scope=root";
    let page = browser.get(&appliance, link).await.expect(200);
    assert!(page.body.contains("A link has filled this form in.") && page.body.contains("“root” is no scope"));
    assert!(appliance.app.personal_tokens(appliance.admin.id).unwrap().is_empty());
    browser.submit(&appliance, &page, "/dashboard/api-keys/new", &[]).await.expect(200);
    let made = appliance.app.personal_tokens(appliance.admin.id).unwrap().remove(0).token;
    assert_eq!((made.name.as_str(), made.scopes.as_str()), ("Claude Code", "mcp:read"));
    assert!(made.expires_at <= appliance.clock.now() + days(15) && made.expires_at > appliance.clock.now() + days(14));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures how long a page takes")]
fn a_page_of_ten_thousand_tokens_is_quick() {
    let appliance = Appliance::with(&[("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", "900")]);
    let owner = appliance.admin.id;
    let time = |filter: &TokenFilter, place| {
        let mut times: Vec<_> = (0..9)
            .map(|_| {
                let began = Instant::now();
                appliance.app.personal_token_page(owner, filter, place).unwrap();
                appliance.app.personal_token_summary(owner).unwrap();
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[4]
    };
    let all = TokenFilter::default();
    let rare = TokenFilter { text: "zebra".to_owned(), sort: None };
    let live = TokenFilter { text: String::new(), sort: Some(TokenSort::Live) };
    let mut shown = Vec::new();
    for made in [1_000, 10_000] {
        while appliance.app.personal_token_count(owner).unwrap() < made {
            for number in 0..500 {
                appliance.personal_token(&format!("token-{number}"));
            }
            appliance.app.revoke_all_personal_tokens(owner).unwrap();
            appliance.advance(minutes(1));
        }
        let times = [&all, &rare, &live].map(|filter| time(filter, TokenPlace::Newest));
        println!(
            "{made} tokens: newest page {:?}, a name that none has {:?}, those that work {:?}",
            times[0], times[1], times[2]
        );
        shown.push(times);
    }
    let slower = shown[1][0].as_secs_f64() / shown[0][0].as_secs_f64();
    assert!(slower < 5.0, "a page does not grow with the number of tokens: {slower}");
}
