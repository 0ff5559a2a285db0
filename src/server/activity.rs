//! What goes on on a connection: one with no request under way is closed, whatever else it sends, and a stream of
//! HTTP/2 whose client takes nothing is ended.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::peer::Unsent;
use crate::size;

/// Bytes that a client takes, at least, of what waits for it when a request has ended.
const TAKEN_PER_MILLISECOND_MIN: u64 = 64;
/// How often it is looked whether a stream moves, in the time in which one that does not is ended.
const LOOKS: u32 = 8;

/// The requests of a connection, and the bytes of their answers.
pub(super) struct Activity {
    under_way: AtomicUsize,
    /// When the last one ended, or the connection began, and its client must have taken what waited for it then. What
    /// is written afterwards does not count: a client may ask for acknowledgements for ever.
    ended: Mutex<Instant>,
    /// Bytes of answers that were handed to the connection, and bytes of all kinds that it has written.
    handed_on: AtomicU64,
    written: AtomicU64,
    unsent: Unsent,
    /// Told when others need its slot.
    wanted: Notify,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            under_way: AtomicUsize::new(0),
            ended: Mutex::new(Instant::now()),
            handed_on: AtomicU64::new(0),
            written: AtomicU64::new(0),
            unsent: Unsent::default(),
            wanted: Notify::new(),
        })
    }

    /// How long no request has been under way; `None` if one is.
    pub(super) fn idle_time(&self) -> Option<Duration> {
        let is_idle = self.under_way.load(Ordering::Relaxed) == 0;
        is_idle.then(|| Instant::now().checked_duration_since(*self.ended())).flatten()
    }

    /// Ends the connection, unless a request comes first.
    pub(super) fn give_way(&self) {
        self.wanted.notify_one();
    }

    /// Done when the slot is wanted and nothing is under way.
    pub(super) async fn gives_way(&self) {
        loop {
            self.wanted.notified().await;
            if self.idle_time().is_some() {
                return;
            }
        }
    }

    /// What waits on the connection.
    pub(super) fn unsent(&self) -> &Unsent {
        &self.unsent
    }

    /// So many bytes were written to the connection.
    pub(super) fn written(&self, bytes: usize) {
        self.written.fetch_add(size::bytes(bytes), Ordering::Relaxed);
        self.unsent.written(bytes);
    }

    /// A request that is under way until what this returns is gone.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        if self.under_way.fetch_add(1, Ordering::Relaxed) == 0 {
            // Heads and frames were written, too.
            self.handed_on.fetch_max(self.written.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        UnderWay(Arc::clone(self))
    }

    /// Done when no request has been under way for so long. One is for as long as its client takes the answer.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let (ended, now) = (*self.ended(), Instant::now());
            match self.under_way.load(Ordering::Relaxed) {
                0 if ended + limit <= now => return,
                0 => sleep_until(ended + limit).await,
                _ => sleep_until(now + limit).await,
            }
        }
    }

    fn ended(&self) -> MutexGuard<'_, Instant> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
pub(super) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Activity { under_way, handed_on, written, .. } = &*self.0;
        let waits = handed_on.load(Ordering::Relaxed).saturating_sub(written.load(Ordering::Relaxed));
        *self.0.ended() = Instant::now() + Duration::from_millis(waits / TAKEN_PER_MILLISECOND_MIN);
        under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How far the answer of a stream is.
#[derive(Default)]
struct Progress {
    /// Whether there is one that could be taken.
    answering: AtomicBool,
    /// Whether some of it was taken since this was last asked.
    moved: AtomicBool,
}

tokio::task_local! {
    /// Of the stream that this task carries out.
    static PROGRESS: Arc<Progress>;
}

/// The body of an answer that is being sent.
pub(super) struct Sending<B: HttpBody<Data = Bytes>> {
    body: B,
    under_way: UnderWay,
    /// Bytes of it that were handed on.
    handed_on: u64,
    progress: Option<Arc<Progress>>,
}

