//! What listings are asked, and where their pages begin and end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::asked::parse_version;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::listing::{PAGE_KEYS_MAX, Selection};
use crate::s3::name::VersionId;
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::s3::uri::{Query, encode_form};
use crate::s3::xml::Writer;

/// What every listing is asked.
pub(super) struct Asked {
    pub prefix: String,
    pub delimiter: String,
    limit: usize,
    url: bool,
}

impl Asked {
    pub(super) fn of(query: &Query, limit: &'static str) -> Result<Self, Error> {
        let url = match query.value("encoding-type") {
            None => false,
            Some("url") => true,
            Some(other) => {
                return Err(Error::invalid_argument(
                    "Invalid Encoding Method specified in Request",
                    "encoding-type",
                    other,
                ));
            }
        };
        Ok(Self {
            prefix: query.value("prefix").unwrap_or_default().to_owned(),
            delimiter: query.value("delimiter").unwrap_or_default().to_owned(),
            limit: max_entries(query.value(limit), limit, PAGE_KEYS_MAX)?,
            url,
        })
    }

    pub(super) fn selection(&self, after: Option<&str>) -> Selection {
        Selection {
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            after: after.map(str::to_owned),
            limit: self.limit,
        }
    }

    /// A key as the client asked to have it shown.
    pub(super) fn shown(&self, key: &str) -> String {
        match self.url {
            true => encode_form(key),
            false => key.to_owned(),
        }
    }

    pub(super) fn write_limits(&self, writer: &mut Writer, truncated: bool, limit: &str) {
        writer.element(limit, self.limit);
        writer.optional("Delimiter", optional(&self.delimiter).map(|delimiter| self.shown(delimiter)));
        writer.optional("EncodingType", self.url.then_some("url"));
        writer.element("IsTruncated", truncated);
    }
}

/// Judges what a listing is asked.
///
/// # Errors
/// What it would be answered, whatever is there.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    let query = request.query();
    let operation = request.operation();
    let limit = if operation == Operation::ListMultipartUploads { "max-uploads" } else { "max-keys" };
    Asked::of(query, limit)?;
    if operation == Operation::ListObjectVersions {
        version_after(query)?;
    }
    if operation == Operation::ListObjectsV2 {
        continued(query)?;
    }
    Ok(())
}

/// The version that a page begins after.
pub(super) fn version_after(query: &Query) -> Result<Option<VersionId>, Error> {
    let key_marker = query.value("key-marker").unwrap_or_default();
    let version_marker = query.value("version-id-marker").unwrap_or_default();
    if key_marker.is_empty() && !version_marker.is_empty() {
        return Err(Error::invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
            "version-id-marker",
            version_marker,
        ));
    }
    match version_marker {
        "" if query.contains("version-id-marker") && !key_marker.is_empty() => {
            let message = "A version-id marker cannot be empty.";
            Err(Error::invalid_argument(message, "version-id-marker", ""))
        }
        "" => Ok(None),
        marker => parse_version(marker, "version-id-marker").map(Some),
    }
}

/// The key that the page before ended with. An empty token is not as if there were none, unlike in a listing of buckets.
pub(super) fn continued(query: &Query) -> Result<Option<String>, Error> {
    let token = query.value("continuation-token");
    token.map(|token| optional(token).map_or_else(|| Err(invalid_token()), decode_token)).transpose()
}

/// A limit on a page, `max` if none is given or if it is larger.
pub(super) fn max_entries(text: Option<&str>, name: &'static str, max: usize) -> Result<usize, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(max);
    };
    let number: i32 = text.parse().ok().ok_or_else(|| {
        let message = format!("Provided {name} not an integer or within integer range");
        Error::invalid_argument(message, name, text)
    })?;
    usize::try_from(number).map(|number| number.min(max)).ok().ok_or_else(|| {
        // Of keys S3 says the name that it has inside.
        let name = if name == "max-keys" { "maxKeys" } else { name };
        let message = format!("Argument {name} must be an integer between 0 and 2147483647");
        Error::invalid_argument(message, name, text)
    })
}

/// The text, unless it is empty.
pub(super) fn optional(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Where a page ends, as the next one is asked for.
pub(super) fn encode_token(last: &str) -> String {
    STANDARD.encode(last)
}

/// Where the page before ended.
///
/// # Errors
/// `InvalidArgument` for what no page ended with.
pub(super) fn decode_token(token: &str) -> Result<String, Error> {
    let last = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    last.ok_or_else(invalid_token)
}

fn invalid_token() -> Error {
    ErrorCode::InvalidArgument
        .with_message("The continuation token provided is incorrect")
        .with("ArgumentName", "continuation-token")
}

pub(super) fn write_prefixes(writer: &mut Writer, asked: &Asked, prefixes: &[String]) {
    for prefix in prefixes {
        writer.open("CommonPrefixes").element("Prefix", asked.shown(prefix)).close("CommonPrefixes");
    }
}

pub(super) fn closed(mut writer: Writer, root: &'static str) -> String {
    writer.close(root);
    writer.finish()
}
