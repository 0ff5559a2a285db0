//! Lifecycle rules: what is to be removed, and when. Pure: a rule is asked about one object, version or upload.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

mod document;

use super::tagging::Tags;
use crate::clock::Timestamp;

/// Most rules of a bucket.
pub const RULES_MAX: usize = 1000;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// The rules of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle(Vec<Rule>);

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, within the configuration.
    pub id: String,
    /// Whether it is applied.
    pub enabled: bool,
    /// What it is about.
    pub filter: Filter,
    /// What becomes of current versions.
    pub expiration: Option<Expiration>,
    /// What becomes of other versions.
    pub noncurrent: Option<Noncurrent>,
    /// Days after which an unfinished upload is given up.
    pub abort_days: Option<u32>,
    /// Whether the filter was given as the older `Prefix` besides it.
    plain_prefix: bool,
}

/// What a rule is about; everything must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only keys that start with this.
    pub prefix: String,
    /// Only objects with all of these tags.
    pub tags: Tags,
    /// Sizes in bytes, both exclusive.
    pub larger_than: Option<u64>,
    /// Only objects of fewer bytes.
    pub smaller_than: Option<u64>,
    /// How it was written, so that it is shown so again.
    form: Form,
}

/// What of a filter's form its meaning does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Form {
    has_prefix: bool,
    has_and: bool,
}

/// When current objects expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// So many days after the object was written.
    Days(u32),
    /// From this day on.
    Date(Timestamp),
    /// Never, but delete markers after which nothing is left go.
    LoneMarkers(bool),
}

/// When versions expire that are no longer current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noncurrent {
    /// So many days after they were replaced.
    pub days: u32,
    /// How many newer ones, besides the current, are kept whatever their age.
    pub kept: u32,
}

/// An object or a version that rules are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'c> {
    /// Its key.
    pub key: &'c str,
    /// Its size in bytes.
    pub size: u64,
    /// Only objects with all of these tags.
    pub tags: &'c Tags,
}

impl Filter {
    fn admits(&self, candidate: Candidate<'_>) -> bool {
        candidate.key.starts_with(&self.prefix)
            && self.larger_than.is_none_or(|size| candidate.size > size)
            && self.smaller_than.is_none_or(|size| candidate.size < size)
            && candidate.tags.contain(&self.tags)
    }

    /// Whether it is about keys alone, as everything must be that has no size and no tags.
    fn is_plain(&self) -> bool {
        self.tags.is_empty() && self.larger_than.is_none() && self.smaller_than.is_none()
    }
}

/// The midnight that ends the day which lies `days` after `from`.
fn midnight_after(from: Timestamp, days: u32) -> Timestamp {
    let day = (from.unix_seconds() + i64::from(days) * DAY_SECONDS).div_euclid(DAY_SECONDS);
    Timestamp::from_unix_seconds((day + 1) * DAY_SECONDS)
}

