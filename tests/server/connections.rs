//! Who holds a connection holds a slot: what clients without any key can do with them. The evidence is what an attacker
//! did.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::check::Table;
use crate::harness::{ACCESS_KEY, SECRET_KEY, Server, server, start_with_files};
use crate::http2::{PREFACE, connect, frame, get, ping, settings};
use crate::sign::Sign as _;
use crate::wire::{Connection, Request};

/// How long the server keeps a connection on which this is sent, this half a second later, and this each second; at most
/// 100 s.
fn kept([first, then, each_second]: &[Vec<u8>; 3]) -> Duration {
    let mut stream = connect(server().address);
    stream.set_read_timeout(Some(Duration::from_millis(1000))).expect("set");
    let began = Instant::now();
    stream.write_all(first).expect("sent");
    std::thread::sleep(Duration::from_millis(500));
    stream.write_all(then).expect("sent");
    let mut buffer = [0; 64 * 1024];
    while began.elapsed() < Duration::from_secs(100) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => std::thread::sleep(Duration::from_millis(200)),
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if stream.write_all(each_second).is_err() {
            break;
        }
    }
    began.elapsed()
}

/// Without a request a connection ends after a minute, whatever else it sends; so it does when answers wait that nobody
/// takes.
#[test]
fn a_connection_without_requests_ends() {
    let health = get(1, "/_presigned/health", &[]);
    let begun = [PREFACE, &settings(65_535)].concat();
    let none = Vec::new;
    // Refusals that are reset before any of them was taken, and acknowledgements in their place.
    let quotes = "\"".repeat(9_000);
    let refused = (0..20).flat_map(|n| get(n * 2 + 1, "/bucket1/key", &[("authorization", &quotes)]));
    let resets = (0..20).flat_map(|n| frame(3, 0, n * 2 + 1, &[0, 0, 0, 8]));
    let cases = [
        ("nothing", [none(), none(), none()]),
        ("a preface and nothing", [begun.clone(), none(), none()]),
        ("a preface and PINGs", [begun.clone(), none(), ping()]),
        ("a request, then PINGs", [[begun.as_slice(), &health].concat(), none(), ping()]),
        (
            "requests that are reset, then PINGs",
            [
                [PREFACE, &settings(0)].concat().into_iter().chain(refused).collect(),
                resets.collect(),
                ping().repeat(5),
            ],
        ),
        ("half a head", [b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec(), none(), none()]),
    ];
    let times: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = cases.iter().map(|(what, sent)| (what, scope.spawn(|| kept(sent)))).collect();
        threads.into_iter().map(|(what, thread)| (what, thread.join().expect("a time"))).collect()
    });
    let mut table = Table::default();
    for (what, time) in times {
        table.check(&format!("{what}: {time:?}"), (58..66).contains(&time.as_secs()));
    }
}

