//! Reads the file as a whole: the top-level keys, the admin listener, the client keys, the timeouts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jackfield_dispatch::snapshot::{RetryPolicy, Routing, Timeouts};
use jackfield_dispatch::{CLIENT_SHARE_OF_FREE, Fallback, MemoryBudget};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Admin, ClientKey, Config, Limits, ListenAddress, TrustedProxy};
use crate::diagnostics::Position;
use crate::keys::{self, calls, edge};
use crate::mapping::Mapping;
use crate::pinned_plugins::pinned_plugins;
use crate::reader::{Located, Reader, UniqueNames};
use crate::restart_only::RestartOnly;
use crate::routes::KnownModels;
use crate::{models, providers, retry, routes, routing};

/// Reads the whole file. None only after an error.
pub(crate) fn config(reader: &mut Reader<'_>, root: &Located<'_>) -> Option<Config> {
    let mut mapping = Mapping::open(reader, root, &keys::ROOT)?;
    // Whether the key is present, not whether it is valid: one error in it must not cause a second one.
    let open = !mapping.has(&keys::CLIENT_KEYS);
    reader.strict_files = mapping.get(reader, &keys::STRICT_FILES); // First: all secrets follow it.
    let (listen, socket_mode) = listen(reader, &mut mapping, open);
    let admin = mapping.nested(reader, &keys::ADMIN, |reader, located| {
        admin(reader, located, Some(&listen))
    });
    let client_keys = mapping.nested(reader, &keys::CLIENT_KEYS, client_keys);
    let cors_origins = mapping.nested(reader, &keys::CORS, |reader, located| {
        cors_origins(reader, located, open)
    });
    let limits = mapping.nested(reader, &keys::LIMITS, limits);
    let (trusted_proxies, proxy_protocol) = proxies(reader, &mut mapping);
    let before = reader.error_count();
    let credential_files = mapping.get(reader, &keys::CREDENTIAL_FILES);
    let credentials_needed = !mapping.has(&keys::CREDENTIAL_FILES);
    let providers = mapping
        .nested(reader, &keys::PROVIDERS, |reader, located| {
            providers::providers(reader, located, credentials_needed)
        })
        .unwrap_or_default();
    let channel_aliases = mapping
        .nested(reader, &keys::OAUTH_MODEL_ALIAS, models::channel_aliases)
        .unwrap_or_default();
    let known = KnownModels::new(&providers, &channel_aliases, reader.error_count() == before);
    let names = mapping
        .nested(reader, &keys::MODELS, |reader, located| {
            routes::routes(reader, located, &known)
        })
        .unwrap_or_default();
    let routing = routing_with(names.fallbacks, reader, &mut mapping);
    let (retry, timeouts) = limits_of_calls(reader, &mut mapping);
    let config = Config {
        listen,
        socket_mode,
        proxy_protocol,
        admin,
        client_keys: client_keys.unwrap_or_default(),
        cors_origins: cors_origins.unwrap_or_default(),
        allowed_hosts: mapping.get(reader, &keys::ALLOWED_HOSTS),
        trusted_proxies,
        client_address_header: mapping.get(reader, &keys::CLIENT_ADDRESS_HEADER),
        limits: limits.unwrap_or_default(),
        plugins: mapping.get(reader, &keys::PLUGINS),
        plugins_require: mapping.get(reader, &keys::PLUGINS_REQUIRE),
        plugins_not_remembered: mapping.get(reader, &keys::PLUGINS_NOT_REMEMBERED),
        plugins_pinned: mapping
            .nested(reader, &keys::PLUGINS_PINNED, pinned_plugins)
            .unwrap_or_default(),
        data: mapping.get(reader, &keys::DATA),
        credential_files,
        strict_files: reader.strict_files,
        store: mapping.get(reader, &keys::STORE),
        encryption_key: mapping.get(reader, &keys::ENCRYPTION_KEY),
        providers,
        routes: names.routes,
        force_model_prefix: mapping.get(reader, &keys::FORCE_MODEL_PREFIX),
        channel_aliases,
        routing,
        retry,
        timeouts,
        disable_cooling: mapping.get(reader, &keys::DISABLE_COOLING),
        warnings: Vec::new(),
        restart_only: RestartOnly::default(),
    };
    mapping.deny_unknown(reader);
    Some(config)
}

