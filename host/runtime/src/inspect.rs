//! Checks the imports and exports of a component before it is used. Every error names the import or
//! export, and says what to change.

use jackfield_dispatch::Sees;
use semver::Version;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// The version of `wit/` that this host implements.
pub const CONTRACT_VERSION: Version = Version::new(0, 2, 0);

/// The older version that this host also runs, through an adapter.
const ADAPTED_VERSION: Version = Version::new(0, 1, 0);

/// A version of the contract for which the host has code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContractVersion {
    /// [`ADAPTED_VERSION`].
    V0_1,
    /// [`CONTRACT_VERSION`].
    V0_2,
}

/// What the host learns of a component before it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inspection {
    /// By its exports.
    pub(crate) kind: PluginKind,
    /// By its exports.
    pub(crate) version: ContractVersion,
    /// By its imports and exports.
    pub(crate) sees: Sees,
    /// Whether it imports sockets. They are offered, and calls of them trap.
    pub(crate) imports_sockets: bool,
}

/// The kind of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PluginKind {
    /// Plans requests to a provider.
    Executor,
    /// Chooses a credential.
    Selector,
}

impl PluginKind {
    /// The word for it in logs and in the admin API.
    pub fn label(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Selector => "selector",
        }
    }
}

/// Why a file is not a plugin for this host.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file is not WebAssembly.
    #[error("it is not a WebAssembly file; build a component for the target wasm32-wasip2")]
    NotWasm,
    /// The file is a core module.
    #[error(
        "it is a core module, not a component; build for wasm32-wasip2, or run `wasm-tools component new` on it"
    )]
    CoreModule,
    /// It imports something that this host does not offer.
    #[error(
        "it imports `{0}`, which this host does not offer; wit/README.md lists the ones that it offers"
    )]
    UnknownImport(String),
    /// It was built against a newer contract.
    #[error(
        "it needs `{name}`, but this host has version {CONTRACT_VERSION} of jackfield:plugin; update the host, or build the plugin against this host's wit/"
    )]
    NewerContract {
        /// The import or export.
        name: String,
    },
    /// It was built against an older contract, which this host does not support.
    #[error(
        "it needs `{name}`, but this host has version {CONTRACT_VERSION} of jackfield:plugin; build the plugin against this host's wit/"
    )]
    OlderContract {
        /// The import or export.
        name: String,
    },
    /// It exports no interface of the contract.
    #[error(
        "it exports neither jackfield:plugin/planner nor jackfield:plugin/selector, but {exports}; export one of the two"
    )]
    NoPluginExport {
        /// Its exports.
        exports: String,
    },
    /// It exports both interfaces of the contract.
    #[error("it exports both an executor and a selector; split it into two plugins")]
    BothKinds,
}

/// Checks that a file begins like a component.
///
/// # Errors
/// When it begins like a core module, or is not WebAssembly.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), InspectError> {
    // Bytes 4 and 5 are the version, which the compiler checks. Bytes 6 and 7 are the layer: 1 for a
    // component, 0 for a core module.
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', ..]) => Err(InspectError::CoreModule),
        _ => Err(InspectError::NotWasm),
    }
}

/// Checks every import, and returns what the imports and the exports say.
///
/// # Errors
/// When this host does not offer an import, when the contract's version differs, or when the component
/// does not export exactly one of an executor and a selector.
pub(crate) fn inspect(
    engine: &wasmtime::Engine,
    component: &Component,
) -> Result<Inspection, InspectError> {
    let ty = component.component_type();
    for (name, _) in ty.imports(engine) {
        check_import(name)?;
    }
    let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    let own = |name: &&&str| interface(name).starts_with(OWN_PACKAGE);
    exports
        .iter()
        .filter(own)
        .try_for_each(|name| check_version(name))?;
    let has = |wanted: &str| exports.iter().any(|name| is_interface(name, wanted));
    let (kind, version) = match (
        (has("planner"), has("executor")),
        exports.iter().find(|name| is_interface(name, "selector")),
    ) {
        ((true, _), None) => (PluginKind::Executor, ContractVersion::V0_2),
        ((false, true), None) => (PluginKind::Executor, ContractVersion::V0_1),
        ((false, false), Some(selector)) => (PluginKind::Selector, contract_version(selector)),
        (_, Some(_)) => return Err(InspectError::BothKinds),
        ((false, false), None) => {
            return Err(InspectError::NoPluginExport {
                exports: format_list(&exports),
            });
        }
    };
    let component_type = component.component_type();
    let mut imports = component_type.imports(engine);
    Ok(Inspection {
        kind,
        version,
        sees: sees(engine, component, kind, version, has),
        imports_sockets: imports.any(|(name, _)| is_of_sockets(name)),
    })
}

