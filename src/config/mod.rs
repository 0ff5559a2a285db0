//! The configuration: file and flags in, each module's own settings out. Flags win.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::auth::{self, RegionRule};
use crate::s3::name::BucketName;
use crate::s3::target::Domains;
use crate::server::TlsFiles;
use crate::store;

/// Where to listen if nothing is said.
const LISTEN_DEFAULT: &str = "127.0.0.1:9000";
/// The region if none is named.
pub const REGION_DEFAULT: &str = "us-east-1";
/// The word for every region.
pub const REGION_ANY: &str = "any";
/// How long a body may stand still.
pub const BODY_STALL_MAX: Duration = Duration::from_secs(60);

/// Largest window of a download.
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How often lifecycle rules are applied.
pub const LIFECYCLE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// A configuration as it is written, in a file or as flags; what is absent is left to the other.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory of the store.
    pub dir: Option<PathBuf>,
    /// Addresses to listen on, `host:port` each.
    #[serde(default)]
    pub listen: Vec<String>,
    /// The region a signature must name, or `any`.
    pub region: Option<String>,
    /// Buckets to be made at start.
    #[serde(default)]
    pub buckets: Vec<String>,
    /// Domains whose subdomains are buckets.
    #[serde(default)]
    pub domains: Vec<String>,
    /// The certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// The private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Like `7d`.
    pub expires_max: Option<String>,
    /// The file that is written once requests are accepted.
    pub ready_file: Option<PathBuf>,
    /// How log lines look.
    pub log_format: Option<LogFormat>,
    /// Bodies up to this many bytes are kept in the index.
    pub inline_bytes_max: Option<u64>,
    /// Most connections of one address.
    pub connections_per_address_max: Option<usize>,
    /// Largest window of a download, like `8MiB`.
    pub window_max: Option<String>,
    /// What who asks for the metrics must know; without one there are none.
    pub metrics_token: Option<String>,
    /// How often lifecycle rules are applied, like `1h`.
    pub lifecycle_interval: Option<String>,
    /// Most bytes that buckets may hold, like `10GiB`.
    #[serde(default)]
    pub quotas: BTreeMap<String, String>,
    /// Those who have keys.
    #[serde(default)]
    pub users: Vec<User>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token of the metrics.
        f.debug_struct("Config").field("dir", &self.dir).field("users", &self.users).finish_non_exhaustive()
    }
}

