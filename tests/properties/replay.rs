//! Every input that is kept for a fuzz target goes through its check.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fuzz;

type Check = fn(&[u8]);

/// The targets of `tests/fuzz`.
const CHECKS: [(&str, Check); 8] = [
    ("chunked", fuzz::chunked::check),
    ("claim", fuzz::claim::check),
    ("lifecycle", fuzz::lifecycle::check),
    ("query", fuzz::query::check),
    ("range", fuzz::range::check),
    ("string_to_sign", fuzz::string_to_sign::check),
    ("uri", fuzz::uri::check),
    ("xml", fuzz::xml::check),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name)
}

/// What is in a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_input_that_is_kept() {
    for (name, check) in CHECKS {
        let inputs = entries(&folder("corpus").join(name));
        assert!(!inputs.is_empty(), "no input is kept for {name}");
        for path in inputs {
            let data = fs::read(&path).expect("an input");
            let passed = std::panic::catch_unwind(|| check(&data));
            assert!(passed.is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn every_target_is_known() {
    for kept in ["corpus", "targets"] {
        let found = entries(&folder(kept));
        let names: Vec<_> = found.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
        assert_eq!(names, CHECKS.map(|(name, _)| name), "{kept}");
    }
}
