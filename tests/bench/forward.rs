//! What does it cost to stand before another HTTP server? A call through Keyward beside the same call through a bare proxy
//! of axum and hyper's client, which knows nothing of MCP and of tokens, both to the same trivial upstream.

use crate::load::{self, Call};
use crate::process::{Server, free_port};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::{Authority, Scheme, Uri};
use axum::response::Response;
use axum::routing::any;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// What is asked of each proxy: a tool that only the upstream knows.
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}"#;

/// What stands before an upstream.
pub struct Chain {
    _upstream: Server,
    pub bare: Server,
    pub keyward: Server,
    pub direct_call: Call,
    pub bare_call: Call,
    pub keyward_call: Call,
    /// Where there is an nginx.
    pub nginx: Option<(Server, Call)>,
    _config: TempDir,
}

impl Chain {
    pub fn start() -> Self {
        let answer = json!({
            "jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "a".repeat(400)}]},
        });
        let upstream = Server::floor(&answer.to_string());
        let bare = Server::bare_proxy(upstream.port());
        let config = tempfile::tempdir().unwrap();
        let file = config.path().join("keyward.toml");
        let url = format!("http://127.0.0.1:{}/mcp", upstream.port());
        fs::write(&file, format!("[servers.up]\nurl = \"{url}\"\n")).unwrap();
        let keyward = Server::keyward_fixture_with(&file);
        let token = keyward.ready()["personal_token"].as_str().unwrap().to_owned();
        let [direct_call, bare_call] = [&upstream, &bare].map(|server| Call::post(server.port(), "/mcp", CALL, None));
        let keyward_call = Call::post(keyward.port(), "/mcp/up", CALL, Some(&token));
        let nginx = nginx(upstream.port(), config.path());
        let chain =
            Self { _upstream: upstream, bare, keyward, direct_call, bare_call, keyward_call, nginx, _config: config };
        let bodies = [&chain.direct_call, &chain.bare_call, &chain.keyward_call].map(|call| load::once(call).body);
        assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2], "{bodies:?}");
        chain
    }
}

/// nginx before the server at `port`: one process without a log, with connections that are kept.
fn nginx(port: u16, folder: &Path) -> Option<(Server, Call)> {
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].map(Path::new).into_iter().find(|path| path.exists())?;
    let own = free_port();
    let kept = "keepalive_requests 100000000; ";
    let file = folder.join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; error_log /dev/null; pid {folder}/pid; events {{}}\n\
         http {{ access_log off; {kept} client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
         upstream up {{ server 127.0.0.1:{port}; keepalive 64; {kept} }}\n\
         server {{ listen 127.0.0.1:{own}; location / {{\n\
         proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n",
        folder = folder.display(),
    );
    fs::write(&file, text).unwrap();
    let arguments = ["-c", file.to_str().unwrap(), "-p", folder.to_str().unwrap()].map(str::to_owned);
    Some((Server::foreign(program, &arguments, own), Call::post(own, "/mcp", CALL, None)))
}

/// Half of the calls took no longer than this.
pub fn half_way(call: &Call, count: usize) -> Duration {
    crate::median(load::times(call, count))
}

/// The bare proxy; serves until it is killed.
pub fn serve() {
    let upstream: Authority = env::var("PROXY_UPSTREAM").unwrap().parse().unwrap();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build(connector);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{{\"url\":\"http://{}\"}}", listener.local_addr().unwrap());
        axum::serve(listener, Router::new().fallback(any(forward)).with_state((client, upstream))).await.unwrap();
    });
}

async fn forward(
    State((client, upstream)): State<(Client<HttpConnector, Body>, Authority)>,
    mut request: Request,
) -> Response {
    let mut uri = request.uri().clone().into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(upstream);
    *request.uri_mut() = Uri::from_parts(uri).unwrap();
    request.headers_mut().remove(HOST);
    client.request(request).await.unwrap().map(Body::new)
}
