//! A load: one request again and again over connections that are kept, each waiting for its answer.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: u32 = 32;

/// A request to a port of this machine.
pub struct Call {
    port: u16,
    bytes: Vec<u8>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Call {
    /// `tools/call whoami`, as clients send it.
    pub fn whoami(port: u16, token: Option<&str>) -> Self {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}"#;
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench/1\r\n{authorization}\
             Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
             MCP-Protocol-Version: 2025-06-18\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { port, bytes: request.into_bytes() }
    }
}

/// Sends the call once.
pub fn once(call: &Call) -> Answer {
    block_on(async {
        let mut connection = Connection::open(call.port).await;
        let (status, range) = connection.ask(&call.bytes).await;
        Answer { status, body: String::from_utf8(connection.buffer[range].to_vec()).unwrap() }
    })
}

/// Sends the call `count` times; how long that took. Every answer must have the status of the first.
pub fn run(call: &Call, count: u32) -> Duration {
    let expected = once(call).status;
    let began = Instant::now();
    block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (port, bytes) = (call.port, call.bytes.clone());
            tasks.spawn(async move {
                let mut connection = Connection::open(port).await;
                for _ in 0..count / CONNECTIONS {
                    assert_eq!(connection.ask(&bytes).await.0, expected);
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    });
    began.elapsed()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(8192) }
    }

    /// Sends one request; the status, and where the body of the answer lies in the buffer.
    async fn ask(&mut self, request: &[u8]) -> (u16, std::ops::Range<usize>) {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0, "the server closed the connection");
            if let Some(head) = find(&self.buffer, b"\r\n\r\n").map(|at| at + 4) {
                let end = head + content_length(&self.buffer[..head]);
                if self.buffer.len() >= end {
                    assert_eq!(self.buffer.len(), end, "one answer at a time");
                    let status = std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap();
                    return (status, head..end);
                }
            }
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let start = find(head, b"content-length: ").unwrap() + b"content-length: ".len();
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
