//! Holds the tree to its conventions: imports that only lead down, files without circles, sizes, faces, banned words.

#![expect(
    unreachable_pub,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    reason = "a test has no face, and fails by panicking"
)]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{CratePath, imports};

/// The modules, lowest first, and which others each may import: an edge that is not here is a decision to be made.
const EDGES: [(&str, &[&str]); 16] = [
    ("clock", &[]),
    ("mapped", &[]),
    ("metrics", &[]),
    ("peer", &[]),
    ("private", &[]),
    ("size", &[]),
    ("s3", &["clock"]),
    ("auth", &["clock", "s3", "size"]),
    ("policy", &["auth", "clock", "s3"]),
    ("store", &["auth", "clock", "mapped", "metrics", "private", "s3", "size"]),
    ("api", &["auth", "clock", "metrics", "peer", "policy", "s3", "size", "store"]),
    ("jobs", &["api", "clock", "s3", "store"]),
    ("admin", &["api", "auth", "metrics", "peer", "store"]),
    ("server", &["mapped", "peer", "size"]),
    ("config", &["auth", "s3", "server", "store"]),
    (
        "cli",
        &[
            "admin", "api", "auth", "clock", "config", "jobs", "peer", "policy", "private", "s3", "server",
            "store",
        ],
    ),
];
const FILE_LINES_MAX: usize = 500;

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

/// The modules of a file: `store`, `local`, `blob`.
fn module_path(path: &Path) -> CratePath {
    let below = path.strip_prefix(root().join("src")).expect("below src").with_extension("");
    let mut names: CratePath = below.components().map(|it| it.as_os_str().to_string_lossy().into()).collect();
    if names.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
        names.pop();
    }
    names
}

