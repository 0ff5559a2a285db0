//! The answer of a refusal.

use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};

use super::body::Body;
use super::id::{RequestId, host_id};
use super::reply::Reply;
use crate::peer::Unsent;
use crate::s3::error::Error;
use crate::s3::xml::Writer;

/// The answer of a refusal; without its document if too much waits for the client already.
pub(super) fn reply(error: &Error, id: RequestId, method: &Method, unsent: &Unsent) -> Reply {
    let mut reply = Reply::new(Body::empty());
    *reply.status_mut() = error.code().status();
    if let Some(reason) = error.bare_reason() {
        if let Ok(reason) = hyper::ext::ReasonPhrase::try_from(reason.as_bytes()) {
            reply.extensions_mut().insert(reason);
        }
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return reply;
    }
    let headers = reply.headers_mut();
    if let Some(region) = error.detail("Region").and_then(|region| HeaderValue::from_str(region).ok()) {
        headers.insert(HeaderName::from_static("x-amz-bucket-region"), region);
    }
    for (name, value) in error.headers() {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if method != Method::HEAD {
        let document = document(error, id);
        if let Some(reserved) = unsent.reserve(document.len()) {
            *reply.body_mut() = Body::reserved(document, reserved);
        }
    }
    reply
}

/// Most bytes of an element, as it is written: all of them together make less than 32 KiB. A refusal repeats what a
/// client sent, and may be asked for without any key.
fn bytes_max(element: &str) -> usize {
    match element {
        "CanonicalRequest" => 6 * 1024,
        "CanonicalRequestBytes" => 10 * 1024,
        "StringToSign" => 3 * 1024,
        "StringToSignBytes" => 6 * 1024,
        _ => 2048,
    }
}

fn document(error: &Error, id: RequestId) -> String {
    let mut writer = Writer::plain();
    writer.open("Error").element("Code", error.code().name());
    writer.element_within("Message", error.message(), bytes_max("Message"));
    for (element, value) in error.details() {
        writer.element_within(element, value, bytes_max(element));
    }
    writer.element("RequestId", id).element("HostId", host_id()).close("Error");
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::ErrorCode;

    #[test]
    fn documents_have_the_shape_of_s3() {
        let error = ErrorCode::NoSuchKey.error().with("Key", "a<b");
        let text = document(&error, RequestId::next());
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>a&lt;b</Key><RequestId>";
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with("</HostId></Error>"), "{text}");
    }
}
