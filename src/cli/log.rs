//! The log: how its lines look, and how they reach standard error without holding up who writes them.

use std::borrow::Cow;
use std::fmt::{self, Debug, Write as _};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::time::FormatTime;

use super::Failure;
use crate::clock::log_time;
use crate::config::LogFormat;

/// How long lines are gathered between two writes: under load one write carries many.
const GATHER_TIME: Duration = Duration::from_millis(2);
/// Most bytes that wait for a reader that is slow; lines beyond are counted instead.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Which lines are wanted.
pub(super) const LEVEL_VARIABLE: &str = "PRESIGNED_LOG";
/// Libraries that log by themselves.
const LIBRARIES: [&str; 3] = ["h2", "hyper", "rustls"];
/// How long the last lines may take when the process ends.
const END_TIME_MAX: Duration = Duration::from_secs(1);

/// Starts the log. It ends, and its last lines are written, when what this returns is dropped.
///
/// # Errors
/// Returns an error if the level is unknown.
pub(super) fn start(format: LogFormat) -> Result<Guard, Failure> {
    let wanted = std::env::var(LEVEL_VARIABLE).unwrap_or_else(|_| "info".to_owned());
    // A bare word is a level; taken for the name of a module, a slip would silence everything.
    let known = wanted.contains('=') || wanted.parse::<tracing::level_filters::LevelFilter>().is_ok();
    // What these say of each frame is for who asks for it by name.
    let quiet: String =
        LIBRARIES.iter().filter(|name| !wanted.contains(*name)).map(|name| format!(",{name}=off")).collect();
    let filter = EnvFilter::try_new(wanted.clone() + &quiet).ok().filter(|_| known).ok_or_else(|| {
        format!("PRESIGNED_LOG={wanted:?} is no level: write error, warn, info, debug or trace")
    })?;
    let lines = Arc::new(Lines { json: format == LogFormat::Json, ..Lines::default() });
    let written = Arc::clone(&lines);
    thread::Builder::new().name("log".to_owned()).spawn(move || written.write_out(io::stderr()))?;
    let guard = Guard(Arc::clone(&lines));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_target(false);
    let builder = builder.with_timer(Now);
    // A second subscriber in one process would be a mistake of this program; its log then goes to the first.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).fmt_fields(Fields).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A panic ends one request, and is one line like everything else.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a request panicked")));
    Ok(guard)
}

/// Lines on their way to standard error.
#[derive(Default)]
struct Lines {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// Whether they are JSON, which leaves more of a text as it is than a terminal should see.
    json: bool,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    /// Lines that found no room.
    lost: u64,
    /// Whether the thread that writes sleeps until it is woken.
    idle: bool,
    ending: bool,
    ended: bool,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; waking the other thread costs more than the line, so only a sleeping one is woken.
    fn add(&self, line: &[u8]) {
        let line = &*if self.json { escaped(line) } else { Cow::Borrowed(line) };
        let mut waiting = self.lock();
        match waiting.text.len() + line.len() <= WAITING_BYTES_MAX {
            true => waiting.text.extend_from_slice(line),
            false => waiting.lost += 1,
        }
        let wake = std::mem::take(&mut waiting.idle);
        drop(waiting);
        if wake {
            self.changed.notify_all();
        }
    }

    /// Writes what comes, until the end.
    fn write_out(&self, mut to: impl io::Write) {
        let mut text = Vec::new();
        loop {
            let mut waiting = self.lock();
            while waiting.text.is_empty() && !waiting.ending {
                waiting.idle = true;
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            let ending = waiting.ending;
            std::mem::swap(&mut text, &mut waiting.text);
            let lost = std::mem::take(&mut waiting.lost);
            drop(waiting);
            // There is no one who could be told that the log cannot be written.
            let _ = to.write_all(&text);
            if lost > 0 {
                let _ = to.write_fmt(format_args!(
                    "{lost} lines of the log were lost: they came faster than they were read\n"
                ));
            }
            text.clear();
            if ending {
                self.lock().ended = true;
                self.changed.notify_all();
                return;
            }
            thread::sleep(GATHER_TIME);
        }
    }
}

/// A line of JSON in which nothing can change how the line looks: control characters of C1, line separators, and what
/// turns the direction of writing are written as JSON lets them be written. They can only stand within strings.
fn escaped(line: &[u8]) -> Cow<'_, [u8]> {
    let is_odd = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let Some(text) = std::str::from_utf8(line).ok().filter(|text| !text.is_ascii() && text.contains(is_odd))
    else {
        return Cow::Borrowed(line);
    };
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_odd(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    Cow::Owned(out.into_bytes())
}

impl io::Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the last lines when it is dropped.
pub(super) struct Guard(Arc<Lines>);

impl Drop for Guard {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.ending = true;
        self.0.changed.notify_all();
        // A reader that stands still must not keep the process from ending.
        drop(self.0.changed.wait_timeout_while(waiting, END_TIME_MAX, |waiting| !waiting.ended));
    }
}