#[test]
fn imports_lead_down() {
    let mut wrong = Vec::new();
    for (at, (name, below)) in EDGES.iter().enumerate() {
        let lower: Vec<_> = EDGES[..at].iter().map(|(name, _)| *name).collect();
        wrong.extend(below.iter().filter(|to| !lower.contains(to)).map(|to| format!("{name} is below {to}")));
    }
    let mut used = BTreeSet::new();
    for (path, text) in sources("src") {
        let module = module_path(&path);
        // The two roots hold everything.
        let Some(from) = module.first() else {
            continue;
        };
        let (_, below) = EDGES.iter().find(|(name, _)| name == from).expect("a module that is listed");
        for to in imports(&text, &module, true).iter().filter_map(|import| import.first()) {
            let is_module = EDGES.iter().any(|(name, _)| name == to);
            if is_module && to != from && !below.contains(&to.as_str()) {
                wrong.push(format!("{} imports {to}", path.display()));
            }
            used.insert((from.clone(), to.clone()));
        }
    }
    for (from, below) in EDGES {
        let unused = below.iter().filter(|to| !used.contains(&(from.to_owned(), (**to).to_owned())));
        wrong.extend(unused.map(|to| format!("{from} no longer imports {to}: strike it out")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Which files each file imports from. A `mod.rs` holds what is below it together, so that its own imports from there do
/// not count.
fn file_edges() -> BTreeMap<CratePath, BTreeSet<CratePath>> {
    let files: Vec<_> = sources("src")
        .into_iter()
        .map(|(path, text)| (module_path(&path), text))
        .filter(|(module, _)| !module.iter().any(|name| name == "tests" || name == "suite"))
        .collect();
    let names: BTreeSet<CratePath> = files.iter().map(|(module, _)| module.clone()).collect();
    let file_of = |import: &CratePath| {
        let mut prefixes =
            (1..=import.len()).rev().map(|length| import.iter().take(length).cloned().collect());
        prefixes.find(|prefix: &CratePath| names.contains(prefix))
    };
    let mut edges = BTreeMap::new();
    for (module, text) in &files {
        let to: BTreeSet<_> = imports(text, module, false).iter().filter_map(file_of).collect();
        edges.insert(module.clone(), to.into_iter().filter(|to| !to.starts_with(module)).collect());
    }
    edges
}

#[test]
fn files_have_no_circles() {
    let mut edges = file_edges();
    // Files that import from none that is left cannot be part of one.
    loop {
        let left: BTreeSet<CratePath> = edges.keys().cloned().collect();
        for to in edges.values_mut() {
            to.retain(|to| left.contains(to));
        }
        let before = edges.len();
        edges.retain(|_, to| !to.is_empty());
        if edges.len() == before {
            break;
        }
    }
    let show = |module: &CratePath| module.join("/");
    let circles: Vec<_> = edges
        .iter()
        .map(|(from, to)| format!("{} -> {}", show(from), to.iter().map(show).collect::<Vec<_>>().join(", ")))
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The families of `api` that answer requests.
const HANDLERS: [&str; 6] = ["bucket", "list", "multipart", "object", "preflight", "service"];
/// Most floors of `api`: files that each stand on the next.
const API_FLOORS_MAX: usize = 8;

fn is_handler(module: &CratePath) -> bool {
    module.first().is_some_and(|first| first == "api")
        && module.get(1).is_some_and(|family| HANDLERS.contains(&family.as_str()))
}

#[test]
fn no_handler_imports_a_handler() {
    let mut wrong = Vec::new();
    for (from, to) in file_edges().iter().filter(|(from, _)| is_handler(from)) {
        wrong.extend(to.iter().filter(|to| is_handler(to)).map(|to| format!("{from:?} imports {to:?}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_api_is_not_high() {
    let edges = file_edges();
    fn floors(edges: &BTreeMap<CratePath, BTreeSet<CratePath>>, file: &CratePath) -> usize {
        let below = edges.get(file).into_iter().flatten().filter(|to| to.len() > 1 && to[0] == "api");
        1 + below.map(|to| floors(edges, to)).max().unwrap_or(0)
    }
    // What holds everything stands on its handlers.
    let highest = edges.keys().filter(|file| is_handler(file)).map(|file| floors(&edges, file)).max();
    let highest = highest.expect("handlers") + 1;
    assert!(highest <= API_FLOORS_MAX, "{highest} floors");
}

/// Most names at the face of a module: what it declares and lends from below. None may grow.
const FACES: [(&str, usize); 13] = [
    ("admin", 4),
    ("api", 15),
    ("auth", 26),
    ("cli", 1),
    ("clock", 3),
    ("config", 12),
    ("jobs", 1),
    ("mapped", 2),
    ("metrics", 3),
    ("policy", 8),
    ("server", 7),
    ("store", 20),
    ("store/local", 5),
];

/// The public names that a module declares, or lends from below.
fn face(text: &str) -> Vec<String> {
    fn lent(tree: &syn::UseTree, names: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => lent(&path.tree, names),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| lent(tree, names)),
            syn::UseTree::Name(name) => names.push(name.ident.to_string()),
            syn::UseTree::Rename(rename) => names.push(rename.rename.to_string()),
            // Nobody can say how many these are.
            syn::UseTree::Glob(_) => names.extend((0..100).map(|_| "*".to_owned())),
        }
    }
    let mut names = Vec::new();
    for item in syn::parse_file(text).expect("a source file").items {
        let (visibility, name) = match &item {
            syn::Item::Const(item) => (&item.vis, &item.ident),
            syn::Item::Enum(item) => (&item.vis, &item.ident),
            syn::Item::Fn(item) => (&item.vis, &item.sig.ident),
            syn::Item::Mod(item) => (&item.vis, &item.ident),
            syn::Item::Static(item) => (&item.vis, &item.ident),
            syn::Item::Struct(item) => (&item.vis, &item.ident),
            syn::Item::Trait(item) => (&item.vis, &item.ident),
            syn::Item::Type(item) => (&item.vis, &item.ident),
            syn::Item::Use(item) if matches!(item.vis, syn::Visibility::Public(_)) => {
                lent(&item.tree, &mut names);
                continue;
            }
            _ => continue,
        };
        if matches!(visibility, syn::Visibility::Public(_)) {
            names.push(name.to_string());
        }
    }
    names
}

#[test]
fn faces_do_not_grow() {
    let mut wrong = Vec::new();
    for (module, names_max) in FACES {
        let is_it = |path: &PathBuf| module_path(path).join("/") == module;
        let (_, text) = sources("src").into_iter().find(|(path, _)| is_it(path)).expect("a module");
        let names = face(&text);
        if names.len() > names_max {
            wrong.push(format!("{module} shows {}: {}", names.len(), names.join(", ")));
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
        (concat!("to", "do!("), &["src/auth/mod.rs"]),
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
    assert_eq!(found, ["src/mapped.rs", "src/store/local/index/tables.rs"]);
}

#[test]
fn the_verifier_stays_alone() {
    // What others embed must not drag in a runtime, sockets or files.
    for (path, text) in sources("src") {
        if ["clock", "s3", "auth"].contains(&module_path(&path).first().map_or("", String::as_str)) {
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
