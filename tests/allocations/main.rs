//! Counts the allocations of a small GET and of a small PUT, in the real server: so many, and no more.
//!
//! The program is both sides. Started with `serve` it is the server, whose allocator counts and is asked by a line on its
//! standard input; otherwise it starts itself like that, and sends requests over one connection.
#![cfg(feature = "server")]
#![expect(
    unreachable_pub,
    clippy::exit,
    clippy::indexing_slicing,
    clippy::map_err_ignore,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test has no face, and fails by panicking"
)]

#[path = "../server/harness.rs"]
#[allow(dead_code, reason = "this test starts its server itself")]
mod harness;
#[path = "../server/sign.rs"]
#[allow(dead_code, reason = "this test only presigns")]
mod sign;
#[path = "../server/wire.rs"]
#[allow(dead_code, reason = "this test sends few kinds of requests")]
mod wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use harness::{ACCESS_KEY, BUCKET, SECRET_KEY};
use sign::Sign as _;
use wire::{Connection, Request};

/// Most allocations of a presigned GET of 1 KiB, on a connection that has had one before.
const GET_MAX: u64 = 65;
/// The same of a presigned PUT of 1 KiB.
const PUT_MAX: u64 = 112;
/// Requests over which the mean is taken.
const REQUESTS: u64 = 200;
/// What the server writes before its count.
const COUNTED: &str = "allocations: ";

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator is")]
// SAFETY: everything is the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.realloc(block, layout, size) }
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        serve();
    }
    let mut server = Server::start();
    let (mut get, mut put) = (Vec::new(), Vec::new());
    // What else the server does now and then is not the request's: the least of some runs is.
    for _ in 0..5 {
        put.push(server.count("PUT"));
        get.push(server.count("GET"));
    }
    let (get, put) = (least(&get), least(&put));
    println!("a presigned GET of 1 KiB: {get} allocations, at most {GET_MAX}");
    println!("a presigned PUT of 1 KiB: {put} allocations, at most {PUT_MAX}");
    assert!(get > 0 && put > 0, "nothing was counted");
    assert!(get <= GET_MAX && put <= PUT_MAX, "a request allocates more than it did");
}

/// Is the server, and says how much was allocated whenever it is asked.
fn serve() -> ! {
    std::thread::spawn(|| {
        for _ in stdin().lock().lines() {
            println!("{COUNTED}{}", ALLOCATIONS.load(Ordering::Relaxed));
        }
        std::process::exit(0);
    });
    presigned::cli::run();
    std::process::exit(1);
}

fn least(counts: &[u64]) -> u64 {
    *counts.iter().min().expect("some runs")
}

struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .arg("serve")
            .arg(folder.path().join("data"))
            .args(["--listen", "127.0.0.1:0", "--bucket", BUCKET])
            .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut output = BufReader::new(output);
        let mut greeting = String::new();
        output.read_line(&mut greeting).expect("a greeting");
        let (_, address) = greeting.trim_end().split_once("http://").expect("an address");
        let address = address.parse().expect("an address");
        Self { process, input, output, address, folder }
    }

    /// How much has been allocated so far.
    fn allocations(&mut self) -> u64 {
        writeln!(self.input).expect("asked");
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("answered") > 0, "the server has ended");
            if let Some(count) = line.trim_end().strip_prefix(COUNTED) {
                return count.parse().expect("a number");
            }
        }
    }

    /// How much a request of this method allocates.
    fn count(&mut self, method: &str) -> u64 {
        let request = Request::to(self.address, method, &format!("/{BUCKET}/allocations.txt"));
        let request = if method == "PUT" { request.body([b'x'; 1024]) } else { request };
        let request = request.presign();
        let bytes = [request.head(), request.body.clone()].concat();
        let mut connection = Connection::open(self.address);
        let send = |connection: &mut Connection| {
            assert!(connection.write(&bytes));
            connection.response(method).expect(200);
        };
        send(&mut connection);
        let before = self.allocations();
        (0..REQUESTS).for_each(|_| send(&mut connection));
        let after = self.allocations();
        // Rounded to the nearest, since a line of the log may still be under way.
        (after - before + REQUESTS / 2) / REQUESTS
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.folder.path();
    }
}
