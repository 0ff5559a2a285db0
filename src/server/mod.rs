//! Sockets, TLS and hyper: one accept loop, its limits and its end.

mod activity;
mod direct;
mod slots;
mod spelling;
mod stall;
mod tls;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Version;
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use activity::{Activity, Sending, Streams};
use direct::Direct;
use slots::{Admitted, Slot, Slots};
use spelling::Spelling;
use stall::Stalling;

use crate::peer::{self, Line, Peer, Slot as _};

/// Most connections at once; more wait in the backlog.
pub const CONNECTIONS_MAX: usize = 16_384;
/// Longest time from the first byte of a head to its last, and from one request to the next.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// What HTTP/1 keeps of a head that has not ended, and reads of a body at once.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Longest time in which no byte moves on a connection, either way, and in which a client takes nothing of an answer.
const STALL_TIME_MAX: Duration = Duration::from_secs(120);
/// File descriptors that are not for connections and their files: the store's, the log's, the runtime's.
const FILES_RESERVED: u64 = 64;
/// As many files as one body may need.
const FILES_BODIES_MIN: usize = 3;
/// Fewer files than this are too few for most uses.
const FILES_FEW: u64 = 512;
/// Longest TLS handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// What one HTTP/2 stream, and all of a connection, may send ahead.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Most header bytes that HTTP/2 decodes; beyond what the request parser accepts, so that it can say so.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
/// What a client is told that speaks plain HTTP where TLS is served.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 48\r\n\r\nThis port serves TLS: use https instead of http\n";
/// How long requests may go on after the server was told to stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);
/// How often the log says that every connection is taken.
const FULL_TOLD_EVERY: Duration = Duration::from_secs(60);
/// Pause after a failed accept: usually there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where to listen.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `host:port` each.
    pub listen: Vec<String>,
    /// Serve TLS with these; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Most connections of one address; if nothing is said, a quarter of all for an address that is not private.
    pub connections_per_address_max: Option<usize>,
}

/// Certificate chain and private key, both PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why the server cannot start; one line.
#[derive(Debug)]
pub enum Error {
    /// An address cannot be bound.
    Listen(String, io::Error),
    /// A file cannot be used.
    Tls(PathBuf, String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Tls(path, error) => write!(f, "cannot use {} for TLS: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// Sockets that are bound, and not yet served.
pub struct Server {
    listeners: Vec<TcpListener>,
    tls: Option<TlsAcceptor>,
    connections_per_address_max: Option<usize>,
}

impl Server {
    /// Binds every address.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn bind(settings: &Settings) -> Result<Self, Error> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let mut listeners = Vec::new();
        for address in &settings.listen {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|error| Error::Listen(address.clone(), error))?);
        }
        let connections_per_address_max = settings.connections_per_address_max;
        Ok(Self { listeners, tls, connections_per_address_max })
    }

    /// The addresses in the form of URLs that a client on this machine can use, ports filled in: one that stands for all
    /// addresses is shown as that of the machine itself.
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let addresses = self.listeners.iter().filter_map(|listener| listener.local_addr().ok());
        addresses.map(|address| format!("{scheme}://{}", reachable(address))).collect()
    }

    /// Has requests answered, over so many connections at once, until it is told to `stop`; then lets them end for a
    /// while.
    pub async fn serve(self, handler: Arc<impl Handler>, connections_max: usize, stop: CancellationToken) {
        let urls = self.urls();
        let open = TaskTracker::new();
        let slots = Slots::new(connections_max, self.connections_per_address_max);
        let spelling = Arc::new(Spelling::learn().await);
        let mut loops = tokio::task::JoinSet::new();
        for listener in self.listeners {
            let connections = Connections {
                handler: Arc::clone(&handler),
                tls: self.tls.clone(),
                open: open.clone(),
                stop: stop.clone(),
                slots: slots.clone(),
                spelling: spelling.clone(),
            };
            loops.spawn(connections.accept(listener));
        }
        tracing::info!(urls = urls.join(" "), "listening");
        stop.cancelled().await;
        loops.shutdown().await;
        open.close();
        // Anyone who is not done by then is cut off.
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, open.wait()).await;
    }
}

