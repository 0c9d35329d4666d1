//! Secrets: written plainly, or taken from a variable or a file. No message shows a value, nor
//! anything that may be one by a slip of the pen.

use secrecy::{ExposeSecret, SecretString};

use crate::environment::Environment;
use crate::mapping::{Located, join};
use crate::reader::Reader;
use crate::yaml::Value;

impl Reader<'_> {
    /// A secret of at least one byte.
    pub(crate) fn secret(&mut self, located: &Located<'_>) -> Option<SecretString> {
        self.secret_with_min(located, 1)
    }

    /// A secret of at least `least` bytes.
    pub(crate) fn secret_with_min(
        &mut self,
        located: &Located<'_>,
        least: usize,
    ) -> Option<SecretString> {
        let secret = match &located.node.value {
            Value::Scalar { .. } => SecretString::from(self.text(located)?.to_owned()),
            Value::Map(_) | Value::List(_) => self.secret_from(located)?,
        };
        match secret_error(secret.expose_secret(), least) {
            None => Some(secret),
            Some(message) => {
                self.report(located, message);
                None
            }
        }
    }

    /// Keys are not shown either: `{ sk-123 }` is a mapping, too.
    fn secret_from(&mut self, located: &Located<'_>) -> Option<SecretString> {
        let Some(environment) = self.environment else {
            self.report(located, "must be the secret itself");
            return None;
        };
        if let Value::Map(entries) = &located.node.value
            && let [entry] = entries.as_slice()
        {
            let from = Located {
                name: join(&located.name, &entry.key),
                node: &entry.node,
            };
            match entry.key.as_str() {
                "env" => return self.secret_from_variable(&from, environment),
                "file" => return self.secret_from_file(&from, environment),
                _ => {}
            }
        }
        self.report(
            located,
            "must be the secret itself, or {env: NAME}, or {file: PATH}",
        );
        None
    }

    fn secret_from_variable(
        &mut self,
        located: &Located<'_>,
        environment: &dyn Environment,
    ) -> Option<SecretString> {
        let name = self.text(located)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.len() > VARIABLE_BYTES_MAX || !name.bytes().all(legal) {
            self.report(
                located,
                "must be the name of an environment variable: letters, digits, `_`",
            );
            return None;
        }
        let value = environment.var(name);
        if value.is_none() {
            self.report(
                located,
                format!("the environment variable {name} is not set; set it"),
            );
        }
        value.map(SecretString::from)
    }

    fn secret_from_file(
        &mut self,
        located: &Located<'_>,
        environment: &dyn Environment,
    ) -> Option<SecretString> {
        let path = self.path(located)?;
        match environment.file(&path) {
            // Editors and `echo` end a file with a line feed that is no part of the secret.
            Ok(text) => Some(SecretString::from(text.trim_end_matches(['\r', '\n']))),
            Err(error) => {
                self.report(
                    located,
                    format!("the file {} cannot be read: {error}", path.display()),
                );
                None
            }
        }
    }
}

/// What keeps a text from being a secret; secrets travel in HTTP headers.
fn secret_error(secret: &str, least: usize) -> Option<String> {
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
