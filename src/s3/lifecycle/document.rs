//! The document of a lifecycle configuration, read and written.

use std::collections::HashSet;

use super::{DAY_SECONDS, Expiration, Filter, Form, Lifecycle, Noncurrent, RULES_MAX, Rule};
use crate::clock::Timestamp;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::KEY_BYTES_MAX;
use crate::s3::tagging::{OBJECT_TAGS_MAX, Tags};
use crate::s3::xml::{Element, Writer};

/// Longest id of a rule, in characters.
const ID_CHARACTERS_MAX: usize = 255;

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
        let size = || condition.text()?.trim().parse::<u64>().ok().ok_or_else(malformed);
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
    let number: i64 = text.parse().ok().ok_or_else(malformed)?;
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
