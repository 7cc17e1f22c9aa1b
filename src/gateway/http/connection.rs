//! What is said over one connection to an upstream? A request and its answer at a time (HTTP/1.1, RFC 9112).
//!
//! Nobody but whoever waits for the answer works the connection, and it has no memory of its own while it waits: a stream that
//! is silent costs what its sockets cost. That is why it is not a library's: hyper's client holds three buffers of 8 kB and
//! a task for each. Heads are parsed by the parser that hyper uses.
//!
//! Invariants: the request goes on being sent while its answer comes; a connection is used again only when both are whole and
//! nothing came behind them.

use super::framing::{Framing, Malformed, read_head};
use super::pool::Pool;
use axum::body::Bytes;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, Request, Response};
use bytes::Buf;
use bytes::buf::Chain;
use hyper::body::{Body, Frame, SizeHint};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most that is read at once, in bytes.
const AT_ONCE: usize = 16 * 1024;

/// What bytes come and go over: TCP, or TLS over it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A request as it is sent.
#[derive(Debug)]
pub(super) struct Written {
    head: Bytes,
    content: Bytes,
}

/// A connection to an upstream.
pub(super) struct Connection {
    wire: Box<dyn Wire>,
    /// What is still to be sent.
    outgoing: Chain<Bytes, Bytes>,
    /// Whether a byte of the request was sent, for all that we know.
    has_sent: bool,
    /// Whether nothing can be sent any more. What was received before is good.
    is_deaf: bool,
}

