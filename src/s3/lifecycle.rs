//! Lifecycle rules: what is to be removed, and when. Pure: a rule is asked about one object, version or upload.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use std::collections::HashSet;

use super::check::Check;
use super::error::{Error, ErrorCode};
use super::name::KEY_BYTES_MAX;
use super::tagging::{OBJECT_TAGS_MAX, Tags};
use super::xml::{Element, Writer};
use crate::clock::Timestamp;

/// Most rules of a bucket.
pub const RULES_MAX: usize = 1000;
/// Longest id of a rule, in characters.
const ID_CHARACTERS_MAX: usize = 255;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// What a rule consists of.
const ELEMENTS: [&str; 7] = [
    "ID",
    "Prefix",
    "Filter",
    "Status",
    "Expiration",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
];

/// The rules of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle(Vec<Rule>);

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub enabled: bool,
    pub filter: Filter,
    pub expiration: Option<Expiration>,
    pub noncurrent: Option<Noncurrent>,
    /// Days after which an unfinished upload is given up.
    pub abort_days: Option<u32>,
    /// Whether the filter was given as the older `Prefix` beside it.
    plain_prefix: bool,
}

/// What a rule is about; everything must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub prefix: String,
    pub tags: Tags,
    /// Sizes in bytes, both exclusive.
    pub larger_than: Option<u64>,
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
    Days(u32),
    Date(Timestamp),
    /// Never, but delete markers behind which nothing is left go.
    LoneMarkers(bool),
}

/// When versions expire that are no longer current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noncurrent {
    pub days: u32,
    /// How many newer ones, beside the current, are kept whatever their age.
    pub kept: u32,
}

/// An object or a version that rules are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'c> {
    pub key: &'c str,
    pub size: u64,
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
    /// Parses a `LifecycleConfiguration`; rules without an id get one.
    ///
    /// # Errors
    /// `MalformedXML`, `InvalidArgument`, `InvalidRequest`, and `NotImplemented` for transitions.
    pub fn parse(document: &[u8]) -> Result<Self, Error> {
        let root = Element::parse(document, "LifecycleConfiguration")?;
        let mut rules = Vec::new();
        for element in root.children()? {
            if element.name() != "Rule" || rules.len() == RULES_MAX {
                return Err(malformed());
            }
            rules.push(rule(element)?);
        }
        if rules.is_empty() {
            return Err(malformed());
        }
        let mut ids = HashSet::new();
        for rule in rules.iter().filter(|rule| !rule.id.is_empty()) {
            if !ids.insert(rule.id.clone()) {
                let message = "Rule ID must be unique. Found same ID for more than one rule";
                return Err(Error::invalid_argument(message, "ID", &rule.id));
            }
        }
        let mut unused = (1..).map(|number| format!("rule-{number}")).filter(|id| !ids.contains(id));
        for rule in rules.iter_mut().filter(|rule| rule.id.is_empty()) {
            rule.id = unused.next().unwrap_or_default();
        }
        Ok(Self(rules))
    }

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

    /// Whether a delete marker goes behind which no version is left.
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

    /// The document that shows the rules.
    pub fn document(&self) -> String {
        let mut writer = Writer::answer("LifecycleConfiguration");
        for rule in &self.0 {
            write_rule(&mut writer, rule);
        }
        writer.close("LifecycleConfiguration");
        writer.finish()
    }
}

fn malformed() -> Error {
    ErrorCode::MalformedXML.error().check(Check::Lifecycle)
}

fn invalid(message: &'static str) -> Error {
    ErrorCode::InvalidRequest.with_message(message).check(Check::Lifecycle)
}

