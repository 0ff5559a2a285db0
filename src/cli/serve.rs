//! `presigned serve`: configuration in, a running server out.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::{CommandFactory as _, ValueEnum};
use hyper::body::Incoming;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::credentials::{self, KeyFlags};
use super::ready::{self, ReadyFile};
use super::{Failure, log, say};
use crate::admin;
use crate::api;
use crate::auth::{self, Keyring, SecretKey};
use crate::clock::Clock;
use crate::config::{BODY_STALL_MAX, Config, KeyPair, LogFormat, User};
use crate::jobs;
use crate::peer::Peer;
use crate::policy::Policy;
use crate::s3::arrival::{Arrival, Scheme};
use crate::s3::check::Check;
use crate::s3::error::ErrorCode;
use crate::s3::name::BucketName;
use crate::server::{self, Server};
use crate::store::model::NewBucket;
use crate::store::{self, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Directory of the store [default: ./data]
    #[arg(env = "PRESIGNED_DIR")]
    dir: Option<PathBuf>,
    /// Address to listen on; repeatable; port 0 picks one [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDR:PORT", env = "PRESIGNED_LISTEN", value_delimiter = ',')]
    listen: Vec<String>,
    #[command(flatten)]
    key: KeyFlags,
    /// Region a signature must name; `any` accepts every region [default: us-east-1]
    #[arg(long, value_name = "NAME", env = "PRESIGNED_REGION")]
    region: Option<String>,
    /// Bucket to make at start if it is missing; repeatable
    #[arg(long, value_name = "NAME", env = "PRESIGNED_BUCKETS", value_delimiter = ',')]
    bucket: Vec<String>,
    /// Domain whose subdomains are buckets, besides localhost; repeatable
    #[arg(long, value_name = "NAME", env = "PRESIGNED_DOMAINS", value_delimiter = ',')]
    domain: Vec<String>,
    /// Certificate chain, PEM; HTTP/1.1 and HTTP/2
    #[arg(long, value_name = "FILE", env = "PRESIGNED_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key, PEM
    #[arg(long, value_name = "FILE", env = "PRESIGNED_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Longest lifetime of a URL, like 30d or 12h [default: 7d for V4, none for V2]
    #[arg(long, value_name = "DURATION", env = "PRESIGNED_EXPIRES_MAX")]
    expires_max: Option<String>,
    /// Most connections of one address [default: a quarter of all, for an address that is not private]
    #[arg(long, value_name = "N", env = "PRESIGNED_CONNECTIONS_PER_ADDRESS")]
    connections_per_address: Option<usize>,
    /// The same settings and several users, as TOML; flags win
    #[arg(long, value_name = "FILE.toml", env = "PRESIGNED_CONFIG")]
    config: Option<PathBuf>,
    /// Written, with one URL a line, once requests are accepted
    #[arg(long, value_name = "PATH", env = "PRESIGNED_READY_FILE")]
    ready_file: Option<PathBuf>,
    /// Token that a reader of /_presigned/metrics must send; without one there are no metrics
    #[arg(long, value_name = "TOKEN", env = "PRESIGNED_METRICS_TOKEN", hide_env_values = true)]
    metrics_token: Option<String>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", env = "PRESIGNED_LOG_FORMAT")]
    log_format: Option<LogFormat>,
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(match self {
            Self::Text => "text".into(),
            Self::Json => "json".into(),
        })
    }
}