/// What was handed on of a stream that is reset goes with it.
impl<B: HttpBody<Data = Bytes>> Drop for Sending<B> {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.under_way.0.handed_on.fetch_sub(self.handed_on, Ordering::Relaxed);
        }
    }
}

impl<B: HttpBody<Data = Bytes>> Sending<B> {
    /// To be made where the request is carried out.
    pub(super) fn new(body: B, under_way: UnderWay) -> Self {
        let progress = PROGRESS.try_with(Arc::clone).ok();
        if let Some(progress) = &progress {
            progress.answering.store(true, Ordering::Relaxed);
        }
        Self { body, under_way, handed_on: 0, progress }
    }
}

impl<B> HttpBody for Sending<B>
where
    B: HttpBody<Data = Bytes, Error = io::Error> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(progress) = &self.progress {
            progress.moved.store(true, Ordering::Relaxed);
        }
        let polled = Pin::new(&mut self.body).poll_frame(task);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = size::bytes(frame.data_ref().map_or(0, Bytes::len));
            self.handed_on += bytes;
            self.under_way.0.handed_on.fetch_add(bytes, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Carries out the streams of HTTP/2, each a task of its own. One whose answer is not taken for so long is dropped, which
/// resets it: the connection may go on for ever, and would keep it.
#[derive(Clone, Copy)]
pub(super) struct Streams {
    pub(super) stall_max: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let stall_max = self.stall_max;
        tokio::spawn(async move {
            let progress = Arc::new(Progress::default());
            let mut stream = pin!(PROGRESS.scope(Arc::clone(&progress), stream));
            let mut still = 0;
            // One that moved since the last look may have stood still since just after that.
            while still < LOOKS - 1 {
                tokio::select! {
                    biased;
                    _ = &mut stream => return,
                    () = tokio::time::sleep(stall_max / LOOKS) => {
                        let moves = !progress.answering.load(Ordering::Relaxed)
                            || progress.moved.swap(false, Ordering::Relaxed);
                        still = if moves { 0 } else { still + 1 };
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_is_idle() {
        let (activity, began) = (Activity::new(), Instant::now());
        let request = activity.begin();
        let ends = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(request);
        });
        activity.idle(Duration::from_secs(60)).await;
        ends.await.expect("it ended");
        assert_eq!(began.elapsed().as_secs(), 160);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_being_taken_keeps_it() {
        let (activity, began) = (Activity::new(), Instant::now());
        let request = activity.begin();
        activity.handed_on.store(64_000 * 30, Ordering::Relaxed);
        drop(request);
        let acknowledged = Arc::clone(&activity);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                acknowledged.written(17 * 100);
            }
        });
        activity.idle(Duration::from_secs(60)).await;
        assert_eq!(began.elapsed().as_secs(), 90);
    }

    /// A connection is not kept for the bytes of a stream that was reset.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_cut_does_not_keep_it() {
        let (activity, began) = (Activity::new(), Instant::now());
        let mut sending = Sending::new(Full::from(vec![0; 1000]), activity.begin());
        activity.handed_on.fetch_add(1_000_000, Ordering::Relaxed);
        sending.handed_on = 1_000_000;
        drop(sending);
        activity.idle(Duration::from_secs(60)).await;
        assert_eq!(began.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_takes_nothing_is_ended() {
        let (activity, began) = (Activity::new(), Instant::now());
        let under_way = activity.begin();
        let (held, ended) = tokio::sync::oneshot::channel::<()>();
        Streams { stall_max: Duration::from_secs(10) }.execute(async move {
            let _held = (held, Sending::new(Full::<Bytes>::default(), under_way));
            std::future::pending::<()>().await;
        });
        ended.await.expect_err("nothing was sent");
        assert!((8..=10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert_eq!(activity.under_way.load(Ordering::Relaxed), 0);
    }
}
