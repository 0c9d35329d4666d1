//! One word for one thing: `host/docs/glossary.md` says which, and these rules keep to it.

use std::collections::BTreeMap;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

use super::source::{self, SourceFile};
use super::tokens::{Identifier, identifiers, tokens, without_tests};
use super::{Outcome, report_violations, rust};

#[test]
fn identifiers_use_the_words_of_the_glossary() -> Outcome {
    let files = source::files()?;
    let mut violations = Vec::new();
    for file in rust(&files) {
        let mut found = Vec::new();
        identifiers(tokens(file)?, &mut found);
        violations.extend(found.iter().filter_map(|identifier| {
            let Identifier { name, line } = identifier;
            if FOREIGN.contains(&name.as_str()) {
                return None;
            }
            let (word, instead) = retired(name)?;
            let path = &file.path;
            Some(format!(
                "{path}:{line}: `{name}` holds `{word}`: say {instead}"
            ))
        }));
    }
    report_violations(violations)
}

#[test]
fn file_names_use_the_words_of_the_glossary() -> Outcome {
    let violation = |file: &SourceFile| {
        let stem = Path::new(&file.path).with_extension("");
        let (word, instead) = stem.iter().find_map(|part| retired(part.to_str()?))?;
        Some(format!(
            "{}: its name holds `{word}`: say {instead}",
            file.path
        ))
    };
    report_violations(source::files()?.iter().filter_map(violation))
}

/// Comments, pages and the contract: short sentences with the field's nouns.
#[test]
fn prose_is_plain() -> Outcome {
    let files = source::files()?;
    let mut violations = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.has_extension(&["md", "rs", "wit"]))
    {
        if EXEMPT_FROM_PROSE.contains(&file.path.as_str()) {
            continue;
        }
        let is_page = file.has_extension(&["md"]);
        for (index, line) in file.text.lines().enumerate() {
            let text = if is_page {
                Some(line)
            } else {
                line.split_once("//").map(|(_, text)| text)
            };
            let text = text.unwrap_or_default().to_lowercase();
            let found = UNCLEAR.iter().find(|phrase| holds(&text, phrase));
            violations.extend(found.map(|phrase| {
                format!(
                    "{}:{}: `{phrase}`: name the party or the action",
                    file.path,
                    index + 1
                )
            }));
        }
    }
    report_violations(violations)
}

/// Whether a text holds a phrase as whole words.
fn holds(text: &str, phrase: &str) -> bool {
    let is_edge = |character: Option<char>| character.is_none_or(|found| !found.is_alphanumeric());
    text.match_indices(phrase).any(|(start, _)| {
        let before = text
            .get(..start)
            .and_then(|before| before.chars().next_back());
        let after = text
            .get(start + phrase.len()..)
            .and_then(|after| after.chars().next());
        is_edge(before) && is_edge(after)
    })
}

/// A reader who meets a name for the second time expects the same thing.
#[test]
fn type_names_are_unique_in_a_crate() -> Outcome {
    let files = source::files()?;
    let mut places: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for file in rust(&files) {
        let Some(root) = compiled_crate(&file.path) else {
            continue;
        };
        // Unit tests may have a type of the same name each, such as the result of a test.
        if file.is_test() && file.path.contains("/src/") {
            continue;
        }
        for Identifier { name, line } in types(without_tests(tokens(file)?)) {
            let place = format!("{}:{line}", file.path);
            places.entry((root.clone(), name)).or_default().push(place);
        }
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    report_violations(twice.map(|((_, name), places)| {
        let others = places.join(", ");
        format!("`{name}` is defined at {others}: give each its own name, or share one")
    }))
}

/// The first retired word that a name holds, and what to say instead.
fn retired(name: &str) -> Option<(&'static str, &'static str)> {
    let words = words(name);
    let entry = RETIRED
        .iter()
        .find(|(word, _)| words.iter().any(|part| part == word))?;
    Some(*entry)
}

/// The words of a name, in lower case: `told_of`, `ToldOf`, `TOLD_OF` and `told-of` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    for character in name.chars() {
        let begins = character.is_uppercase() && previous.is_lowercase();
        if begins || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && character.is_alphanumeric()
        {
            word.extend(character.to_lowercase());
        }
        previous = character;
    }
    words
}