fn rule(element: &Element) -> Result<Rule, Error> {
    let transitions = ["Transition", "NoncurrentVersionTransition"];
    if element.children()?.iter().any(|child| transitions.contains(&child.name())) {
        return Err(Error::not_implemented("Transitions between storage classes are not implemented here")
            .check(Check::Lifecycle));
    }
    let id = element.child("ID")?.unwrap_or_default();
    if id.chars().count() > ID_CHARACTERS_MAX {
        let message = "ID length should not exceed allowed limit of 255";
        return Err(Error::invalid_argument(message, "ID", id).check(Check::Lifecycle));
    }
    // An element that is not known may be meant to restrict what the rule removes.
    if id.contains(char::is_control)
        || element.children()?.iter().any(|child| !ELEMENTS.contains(&child.name()))
    {
        return Err(malformed());
    }
    let enabled = match element.child("Status")?.map(str::trim) {
        Some("Enabled") => true,
        Some("Disabled") => false,
        _ => return Err(malformed()),
    };
    let (filter, plain_prefix) = match (element.find("Filter")?, element.child("Prefix")?) {
        (Some(of), None) => (filter(of)?, false),
        (None, Some(prefix)) => (Filter { prefix: prefix.to_owned(), ..Filter::default() }, true),
        _ => return Err(malformed()),
    };
    let expiration = element.find("Expiration")?.map(expiration).transpose()?;
    let noncurrent = element.find("NoncurrentVersionExpiration")?.map(noncurrent).transpose()?;
    let abort = element.find("AbortIncompleteMultipartUpload")?;
    let abort = abort.map(|abort| {
        days(abort.only(&["DaysAfterInitiation"])?, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")
    });
    let abort_days = abort.transpose()?.flatten();
    if expiration.is_none() && noncurrent.is_none() && abort_days.is_none() {
        return Err(invalid("At least one action needs to be specified in a rule"));
    }
    if abort_days.is_some() && !filter.tags.is_empty() {
        return Err(invalid("AbortIncompleteMultipartUpload cannot be specified with Tags"));
    }
    if abort_days.is_some() && !filter.is_plain() {
        return Err(invalid("AbortIncompleteMultipartUpload cannot be specified with Object Size"));
    }
    if matches!(expiration, Some(Expiration::LoneMarkers(_))) && !filter.tags.is_empty() {
        return Err(invalid("ExpiredObjectDeleteMarker cannot be specified with Tags."));
    }
    Ok(Rule { id: id.to_owned(), enabled, filter, expiration, noncurrent, abort_days, plain_prefix })
}

fn filter(element: &Element) -> Result<Filter, Error> {
    // One condition stands by itself, several stand in an `And`.
    let conditions = match element.children()? {
        [only] if only.name() == "And" => only,
        [] | [_] => element,
        _ => return Err(malformed()),
    };
    let has_and = !std::ptr::eq(conditions, element);
    if has_and && conditions.children()?.len() < 2 {
        return Err(malformed());
    }
    let mut filter = Filter { form: Form { has_prefix: false, has_and }, ..Filter::default() };
    let mut tags: Vec<(String, String)> = Vec::new();
    for name in ["Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan"] {
        // Which of two would count is not to be guessed.
        conditions.find(name)?;
    }
    for condition in conditions.children()? {
        let size = || condition.text()?.trim().parse::<u64>().map_err(|_| malformed());
        match condition.name() {
            "Prefix" => {
                filter.prefix = condition.text()?.to_owned();
                filter.form.has_prefix = true;
            }
            "Tag" => {
                condition.only(&["Key", "Value"])?;
                let (key, value) = (condition.child("Key")?, condition.child("Value")?);
                let (key, value) = (key.ok_or_else(malformed)?, value.ok_or_else(malformed)?);
                if tags.iter().any(|(known, _)| known == key) {
                    return Err(invalid("Duplicate Tag Keys are not allowed."));
                }
                tags.push((key.to_owned(), value.to_owned()));
            }
            "ObjectSizeGreaterThan" => filter.larger_than = Some(size()?),
            "ObjectSizeLessThan" => filter.smaller_than = Some(size()?),
            _ => return Err(malformed()),
        }
    }
    filter.tags = Tags::checked(tags, OBJECT_TAGS_MAX)?;
    if filter.prefix.len() > KEY_BYTES_MAX || filter.prefix.contains('\0') {
        return Err(malformed());
    }
    match (filter.larger_than, filter.smaller_than) {
        (Some(larger), Some(smaller)) if smaller <= larger.saturating_add(1) => {
            Err(invalid("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."))
        }
        _ => Ok(filter),
    }
}

/// A positive number of days, if it is there.
fn days(element: &Element, name: &'static str, action: &'static str) -> Result<Option<u32>, Error> {
    let Some(text) = element.child(name)?.map(str::trim) else {
        return Ok(None);
    };
    let number: i64 = text.parse().map_err(|_| malformed())?;
    match u32::try_from(number).ok().filter(|days| *days > 0 && i32::try_from(*days).is_ok()) {
        Some(days) => Ok(Some(days)),
        None => {
            let message = format!("'{name}' for {action} action must be a positive integer");
            Err(Error::invalid_argument(message, name, text).check(Check::Lifecycle))
        }
    }
}

fn expiration(element: &Element) -> Result<Expiration, Error> {
    element.only(&["Days", "Date", "ExpiredObjectDeleteMarker"])?;
    let date = element.child("Date")?.map(str::trim);
    let marker = element.child("ExpiredObjectDeleteMarker")?.map(str::trim);
    match (days(element, "Days", "Expiration")?, date, marker) {
        (Some(days), None, None) => Ok(Expiration::Days(days)),
        (None, Some(text), None) => {
            let date = Timestamp::parse_iso(text).ok_or_else(malformed)?;
            match date.unix_millis() % (DAY_SECONDS * 1000) {
                0 => Ok(Expiration::Date(date)),
                _ => Err(Error::invalid_argument("'Date' must be at midnight GMT", "Date", text)
                    .check(Check::Lifecycle)),
            }
        }
        (None, None, Some("true")) => Ok(Expiration::LoneMarkers(true)),
        (None, None, Some("false")) => Ok(Expiration::LoneMarkers(false)),
        _ => Err(malformed()),
    }
}

fn noncurrent(element: &Element) -> Result<Noncurrent, Error> {
    element.only(&["NoncurrentDays", "NewerNoncurrentVersions"])?;
    let days_after = days(element, "NoncurrentDays", "NoncurrentVersionExpiration")?.ok_or_else(malformed)?;
    let kept = days(element, "NewerNoncurrentVersions", "NoncurrentVersionExpiration")?;
    Ok(Noncurrent { days: days_after, kept: kept.unwrap_or(0) })
}

fn write_rule(writer: &mut Writer, rule: &Rule) {
    writer.open("Rule").element("ID", &rule.id);
    if rule.plain_prefix {
        writer.element("Prefix", &rule.filter.prefix);
    } else {
        write_filter(writer, &rule.filter);
    }
    writer.element("Status", if rule.enabled { "Enabled" } else { "Disabled" });
    if let Some(expiration) = rule.expiration {
        writer.open("Expiration");
        match expiration {
            Expiration::Days(days) => writer.element("Days", days),
            Expiration::Date(date) => writer.element("Date", date.iso_seconds()),
            Expiration::LoneMarkers(go) => writer.element("ExpiredObjectDeleteMarker", go),
        };
        writer.close("Expiration");
    }
    if let Some(noncurrent) = rule.noncurrent {
        writer.open("NoncurrentVersionExpiration").element("NoncurrentDays", noncurrent.days);
        writer.optional("NewerNoncurrentVersions", Some(noncurrent.kept).filter(|kept| *kept > 0));
        writer.close("NoncurrentVersionExpiration");
    }
    if let Some(days) = rule.abort_days {
        writer.open("AbortIncompleteMultipartUpload").element("DaysAfterInitiation", days);
        writer.close("AbortIncompleteMultipartUpload");
    }
    writer.close("Rule");
}

fn write_filter(writer: &mut Writer, filter: &Filter) {
    let Form { has_prefix, has_and } = filter.form;
    if *filter == Filter::default() {
        writer.empty("Filter");
        return;
    }
    writer.open("Filter");
    if has_and {
        writer.open("And");
    }
    writer.optional("Prefix", has_prefix.then_some(&filter.prefix));
    for (key, value) in filter.tags.entries() {
        writer.open("Tag").element("Key", key).element("Value", value).close("Tag");
    }
    writer.optional("ObjectSizeGreaterThan", filter.larger_than);
    writer.optional("ObjectSizeLessThan", filter.smaller_than);
    if has_and {
        writer.close("And");
    }
    writer.close("Filter");
}

#[cfg(test)]
mod tests {
    use super::*;

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
