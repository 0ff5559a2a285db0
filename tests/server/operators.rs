//! What somebody meets who runs the server: the log, signals, messages, and who else can read the files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::check::Table;
use crate::harness::{ACCESS_KEY, SECRET_KEY, Server, folder, start};
use crate::sign::Sign as _;
use crate::wire::{Connection, Request};

const PRESIGNED: &str = env!("CARGO_BIN_EXE_presigned");
const KEYS: [&str; 4] = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY];

/// What the server has logged, when its lines have been written.
fn log_of(server: &Server) -> String {
    std::thread::sleep(Duration::from_millis(100));
    fs::read_to_string(&server.log).expect("a log")
}

/// The ways in which URLs come to a server: through HTML, JSON, another encoding, a shell.
fn mangled(target: &str) -> Vec<String> {
    let changes = [
        ("&", "&amp;"),
        ("&", ";"),
        ("&", "%26"),
        ("?", "%3F"),
        ("=", "%3D"),
        ("=", "%253D"),
        ("&", "%5Cu0026"),
        ("&", "\\u0026"),
        ("X-Amz-", "x-amz-"),
        ("Sign", "%53ign"),
        ("?", "/"),
        ("?", "?url=/bucket/key%3F"),
        ("X-Amz-Signature=", "X-Amz-Signature: "),
        ("&X-Amz", "&amp;amp;X-Amz"),
    ];
    let changed = changes.iter().map(|(from, to)| target.replace(from, to).replace(' ', "%20"));
    changed.chain([target.to_owned()]).collect()
}

/// A line with a signature lets its reader do what the URL lets its holder do.
#[test]
fn nothing_in_the_log_can_be_used() {
    let mut table = Table::default();
    let token = "FwoGZXIvYXdzEPlantedSessionTokenThatMustNotBeSeen1234567890";
    for format in ["text", "json"] {
        let name = format!("secrets-{format}");
        let server = start(&name, &[&KEYS[..], &["--bucket", "bucket", "--log-format", format]].concat());
        let to = |method: &str, target: &str| Request::to(server.address, method, target);
        let v4 = to("GET", "/bucket/key").presign();
        let v2 = to("GET", "/bucket/key").presign_v2("GET\n\n\n{}\n/bucket/key", 600);
        let with_token = to("GET", &format!("/bucket/key?X-Amz-Security-Token={token}")).presign();
        let put = to("PUT", "/bucket/key").body("x").sign();
        put.send().expect(200);
        v4.send().expect(200);
        v2.send().expect(200);
        let raw = |text: &str| text.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        let authorization = put.value("authorization");
        let (_, header_signature) = authorization.split_once("Signature=").expect("a signature");
        let secrets = [
            SECRET_KEY.to_owned(),
            token.to_owned(),
            v4.parameter("X-Amz-Signature").to_owned(),
            with_token.parameter("X-Amz-Signature").to_owned(),
            v2.parameter("Signature").to_owned(),
            raw(v2.parameter("Signature")),
            header_signature.to_owned(),
        ];
        for url in [&v4, &v2, &with_token] {
            for target in mangled(&url.target) {
                for method in ["GET", "PUT", "DELETE", "HEAD"] {
                    let mut connection = Connection::open(server.address);
                    let request =
                        Request { target: target.clone(), method: method.to_owned(), ..(*url).clone() };
                    connection.write(&request.body("").head());
                    let _ = connection.try_response(method);
                }
            }
        }
        let odd = to("GET", "/bucket/key").header("Authorization", &format!("Bearer {token}"));
        let _ = odd.send();
        let log = log_of(&server);
        for secret in secrets {
            let found = log
                .find(&secret)
                .map(|at| log[log[..at].rfind('\n').map_or(0, |at| at + 1)..at + 80].to_owned());
            table.check(&format!("{format}: {secret} in {found:?}"), found.is_none());
        }
        let ready = fs::read_to_string(server.data.with_file_name("ready")).expect("a ready file");
        table.check(&ready, ready.trim() == format!("http://{}", server.address));
        table.check("the log has the requests", log.contains("SignatureDoesNotMatch"));
    }
}

