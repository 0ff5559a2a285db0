//! `presigned sign`: prints a presigned URL, or the curl command that uses it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use super::credentials::{self, KeyFlags};
use super::{Failure, say};
use crate::api;
use crate::auth::{
    Claimed, Key, Keyring, Presign, SecretKey, Settings, SignVersion, UNSIGNED_PAYLOAD, User, authenticate,
};
use crate::clock::Clock;
use crate::config::{Config, KeyPair, REGION_ANY, REGION_DEFAULT, check_key, parse_seconds};
use crate::s3::arrival::{Arrival, Scheme};
use crate::s3::error::Error;
use crate::s3::name::{BucketName, KEY_BYTES_MAX, KeyError, ObjectKey};
use crate::s3::operation::Operation;
use crate::s3::request::Request;
use crate::s3::target::{Domains, without_port};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the URL is for
    #[arg(ignore_case = true)]
    method: Method,
    /// s3://BUCKET/KEY, or s3://BUCKET to list it
    target: String,
    /// Lifetime, like 90s, 15m, 12h or 7d; a bare number is seconds
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    expires: String,
    /// Longest lifetime that the server accepts [default: that of the configuration, else 7d for V4, none for V2]
    #[arg(long, value_name = "DURATION", env = "PRESIGNED_EXPIRES_MAX")]
    expires_max: Option<String>,
    /// URL of the server, as the user of the link reaches it
    /// [default: that of AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else http://127.0.0.1:9000]
    #[arg(long, value_name = "URL", env = "PRESIGNED_ENDPOINT")]
    endpoint: Option<String>,
    /// Use a virtual-hosted URL (bucket in the host name); the endpoint must have a name
    #[arg(long)]
    virtual_hosted: bool,
    /// Sign with version 2
    #[arg(long)]
    v2: bool,
    /// Header the caller will send, to be signed; repeatable; version 2 signs few
    #[arg(long, value_name = "NAME:VALUE")]
    header: Vec<String>,
    /// Query parameter to put into the URL, signed with it; repeatable; version 2 signs few
    #[arg(long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// Print a curl command instead of the URL
    #[arg(long)]
    curl: bool,
    #[command(flatten)]
    key: KeyFlags,
    /// Configuration file to take the key from: the first, or that of --access-key
    #[arg(long, value_name = "FILE.toml", env = "PRESIGNED_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of a store to take its kept key from
    #[arg(long, value_name = "DIR", default_value = "data")]
    dir: PathBuf,
    /// Region [default: that of the configuration, else of AWS_REGION or AWS_DEFAULT_REGION, else us-east-1]
    #[arg(long, value_name = "NAME", env = "PRESIGNED_REGION")]
    region: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Method {
    Get,
    Put,
    Head,
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Head => "HEAD",
            Self::Delete => "DELETE",
        }
    }

    /// The command that uses a URL with this path. Without `--path-as-is` curl takes the dots out of a path.
    fn curl(self, path: &str, has_body: bool) -> String {
        let as_is = if path.contains("/.") { " --path-as-is" } else { "" };
        let is_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
        let command = match self {
            Self::Get => "curl",
            Self::Head => "curl --head",
            Self::Delete => "curl --request DELETE",
            Self::Put if !has_body => "curl --request PUT",
            // `--upload-file` would put the name of the file after such a path.
            Self::Put if is_folder => "curl --request PUT --data-binary @FILE",
            Self::Put => "curl --upload-file FILE",
        };
        format!("{command}{as_is}")
    }
}

/// Prints the URL.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.config.as_deref().map(Config::read).transpose()?;
    let key = key(arguments, file.as_ref())?;
    check_key(&key)?;
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = file.as_ref().map(|file| file.region_name().to_owned());
    let one = |region: &String| region != REGION_ANY;
    let given = arguments.region.clone().filter(one).or(named);
    let from_environment = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter_map(set).find(one);
    let region = given.or_else(from_environment);
    let region = region.unwrap_or_else(|| REGION_DEFAULT.to_owned());
    let wanted = arguments.endpoint.clone();
    let wanted = wanted.or_else(|| set("AWS_ENDPOINT_URL_S3")).or_else(|| set("AWS_ENDPOINT_URL"));
    let (scheme, mut host) = endpoint(wanted.as_deref().unwrap_or("http://127.0.0.1:9000"))?;
    let headers = pairs(&arguments.header, ':', "header")?;
    let headers: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    refuse_headers(&headers)?;
    let query = pairs(&arguments.query, '=', "query")?;
    if let Some((name, _)) = query.iter().find(|(name, _)| Claimed::is_parameter(name)) {
        return Err(format!("{name} is the signature's own parameter").into());
    }
    let (bucket, mut path) = target(&arguments.target)?;
    let domain = without_port(&host).to_owned();
    match arguments.virtual_hosted {
        true if domain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {
            return Err(
                format!("{domain} has no subdomains: --virtual-hosted needs a host with a name").into()
            );
        }
        true => host = format!("{bucket}.{host}"),
        false => path = format!("/{bucket}{path}"),
    }
    let settings = settings(arguments, file, &region)?;
    let presign = Presign {
        version: if arguments.v2 { SignVersion::V2 } else { SignVersion::V4 },
        method: arguments.method.name(),
        scheme: &scheme,
        host: &host,
        path: &path,
        host_bucket: arguments.virtual_hosted.then_some(bucket.as_str()),
        query: &query,
        headers: &headers,
        access_key: &key.access_key,
        secret: &SecretKey::new(key.secret_key.as_str()),
        region: &region,
        expires_seconds: parse_seconds(&arguments.expires)?,
        now: Clock::System.now(),
    };
    if let Some(name) = presign.unsigned() {
        return Err(format!(
            "version 2 does not sign {name}: anybody could change it; sign with version 4, or leave it out"
        )
        .into());
    }
    let url = presign.url();
    let operation = check(&presign, &url, &settings, &domain)?;
    match arguments.curl {
        true => say(&curl(arguments.method, operation, &presign, &url)),
        false => say(&url),
    }
}