/// An address that a client on this machine can connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// What the limit on open files leaves: half for connections, and the rest for what they send and receive.
#[derive(Clone, Copy, Debug)]
pub struct Files {
    /// For connections.
    pub connections: usize,
    /// For the bodies of objects.
    pub bodies: usize,
}

impl Files {
    /// Of this process, whose limit is raised as far as it may be.
    pub fn allowed() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // The soft limit is there for programs that cannot count beyond it.
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        let files = if raised.is_ok() { limit.maximum } else { limit.current };
        let left = files.map_or(u64::MAX, |files| files.saturating_sub(FILES_RESERVED));
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let connections = (left / 2).clamp(1, CONNECTIONS_MAX);
        let bodies = (left - connections.min(left)).max(FILES_BODIES_MIN);
        match files {
            Some(files) if files < FILES_FEW => {
                tracing::warn!(
                    files,
                    connections,
                    "few files may be open (ulimit -n), which bounds the connections"
                );
            }
            _ => tracing::debug!(connections, "most connections at once"),
        }
        Self { connections, bodies }
    }
}

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The body of an answer.
    type Body: HttpBody<Data = Bytes, Error = io::Error> + Send + Unpin + 'static;

    /// Answers a request.
    fn handle(
        &self,
        request: http::Request<Incoming>,
        peer: &Peer,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send;
}

/// What every accepted connection is served with.
struct Connections<H> {
    handler: Arc<H>,
    tls: Option<TlsAcceptor>,
    /// The connections that are open.
    open: TaskTracker,
    /// Tells them to end with the request that is under way.
    stop: CancellationToken,
    slots: Slots,
    spelling: Arc<Spelling>,
}

impl<H: Handler> Connections<H> {
    /// Accepts forever; a failed accept pauses the loop but does not end it.
    async fn accept(self, listener: TcpListener) {
        let (mut failing, mut told) = (false, None);
        loop {
            let slot = self.slots.next().await;
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => {
                    failing = false;
                    accepted
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "accepting connections fails");
                    }
                    failing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let activity = Activity::new();
            let Some(admitted) = self.slots.admit(peer.ip(), &activity) else {
                tracing::debug!(%peer, "an address has too many connections");
                continue;
            };
            if slot.is_spare() {
                self.slots.make_room();
                if told.is_none_or(|told: Instant| told.elapsed() >= FULL_TOLD_EVERY) {
                    tracing::warn!(
                        "every connection is taken; idle ones give way, and more wait or are told to come later"
                    );
                    told = Some(Instant::now());
                }
            }
            // Answers are written whole; waiting to fill packets only costs time.
            let _ = stream.set_nodelay(true);
            let served = Served {
                handler: Arc::clone(&self.handler),
                spelling: Arc::clone(&self.spelling),
                place: Arc::new(Place::new(slot, admitted)),
                stop: self.stop.clone(),
            };
            let tls = self.tls.clone();
            self.open.spawn(async move {
                let gives_way = Arc::clone(&activity);
                let serving = async {
                    match tls {
                        None => {
                            let stream = Direct::new(stream);
                            let line = stream.line(true);
                            connection(stream, (peer, false), line, served, activity).await;
                        }
                        Some(tls) => encrypted(tls, stream, peer, served, activity).await,
                    }
                };
                tokio::select! {
                    biased;
                    () = serving => {}
                    () = gives_way.gives_way() => tracing::debug!(%peer, "an idle connection gave way"),
                }
            });
        }
    }
}

/// What the requests of a connection are answered with.
struct Served<H> {
    handler: Arc<H>,
    /// How the names of headers are spelled.
    spelling: Arc<Spelling>,
    place: Arc<Place>,
    stop: CancellationToken,
}

