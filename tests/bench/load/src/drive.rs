//! The timed part: requests over kept-alive connections, the answers' bodies thrown away as cheaply as the kernel can.

use std::cell::Cell;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};

const BUFFER_BYTES: usize = 64 << 10;
const DISCARD_BYTES: usize = 1 << 20;
const ERROR_TEXT_BYTES_MAX: usize = 600;

/// What follows the head of a request.
#[derive(Clone)]
pub enum Body {
    None,
    /// The first bytes of the noise, copied.
    Small(usize),
    /// A stretch of the noise from an offset, which wraps around, sent from the page cache.
    Large {
        offset: u64,
        length: usize,
    },
    /// These bytes.
    Text(Vec<u8>),
}

impl Body {
    pub fn length(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Small(length) | Self::Large { length, .. } => *length,
            Self::Text(text) => text.len(),
        }
    }
}

/// A request as it goes on the wire. The head may end in the first bytes of the body.
pub struct Request {
    pub head: Vec<u8>,
    pub body: Body,
}

/// Bytes that do not compress and do not repeat: in memory for small bodies, in a memory file for large ones.
pub struct Noise {
    small: Vec<u8>,
    file: OwnedFd,
    length: u64,
}

impl Noise {
    /// At least one small body's worth. The seed is of this moment, so that no peer has seen these bytes before.
    pub fn new(length: usize) -> Result<Self> {
        let mut state = UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64) | 1;
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length.max(BUFFER_BYTES) {
            // xorshift64*
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        let file = memfd_create("noise", MemfdFlags::CLOEXEC)?;
        let mut written = 0;
        while written < bytes.len() {
            written += rustix::io::write(&file, &bytes[written..])?;
        }
        let length = bytes.len() as u64;
        bytes.truncate(BUFFER_BYTES);
        Ok(Self { small: bytes, file, length })
    }
}

/// One answer, its body thrown away unless it was asked for or tells of an error.
#[derive(Default)]
pub struct Answer {
    pub status: u16,
    pub bytes: u64,
    pub etag: String,
    pub text: Vec<u8>,
}

/// What came of a run.
#[derive(Default)]
pub struct Outcome {
    pub operations: usize,
    pub errors: usize,
    pub first_error: String,
    pub bytes: u64,
    pub seconds: f64,
    /// Of each operation.
    pub micros: Vec<u32>,
    /// The load generator's own CPU time in the timed section.
    pub own_cpu_seconds: f64,
    /// The answers by request, if they were to be kept.
    pub answers: Vec<(usize, Answer)>,
}

/// How a run goes.
#[derive(Clone, Copy)]
pub struct Pace {
    pub connections: usize,
    /// No request is begun after this time.
    pub limit: Duration,
    pub keep: bool,
}

/// Opens the connections, then takes the time that the requests need, each connection sending the next one there is.
pub async fn run(
    address: SocketAddr,
    requests: Vec<Request>,
    noise: Rc<Noise>,
    pace: Pace,
) -> Result<Outcome> {
    let mut connections = Vec::new();
    for _ in 0..pace.connections {
        connections.push(Connection::open(address).await?);
    }
    let requests = Rc::new(requests);
    let next = Rc::new(Cell::new(0));
    let local = LocalSet::new();
    let cpu = own_cpu();
    let began = Instant::now();
    let outcome = local
        .run_until(async {
            let tasks: Vec<_> = connections
                .into_iter()
                .map(|connection| {
                    let (requests, next, noise) = (Rc::clone(&requests), Rc::clone(&next), Rc::clone(&noise));
                    spawn_local(work(connection, requests, next, noise, pace, began))
                })
                .collect();
            let mut all = Outcome::default();
            for task in tasks {
                let one = task.await?;
                all.operations += one.operations;
                all.errors += one.errors;
                all.bytes += one.bytes;
                all.micros.extend(one.micros);
                all.answers.extend(one.answers);
                if all.first_error.is_empty() {
                    all.first_error = one.first_error;
                }
            }
            Ok::<_, Error>(all)
        })
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Outcome { seconds, own_cpu_seconds: own_cpu() - cpu, ..outcome })
}

