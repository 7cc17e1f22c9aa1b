//! A load: one request again and again over connections that are kept, each waiting for its answer.
//!
//! It asks its connections in turn and never sleeps: to wake a sleeping client costs the server as much as half an answer, and
//! a slow server more often than a fast one, so that would be measured instead of the server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const CONNECTIONS: u32 = 32;

/// The id of a request that is to have another one each time ([`Call::numbered`]).
pub const NUMBER: &str = "1000000000";

/// A request to a port of this machine.
#[derive(Clone)]
pub struct Call {
    port: u16,
    bytes: Vec<u8>,
    /// Where the id lies.
    number: Option<usize>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    /// As it came: with the lengths of its parts if it is chunked.
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
        Self { port, bytes: request.into_bytes(), number: None }
    }

    /// The same in a session of the protocol's older kind.
    pub fn in_session(mut self, session: &str) -> Self {
        let place = find(&self.bytes, b"Content-Length").unwrap();
        self.bytes.splice(place..place, format!("Mcp-Session-Id: {session}\r\n").into_bytes());
        self
    }

    /// The same with another id each time, in the place of [`NUMBER`].
    pub fn numbered(mut self) -> Self {
        self.number = find(&self.bytes, NUMBER.as_bytes());
        assert!(self.number.is_some());
        self
    }
}

impl Answer {
    /// A header's value; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut named = lines.filter(|(is, _)| is.eq_ignore_ascii_case(name));
        named.next().map_or("", |(_, value)| value.trim())
    }
}

/// Sends the call once.
pub fn once(call: &Call) -> Answer {
    let mut connection = Connection::open(call);
    connection.send();
    loop {
        if let Some((status, range)) = connection.answered() {
            let [head, body] = [&connection.buffer[..range.start], &connection.buffer[range]]
                .map(|part| String::from_utf8(part.to_vec()).unwrap());
            return Answer { status, head, body };
        }
    }
}

/// Sends the call `count` times; how long that took. Every answer must have the status of the first.
pub fn run(call: &Call, count: u32) -> Duration {
    let expected = once(call).status;
    let began = Instant::now();
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| Connection::open(call)).collect();
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
struct Connection {
    stream: TcpStream,
    call: Call,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(call: &Call) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, call.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, call: call.clone(), buffer: Vec::with_capacity(8192) }
    }

    /// Sends the request, which is smaller than any socket's buffer.
    fn send(&mut self) {
        static LAST: AtomicU32 = AtomicU32::new(1_000_000_000);
        self.buffer.clear();
        if let Some(place) = self.call.number {
            let number = (LAST.fetch_add(1, Ordering::Relaxed) + 1).to_string();
            self.call.bytes[place..place + NUMBER.len()].copy_from_slice(number.as_bytes());
        }
        assert_eq!(self.stream.write(&self.call.bytes).unwrap(), self.call.bytes.len());
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
        let end = match content_length(&self.buffer[..head]) {
            Some(length) => head + length,
            // The last part of a chunked answer is empty (RFC 9112 §7.1).
            None if self.buffer.ends_with(b"\r\n0\r\n\r\n") => self.buffer.len(),
            None => return None,
        };
        if self.buffer.len() < end {
            return None;
        }
        assert_eq!(self.buffer.len(), end, "one answer at a time");
        Some((std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap(), head..end))
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    let place = |name: &[u8]| Some(find(head, name)? + name.len());
    let start = place(b"content-length: ").or_else(|| place(b"Content-Length: "))?;
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
