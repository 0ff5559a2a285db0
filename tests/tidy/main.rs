//! Holds the tree to its conventions: layers that only point down, file sizes, module docs, banned words.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and their layers; an import must lead to a lower one, or to the same module.
const LAYERS: [(&str, u8); 13] = [
    ("clock", 0),
    ("metrics", 0),
    ("private", 0),
    ("s3", 1),
    ("auth", 2),
    ("policy", 3),
    ("store", 3),
    ("api", 4),
    ("admin", 5),
    ("server", 6),
    ("config", 7),
    ("cli", 8),
    ("main", 9),
];
const FILE_LINES_MAX: usize = 700;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The module of a file: the first component below `src`.
fn module(path: &Path) -> String {
    let below = path.strip_prefix(root().join("src")).expect("below src");
    let first = below.components().next().expect("a component").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// The crate's modules that a source names: `crate::name` and `crate::{name, ...}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest,
        };
        let many = rest.starts_with('{');
        for name in names.split(',').take(if many { usize::MAX } else { 1 }) {
            let name: String = name
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_' || c.is_ascii_digit())
                .collect();
            found.push(name);
        }
    }
    found
}

#[test]
fn imports_lead_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let from = module(&path);
        if from == "lib" {
            continue;
        }
        let own = layer(&from).unwrap_or_else(|| panic!("{from} has no layer"));
        for to in imports(&text).into_iter().filter(|to| *to != from) {
            match layer(&to) {
                Some(other) if other < own => {}
                // The configuration makes each module's own settings; the command line holds everything.
                _ => wrong.push(format!("{} imports {to}", path.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        if text.lines().count() > FILE_LINES_MAX {
            wrong.push(format!("{} has {} lines", path.display(), text.lines().count()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not begin with //!", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn banned_words_stay_out() {
    // Written in halves, so that this file does not hold them.
    let banned: [(&str, &[&str]); 6] = [
        (concat!("SystemTime::", "now"), &["src/clock.rs"]),
        (concat!("db", "g!("), &[]),
        (concat!("FIX", "ME"), &[]),
        (concat!("to", "do!("), &["src/auth/mod.rs", "src/store/local/blob.rs"]),
        (concat!("print", "ln!("), &["src/cli/mod.rs"]),
        (concat!("#[ign", "ore"), &[]),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        for (word, allowed) in banned {
            if text.contains(word) && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{name} holds {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_is_where_files_are_mapped_and_the_index_is_opened() {
    let word = concat!("unsafe", " {");
    let mut found: Vec<String> = sources("src")
        .into_iter()
        .filter(|(_, text)| text.contains(word))
        .map(|(path, _)| path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, ["src/store/local/blob.rs", "src/store/local/index.rs"]);
}

#[test]
fn the_verifier_stays_alone() {
    // What others embed must not drag in a runtime, sockets or files.
    for (path, text) in sources("src") {
        if ["clock", "s3", "auth"].contains(&module(&path).as_str()) {
            for word in ["tokio", "hyper", "std::fs", "std::net::Tcp"] {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn the_top_level_is_fixed() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "tests",
        "conformance",
        "deploy",
        "README.md",
        "LICENSE",
        "target",
        "data",
    ];
    for entry in fs::read_dir(root()).expect("the root") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()), "{name}");
    }
}