/// The command that sends what is signed.
fn curl(method: Method, operation: Operation, presign: &Presign<'_>, url: &str) -> String {
    let header =
        |(name, value): &(String, String)| format!(" --header {}", quoted(&format!("{name}: {value}")));
    let flags: String = presign.headers.iter().map(header).collect();
    let has_body =
        !matches!(operation, Operation::CreateBucket | Operation::CopyObject | Operation::UploadPartCopy);
    let command = method.curl(presign.path, has_body);
    // With `--data-binary` curl would say that a form is sent.
    let is_typed = presign.headers.iter().any(|(name, _)| name == "content-type");
    let untyped = match command.contains("--data-binary") && !is_typed {
        true => " --header 'Content-Type:'",
        false => "",
    };
    format!("{command}{untyped}{flags} {}", quoted(url))
}

/// How the server judges what is signed, as far as it can be known here.
fn settings(arguments: &Arguments, file: Option<Config>, region: &str) -> Result<Settings, Failure> {
    let flags = Config {
        expires_max: arguments.expires_max.clone(),
        region: Some(region.to_owned()),
        ..Config::default()
    };
    Ok(flags.or(file.unwrap_or_default()).auth()?)
}

/// Refuses headers that cannot be signed as they are given.
fn refuse_headers(headers: &[(String, String)]) -> Result<(), Failure> {
    for (position, (name, value)) in headers.iter().enumerate() {
        if name == "x-amz-content-sha256" && value != UNSIGNED_PAYLOAD {
            return Err("a URL is signed for whatever body comes: its digest can go into content-md5 or a x-amz-checksum- header".into());
        }
        if name == "host" {
            return Err("the host is always signed: name it with --endpoint".into());
        }
        if headers.iter().take(position).any(|(other, _)| other == name) {
            return Err(format!("the header {name} is given twice: join its values with a comma").into());
        }
    }
    Ok(())
}

/// Judges a URL as the server will, so that none is printed that would be refused. Gives what it asks for.
///
/// # Errors
/// Why it would be.
fn check(presign: &Presign<'_>, url: &str, settings: &Settings, domain: &str) -> Result<Operation, Failure> {
    let would = |error: &dyn std::fmt::Display| format!("the server would refuse this URL: {error}");
    let refused = |error: &Error| match error.unsupported() {
        Some(what) => format!("{} ({what})", would(error)),
        None => would(error),
    };
    let target = url.splitn(4, '/').nth(3).unwrap_or_default();
    let mut request = http::Request::builder().method(presign.method).uri(format!("/{target}"));
    for (name, value) in presign.headers {
        request = request.header(name.as_str(), value.as_str());
    }
    // Anyone who uses it says how long the body is.
    if !presign.headers.iter().any(|(name, _)| name == "content-length") {
        request = request.header(http::header::CONTENT_LENGTH, 0);
    }
    let request = request.header(http::header::HOST, presign.host).body(());
    let (parts, ()) = request.map_err(|error| would(&error))?.into_parts();
    let domains = Domains::new(presign.host_bucket.map(|_| domain.to_owned()));
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let arrival = Arrival::of(&parts, here, Scheme::Http).map_err(|error| refused(&error))?;
    let request = Request::parse(parts, arrival, &domains).map_err(|error| refused(&error))?;
    let operation = request.operation();
    let user = Arc::new(User { id: String::new(), display_name: String::new() });
    let keyring = Keyring::new([Key::new(presign.access_key, presign.secret.clone(), user)]);
    let judged = authenticate(request, &keyring, settings, presign.now).map_err(|judged| judged.error);
    judged.and_then(|verified| api::check_head(&verified)).map_err(|error| refused(&error))?;
    Ok(operation)
}

