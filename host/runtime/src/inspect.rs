//! Checks the imports and exports of a component before it is used. Every error names the import or
//! export, and says what to change.

use semver::Version;
use wasmtime::component::Component;

/// The version of `wit/` that this host implements.
pub const CONTRACT_VERSION: Version = Version::new(0, 1, 0);

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
        "it exports neither jackfield:plugin/executor nor jackfield:plugin/selector, but {exports}; export one of the two"
    )]
    NoPluginExport {
        /// Its exports.
        exports: String,
    },
    /// It exports both interfaces of the contract.
    #[error(
        "it exports both jackfield:plugin/executor and jackfield:plugin/selector; split it into two plugins"
    )]
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

/// Checks every import, and returns the kind by the exports.
///
/// # Errors
/// When this host does not offer an import, when the contract's version differs, or when the component
/// does not export exactly one of the two interfaces.
pub(crate) fn detect_kind(
    engine: &wasmtime::Engine,
    component: &Component,
) -> Result<PluginKind, InspectError> {
    let ty = component.component_type();
    for (name, _) in ty.imports(engine) {
        check_import(name)?;
    }
    let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    let export = |wanted: &str| exports.iter().find(|name| interface(name) == wanted);
    let executor = export("jackfield:plugin/executor");
    let selector = export("jackfield:plugin/selector");
    executor
        .iter()
        .chain(&selector)
        .try_for_each(|name| check_version(name))?;
    match (executor, selector) {
        (Some(_), None) => Ok(PluginKind::Executor),
        (None, Some(_)) => Ok(PluginKind::Selector),
        (Some(_), Some(_)) => Err(InspectError::BothKinds),
        (None, None) => Err(InspectError::NoPluginExport {
            exports: format_list(&exports),
        }),
    }
}

fn check_import(name: &str) -> Result<(), InspectError> {
    let offered = if let Some(own) = interface(name).strip_prefix("jackfield:plugin/") {
        check_version(name)?;
        HOST_INTERFACES.contains(&own)
    } else {
        WASI_INTERFACES.contains(&interface(name))
            && version(name).is_none_or(|v| v.major == 0 && v.minor == 2)
    };
    if offered {
        Ok(())
    } else {
        Err(InspectError::UnknownImport(name.to_owned()))
    }
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
    if (required.major, required.minor) != (CONTRACT_VERSION.major, CONTRACT_VERSION.minor) {
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

const HOST_INTERFACES: [&str; 5] = ["types", "log", "settings", "client-body", "candidates"];

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
        assert!(check_import("wasi:io/streams@0.2.6").is_ok());
        for (import, advice) in [
            ("jackfield:plugin/log@0.1.1", "update the host"),
            ("jackfield:plugin/log@0.2.0", "update the host"),
            (
                "jackfield:plugin/log@0.0.9",
                "0.1.0 of jackfield:plugin; build the plugin",
            ),
            ("jackfield:plugin/vault@0.1.0", "does not offer"),
            ("wasi:sockets/tcp@0.2.0", "does not offer"),
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