/// Who asked, for which host, with which URL.
#[test]
fn lines_say_who() {
    let mut table = Table::default();
    let server = start("who", &[&KEYS[..], &["--bucket", "bucket"]].concat());
    let url = Request::to(server.address, "GET", "/bucket/who").presign();
    url.send().expect(404);
    url.send().expect(404);
    Request::to(server.address, "GET", &format!("/bucket/{}?a={}", "k".repeat(900), "x".repeat(3000)))
        .sign()
        .send();
    Request::to(server.address, "GET", "/bucket/refused")
        .presign()
        .edit("X-Amz-Expires=", "X-Amz-Expires=1")
        .send();
    let log = log_of(&server);
    let line =
        |text: &str| log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect::<Vec<_>>();
    let [one, two] = &line("key=\"who\"")[..] else { panic!("two lines in {log}") };
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    table.check(one, field(one, "user") == "main" && field(one, "access_key") == ACCESS_KEY);
    table.check(one, field(one, "host") == server.address.to_string());
    table.check(one, field(one, "url_id").len() == 16 && field(one, "url_id") == field(two, "url_id"));
    let [long] = &line("kkk")[..] else { panic!("a line in {log}") };
    table.check(long, field(long, "target").len() < 1100 && field(long, "target").contains("bytes in all"));
    let [refused] = &line("key=\"refused\"")[..] else { panic!("a line in {log}") };
    table.check(refused, field(refused, "user").is_empty() && field(refused, "access_key") == ACCESS_KEY);
}

/// Nothing is read again while the server runs, and nothing ends by asking for it.
#[test]
fn signals_that_are_ignored() {
    let server = start("signals", &[&KEYS[..], &["--bucket", "bucket"]].concat());
    for signal in ["HUP", "USR1", "USR2"] {
        let sent = Command::new("kill").args([format!("-{signal}"), server.process().to_string()]).status();
        assert!(sent.expect("kill").success());
        std::thread::sleep(Duration::from_millis(50));
        Request::to(server.address, "GET", "/_presigned/health").send().expect(200);
        assert!(log_of(&server).contains(&format!("SIG{signal}")));
    }
}

/// An upload that is cut by the end of the server has its line, which says how much had come.
#[test]
fn an_upload_that_the_end_cuts_is_logged() {
    let mut table = Table::default();
    for times in [1, 2] {
        let server = start(&format!("end-{times}"), &[&KEYS[..], &["--bucket", "bucket"]].concat());
        let put =
            Request::to(server.address, "PUT", "/bucket/cut").presign().set("Content-Length", "100000000");
        let mut connection = Connection::open(server.address);
        connection.write(&put.head());
        connection.write(&[0; 300_000]);
        std::thread::sleep(Duration::from_millis(200));
        let (process, began) = (server.process(), Instant::now());
        for _ in 0..times {
            Command::new("kill").arg(process.to_string()).status().expect("kill");
            std::thread::sleep(Duration::from_millis(300));
        }
        while Path::new(&format!("/proc/{process}")).exists() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = log_of(&server);
        let line = log.lines().find(|line| line.contains("key=\"cut\"")).unwrap_or_default();
        let said = line.contains("connection cut") && line.contains("bytes_in=300000");
        table.check(&format!("told {times} times to stop: {log}"), said);
        table.check(
            &format!("it waits only once: {:?}", began.elapsed()),
            (times == 1) == (began.elapsed().as_secs() > 5),
        );
    }
}

/// A download that its client cuts looked like one that was served.
#[test]
fn a_download_that_is_cut_is_logged() {
    let server = start("cut-download", &[&KEYS[..], &["--bucket", "bucket"]].concat());
    let to = |method: &str, target: &str| Request::to(server.address, method, target);
    to("PUT", "/bucket/large").body(vec![7; 40_000_000]).sign().send().expect(200);
    let mut connection = Connection::open(server.address);
    connection.write(&to("GET", "/bucket/large").presign().head());
    std::thread::sleep(Duration::from_millis(200));
    drop(connection);
    to("GET", "/bucket/large").presign().send().expect(200);
    to("HEAD", "/bucket/large").sign().send().expect(200);
    let log = log_of(&server);
    let cut = |line: &&str| line.contains("check=\"connection cut\"");
    assert_eq!(log.lines().filter(cut).count(), 1, "{log}");
    assert!(log.lines().find(cut).is_some_and(|line| line.contains("operation=\"GetObject\"")), "{log}");
}

/// Runs the program under an open umask.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new("sh")
        .args(["-c", "umask 0; exec \"$@\"", "sh", PRESIGNED])
        .args(arguments)
        .current_dir(folder)
        .env_remove("PRESIGNED_DIR")
        .output()
        .expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// Everything below a path that somebody else could read or write.
fn open_to_others(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mode = fs::symlink_metadata(path).expect("there").permissions().mode();
    if mode & 0o077 != 0 {
        found.push(path.to_owned());
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            found.extend(open_to_others(&entry.expect("an entry").path()));
        }
    }
    found
}

