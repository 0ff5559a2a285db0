//! Time as S3 writes it: one timestamp type, the clock that makes it, and the date formats both ways.
//!
//! Nothing else in the crate reads the system clock: parsers and checks are given `now`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const ISO_BASIC: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
const ISO_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const ISO_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const RFC_850: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:long], [day]-[month repr:short]-[year repr:last_two] [hour]:[minute]:[second] GMT"
);
const ASCTIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
);

/// A moment, in milliseconds since 1970-01-01T00:00:00Z; always within the years 0000 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z, the ends of what the formats can express.
const UNIX_MILLIS_RANGE: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);

impl Timestamp {
    /// The moment `millis` after the epoch; values outside the years 0000 to 9999 are clamped to them.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(UNIX_MILLIS_RANGE.0, UNIX_MILLIS_RANGE.1))
    }

    /// The moment `seconds` after the epoch, clamped likewise.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_unix_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment moved by `seconds`, clamped to the representable range.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_unix_millis(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Parses `yyyyMMdd'T'HHmmss'Z'`, the form of `X-Amz-Date`: every presigned URL has one.
    pub fn parse_iso_basic(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(8)?;
        let time = rest.strip_prefix('T')?.strip_suffix('Z').filter(|digits| digits.len() == 6)?;
        let part = |from| digits(time.get(from..from + 2)?)?.try_into().ok();
        let time = time::Time::from_hms(part(0)?, part(2)?, part(4)?).ok()?;
        Some(Self::from_primitive(PrimitiveDateTime::new(parse_date(date)?, time)))
    }

    /// Whether a text is `yyyyMMdd` with a date that exists, as in a credential scope.
    pub fn is_date_stamp(text: &str) -> bool {
        parse_date(text).is_some()
    }

    /// Parses `2024-01-02T03:04:05Z`, also with a fraction or another zone.
    pub fn parse_iso(text: &str) -> Option<Self> {
        let date = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
        date.ok().map(Self::from_offset)
    }

    /// Parses an HTTP date: RFC 1123 (also with a numeric zone, as V2 clients write), RFC 850 or asctime.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        // The one name of the zone that RFC 2822 does not have.
        let gmt = text.strip_suffix(" UTC").map(|date| format!("{date} GMT"));
        let text = gmt.as_deref().unwrap_or(text);
        if let Ok(date) = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822) {
            return Some(Self::from_offset(date));
        }
        if let Ok(date) = PrimitiveDateTime::parse(text, ASCTIME) {
            return Some(Self::from_primitive(date));
        }
        // RFC 9110 5.6.7: a two-digit year more than 50 years ahead belongs to the past.
        let mut parsed = time::parsing::Parsed::new();
        let rest = parsed.parse_items(text.as_bytes(), RFC_850).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let year = i32::from(parsed.year_last_two()?);
        let date = time::Date::from_calendar_date(
            if year < 70 { 2000 + year } else { 1900 + year },
            parsed.month()?,
            parsed.day()?.get(),
        )
        .ok()?;
        let time = time::Time::from_hms(parsed.hour_24()?, parsed.minute()?, parsed.second()?).ok()?;
        Some(Self::from_primitive(PrimitiveDateTime::new(date, time)))
    }

    /// `20240102T030405Z`.
    pub fn iso_basic(self) -> String {
        self.format(ISO_BASIC)
    }

    /// `20240102`, the date of a credential scope.
    pub fn date_stamp(self) -> String {
        let mut text = self.iso_basic();
        text.truncate(8);
        text
    }

    /// `2024-01-02T03:04:05Z`, as error elements show it.
    pub fn iso_seconds(self) -> String {
        self.format(ISO_SECONDS)
    }

    /// `2024-01-02T03:04:05.000Z`, as the documents of answers show it: to the second, as headers do, so that a client
    /// finds both alike.
    pub fn iso_listed(self) -> String {
        Self::from_unix_seconds(self.unix_seconds()).iso_millis()
    }

    /// The same with its milliseconds.
    pub fn iso_millis(self) -> String {
        self.format(ISO_MILLIS)
    }

    /// `Tue, 02 Jan 2024 03:04:05 GMT`.
    pub fn http_date(self) -> String {
        // Every answer has one or two of these, so they are put together by hand.
        const WEEKDAYS: [&str; 7] = ["Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, ", "Sun, "];
        const MONTHS: [&str; 12] = [
            " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ",
            " Nov ", " Dec ",
        ];
        let at = self.date_time();
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second) = at.to_hms();
        let century = u8::try_from(year.div_euclid(100)).unwrap_or_default();
        let year = u8::try_from(year.rem_euclid(100)).unwrap_or_default();
        let mut text = String::with_capacity("Tue, 02 Jan 2024 03:04:05 GMT".len());
        let weekday = usize::from(at.weekday().number_days_from_monday());
        text.push_str(WEEKDAYS.get(weekday).copied().unwrap_or_default());
        push_two(&mut text, day);
        text.push_str(MONTHS.get(usize::from(u8::from(month)) - 1).copied().unwrap_or_default());
        push_two(&mut text, century);
        push_two(&mut text, year);
        for (before, part) in [(' ', hour), (':', minute), (':', second)] {
            text.push(before);
            push_two(&mut text, part);
        }
        text.push_str(" GMT");
        text
    }

    fn format(self, items: &[BorrowedFormatItem<'_>]) -> String {
        self.date_time().format(items).expect("a Timestamp is within the years 0000 to 9999")
    }

    fn date_time(self) -> OffsetDateTime {
        let millis = time::Duration::milliseconds(self.0.rem_euclid(1000));
        OffsetDateTime::from_unix_timestamp(self.unix_seconds())
            .map(|seconds| seconds + millis)
            .expect("a Timestamp is within the years 0000 to 9999")
    }

    fn from_primitive(date: PrimitiveDateTime) -> Self {
        Self::from_offset(date.assume_utc())
    }

    fn from_offset(date: OffsetDateTime) -> Self {
        let date = date.to_offset(UtcOffset::UTC);
        Self::from_unix_millis(
            date.unix_timestamp().saturating_mul(1000).saturating_add(i64::from(date.millisecond())),
        )
    }
}

