//! The `presigned` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    presigned::cli::run()
}
