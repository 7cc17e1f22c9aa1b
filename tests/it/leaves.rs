//! Lists that grow long are shown a page at a time, and no page grows heavy.

use crate::support::{Agent, Appliance, Browser};
use keyward::account::group::GroupName;
use std::collections::BTreeSet;
use std::fs;

/// Most that a page weighs with everything that it loads, in bytes.
const MOST_BYTES: usize = 60_000;
const ROWS: usize = 60;

/// What the rows of a list lead to, on all of its pages.
async fn rows(appliance: &Appliance, browser: &mut Browser, list: &str) -> (usize, Vec<String>) {
    let assets = ["app.css", "app.js"].map(|name| fs::read(format!("assets/{name}")).unwrap().len());
    let (mut pages, mut rows, mut next) = (0, Vec::new(), Some(list.to_owned()));
    while let Some(path) = next {
        let page = browser.get(appliance, &path).await.expect(200).body;
        let weight = page.len() + assets.iter().sum::<usize>();
        assert!(weight < MOST_BYTES, "{path} weighs {weight} bytes");
        let links =
            |before: &'static str| page.split(before).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        rows.extend(links("class=\"danger\" href=\""));
        let previous = links("rel=\"prev\" href=\"").next();
        assert_eq!(previous, (pages > 0).then(|| format!("{list}?page={pages}")), "{path}");
        pages += 1;
        next = links("rel=\"next\" href=\"").next();
    }
    (pages, rows)
}

#[tokio::test]
async fn each_row_of_a_long_list_is_on_one_of_its_pages() {
    let appliance = Appliance::with(&[("KEYWARD_LIMITS_RATE_LIMITS", "false")]);
    let mut admin = Browser::signed_in(&appliance).await;
    let often = Agent::register(&appliance, "An editor that is connected again and again").await;
    for number in 0..ROWS {
        let name = GroupName::parse(&format!("{number}-{}", "g".repeat(50))).unwrap();
        appliance.app.create_group(appliance.by_admin(), &name, &"What it is for. ".repeat(10)).unwrap();
        appliance.invite(|new| new.note = format!("Somebody who comes on day {number}"));
        let once = Agent::register(&appliance, &format!("Client {number} with a rather long name for a list")).await;
        (if number % 20 == 0 { &once } else { &often }).connect(&appliance, &mut admin).await;
    }
    for (list, count) in [("groups", ROWS), ("invitations", ROWS), ("clients", ROWS + 1), ("connections", ROWS)] {
        let (pages, rows) = rows(&appliance, &mut admin, &format!("/dashboard/{list}")).await;
        assert_eq!((pages, rows.len()), (3, count), "{list}");
        assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), count, "{list}");
    }
    let page = admin.get(&appliance, "/dashboard/connections?page=2").await.expect(200);
    assert!(page.body.contains("57 connections, one for each time"), "those of one client stand together");
}