async fn work(
    mut connection: Connection,
    requests: Rc<Vec<Request>>,
    next: Rc<Cell<usize>>,
    noise: Rc<Noise>,
    pace: Pace,
    began: Instant,
) -> Outcome {
    let mut outcome = Outcome::default();
    while began.elapsed() < pace.limit {
        let at = next.get();
        let Some(request) = requests.get(at) else { break };
        next.set(at + 1);
        let start = Instant::now();
        let problem = match connection.exchange(request, &noise, pace.keep).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                outcome.operations += 1;
                outcome.bytes += answer.bytes;
                outcome.micros.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                if pace.keep {
                    outcome.answers.push((at, answer));
                }
                continue;
            }
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.text);
                format!("{} {}", answer.status, text.chars().take(ERROR_TEXT_BYTES_MAX).collect::<String>())
            }
            Err(error) => match Connection::open(connection.address).await {
                Ok(fresh) => {
                    connection = fresh;
                    error.to_string()
                }
                Err(error) => {
                    outcome.errors += 1;
                    outcome.first_error = format!("no connection: {error}");
                    break;
                }
            },
        };
        outcome.errors += 1;
        if outcome.first_error.is_empty() {
            outcome.first_error = problem;
        }
    }
    outcome
}

struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    /// What was read and not yet taken is `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Never written to: the kernel is told to drop what would go here.
    discard: Vec<u8>,
}

