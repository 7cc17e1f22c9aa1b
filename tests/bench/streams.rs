//! What does it hold in memory? Long answers, long requests and long streams through Keyward, and many streams at once.
//!
//! An answer and a stream flow, so they must not be seen in memory; a request is read whole before it is decided about,
//! so it is seen, and must be gone when it has been passed on.

use crate::process::Server;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hyper::body::Frame;
use std::convert::Infallible;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// Long answers and requests, in bytes.
pub const LONG: usize = 10_000_000;
/// How many of them follow each other.
pub const TIMES: usize = 20;
/// Events of a stream.
pub const EVENTS: usize = 1_000;
/// Streams at once.
pub const STREAMS: usize = 1_000;

/// What was seen in memory, in millions of bytes.
pub struct Grown {
    /// More than before, at most.
    pub peak: f64,
    /// More than before, in the end.
    pub kept: f64,
}

/// What many streams took.
pub struct Held {
    /// Memory of each, in thousands of bytes.
    pub kilobytes: f64,
    /// Memory that was still held when all had been closed, in millions of bytes.
    pub kept: f64,
    /// Descriptors that were still open then.
    pub descriptors: i64,
}

/// Keyward before an upstream that streams.
pub struct Streaming {
    _upstream: Server,
    keyward: Server,
    token: String,
    _config: TempDir,
}

impl Streaming {
    pub fn start() -> Self {
        let upstream = Server::streaming_upstream();
        let config = tempfile::tempdir().unwrap();
        let file = config.path().join("keyward.toml");
        let url = format!("http://127.0.0.1:{}/mcp", upstream.port());
        fs::write(&file, format!("[limits]\nmcp_body = \"16MiB\"\n[servers.up]\nurl = \"{url}\"\n")).unwrap();
        let keyward = Server::keyward_fixture_with(&file);
        let token = keyward.ready()["personal_token"].as_str().unwrap().to_owned();
        let streaming = Self { _upstream: upstream, keyward, token, _config: config };
        assert!(streaming.answer(&call("length", "")) > 0);
        streaming
    }

    /// Answers of 10 MB.
    pub fn answers(&self) -> Grown {
        self.grown(|| assert!(self.answer(&call("long", "")) > LONG))
    }

    /// Requests of 10 MB.
    pub fn requests(&self) -> Grown {
        let long = call("length", &"a".repeat(LONG));
        self.grown(|| assert!(self.answer(&long) > 0))
    }

    /// Streams of 1,000 events.
    pub fn events(&self) -> Grown {
        self.grown(|| assert!(self.answer(&call("events", "")) > 1_000 * EVENTS))
    }

    /// 1,000 streams at once, each heard of and silent from then on.
    pub fn open(&self) -> Held {
        drop(self.opened(10));
        sleep(Duration::from_secs(1));
        let (memory, descriptors) = (self.keyward.resident_mb(), self.keyward.descriptors());
        let open = self.opened(STREAMS);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let kilobytes = (self.keyward.resident_mb() - memory) * 1e3 / STREAMS as f64;
        drop(open);
        sleep(Duration::from_secs(2));
        let left = i64::try_from(self.keyward.descriptors()).unwrap() - i64::try_from(descriptors).unwrap();
        Held { kilobytes, kept: self.keyward.resident_mb() - memory, descriptors: left }
    }

    fn grown(&self, once: impl Fn()) -> Grown {
        let before = self.keyward.resident_mb();
        self.keyward.forget_peak();
        for _ in 0..TIMES {
            once();
        }
        Grown { peak: self.keyward.peak_mb() - before, kept: self.keyward.resident_mb() - before }
    }

    fn opened(&self, count: usize) -> Vec<BufReader<TcpStream>> {
        let mut streams: Vec<_> = (0..count).map(|_| self.send("GET", "")).collect();
        for stream in &mut streams {
            let mut line = String::new();
            while !line.starts_with("data:") {
                line.clear();
                assert_ne!(stream.read_line(&mut line).unwrap(), 0);
            }
        }
        streams
    }

    /// How many bytes the answer to a message has.
    fn answer(&self, message: &str) -> usize {
        let mut stream = self.send("POST", message);
        let (mut read, mut part) = (0, vec![0; 64 * 1024]);
        loop {
            match stream.read(&mut part).unwrap() {
                0 => return read,
                count => read += count,
            }
        }
    }

    fn send(&self, method: &str, message: &str) -> BufReader<TcpStream> {
        let port = self.keyward.port();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (content, end) = match method {
            "POST" => (format!("Content-Type: application/json\r\nContent-Length: {}\r\n", message.len()), "close"),
            _ => (String::new(), "keep-alive"),
        };
        let head = format!(
            "{method} /mcp/up HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench/1\r\nConnection: {end}\r\n\
             Authorization: Bearer {}\r\nAccept: application/json, text/event-stream\r\n\
             MCP-Protocol-Version: 2025-06-18\r\n{content}\r\n",
            self.token
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(message.as_bytes()).unwrap();
        BufReader::new(stream)
    }
}

fn call(tool: &str, text: &str) -> String {
    let params = format!(r#"{{"name":"{tool}","arguments":{{"text":"{text}"}}}}"#);
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

/// The upstream; serves until it is killed.
pub fn serve() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{{\"url\":\"http://{}\"}}", listener.local_addr().unwrap());
        axum::serve(listener, Router::new().route("/mcp", any(respond))).await.unwrap();
    });
}

async fn respond(request: Request) -> Response {
    if request.method() == Method::GET {
        return ([(CONTENT_TYPE, "text/event-stream")], Body::new(Events { left: 1, ends: false, due: true }))
            .into_response();
    }
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let is = |tool: &str| body.windows(tool.len()).take(200).any(|part| part == tool.as_bytes());
    if is("\"events\"") {
        let events = Events { left: EVENTS, ends: true, due: true };
        return ([(CONTENT_TYPE, "text/event-stream")], Body::new(events)).into_response();
    }
    let text = if is("\"long\"") { "a".repeat(LONG) } else { body.len().to_string() };
    let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#);
    ([(CONTENT_TYPE, "application/json")], answer).into_response()
}

/// Events of a kilobyte, each in a part of its own.
struct Events {
    left: usize,
    ends: bool,
    due: bool,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return if self.ends { Poll::Ready(None) } else { Poll::Pending };
        }
        // The one before is sent first.
        self.due = !self.due;
        if self.due {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.left -= 1;
        let notice = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":""#;
        Poll::Ready(Some(Ok(Frame::data(format!("data: {notice}{}\"}}}}\n\n", "a".repeat(1_000)).into()))))
    }
}
