//! Compares the tables of `README.md` with the code: what is lost between any two dialects, and which
//! members of a client's request are dropped or rejected. With `UPDATE_GOLDENS=1` in the environment the
//! tests write the tables between two dialects: review the difference before you commit it.

mod examples;
mod members;

use jackfield_dialect::traits::Traits;
use std::fmt::Write as _;
use std::fs;

use jackfield_dialect::ir::{Request, TranslationReport, Warning};
use jackfield_dialect::{Dialect, ErrorClass, RequestHead, TranslatedRequest, TranslationInput};

use crate::examples::{EXAMPLES, Example};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// The dialects of conversations.
const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

/// What becomes of something in a provider's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FieldOutcome {
    Carried,
    /// Each with the name that the client is told.
    Warned(Vec<String>),
    Rejected(String),
}

impl FieldOutcome {
    fn from_warnings(warnings: &[Warning]) -> Self {
        let losses = warnings.iter().map(|warning| {
            let verb = warning.what.split(':').next().unwrap_or_default();
            format!("{verb}: `{}`", warning.field)
        });
        let losses: Vec<String> = losses.collect();
        if losses.is_empty() {
            return Self::Carried;
        }
        Self::Warned(losses)
    }

    fn cell(&self) -> String {
        match self {
            Self::Carried => "carried".to_owned(),
            Self::Warned(losses) => losses.join(", "),
            Self::Rejected(field) => format!("rejected: `{field}`"),
        }
    }
}

/// What becomes of a request at a provider.
fn field_outcome(provider: Dialect, request: &Request) -> FieldOutcome {
    let mut report = TranslationReport::default();
    match provider
        .codec()
        .encode_request(request, &Traits::everything(), &mut report)
    {
        Ok(_) => FieldOutcome::from_warnings(report.warnings()),
        Err(error) => FieldOutcome::Rejected(error.field),
    }
}

/// What becomes of it on the way from a client; none if the client's dialect cannot say it.
fn outcome_between(
    client: Dialect,
    provider: Dialect,
    request: &Request,
) -> Outcome<Option<FieldOutcome>> {
    let mut report = TranslationReport::default();
    let body = match client
        .codec()
        .encode_request(request, &Traits::everything(), &mut report)
    {
        Ok(body) if report.warnings().is_empty() => body,
        _ => return Ok(None),
    };
    let head = RequestHead::from_path(&request.model, request.stream)?;
    let source = TranslationInput {
        dialect: client,
        body: &body,
        head: &head,
        model: &request.model,
        traits: &Traits::everything(),
        thinking: None,
        id: "call-1",
        created: 1_780_000_000,
    };
    Ok(Some(
        match TranslatedRequest::translate_content(&source, provider) {
            Ok(translated) => FieldOutcome::from_warnings(&translated.warnings),
            Err(error) => FieldOutcome::Rejected(error.field),
        },
    ))
}

/// The clients that can say it.
fn clients(example: &Example, request: &Request) -> Vec<Dialect> {
    let can_send = |client: &Dialect| match example.clients {
        Some(clients) => clients.contains(client),
        None => field_outcome(*client, request) == FieldOutcome::Carried,
    };
    DIALECTS.into_iter().filter(can_send).collect()
}

fn by_field() -> String {
    let mut table = String::from("| feature | clients that have it |");
    for provider in DIALECTS {
        let _ = write!(table, " to `{provider}` |");
    }
    table += "\n|---|---|---|---|---|---|\n";
    for example in EXAMPLES {
        let request = example.request();
        let clients = clients(example, &request);
        let names: Vec<String> = match clients.len() {
            4 => vec!["all".to_owned()],
            _ => clients.iter().map(|client| format!("`{client}`")).collect(),
        };
        let _ = write!(table, "| {} | {} |", example.name, names.join(", "));
        for provider in DIALECTS {
            let _ = write!(table, " {} |", field_outcome(provider, &request).cell());
        }
        table.push('\n');
    }
    table
}

fn by_pair() -> String {
    let mut table = String::from(
        "| client to provider | dropped or changed, with a warning | rejected |\n|---|---|---|\n",
    );
    for client in DIALECTS {
        for provider in DIALECTS.into_iter().filter(|provider| *provider != client) {
            let (mut warned, mut rejected) = (Vec::new(), Vec::new());
            for example in EXAMPLES {
                let request = example.request();
                let lost_everywhere = || {
                    let mut providers = DIALECTS.into_iter();
                    providers
                        .all(|provider| field_outcome(provider, &request) != FieldOutcome::Carried)
                };
                // What is lost by all is told once, above the table.
                if !clients(example, &request).contains(&client) || lost_everywhere() {
                    continue;
                }
                match field_outcome(provider, &request) {
                    FieldOutcome::Carried => {}
                    FieldOutcome::Warned(_) => warned.push(example.name),
                    FieldOutcome::Rejected(_) => rejected.push(example.name),
                }
            }
            let (warned, rejected) = (warned.join("; "), rejected.join("; "));
            let _ = writeln!(
                table,
                "| `{client}` to `{provider}` | {warned} | {rejected} |"
            );
        }
    }
    table
}

/// The labels of each class of errors.
fn by_error_class() -> String {
    let mut table = String::from("| class |");
    for client in DIALECTS {
        let _ = write!(table, " `{client}` |");
    }
    table += "\n|---|---|---|---|---|\n";
    for class in ErrorClass::ALL {
        let _ = write!(table, "| {} |", class.name());
        for client in DIALECTS {
            let labels = (client.codec().errors().labels)(class);
            let code = labels.codes.first().filter(|_| client != Dialect::Gemini);
            let code = code.map(|code| format!(", `{code}`")).unwrap_or_default();
            let _ = write!(table, " {} `{}`{code} |", labels.status, labels.kind);
        }
        table.push('\n');
    }
    table
}

/// The README with a table between its two marks.
fn with_table(readme: &str, mark: &str, table: &str) -> Outcome<String> {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = readme
        .split_once(&begin)
        .ok_or_else(|| format!("no {begin}"))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| format!("no {end}"))?;
    Ok(format!("{before}{begin}{table}{end}{after}"))
}

#[test]
fn readme_tables_match_translation() -> Outcome<()> {
    let readme = fs::read_to_string(README)?;
    let expected = with_table(&readme, "pairs", &by_pair())?;
    let expected = with_table(&expected, "fields", &by_field())?;
    let expected = with_table(&expected, "errors", &by_error_class())?;
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(README, &expected)?;
    } else {
        assert_eq!(readme, expected, "UPDATE_GOLDENS=1 updates it");
    }
    Ok(())
}

#[test]
fn translation_losses_match_readme_tables() -> Outcome<()> {
    let mut pairs = 0;
    for example in EXAMPLES {
        let request = example.request();
        for client in clients(example, &request) {
            for provider in DIALECTS.into_iter().filter(|provider| *provider != client) {
                // What only answers hold is written there, and read here by another test.
                if let Some(found) = outcome_between(client, provider, &request)? {
                    let expected = field_outcome(provider, &request);
                    assert_eq!(found, expected, "{}: {client} to {provider}", example.name);
                    pairs += 1;
                }
            }
        }
    }
    assert!(pairs > EXAMPLES.len(), "only {pairs} were tried");
    Ok(())
}
