//! A load: one request again and again over connections that are kept, each waiting for its answer.
//!
//! It asks its connections in turn and never sleeps: to wake a sleeping client costs the server as much as half an answer, and
//! a slow server more often than a fast one, so that would be measured instead of the server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

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
        Self::post(port, "/mcp", body, token)
    }

    /// A message, as clients send it.
    pub fn post(port: u16, path: &str, body: &str, token: Option<&str>) -> Self {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench/1\r\n{authorization}\
             Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
             MCP-Protocol-Version: 2025-06-18\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { port, bytes: request.into_bytes() }
    }
}

/// Sends the call once.
pub fn once(call: &Call) -> Answer {
    let mut connection = Connection::open(call);
    connection.send();
    loop {
        if let Some((status, range)) = connection.answered() {
            return Answer { status, body: String::from_utf8(connection.buffer[range].to_vec()).unwrap() };
        }
    }
}

/// Sends the call `count` times; how long that took. Every answer must have the status of the first.
pub fn run(call: &Call, count: u32) -> Duration {
    let expected = once(call).status;
    let began = Instant::now();
    let mut connections: Vec<Connection<'_>> = (0..CONNECTIONS).map(|_| Connection::open(call)).collect();
    connections.iter_mut().for_each(Connection::send);
    let (mut sent, mut answered) = (CONNECTIONS, 0);
    while answered < count {
        for connection in &mut connections {
            if let Some((status, _)) = connection.answered() {
                assert_eq!(status, expected);
                answered += 1;
                if sent < count {
                    connection.send();
                    sent += 1;
                }
            }
        }
    }
    began.elapsed()
}

/// How long each of `count` calls took, one after the other over one connection.
pub fn times(call: &Call, count: usize) -> Vec<Duration> {
    let mut connection = Connection::open(call);
    let mut one = || {
        let began = Instant::now();
        connection.send();
        while connection.answered().is_none() {}
        began.elapsed()
    };
    (0..count).map(|_| one()).collect()
}

/// One connection, which never waits.
struct Connection<'a> {
    stream: TcpStream,
    request: &'a [u8],
    buffer: Vec<u8>,
}

impl<'a> Connection<'a> {
    fn open(call: &'a Call) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, call.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, request: &call.bytes, buffer: Vec::with_capacity(8192) }
    }

    /// Sends the request, which is smaller than any socket's buffer.
    fn send(&mut self) {
        self.buffer.clear();
        assert_eq!(self.stream.write(self.request).unwrap(), self.request.len());
    }

    /// The status, and where the body lies in the buffer, if the answer is there.
    fn answered(&mut self) -> Option<(u16, Range<usize>)> {
        let mut part = [0; 8192];
        match self.stream.read(&mut part) {
            Ok(0) => panic!("the server closed the connection"),
            Ok(read) => self.buffer.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("{error}"),
        }
        let head = find(&self.buffer, b"\r\n\r\n")? + 4;
        let end = head + content_length(&self.buffer[..head]);
        if self.buffer.len() < end {
            return None;
        }
        assert_eq!(self.buffer.len(), end, "one answer at a time");
        Some((std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap(), head..end))
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
