//! Admins see who can reach what, never a secret, and take it back.

use crate::support::{Agent, Appliance, Browser, call};

#[tokio::test]
async fn admins_see_everybodys_tokens_and_apps_and_revoke_them() {
    let mut appliance = Appliance::new();
    let ben = appliance.add_member("ben");
    let mut ben_browser = Browser::new();
    ben_browser.sign_in(&appliance, "ben", "four quiet random words").await.expect(303);
    let agent = Agent::register(&appliance, "Claude Code").await;
    let grant = agent.connect(&appliance, &mut ben_browser).await;
    let (id, secret) = appliance.personal_token_of(ben.id, "Bens laptop");
    appliance.personal_token("Adas laptop");
    let mut ada = Browser::signed_in(&appliance).await;
    Agent::register(&appliance, "Cursor").await.connect(&appliance, &mut ada).await;

    let shown = async |ada: &mut Browser, query: &str| {
        let body = ada.get(&appliance, &format!("/dashboard/access{query}")).await.expect(200).body;
        assert!(!body.contains(&secret) && !body.contains("kwr_"), "{query}");
        let table = body.split("<tbody>").nth(1).unwrap_or_default().to_owned();
        ["Claude Code", "Cursor", "Bens laptop", "Adas laptop"].map(|name| table.contains(name))
    };
    let client = format!("?client={}", agent.client_id);
    for (query, rows) in [
        ("", [true, true, false, false]),
        ("?person=ben", [true, false, false, false]),
        (&client, [true, false, false, false]),
        ("?server=keyward", [true, true, false, false]),
        ("?what=tokens", [false, false, true, true]),
        ("?what=tokens&person=Ben", [false, false, true, false]),
        ("?what=tokens&person=nobody", [false, false, false, false]),
        ("?what=tokens&server=keyward", [false, false, true, true]),
        ("?before=x&server=no+server&what=?", [true, true, false, false]),
    ] {
        assert_eq!(shown(&mut ada, query).await, rows, "{query}");
    }
    for (query, text) in [
        ("?person=nobody", "No connected app fits."),
        ("?what=tokens&person=nobody", "No personal token that works fits."),
        ("?what=tokens&before=tok_00000000000000000000000000", "There is nothing older."),
        ("?before=grt_00000000000000000000000000&person=ben", "There is nothing older."),
    ] {
        let page = ada.get(&appliance, &format!("/dashboard/access{query}")).await.expect(200);
        assert!(page.body.contains(text), "{query}: {}", page.body);
        assert_eq!(page.body.contains(">Newest</a>"), query.contains("before"), "{query}");
    }
    let path = format!("/dashboard/users/{}/revoke", ben.id);
    let question = ada.get(&appliance, &format!("{path}?token={id}")).await.expect(200);
    ada.submit(&appliance, &question, &path, &[]).await.expect(303);
    call(&appliance, &secret).await.expect(401);
    call(&appliance, &grant.access_token).await.expect(200);
    assert_eq!(shown(&mut ada, "?what=tokens").await, [false, false, false, true]);
    ben_browser.get(&appliance, "/dashboard/access").await.expect(403);
}

#[tokio::test]
async fn an_older_page_leads_to_the_newest_and_an_empty_one_says_whether_there_is_anything() {
    let appliance = Appliance::with(&[("KEYWARD_TOKENS_PERSONAL_TOKENS_PER_USER", "200")]);
    let mut ada = Browser::signed_in(&appliance).await;
    let none = ada.get(&appliance, "/dashboard/access").await.expect(200);
    assert!(none.body.contains("Nobody has connected an app yet.") && !none.body.contains(">Newest</a>"));
    let none = ada.get(&appliance, "/dashboard/access?what=tokens").await.expect(200);
    assert!(none.body.contains("Nobody has a personal token that works."));
    for number in 0..35 {
        appliance.personal_token(&format!("token-{number}"));
    }
    let link = |body: &str, label: &str| {
        let before = body.split(&format!(">{label}</a>")).next().unwrap().to_owned();
        let address = before.rsplit("href=\"").next().unwrap().split('"').next().unwrap();
        address.replace("&#38;", "&")
    };
    let newest = ada.get(&appliance, "/dashboard/access?what=tokens&person=ada").await.expect(200);
    assert!(newest.body.contains(">Older</a>") && !newest.body.contains(">Newest</a>"));
    let older = ada.get(&appliance, &link(&newest.body, "Older")).await.expect(200);
    assert_eq!(older.body.matches("Revoke<span").count(), 10);
    assert_eq!(link(&older.body, "Newest"), "/dashboard/access?what=tokens&person=ada");
}