/// Reads when a failed attempt is followed by another one, and how long a call may take.
fn limits_of_calls(reader: &mut Reader<'_>, mapping: &mut Mapping<'_>) -> (RetryPolicy, Timeouts) {
    let retry = mapping.nested(reader, &keys::RETRY, retry::retry);
    let timeouts = mapping.nested(reader, &keys::TIMEOUTS, timeouts);
    (retry.unwrap_or_default(), timeouts.unwrap_or_default())
}

/// Reads only the admin listener.
pub(crate) fn admin_only(reader: &mut Reader<'_>, root: &Located<'_>) -> Option<Option<Admin>> {
    let mut mapping = Mapping::open(reader, root, &keys::ROOT)?;
    let admin = |reader: &mut Reader<'_>, located: &Located<'_>| admin(reader, located, None);
    let admin = mapping.nested(reader, &keys::ADMIN, admin);
    // The other keys are not read, so nothing is known about them.
    let _ = mapping;
    Some(admin)
}

/// Reads how credentials are selected. The fallbacks are those of the named models.
fn routing_with(
    fallbacks: BTreeMap<Arc<str>, Vec<Fallback>>,
    reader: &mut Reader<'_>,
    mapping: &mut Mapping<'_>,
) -> Routing {
    let routing = mapping.nested(reader, &keys::ROUTING, routing::routing);
    Routing {
        fallbacks,
        ..routing.unwrap_or_default()
    }
}

/// Reads where clients connect, and the permission bits of a Unix socket. `open`: there are no client keys.
fn listen(reader: &mut Reader<'_>, mapping: &mut Mapping<'_>, open: bool) -> (ListenAddress, u32) {
    let mode = mapping.get(reader, &keys::SOCKET_MODE);
    let listen = mapping.get_checked(reader, &keys::LISTEN, |reader, located, address| {
        check_listen(reader, located, address, open.then_some(mode));
    });
    (listen, mode)
}

/// Reads the trusted proxies, and whether they name their clients by the PROXY protocol.
fn proxies(reader: &mut Reader<'_>, mapping: &mut Mapping<'_>) -> (Vec<TrustedProxy>, bool) {
    let proxies = mapping.get(reader, &keys::TRUSTED_PROXIES);
    let are_none = proxies.is_empty();
    let check = |reader: &mut Reader<'_>, located: &Located<'_>, expected: &bool| {
        if *expected && are_none {
            let message = "needs `trusted-proxies`: the header of others does not count";
            reader.report(located, message);
        }
    };
    let expected = mapping.get_checked(reader, &keys::PROXY_PROTOCOL, check);
    (proxies, expected)
}

/// Without client keys, everyone who can reach the address can spend the operator's credentials. `open_mode`: there are
/// none, and the permission bits of a Unix socket.
fn check_listen(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    address: &ListenAddress,
    open_mode: Option<u32>,
) {
    let Some(mode) = open_mode else { return };
    let message = match address {
        // `to_canonical`, since `::ffff:127.0.0.1` is loopback, too.
        ListenAddress::Tcp(address) if !address.ip().to_canonical().is_loopback() => format!(
            "{address} is reachable from other machines, and without client keys everyone there can \
             use your credentials: add `client-keys`, or listen on 127.0.0.1:{}",
            address.port()
        ),
        ListenAddress::Unix(_) if mode & OTHERS_WRITE != 0 => format!(
            "every user of this machine may connect with `socket-mode` {mode:03o}, and without client keys use your \
             credentials: add `client-keys`, or use the mode 660"
        ),
        ListenAddress::Tcp(_) | ListenAddress::Unix(_) => return,
    };
    reader.report(located, message);
}

/// The permission bit by which every user may write to a file, and connect to a socket (unix(7)).
const OTHERS_WRITE: u32 = 0o002;

