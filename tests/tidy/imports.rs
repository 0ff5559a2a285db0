//! What a source file imports: every path into the crate that it names, in `use` and elsewhere.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

/// A path from the root of the crate: modules, and perhaps an item and what is in it.
pub type CratePath = Vec<String>;

/// The paths that a source names. `module` is its own; what stands in modules for tests is left out unless `tests`.
pub fn imports(text: &str, module: &[String], tests: bool) -> BTreeSet<CratePath> {
    let file = syn::parse_file(text).expect("a source file");
    let mut named = Named { module: module.to_vec(), tests, found: BTreeSet::new() };
    named.visit_file(&file);
    named.found
}

struct Named {
    module: CratePath,
    tests: bool,
    found: BTreeSet<CratePath>,
}

impl Named {
    /// Adds a path as it is written here, if it leads into the crate.
    fn add(&mut self, written: &[String]) {
        let ups = written.iter().take_while(|name| *name == "super").count();
        let (base, first) = match written.first().map(String::as_str) {
            Some("crate") => (&[][..], 1),
            Some("self") => (&self.module[..], 1),
            Some("super") => {
                (self.module.get(..self.module.len().saturating_sub(ups)).unwrap_or_default(), ups)
            }
            _ => return,
        };
        let rest = written.iter().skip(first);
        self.found.insert(base.iter().chain(rest).cloned().collect());
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Name(name) => self.add(&with(name.ident.to_string())),
            syn::UseTree::Rename(rename) => self.add(&with(rename.ident.to_string())),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
        }
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path: Result<syn::Path, _> = attribute.parse_args();
        attribute.path().is_ident("cfg") && path.is_ok_and(|path| path.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if self.tests || !is_for_tests(&item.attrs) {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    /// How far a name reaches is not what a file needs.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    /// What stands in a macro is not parsed; its paths are looked for in its words.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let words = item.tokens.to_string();
        for (at, _) in words.match_indices("crate ::") {
            let path = words[at..].split(' ').take(7).filter(|word| *word != "::");
            self.add(&path.map(str::to_owned).collect::<Vec<_>>());
        }
    }
}
