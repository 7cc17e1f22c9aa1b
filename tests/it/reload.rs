//! The real program reads the servers of its file again when it is told to, without a restart.

use crate::support::{Events, Served, Upstream, Wire, free_address, make_token, set_up, until};
use axum::http::Method;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const NEW: &str = "/dashboard/servers/new";

fn section(name: &str, upstream: &Upstream, lines: &str) -> String {
    format!("[servers.{name}]\nurl = \"{}\"\n{lines}\n", upstream.url())
}

async fn status(wire: &Wire, server: &str) -> u16 {
    wire.call(&format!("/mcp/{server}"), "echo", json!({"text": "x"})).await.status.as_u16()
}

async fn goes_on(stream: &mut Events, upstream: &Upstream) {
    upstream.step();
    assert!(stream.next().await.unwrap().unwrap().contains("\"step\""));
}

fn rewrite(file: &Path, served: &Served, text: &str) {
    std::fs::write(file, text).unwrap();
    served.hang_up();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_of_the_file_change_without_a_restart_and_without_cutting_other_streams() {
    let directory = tempfile::tempdir().unwrap();
    let (file, log) = (directory.path().join("keyward.toml"), directory.path().join("log"));
    let (files, moved, mail, own) = (Upstream::start(), Upstream::start(), Upstream::start(), Upstream::start());
    std::fs::write(&file, section("files", &files, "") + &section("mail", &mail, "")).unwrap();
    let variables = [("KEYWARD_CONFIG", file.to_str().unwrap())];
    let to_log = std::fs::File::create(&log).unwrap();
    let served = Served::start_with(&directory.path().join("data"), free_address(), to_log, &variables);
    let mut person = set_up(&served);
    let page = person.get(&served, NEW);
    let fields = [("name", "own"), ("url", &*own.url())];
    assert_eq!(person.submit(&served, &page, NEW, &fields).status, 303);
    let (_, token) = make_token(&served, &mut person, "Laptop");
    let wire = Wire::to(served.address, &token);
    assert_eq!((status(&wire, "files").await, status(&wire, "third").await), (200, 404));
    let mut streams = Vec::new();
    for server in ["mail", "own"] {
        streams.push(wire.send(Method::GET, &format!("/mcp/{server}"), &[], String::new()).await.expect(200));
    }

    let mailing = section("mail", &mail, "title = \"Letters\"");
    rewrite(&file, &served, &(section("files", &moved, "") + &mailing + &section("third", &mail, "")));
    until("there is a third", async || status(&wire, "third").await == 200).await;
    assert_eq!(status(&wire, "files").await, 200);
    assert_eq!((files.seen().len(), moved.seen().len()), (1, 1), "files has moved");
    assert_eq!(status(&wire, "own").await, 200, "the dashboard's is still there");
    // Whoever may not go on is told within a second or so.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    goes_on(&mut streams[0], &mail).await;
    goes_on(&mut streams[1], &own).await;

    let logged = || std::fs::read_to_string(&log).unwrap();
    for (wrong, why) in [
        ("[servers.files]\nurl = \"unix:/run/files\"\n", "only http:// and https:// can be forwarded to"),
        ("[servers.files\n", "the servers stay as they were"),
        ("public_url = \"http://localhost:9\"\n", "public_url has changed"),
    ] {
        rewrite(&file, &served, wrong);
        until(why, async || logged().contains(why)).await;
        assert_eq!((status(&wire, "files").await, status(&wire, "third").await), (200, 200), "{wrong}");
    }

    // The file's server has the place, and gives it back.
    rewrite(&file, &served, &(section("own", &moved, "") + &mailing));
    until("files is gone", async || status(&wire, "files").await == 404).await;
    let before = moved.seen().len();
    assert_eq!((status(&wire, "own").await, status(&wire, "third").await), (200, 404));
    assert_eq!(moved.seen().len(), before + 1);
    goes_on(&mut streams[0], &mail).await;
    let ended = tokio::time::timeout(Duration::from_secs(10), streams[1].rest()).await;
    assert_eq!(ended.expect("another server stands there now"), "");
    rewrite(&file, &served, &mailing);
    let seen = own.seen().len();
    until("the dashboard's is back", async || status(&wire, "own").await == 200 && own.seen().len() > seen).await;
    goes_on(&mut streams[0], &mail).await;
    served.stop();
}