/// The time of a line.
struct Now;

impl FormatTime for Now {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(&log_time())
    }
}

/// Fields as `tracing-subscriber` writes them by default, `name=value`, with a short way for plain text and
/// numbers: a line has a dozen of them, and the machinery of `fmt` costs more than their bytes.
struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { text: String::with_capacity(LINE_BYTES_USUAL), result: Ok(()) };
        fields.record(&mut line);
        line.result?;
        writer.write_str(&line.text)
    }
}

/// Room for the line of a request with a presigned URL.
const LINE_BYTES_USUAL: usize = 1024;

struct Line {
    text: String,
    result: fmt::Result,
}

impl Line {
    /// Writes what stands before a value.
    fn name(&mut self, field: &Field) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        let name = field.name();
        self.text.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.text.push('=');
    }

    /// The default, for what is not common.
    fn otherwise(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        let first = self.text.is_empty();
        let mut visitor = DefaultVisitor::new(Writer::new(&mut self.text), first);
        record(&mut visitor);
        self.result = self.result.and(visitor.finish());
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        self.result = self.result.and(write!(self.text, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            return self.otherwise(|visitor| visitor.record_str(field, value));
        }
        self.name(field);
        // Looks at every byte, which is faster than to stop at the first that is odd: there is none.
        let odd = |byte: u8| !matches!(byte, b' '..=b'~') | (byte == b'"') | (byte == b'\\');
        if !value.bytes().fold(false, |found, byte| found | odd(byte)) {
            // `Debug` would write the same.
            self.text.extend(["\"", value, "\""]);
        } else {
            self.result = self.result.and(write!(self.text, "{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.otherwise(|visitor| visitor.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            return self.otherwise(|visitor| visitor.record_debug(field, value));
        }
        self.name(field);
        self.result = self.result.and(write!(self.text, "{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::fmt::format::DefaultFields;

    use super::*;

    /// The lines of a few events.
    fn lines(fields: impl for<'w> FormatFields<'w> + Send + Sync + 'static) -> String {
        let lines = Arc::new(Lines::default());
        let builder = tracing_subscriber::fmt().without_time().with_writer(Arc::clone(&lines));
        let subscriber = builder.with_ansi(false).fmt_fields(fields).finish();
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other("bad");
            tracing::info!(id = %7, key = "a b", status = 200_u64, empty = "", check = ?Some(1), "request");
            tracing::info!(key = "quote\" back\\slash\n caf\u{e9} \u{1b}[31m tab\t", left = -1, yes = true);
            tracing::error!(
                error = {
                    let error: &dyn std::error::Error = &error;
                    error
                },
                "it failed\u{1b}[31m"
            );
            tracing::info!("only {}", "words");
        });
        let text = lines.lock().text.clone();
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn fields_look_as_by_default() {
        assert_eq!(lines(Fields), lines(DefaultFields::new()));
    }

    #[test]
    fn json_shows_no_control_characters() {
        let line = "{\"key\":\"a\u{9b}\u{202e}\u{2028}\u{e9}\"}";
        assert_eq!(escaped(line.as_bytes()), &b"{\"key\":\"a\\u009b\\u202e\\u2028\xc3\xa9\"}"[..]);
    }

    #[test]
    fn every_line_is_written_before_the_end() {
        let lines = Arc::new(Lines::default());
        let guard = Guard(Arc::clone(&lines));
        let writing = thread::spawn(move || {
            let mut out = Vec::new();
            lines.write_out(&mut out);
            out
        });
        for _ in 0..100 {
            guard.0.add(b"a line\n");
            thread::sleep(Duration::from_micros(50));
        }
        drop(guard);
        assert_eq!(writing.join().expect("it ends"), b"a line\n".repeat(100));
    }

    #[test]
    fn lines_that_find_no_room_are_counted() {
        let lines = Lines::default();
        lines.add(&vec![b'x'; WAITING_BYTES_MAX]);
        lines.add(b"too much\n");
        lines.lock().ending = true;
        let mut out = Vec::new();
        lines.write_out(&mut out);
        assert!(
            out.starts_with(b"xx")
                && out.ends_with(b"x1 lines of the log were lost: they came faster than they were read\n")
        );
    }
}
