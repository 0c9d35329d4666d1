//! The file as a whole, and its sections but `providers`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::mistake::Place;
use super::reader::{Names, Reader};
use super::routes::{Known, Routes};
use super::section::{Section, Spot};
use super::{
    Admin, ClientKey, Config, StoreKind, Timeouts, models, providers, retry, routes, routing,
};

/// Reads the whole file. None only after a mistake.
pub(super) fn config(reader: &mut Reader<'_>, root: &Spot<'_>) -> Option<Config> {
    let mut section = Section::open(reader, root)?;
    let (plugins, data) = (reader.folder.join("plugins"), reader.folder.join("data"));
    let open = !section.has("client-keys");
    let listen = section.field(reader, "listen", LISTEN, |reader, spot| {
        listen(reader, spot, open)
    });
    let before = reader.mistakes();
    let credential_files = section.optional(reader, "credential-files", Reader::path);
    let credentials_needed = !section.has("credential-files");
    let providers = section
        .required(reader, "providers", |reader, spot| {
            providers::providers(reader, spot, credentials_needed)
        })
        .unwrap_or_default();
    let channel_aliases = section
        .optional(reader, "oauth-model-alias", models::channel_aliases)
        .unwrap_or_default();
    let known = Known::new(&providers, &channel_aliases, reader.mistakes() == before);
    let Routes { routes, fallbacks } = section
        .optional(reader, "models", |reader, spot| {
            routes::routes(reader, spot, &known)
        })
        .unwrap_or_default();
    let config = Config {
        listen,
        admin: section.optional(reader, "admin", |reader, spot| {
            admin(reader, spot, Some(listen))
        }),
        client_keys: section
            .optional(reader, "client-keys", client_keys)
            .unwrap_or_default(),
        plugins: section.field(reader, "plugins", plugins, Reader::path),
        data: section.field(reader, "data", data, Reader::path),
        credential_files,
        store: section.field(reader, "store", StoreKind::Sqlite, |reader, spot| {
            reader.choice(spot, &STORES)
        }),
        encryption_key: section.optional(reader, "encryption-key", |reader, spot| {
            reader.secret_of(spot, ENCRYPTION_KEY_BYTES_MIN)
        }),
        providers,
        routes,
        fallbacks,
        force_model_prefix: section.field(reader, "force-model-prefix", false, Reader::flag),
        channel_aliases,
        routing: section
            .optional(reader, "routing", routing::routing)
            .unwrap_or_default(),
        retry: section
            .optional(reader, "retry", retry::retry)
            .unwrap_or_default(),
        timeouts: section
            .optional(reader, "timeouts", timeouts)
            .unwrap_or_default(),
        disable_cooling: section.field(reader, "disable-cooling", false, Reader::flag),
    };
    section.end(reader);
    Some(config)
}

/// Reads the admin listener, and looks at nothing else.
pub(super) fn admin_only(reader: &mut Reader<'_>, root: &Spot<'_>) -> Option<Option<Admin>> {
    let mut section = Section::open(reader, root)?;
    let admin = |reader: &mut Reader<'_>, spot: &Spot<'_>| admin(reader, spot, None);
    Some(section.optional(reader, "admin", admin))
}

/// Without client keys, whoever reaches the address spends the operator's credentials.
fn listen(reader: &mut Reader<'_>, spot: &Spot<'_>, open: bool) -> Option<SocketAddr> {
    let address = reader.address(spot)?;
    if open && !address.ip().to_canonical().is_loopback() {
        let what = format!(
            "{address} can be reached from beyond this machine, and without client keys anybody \
             could spend your credentials: add `client-keys`, or listen on 127.0.0.1:{}",
            address.port()
        );
        reader.refuse(spot, what);
    }
    Some(address)
}

fn admin(reader: &mut Reader<'_>, spot: &Spot<'_>, clients: Option<SocketAddr>) -> Option<Admin> {
    let mut section = Section::open(reader, spot)?;
    let listen = section.field(reader, "listen", ADMIN_LISTEN, |reader, spot| {
        let address = reader.address(spot)?;
        if clients == Some(address) && address.port() != 0 {
            let what = format!("{address} is where clients are served; choose another port");
            reader.refuse(spot, what);
        }
        Some(address)
    });
    let token = section.required(reader, "token", |reader, spot| {
        reader.secret_of(spot, ADMIN_TOKEN_BYTES_MIN)
    });
    section.end(reader);
    Some(Admin {
        listen,
        token: token?,
    })
}

fn client_keys(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Vec<ClientKey>> {
    let mut names = Names::default();
    let mut keys: HashMap<String, Place> = HashMap::new();
    reader.list(spot, |reader, spot| {
        let mut section = Section::open(reader, spot)?;
        let name = section.required(reader, "name", |reader, spot| {
            let name = reader.line(spot)?;
            names.check(reader, spot, &name);
            Some(name)
        });
        let key = section.required(reader, "key", |reader, spot| {
            let key = reader.secret(spot)?;
            check_key(reader, spot, &key, &mut keys);
            Some(key)
        });
        section.end(reader);
        Some(ClientKey {
            name: name?,
            key: key?,
        })
    })
}

/// A key that two clients share would be counted for one of them only.
fn check_key(
    reader: &mut Reader<'_>,
    spot: &Spot<'_>,
    key: &SecretString,
    keys: &mut HashMap<String, Place>,
) {
    match keys.insert(key.expose_secret().to_owned(), spot.node.place) {
        None => {}
        Some(first) => {
            let what = format!(
                "is the same key as at line {}; give each its own",
                first.line
            );
            reader.refuse(spot, what);
        }
    }
}

fn timeouts(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Timeouts> {
    let mut section = Section::open(reader, spot)?;
    let default = Timeouts::default();
    let mut timeout = |key, default, most| {
        section.field(reader, key, default, |reader, spot| {
            reader.duration(spot, most)
        })
    };
    let timeouts = Timeouts {
        connect: timeout("connect", default.connect, CONNECT_MAX),
        first_byte: timeout("first-byte", default.first_byte, FIRST_BYTE_MAX),
        idle: timeout("idle", default.idle, IDLE_MAX),
        total: timeout("total", default.total, TOTAL_MAX),
    };
    section.end(reader);
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
