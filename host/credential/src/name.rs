//! Names of things: shared text, cheap to clone, never mixed up with one another.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        /// So that maps keyed by this name can be asked with a `&str`.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a credential: unique in the host, stable over restarts, never secret.
    CredentialId
}

name! {
    /// The name of a provider, as the operator configured it.
    ProviderName
}

name! {
    /// The provider's own name of a model, without a suffix. Health is kept by it, so that all the
    /// names a client may use for the model share one.
    ModelKey
}

impl ModelKey {
    /// The key of a model as the provider calls it: a suffix such as `(high)` is cut, since it
    /// changes how much the model thinks, and not who serves it.
    pub fn canonical(model: &str) -> Self {
        Self::from(split_suffix(model).0)
    }
}

/// A model's name and its suffix: `gpt(high)` is `gpt` and `high`. The base is never empty.
pub fn split_suffix(name: &str) -> (&str, Option<&str>) {
    let split = name
        .strip_suffix(')')
        .and_then(|open| open.rsplit_once('('))
        .filter(|(base, _)| !base.is_empty());
    match split {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (name, None),
    }
}
