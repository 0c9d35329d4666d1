//! A new credential as the command line describes it. Secrets come from a variable, a file or
//! standard input: what stands on a command line, everybody on the machine can read.

use std::io::Read;
use std::path::Path;

use clap::Args;
use jackfield_config::Environment;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// The options that describe it. What each means is in `host/docs/configuration.md`, under
/// `credentials`.
#[derive(Args)]
pub(super) struct NewCredentialOptions {
    /// Its name.
    id: String,
    /// Whose it is: a provider of the server's configuration.
    #[arg(long)]
    provider: String,
    /// A secret: NAME=env:VARIABLE, NAME=file:PATH, or NAME=- for standard input. Without any, the
    /// `api-key` is read from standard input.
    #[arg(long = "secret", value_name = "NAME=SOURCE")]
    secrets: Vec<String>,
    /// What people call it.
    #[arg(long)]
    label: Option<String>,
    /// `api-key` or `oauth`; by its secrets, if it is not said.
    #[arg(long)]
    kind: Option<String>,
    /// What stands before the names of its models.
    #[arg(long)]
    prefix: Option<String>,
    /// Higher ones are used first.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// Its share among equals.
    #[arg(long)]
    weight: Option<u64>,
    /// Attempts that may be under way at once.
    #[arg(long)]
    max_in_flight: Option<u64>,
    /// When its token ends, such as 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "MOMENT")]
    expires_at: Option<String>,
    /// The proxy of its connections, from where secrets come from: env:VARIABLE, file:PATH or -.
    #[arg(long, value_name = "SOURCE")]
    proxy_url: Option<String>,
    /// What executors and selectors may know of it.
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    attributes: Vec<String>,
    /// Leaves it out of use until it is enabled.
    #[arg(long)]
    disabled: bool,
}

impl NewCredentialOptions {
    /// What the admin API is sent.
    pub(super) fn body(
        &self,
        environment: &dyn Environment,
        input: impl Read,
    ) -> Result<Value, String> {
        let mut input = Some(input);
        let mut body = Map::new();
        body.insert("id".to_owned(), json!(self.id));
        body.insert("provider".to_owned(), json!(self.provider));
        let mut put = |key: &str, value: Option<Value>| {
            body.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("label", self.label.as_ref().map(|text| json!(text)));
        put("kind", self.kind.as_ref().map(|text| json!(text)));
        put("prefix", self.prefix.as_ref().map(|text| json!(text)));
        put("priority", self.priority.map(|number| json!(number)));
        put("weight", self.weight.map(|number| json!(number)));
        put(
            "max-in-flight",
            self.max_in_flight.map(|number| json!(number)),
        );
        put(
            "expires-at",
            self.expires_at.as_ref().map(|text| json!(text)),
        );
        put("disabled", self.disabled.then_some(json!(true)));
        put("attributes", self.attributes()?);
        put("secrets", Some(self.secrets(environment, &mut input)?));
        if let Some(from) = &self.proxy_url {
            let url = source(from, "--proxy-url", environment, &mut input)?;
            put("proxy-url", Some(json!(url.expose_secret())));
        }
        Ok(Value::Object(body))
    }

    fn attributes(&self) -> Result<Option<Value>, String> {
        let mut attributes = Map::new();
        for text in &self.attributes {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                format!("--attribute {text}: must be KEY=VALUE, such as region=eu")
            })?;
            attributes.insert(key.to_owned(), json!(value));
        }
        Ok((!attributes.is_empty()).then_some(Value::Object(attributes)))
    }

    fn secrets<R: Read>(
        &self,
        environment: &dyn Environment,
        input: &mut Option<R>,
    ) -> Result<Value, String> {
        let from_input = ["api-key=-".to_owned()];
        let named = if self.secrets.is_empty() {
            &from_input[..]
        } else {
            &self.secrets
        };
        let mut secrets = Map::new();
        for text in named {
            // Not shown: it may hold a secret by a slip.
            let (name, from) = text.split_once('=').ok_or(SOURCE_RULE)?;
            let secret = source(from, name, environment, input)?;
            secrets.insert(name.to_owned(), json!(secret.expose_secret()));
        }
        Ok(Value::Object(secrets))
    }
}

/// What a source holds. Standard input is read once.
fn source<R: Read>(
    from: &str,
    what: &str,
    environment: &dyn Environment,
    input: &mut Option<R>,
) -> Result<SecretString, String> {
    let text = if let Some(name) = from.strip_prefix("env:") {
        let unset = || format!("{what}: the environment variable {name} is not set; set it");
        environment.var(name).ok_or_else(unset)?
    } else if let Some(path) = from.strip_prefix("file:") {
        let unread = |error| format!("{what}: the file {path} cannot be read: {error}");
        environment.file(Path::new(path)).map_err(unread)?
    } else if from == "-" {
        let input = input
            .take()
            .ok_or_else(|| format!("{what}: standard input holds one secret only"))?;
        read(input).map_err(|error| format!("{what}: reading standard input: {error}"))?
    } else {
        return Err(SOURCE_RULE.to_owned());
    };
    // Editors and `echo` end a file with a line feed that is no part of the secret.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{what}: the secret is empty"));
    }
    Ok(SecretString::from(secret))
}

fn read(input: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    input.take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

const SOURCE_RULE: &str = "a secret is named by where it is, never by what it is: NAME=env:VARIABLE, NAME=file:PATH, or \
     NAME=- for standard input";

/// Beyond the longest secret that a server takes, which then says so.
const INPUT_BYTES_MAX: u64 = 64 * 1024;