fn admin(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    clients: Option<&ListenAddress>,
) -> Option<Admin> {
    let mut mapping = Mapping::open(reader, located, &keys::admin::SECTION)?;
    let listen = mapping.get_checked(reader, &keys::admin::LISTEN, |reader, located, address| {
        let is_chosen_by_system = matches!(address, ListenAddress::Tcp(tcp) if tcp.port() == 0);
        if clients == Some(address) && !is_chosen_by_system {
            let message = format!("{address} is the address for clients; choose another one");
            reader.report(located, message);
        }
    });
    let socket_mode = mapping.get(reader, &keys::admin::SOCKET_MODE);
    let token = mapping.get(reader, &keys::admin::TOKEN);
    mapping.deny_unknown(reader);
    Some(Admin {
        listen,
        socket_mode,
        token: token?,
    })
}

fn client_keys(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Vec<ClientKey>> {
    let mut names = UniqueNames::default();
    let mut positions: HashMap<String, Position> = HashMap::new();
    reader.list(located, |reader, located| {
        let mut mapping = Mapping::open(reader, located, &keys::client_key::SECTION)?;
        let name = mapping.get_checked(reader, &keys::client_key::NAME, |reader, located, name| {
            names.check(reader, located, name);
        });
        let key = mapping.get_checked(reader, &keys::client_key::KEY, |reader, located, key| {
            check_key(reader, located, key, &mut positions);
        });
        mapping.deny_unknown(reader);
        Some(ClientKey {
            name: name?,
            key: key?,
        })
    })
}

/// Two clients with one key would both be counted as one of them.
fn check_key(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
    key: &SecretString,
    positions: &mut HashMap<String, Position>,
) {
    let text = key.expose_secret().to_owned();
    if let Some(first) = positions.insert(text, located.node.position) {
        let message = format!(
            "is the same key as at line {}; give each its own",
            first.line
        );
        reader.report(located, message);
    }
}

/// `open`: there are no client keys.
fn cors_origins(reader: &mut Reader<'_>, located: &Located<'_>, open: bool) -> Option<Vec<String>> {
    let mut mapping = Mapping::open(reader, located, &edge::cors::SECTION)?;
    let origins = mapping.get_checked(reader, &edge::cors::ORIGINS, |reader, located, origins| {
        if open && origins.iter().any(|origin| origin == "*") {
            let message = "`*` lets every web page that its user opens spend your credentials: add \
                           `client-keys`, or list the origins";
            reader.report(located, message);
        }
    });
    mapping.deny_unknown(reader);
    origins
}

fn limits(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Limits> {
    let mut mapping = Mapping::open(reader, located, &edge::limits::SECTION)?;
    let limits = Limits {
        request_body_bytes_max: mapping.get(reader, &edge::limits::REQUEST_BODY),
        memory_bytes_max: mapping.get(reader, &edge::limits::MEMORY),
    };
    let body_max = limits.request_body_bytes_max;
    if MemoryBudget::largest_body(limits.memory_bytes_max) < body_max {
        let (share, all) = (CLIENT_SHARE_OF_FREE, CLIENT_SHARE_OF_FREE + 1);
        let message = format!(
            "`request-body` must be at most {share} of {all} parts of `memory`, which is what one client may hold: the \
             largest request would never be served"
        );
        reader.report(located, message);
    }
    mapping.deny_unknown(reader);
    Some(limits)
}

fn timeouts(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Timeouts> {
    let mut mapping = Mapping::open(reader, located, &calls::timeouts::SECTION)?;
    let timeouts = Timeouts {
        connect: mapping.get(reader, &calls::timeouts::CONNECT),
        first_byte: mapping.get(reader, &calls::timeouts::FIRST_BYTE),
        per_try: mapping.get(reader, &calls::timeouts::PER_TRY),
        client_head: mapping.get(reader, &calls::timeouts::CLIENT_HEAD),
        client_stall: mapping.get(reader, &calls::timeouts::CLIENT_STALL),
        idle: mapping.get(reader, &calls::timeouts::IDLE),
        total: mapping.get(reader, &calls::timeouts::TOTAL),
        stream: mapping.get(reader, &calls::timeouts::STREAM),
    };
    mapping.deny_unknown(reader);
    Some(timeouts)
}
