//! What an answer is compared with: S3's own words.

use crate::sign::Sign as _;
use crate::wire::{Request, Response};

/// Any text, in an expected element.
pub const ANY: &str = "*";

/// The refusal that S3 gives: status, code, message, and the elements behind them in order.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    pub status: u16,
    pub code: &'a str,
    pub message: &'a str,
    pub elements: &'a [(&'a str, &'a str)],
}

pub fn refusal<'a>(
    status: u16,
    code: &'a str,
    message: &'a str,
    elements: &'a [(&'a str, &'a str)],
) -> Refusal<'a> {
    Refusal { status, code, message, elements }
}

/// A case of a table: what is sent, the message, and the elements behind it.
pub type Case<'a> = (String, &'a str, &'a [(&'a str, &'a str)]);

/// The refusals that many requests get.
pub const ACCESS_DENIED: Refusal<'static> =
    Refusal { status: 403, code: "AccessDenied", message: "Access Denied", elements: &[] };
pub const MISMATCH_V4: Refusal<'static> = Refusal {
    status: 403,
    code: "SignatureDoesNotMatch",
    message: MISMATCH_MESSAGE,
    elements: &[
        ("AWSAccessKeyId", ANY),
        ("StringToSign", ANY),
        ("SignatureProvided", ANY),
        ("StringToSignBytes", ANY),
        ("CanonicalRequest", ANY),
        ("CanonicalRequestBytes", ANY),
    ],
};
pub const MISMATCH_V2: Refusal<'static> = Refusal {
    status: 403,
    code: "SignatureDoesNotMatch",
    message: MISMATCH_MESSAGE,
    elements: &[
        ("AWSAccessKeyId", ANY),
        ("StringToSign", ANY),
        ("SignatureProvided", ANY),
        ("StringToSignBytes", ANY),
    ],
};
pub const MALFORMED_XML: Refusal<'static> = Refusal {
    status: 400,
    code: "MalformedXML",
    message: "The XML you provided was not well-formed or did not validate against our published schema",
    elements: &[],
};
pub const NO_LENGTH: Refusal<'static> = Refusal {
    status: 411,
    code: "MissingContentLength",
    message: "You must provide the Content-Length HTTP header.",
    elements: &[],
};
const MISMATCH_MESSAGE: &str = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

/// The refusal of a header that was not signed.
pub fn not_signed<'a>(names: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    refusal(403, "AccessDenied", "There were headers present in the request which were not signed", names)
}

/// Compares an answer with a refusal; the text says what is different.
pub fn compare(response: &Response, expected: &Refusal<'_>) -> Result<(), String> {
    let complain = |what: &str| {
        Err(format!(
            "{what}\n    expected {expected:?}\n    answered {} {} {}",
            response.status,
            response.reason,
            response.text()
        ))
    };
    if response.status != expected.status {
        return complain("another status");
    }
    if response.header("content-type") != Some("application/xml") {
        return complain("the content type is not application/xml");
    }
    let elements = response.error_elements()?;
    let id = response.header("x-amz-request-id").unwrap_or_default();
    let host_id = response.header("x-amz-id-2").unwrap_or_default();
    if id.len() != 16
        || !id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        || host_id.is_empty()
    {
        return complain("x-amz-request-id or x-amz-id-2 is missing");
    }
    let mut wanted = vec![("Code", expected.code), ("Message", expected.message)];
    wanted.extend_from_slice(expected.elements);
    wanted.extend([("RequestId", id), ("HostId", host_id)]);
    let matches = elements.len() == wanted.len()
        && elements.iter().zip(&wanted).all(|((name, value), (wanted_name, wanted_value))| {
            name == wanted_name && (*wanted_value == ANY || value == wanted_value)
        });
    if matches { Ok(()) } else { complain("other elements") }
}

impl Response {
    /// Asserts that this is the refusal.
    #[track_caller]
    pub fn refused(&self, expected: &Refusal<'_>) {
        if let Err(complaint) = compare(self, expected) {
            panic!("{complaint}");
        }
    }
}

/// Whether there is an object.
pub fn exists(path: &str) -> bool {
    let response = Request::new("HEAD", path).sign().send();
    match response.status {
        200 => true,
        404 => false,
        status => panic!("HEAD {path}: {status}"),
    }
}

/// Stores an object for a test to read.
#[track_caller]
pub fn given(path: &str, body: impl AsRef<[u8]>) {
    Request::new("PUT", path).body(body).sign().send().expect(200);
}

/// Asserts what is stored.
#[track_caller]
pub fn assert_stored(path: &str, body: impl AsRef<[u8]>) {
    let response = Request::new("GET", path).sign().send().expect(200);
    assert!(response.body == body.as_ref(), "{path}: {} bytes of another body", response.body.len());
}

/// Many cases, every one of which is tried; the failures are shown together when it is dropped.
#[derive(Default)]
pub struct Table {
    failures: Vec<String>,
}

impl Table {
    pub fn check(&mut self, case: &str, holds: bool) {
        if !holds {
            self.failures.push(case.to_owned());
        }
    }

    pub fn refused(&mut self, case: &str, response: &Response, expected: &Refusal<'_>) {
        if let Err(complaint) = compare(response, expected) {
            self.failures.push(format!("{case}: {complaint}"));
        }
    }

    /// The request is refused, and nothing is stored at its path.
    pub fn refused_write(&mut self, case: &str, request: &Request, expected: &Refusal<'_>) {
        self.refused(case, &request.send(), expected);
        let path = request.target.split('?').next().expect("a path");
        self.check(&format!("{case}: something was stored"), !exists(path));
    }

    pub fn status(&mut self, case: &str, response: &Response, status: u16) {
        if response.status != status {
            self.failures.push(format!(
                "{case}: expected {status}, answered {} {} {}",
                response.status,
                response.reason,
                response.text()
            ));
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.failures.is_empty() {
            panic!("{} cases failed:\n{}", self.failures.len(), self.failures.join("\n"));
        }
    }
}
