//! What goes on on a connection: one with no request under way is closed, whatever else it sends, and a stream of
//! HTTP/2 whose client takes nothing is ended.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::api::{Body, Unsent};

/// Fewest bytes that a client takes of what waits for it, in the time in which an idle connection is closed: more than
/// the acknowledgements that it may ask for.
const TAKEN_BYTES_MIN: u64 = 1024;

/// The requests of a connection, and the bytes of their answers.
pub(super) struct Activity {
    under_way: AtomicUsize,
    /// When the last one ended, or the connection began.
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

    /// How long no request has been under way; `None` if one is, or the last answer is still being sent.
    pub(super) fn idle_time(&self) -> Option<Duration> {
        let waits = self.written.load(Ordering::Relaxed) < self.handed_on.load(Ordering::Relaxed);
        let is_idle = self.under_way.load(Ordering::Relaxed) == 0 && !waits;
        is_idle.then(|| self.ended.lock().unwrap_or_else(PoisonError::into_inner).elapsed())
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
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.unsent.written(bytes);
    }

    /// A request that is under way until what this returns is gone.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Done when no request has been under way for so long. One is for as long as its client takes the answer.
    pub(super) async fn idle(&self, limit: Duration) {
        let mut written_before = 0;
        loop {
            let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let end = match self.under_way.load(Ordering::Relaxed) {
                0 if ended + limit <= now => {
                    let written = self.written.load(Ordering::Relaxed);
                    let waits = written < self.handed_on.load(Ordering::Relaxed);
                    if !waits || written - written_before < TAKEN_BYTES_MIN {
                        return;
                    }
                    written_before = written;
                    now + limit
                }
                0 => ended + limit,
                _ => now + limit,
            };
            sleep_until(end).await;
        }
    }
}

/// A request under way.
pub(super) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
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
pub(super) struct Sending {
    body: Body,
    under_way: UnderWay,
    progress: Option<Arc<Progress>>,
}

impl Sending {
    /// To be made where the request is carried out.
    pub(super) fn new(body: Body, under_way: UnderWay) -> Self {
        let progress = PROGRESS.try_with(Arc::clone).ok();
        if let Some(progress) = &progress {
            progress.answering.store(true, Ordering::Relaxed);
        }
        Self { body, under_way, progress }
    }
}

impl HttpBody for Sending {
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
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.under_way.0.handed_on.fetch_add(bytes as u64, Ordering::Relaxed);
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
            loop {
                tokio::select! {
                    biased;
                    _ = &mut stream => return,
                    () = tokio::time::sleep(stall_max) => {
                        let stands_still = progress.answering.load(Ordering::Relaxed)
                            && !progress.moved.swap(false, Ordering::Relaxed);
                        if stands_still {
                            return;
                        }
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
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
        activity.handed_on.store(4096, Ordering::Relaxed);
        let taking = Arc::clone(&activity);
        tokio::spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                taking.written(TAKEN_BYTES_MIN as usize);
            }
            // Acknowledgements are less than anybody takes.
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                taking.written(17);
            }
        });
        activity.idle(Duration::from_secs(60)).await;
        assert_eq!(began.elapsed().as_secs(), 240);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_takes_nothing_is_ended() {
        let (activity, began) = (Activity::new(), Instant::now());
        let under_way = activity.begin();
        let (held, ended) = tokio::sync::oneshot::channel::<()>();
        Streams { stall_max: Duration::from_secs(10) }.execute(async move {
            let _held = (held, Sending::new(Body::empty(), under_way));
            std::future::pending::<()>().await;
        });
        ended.await.expect_err("nothing was sent");
        assert!((10..=20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert_eq!(activity.under_way.load(Ordering::Relaxed), 0);
    }
}