#[test]
fn nobody_else_reads_what_is_stored() {
    let mut table = Table::default();
    let server = start("private", &[&KEYS[..], &["--bucket", "bucket"]].concat());
    let to = |target: &str| Request::to(server.address, "PUT", target);
    to("/bucket/large").body(vec![1; 100_000]).sign().send().expect(200);
    to("/bucket/a/small").body("x").sign().send().expect(200);
    let folder = server.data.parent().expect("a folder").to_owned();
    table.check("the store", open_to_others(&server.data).is_empty());
    let victim = folder.join("victim");
    fs::write(&victim, "kept").expect("written");
    for (arguments, made) in [
        (&["backup", "saved", "--dir", "data"][..], "saved"),
        (&["export", "bucket", "laid", "--dir", "data"][..], "laid"),
    ] {
        let (status, text) = run(&folder, arguments);
        table.check(&format!("{arguments:?}: {text}"), status == 0);
        let open = open_to_others(&folder.join(made));
        table.check(&format!("{made}: {open:?}"), open.is_empty());
    }
    // What stands aside while a ready file is written may be a link.
    std::os::unix::fs::symlink(&victim, folder.join("ready2.new")).expect("a link");
    let mut child = Command::new(PRESIGNED)
        .args(["serve", "other", "--listen", "127.0.0.1:0", "--ready-file", "ready2"])
        .current_dir(&folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    for _ in 0..500 {
        if folder.join("ready2").exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    table.check("it is ready", folder.join("ready2").exists());
    table.check("the store of an open umask", open_to_others(&folder.join("other")).is_empty());
    child.kill().expect("killed");
    child.wait().expect("ended");
    table.check("the victim", fs::read_to_string(&victim).expect("there") == "kept");
}

/// A message says what is wrong, and a start that fails has made nothing.
#[test]
fn messages_say_what_is_wrong() {
    let mut table = Table::default();
    let server = start("messages", &KEYS);
    let base = folder("messages-cli");
    let _ = fs::remove_dir_all(&base);
    fs::create_dir_all(base.join("empty")).expect("a folder");
    fs::write(base.join("file"), "x").expect("written");
    fs::write(
        base.join("encrypted.pem"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .expect("written");
    fs::write(base.join("bad.toml"), "window_max = \"1\"\n").expect("written");
    fs::write(base.join("cert.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
        .expect("written");
    fs::write(base.join("quota.toml"), "[quotas]\nuploads = \"10Gb\"\n").expect("written");
    fs::write(base.join("stale"), "http://127.0.0.1:1\n").expect("written");
    fs::create_dir(base.join("keyless")).expect("a folder");
    fs::write(base.join("keyless/credentials.toml"), "").expect("written");
    let running = server.data.with_file_name("ready").to_string_lossy().into_owned();
    let taken = server.data.to_string_lossy().into_owned();
    let holder = format!("process {}", server.process());
    let tls =
        ["serve", "new", "--tls-cert", "cert.pem", "--tls-key", "encrypted.pem", "--listen", "127.0.0.1:0"];
    for (arguments, words) in [
        (&["fsck", "nowhere"][..], "there is no nowhere"),
        (&["scrub", "nowhere"], "there is no nowhere"),
        (&["backup", "to", "--dir", "nowhere"], "there is no nowhere"),
        (&["export", "bucket", "to", "--dir", "nowhere"], "there is no nowhere"),
        (&["fsck", "file"], "file is a file, not the directory of a store"),
        (&["scrub", "file"], "file is a file"),
        (&["serve", "file", "--listen", "127.0.0.1:0"], "file is a file"),
        (&["fsck", "empty"], "empty"),
        (&["serve", &taken, "--listen", "127.0.0.1:0"], &holder),
        (&["fsck", &taken], &holder),
        (&tls, "encrypted"),
        (&["serve", "new", "--config", "bad.toml"], "window_max"),
        (&["serve", "new", "--bucket", "Bad_Name"], "valid bucket name"),
        (&["serve", "new", "--listen", "256.0.0.1:1"], "256.0.0.1"),
        (&["serve", "new", "--domain", "http://s3.example"], "http://s3.example"),
        (&["serve", "new", "--domain", "*.example"], "not the name of a domain"),
        (&["serve", "new", "--connections-per-address", "0"], "keep everybody out"),
        (&["serve", "new", "--ready-file", "empty"], "is not a file"),
        (&["serve", "new", "--ready-file", &running], "a server which is running"),
        (&["serve", "keyless", "--listen", "127.0.0.1:0"], "holds no key"),
        (&["serve", "new", "--config", "quota.toml"], "the quota of uploads"),
        (&["serve", "new", "--ready-file", "stale", "--bucket", "Bad_Name"], "valid bucket name"),
        (&["serve", "new", "--lissten", "127.0.0.1:0"], "--listen"),
        (&["serv", "new"], "serve"),
        (&["sign", "get", "s3://a/b", "--expire", "1h"], "--expires"),
    ] {
        let (status, text) = run(&base, arguments);
        let last = text.lines().last().unwrap_or_default();
        table.check(&format!("{arguments:?}: {status} {text}"), status != 0 && last.contains(words));
    }
    table.check("a ready file that is not true", !base.join("stale").exists());
    table.check("one that is", Path::new(&running).exists() && base.join("empty").is_dir());
    table.check("nothing was made", !base.join("new").exists() && !base.join("nowhere").exists());
}