/// A user and their keys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The canonical id that answers show.
    pub id: String,
    /// The name that answers show.
    pub display_name: Option<String>,
    /// The key pairs of the user.
    #[serde(default)]
    pub keys: Vec<KeyPair>,
}

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// What requests name the pair by.
    pub access_key: String,
    /// What signs them.
    pub secret_key: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `name=value` pairs.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is wrong with a configuration; one line.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// That it cannot be read, or what is wrong in it and on which line.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error(format!("cannot read {}: {error}", path.display())))?;
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text.get(..span.start).unwrap_or_default().bytes().filter(|byte| *byte == b'\n').count() + 1
            });
            Error(format!("{} line {line}: {}", path.display(), error.message()))
        })
    }

    /// This configuration where it says something, else `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        fn list<T>(one: Vec<T>, other: Vec<T>) -> Vec<T> {
            if one.is_empty() { other } else { one }
        }
        Self {
            dir: self.dir.or(other.dir),
            listen: list(self.listen, other.listen),
            region: self.region.or(other.region),
            buckets: list(self.buckets, other.buckets),
            domains: list(self.domains, other.domains),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            expires_max: self.expires_max.or(other.expires_max),
            ready_file: self.ready_file.or(other.ready_file),
            log_format: self.log_format.or(other.log_format),
            inline_bytes_max: self.inline_bytes_max.or(other.inline_bytes_max),
            connections_per_address_max: self
                .connections_per_address_max
                .or(other.connections_per_address_max),
            window_max: self.window_max.or(other.window_max),
            metrics_token: self.metrics_token.or(other.metrics_token),
            lifecycle_interval: self.lifecycle_interval.or(other.lifecycle_interval),
            quotas: if self.quotas.is_empty() { other.quotas } else { self.quotas },
            users: list(self.users, other.users),
        }
    }

    /// The directory of the store.
    pub fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from("data"))
    }

    /// The region that buckets are in.
    pub fn region_name(&self) -> &str {
        match self.region.as_deref() {
            None | Some(REGION_ANY) => REGION_DEFAULT,
            Some(region) => region,
        }
    }

    /// The addresses to listen on.
    ///
    /// # Errors
    /// That one is not of the form `HOST:PORT`.
    pub fn listen(&self) -> Result<Vec<String>, Error> {
        let is_address = |address: &&String| {
            let parts = address.rsplit_once(':');
            parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        match self.listen.iter().find(|address| !is_address(address)) {
            Some(address) => Err(Error(format!(
                "cannot listen on {address:?}: write HOST:PORT, like {LISTEN_DEFAULT}, or 0.0.0.0:9000 for every address of this machine"
            ))),
            None if self.listen.is_empty() => Ok(vec![LISTEN_DEFAULT.to_owned()]),
            None => Ok(self.listen.clone()),
        }
    }

    /// How strict signatures are judged.
    ///
    /// # Errors
    /// That `expires-max` is not a duration, or the region no name.
    pub fn auth(&self) -> Result<auth::Settings, Error> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if self.region_name().is_empty() || !self.region_name().bytes().all(is_of_name) {
            let text = format!(
                "{:?} is no name of a region: write one like {REGION_DEFAULT}, or {REGION_ANY}",
                self.region_name()
            );
            return Err(Error(text));
        }
        let region = match self.region.as_deref() {
            Some(REGION_ANY) => RegionRule::Any,
            _ => RegionRule::Only(self.region_name().to_owned()),
        };
        let defaults = auth::Settings { region, ..auth::Settings::default() };
        let Some(text) = &self.expires_max else {
            return Ok(defaults);
        };
        let seconds = parse_seconds(text)?;
        Ok(auth::Settings {
            expires_v4_seconds_max: seconds,
            expires_v2_seconds_max: Some(seconds),
            ..defaults
        })
    }

    /// How objects are stored.
    ///
    /// # Errors
    /// That a quota is of no bucket, or no size.
    pub fn store(&self) -> Result<store::local::Settings, Error> {
        let defaults = store::local::Settings::new(self.directory());
        let mut quotas = BTreeMap::new();
        for (name, size) in &self.quotas {
            let bucket = BucketName::parse(name)
                .ok_or_else(|| Error(format!("{name:?} in [quotas] is not a valid bucket name")))?;
            let bytes = parse_bytes(size).map_err(|error| Error(format!("the quota of {name}: {error}")))?;
            quotas.insert(bucket, bytes);
        }
        let inline_bytes_max = self.inline_bytes_max.unwrap_or(defaults.inline_bytes_max);
        let window_bytes_max = self.window_bytes_max()?;
        Ok(store::local::Settings { inline_bytes_max, window_bytes_max, quotas, ..defaults })
    }

    /// The domains whose subdomains are buckets.
    ///
    /// # Errors
    /// Returns an error if one is not the name of a host.
    pub fn domains(&self) -> Result<Domains, Error> {
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        match self.domains.iter().find(|name| !name.trim_end_matches('.').split('.').all(is_label)) {
            Some(name) => Err(Error(format!(
                "{name:?} is not the name of a domain: write it without scheme, port or *, like s3.example.org"
            ))),
            None => Ok(Domains::new(self.domains.iter().cloned())),
        }
    }

    /// Most connections of one address.
    ///
    /// # Errors
    /// Returns an error if it is zero.
    pub fn connections_per_address_max(&self) -> Result<Option<usize>, Error> {
        match self.connections_per_address_max {
            Some(0) => Err(Error("connections_per_address is 0, which would keep everybody out".to_owned())),
            max => Ok(max),
        }
    }

    /// Largest window of a download, in bytes.
    ///
    /// # Errors
    /// That it is not a size, or less than the smallest.
    fn window_bytes_max(&self) -> Result<u64, Error> {
        let bytes = self.window_max.as_deref().map_or(Ok(WINDOW_BYTES_MAX), parse_bytes)?;
        match bytes {
            bytes if bytes >= store::local::WINDOW_BYTES_MIN => Ok(bytes),
            _ => Err(Error(format!("window_max is at least {} bytes", store::local::WINDOW_BYTES_MIN))),
        }
    }

    /// How often lifecycle rules are applied.
    ///
    /// # Errors
    /// That it is not a duration.
    pub fn lifecycle_interval(&self) -> Result<Duration, Error> {
        let seconds = self.lifecycle_interval.as_deref().map(parse_seconds).transpose()?;
        Ok(seconds.map_or(LIFECYCLE_INTERVAL, |seconds| Duration::from_secs(seconds.unsigned_abs())))
    }

    /// The files of TLS.
    ///
    /// # Errors
    /// That one is named without the other.
    pub fn tls(&self) -> Result<Option<TlsFiles>, Error> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Ok(Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }))
            }
            (None, None) => Ok(None),
            _ => Err(Error("tls-cert and tls-key are given together or not at all".to_owned())),
        }
    }

    /// The buckets to be made at start.
    ///
    /// # Errors
    /// Returns an error if a name is not one that a bucket can have.
    pub fn bucket_names(&self) -> Result<Vec<BucketName>, Error> {
        let parse = |name: &String| {
            BucketName::parse(name).ok_or_else(|| Error(format!("{name:?} is not a valid bucket name")))
        };
        self.buckets.iter().map(parse).collect()
    }

    /// Checks what must hold of users: an id each, and no access key twice.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_users(&self) -> Result<(), Error> {
        let mut keys = HashSet::new();
        let mut ids = HashSet::new();
        for user in &self.users {
            if user.id.is_empty() || !ids.insert(&user.id) {
                return Err(Error(format!("the user id {:?} is empty or given twice", user.id)));
            }
            for key in &user.keys {
                check_key(key)?;
                if !keys.insert(&key.access_key) {
                    return Err(Error(format!("the access key {:?} is given twice", key.access_key)));
                }
            }
        }
        Ok(())
    }
}

