//! After everything that bad clients do, the server still serves, and has not panicked.

use std::time::Duration;

use crate::check::{Table, assert_stored};
use crate::harness::{server, unique};
use crate::sign::Sign as _;
use crate::wire::{Connection, Request};

fn healthy() -> bool {
    let response = Request::new("GET", "/_presigned/health").send();
    response.status == 200 && !response.body.is_empty()
}

#[test]
fn health_and_what_is_beside_it() {
    let mut table = Table::default();
    table.check("health", healthy());
    let head = Request::new("HEAD", "/_presigned/health").send();
    table.check("HEAD", head.status == 200 && head.body.is_empty());
    table.status("PUT", &Request::new("PUT", "/_presigned/health").body("x").send(), 405);
    table.status("nothing there", &Request::new("GET", "/_presigned/other").send(), 404);
    let text = Request::new("GET", "/_presigned/health?x=%ZZ").send();
    table.check("an odd query", [200, 400].contains(&text.status));
}

#[test]
fn many_bad_clients_at_once() {
    std::thread::scope(|scope| {
        for n in 0..8_u64 {
            scope.spawn(move || {
                let path = unique("bad");
                let request = Request::new("PUT", &path).presign().set("Content-Length", "100000");
                let whole = [request.head(), vec![b'x'; 100_000]].concat();
                // A pseudo-random cut, the same in every run.
                let mut state = n + 1;
                for _ in 0..30 {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let cut = (state >> 33) as usize % whole.len();
                    let mut broken = whole[..cut].to_vec();
                    if state % 3 == 0 {
                        let head = request.head().len();
                        let at = (state >> 20) as usize % head.min(cut.max(1));
                        if let Some(byte) = broken.get_mut(at) {
                            *byte ^= 1 << (state % 8);
                        }
                    }
                    let mut connection = Connection::open(request.address);
                    connection.write(&broken);
                    if state % 2 == 0 {
                        connection.end();
                        let _ = connection.rest();
                    }
                }
            });
        }
    });
    assert!(healthy());
}

#[test]
fn slow_clients_do_not_hold_up_others() {
    let path = unique("slow");
    let slow: Vec<Connection> = (0..50)
        .map(|n| {
            let request = Request::new("PUT", &path).presign().set("Content-Length", "1000000");
            let mut connection = Connection::open(request.address);
            let head = request.head();
            let part = if n % 2 == 0 { head.len() } else { head.len() / 2 };
            connection.write(&head[..part]);
            connection
        })
        .collect();
    let other = unique("fast");
    Request::new("PUT", &other).presign().body("x").send().expect(200);
    assert_stored(&other, "x");
    drop(slow);
    assert!(healthy());
}

#[test]
fn interleaved_writes_are_whole() {
    let path = unique("interleaved");
    let bodies: Vec<Vec<u8>> = (b'a'..=b'd').map(|byte| vec![byte; 300_000]).collect();
    let mut open = Vec::new();
    for body in &bodies {
        let request = Request::new("PUT", &path).presign().body(body);
        let mut connection = Connection::open(request.address);
        connection.write(&[request.head(), body[..150_000].to_vec()].concat());
        open.push(connection);
    }
    for (connection, body) in open.iter_mut().zip(&bodies).rev() {
        connection.write(&body[150_000..]);
        connection.response("PUT").expect(200);
        assert_stored(&path, body);
    }
}

#[test]
fn the_log_has_no_panic_and_no_signature() {
    let secret = crate::harness::SECRET_KEY;
    let request = Request::new("GET", &unique("logged")).presign();
    let signature = request.parameter("X-Amz-Signature").to_owned();
    request.send().expect(404);
    let wrong = request.add_query("a=b").send().expect(403);
    let id = wrong.header("x-amz-request-id").expect("an id").to_owned();
    let log = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-main.log");
    let mut text = String::new();
    // Lines are written by a thread of their own.
    for _ in 0..500 {
        text = std::fs::read_to_string(&log).expect("a log");
        if text.contains(&id) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(text.contains(&id), "no line for the request: {} bytes of log", text.len());
    assert!(!text.contains(&signature), "a signature is logged");
    assert!(!text.contains(secret), "the secret is logged");
    assert!(!text.contains("panicked"), "{text}");
    assert!(server().address.port() > 0 && healthy());
}
