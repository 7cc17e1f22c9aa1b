//! How long may an answer go on? For as long as its request would be admitted again.
//!
//! A request is admitted once, but a stream may stay open for days: while its token expires or is revoked, its user loses the
//! account or the server, and the server itself goes. So whoever answers for long is asked about again, by the very
//! function that admits ([`admit_again`]): when anything was published on which it depends who may pass, when the token
//! is over, and now and then. Nobody is asked about while nothing happens.
//!
//! An answer to a single request may outlive its token by a while ([`ANSWER_OUTLIVES_TOKEN`]): the request was in order
//! when it came, and its client has a newer token for the next. What only listens ends with the token.
//!
//! A stream that may not go on ends, and its client reads why when it comes again; any other answer breaks off, so that nobody
//! takes the part for the whole. What stands behind is let go of. When Keyward stops, the streams end that only listen and
//! have no end of their own; whatever has, gets to it.

use crate::app::App;
use crate::clock::{Timestamp, hours};
use crate::gateway::admit::{Refusal, admit_again};
use crate::gateway::list_filter::is_stream;
use crate::mcp::Asker;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

/// How long an answer may go on after its request would no longer be admitted, at most.
pub const NOTICED_WITHIN: Duration = Duration::from_secs(1);
/// How long the answer to a single request may go on after its token has expired.
pub const ANSWER_OUTLIVES_TOKEN: Duration = hours(1);
/// How often is asked again although nothing was heard: clocks may be set, and machines sleep.
const ASKED_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The answers that go on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OpenStreams {
    shared: Arc<Shared>,
}

struct Shared {
    app: Arc<App>,
    news: watch::Sender<News>,
    is_watched: AtomicBool,
}

/// What those are told who answer for long.
#[derive(Debug, Clone, Copy, Default)]
struct News {
    /// The latest [`crate::app::live::Live::changes`].
    changes: u64,
    /// Keyward stops.
    stopping: bool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} open)", self.news.receiver_count())
    }
}

/// Marks a response that only listens, and has no end of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listens;

/// An admitted request, for as long as it is answered.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    pub(super) asker: Asker,
    /// What [`crate::app::live::Live::changes`] was before it was admitted.
    pub(super) changes: u64,
    /// Whether it is answered by what has no end of its own.
    pub(super) listens: bool,
}

/// Why an answer may not go on.
#[derive(Debug)]
pub(super) enum Over {
    /// Its request would not be admitted again.
    Refused(Refusal),
    /// Keyward stops, and nothing is waited for but news.
    Stopping,
}

impl OpenStreams {
    /// None yet.
    pub fn new(app: Arc<App>) -> Self {
        Self { shared: Arc::new(Shared { app, news: watch::Sender::default(), is_watched: AtomicBool::new(false) }) }
    }

    /// Ends what only listens; the rest gets to its end.
    pub fn begin_stop(&self) {
        self.shared.news.send_modify(|news| news.stopping = true);
    }

    /// Waits for an answer until it may not be given any more, and sees to it that what is given goes on no longer either.
    pub(super) async fn watch_over(
        &self,
        mut admitted: Admitted,
        answering: Pin<&mut impl Future<Output = Response>>,
    ) -> Result<Response, Over> {
        let mut response = tokio::select! {
            // Most answers are there at once.
            biased;
            response = answering => response,
            over = self.over(&admitted) => return Err(over),
        };
        if response.body().size_hint().exact().is_some() {
            return Ok(response);
        }
        admitted.listens |= response.extensions_mut().remove::<Listens>().is_some();
        let (streams, is_events) = (self.clone(), is_stream(response.headers()));
        let over = Box::pin(async move {
            let over = streams.over(&admitted).await;
            if let Over::Refused(refusal) = &over {
                refusal.log(&admitted.asker.server);
            }
            over
        });
        Ok(response.map(|body| Body::new(Lasting { inner: Some(body), over: Some(over), is_events })))
    }