impl Arguments {
    /// Flags over file.
    ///
    /// Gives also how many users of the file those of the flags take the place of.
    fn config(self) -> Result<(Config, usize), Failure> {
        // Before anything else can fail: a start that fails is not ready.
        let ready_file = given(self.ready_file);
        ready_file.as_deref().map_or(Ok(()), ready::clear)?;
        let file = given(self.config).as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let users = self.key.whole_pair()?.map(|key| User {
            id: "main".to_owned(),
            display_name: Some("Main".to_owned()),
            keys: vec![key],
        });
        let list = |values: Vec<String>| {
            let values = values.iter().map(|value| value.trim().to_owned());
            values.filter(|value| !value.is_empty()).collect::<Vec<_>>()
        };
        let flags = Config {
            dir: given(self.dir),
            listen: list(self.listen),
            region: given(self.region),
            buckets: list(self.bucket),
            domains: list(self.domain),
            tls_cert: given(self.tls_cert),
            tls_key: given(self.tls_key),
            expires_max: given(self.expires_max),
            ready_file,
            log_format: self.log_format,
            inline_bytes_max: None,
            lifecycle_interval: None,
            connections_per_address_max: self.connections_per_address,
            window_max: None,
            metrics_token: self.metrics_token,
            quotas: BTreeMap::new(),
            users: users.into_iter().collect(),
        };
        let replaced = if flags.users.is_empty() { 0 } else { file.users.len() };
        let config = flags.or(file);
        config.ready_file.as_deref().map_or(Ok(()), ready::clear)?;
        config.check_users()?;
        Ok((config, replaced))
    }
}

/// A value that is not empty. A variable of the environment that is there and empty is not given.
fn given<T: AsRef<OsStr>>(value: Option<T>) -> Option<T> {
    value.filter(|value| !value.as_ref().is_empty())
}

/// Serves until the process is told to stop.
pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let (config, replaced) = arguments.config()?;
    // Writes the last lines when all else is gone, the requests that were cut among them.
    let _guard = log::start(config.log_format.unwrap_or_default())?;
    if replaced > 0 {
        tracing::warn!(
            users = replaced,
            "the users of the configuration file are not used: --access-key, or PRESIGNED_ACCESS_KEY, takes their place"
        );
    }
    for name in unknown_variables() {
        tracing::warn!(name, "an environment variable of this name is no setting");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(&config));
    if outcome.as_ref().is_err_and(|error| error.is::<Hurried>()) {
        runtime.shutdown_timeout(HURRY_TIME_MAX);
    }
    outcome
}

/// Names of environment variables that look like settings, and are none.
fn unknown_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<_> =
        names.filter(|name| name.starts_with("PRESIGNED_") && name != log::LEVEL_VARIABLE).collect();
    // Most starts have none, and need not build every subcommand to know its variables.
    if !names.is_empty() {
        let command = super::Arguments::command();
        let known: Vec<_> = command.get_subcommands().flat_map(|command| command.get_arguments()).collect();
        names.retain(|name| {
            !known.iter().any(|argument| argument.get_env().is_some_and(|env| env == name.as_str()))
        });
    }
    names
}

/// How long what cannot be cut may go on when the process was told twice to stop.
const HURRY_TIME_MAX: Duration = Duration::from_secs(1);

/// The process was told twice to stop.
#[derive(Debug)]
struct Hurried;

impl fmt::Display for Hurried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("told twice to stop: the requests under way were cut")
    }
}

impl std::error::Error for Hurried {}

