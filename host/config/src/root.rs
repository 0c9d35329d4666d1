//! The file as a whole, and its sections but `providers`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Admin, ClientKey, Config, StoreKind, Timeouts};
use crate::diagnostics::Position;
use crate::mapping::{Located, Mapping};
use crate::reader::{Reader, UniqueNames};
use crate::routes::{KnownModels, Routes};
use crate::{models, providers, retry, routes, routing};

/// Reads the whole file. None only after a mistake.
pub(crate) fn config(reader: &mut Reader<'_>, root: &Located<'_>) -> Option<Config> {
    let mut mapping = Mapping::open(reader, root)?;
    let (plugins, data) = (reader.folder.join("plugins"), reader.folder.join("data"));
    let open = !mapping.has("client-keys");
    let listen = mapping.field(reader, "listen", LISTEN, |reader, located| {
        listen(reader, located, open)
    });
    let before = reader.error_count();
    let credential_files = mapping.optional(reader, "credential-files", Reader::path);
    let credentials_needed = !mapping.has("credential-files");
    let providers = mapping
        .required(reader, "providers", |reader, located| {
            providers::providers(reader, located, credentials_needed)
        })
        .unwrap_or_default();
    let channel_aliases = mapping
        .optional(reader, "oauth-model-alias", models::channel_aliases)
        .unwrap_or_default();
    let known = KnownModels::new(&providers, &channel_aliases, reader.error_count() == before);
    let Routes { routes, fallbacks } = mapping
        .optional(reader, "models", |reader, located| {
            routes::routes(reader, located, &known)
        })
        .unwrap_or_default();
    let config = Config {
        listen,
        admin: mapping.optional(reader, "admin", |reader, located| {
            admin(reader, located, Some(listen))
        }),
        client_keys: mapping
            .optional(reader, "client-keys", client_keys)
            .unwrap_or_default(),
        plugins: mapping.field(reader, "plugins", plugins, Reader::path),
        data: mapping.field(reader, "data", data, Reader::path),
        credential_files,
        store: mapping.field(reader, "store", StoreKind::Sqlite, |reader, located| {
            reader.choice(located, &STORES)
        }),
        encryption_key: mapping.optional(reader, "encryption-key", |reader, located| {
            reader.secret_with_min(located, ENCRYPTION_KEY_BYTES_MIN)
        }),
        providers,
        routes,
        fallbacks,
        force_model_prefix: mapping.field(reader, "force-model-prefix", false, Reader::flag),
        channel_aliases,
        routing: mapping
            .optional(reader, "routing", routing::routing)
            .unwrap_or_default(),
        retry: mapping
            .optional(reader, "retry", retry::retry)
            .unwrap_or_default(),
        timeouts: mapping
            .optional(reader, "timeouts", timeouts)
            .unwrap_or_default(),
        disable_cooling: mapping.field(reader, "disable-cooling", false, Reader::flag),
    };
    mapping.deny_unknown(reader);
    Some(config)
}

/// Reads the admin listener, and looks at nothing else.
pub(crate) fn admin_only(reader: &mut Reader<'_>, root: &Located<'_>) -> Option<Option<Admin>> {
    let mut mapping = Mapping::open(reader, root)?;
    let admin = |reader: &mut Reader<'_>, located: &Located<'_>| admin(reader, located, None);
    Some(mapping.optional(reader, "admin", admin))
}

/// Without client keys, whoever reaches the address spends the operator's credentials.
fn listen(reader: &mut Reader<'_>, located: &Located<'_>, open: bool) -> Option<SocketAddr> {
    let address = reader.address(located)?;
    if open && !address.ip().to_canonical().is_loopback() {
        let message = format!(
            "{address} can be reached from beyond this machine, and without client keys anybody \
             could spend your credentials: add `client-keys`, or listen on 127.0.0.1:{}",
            address.port()
        );
        reader.report(located, message);
    }
    Some(address)
}

fn admin(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    clients: Option<SocketAddr>,
) -> Option<Admin> {
    let mut mapping = Mapping::open(reader, located)?;
    let listen = mapping.field(reader, "listen", ADMIN_LISTEN, |reader, located| {
        let address = reader.address(located)?;
        if clients == Some(address) && address.port() != 0 {
            let message = format!("{address} is where clients are served; choose another port");
            reader.report(located, message);
        }
        Some(address)
    });
    let token = mapping.required(reader, "token", |reader, located| {
        reader.secret_with_min(located, ADMIN_TOKEN_BYTES_MIN)
    });
    mapping.deny_unknown(reader);
    Some(Admin {
        listen,
        token: token?,
    })
}

fn client_keys(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Vec<ClientKey>> {
    let mut names = UniqueNames::default();
    let mut keys: HashMap<String, Position> = HashMap::new();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located)?;
        let name = mapping.required(reader, "name", |reader, located| {
            let name = reader.line(located)?;
            names.check(reader, located, &name);
            Some(name)
        });
        let key = mapping.required(reader, "key", |reader, located| {
            let key = reader.secret(located)?;
            check_key(reader, located, &key, &mut keys);
            Some(key)
        });
        mapping.deny_unknown(reader);
        Some(ClientKey {
            name: name?,
            key: key?,
        })
    })
}

/// A key that two clients share would be counted for one of them only.
fn check_key(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    key: &SecretString,
    keys: &mut HashMap<String, Position>,
) {
    match keys.insert(key.expose_secret().to_owned(), located.node.position) {
        None => {}
        Some(first) => {
            let message = format!(
                "is the same key as at line {}; give each its own",
                first.line
            );
            reader.report(located, message);
        }
    }
}

fn timeouts(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Timeouts> {
    let mut mapping = Mapping::open(reader, located)?;
    let default = Timeouts::default();
    let mut timeout = |key, default, most| {
        mapping.field(reader, key, default, |reader, located| {
            reader.duration(located, most)
        })
    };
    let timeouts = Timeouts {
        connect: timeout("connect", default.connect, CONNECT_MAX),
        first_byte: timeout("first-byte", default.first_byte, FIRST_BYTE_MAX),
        idle: timeout("idle", default.idle, IDLE_MAX),
        total: timeout("total", default.total, TOTAL_MAX),
    };
    mapping.deny_unknown(reader);
    Some(timeouts)
}

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8317);
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8318);

const STORES: [(&str, StoreKind); 2] = [("sqlite", StoreKind::Sqlite), ("none", StoreKind::None)];

/// As many characters as 128 random bits in hexadecimal.
const ENCRYPTION_KEY_BYTES_MIN: usize = 32;

/// As many characters as 64 random bits in hexadecimal.
const ADMIN_TOKEN_BYTES_MIN: usize = 16;

/// A host that takes longer is down.
const CONNECT_MAX: Duration = Duration::from_secs(5 * 60);

/// Models that think long send their first byte late, but not later than this.
const FIRST_BYTE_MAX: Duration = Duration::from_secs(60 * 60);

/// As for the first byte.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);

/// No call is served for longer than a day.
const TOTAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
