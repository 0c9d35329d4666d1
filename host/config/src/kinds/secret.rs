//! Secrets: given as they are, or taken from an environment variable or a file. No message shows a
//! value, nor anything that may be a value in the wrong place.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};

use crate::environment::Environment;
use crate::key::{Describe, Kind};
use crate::kinds::Path;
use crate::reader::{Located, Reader};
use crate::yaml::Value;

/// A secret of at least `min` bytes.
pub(crate) struct Secret {
    pub(crate) min: usize,
    /// Whether it may be a file of several lines: a key in PEM or the JSON of a service account.
    pub(crate) key_file: bool,
}

impl Describe for Secret {
    fn rule(&self) -> String {
        match self.min {
            1 if self.key_file => "Secret, or a key file.".to_owned(),
            1 => "Secret.".to_owned(),
            min => format!("Secret of at least {min} characters."),
        }
    }

    fn schema(&self) -> Json {
        let from = |source: &str| {
            json!({
                "type": "object",
                "properties": { source: { "type": "string", "minLength": 1 } },
                "required": [source],
                "additionalProperties": false,
            })
        };
        let given = json!({
            "type": ["string", "number"],
            "minLength": self.min,
            "maxLength": SECRET_BYTES_MAX,
        });
        json!({ "anyOf": [given, from("env"), from("file")] })
    }
}

impl Kind for Secret {
    type Value = SecretString;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<SecretString> {
        let secret = match &located.node.value {
            Value::Scalar { .. } => {
                reader.has_plain_secret = true;
                SecretString::from(reader.text(located)?.to_owned())
            }
            Value::Map(_) | Value::List(_) => from_elsewhere(reader, located)?,
        };
        match self.error(secret.expose_secret()) {
            None => Some(secret),
            Some(message) => {
                reader.report(located, message);
                None
            }
        }
    }

    fn text(&self, value: &SecretString) -> String {
        value.expose_secret().to_owned()
    }
}

/// No message shows the keys of the mapping: `{ sk-123 }` is a mapping, too.
fn from_elsewhere(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<SecretString> {
    let Some(environment) = reader.environment else {
        reader.report(located, "must be the secret itself");
        return None;
    };
    if let Value::Map(entries) = &located.node.value
        && let [entry] = entries.as_slice()
    {
        let from = located.member(&entry.key, &entry.node);
        match entry.key.as_str() {
            "env" => return from_variable(reader, &from, environment),
            "file" => return from_file(reader, &from, environment),
            _ => {}
        }
    }
    let message = "must be the secret itself, or {env: NAME}, or {file: PATH}";
    reader.report(located, message);
    None
}

fn from_variable(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    environment: &dyn Environment,
) -> Option<SecretString> {
    let name = reader.text(located)?;
    // The message below shows the name, so a text that may be a secret, such as `sk-123`, is refused here.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.len() > VARIABLE_BYTES_MAX || !name.bytes().all(legal) {
        let message = "must be the name of an environment variable: letters, digits, `_`";
        reader.report(located, message);
        return None;
    }
    let value = environment.var(name);
    if value.is_none() {
        let message = format!("the environment variable {name} is not set; set it");
        reader.report(located, message);
    }
    value.map(SecretString::from)
}

fn from_file(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    environment: &dyn Environment,
) -> Option<SecretString> {
    let path = Path.read(reader, located)?;
    match environment.file(&path) {
        // Editors and `echo` end a file with a line feed that is no part of the secret.
        Ok(file) => {
            if file.is_world_readable {
                let message = format!(
                    "every user of this machine can read {}; run `chmod o-r` on it",
                    path.display()
                );
                reader.world_readable(Some(located.node.position), &located.name, message);
            }
            Some(SecretString::from(file.text.trim_end_matches(['\r', '\n'])))
        }
        Err(error) => {
            let message = format!("the file {} cannot be read: {error}", path.display());
            reader.report(located, message);
            None
        }
    }
}

impl Secret {
    /// Returns why a text is no valid secret. Secrets are sent in HTTP headers, but for key files: those sign.
    fn error(&self, secret: &str) -> Option<String> {
        let least = self.min;
        if secret.is_empty() {
            Some("the secret is empty; give it a value".to_owned())
        } else if secret.len() < least {
            Some(format!(
                "the secret is shorter than {least} bytes; choose a longer one"
            ))
        } else if secret.len() > SECRET_BYTES_MAX {
            Some(format!(
                "the secret is longer than {SECRET_BYTES_MAX} bytes; is it the right one?"
            ))
        } else if self.key_file && is_key_file(secret)
            || secret.bytes().all(|byte| byte.is_ascii_graphic())
        {
            None
        } else {
            Some(
                "the secret has a space, a line feed or a non-ASCII character; is it the right one?"
                    .to_owned(),
            )
        }
    }
}

/// Whether a text is a key in PEM or a JSON object, in ASCII.
fn is_key_file(text: &str) -> bool {
    let begins = ["-----BEGIN ", "{"]
        .iter()
        .any(|begin| text.starts_with(begin));
    begins
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

/// Common servers refuse longer headers. The longest tokens in use are a few KiB.
const SECRET_BYTES_MAX: usize = 8 * 1024;

/// No variable in use has a longer name; a token in the wrong place often is longer.
const VARIABLE_BYTES_MAX: usize = 128;
