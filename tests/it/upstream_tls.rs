//! MCP servers at https URLs: a real one behind real TLS, whose certificate an authority of one's own has issued.

use crate::support::{Appliance, Browser, CERTIFICATE, TlsFront, Upstream, Wire};
use serde_json::json;
use std::io::Write;
use tempfile::NamedTempFile;

const FILES: &str = "/mcp/files";

/// An upstream behind TLS, guarded by its URL; the certificates in `roots` count.
async fn guard(roots: Option<&str>) -> (Upstream, TlsFront, Appliance) {
    let upstream = Upstream::start();
    let front = TlsFront::before(upstream.address).await;
    let mut pem = NamedTempFile::new().unwrap();
    pem.write_all(roots.unwrap_or_default().as_bytes()).unwrap();
    let roots = roots.map(|_| format!("[upstreams]\nextra_roots = \"{}\"\n", pem.path().display())).unwrap_or_default();
    let appliance = Appliance::with_file(&format!("{roots}[servers.files]\nurl = \"{}\"\n", front.url()));
    (upstream, front, appliance)
}

#[tokio::test]
async fn an_authority_of_ones_own_counts_where_it_is_named() {
    let (upstream, front, appliance) = guard(Some(CERTIFICATE)).await;
    let (_, token) = appliance.personal_token("Laptop");
    let wire = Wire::to(appliance.listen(), &token);
    for text in ["one", "two", "three"] {
        let answer = wire.call(FILES, "echo", json!({"text": text})).await.expect(200).json().await;
        assert_eq!(answer["result"]["content"][0]["text"], text);
    }
    assert_eq!(front.shaken(), 1, "the connection is kept");
    assert_eq!(upstream.last().header("host"), front.url()["https://".len()..].trim_end_matches("/mcp"));

    let mut events = wire.call(FILES, "many", json!({"count": 200})).await.expect(200);
    assert_eq!(events.rest().await.matches("data:").count(), 200);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_ends_it() {
    let (upstream, front, appliance) = guard(None).await;
    let (_, token) = appliance.personal_token("Laptop");
    let wire = Wire::to(appliance.listen(), &token);
    wire.call(FILES, "echo", json!({"text": "secret"})).await.expect(502);

    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, "/dashboard/servers/files").await.expect(200);
    let tested = browser.submit(&appliance, &page, "/dashboard/servers/files/test", &[]).await.expect(200).body;
    assert!(
        tested.contains("issued by nobody whom Keyward trusts") && tested.contains("upstreams.extra_roots"),
        "{tested}"
    );
    assert_eq!((upstream.seen().len(), front.shaken()), (0, 0), "nothing was sent");
}

#[test]
fn a_file_without_a_certificate_stops_the_start() {
    for (text, problem) in [("no PEM", "there is no certificate in it"), ("", "there is no certificate in it")] {
        let mut pem = NamedTempFile::new().unwrap();
        pem.write_all(text.as_bytes()).unwrap();
        for variable in ["KEYWARD_UPSTREAMS_EXTRA_ROOTS", "KEYWARD_OAUTH_CLIENT_DOCUMENTS_EXTRA_ROOTS"] {
            let refused = std::panic::catch_unwind(|| Appliance::with(&[(variable, pem.path().to_str().unwrap())]));
            let told = refused.err().and_then(|told| told.downcast::<String>().ok()).unwrap();
            assert!(told.contains(problem), "{told}");
        }
    }
}
