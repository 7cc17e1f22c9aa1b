//! An MCP server behind Keyward: a real one on a port of this machine, which does what the call tells it and writes down
//! what it saw.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};

/// A running MCP server.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Value,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    /// Calls and streams that were begun and have not ended, by their own end or because somebody hung up.
    open: AtomicUsize,
    /// Lets `step` and `GET` streams send one more event.
    step: Notify,
    sessions: Mutex<Vec<String>>,
    /// Events that `many` has sent.
    sent: AtomicUsize,
    /// Its tool as it describes it, if that is not just `echo`.
    tool: Mutex<Option<Value>>,
    /// Who it says it is.
    info: Mutex<Option<Value>>,
}

/// Something that is open, until it is dropped.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upstream {
    /// Starts on a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    fn start_at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener: TcpListener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let router = Router::new().route("/mcp", any(answer)).with_state(Arc::clone(&shared));
        Self { address, shared, serving: tokio::spawn(serve(listener, router)) }
    }

    /// Starts one whose tool has this name.
    pub fn naming_its_tool(name: &str) -> Self {
        Self::describing(json!({"name": "x"}), json!({"name": name}))
    }

    /// Starts one that says this of itself and of its tool.
    pub fn describing(info: Value, tool: Value) -> Self {
        let upstream = Self::start();
        *upstream.shared.tool.lock().unwrap() = Some(tool);
        *upstream.shared.info.lock().unwrap() = Some(info);
        upstream
    }

    /// Dies, with all connections.
    pub async fn stop(self) -> SocketAddr {
        self.serving.abort();
        let _ = self.serving.await;
        self.address
    }

    /// Starts again on the same port, having forgotten everything.
    pub async fn restart(self) -> Self {
        let address = self.stop().await;
        Self::start_at(address)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// What it saw so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Forgets what it saw, for whoever counts memory.
    pub fn forget(&self) {
        *self.shared.seen.lock().unwrap() = Vec::new();
    }

    /// The last request that it saw.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("a request")
    }

    /// Lets a stepwise stream send one more event.
    pub fn step(&self) {
        self.shared.step.notify_one();
    }

    /// Calls and streams that are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Events that `many` has sent.
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Waits until that many are open.
    pub async fn until_open(&self, wanted: usize) {
        for _ in 0..500 {
            if self.open() == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} are open, not {wanted}", self.open());
    }
}

impl Seen {
    /// A header's text; empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let target = parts.uri.to_string();
    let seen = Seen { method: parts.method.clone(), target, headers: parts.headers.clone(), body: body.clone() };
    shared.seen.lock().unwrap().push(seen);
    let session = parts.headers.get("mcp-session-id").map(|value| value.to_str().unwrap().to_owned());
    if session.is_some_and(|session| !shared.sessions.lock().unwrap().contains(&session)) {
        return (StatusCode::NOT_FOUND, "no such session").into_response();
    }
    match parts.method {
        Method::GET => stepwise(&shared, 1_000),
        Method::DELETE => {
            shared.sessions.lock().unwrap().clear();
            StatusCode::NO_CONTENT.into_response()
        }
        _ if body["method"] == "initialize" => {
            shared.sessions.lock().unwrap().push("session-1".to_owned());
            let info = shared.info.lock().unwrap().clone().unwrap_or_else(|| json!({"name": "x"}));
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info});
            let mut response = rpc(&body, &result);
            response.headers_mut().insert("mcp-session-id", HeaderValue::from_static("session-1"));
            response
        }
        _ if body["method"] == "tools/list" => {
            let tool = shared.tool.lock().unwrap().clone().unwrap_or_else(|| json!({"name": "echo"}));
            rpc(&body, &json!({"tools": [tool]}))
        }
        _ if body["method"] == "tools/call" => tool(&shared, &body).await,
        _ if body["method"] == "subscriptions/listen" => stepwise(&shared, 1_000),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn tool(shared: &Arc<Shared>, body: &Value) -> Response {
    let arguments = &body["params"]["arguments"];
    match body["params"]["name"].as_str().unwrap() {
        "echo" => rpc(body, &json!({"content": [{"type": "text", "text": arguments["text"]}]})),
        "big" => {
            let text = "0123456789abcdef".repeat(640 * 1024);
            rpc(body, &json!({"content": [{"type": "text", "text": text}]}))
        }
        // Never answers.
        "slow" => {
            let _open = Open::new(shared);
            std::future::pending().await
        }
        // Hangs up without a word.
        "hang-up" => panic!("as asked"),
        "steps" => stepwise(shared, arguments["count"].as_u64().unwrap()),
        "many" => {
            let (sender, stream) = stream();
            let count = arguments["count"].as_u64().unwrap();
            let (open, shared) = (Open::new(shared), Arc::clone(shared));
            tokio::spawn(async move {
                let _open = open;
                let event = Bytes::from(format!("data: {}\n\n", "x".repeat(16 * 1024)));
                for _ in 0..count {
                    if sender.send(Ok(event.clone())).await.is_err() {
                        return;
                    }
                    shared.sent.fetch_add(1, Ordering::SeqCst);
                }
            });
            event_stream(stream)
        }
        // Begins a stream and dies.
        "die" => {
            let (sender, stream) = stream();
            tokio::spawn(async move {
                let _ = sender.send(Ok(Bytes::from_static(b"data: {\"step\":1}\n\n"))).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
                let _ = sender.send(Err("dead")).await;
            });
            event_stream(stream)
        }
        // Answers with this status, these headers and this body.
        "answer" => {
            let status = StatusCode::from_u16(u16::try_from(arguments["status"].as_u64().unwrap()).unwrap()).unwrap();
            let mut response = (status, arguments["body"].as_str().unwrap_or_default().to_owned()).into_response();
            for (name, value) in arguments["headers"].as_object().into_iter().flatten() {
                let name: header::HeaderName = name.parse().unwrap();
                response.headers_mut().insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
            }
            response
        }
        other => panic!("no tool {other}"),
    }
}

fn rpc(body: &Value, result: &Value) -> Response {
    axum::Json(json!({"jsonrpc": "2.0", "id": body["id"], "result": result})).into_response()
}

/// Sends an event at each step.
fn stepwise(shared: &Arc<Shared>, count: u64) -> Response {
    let (sender, stream) = stream();
    let (open, shared) = (Open::new(shared), Arc::clone(shared));
    tokio::spawn(async move {
        let _open = open;
        for step in 1..=count {
            tokio::select! {
                () = shared.step.notified() => {}
                () = sender.closed() => return,
            }
            let event = format!("id: {step}\ndata: {{\"step\":{step}}}\n\n");
            if sender.send(Ok(event.into())).await.is_err() {
                return;
            }
        }
    });
    event_stream(stream)
}

fn event_stream(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

type Part = Result<Bytes, &'static str>;

/// A body that is what its sender sends.
fn stream() -> (mpsc::Sender<Part>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Body::new(Parts(receiver)))
}

struct Parts(mpsc::Receiver<Part>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
