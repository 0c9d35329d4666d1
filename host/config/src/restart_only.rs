//! The values that only a restart can change.

use secrecy::{ExposeSecret, SecretString};

/// The values of all keys that need a restart, as the table of keys marks them. `Debug` shows no value.
#[derive(Clone, Debug, Default)]
pub struct RestartOnly(Vec<(String, SecretString)>);

impl RestartOnly {
    /// Records the effective value of a key, given or by default.
    pub(crate) fn record(&mut self, path: String, value: SecretString) {
        self.0.push((path, value));
    }

    /// Returns the paths of the keys whose value differs in another configuration. A mapping that is
    /// in one of both only is named itself; the keys in it are not.
    pub fn changed_keys<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let mut changed: Vec<&str> = Vec::new();
        for (path, _) in self.0.iter().chain(&other.0) {
            let inside = |outer: &&str| {
                path.strip_prefix(*outer)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if self.get(path) != other.get(path) && !changed.iter().any(inside) {
                changed.push(path);
            }
        }
        changed
    }

    fn get(&self, path: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == path)?;
        Some(value.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, &str)]) -> RestartOnly {
        let values = values.iter();
        RestartOnly(
            values
                .map(|(path, value)| ((*path).to_owned(), (*value).into()))
                .collect(),
        )
    }

    #[test]
    fn reports_each_changed_key() {
        let full = [
            ("listen", "1"),
            ("admin", ""),
            ("admin.listen", "2"),
            ("data", "/a"),
        ];
        assert!(of(&full).changed_keys(&of(&full)).is_empty());
        let cases = [
            ("listen", vec![("listen", "9"), full[1], full[2], full[3]]),
            (
                "admin.listen",
                vec![full[0], full[1], ("admin.listen", "9"), full[3]],
            ),
            ("admin", vec![full[0], full[3]]),
            ("data", full[..3].to_vec()),
        ];
        for (expected, other) in cases {
            assert_eq!(of(&full).changed_keys(&of(&other)), [expected]);
            assert_eq!(of(&other).changed_keys(&of(&full)), [expected]);
        }
    }
}
