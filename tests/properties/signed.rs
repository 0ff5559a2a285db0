//! Requests that others signed: V4 by the `aws-sigv4` crate, V2 by hand.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;

use crate::fuzz::head::{Head, cut};
use crate::fuzz::signing::{ACCESS_KEY, SECRET_KEY, Scheme, now};

/// A head with its signature, and the names of the headers that it covers.
pub struct Signed {
    pub scheme: Scheme,
    pub head: Head,
    pub covered: Vec<String>,
}

/// A head to be signed; lines after a `-` are sent unsigned.
fn parse(text: &str) -> (Head, Head) {
    let mut signed = Head::parse(text.as_bytes()).expect("a head");
    let mut sent = signed.clone();
    signed.lines.retain(|line| !line.starts_with(b"-"));
    for line in &mut sent.lines {
        if line.starts_with(b"-") {
            line.remove(0);
        }
    }
    (signed, sent)
}

/// V4, in the query or in headers.
pub fn v4(scheme: Scheme, text: &str) -> Signed {
    let (signed, mut head) = parse(text);
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.excluded_headers = Some(Vec::new());
    if scheme == Scheme::V4Query {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(600));
    } else {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "tests").into();
    let seconds = u64::try_from(now().unix_seconds()).expect("after 1970");
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("s3")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .settings(settings)
        .build()
        .expect("complete parameters")
        .into();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let target = text(&signed.bytes());
    let target = target.lines().next().and_then(|line| line.split(' ').nth(1)).expect("a target");
    let lines: Vec<(String, String)> = (signed.lines.iter())
        .map(|line| cut(line, b':').expect("a header"))
        .map(|(name, value)| (text(name), text(value.trim_ascii())))
        .collect();
    let headers = lines.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::Precomputed("UNSIGNED-PAYLOAD".to_owned());
    let method = text(&signed.method);
    let request = SignableRequest::new(&method, format!("http://host{target}"), headers, body);
    let output = aws_sigv4::http_request::sign(request.expect("a signable request"), &parameters);
    let (headers, query) = output.expect("a signature").into_parts().0.into_parts();
    let mut covered: Vec<String> = signed.names().collect();
    for header in headers {
        head.lines.push(format!("{}: {}", header.name(), header.value()).into_bytes());
        covered.push(header.name().to_owned());
    }
    for (name, value) in query {
        let value = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
        head.pieces.push(format!("{name}={value}").into_bytes());
    }
    covered.retain(|name| name != "authorization");
    Signed { scheme, head, covered }
}

/// V2; `text` is what is signed, in which `{}` is the expiry.
pub fn v2(scheme: Scheme, head: &str, text: &str) -> Signed {
    let (signed, mut head) = parse(head);
    let expires = now().plus_seconds(600).unix_seconds().to_string();
    let signature = scheme.signature(&text.replacen("{}", &expires, 1));
    if scheme == Scheme::V2Query {
        let own = format!("AWSAccessKeyId={ACCESS_KEY}&Expires={expires}&Signature={signature}");
        head.pieces.extend(own.split('&').map(|piece| piece.as_bytes().to_vec()));
    } else {
        head.lines.push(format!("Authorization: AWS {ACCESS_KEY}:{signature}").into_bytes());
    }
    Signed { scheme, head, covered: signed.names().collect() }
}
