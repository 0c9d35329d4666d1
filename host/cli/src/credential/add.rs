//! `jackfield credential add`: the options that describe a new credential. Secrets come from a
//! variable, a file or standard input: every user of a machine can read command lines.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use clap::Args;
use jackfield_admin::types::NewCredential;
use jackfield_config::Environment;
use secrecy::SecretString;

/// The options of `add`. `host/docs/configuration.md` describes the same keys under `credentials`.
#[derive(Args)]
pub(super) struct NewCredentialOptions {
    /// Id of the new credential.
    id: String,
    /// Its provider, from the server's configuration.
    #[arg(long)]
    provider: String,
    /// A secret: NAME=env:VARIABLE, NAME=file:PATH, or NAME=- for standard input. Without this option,
    /// `api-key` is read from standard input.
    #[arg(long = "secret", value_name = "NAME=SOURCE")]
    secrets: Vec<String>,
    /// Name for people.
    #[arg(long)]
    label: Option<String>,
    /// `api-key` or `oauth`; by default the names of the secrets decide.
    #[arg(long)]
    kind: Option<String>,
    /// Prefix of its model names.
    #[arg(long)]
    prefix: Option<String>,
    /// Credentials with a higher priority are used first.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// Share among credentials of one priority.
    #[arg(long)]
    weight: Option<u64>,
    /// Limit of attempts in progress.
    #[arg(long)]
    max_in_flight: Option<u64>,
    /// When its token expires, such as 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "TIMESTAMP")]
    expires_at: Option<String>,
    /// Source of its proxy URL: env:VARIABLE, file:PATH or -.
    #[arg(long, value_name = "SOURCE")]
    proxy_url: Option<String>,
    /// Attribute for executors and selectors.
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    attributes: Vec<String>,
    /// Add it disabled.
    #[arg(long)]
    disabled: bool,
}

impl NewCredentialOptions {
    /// Returns the credential that the options describe, with its secrets read from their sources.
    pub(super) fn credential(
        &self,
        environment: &dyn Environment,
        input: impl Read,
    ) -> Result<NewCredential, String> {
        let mut input = Some(input);
        let mut attributes = BTreeMap::new();
        for text in &self.attributes {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                format!("--attribute {text}: must be KEY=VALUE, such as region=eu")
            })?;
            attributes.insert(key.to_owned(), value.to_owned());
        }
        let secrets = self.secrets(environment, &mut input)?;
        let proxy_url = self.proxy_url.as_ref();
        let proxy_url =
            proxy_url.map(|from| read_secret(from, "--proxy-url", environment, &mut input));
        Ok(NewCredential {
            id: self.id.clone(),
            provider: self.provider.clone(),
            label: self.label.clone(),
            kind: self.kind.clone(),
            prefix: self.prefix.clone(),
            priority: self.priority,
            weight: self.weight,
            max_in_flight: self.max_in_flight,
            expires_at: self.expires_at.clone(),
            disabled: self.disabled,
            attributes,
            secrets,
            proxy_url: proxy_url.transpose()?,
        })
    }

    fn secrets<R: Read>(
        &self,
        environment: &dyn Environment,
        input: &mut Option<R>,
    ) -> Result<BTreeMap<String, SecretString>, String> {
        let from_input = ["api-key=-".to_owned()];
        let named = if self.secrets.is_empty() {
            &from_input[..]
        } else {
            &self.secrets
        };
        let mut secrets = BTreeMap::new();
        for text in named {
            // The error does not show the argument: it may be a secret by mistake.
            let (name, from) = text.split_once('=').ok_or(SOURCE_RULE)?;
            let secret = read_secret(from, name, environment, input)?;
            secrets.insert(name.to_owned(), secret);
        }
        Ok(secrets)
    }
}

/// Reads a secret from its source: `env:VARIABLE`, `file:PATH` or `-`. `subject` names the secret in
/// errors.
fn read_secret<R: Read>(
    from: &str,
    subject: &str,
    environment: &dyn Environment,
    input: &mut Option<R>,
) -> Result<SecretString, String> {
    let text = if let Some(name) = from.strip_prefix("env:") {
        let unset = || format!("{subject}: the environment variable {name} is not set; set it");
        environment.var(name).ok_or_else(unset)?
    } else if let Some(path) = from.strip_prefix("file:") {
        let unread = |error| format!("{subject}: the file {path} cannot be read: {error}");
        environment.file(Path::new(path)).map_err(unread)?.text
    } else if from == "-" {
        let input = input.take().ok_or_else(|| {
            format!("{subject}: standard input can hold one secret only; use env: or file:")
        })?;
        let mut text = String::new();
        input
            .take(INPUT_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|error| format!("{subject}: reading standard input: {error}"))?;
        text
    } else {
        return Err(SOURCE_RULE.to_owned());
    };
    // Editors and `echo` end a file with a line feed that is no part of the secret.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{subject}: the secret is empty"));
    }
    Ok(SecretString::from(secret))
}

const SOURCE_RULE: &str = "a secret is never an argument itself; name its source: NAME=env:VARIABLE, NAME=file:PATH, or \
     NAME=- for standard input";

/// Largest secret from standard input, in bytes. The server accepts less and reports the limit.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use jackfield_config::{ProcessEnvironment, credential_entry};

    #[derive(Parser)]
    struct TestArguments {
        #[command(flatten)]
        options: NewCredentialOptions,
    }

    #[test]
    fn server_reads_every_option() -> Result<(), Box<dyn std::error::Error>> {
        let arguments = TestArguments::try_parse_from([
            "add",
            "new",
            "--provider=acme",
            "--label=Of Ada",
            "--kind=oauth",
            "--prefix=team",
            "--priority=-3",
            "--weight=2",
            "--max-in-flight=4",
            "--expires-at=2030-01-31T12:00:00Z",
            "--attribute=region=eu",
            "--secret=access-token=-",
            "--disabled",
        ])?;
        let input = "secret\n".as_bytes();
        let new = arguments.options.credential(&ProcessEnvironment, input)?;
        let body = serde_json::to_value(&new)?;
        let read = credential_entry::parse(&body).map_err(|errors| errors.join("; "))?;
        assert_eq!(read.credential.provider.as_str(), "acme");
        assert_eq!(read.credential.id.as_str(), "new");
        assert_eq!(read.credential.label.as_deref(), Some("Of Ada"));
        assert_eq!(read.credential.prefix.as_deref(), Some("team"));
        assert_eq!(read.credential.priority, -3);
        assert_eq!(read.credential.weight, 2);
        assert!(read.credential.in_flight_max.is_some());
        assert!(read.expires_at.is_some());
        assert_eq!(read.credential.attributes["region"], "eu");
        assert!(!read.credential.enabled);
        Ok(())
    }
}