enum Framing {
    Length(u64),
    Chunked,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (buffer, discard) = (vec![0; BUFFER_BYTES], vec![0; DISCARD_BYTES]);
        Ok(Self { stream, address, buffer, start: 0, end: 0, discard })
    }

    async fn exchange(&mut self, request: &Request, noise: &Noise, keep: bool) -> Result<Answer> {
        if let Err(error) = self.send(request, noise).await {
            // A refusal may have been sent before the body was taken.
            return self.receive(true).await.map_err(|_| error);
        }
        self.receive(keep).await
    }

    async fn send(&mut self, request: &Request, noise: &Noise) -> Result<()> {
        let small = match &request.body {
            Body::Small(length) => &noise.small[..*length],
            Body::Text(text) => text,
            Body::None | Body::Large { .. } => &[],
        };
        let (head, mut sent) = (&request.head, 0);
        while sent < head.len() + small.len() {
            let slices = [
                IoSlice::new(&head[sent.min(head.len())..]),
                IoSlice::new(&small[sent.saturating_sub(head.len())..]),
            ];
            sent += self.stream.write_vectored(&slices).await?;
        }
        if let Body::Large { offset, length } = request.body {
            let (mut at, mut left) = (offset % noise.length, length);
            while left > 0 {
                let count = left.min((noise.length - at) as usize);
                let send = || Ok(sendfile(&self.stream, &noise.file, Some(&mut at), count)?);
                left -= self.stream.async_io(Interest::WRITABLE, send).await?;
                at %= noise.length;
            }
        }
        Ok(())
    }

    async fn receive(&mut self, keep: bool) -> Result<Answer> {
        let mut answer = Answer::default();
        let (framing, close) = loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&self.buffer[self.start..self.end]).map_err(Error::other)?;
            if let httparse::Status::Complete(length) = parsed {
                answer.status = head.code.unwrap_or_default();
                let (mut framing, mut close) = (None, false);
                for header in head.headers.iter() {
                    let value = str::from_utf8(header.value).unwrap_or_default();
                    if header.name.eq_ignore_ascii_case("content-length") {
                        framing = value.parse().ok().map(Framing::Length);
                    } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                        framing = Some(Framing::Chunked);
                    } else if header.name.eq_ignore_ascii_case("connection") {
                        close = value.eq_ignore_ascii_case("close");
                    } else if header.name.eq_ignore_ascii_case("etag") {
                        value.clone_into(&mut answer.etag);
                    }
                }
                if answer.status == 204 {
                    framing = Some(Framing::Length(0));
                }
                self.start += length;
                break (framing.ok_or_else(|| Error::other("an answer of unknown length"))?, close);
            }
            self.fill().await?;
        };
        let mut text = (keep || answer.status >= 300).then(Vec::new);
        match framing {
            Framing::Length(length) => {
                answer.bytes = length;
                self.take(length, text.as_mut()).await?;
            }
            Framing::Chunked => loop {
                let parsed = httparse::parse_chunk_size(&self.buffer[self.start..self.end]);
                let httparse::Status::Complete((line, size)) =
                    parsed.map_err(|_| Error::other("a bad chunk"))?
                else {
                    self.fill().await?;
                    continue;
                };
                self.start += line;
                answer.bytes += size;
                self.take(size, text.as_mut()).await?;
                self.take(2, None).await?;
                if size == 0 {
                    break;
                }
            },
        }
        answer.text = text.unwrap_or_default();
        if close {
            *self = Self::open(self.address).await?;
        }
        Ok(answer)
    }

    /// Reads what there is, behind what is left in the buffer.
    async fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        match self.stream.read(&mut self.buffer[self.end..]).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.end += count;
                Ok(())
            }
        }
    }

    /// Takes bytes off the stream, into the text if there is one.
    async fn take(&mut self, mut count: u64, mut text: Option<&mut Vec<u8>>) -> Result<()> {
        while count > 0 {
            if self.start < self.end {
                let taken = usize::try_from(count).unwrap_or(usize::MAX).min(self.end - self.start);
                if let Some(text) = &mut text {
                    text.extend_from_slice(&self.buffer[self.start..self.start + taken]);
                }
                self.start += taken;
                count -= taken as u64;
            } else if text.is_some() || count < 4096 {
                self.fill().await?;
            } else {
                let most = usize::try_from(count).unwrap_or(usize::MAX).min(DISCARD_BYTES);
                let (stream, discard) = (&self.stream, &mut self.discard[..most]);
                let drop = || Ok(recv(stream, &mut *discard, RecvFlags::TRUNC)?.1);
                match stream.async_io(Interest::READABLE, drop).await? {
                    0 => return Err(ErrorKind::UnexpectedEof.into()),
                    taken => count -= taken as u64,
                }
            }
        }
        Ok(())
    }
}

/// CPU time of this thread, which is the one that drives.
fn own_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

/// Downloads that read a little, ten times a second: the number that got bytes to the end, and what they got.
pub async fn slow(
    address: SocketAddr,
    requests: Vec<Request>,
    rate: usize,
    time: Duration,
) -> Result<Outcome> {
    let began = Instant::now();
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            tokio::spawn(async move {
                let socket = tokio::net::TcpSocket::new_v4()?;
                socket.set_recv_buffer_size(BUFFER_BYTES as u32)?;
                let mut stream = socket.connect(address).await?;
                stream.write_all(&request.head).await?;
                let mut buffer = vec![0; (rate / 10).max(1)];
                let mut taken = 0;
                while began.elapsed() < time {
                    let count = stream.read(&mut buffer).await?;
                    if count == 0 || (taken == 0 && !buffer.starts_with(b"HTTP/1.1 200")) {
                        return Err(Error::other("the download ended early"));
                    }
                    taken += count as u64;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok::<u64, Error>(taken)
            })
        })
        .collect();
    let mut outcome = Outcome::default();
    for task in tasks {
        match task.await? {
            Ok(bytes) => {
                outcome.operations += 1;
                outcome.bytes += bytes;
            }
            Err(error) => {
                outcome.errors += 1;
                outcome.first_error = error.to_string();
            }
        }
    }
    outcome.seconds = began.elapsed().as_secs_f64();
    Ok(outcome)
}