/// What a connection takes up until it ends.
struct Place {
    /// Whether its slot is a usual one: once it is, it stays so.
    is_usual: AtomicBool,
    slot: tokio::sync::Mutex<Slot>,
    _admitted: Admitted,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("is_usual", &self.is_usual).finish_non_exhaustive()
    }
}

impl Place {
    fn new(slot: Slot, admitted: Admitted) -> Self {
        let is_usual = AtomicBool::new(!slot.is_spare());
        Self { is_usual, slot: tokio::sync::Mutex::new(slot), _admitted: admitted }
    }
}

impl peer::Slot for Place {
    fn is_usual(&self) -> bool {
        self.is_usual.load(Ordering::Relaxed)
    }

    fn become_usual(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async {
            let is_usual = self.slot.lock().await.become_usual().await;
            self.is_usual.store(is_usual, Ordering::Relaxed);
            is_usual
        })
    }
}

async fn encrypted<H: Handler>(
    tls: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    served: Served<H>,
    activity: Arc<Activity>,
) {
    let mut first = [0];
    let end = tokio::time::Instant::now() + HANDSHAKE_TIME_MAX;
    let peeked = tokio::time::timeout_at(end, stream.peek(&mut first)).await;
    // The methods of HTTP begin with letters, a handshake of TLS does not.
    if matches!(peeked, Ok(Ok(1))) && first.iter().all(u8::is_ascii_uppercase) {
        tracing::info!(%peer, "a client spoke plain HTTP where TLS is served");
        // There may be no one left who reads it.
        let _ = stream.writable().await.and_then(|()| stream.try_write(PLAIN_HTTP));
        return;
    }
    let stream = Direct::new(stream);
    let line = stream.line(false);
    match tokio::time::timeout_at(end, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, (peer, true), line, served, activity).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

async fn connection<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (peer, is_encrypted): (SocketAddr, bool),
    line: Arc<dyn Line>,
    served: Served<H>,
    activity: Arc<Activity>,
) {
    let mut builder = Builder::new(Streams { stall_max: STALL_TIME_MAX });
    // The time of a head is bounded by `idle` below, which does not set a timer for each.
    builder.http1().header_read_timeout(None).max_buf_size(BUFFER_BYTES_MAX).half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEADER_LIST_BYTES_MAX);
    // Anyone who holds a spare slot has what it is there for soon, or is gone.
    let idle_max = if served.place.is_usual() { HEAD_TIME_MAX } else { slots::SPARE_WAIT };
    let client = Peer {
        address: peer.to_string().into(),
        ip: peer.ip(),
        is_encrypted,
        unsent: activity.unsent().clone(),
        line,
        slot: served.place.clone(),
    };
    let stop = served.stop.clone();
    // One count goes up and down for each request, not one for each thing in it.
    let (shared, requests) = (Arc::new((served, client)), Arc::clone(&activity));
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (shared, under_way) = (Arc::clone(&shared), requests.begin());
        async move {
            let (served, client) = &*shared;
            let has_case = request.version() < Version::HTTP_2;
            let mut reply = served.handler.handle(request, client).await;
            if has_case {
                served.spelling.apply(&mut reply);
            }
            Ok::<_, Infallible>(reply.map(|body| Sending::new(body, under_way)))
        }
    });
    let stream = Stalling::new(stream, STALL_TIME_MAX, Arc::clone(&activity));
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let served = async {
        tokio::select! {
            ended = served.as_mut() => return ended,
            () = stop.cancelled() => {}
        }
        served.as_mut().graceful_shutdown();
        served.await
    };
    tokio::select! {
        ended = served => if let Err(error) = ended {
            tracing::debug!(%peer, error, "connection ended");
        },
        () = activity.idle(idle_max) => tracing::debug!(%peer, "connection was idle"),
    }
}
