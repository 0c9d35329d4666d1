//! No two files of a crate import each other, not even by way of others: then each can be read on
//! the ground of those below it. A parent and its child modules may, for Rust is built so.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::source::{self, SourceFile};
use super::tokens::{tokens, without_tests};
use super::{Outcome, report_violations, rust};

/// A module's path below its crate's root.
type Module = Vec<String>;

#[test]
fn files_do_not_import_each_other_in_circles() -> Outcome {
    let files = source::files()?;
    let mut crates: BTreeMap<&str, BTreeMap<Module, &SourceFile>> = BTreeMap::new();
    for file in rust(&files) {
        if let Some((package, below)) = file.path.split_once("/src/")
            && !file.is_test()
        {
            let modules = crates.entry(package).or_default();
            modules.insert(module_of(below), file);
        }
    }
    let mut violations = Vec::new();
    for modules in crates.values() {
        let mut imports = BTreeMap::new();
        for (module, file) in modules {
            let mut found = BTreeSet::new();
            read(without_tests(tokens(file)?), module, modules, &mut found);
            imports.insert(module.clone(), found);
        }
        for (from, to) in circle(imports) {
            let (from, to) = (&modules[&from].path, &modules[&to].path);
            violations.push(format!(
                "{from} imports {to}, which leads back to it: move what both need into a file below"
            ));
        }
    }
    report_violations(violations)
}

fn module_of(below: &str) -> Module {
    let path = below.trim_end_matches(".rs");
    if path == "lib" || path == "main" {
        return Vec::new();
    }
    path.split('/').map(str::to_owned).collect()
}

/// Gathers the files that the paths among these tokens lead to.
fn read(
    tokens: TokenStream,
    module: &[String],
    modules: &BTreeMap<Module, &SourceFile>,
    found: &mut BTreeSet<Module>,
) {
    let mut tokens = tokens.into_iter().peekable();
    let mut inside_path = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if !inside_path => {
                let start = match ident.to_string().as_str() {
                    "crate" => Some(Vec::new()),
                    "super" => module.split_last().map(|(_, parent)| parent.to_vec()),
                    "self" => Some(module.to_vec()),
                    _ => None,
                };
                if let Some(start) = start {
                    let rest: TokenStream = path_behind(&mut tokens);
                    follow(rest, module, &start, modules, found);
                }
                inside_path = false;
            }
            TokenTree::Group(group) => {
                read(group.stream(), module, modules, found);
                inside_path = false;
            }
            TokenTree::Punct(punct) => inside_path = punct.as_char() == ':' && inside_path,
            TokenTree::Ident(_) | TokenTree::Literal(_) => inside_path = false,
        }
    }
}

/// The tokens of a path behind its first segment: names, colons, and the braces of a `use` tree.
fn path_behind(
    tokens: &mut std::iter::Peekable<proc_macro2::token_stream::IntoIter>,
) -> TokenStream {
    let mut path = Vec::new();
    while let Some(token) = tokens.next_if(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == ':',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && ends_with_colon(&path),
        TokenTree::Ident(_) => ends_with_colon(&path),
        TokenTree::Literal(_) => false,
    }) {
        path.push(token);
    }
    path.into_iter().collect()
}

fn ends_with_colon(path: &[TokenTree]) -> bool {
    matches!(path.last(), Some(TokenTree::Punct(_)))
}

/// Follows a path from the module `at`, through each branch of a `use` tree.
fn follow(
    path: TokenStream,
    from: &[String],
    at: &[String],
    modules: &BTreeMap<Module, &SourceFile>,
    found: &mut BTreeSet<Module>,
) {
    let mut at = at.to_vec();
    let start = at.clone();
    let mut arrived = false;
    for token in path {
        match token {
            TokenTree::Ident(ident) => match ident.to_string().as_str() {
                "super" => drop(at.pop()),
                "self" => {}
                name => {
                    let mut deeper = at.clone();
                    deeper.push(name.to_owned());
                    if !arrived && modules.contains_key(&deeper) {
                        at = deeper;
                    } else {
                        arrived = true;
                    }
                }
            },
            TokenTree::Group(group) => follow(group.stream(), from, &at, modules, found),
            // The next branch of a tree begins where the tree does.
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                note(from, &at, found);
                at.clone_from(&start);
                arrived = false;
            }
            TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
    }
    note(from, &at, found);
}

fn note(from: &[String], to: &[String], found: &mut BTreeSet<Module>) {
    if !from.starts_with(to) && !to.starts_with(from) {
        found.insert(to.to_vec());
    }
}

/// The imports that lie on a circle: what is left when files that import nothing more, or that nothing
/// imports any more, are taken away for as long as there are any.
fn circle(mut imports: BTreeMap<Module, BTreeSet<Module>>) -> Vec<(Module, Module)> {
    loop {
        let before: usize = imports.values().map(BTreeSet::len).sum();
        let importing: BTreeSet<Module> = imports
            .iter()
            .filter(|(_, found)| !found.is_empty())
            .map(|(module, _)| module.clone())
            .collect();
        let imported: BTreeSet<Module> = imports.values().flatten().cloned().collect();
        imports.retain(|module, _| imported.contains(module));
        imports
            .values_mut()
            .for_each(|found| found.retain(|to| importing.contains(to)));
        let after: usize = imports.values().map(BTreeSet::len).sum();
        if before == after {
            break;
        }
    }
    let edges = imports.into_iter();
    edges
        .flat_map(|(from, found)| found.into_iter().map(move |to| (from.clone(), to)))
        .collect()
}

#[test]
fn circles_are_found() {
    let module = |name: &str| vec![name.to_owned()];
    let edges = |names: &[(&str, &[&str])]| {
        let entry =
            |(from, to): &(&str, &[&str])| (module(from), to.iter().map(|to| module(to)).collect());
        circle(names.iter().map(entry).collect())
    };
    assert!(edges(&[("a", &["b"]), ("b", &["c"]), ("c", &[])]).is_empty());
    let found = edges(&[("a", &["b"]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &[])]);
    assert_eq!(
        found,
        [(module("b"), module("c")), (module("c"), module("b"))]
    );
}
