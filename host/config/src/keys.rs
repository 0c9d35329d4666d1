//! The table of all configuration keys. A row declares a key once: its name, kind and limits, default,
//! description, whether a change needs a restart, and its old name.
//!
//! The reader, the defaults, the list of keys that need a restart, the tables in
//! `host/docs/configuration.md` and the JSON Schema come from these rows.
//! `host/docs/howto/config-key.md` says how to add one.

pub(crate) mod calls;
pub(crate) mod edge;
pub(crate) mod login;
pub(crate) mod models;
pub(crate) mod providers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::{AddressHeader, ListenAddress, PluginRequirement, StoreKind};
use crate::key::{
    DefaultKey, OptionalKey, RequiredKey, Section, default, optional, required, section,
};
use crate::kinds::{
    Address, Choice, Flag, HostName, Line, List, ListOf, MapOf, Name, Nested, Path, Proxy, Secret,
    Sha256Hex, SocketMode,
};

section! {
    /// The whole file.
    ROOT at "" {
        LISTEN: DefaultKey<Address> = default(
            "listen", Address, |_| local(8317),
            "The address for clients. An address that is not loopback needs `client-keys`, and so does a socket that every \
             user of the machine may write to. The file `PATH.lock` beside a socket stays.",
        ).restart();
        SOCKET_MODE: DefaultKey<SocketMode> = default(
            "socket-mode", SocketMode, |_| SOCKET_MODE_DEFAULT,
            "Who may connect to the socket of `listen`: those who may write to it.",
        ).restart();
        ADMIN: OptionalKey<Nested> = optional(
            "admin", Nested(&admin::SECTION), "no admin API",
            "Without it there is no admin listener.",
        ).restart();
        CLIENT_KEYS: OptionalKey<ListOf> = optional(
            "client-keys", ListOf(&client_key::SECTION), "no key needed",
            "With it, every client sends one of these keys.",
        );
        CORS: OptionalKey<Nested> = optional(
            "cors", Nested(&edge::cors::SECTION), "no browser clients",
            "Pages in a browser may call the endpoints for clients. The admin API never allows it.",
        );
        TRUSTED_PROXIES: DefaultKey<List<Proxy>> = default(
            "trusted-proxies", List(Proxy), |_| Vec::new(),
            "Proxies before this server; `unix`: all who connect by a Unix socket. A client's address is the last one that \
             is not theirs in `client-address-header`. Their connections have a limit of their own.",
        );
        CLIENT_ADDRESS_HEADER: DefaultKey<Choice<AddressHeader>> = default(
            "client-address-header",
            Choice(&[
                ("x-forwarded-for", AddressHeader::XForwardedFor),
                ("forwarded", AddressHeader::Forwarded),
            ]),
            |_| AddressHeader::default(),
            "The header in which `trusted-proxies` name their client: the one that they write. The other one may be the \
             client's own, and is not read.",
        );
        PROXY_PROTOCOL: DefaultKey<Flag> = default(
            "proxy-protocol", Flag, |_| false,
            "`true`: the connections of `trusted-proxies` to `listen` begin with a header of the PROXY protocol, version 1 \
             or 2, and count as connections of the client that it names. Those of others begin with none.",
        );
        ALLOWED_HOSTS: DefaultKey<List<HostName>> = default(
            "allowed-hosts", List(HostName), |_| Vec::new(),
            "Names of this server, besides those of loopback, that clients may have in the header `host`. Without \
             `client-keys` other names are refused: a web page could reach the server by one (DNS rebinding). The \
             admin listener also accepts every IP address.",
        );
        LIMITS: OptionalKey<Nested> = optional(
            "limits", Nested(&edge::limits::SECTION), "the defaults below",
            "Limits of requests.",
        );
        PLUGINS: DefaultKey<Path> = default(
            "plugins", Path, |reader| reader.folder.join("plugins"),
            "The plugin folder. Jackfield creates it and watches it. A file replaces the built-in plugin of \
             the same name.",
        ).restart();
        PLUGINS_REQUIRE: DefaultKey<List<Choice<PluginRequirement>>> = default(
            "plugins-require",
            List(Choice(&[("content-blind", PluginRequirement::ContentBlind)])),
            |_| Vec::new(),
            "What must be true of each plugin, by its imports and exports; others are refused. `content-blind`: it sees \
             neither bodies of clients' requests nor of responses. The built-in executors `openai`, `anthropic` and \
             `gemini` see error responses.",
        ).restart();
        PLUGINS_NOT_REMEMBERED: DefaultKey<List<Name>> = default(
            "plugins-not-remembered", List(Name), |_| Vec::new(),
            "Executors whose plans are not remembered: each request is planned by the plugin.",
        ).restart();
        PLUGINS_PINNED: OptionalKey<MapOf<Sha256Hex>> = optional(
            "plugins-pinned",
            MapOf { values: Sha256Hex, rule: "Mapping from names of plugins to digests." },
            "any file",
            "The one component that each of these plugins may be, by its SHA-256. Another one is refused before it is \
             compiled, a built-in plugin too.",
        ).restart();
        DATA: DefaultKey<Path> = default(
            "data", Path, |reader| reader.folder.join("data"),
            "The folder for the database, the key file and the code cache.",
        ).restart();
        STORE: DefaultKey<Choice<StoreKind>> = default(
            "store", Choice(&[("sqlite", StoreKind::Sqlite), ("none", StoreKind::None)]), |_| StoreKind::Sqlite,
            "`sqlite` stores refreshed tokens, changes by the admin API, and health in `data/jackfield.db`. \
             `none` stores nothing, so a restart loses them.",
        ).restart();
        ENCRYPTION_KEY: OptionalKey<Secret> = optional(
            // As many characters as 128 random bits in hexadecimal.
            "encryption-key", Secret { min: 32, key_file: false }, "key file `data/jackfield.key`",
            "It encrypts the secrets in the database. Without it Jackfield creates the key file at the first \
             start, with mode 600.",
        ).restart();
        CREDENTIAL_FILES: OptionalKey<Path> = optional(
            "credential-files", Path, "no files",
            "The folder of [credential files](#credential-files).",
        ).restart();
        STRICT_FILES: DefaultKey<Flag> = default(
            "strict-files", Flag, |_| false,
            "`true`: files with secrets that every user of the machine can read are refused. `false`: they are a warning. \
             The mode of the file counts, not that of a symbolic link to it.",
        );
        PROVIDERS: RequiredKey<ListOf> = required(
            "providers", ListOf(&providers::provider::SECTION),
            "The upstream APIs.",
        );
        MODELS: OptionalKey<ListOf> = optional(
            "models", ListOf(&models::route::SECTION), "none",
            "Names with rules.",
        );
        FORCE_MODEL_PREFIX: DefaultKey<Flag> = default(
            "force-model-prefix", Flag, |_| false,
            "`true`: a credential with a `prefix` serves its models only under `PREFIX/NAME`. A model whose \
             name equals the prefix keeps its plain name.",
        );
        OAUTH_MODEL_ALIAS: OptionalKey<MapOf<ListOf>> = optional(
            "oauth-model-alias",
            MapOf {
                values: ListOf(&models::channel_alias::SECTION),
                rule: "Mapping from a channel to a list of aliases.",
            },
            "none",
            "They apply to the models of the channel's credentials. Channels: `vertex`, `claude`, `codex`, \
             `gemini-cli`, `aistudio`, `antigravity`, `qwen`, `iflow`. The channel of a credential is the name \
             of its provider. For `vertex`, `claude` and `codex` only credentials of the kind `oauth` count.",
        );
        ROUTING: OptionalKey<Nested> = optional(
            "routing", Nested(&calls::routing::SECTION), "the defaults below",
            "How credentials are selected.",
        );
        RETRY: OptionalKey<Nested> = optional(
            "retry", Nested(&calls::retry::SECTION), "the defaults below",
            "When a failed attempt is followed by another one.",
        );
        TIMEOUTS: OptionalKey<Nested> = optional(
            "timeouts", Nested(&calls::timeouts::SECTION), "the defaults below",
            "How long a call and its parts may take.",
        );
        DISABLE_COOLING: DefaultKey<Flag> = default(
            "disable-cooling", Flag, |_| false,
            "`true`: an outage or a rate limit without a hint of the provider starts no cooldown. A hint of \
             the provider, and errors of authentication, billing, permission or a missing model, still do.",
        );
    }
}