/// 17 MB of refusals a connection were held for who does not read them: now it is one.
#[test]
fn refusals_that_nobody_reads() {
    let server = start_with_files("unread", 1024, &["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]);
    let quotes = "\"".repeat(14_000);
    let before = resident(&server);
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(server.address);
        stream.write_all(&[PREFACE, &settings(0)].concat()).expect("sent");
        for number in 0..120 {
            let request = get(number * 2 + 1, "/bucket/key", &[("authorization", &quotes)]);
            if stream.write_all(&request).is_err() {
                break;
            }
        }
        held.push(stream);
    }
    std::thread::sleep(Duration::from_secs(2));
    let grown = resident(&server).saturating_sub(before) / held.len() as u64;
    assert!(grown < 4 * 1024 * 1024, "{grown} bytes a connection");
    Request::to(server.address, "GET", "/_presigned/health").send().expect(200);
}

/// The resident memory of a server, in bytes.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

/// A refusal repeats what was sent, up to a point.
#[test]
fn refusals_are_short() {
    let mut table = Table::default();
    let long = "x".repeat(9_000);
    let quotes = "\"".repeat(9_000);
    let url = Request::new("GET", &format!("/bucket1/k?a={long}&b={}", "%22".repeat(3_000))).presign();
    let requests = [
        ("a wrong signature", url.clone().edit("X-Amz-Signature=", "X-Amz-Signature=0")),
        ("a long signature", url.edit("X-Amz-Signature=", &format!("X-Amz-Signature={long}"))),
        ("an odd authorization", Request::new("GET", "/bucket1/k").header("Authorization", &quotes)),
        ("a key that is none", Request::new("GET", "/bucket1/k").presign().edit("AKIDEXAMPLE", &long)),
        ("V2", Request::new("GET", "/bucket1/k").presign_v2("GET", 600).header("x-amz-meta-a", &quotes)),
    ];
    for (what, request) in requests {
        let response = request.send();
        let length = response.body.len();
        table.check(
            &format!("{what}: {} {length}", response.status),
            response.status >= 400 && length <= 32 * 1024,
        );
        table.check(&format!("{what} says that it was cut"), response.text().contains(" bytes in all)"));
        table.check(&format!("{what} is XML"), response.error_elements().is_ok());
    }
}

/// Every slot is held, and the health check answers; who comes with another request is told to come later.
#[test]
fn health_while_all_slots_are_held() {
    let arguments = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--bucket", "bucket"];
    // (128 - 64) / 2
    let server = start_with_files("slots", 128, &arguments);
    let upload =
        Request::to(server.address, "PUT", "/bucket/k").header("Content-Length", "2").presign().head();
    let held: Vec<TcpStream> = (0..32)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.write_all(&[&upload, &b"x"[..]].concat()).expect("sent");
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1000));
    for _ in 0..20 {
        let began = Instant::now();
        Request::to(server.address, "GET", "/_presigned/health").send().expect(200);
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    }
    let later = Request::to(server.address, "GET", "/bucket").sign().send();
    assert_eq!((later.status, later.element("Code").as_deref()), (503, Some("SlowDown")));
    drop(held);
    std::thread::sleep(Duration::from_millis(100));
    Request::to(server.address, "GET", "/bucket").sign().send().expect(200);
}

/// Ten times as many connections as there are slots, which send nothing, or a head that does not end, kept everybody out
/// for a minute. They give way.
#[test]
fn idle_connections_hold_no_slot() {
    let arguments = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--bucket", "bucket"];
    let server = start_with_files("idle", 128, &arguments);
    let mut kept_alive = Connection::open(server.address);
    let usual = Request::to(server.address, "GET", "/_presigned/health");
    kept_alive.write(&usual.head());
    kept_alive.response("GET").expect(200);
    let held: Vec<TcpStream> = (0..320)
        .map(|number| {
            let mut stream = connect(server.address);
            if number % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\n").expect("sent");
            }
            stream
        })
        .collect();
    for target in ["/_presigned/health", "/bucket"] {
        let began = Instant::now();
        Request::to(server.address, "GET", target).sign().send().expect(200);
        assert!(began.elapsed() < Duration::from_secs(8), "{target}: {:?}", began.elapsed());
    }
    assert!(kept_alive.is_closed());
    drop(held);
}

/// 400 KB of a head that does not end were kept.
#[test]
fn heads_that_do_not_end() {
    let server = start_with_files("heads", 1024, &["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]);
    let before = resident(&server);
    let head = [b"GET / HTTP/1.1\r\nHost: a\r\nx: ", vec![b'x'; 400_000].as_slice()].concat();
    let held: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.set_write_timeout(Some(Duration::from_millis(200))).expect("set");
            // It may be refused before all is sent.
            let _ = stream.write_all(&head);
            stream
        })
        .collect();
    let grown = resident(&server).saturating_sub(before) / held.len() as u64;
    assert!(grown <= 80 * 1024, "{grown} bytes a connection");
}
