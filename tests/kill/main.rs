//! Kills the real process under load, again and again, and sees through S3 that nothing is lost and nothing is
//! mixed up.
//!
//! Clients with keys of their own know exactly what must be there: everything acknowledged, and of the one
//! request that each had under way either all or nothing. Now and then the server is killed while it starts, and
//! now and then it is stopped, to count its files.
//!
//! `PRESIGNED_KILLS` is the number of kills; `PRESIGNED_KILL_SEED` decides what is sent and when the kills come,
//! not how far the server gets in that time. A killed process loses nothing that is in the page cache: this tests
//! that changes are atomic and that recovery works, not that anything is synced.
#![cfg(feature = "server")]
#![allow(
    unreachable_pub,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::map_err_ignore,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test has no face, and fails by panicking"
)]

mod client;
mod disk;
mod model;
mod observe;
mod plan;
mod process;
mod random;
mod worker;

#[path = "../server/harness.rs"]
#[allow(dead_code, reason = "this test starts its server itself")]
mod harness;
#[path = "../server/sign.rs"]
#[allow(dead_code, reason = "this test only presigns")]
mod sign;
#[path = "../server/wire.rs"]
#[allow(dead_code, reason = "this test sends few kinds of requests")]
mod wire;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::Client;
use disk::Aim;
use model::Blobs;
use process::{Home, Server};
use random::Random;
use worker::{SHARED, Worker};

const WORKERS: usize = 6;
/// Kills where `PRESIGNED_KILLS` says nothing: some 7 s, twice that on a busy machine.
const KILLS_DEFAULT: u64 = 12;
const KILLS_OF_NEW_STORE: u64 = 2;
/// Longest time under load.
const LOAD_MILLIS_MAX: usize = 400;
/// Longest time of a start that is to be killed: about as long as one takes, without and with a store.
const NEW_START_MILLIS_MAX: usize = 150;
const START_MILLIS_MAX: usize = 40;
/// About as long as a commit takes.
const COMMIT_MICROS_MAX: usize = 4000;

#[test]
fn what_was_acknowledged_survives_kills() {
    let kills = number("PRESIGNED_KILLS").unwrap_or(KILLS_DEFAULT);
    let seed =
        number("PRESIGNED_KILL_SEED").unwrap_or_else(|| u64::from(getrandom::u32().expect("randomness")));
    let mut run = Run::new(seed);
    say(&format!("PRESIGNED_KILL_SEED={seed} PRESIGNED_KILLS={kills} in {}", run.home.base().display()));
    let started = Instant::now();
    for kill in 0..kills {
        run.round(kill);
        if (kill + 1) % 50 == 0 {
            say(&format!("{} kills in {:.0?}: {}", kill + 1, started.elapsed(), run.summary()));
        }
    }
    let server = run.home.start();
    run.check(&server);
    let server = run.count_files(server);
    run.check(&server);
    run.home.stop(server);
    say(&format!("{kills} kills in {:.0?}: {}", started.elapsed(), run.summary()));
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

#[expect(clippy::print_stdout, reason = "a failure is looked into with the seed, a long run is watched")]
fn say(text: &str) {
    println!("{text}");
}

struct Run {
    seed: u64,
    home: Home,
    workers: Vec<Worker>,
    /// Blobs that kills left in the incoming folder, and how many of those a start put into their place.
    interrupted: usize,
    placed: usize,
    /// Kills of a server that was starting.
    at_start: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
        let home = Home::new(&format!("kill-{}", std::process::id()), &["--bucket", SHARED]);
        let workers = (0..WORKERS).map(Worker::new).collect();
        Self { seed, home, workers, interrupted: 0, placed: 0, at_start: 0 }
    }

    /// One life of the server, and its end.
    fn round(&mut self, kill: u64) {
        let mut random = Random::new(self.seed, &[kill]);
        // The first ones while the directory is being made.
        let is_new = kill < KILLS_OF_NEW_STORE;
        if is_new || random.chance(20) {
            let millis = if is_new { NEW_START_MILLIS_MAX } else { START_MILLIS_MAX };
            let after = Duration::from_micros(random.below(millis * 1000) as u64);
            self.home.kill_at_start(after);
            self.at_start += 1;
            return;
        }
        let left = disk::incoming(&self.home.data());
        let mut server = self.home.start();
        self.interrupted += left.len();
        self.placed += disk::placed(&self.home.data(), &left);
        self.check(&server);
        if random.chance(40) {
            server = self.count_files(server);
        }
        let load = Duration::from_micros(random.within(1, LOAD_MILLIS_MAX * 1000) as u64);
        let delay = Duration::from_micros(random.below(COMMIT_MICROS_MAX) as u64);
        let aim = *random.pick(&[Aim::Any, Aim::Any, Aim::Incoming(delay), Aim::Commit]);
        let (seed, address, killed) = (self.seed, server.address, AtomicBool::new(false));
        std::thread::scope(|scope| {
            for (number, worker) in self.workers.iter_mut().enumerate() {
                let random = Random::new(seed, &[kill, number as u64 + 1]);
                let killed = &killed;
                scope.spawn(move || worker.work(address, random, killed));
            }
            std::thread::sleep(load);
            disk::wait_for(aim, &self.home.data());
            killed.store(true, Ordering::SeqCst);
            self.home.kill(server);
        });
    }

    /// Compares everything with what it must be, and then the disk.
    fn check(&mut self, server: &Server) {
        std::thread::scope(|scope| {
            for worker in &mut self.workers {
                scope.spawn(|| worker.check(server.address));
            }
        });
        let mut client = Client::new(server.address);
        let states = || self.workers.iter().map(|worker| &worker.state);
        let buckets: BTreeSet<String> = states().flat_map(|state| state.buckets.keys().cloned()).collect();
        assert_eq!(observe::buckets(&mut client), buckets);
        let shared = || states().map(|state| &state.buckets[SHARED]);
        let keys: BTreeSet<String> = shared().flat_map(|bucket| bucket.objects.keys().cloned()).collect();
        assert!(observe::keys(&mut client, SHARED, "").into_keys().eq(keys), "{SHARED} holds other keys");
        let uploads: BTreeSet<String> = shared().flat_map(|bucket| bucket.uploads.keys().cloned()).collect();
        let listed = observe::uploads(&mut client, SHARED, "");
        assert!(
            listed.keys().collect::<BTreeSet<_>>().into_iter().eq(&uploads),
            "{SHARED} holds other uploads"
        );
        disk::settle(&self.home.data(), &self.blobs());
    }

    /// Stops the server, looks at what it left, and starts it again.
    fn count_files(&mut self, server: Server) -> Server {
        self.home.stop(server);
        let complaint = disk::complaint(&self.home.data(), &self.blobs());
        assert!(complaint.is_none(), "after a clean stop {}", complaint.unwrap_or_default());
        self.home.start()
    }

    fn blobs(&self) -> Blobs {
        self.workers.iter().flat_map(|worker| worker.state.blobs()).collect()
    }

    fn summary(&self) -> String {
        let sum = |count: fn(&Worker) -> u64| self.workers.iter().map(count).sum::<u64>();
        format!(
            "{} requests acknowledged, {} unanswered ones found undone and {} done; {} of {} interrupted blobs kept; {} kills at start",
            sum(|worker| worker.acknowledged),
            sum(|worker| worker.undone),
            sum(|worker| worker.done),
            self.placed,
            self.interrupted,
            self.at_start,
        )
    }
}
