//! What the log of the real program says of servers that fail: the server's name and the reason, which clients are not told.

use crate::support::{Served, free_address, make_token, set_up};
use serde_json::{Value, json};
use std::time::Duration;

const SECRET: &str = "hunter2";

#[test]
fn the_log_names_the_server_and_the_reason_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let (file, log) = (directory.path().join("keyward.toml"), directory.path().join("log"));
    let closed = free_address();
    let complains = "echo \"the disk is full\" >&2; exit 3";
    let text = format!(
        "[servers.down]\nurl = \"http://{closed}/mcp?key={SECRET}\"\n\
         credential = {{ environment = \"DOWN_KEY\", prefix = \"Bearer \" }}\n\
         [servers.loud]\ncommand = [\"sh\", \"-c\", {complains:?}]\nenvironment = {{ KEY = \"{SECRET}\" }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let variables = [("KEYWARD_CONFIG", file.to_str().unwrap()), ("DOWN_KEY", SECRET)];
    let to_log = std::fs::File::create(&log).unwrap();
    let served = Served::start_with(&directory.path().join("data"), free_address(), to_log, &variables);
    let mut person = set_up(&served);
    let (_, token) = make_token(&served, &mut person, "Laptop");
    let bearer = format!("Bearer {token}");
    for (server, inner) in [("down", closed.to_string()), ("loud", "the disk is full".to_owned())] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        let reply = served.send("POST", &format!("/mcp/{server}"), &headers, &call);
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, &body["id"], &body["error"]["code"]), (502, &json!(1), &json!(502)));
        assert!(!reply.body.contains(&inner), "{}", reply.body);
    }
    let has = |line: &str, parts: &[&str]| parts.iter().all(|part| line.contains(part));
    let wanted: [&[&str]; 3] = [
        &["\"server\":\"down\"", "cannot connect", "Connection refused"],
        &["\"server\":\"loud\"", "the child says", "the disk is full"],
        &["\"server\":\"loud\"", "the child does not start", "status 3"],
    ];
    for _ in 0..100 {
        let log = std::fs::read_to_string(&log).unwrap();
        if wanted.iter().all(|parts| log.lines().any(|line| has(line, parts))) {
            assert!(!log.contains(SECRET) && !log.contains(&token), "{log}");
            return served.stop();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not in the log: {}", std::fs::read_to_string(&log).unwrap());
}