async fn serve(config: &Config) -> Result<(), Failure> {
    let (auth, buckets) = (config.auth()?, config.bucket_names()?);
    let (lifecycle_interval, domains) = (config.lifecycle_interval()?, config.domains()?);
    let settings = server::Settings {
        listen: config.listen()?,
        tls: config.tls()?,
        connections_per_address_max: config.connections_per_address_max()?,
    };
    let files = server::Files::allowed();
    let store_settings = store::local::Settings { files_max: files.bodies, ..config.store()? };
    let known = known_users(config)?;
    // What can fail comes first: a start that fails has made nothing on disk, and no keys.
    let server = Server::bind(&settings).await?;
    let store = Store::Local(store::local::Store::open(store_settings)?);
    let (users, origin) = match known {
        Some(known) => known,
        None => {
            let user = credentials::make(&config.directory())?;
            let key = user.keys.first().cloned().ok_or("a key pair was made without a key")?;
            (vec![user], Origin::Made(key))
        }
    };
    let (keyring, users) = keyring(&users);
    let rules = api::Rules {
        keyring,
        users,
        auth,
        policy: Policy::default(),
        domains,
        region: config.region_name().to_owned(),
    };
    let context = api::Context {
        store,
        rules: ArcSwap::from_pointee(rules),
        journal: Arc::default(),
        clock: Clock::System,
        settings: api::Settings { body_stall_max: BODY_STALL_MAX },
        tasks: TaskTracker::new(),
        bucket_rules: api::RulesCache::default(),
        bounds: api::Bounds::default(),
    };
    make_buckets(&context, &buckets).await?;
    let (stop, hurry) = stop_signals()?;
    let urls = server.urls();
    // The sockets are bound, so anyone who reads the file is answered, even before the first accept.
    let ready = config.ready_file.as_deref().map(|path| ReadyFile::write(path, &urls)).transpose()?;
    greet(config, &urls, &origin)?;
    let context = Arc::new(context);
    let metrics_token = config.metrics_token.clone().filter(|token| !token.is_empty()).map(SecretKey::new);
    let handler = Front { context: Arc::clone(&context), admin: admin::Settings { metrics_token } };
    let lifecycles = tokio::spawn(jobs::apply_lifecycles(context, lifecycle_interval));
    let hurried = tokio::select! {
        () = server.serve(Arc::new(handler), files.connections, stop) => false,
        () = hurry.cancelled() => true,
    };
    lifecycles.abort();
    drop(ready);
    // Anyone who asks twice does not want to wait.
    if hurried { Err(Hurried.into()) } else { Ok(()) }
}

async fn make_buckets(context: &api::Context, buckets: &[BucketName]) -> Result<(), Failure> {
    let owner = context.rules.load().users.first().map(|user| user.id.clone()).unwrap_or_default();
    for bucket in buckets {
        match context
            .store
            .create_bucket(NewBucket::new(bucket.clone(), owner.clone()), context.clock.now())
            .await
        {
            Ok(()) | Err(store::Error::BucketExists(_)) => {}
            Err(error) => return Err(format!("cannot make the bucket {bucket}: {error}").into()),
        }
    }
    Ok(())
}

/// Everything that is asked over the network: of the server itself below a path of its own, and of S3.
struct Front {
    context: Arc<api::Context>,
    admin: admin::Settings,
}

impl server::Handler for Front {
    type Body = api::Body;

    async fn handle(&self, request: http::Request<Incoming>, peer: &Peer) -> api::Reply {
        let (head, body) = request.into_parts();
        let scheme = if peer.is_encrypted { Scheme::Https } else { Scheme::Http };
        let arrival = Arrival::of(&head, peer.ip, scheme);
        let is_ours = head.uri.path().starts_with(admin::PREFIX);
        let request = http::Request::from_parts(head, body);
        // In a bucket of its own host name the path is a key like any other.
        let in_bucket = |arrival: &Arrival| self.context.rules.load().domains.names_bucket(arrival.host());
        if is_ours && !arrival.as_ref().is_ok_and(in_bucket) {
            return admin::handle(&self.context, &self.admin, request, peer).await;
        }
        let arrival = match peer.has_slot().await {
            true => arrival,
            false => Err(ErrorCode::SlowDown.error().check(Check::Connections)),
        };
        api::handle(Arc::clone(&self.context), request, arrival, peer).await
    }
}

/// Cancelled when the process is told to stop, and when it is told so again.
fn stop_signals() -> Result<(CancellationToken, CancellationToken), Failure> {
    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signal, stop, hurry) = (signal(kind)?, stop.clone(), hurry.clone());
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                tracing::info!("stopping; requests under way have a moment to end");
                if stop.is_cancelled() {
                    hurry.cancel();
                }
                stop.cancel();
            }
        });
    }
    for (name, kind) in [
        ("SIGHUP", SignalKind::hangup()),
        ("SIGUSR1", SignalKind::user_defined1()),
        ("SIGUSR2", SignalKind::user_defined2()),
    ] {
        ignore(name, signal(kind)?);
    }
    Ok((stop, hurry))
}