/// The types that a file defines outside of functions and `impl` blocks.
fn types(tokens: TokenStream) -> Vec<Identifier> {
    let mut found = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut in_module = false;
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Ident(ident) => {
                let keyword = ident.to_string();
                in_module = keyword == "mod" || (in_module && keyword != "fn" && keyword != "impl");
                let defines = ["enum", "struct", "trait", "type", "union"].contains(&&*keyword);
                if let Some(TokenTree::Ident(name)) = tokens.peek()
                    && defines
                {
                    found.push(Identifier {
                        name: name.to_string(),
                        line: name.span().start().line,
                    });
                }
            }
            TokenTree::Group(group) if in_module => found.extend(types(group.stream())),
            TokenTree::Group(_) | TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
    }
    found
}

/// What rustc compiles a file with: the folder of a library or a binary, or one file of tests or
/// examples and the folder beside it.
fn compiled_crate(path: &str) -> Option<String> {
    if let Some((package, _)) = path.split_once("/src/") {
        return Some(package.to_owned());
    }
    let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let index = parts
        .iter()
        .rposition(|part| ["tests", "bench", "rust", "fuzz_targets"].contains(part))?;
    let root = parts.get(..=index + 1)?.join("/");
    // Each bench takes what it needs from the files beside it.
    (!root.starts_with("tests/bench/")).then_some(root)
}

/// Words of our own that stood where the field has a term, and the terms.
const RETIRED: [(&str, &str); 55] = [
    ("anew", "again, or name the action"),
    ("anybody", "any client, or name the party"),
    ("answer", "response"),
    ("answered", "responded, or completed"),
    ("answering", "responding"),
    ("answers", "responses"),
    ("ask", "request, query or call"),
    ("asked", "requested"),
    ("asking", "requesting"),
    ("asks", "requests"),
    ("broke", "error"),
    ("broken", "interrupted, or invalid"),
    ("came", "arrived, or the chunk or event that did"),
    ("course", "context"),
    ("everybody", "all clients, or name the party"),
    ("fits", "is available, or matches"),
    ("guided", "plugin"),
    ("heard", "subscribed"),
    ("hears", "subscribes"),
    ("interlingua", "ir"),
    ("kept", "stored, saved or retained"),
    ("made", "created or built"),
    ("maker", "factory"),
    ("missed", "error, or skipped"),
    ("nobody", "none, or name the party"),
    ("nonsense", "invalid output"),
    ("notfit", "unavailable"),
    ("observed", "event class"),
    ("owed", "expected"),
    ("owes", "expects"),
    ("parted", "retired"),
    ("parting", "retiring"),
    ("people", "clients or operators"),
    ("picture", "image"),
    ("pictures", "images"),
    ("practice", "mock"),
    ("rejoin", "revive"),
    ("renewed", "refreshed"),
    ("renews", "refreshes"),
    ("retold", "transcoded"),
    ("room", "capacity, or queue"),
    ("said", "reported, or the text"),
    ("say", "report, or the text"),
    ("says", "reports"),
    ("somebody", "a client, or name the party"),
    ("tell", "report, send or notify"),
    ("tells", "reports, sends or notifies"),
    ("thought", "reasoning"),
    ("thoughts", "reasoning"),
    ("told", "reported, sent or requested"),
    ("unfit", "unavailable"),
    ("unsaid", "lost"),
    ("untold", "incompatible, or pending"),
    ("whoever", "the party that"),
    ("wishes", "directives"),
];

/// Phrases that make a reader search for the subject.
const UNCLEAR: [&str; 12] = [
    "anew",
    "anybody",
    "everybody",
    "goes by",
    "is none of",
    "is owed",
    "made no sense",
    "makes no sense",
    "nobody",
    "of no use",
    "somebody",
    "whoever",
];

/// The table of retired words, and this rule.
const EXEMPT_FROM_PROSE: [&str; 2] = ["host/docs/glossary.md", "tests/tidy/words.rs"];

/// Names that are not ours: of the standard library, of other crates, of the plugin contract and of
/// the providers' APIs.
const FOREIGN: [&str; 3] = [
    "BrokenPipe",
    // A member of Gemini's usage.
    "thoughts_token_count",
    // A member of the contract's `refusal`, `jackfield:plugin@0.1`.
    "answer",
];

#[test]
fn names_are_split_into_words() {
    assert_eq!(words("told_of"), ["told", "of"]);
    assert_eq!(words("ToldOf"), ["told", "of"]);
    assert_eq!(words("TOLD_OF"), ["told", "of"]);
    assert_eq!(words("told-of"), ["told", "of"]);
    assert_eq!(
        retired("retold_stream").map(|(word, _)| word),
        Some("retold")
    );
    assert_eq!(retired("renewable_threshold"), None);
}