/// Why an answer does not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The upstream closed the connection.
    #[error("it hung up")]
    HungUp,
    /// The connection failed.
    #[error(transparent)]
    Wire(#[from] io::Error),
    /// What it says is no HTTP.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// The request as it is sent: in origin form, with the length of its content.
pub(super) fn written(mut request: Request<Bytes>) -> Written {
    let length = request.body().len();
    if length > 0 || request.method() == Method::POST {
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    let (parts, content) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut head = Vec::with_capacity(1024);
    for part in [parts.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    for (name, value) in &parts.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    Written { head: head.into(), content }
}

impl Connection {
    /// Over what was just connected.
    pub(super) fn new(wire: Box<dyn Wire>) -> Self {
        Self { wire, outgoing: Bytes::new().chain(Bytes::new()), has_sent: false, is_deaf: false }
    }

    /// Whether it is open and silent, as one without a request has to be.
    pub(super) fn is_silent(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        Pin::new(&mut self.wire).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_pending()
    }

    /// Whether a part of the request may have reached the upstream.
    pub(super) const fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// Sends a request and waits for the head of its answer. Dropped before, it closes the connection.
    pub(super) async fn ask(&mut self, request: &Written) -> Result<(Response<Framing>, Rest), Broken> {
        self.outgoing = request.head.clone().chain(request.content.clone());
        self.has_sent = false;
        let mut received = Bytes::new();
        let (head, length) = poll_fn(|context| {
            loop {
                // If that fails, the answer may have come nevertheless.
                let _ = self.poll_send(context);
                let part = ready!(self.poll_receive(context))?;
                if part.is_empty() {
                    return Poll::Ready(Err(Broken::HungUp));
                }
                received = if received.is_empty() { part } else { [&received[..], &part].concat().into() };
                if let Some(head) = read_head(&received)? {
                    return Poll::Ready(Ok(head));
                }
            }
        })
        .await?;
        let rest = Rest { unread: received.slice(length..), stays_open: head.stays_open };
        Ok((head.response.map(|()| head.framing), rest))
    }

    /// Goes on sending; an error is told once.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        let sent = self.poll_send_all(context);
        self.is_deaf = matches!(sent, Poll::Ready(Err(_)));
        sent
    }

    fn poll_send_all(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.outgoing.has_remaining() {
            let mut slices = [io::IoSlice::new(&[]); 2];
            let count = self.outgoing.chunks_vectored(&mut slices);
            let sent = ready!(Pin::new(&mut self.wire).poll_write_vectored(context, &slices[..count]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.has_sent = true;
            self.outgoing.advance(sent);
        }
        Pin::new(&mut self.wire).poll_flush(context)
    }

    /// What comes next; nothing at the end.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        // On the stack, so that whoever waits holds nothing.
        let mut buffer = [MaybeUninit::uninit(); AT_ONCE];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(&mut self.wire).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} bytes to send)", self.outgoing.remaining())
    }
}

/// What came behind a head, and whether the connection stays open.
#[derive(Debug)]
pub(super) struct Rest {
    unread: Bytes,
    stays_open: bool,
}

/// The content of an answer. Its connection is free again when it was read to its end, and closed when it is dropped before.
#[derive(Debug)]
pub(super) struct Answer {
    framing: Framing,
    rest: Rest,
    /// None when it is over.
    connection: Option<Connection>,
    pool: Arc<Pool>,
}

impl Answer {
    /// What comes over `connection`, which belongs to `pool`.
    pub(super) const fn new(framing: Framing, rest: Rest, connection: Connection, pool: Arc<Pool>) -> Self {
        Self { framing, rest, connection: Some(connection), pool }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            if let Some(piece) = self.framing.take(&mut self.rest.unread)? {
                return Poll::Ready(Some(Ok(piece)));
            }
            let Some(connection) = self.connection.as_mut().filter(|_| !self.framing.is_over()) else {
                return Poll::Ready(None);
            };
            // If that fails, the answer may come nevertheless.
            let _ = connection.poll_send(context);
            self.rest.unread = ready!(connection.poll_receive(context))?;
            if self.rest.unread.is_empty() {
                let is_end = self.framing == Framing::UntilClosed;
                self.connection = None;
                return Poll::Ready((!is_end).then_some(Err(Broken::HungUp)));
            }
        }
    }

    /// Gives the connection back if it can be used again.
    fn let_go(&mut self) {
        let is_whole = self.framing.is_over() && self.rest.stays_open && self.rest.unread.is_empty();
        if let Some(connection) = self.connection.take()
            && is_whole
            && !connection.outgoing.has_remaining()
        {
            self.pool.keep(connection);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let piece = ready!(self.poll_piece(context));
        if !matches!(piece, Some(Ok(_))) {
            self.let_go();
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.framing.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.framing.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use http_body_util::{BodyExt as _, Collected};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    /// A connection that holds `room` bytes in each direction, and the upstream's end of it.
    fn connected(room: usize) -> (Connection, DuplexStream) {
        let (ours, theirs) = duplex(room);
        (Connection::new(Box::new(ours)), theirs)
    }

    fn post(content: &'static str) -> Written {
        let request = Request::post("/mcp?a=b").header("host", "upstream").body(Bytes::from_static(content.as_bytes()));
        written(request.unwrap())
    }

    /// Asks, while the upstream does what `answering` says.
    async fn ask(
        mut connection: Connection,
        request: Written,
        answering: impl Future<Output = ()>,
    ) -> (Result<Response<Answer>, Broken>, bool, Arc<Pool>) {
        let pool = Pool::new(Duration::from_secs(4));
        let (answered, ()) = tokio::join!(connection.ask(&request), answering);
        let has_sent = connection.has_sent();
        let answered = answered
            .map(|(response, rest)| response.map(|framing| Answer::new(framing, rest, connection, Arc::clone(&pool))));
        (answered, has_sent, pool)
    }

    #[tokio::test]
    async fn a_request_is_written_as_the_protocol_wants() {
        let (connection, mut upstream) = connected(4096);
        let said = "POST /mcp?a=b HTTP/1.1\r\nhost: upstream\r\ncontent-length: 2\r\n\r\n{}";
        let (answered, ..) = ask(connection, post("{}"), async {
            let mut heard = vec![0; said.len()];
            upstream.read_exact(&mut heard).await.unwrap();
            assert_eq!(String::from_utf8(heard).unwrap(), said);
            upstream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        })
        .await;
        assert_eq!(answered.unwrap().status(), StatusCode::ACCEPTED);

        let request = Request::get("/").body(Bytes::new()).unwrap();
        assert_eq!(written(request).head, "GET / HTTP/1.1\r\n\r\n", "no content, no length");
        let request = Request::post("/").body(Bytes::new()).unwrap();
        assert_eq!(written(request).head, "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
    }

    #[tokio::test]
    async fn a_request_goes_on_being_sent_while_its_answer_comes() {
        let content = "a".repeat(10_000).leak();
        let (connection, mut upstream) = connected(64);
        let (answered, _, pool) = ask(connection, post(content), async {
            upstream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n").await.unwrap();
        })
        .await;
        let echoing = async {
            let mut heard = vec![0; content.len() + 60];
            upstream.read_exact(&mut heard).await.unwrap();
            upstream.write_all(b"1\r\ny\r\n0\r\n\r\n").await.unwrap();
            upstream
        };
        let (read, mut upstream) = tokio::join!(answered.unwrap().into_body().collect(), echoing);
        assert_eq!(read.unwrap().to_bytes(), "xy");
        let mut rest = [0; 64];
        assert!(upstream.read(&mut rest).await.unwrap() > 0, "the end of the request");
        drop(pool);
    }

    #[tokio::test]
    async fn a_connection_whose_request_was_not_read_to_its_end_is_not_used_again() {
        let (connection, mut upstream) = connected(64);
        let (answered, _, pool) = ask(connection, post("a".repeat(1_000).leak()), async {
            upstream.write_all(b"HTTP/1.1 413 Too large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        })
        .await;
        assert_eq!(answered.unwrap().into_body().collect().await.unwrap().to_bytes(), "");
        assert!(pool.take().is_none());
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_to_its_end_is_an_error() {
        for (text, read) in [
            ("content-length: 9\r\n\r\nabc", None),
            ("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", None),
            ("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", None),
            ("transfer-encoding: chunked\r\n\r\n3\r\nabcd", None),
            ("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Some("abc")),
            ("connection: close\r\n\r\nabc", Some("abc")),
            ("content-length: 3\r\n\r\nabcd", Some("abc")),
        ] {
            let (connection, mut upstream) = connected(4096);
            let (answered, _, pool) = ask(connection, post(""), async move {
                upstream.write_all(format!("HTTP/1.1 200 OK\r\n{text}").as_bytes()).await.unwrap();
                upstream.shutdown().await.unwrap();
            })
            .await;
            let content = answered.unwrap().into_body().collect().await.map(Collected::to_bytes);
            assert_eq!(content.as_deref().ok(), read.map(str::as_bytes), "{text}");
            assert!(pool.take().is_none(), "{text}");
        }
    }

    #[tokio::test]
    async fn whether_a_request_may_have_arrived_is_known() {
        let (connection, upstream) = connected(4096);
        drop(upstream);
        let (answered, has_sent, _) = ask(connection, post("{}"), async {}).await;
        assert!(answered.is_err() && !has_sent, "it may be asked again");

        let (connection, mut upstream) = connected(4096);
        let (answered, has_sent, _) = ask(connection, post("{}"), async move {
            let _ = upstream.read(&mut [0; 1]).await.unwrap();
        })
        .await;
        assert!(matches!(answered, Err(Broken::HungUp)) && has_sent, "it may not");
    }
}
