//! How do connections come in, and how do they end? HTTP/1.1 and HTTP/2 in the clear, for a proxy that terminates TLS.
//!
//! Invariants: at most [`Limits::connections`] are open, and of one address no more than [`Peers`] admits; one that does not
//! send the head of a request in time is closed, whatever it sends instead, and so is one that rests for too long
//! (`activity`); on a stop nothing new is accepted, requests in flight get their answer, and after
//! [`GRACE`] the rest is cut off.

use crate::serve::activity::{Activity, Answering, Verdict, Watched};
use crate::serve::opening::{Spoken, recognise};
use crate::serve::peers::{PeerPlace, Peers};
use crate::serve::unread::Unread;
use crate::wire::client_address::PeerAddress;
use crate::wire::limits::Limits;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Sleep;
use tower::Service;

/// How long requests in flight may take after a stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// Pause after the kernel refuses a connection, mostly because the process has too many files open.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// An address that is ours and on which nobody can connect yet.
#[derive(Debug)]
pub struct BoundSocket {
    socket: TcpSocket,
    address: SocketAddr,
}

impl BoundSocket {
    /// Takes the address; port 0 takes a free one.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// The address with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on clients can connect.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.socket.listen(BACKLOG)
    }
}

/// Accepts connections and serves `router` on them until `stop` is done, then winds up.
pub async fn serve<R>(
    listener: TcpListener,
    router: R,
    limits: Limits,
    peers: Arc<Peers>,
    stop: impl Future<Output = ()>,
) where
    R: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stopping, watch_stop) = watch::channel(false);
    let connections = Connections { builders: Arc::new(Builders::new(&limits)), router, limits, watch_stop };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let Some(peer_place) = peers.admit(peer.ip()) else { continue };
        tokio::spawn(connections.serve(stream, peer, (place, peer_place)));
    }
    drop(listener);
    stopping.send_replace(true);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(GRACE, places.acquire_many(all)).await.is_err() {
        tracing::warn!("some requests were still running after {} seconds and were cut off", GRACE.as_secs());
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(AFTER_REFUSAL).await;
            None
        }
    }
}

/// How each version is spoken.
struct Builders {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Builders {
    fn new(limits: &Limits) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.header_bytes).max_headers(100);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(limits.header_read_timeout)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(limits.http2_streams);
        Self { http1, http2 }
    }
}

struct Connections<R> {
    builders: Arc<Builders>,
    router: R,
    limits: Limits,
    watch_stop: watch::Receiver<bool>,
}

impl<R> Connections<R>
where
    R: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    /// Serves one connection to its end, in its place among the connections.
    fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        places: (OwnedSemaphorePermit, PeerPlace),
    ) -> impl Future<Output = ()> + Send + use<R> {
        let builders = Arc::clone(&self.builders);
        let router = self.router.clone();
        let limits = self.limits;
        let mut watch_stop = self.watch_stop.clone();
        async move {
            let _places = places;
            // Failure leaves small answers slower, nothing else.
            let _ = stream.set_nodelay(true);
            let activity = Activity::new();
            let mut look = pin!(tokio::time::sleep(limits.header_read_timeout));
            let (spoken, stream) = tokio::select! {
                biased;
                recognised = recognise(stream) => match recognised {
                    Ok(recognised) => recognised,
                    Err(error) => return tracing::debug!(%peer, %error, "the connection ended"),
                },
                // There can be no request yet.
                () = &mut look => return,
                _ = watch_stop.wait_for(|stopping| *stopping) => return,
            };
            let service = hyper::service::service_fn({
                let (activity, unread) = (activity.clone(), Unread::default());
                move |request: hyper::Request<Incoming>| {
                    let in_flight = activity.begin(request.version());
                    let unread = unread.clone();
                    let mut request = unread.lend(request);
                    request.extensions_mut().insert(PeerAddress(peer));
                    let answer = router.clone().call(request);
                    async move {
                        let mut answer = answer.await?;
                        unread.settle(&mut answer).await;
                        Ok::<_, Infallible>(answer.map(|body| Answering::new(body, in_flight)))
                    }
                }
            });
            let stream = TokioIo::new(Watched { stream, activity: activity.clone() });
            let mut rest = Rest { activity: &activity, limits: &limits, look, watch_stop: &mut watch_stop };
            let ended = match spoken {
                Spoken::Http1 => rest.drive(pin!(builders.http1.serve_connection(stream, service))).await,
                // Larger by far, and rare.
                Spoken::Http2 => rest.drive(Box::pin(builders.http2.serve_connection(stream, service)).as_mut()).await,
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "the connection ended");
            }
        }
    }
}

