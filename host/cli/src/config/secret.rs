//! Secrets: written plainly, or taken from a variable or a file. No message shows a value, nor
//! anything that may be one by a slip of the pen.

use secrecy::{ExposeSecret, SecretString};

use super::environment::Environment;
use super::reader::Reader;
use super::section::{Spot, join};
use super::yaml::Value;

impl Reader<'_> {
    /// A secret of at least one byte.
    pub(super) fn secret(&mut self, spot: &Spot<'_>) -> Option<SecretString> {
        self.secret_of(spot, 1)
    }

    /// A secret of at least `least` bytes.
    pub(super) fn secret_of(&mut self, spot: &Spot<'_>, least: usize) -> Option<SecretString> {
        let secret = match &spot.node.value {
            Value::Scalar { .. } => SecretString::from(self.text(spot)?.to_owned()),
            Value::Map(_) | Value::List(_) => self.secret_from(spot)?,
        };
        match flaw(secret.expose_secret(), least) {
            None => Some(secret),
            Some(what) => {
                self.refuse(spot, what);
                None
            }
        }
    }

    /// Keys are not shown either: `{ sk-123 }` is a mapping, too.
    fn secret_from(&mut self, spot: &Spot<'_>) -> Option<SecretString> {
        let Some(environment) = self.environment else {
            self.refuse(spot, "must be the secret itself");
            return None;
        };
        if let Value::Map(entries) = &spot.node.value
            && let [entry] = entries.as_slice()
        {
            let from = Spot {
                name: join(&spot.name, &entry.key),
                node: &entry.node,
            };
            match entry.key.as_str() {
                "env" => return self.secret_from_variable(&from, environment),
                "file" => return self.secret_from_file(&from, environment),
                _ => {}
            }
        }
        self.refuse(
            spot,
            "must be the secret itself, or {env: NAME}, or {file: PATH}",
        );
        None
    }

    fn secret_from_variable(
        &mut self,
        spot: &Spot<'_>,
        environment: &dyn Environment,
    ) -> Option<SecretString> {
        let name = self.text(spot)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.len() > VARIABLE_BYTES_MAX || !name.bytes().all(legal) {
            self.refuse(
                spot,
                "must be the name of an environment variable: letters, digits, `_`",
            );
            return None;
        }
        let value = environment.var(name);
        if value.is_none() {
            self.refuse(
                spot,
                format!("the environment variable {name} is not set; set it"),
            );
        }
        value.map(SecretString::from)
    }

    fn secret_from_file(
        &mut self,
        spot: &Spot<'_>,
        environment: &dyn Environment,
    ) -> Option<SecretString> {
        let path = self.path(spot)?;
        match environment.file(&path) {
            // Editors and `echo` end a file with a line feed that is no part of the secret.
            Ok(text) => Some(SecretString::from(text.trim_end_matches(['\r', '\n']))),
            Err(error) => {
                self.refuse(
                    spot,
                    format!("the file {} cannot be read: {error}", path.display()),
                );
                None
            }
        }
    }
}

/// What keeps a text from being a secret; secrets travel in HTTP headers.
fn flaw(secret: &str, least: usize) -> Option<String> {
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
    } else if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("the secret holds a space, a line feed or a character beyond ASCII; is it the right one?".to_owned())
    } else {
        None
    }
}

/// Headers of more are refused by common servers; the longest tokens in use are a few KiB.
const SECRET_BYTES_MAX: usize = 8 * 1024;

/// Longer names than anybody sets; a token pasted in the wrong place is longer.
const VARIABLE_BYTES_MAX: usize = 128;