    /// Waits until an answer may not go on.
    async fn over(&self, admitted: &Admitted) -> Over {
        let (Admitted { asker, listens, .. }, mut changes) = (admitted, admitted.changes);
        let mut news = self.watch();
        loop {
            let heard = news.wait_for(|news| news.changes > changes || (news.stopping && *listens));
            let waited = tokio::time::sleep(self.until_asked_again(admitted));
            tokio::select! {
                heard = heard => match heard {
                    Ok(news) if news.stopping && *listens => return Over::Stopping,
                    Ok(news) => changes = news.changes,
                    Err(_) => return Over::Stopping,
                },
                () = waited => {}
            }
            if let Err(refusal) = admit_again(&self.shared.app, asker, self.moment(admitted)) {
                return Over::Refused(refusal);
            }
        }
    }

    /// The moment for which it is asked whether the answer may go on: now, or the last one of its token that is over since
    /// less than the time by which the answer may outlive it.
    fn moment(&self, admitted: &Admitted) -> Timestamp {
        let (now, expires_at) = (self.shared.app.now(), admitted.asker.token.claims().expires_at);
        if now < self.ends_at(admitted) { now.min(expires_at - Duration::from_millis(1)) } else { now }
    }

    /// When the clock alone ends it.
    fn ends_at(&self, admitted: &Admitted) -> Timestamp {
        let over_at = self.shared.app.live().verifier().over_at(admitted.asker.token.claims().expires_at);
        if admitted.listens { over_at } else { over_at + ANSWER_OUTLIVES_TOKEN }
    }

    fn until_asked_again(&self, admitted: &Admitted) -> Duration {
        let live = self.shared.app.live();
        let (ends_at, replaced_at) =
            (self.ends_at(admitted), live.revoked().token_ends_at(admitted.asker.token.claims().id));
        let ends_at = replaced_at.map_or(ends_at, |replaced_at| ends_at.min(replaced_at));
        // Timers may be early by less than that.
        ends_at.since(self.shared.app.now()).clamp(Duration::from_millis(10), ASKED_AGAIN_AFTER)
    }

    /// The news, which somebody looks for while anybody waits for them.
    fn watch(&self) -> watch::Receiver<News> {
        let news = self.shared.news.subscribe();
        if !self.shared.is_watched.swap(true, Ordering::SeqCst) {
            tokio::spawn(look_for_news(Arc::downgrade(&self.shared)));
        }
        news
    }
}

/// Looks for changes until nobody waits for them.
async fn look_for_news(shared: std::sync::Weak<Shared>) {
    loop {
        tokio::time::sleep(NOTICED_WITHIN).await;
        let Some(shared) = shared.upgrade() else { return };
        let changes = shared.app.live().changes();
        shared.news.send_if_modified(|news| std::mem::replace(&mut news.changes, changes) != changes);
        if shared.news.receiver_count() > 0 {
            continue;
        }
        shared.is_watched.store(false, Ordering::SeqCst);
        // Whoever came in the meantime saw that somebody looks.
        if shared.news.receiver_count() == 0 || shared.is_watched.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}

type Ending = Pin<Box<dyn Future<Output = Over> + Send>>;

/// A body that goes on until it ends or may not go on.
struct Lasting {
    /// None when it was ended here.
    inner: Option<Body>,
    /// None when Keyward stops: then it ends with its next pause.
    over: Option<Ending>,
    is_events: bool,
}

/// An answer was broken off.
#[derive(Debug, thiserror::Error)]
#[error("the request would not be admitted any more")]
struct BrokenOff;

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        if let Some(over) = &mut this.over {
            match over.as_mut().poll(context) {
                Poll::Pending => return Pin::new(inner).poll_frame(context),
                Poll::Ready(Over::Refused(_)) => {
                    this.inner = None;
                    this.over = None;
                    return Poll::Ready((!this.is_events).then(|| Err(axum::Error::new(BrokenOff))));
                }
                // What is behind may have a last word.
                Poll::Ready(Over::Stopping) => this.over = None,
            }
        }
        match Pin::new(inner).poll_frame(context) {
            Poll::Pending => {
                this.inner = None;
                Poll::Ready(None)
            }
            ready @ Poll::Ready(_) => ready,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