/// The key to sign with: flags, then the configuration, then the environment of AWS tools, then the one a store
/// keeps.
fn key(arguments: &Arguments, file: Option<&Config>) -> Result<KeyPair, Failure> {
    if let Some(key) = arguments.key.pair() {
        return Ok(key);
    }
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let from_file = file.map(|file| file.users.clone()).unwrap_or_default();
    if from_file.is_empty()
        && let (Some(access_key), Some(secret_key)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY"))
        && arguments.key.access_key.as_ref().is_none_or(|wanted| *wanted == access_key)
    {
        return Ok(KeyPair { access_key, secret_key });
    }
    let users = match from_file.is_empty() {
        false => from_file,
        true => credentials::kept(&arguments.dir)?.unwrap_or_default(),
    };
    let wanted =
        |key: &KeyPair| arguments.key.access_key.as_ref().is_none_or(|wanted| *wanted == key.access_key);
    let found = users.into_iter().flat_map(|user| user.keys).find(wanted);
    found.ok_or_else(|| {
        if let Some(wanted) = &arguments.key.access_key {
            return format!("the secret key of {wanted:?} is not known: give --secret-key, --config or --dir").into();
        }
        let text = "no key to sign with: give --access-key and --secret-key, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, --config, or --dir of a store";
        text.into()
    })
}

/// Scheme, and host with its port unless it is the scheme's own.
fn endpoint(url: &str) -> Result<(String, String), Failure> {
    let uri: http::Uri = url.parse().map_err(|error| format!("{url:?} is not a URL: {error}"))?;
    if url.contains(['?', '#', '@']) {
        return Err(format!("an endpoint is scheme, host and port, but {url:?} has more").into());
    }
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(format!("{url:?} is not an http or https URL").into());
    };
    // What is after the host is a port, which `port_u16` gives only if it can be one.
    if authority.port_u16().is_none() && authority.as_str() != authority.host() {
        return Err(format!("{url:?} has a port that cannot be").into());
    }
    let own_port = if scheme == "http" { ":80" } else { ":443" };
    let host = authority.as_str().trim_end_matches(own_port).to_ascii_lowercase();
    match uri.path() {
        "" | "/" => Ok((scheme.to_owned(), host)),
        path => Err(format!("an endpoint has no path, but {url:?} has {path:?}").into()),
    }
}

/// Bucket and path of `s3://BUCKET/KEY`, or of `s3://BUCKET`.
fn target(text: &str) -> Result<(String, String), Failure> {
    let malformed = || format!("{text:?} is not of the form s3://BUCKET/KEY or s3://BUCKET");
    let rest = text.strip_prefix("s3://").ok_or_else(malformed)?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket = BucketName::parse(bucket).ok_or_else(|| format!("{bucket:?} is not a valid bucket name"))?;
    if key.is_empty() {
        return Ok((bucket.to_string(), "/".to_owned()));
    }
    let key = ObjectKey::parse(key).map_err(|error| match error {
        KeyError::TooLong(size) => {
            format!("the key has {size} bytes; it may have {KEY_BYTES_MAX} at most")
        }
        KeyError::Empty | KeyError::Nul => malformed(),
    })?;
    Ok((bucket.to_string(), format!("/{key}")))
}

fn pairs(texts: &[String], separator: char, what: &str) -> Result<Vec<(String, String)>, Failure> {
    let split = |text: &String| {
        let pair = text.split_once(separator).filter(|(name, _)| !name.trim().is_empty());
        pair.map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
            .ok_or_else(|| format!("--{what} {text:?} is not of the form NAME{separator}VALUE").into())
    };
    texts.iter().map(split).collect()
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let parse = |url| endpoint(url).ok();
        let expect = |s: &str, h: &str| Some((s.to_owned(), h.to_owned()));
        assert_eq!(parse("http://H:9000/"), expect("http", "h:9000"));
        assert_eq!(parse("https://h:443"), expect("https", "h"));
        assert_eq!(parse("http://h/s3/"), None);
        assert_eq!(parse("ftp://h"), None);
        assert_eq!(parse("h"), None);
        assert_eq!(parse("http://[::1]:9000"), expect("http", "[::1]:9000"));
        for url in ["http://u@h", "http://h?x=1", "http://h/#x", "http://h:70000", "http://h:", "http://h:x"]
        {
            assert_eq!(parse(url), None, "{url}");
        }
    }

    #[test]
    fn targets() {
        let expect = |b: &str, p: &str| Some((b.to_owned(), p.to_owned()));
        assert_eq!(target("s3://abc/a/b c").ok(), expect("abc", "/a/b c"));
        assert_eq!(target("s3://abc").ok(), expect("abc", "/"));
        for text in ["abc/k", "s3://", "s3:///k", "s3://A/k"] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