impl Lifecycle {
    /// The rules, in the order of the document.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    fn enabled(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(|rule| rule.enabled)
    }

    /// The prefixes that rules are about; keys that begin with none of them need not be looked at.
    pub fn prefixes(&self) -> Vec<&str> {
        let mut prefixes: Vec<&str> = self.enabled().map(|rule| rule.filter.prefix.as_str()).collect();
        prefixes.sort_unstable();
        // What a shorter one begins, a longer one need not.
        prefixes.dedup_by(|longer, shorter| longer.starts_with(*shorter));
        prefixes
    }

    /// Whether a rule asks for tags.
    pub fn needs_tags(&self) -> bool {
        self.enabled().any(|rule| !rule.filter.tags.is_empty())
    }

    /// When a current object expires, and by which rule: the earliest.
    pub fn expiry(&self, candidate: Candidate<'_>, modified: Timestamp) -> Option<(Timestamp, &str)> {
        let dates = self.enabled().filter(|rule| rule.filter.admits(candidate)).filter_map(|rule| {
            let date = match rule.expiration? {
                Expiration::Days(days) => midnight_after(modified, days),
                Expiration::Date(date) => date,
                Expiration::LoneMarkers(_) => return None,
            };
            Some((date, rule.id.as_str()))
        });
        // Of several that agree the first counts.
        dates.min_by_key(|(date, _)| *date)
    }

    /// Whether a version expires that was replaced at `replaced`, and that `newer` versions stand before which are
    /// not current either.
    pub fn expires_noncurrent(
        &self,
        candidate: Candidate<'_>,
        replaced: Timestamp,
        newer: u32,
        now: Timestamp,
    ) -> bool {
        self.enabled().filter(|rule| rule.filter.admits(candidate)).any(|rule| {
            rule.noncurrent
                .is_some_and(|rule| newer >= rule.kept && midnight_after(replaced, rule.days) <= now)
        })
    }

    /// Whether a delete marker goes after which no version is left.
    pub fn expires_lone_marker(&self, key: &str, modified: Timestamp, now: Timestamp) -> bool {
        self.enabled().filter(|rule| rule.filter.is_plain() && key.starts_with(&rule.filter.prefix)).any(
            |rule| match rule.expiration {
                Some(Expiration::LoneMarkers(go)) => go,
                Some(Expiration::Days(days)) => midnight_after(modified, days) <= now,
                Some(Expiration::Date(date)) => date <= now,
                None => false,
            },
        )
    }

    /// Whether an unfinished upload is given up.
    pub fn aborts(&self, key: &str, initiated: Timestamp, now: Timestamp) -> bool {
        self.enabled()
            .filter(|rule| key.starts_with(&rule.filter.prefix))
            .any(|rule| rule.abort_days.is_some_and(|days| midnight_after(initiated, days) <= now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::{Error, ErrorCode};

    fn parse(rules: &str) -> Result<Lifecycle, Error> {
        Lifecycle::parse(format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>").as_bytes())
    }

    fn rule(inner: &str) -> String {
        format!("<Rule>{inner}<Status>Enabled</Status></Rule>")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_iso_basic(text).expect("a time")
    }

    const DAYS: &str = "<Filter/><Expiration><Days>3</Days></Expiration>";

    #[test]
    fn days_end_at_midnight() {
        let lifecycle = parse(&rule(&format!("<ID>x</ID>{DAYS}"))).expect("valid");
        let none = Tags::default();
        let candidate = Candidate { key: "k", size: 1, tags: &none };
        // The example of the documentation.
        let expiry = lifecycle.expiry(candidate, at("20140115T103000Z"));
        assert_eq!(expiry, Some((at("20140119T000000Z"), "x")));
    }

    #[test]
    fn filters_must_hold_together() {
        let filter = "<Filter><And><Prefix>a/</Prefix><Tag><Key>t</Key><Value>1</Value></Tag><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>20</ObjectSizeLessThan></And></Filter>";
        let lifecycle =
            parse(&rule(&format!("{filter}<Expiration><Days>1</Days></Expiration>"))).expect("valid");
        let tags = Tags::parse_header("t=1&u=2").expect("valid");
        let none = Tags::default();
        let expires = |key, size, tags| {
            lifecycle.expiry(Candidate { key, size, tags }, at("20140115T103000Z")).is_some()
        };
        assert!(expires("a/b", 11, &tags) && expires("a/", 19, &tags));
        assert!(!expires("b", 11, &tags) && !expires("a/b", 10, &tags) && !expires("a/b", 20, &tags));
        assert!(!expires("a/b", 11, &none));
        assert_eq!(Lifecycle::parse(lifecycle.document().as_bytes()), Ok(lifecycle.clone()));
    }

    #[test]
    fn conditions_of_one_kind_stand_once() {
        for twice in [
            "<Prefix>a/</Prefix><Prefix>b/</Prefix>",
            "<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeGreaterThan>2</ObjectSizeGreaterThan>",
            "<ObjectSizeLessThan>1</ObjectSizeLessThan><Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan>",
        ] {
            let filter =
                format!("<Filter><And>{twice}</And></Filter><Expiration><Days>1</Days></Expiration>");
            let refused = parse(&rule(&filter)).expect_err(twice);
            assert_eq!(refused.code(), ErrorCode::MalformedXML, "{twice}");
        }
    }

    #[test]
    fn versions_and_uploads() {
        let inner = "<Prefix>a</Prefix><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
        let lifecycle = parse(&rule(inner)).expect("valid");
        let none = Tags::default();
        let candidate = Candidate { key: "ab", size: 1, tags: &none };
        let replaced = at("20140115T103000Z");
        assert!(lifecycle.expires_noncurrent(candidate, replaced, 2, at("20140117T000000Z")));
        assert!(!lifecycle.expires_noncurrent(candidate, replaced, 1, at("20140117T000000Z")));
        assert!(!lifecycle.expires_noncurrent(candidate, replaced, 2, at("20140116T235959Z")));
        assert!(lifecycle.aborts("ab", replaced, at("20140118T000000Z")));
        assert!(!lifecycle.aborts("b", replaced, at("20140118T000000Z")));
        assert!(lifecycle.expires_lone_marker("ab", replaced, replaced));
        assert_eq!(lifecycle.expiry(candidate, replaced), None);
        assert_eq!(Lifecycle::parse(lifecycle.document().as_bytes()), Ok(lifecycle.clone()));
        assert_eq!(lifecycle.prefixes(), ["a"]);
    }

    #[test]
    fn refuses_what_s3_refuses() {
        let twice = rule(&format!("<ID>a</ID>{DAYS}")).repeat(2);
        for (rules, code) in [
            (String::new(), ErrorCode::MalformedXML),
            (rule("<Filter/>"), ErrorCode::InvalidRequest),
            (rule("<Expiration><Days>3</Days></Expiration>"), ErrorCode::MalformedXML),
            (rule("<Filter/><Expiration><Days>0</Days></Expiration>"), ErrorCode::InvalidArgument),
            (
                rule("<Filter/><Expiration><Days>1</Days><Date>2014-01-01T00:00:00Z</Date></Expiration>"),
                ErrorCode::MalformedXML,
            ),
            (
                rule("<Filter/><Expiration><Date>2014-01-01T00:00:01Z</Date></Expiration>"),
                ErrorCode::InvalidArgument,
            ),
            (
                rule("<Filter/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
                ErrorCode::NotImplemented,
            ),
            (twice, ErrorCode::InvalidArgument),
            (rule(&format!("<ID>a\u{1}b</ID>{DAYS}")), ErrorCode::MalformedXML),
            (rule(&format!("{DAYS}<Tag><Key>a</Key><Value>b</Value></Tag>")), ErrorCode::MalformedXML),
            (format!("<Rule>{DAYS}<Status>On</Status></Rule>"), ErrorCode::MalformedXML),
        ] {
            assert_eq!(parse(&rules).map_err(|error| error.code()), Err(code), "{rules}");
        }
        let unnamed = parse(&rule(DAYS).repeat(2)).expect("valid");
        let ids: Vec<&str> = unnamed.rules().iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, ["rule-1", "rule-2"]);
        let mixed = parse(&(rule(DAYS) + &rule(&format!("<ID>rule-1</ID>{DAYS}")))).expect("valid");
        assert_eq!(mixed.rules().first().map(|rule| rule.id.as_str()), Some("rule-2"));
    }
}
