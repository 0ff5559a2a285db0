//! The server under test: one process for all tests, and others with other settings.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub const BUCKET: &str = "bucket1";
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// A running server. It ends with this process, however this process ends: see [`start`].
pub struct Server {
    pub address: SocketAddr,
    /// The directory of its store.
    pub data: PathBuf,
    /// What it has written so far.
    pub log: PathBuf,
    _watch: Child,
}

impl Server {
    /// The id of its process, which stands in its lock.
    pub fn process(&self) -> u32 {
        let lock = fs::read_to_string(self.data.join("lock")).expect("a lock");
        lock.trim().parse().expect("the id of a process")
    }
}

/// The server that most tests share.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY];
        start("main", &[&keys[..], &["--bucket", BUCKET, "--bucket", "dotted.bucket"]].concat())
    })
}

/// Starts a server and waits until it takes requests.
///
/// A shell stands between: it waits for the end of its standard input, which comes when this process is gone,
/// panicked or killed, and then ends the server and removes its directory. Statics are never dropped.
pub fn start(name: &str, arguments: &[&str]) -> Server {
    let base = folder(name);
    let _ = fs::remove_dir_all(&base);
    fs::create_dir_all(&base).expect("a directory");
    start_in(&base, name, arguments)
}

/// The folder of a server, in which its store is `data`.
pub fn folder(name: &str) -> PathBuf {
    let run = format!("{name}-{}", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("server").join(run)
}

/// The same, with so many files that it may have open.
pub fn start_with_files(name: &str, files_max: u32, arguments: &[&str]) -> Server {
    let base = folder(name);
    let _ = fs::remove_dir_all(&base);
    fs::create_dir_all(&base).expect("a directory");
    start_limited(&base, name, &files_max.to_string(), arguments)
}

/// The same in a folder that may hold a store.
pub fn start_in(base: &Path, name: &str, arguments: &[&str]) -> Server {
    start_limited(base, name, "", arguments)
}

fn start_limited(base: &Path, name: &str, files_max: &str, arguments: &[&str]) -> Server {
    let ready = base.join("ready");
    let script = r#"
        trap '' INT
        base=$1 log=$2; shift 2
        [ -z "$OPEN_FILES_MAX" ] || ulimit -n "$OPEN_FILES_MAX"
        "$@" </dev/null >"$log" 2>&1 &
        server=$!
        cat >/dev/null
        kill $server; wait $server; rm -rf "$base""#;
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{name}.log"));
    let watch = Command::new("sh")
        .args(["-c", script, "sh"])
        .env("OPEN_FILES_MAX", files_max)
        .args([base, &log])
        .args([env!("CARGO_BIN_EXE_presigned"), "serve"])
        .arg(base.join("data"))
        .args(["--listen", "127.0.0.1:0", "--ready-file"])
        .arg(&ready)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let started = Instant::now();
    let urls = loop {
        match fs::read_to_string(&ready) {
            Ok(urls) => break urls,
            Err(_) if started.elapsed() > START_TIME_MAX => {
                panic!("the server did not start: {}", fs::read_to_string(&log).unwrap_or_default())
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let url = urls.lines().next().expect("one URL a line");
    let address = url.strip_prefix("http://").expect("plain HTTP").parse().expect("an address");
    Server { address, data: base.join("data"), log, _watch: watch }
}

/// A path in the shared bucket that no other test uses.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("/{BUCKET}/{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
