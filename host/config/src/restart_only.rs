//! What a configuration says that is settled when the process starts.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, StoreKind};

/// The values that only a restart can change. `Debug` shows no secret.
#[derive(Debug)]
pub struct RestartOnly {
    listen: SocketAddr,
    admin_listen: Option<SocketAddr>,
    plugins: PathBuf,
    data: PathBuf,
    credential_files: Option<PathBuf>,
    store: StoreKind,
    encryption_key: Option<SecretString>,
}

impl RestartOnly {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            listen: config.listen,
            admin_listen: config.admin.as_ref().map(|admin| admin.listen),
            plugins: config.plugins.clone(),
            data: config.data.clone(),
            credential_files: config.credential_files.clone(),
            store: config.store,
            encryption_key: config.encryption_key.clone(),
        }
    }

    /// The keys under which another configuration says something else, in the order of
    /// `host/docs/configuration.md`.
    pub fn changed_keys(&self, other: &Self) -> Vec<&'static str> {
        let exposed = |key: &SecretString| key.expose_secret().to_owned();
        let (key, other_key) = (&self.encryption_key, &other.encryption_key);
        let admin = match (self.admin_listen, other.admin_listen) {
            (Some(one), Some(other)) if one != other => Some("admin.listen"),
            (Some(_), None) | (None, Some(_)) => Some("admin"),
            _ => None,
        };
        let differs = |name, differs: bool| differs.then_some(name);
        let keys = [
            differs("listen", self.listen != other.listen),
            admin,
            differs("plugins", self.plugins != other.plugins),
            differs("data", self.data != other.data),
            differs("store", self.store != other.store),
            differs(
                "encryption-key",
                key.as_ref().map(exposed) != other_key.as_ref().map(exposed),
            ),
            differs(
                "credential-files",
                self.credential_files != other.credential_files,
            ),
        ];
        keys.into_iter().flatten().collect()
    }
}

/// A sentence for a key that only a restart can change.
pub struct RestartRequired(pub &'static str);

impl fmt::Display for RestartRequired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: is not what this process started with; restart to change it",
            self.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RestartOnly {
        RestartOnly {
            listen: ([127, 0, 0, 1], 1).into(),
            admin_listen: Some(([127, 0, 0, 1], 2).into()),
            plugins: "/plugins".into(),
            data: "/data".into(),
            credential_files: None,
            store: StoreKind::Sqlite,
            encryption_key: Some("0123456789abcdef".into()),
        }
    }

    type Change = fn(&mut RestartOnly);

    #[test]
    fn reports_each_changed_key() {
        assert!(sample().changed_keys(&sample()).is_empty());
        let cases: [(&str, Change); 9] = [
            ("listen", |other| other.listen.set_port(3)),
            ("admin", |other| other.admin_listen = None),
            ("admin.listen", |other| {
                other.admin_listen = Some(([127, 0, 0, 1], 3).into());
            }),
            ("plugins", |other| other.plugins = "/other".into()),
            ("data", |other| other.data = "/other".into()),
            ("store", |other| other.store = StoreKind::None),
            ("encryption-key", |other| other.encryption_key = None),
            ("encryption-key", |other| {
                other.encryption_key = Some("fedcba9876543210".into());
            }),
            ("credential-files", |other| {
                other.credential_files = Some("/files".into());
            }),
        ];
        for (name, change) in cases {
            let mut other = sample();
            change(&mut other);
            assert_eq!(sample().changed_keys(&other), [name]);
            assert_eq!(other.changed_keys(&sample()), [name]);
        }
    }

    #[test]
    fn message_names_key_and_restart() {
        let message = RestartRequired("listen").to_string();
        assert!(message.starts_with("listen: ") && message.ends_with("restart to change it"));
    }
}