/// Parses `yyyyMMdd`.
fn parse_date(text: &str) -> Option<time::Date> {
    let part = |from, to| digits(text.get(from..to)?);
    let month = u8::try_from(part(4, 6)?).ok()?.try_into().ok()?;
    let day = u8::try_from(part(6, 8)?).ok()?;
    if text.len() != 8 {
        return None;
    }
    time::Date::from_calendar_date(i32::from(part(0, 4)?), month, day).ok()
}

/// A number of up to four digits, and nothing else.
fn digits(text: &str) -> Option<u16> {
    text.bytes()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u16::from(byte - b'0')))
}

/// `2024-01-02T03:04:05.000006Z`, now, as every line of the log begins: put together by hand, since each request has one.
pub fn log_time() -> String {
    log_time_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn log_time_at(since_epoch: Duration) -> String {
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let at = Timestamp::from_unix_seconds(seconds).date_time();
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let two = |number: i32| u8::try_from(number.rem_euclid(100)).unwrap_or_default();
    let mut text = String::with_capacity("2024-01-02T03:04:05.000006Z".len());
    push_two(&mut text, two(year / 100));
    push_two(&mut text, two(year));
    for (before, part) in [('-', month.into()), ('-', day), ('T', hour), (':', minute), (':', second)] {
        text.push(before);
        push_two(&mut text, part);
    }
    text.push('.');
    let micros = i32::try_from(since_epoch.subsec_micros()).unwrap_or_default();
    for part in [micros / 10_000, micros / 100, micros] {
        push_two(&mut text, two(part));
    }
    text.push('Z');
    text
}

fn push_two(text: &mut String, number: u8) {
    text.push(char::from(b'0' + number / 10 % 10));
    text.push(char::from(b'0' + number % 10));
}

/// Where "now" comes from: the system, or a test.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's wall clock.
    #[default]
    System,
    /// Milliseconds since the epoch, set by anyone who holds the other end.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now` until it is moved.
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.unix_millis())))
    }

    /// The moment this clock shows.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
                    Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
                    Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
                };
                Timestamp::from_unix_millis(millis)
            }
            Self::Manual(millis) => Timestamp::from_unix_millis(millis.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_round_trip() {
        let at = Timestamp::from_unix_seconds(1_704_164_645);
        assert_eq!(at.iso_basic(), "20240102T030405Z");
        assert_eq!(at.date_stamp(), "20240102");
        assert_eq!(at.iso_seconds(), "2024-01-02T03:04:05Z");
        assert_eq!(at.iso_millis(), "2024-01-02T03:04:05.000Z");
        assert_eq!(at.http_date(), "Tue, 02 Jan 2024 03:04:05 GMT");
        let ends = [i64::MIN, i64::MAX, -1].map(|millis| Timestamp::from_unix_millis(millis).http_date());
        assert_eq!(
            ends,
            [
                "Sat, 01 Jan 0000 00:00:00 GMT",
                "Fri, 31 Dec 9999 23:59:59 GMT",
                "Wed, 31 Dec 1969 23:59:59 GMT"
            ]
        );
        assert_eq!(Timestamp::parse_iso_basic("20240102T030405Z"), Some(at));
    }

    #[test]
    fn lines_of_the_log_begin_with_microseconds() {
        let of = |seconds, micros: u32| log_time_at(Duration::new(seconds, micros * 1000));
        assert_eq!(of(1_704_164_645, 6), "2024-01-02T03:04:05.000006Z");
        assert_eq!(of(1_704_164_645, 123_456), "2024-01-02T03:04:05.123456Z");
        assert_eq!(of(0, 999_999), "1970-01-01T00:00:00.999999Z");
        assert_eq!(of(u64::MAX, 0), "9999-12-31T23:59:59.000000Z");
    }

    #[test]
    fn http_dates_in_every_form() {
        let at = Timestamp::parse_iso_basic("19941106T084937Z");
        assert!(at.is_some());
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 09:49:37 +0100",
            "Sun, 06 Nov 1994 08:49:37 UTC",
        ] {
            assert_eq!(Timestamp::parse_http_date(text), at, "{text}");
        }
        for text in ["", "yesterday", "Sun, 06 Nov 1994", "Sun, 32 Nov 1994 08:49:37 GMT", "20240102T030405Z"]
        {
            assert_eq!(Timestamp::parse_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn iso_basic_is_strict() {
        for text in [
            "",
            "20240102",
            "20240102T030405",
            "2024-01-02T03:04:05Z",
            "20241302T030405Z",
            "+0240102T030405Z",
            "20240102T03040Z",
            "20240102T030460Z",
            "20230229T030405Z",
            "20240102T0304\u{e9}Z",
        ] {
            assert_eq!(Timestamp::parse_iso_basic(text), None, "{text}");
        }
    }
}