/// What ends a connection other than its client and itself.
struct Rest<'a> {
    activity: &'a Activity,
    limits: &'a Limits,
    /// When the activity is judged the next time.
    look: Pin<&'a mut Sleep>,
    watch_stop: &'a mut watch::Receiver<bool>,
}

impl Rest<'_> {
    /// Lets `connection` work until it ends, by itself or because it has to.
    async fn drive<C>(&mut self, mut connection: Pin<&mut C>) -> Result<(), C::Error>
    where
        C: GracefulConnection,
    {
        let mut winding_up = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => return ended,
                () = &mut self.look => {
                    let wait = match self.activity.judge(self.limits) {
                        Verdict::Wait(wait) => wait,
                        Verdict::WindUp if !winding_up => {
                            winding_up = true;
                            connection.as_mut().graceful_shutdown();
                            self.limits.header_read_timeout
                        }
                        Verdict::WindUp | Verdict::Cut => return Ok(()),
                    };
                    self.look.as_mut().reset(tokio::time::Instant::now() + wait);
                }
                _ = self.watch_stop.wait_for(|stopping| *stopping), if !winding_up => {
                    winding_up = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client_address::TrustedProxies;
    use axum::body::Body;
    use axum::routing::{get, post};
    use axum::{Extension, Router};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;

    struct Running {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        ended: JoinHandle<()>,
        /// Lets `/slow` answer.
        answer: Arc<Notify>,
        /// Told when `/slow` has begun.
        begun: Arc<Notify>,
    }

    fn start(limits: Limits) -> Running {
        let (answer, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (answer, begun) = (Arc::clone(&answer), Arc::clone(&begun));
            move || async move {
                begun.notify_one();
                answer.notified().await;
                "slow answer"
            }
        };
        let router = Router::new()
            .route("/peer", get(|Extension(PeerAddress(peer)): Extension<PeerAddress>| async move { peer.to_string() }))
            .route("/slow", get(slow))
            .route("/unread", post(|| async { "not read" }))
            .route("/read", post(|body: String| async move { body }));
        let socket = BoundSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.address();
        let listener = socket.listen().unwrap();
        let (stop, stopped) = oneshot::channel();
        let peers = Peers::new(limits.connections_per_address, TrustedProxies::default());
        let ended = tokio::spawn(serve(listener, router, limits, peers, async move {
            let _ = stopped.await;
        }));
        Running { address, stop, ended, answer, begun }
    }

    fn quick() -> Limits {
        Limits { header_read_timeout: Duration::from_millis(150), connections: 2, ..Limits::default() }
    }

    async fn exchange(address: SocketAddr, sent: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await.expect("an end");
        answer
    }

    fn request(path: &str, headers: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
    }

    #[tokio::test]
    async fn a_request_knows_its_peer() {
        let running = start(Limits::default());
        let answer = exchange(running.address, &request("/peer", "")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("127.0.0.1:"), "{answer}");
    }

    #[tokio::test]
    async fn whoever_does_not_finish_a_head_is_let_go_and_its_place_is_free_again() {
        let running = start(quick());
        // Nothing, the beginning of either version, half a head: twice as many as there are places.
        let (nothing, either, half, preface) = tokio::join!(
            exchange(running.address, ""),
            exchange(running.address, "P"),
            exchange(running.address, "GET / HTTP/1.1\r\nhost: x\r\n"),
            exchange(running.address, "PRI * HTTP/2.0\r\n\r\nSM\r\n"),
        );
        for answer in [nothing, either, half, preface] {
            assert!(!answer.contains("200"), "{answer}");
        }
        assert!(exchange(running.address, &request("/peer", "")).await.contains("200 OK"));
    }

    /// Sends a request on a connection that is kept, and reads the answer's head and body.
    async fn ask(stream: &mut TcpStream, path: &str) -> String {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    /// Sends the head of a POST, and `body` some moments later; reads the answer.
    async fn post_in_two(stream: &mut TcpStream, path: &str, headers: &str, body: &[u8]) -> String {
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(body).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    #[tokio::test]
    async fn a_body_that_nobody_reads_does_not_end_its_connection() {
        let running = start(Limits::default());
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        for _ in 0..2 {
            let answer = post_in_two(&mut stream, "/unread", "content-length: 5\r\n", b"later").await;
            assert!(answer.ends_with("not read") && !answer.contains("connection:"), "{answer}");
            let chunked = "transfer-encoding: chunked\r\n";
            let answer = post_in_two(&mut stream, "/unread", chunked, b"5\r\nlater\r\n0\r\n\r\n").await;
            assert!(answer.ends_with("not read") && !answer.contains("connection:"), "{answer}");
            let large = vec![b'a'; 3 * 1024 * 1024];
            let answer =
                post_in_two(&mut stream, "/unread", &format!("content-length: {}\r\n", large.len()), &large).await;
            assert!(answer.ends_with("not read") && !answer.contains("connection:"), "{answer}");
            let answer = post_in_two(&mut stream, "/read", "content-length: 5\r\n", b"later").await;
            assert!(answer.ends_with("later") && !answer.contains("connection:"), "{answer}");
        }
    }

    #[tokio::test]
    async fn who_sends_a_body_too_large_too_slowly_or_only_when_asked_is_told_that_the_connection_ends() {
        let running = start(Limits::default());
        for headers in
            ["content-length: 5\r\n", "content-length: 5\r\nexpect: 100-continue\r\n", "content-length: 99999999\r\n"]
        {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            let begun = tokio::time::Instant::now();
            let answer = post_in_two(&mut stream, "/unread", headers, b"").await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{headers}: {answer}");
            let waited = begun.elapsed() > Duration::from_secs(3);
            assert_eq!(waited, headers == "content-length: 5\r\n", "{headers}: only what is on its way is awaited");
            until_closed(&mut stream).await;
        }
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let wanted = "content-length: 5\r\nexpect: 100-continue\r\n";
        let answer = post_in_two(&mut stream, "/read", wanted, b"later").await;
        assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
    }

    /// How long it takes until the other side closes.
    async fn until_closed(stream: &mut TcpStream) -> Duration {
        let begun = tokio::time::Instant::now();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.expect("an end");
        begun.elapsed()
    }

    #[tokio::test]
    async fn a_connection_may_rest_between_requests_but_not_within_a_head_and_not_for_ever() {
        let idle_timeout = Duration::from_millis(1_500);
        let running = start(Limits { idle_timeout, ..quick() });
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        for _ in 0..3 {
            assert!(ask(&mut stream, "/peer").await.contains("200 OK"), "after a rest of more than a head may take");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        stream.write_all(b"GET /peer HTTP/1.1\r\nhost").await.unwrap();
        assert!(until_closed(&mut stream).await < Duration::from_millis(900), "half a head");

        let mut stream = TcpStream::connect(running.address).await.unwrap();
        assert!(ask(&mut stream, "/peer").await.contains("200 OK"));
        let rested = until_closed(&mut stream).await;
        assert!(rested > Duration::from_millis(1_200) && rested < Duration::from_secs(4), "{rested:?}");
    }

    #[tokio::test]
    async fn a_request_in_flight_is_no_rest() {
        let running = start(Limits { idle_timeout: Duration::from_millis(200), ..quick() });
        let in_flight = tokio::spawn({
            let address = running.address;
            async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                ask(&mut stream, "/slow").await
            }
        });
        running.begun.notified().await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        running.answer.notify_one();
        assert!(in_flight.await.unwrap().contains("slow answer"));
    }

    #[tokio::test]
    async fn http2_that_rests_is_told_goodbye_and_closed() {
        let running = start(Limits { idle_timeout: Duration::from_millis(600), ..quick() });
        let stream = TcpStream::connect(running.address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..3 {
            let request = hyper::Request::get(format!("http://{}/peer", running.address)).body(Body::empty()).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let ended = tokio::time::timeout(Duration::from_secs(5), connection).await.expect("an end").unwrap();
        assert!(ended.is_ok(), "as the protocol wants: {ended:?}");
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_a_4xx() {
        let running = start(Limits { header_bytes: 8 * 1024, ..Limits::default() });
        let large = format!("x-large: {}\r\n", "a".repeat(20_000));
        let answer = exchange(running.address, &request("/peer", &large)).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let many = "a: b\r\n".repeat(150);
        let answer = exchange(running.address, &request("/peer", &many)).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let answer = exchange(running.address, "GET / HTTP/9\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }

    #[tokio::test]
    async fn a_stop_answers_what_is_in_flight_and_accepts_nothing_new() {
        let running = start(Limits::default());
        let in_flight = tokio::spawn({
            let address = running.address;
            async move { exchange(address, &request("/slow", "")).await }
        });
        running.begun.notified().await;
        let mut idle = TcpStream::connect(running.address).await.unwrap();

        running.stop.send(()).unwrap();
        assert_eq!(idle.read(&mut [0; 8]).await.unwrap_or(0), 0, "an idle connection is closed");
        assert!(TcpStream::connect(running.address).await.is_err(), "the listener is closed");
        running.answer.notify_one();
        assert!(in_flight.await.unwrap().contains("slow answer"));
        tokio::time::timeout(Duration::from_secs(5), running.ended).await.unwrap().unwrap();
    }
}