/// Checks the form of a key pair.
///
/// # Errors
/// What is wrong with it.
pub fn check_key(key: &KeyPair) -> Result<(), Error> {
    let graphic = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !graphic(&key.access_key) || key.access_key.contains([':', ',']) {
        return Err(Error(format!("{:?} is not a usable access key", key.access_key)));
    }
    if !graphic(&key.secret_key) {
        return Err(Error(format!("the secret key of {:?} is empty or not ASCII", key.access_key)));
    }
    Ok(())
}

/// Parses a duration like `7d`, `12h` or `3600` (seconds) into whole seconds.
///
/// # Errors
/// Returns an error if it is malformed, or zero.
pub fn parse_seconds(text: &str) -> Result<i64, Error> {
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => Some(seconds),
        Err(_) => humantime::parse_duration(text).ok().map(|duration| duration.as_secs()),
    };
    seconds
        .and_then(|seconds| i64::try_from(seconds).ok())
        .filter(|seconds| (1..=i64::from(i32::MAX)).contains(seconds))
        .ok_or_else(|| Error(format!("{text:?} is not a duration: write 90s, 15m, 12h or 7d")))
}

/// Parses a size like `10GiB`, `500MB` or `4096` into bytes.
///
/// # Errors
/// Returns an error if it is malformed.
pub fn parse_bytes(text: &str) -> Result<u64, Error> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    let text = text.trim();
    let unit = UNITS.iter().find_map(|(name, bytes)| text.strip_suffix(name).map(|rest| (rest, *bytes)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let bytes = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| Error(format!("{text:?} is not a size: write 4096, 500MB or 10GiB")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win() {
        let file: Config =
            toml::from_str("region = \"eu\"\nbuckets = [\"one\"]\nexpires_max = \"30d\"").expect("valid");
        let flags = Config { region: Some("any".into()), ..Config::default() };
        let config = flags.or(file);
        assert_eq!(config.auth().expect("valid").region, RegionRule::Any);
        assert_eq!(config.auth().expect("valid").expires_v2_seconds_max, Some(2_592_000));
        assert_eq!(config.region_name(), REGION_DEFAULT);
        assert_eq!(config.buckets, ["one"]);
    }

    #[test]
    fn the_example_says_what_is_so() {
        let example: Config = toml::from_str(include_str!("../../deploy/presigned.toml")).expect("valid");
        assert_eq!(example.store().expect("valid"), Config::default().store().expect("valid"));
        assert_eq!(example.auth().expect("valid"), Config::default().auth().expect("valid"));
        assert_eq!(example.window_bytes_max().expect("valid"), WINDOW_BYTES_MAX);
        assert_eq!(example.lifecycle_interval().expect("valid"), LIFECYCLE_INTERVAL);
        assert_eq!(example.listen, [LISTEN_DEFAULT]);
        assert_eq!(example.log_format, Some(LogFormat::default()));
        assert!(example.users.is_empty());
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("7d", 604_800), ("1h", 3600), ("3600", 3600), ("1h 30m", 5400)] {
            assert_eq!(parse_seconds(text).ok(), Some(seconds), "{text}");
        }
        for text in ["", "0", "-1", "soon", "1.5.5d"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let sizes = [("4096", 4096), ("1KiB", 1024), ("10 GiB", 10 << 30), ("500MB", 500_000_000), ("7B", 7)];
        for (text, bytes) in sizes {
            assert_eq!(parse_bytes(text).ok(), Some(bytes), "{text}");
        }
        for text in ["", "GiB", "-1", "1.5GiB", "99999999TiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn users_are_checked() {
        let text = "[[users]]\nid = \"a\"\nkeys = [{ access_key = \"K\", secret_key = \"s\" }, { access_key = \"K\", secret_key = \"t\" }]";
        let config: Config = toml::from_str(text).expect("well-formed");
        assert!(config.check_users().is_err());
        assert!(!format!("{config:?}").contains("secret_key"));
        assert!(toml::from_str::<Config>("regoin = \"eu\"").is_err());
    }
}
