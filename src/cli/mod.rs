//! The command line: subcommands, and the only place that prints. Here everything is put together.

mod backup;
mod credentials;
mod export;
mod fsck;
mod healthcheck;
mod import;
mod log;
mod progress;
mod ready;
mod scrub;
mod serve;
mod sign;

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind as ClapError;
use clap::{Parser, Subcommand};

use crate::s3::name::BucketName;

/// A self-hosted S3 endpoint that takes presigned URLs seriously.
#[derive(Debug, Parser)]
#[command(name = "presigned", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a directory
    Serve(Box<serve::Arguments>),
    /// Print a presigned URL
    Sign(Box<sign::Arguments>),
    /// Examine a store that is not being served
    Fsck(fsck::Arguments),
    /// Read every object again and compare it with its checksum, while the store is served or not
    Scrub(scrub::Arguments),
    /// Copy a store, while it is served or not, into a directory that can be served
    Backup(backup::Arguments),
    /// Lay the objects of a bucket out as plain files, while the store is served or not
    Export(export::Arguments),
    /// Take a tree of files into a bucket of a store that is not being served
    Import(import::Arguments),
    /// Ask a server whether it is up; the exit status says so
    Healthcheck(healthcheck::Arguments),
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let outcome = match arguments.command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Sign(arguments) => sign::run(&arguments),
        Command::Fsck(arguments) => fsck::run(&arguments),
        Command::Scrub(arguments) => scrub::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Help goes out as it is, a mistake as one line.
fn refuse(error: &clap::Error) -> ExitCode {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other kind is an error")]
    match error.kind() {
        ClapError::DisplayHelp
        | ClapError::DisplayVersion
        | ClapError::DisplayHelpOnMissingArgumentOrSubcommand => {
            // No one is left to be told that standard output is gone.
            let _ = error.print();
            ExitCode::from(u8::from(error.use_stderr()) * 2)
        }
        _ => {
            let text = error.to_string();
            let line =
                text.lines().next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':');
            // Missing arguments are named on the lines below.
            let names: Vec<&str> =
                text.lines().skip(1).take_while(|line| line.starts_with("  ")).map(str::trim).collect();
            let named = if names.is_empty() { String::new() } else { format!(": {}", names.join(" ")) };
            let tip =
                text.lines().find_map(|line| line.trim().strip_prefix("tip: a similar ")).unwrap_or_default();
            let tip = if tip.is_empty() { String::new() } else { format!("; a similar {tip}") };
            complain(&format!("{line}{named}{tip} (see presigned --help)"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is where the program speaks")]
fn complain(error: &dyn Display) {
    eprintln!("presigned: {error}");
}

/// Prints a line. Anyone who closed standard output does not want to read it; that it is full is an error.
fn say(text: &dyn Display) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// The bucket of an argument.
fn bucket_name(text: &str) -> Result<BucketName, Failure> {
    BucketName::parse(text).ok_or_else(|| format!("invalid bucket name {text:?}").into())
}

/// Why a command failed: one line.
type Failure = Box<dyn std::error::Error>;
