//! The parameters of a scheme, each of which is taken once. What is left at the end is unknown.

use crate::error::SigningError;

/// Parameters that were not taken yet.
pub(crate) struct Parameters<'a> {
    scheme: &'static str,
    left: Vec<(&'a str, &'a str)>,
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(scheme: &'static str, parameters: &'a [(String, String)]) -> Self {
        let pair = |(name, value): &'a (String, String)| (name.as_str(), value.as_str());
        Self {
            scheme,
            left: parameters.iter().map(pair).collect(),
        }
    }

    /// Returns the value of a parameter; `None` if it is missing.
    pub(crate) fn optional(&mut self, name: &str) -> Option<&'a str> {
        let at = self.left.iter().position(|(found, _)| *found == name)?;
        Some(self.left.remove(at).1)
    }

    /// Returns the value of a parameter, which must not be empty.
    pub(crate) fn required(&mut self, parameter: &'static str) -> Result<&'a str, SigningError> {
        let value = self.optional(parameter).filter(|value| !value.is_empty());
        value.ok_or(SigningError::MissingParameter {
            scheme: self.scheme,
            parameter,
        })
    }

    /// Returns the value of a parameter that is one of these words, or the first word if it is missing.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        parameter: &'static str,
        words: &[(&str, T)],
        expected: &'static str,
    ) -> Result<T, SigningError> {
        let value = self.optional(parameter);
        let found = match value {
            None => words.first(),
            Some(value) => words.iter().find(|(word, _)| *word == value),
        };
        let found = found.map(|(_, meaning)| *meaning);
        found.ok_or_else(|| self.invalid(parameter, expected))
    }

    /// Returns the name of a header, in lower case; `None` if it is missing.
    pub(crate) fn header_name(
        &mut self,
        parameter: &'static str,
    ) -> Result<Option<String>, SigningError> {
        let Some(name) = self.optional(parameter) else {
            return Ok(None);
        };
        // Token characters of RFC 9110, section 5.6.2, without the rare ones.
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(legal) {
            return Err(self.invalid(parameter, "the name of a header"));
        }
        Ok(Some(name.to_ascii_lowercase()))
    }

    /// Returns the error for an invalid value.
    pub(crate) fn invalid(&self, parameter: &'static str, expected: &'static str) -> SigningError {
        SigningError::InvalidParameter {
            scheme: self.scheme,
            parameter,
            expected,
        }
    }

    /// Checks that every parameter was taken.
    pub(crate) fn finish(self) -> Result<(), SigningError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(SigningError::UnknownParameter {
                scheme: self.scheme,
                parameter: (*name).to_owned(),
            }),
        }
    }
}

/// The two values of a switch, the default first.
pub(crate) const OFF_ON: [(&str, bool); 2] = [("false", false), ("true", true)];

/// As [`OFF_ON`], for a switch that is on by default.
pub(crate) const ON_OFF: [(&str, bool); 2] = [("true", true), ("false", false)];