/// Takes a signal that would end the process, which anyone who sends it to a server does not mean.
fn ignore(name: &'static str, mut signal: Signal) {
    tokio::spawn(async move {
        while signal.recv().await.is_some() {
            tracing::info!(
                signal = name,
                "nothing is read again while the server runs; the signal is ignored"
            );
        }
    });
}

/// Where the keys came from, which decides what the greeting says of them.
enum Origin {
    Given,
    Kept,
    Made(KeyPair),
}

/// The users that there are: configured ones, else the kept pair.
fn known_users(config: &Config) -> Result<Option<(Vec<User>, Origin)>, Failure> {
    let kept = credentials::kept(&config.directory());
    if !config.users.is_empty() {
        if config.users.iter().all(|user| user.keys.is_empty()) {
            return Err("no user has a key".into());
        }
        let used = |kept: &User| config.users.iter().any(|user| user.keys == kept.keys);
        if kept.is_ok_and(|kept| kept.is_some_and(|kept| !kept.iter().all(used))) {
            let file = credentials::path(&config.directory());
            tracing::warn!(file = %file.display(), "the key pair of this file is not used: others were given");
        }
        return Ok(Some((config.users.clone(), Origin::Given)));
    }
    let Some(kept) = kept? else {
        return Ok(None);
    };
    if kept.iter().all(|user| user.keys.is_empty()) {
        let file = credentials::path(&config.directory());
        return Err(format!("{} holds no key: remove it, and another pair is made", file.display()).into());
    }
    Config { users: kept.clone(), ..Config::default() }.check_users()?;
    Ok(Some((kept, Origin::Kept)))
}

fn keyring(users: &[User]) -> (Keyring, Vec<Arc<auth::User>>) {
    let mut known = Vec::new();
    let mut keys = Vec::new();
    for user in users {
        let display_name = user.display_name.clone().unwrap_or_else(|| user.id.clone());
        let known_user = Arc::new(auth::User { id: user.id.clone(), display_name });
        for key in &user.keys {
            let secret = SecretKey::new(key.secret_key.as_str());
            keys.push(auth::Key::new(key.access_key.as_str(), secret, Arc::clone(&known_user)));
        }
        known.push(known_user);
    }
    (Keyring::new(keys), known)
}

fn greet(config: &Config, urls: &[String], origin: &Origin) -> Result<(), Failure> {
    let directory = config.directory();
    say(&format!(
        "presigned {} serves {} at {}",
        env!("CARGO_PKG_VERSION"),
        directory.display(),
        urls.join(", ")
    ))?;
    if config.listen.iter().any(|address| address.starts_with("0.0.0.0:") || address.starts_with("[::]:")) {
        say(&"and at every other address of this machine: --listen says which")?;
    }
    let url = urls.first().map(String::as_str).unwrap_or_default();
    match origin {
        Origin::Given => Ok(()),
        Origin::Kept => say(&format!("keys: {}", credentials::path(&directory).display())),
        Origin::Made(key) => say(&format!(
            "
A key pair was made and is kept in {file}. To use it, paste:

  unset AWS_SESSION_TOKEN AWS_REGION AWS_ENDPOINT_URL_S3
  export AWS_ACCESS_KEY_ID={access}
  export AWS_SECRET_ACCESS_KEY={secret}
  export AWS_DEFAULT_REGION={region}
  export AWS_ENDPOINT_URL={url}

  aws s3 mb s3://my-bucket
  aws s3 cp README.md s3://my-bucket/
  curl \"$(aws s3 presign s3://my-bucket/README.md)\"
",
            file = credentials::path(&directory).display(),
            access = key.access_key,
            secret = key.secret_key,
            region = config.region_name(),
        )),
    }
}
