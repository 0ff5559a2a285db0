//! The server as a process: started, killed, stopped, and never left behind.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{ACCESS_KEY, SECRET_KEY};

const START_TIME_MAX: Duration = Duration::from_secs(30);
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

/// The directory of one run; it stays if the run fails.
pub struct Home {
    base: PathBuf,
    /// Arguments of `serve` beside those that every start has.
    arguments: Vec<String>,
    /// Ends the server of which it was told last, should this process be gone without having done so.
    watch: Child,
}

pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Home {
    pub fn new(name: &str, arguments: &[&str]) -> Self {
        let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(&base).expect("a directory");
        let script = "trap '' INT; while read -r pid; do last=$pid; done; [ $last = 0 ] || kill -9 $last";
        let watch = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { base, arguments: arguments.iter().map(|text| (*text).to_owned()).collect(), watch }
    }

    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The directory of the store.
    pub fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    fn ready_file(&self) -> PathBuf {
        self.base.join("ready")
    }

    fn log(&self) -> PathBuf {
        self.base.join("log")
    }

    fn spawn(&mut self) -> Child {
        let _ = fs::remove_file(self.ready_file());
        let child = Command::new(env!("CARGO_BIN_EXE_presigned"))
            .arg("serve")
            .arg(self.data())
            .args(["--listen", "127.0.0.1:0", "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .arg("--ready-file")
            .arg(self.ready_file())
            .args(&self.arguments)
            .env("PRESIGNED_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.log()).expect("a log"))
            .spawn()
            .expect("the server's binary");
        self.watch(child.id());
        child
    }

    /// Which process the watch is to end; 0 for none.
    fn watch(&mut self, process: u32) {
        let input = self.watch.stdin.as_mut().expect("the watch listens");
        writeln!(input, "{process}").expect("the watch listens");
    }

    /// Starts the server and waits until it takes requests.
    pub fn start(&mut self) -> Server {
        let mut child = self.spawn();
        let started = Instant::now();
        let urls = loop {
            if let Ok(urls) = fs::read_to_string(self.ready_file()) {
                break urls;
            }
            let ended = child.try_wait().expect("a child");
            if ended.is_some() || started.elapsed() > START_TIME_MAX {
                panic!("the server did not start: {ended:?} {}", self.log_text());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let url = urls.lines().next().expect("one URL a line");
        let address = url.strip_prefix("http://").expect("plain HTTP").parse().expect("an address");
        Server { child, address }
    }

    /// Starts the server and kills it before it is ready, or a little later.
    pub fn kill_at_start(&mut self, after: Duration) {
        let mut child = self.spawn();
        std::thread::sleep(after);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        self.watch(0);
        self.check_log();
    }

    /// SIGKILL.
    pub fn kill(&mut self, mut server: Server) {
        let ended = server.child.try_wait().expect("a child");
        assert!(ended.is_none(), "the server ended by itself: {ended:?} {}", self.log_text());
        server.child.kill().expect("it can be killed");
        server.child.wait().expect("it ends");
        self.watch(0);
        self.check_log();
    }

    /// SIGTERM, and a clean end.
    pub fn stop(&mut self, mut server: Server) {
        let id = i32::try_from(server.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::TERM).expect("it can be stopped");
        let stopped = Instant::now();
        let status = loop {
            match server.child.try_wait().expect("a child") {
                Some(status) => break status,
                None if stopped.elapsed() > STOP_TIME_MAX => {
                    server.child.kill().expect("it can be killed");
                    panic!("the server does not stop: {}", self.log_text());
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        self.watch(0);
        assert!(status.success(), "the server stopped with {status}: {}", self.log_text());
        self.check_log();
    }

    fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Nothing that happens here is worth a warning.
    fn check_log(&self) {
        let text = self.log_text();
        assert!(text.is_empty(), "the server complained: {text}");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // End of input: the watch does what is left to do, and ends.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.base);
        }
    }
}