/// The admin listener.
pub(crate) mod admin {
    use super::*;

    section! {
        SECTION at "admin" {
            LISTEN: DefaultKey<Address> = default(
                "listen", Address, |_| local(8318),
                "The address of the admin API. It must differ from the other `listen`.",
            ).restart();
            SOCKET_MODE: DefaultKey<SocketMode> = default(
                "socket-mode", SocketMode, |_| SOCKET_MODE_DEFAULT,
                "Who may connect to the socket of `admin.listen`.",
            ).restart();
            TOKEN: RequiredKey<Secret> = required(
                // As many characters as 64 random bits in hexadecimal.
                "token", Secret { min: 16, key_file: false },
                "Admin requests send it as bearer token.",
            );
        }
    }
}

/// One client.
pub(crate) mod client_key {
    use super::*;

    section! {
        SECTION at "client-keys[]" {
            NAME: RequiredKey<Line> = required(
                "name", Line,
                "Unique. The name of the client in call records.",
            );
            KEY: RequiredKey<Secret> = required(
                "key", Secret { min: 1, key_file: false },
                "Unique. The API key that the client sends.",
            );
        }
    }
}

const fn local(port: u16) -> ListenAddress {
    ListenAddress::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

/// The permission bits of a socket by default: the user of the process alone.
const SOCKET_MODE_DEFAULT: u32 = 0o600;