/// What a component can see: by the functions that it imports, and by its exports, through which responses
/// reach it.
fn sees(
    engine: &wasmtime::Engine,
    component: &Component,
    kind: PluginKind,
    version: ContractVersion,
    exports: impl Fn(&str) -> bool,
) -> Sees {
    let ty = component.component_type();
    let imports = |wanted: &str, functions: &[&str]| {
        ty.imports(engine).any(|(name, item)| match item.ty {
            ComponentItem::ComponentInstance(instance) if is_interface(name, wanted) => instance
                .exports(engine)
                .any(|(function, _)| functions.contains(&function)),
            _ => false,
        })
    };
    // Version 0.1 passes the headers in, and its export always has `judge` and `reply`.
    let is_old_executor = (kind, version) == (PluginKind::Executor, ContractVersion::V0_1);
    Sees {
        client_headers: is_old_executor || imports("client", &["header"]),
        // Selectors get a hash of the session.
        client_identity: kind == PluginKind::Selector || imports("client", &["member", "session"]),
        body: imports("client-body", &["read", "text", "at"])
            || ty
                .imports(engine)
                .any(|(name, _)| is_interface(name, "conversation")),
        error_bodies: is_old_executor || exports("judge"),
        responses: is_old_executor || exports("reply") || exports("typed-reply"),
        log: imports("log", &["write"]),
    }
}

fn contract_version(name: &str) -> ContractVersion {
    match version(name) {
        Some(found) if found.minor == ADAPTED_VERSION.minor => ContractVersion::V0_1,
        _ => ContractVersion::V0_2,
    }
}

/// Whether an import or export is this interface of the contract, in any version.
fn is_interface(name: &str, wanted: &str) -> bool {
    interface(name).strip_prefix(OWN_PACKAGE) == Some(wanted)
}

fn check_import(name: &str) -> Result<(), InspectError> {
    let offered = if let Some(own) = interface(name).strip_prefix(OWN_PACKAGE) {
        check_version(name)?;
        match contract_version(name) {
            ContractVersion::V0_1 => HOST_INTERFACES_0_1.contains(&own),
            ContractVersion::V0_2 => HOST_INTERFACES.contains(&own),
        }
    } else {
        (WASI_INTERFACES.contains(&interface(name)) || is_of_sockets(name))
            && version(name).is_none_or(|v| v.major == 0 && v.minor == 2)
    };
    if offered {
        Ok(())
    } else {
        Err(InspectError::UnknownImport(name.to_owned()))
    }
}

/// Whether an import is of WASI's sockets. Language runtimes import them for standard libraries that a plugin does not
/// use; a Python component without them loses the texts of exceptions.
pub(crate) fn is_of_sockets(name: &str) -> bool {
    name.starts_with("wasi:sockets/")
}

/// Compares the version of an import or export with the contract's. wasmtime would link a guest that was
/// built against a newer compatible version, and the guest would fail during a request.
fn check_version(name: &str) -> Result<(), InspectError> {
    let Some(required) = version(name) else {
        return Ok(());
    };
    if required > CONTRACT_VERSION {
        return Err(InspectError::NewerContract {
            name: name.to_owned(),
        });
    }
    let same_minor =
        |known: &Version| (known.major, known.minor) == (required.major, required.minor);
    let is_adapted = same_minor(&ADAPTED_VERSION) && required <= ADAPTED_VERSION;
    if !same_minor(&CONTRACT_VERSION) && !is_adapted {
        return Err(InspectError::OlderContract {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// Returns `jackfield:plugin/log` for `jackfield:plugin/log@0.1.0`.
fn interface(name: &str) -> &str {
    name.split_once('@')
        .map_or(name, |(interface, _)| interface)
}

fn version(name: &str) -> Option<Version> {
    name.split_once('@')
        .and_then(|(_, version)| version.parse().ok())
}

fn format_list(names: &[&str]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

const OWN_PACKAGE: &str = "jackfield:plugin/";

/// The interfaces of [`CONTRACT_VERSION`] that a component may import.
const HOST_INTERFACES: [&str; 8] = [
    "types",
    "log",
    "settings",
    "call",
    "client",
    "client-body",
    "conversation",
    "candidates",
];

/// The same for [`ADAPTED_VERSION`].
const HOST_INTERFACES_0_1: [&str; 5] = ["types", "log", "settings", "client-body", "candidates"];

/// The WASI interfaces that language runtimes import even if the plugin does not use them.
const WASI_INTERFACES: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_imports_by_name_and_version() {
        assert!(check_import("jackfield:plugin/log@0.1.0").is_ok());
        assert!(check_import("jackfield:plugin/client@0.2.0").is_ok());
        assert!(check_import("wasi:io/streams@0.2.6").is_ok());
        assert!(check_import("wasi:sockets/tcp@0.2.0").is_ok());
        for (import, advice) in [
            ("jackfield:plugin/log@0.2.1", "update the host"),
            ("jackfield:plugin/log@0.3.0", "update the host"),
            (
                "jackfield:plugin/log@0.0.9",
                "0.2.0 of jackfield:plugin; build the plugin",
            ),
            (
                "jackfield:plugin/log@0.1.1",
                "0.2.0 of jackfield:plugin; build the plugin",
            ),
            ("jackfield:plugin/client@0.1.0", "does not offer"),
            ("jackfield:plugin/conversation@0.1.0", "does not offer"),
            ("jackfield:plugin/vault@0.2.0", "does not offer"),
            ("wasi:sockets/tcp@0.3.0", "does not offer"),
            ("wasi:http/outgoing-handler@0.2.0", "does not offer"),
            ("wasi:io/streams@0.3.0", "does not offer"),
            ("acme:vault/secrets", "does not offer"),
        ] {
            let message = check_import(import)
                .map_err(|error| error.to_string())
                .err();
            let message = message.unwrap_or_else(|| panic!("{import} was accepted"));
            assert!(
                message.contains(import) && message.contains(advice),
                "{message}"
            );
        }
    }
}
