//! Invalid plugins are rejected before they are used. The error says what to change, and the plugin in use
//! stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jackfield_dispatch::port::FaultKind;
use jackfield_runtime::limits::{CALL_TICKS_MAX, COMPONENT_BYTES_MAX, DESCRIBE_TICKS_MAX, TICK};
use jackfield_runtime::{
    CodeCacheOptions, Engine, EngineOptions, Origin, Plugin, PluginKind, PrepareError, Registry,
};
use jackfield_test_support::{guest, plugin, wat};
use tokio::time::Instant;

use crate::harness::{assert_fault, code_cache, engine, exclusive_engine, executor, id, plan};

#[tokio::test]
async fn rejects_non_plugins_with_advice() {
    for (guest, refusal) in [
        (
            "core_module",
            "it is a core module, not a component; build for wasm32-wasip2, or run \
             `wasm-tools component new` on it",
        ),
        (
            "no_exports",
            "it exports neither jackfield:plugin/planner nor jackfield:plugin/selector, but \
             nothing; export one of the two",
        ),
        (
            "other_world",
            "it exports neither jackfield:plugin/planner nor jackfield:plugin/selector, but \
             wasi:cli/run@0.2.0; export one of the two",
        ),
        (
            "both_roles",
            "it exports both an executor and a selector; split it \
             into two plugins",
        ),
        (
            "imports_vault",
            "it imports `acme:vault/secrets@1.0.0`, which this host does not offer; wit/README.md \
             lists the ones that it offers",
        ),
        (
            "imports_http",
            "it imports `wasi:http/outgoing-handler@0.2.0`, which this host does not offer; \
             wit/README.md lists the ones that it offers",
        ),
        (
            "imports_newer_contract",
            "it needs `jackfield:plugin/log@0.3.0`, but this host has version 0.2.0 of \
             jackfield:plugin; update the host, or build the plugin against this host's wit/",
        ),
        (
            "exports_newer_contract",
            "it needs `jackfield:plugin/selector@0.3.0`, but this host has version 0.2.0 of \
             jackfield:plugin; update the host, or build the plugin against this host's wit/",
        ),
        (
            "exports_older_contract",
            "it needs `jackfield:plugin/selector@0.0.9`, but this host has version 0.2.0 of \
             jackfield:plugin; build the plugin against this host's wit/",
        ),
    ] {
        assert_eq!(
            expect_rejection(wat(guest)).await.to_string(),
            refusal,
            "{guest}"
        );
    }
}

#[tokio::test]
async fn rejects_non_webassembly() {
    let note = include_bytes!("../../../../tests/components/no_component.txt");
    for bytes in [note.to_vec(), Vec::new(), b"\0asm".to_vec()] {
        assert_eq!(
            expect_rejection(bytes).await.to_string(),
            "it is not a WebAssembly file; build a component for the target wasm32-wasip2"
        );
    }
}

#[tokio::test]
async fn rejects_truncated_and_oversized_files() {
    let mut half = guest("counts");
    half.truncate(half.len() / 2);
    let error = expect_rejection(half).await;
    assert!(matches!(error, PrepareError::Compile(_)), "{error:?}");
    assert!(
        error.to_string().starts_with("it does not compile: "),
        "{error}"
    );

    let bytes = COMPONENT_BYTES_MAX + 1;
    let large = vec![0; usize::try_from(bytes).unwrap()];
    assert_eq!(
        expect_rejection(large).await.to_string(),
        "it is larger than 32 MiB; strip it, or split it"
    );
}

#[tokio::test]
async fn rejects_contract_mismatches() {
    for (guest, names) in [
        ("empty_selector", "describe"),
        ("imports_other_types", "jackfield:plugin/log@0.2.0"),
        ("exports_other_types", "expected `record` found `u32`"),
    ] {
        let error = expect_rejection(wat(guest)).await;
        assert!(matches!(error, PrepareError::Link(_)), "{guest}: {error:?}");
        let message = error.to_string();
        assert!(
            message.starts_with("it does not match the contract: "),
            "{guest}: {message}"
        );
        assert!(
            message.ends_with("; build it against this host's wit/"),
            "{guest}: {message}"
        );
        assert!(message.contains(names), "{guest}: {message}");
    }
}

#[tokio::test]
async fn rejects_oversized_initial_memory() {
    let error = expect_rejection(wat("memory_at_start")).await;
    assert!(matches!(error, PrepareError::Compile(_)), "{error:?}");
    let message = error.to_string();
    assert!(
        message.contains("memory") && message.contains("limit"),
        "{message}"
    );
}

#[tokio::test]
async fn rejects_plugins_that_fail_to_start() {
    let unreachable = "wasm trap: wasm `unreachable` instruction executed";
    let stopped = "it was stopped after 300 ms";
    let no_dialect = "it declares no dialect; an executor needs at least one";
    for (component, kind, detail) in [
        (wat("traps_at_start"), FaultKind::Trapped, unreachable),
        (wat("spins_at_start"), FaultKind::OverTime, stopped),
        (
            guest("declares_no_dialect"),
            FaultKind::InvalidOutput,
            no_dialect,
        ),
    ] {
        match expect_rejection(component).await {
            PrepareError::Start(fault) => assert_fault(&fault, "refused", kind, detail),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn rejects_a_plugin_that_spins_in_describe() {
    let others = executor("counts").await;
    let (begun, longest) = (Instant::now(), TICK * (DESCRIBE_TICKS_MAX - CALL_TICKS_MAX));
    let (error, ()) = tokio::join!(expect_rejection(guest("spins_in_describe")), async {
        while begun.elapsed() < Duration::from_millis(500) {
            plan(&*others, "m").await;
            tokio::task::yield_now().await;
        }
    });
    assert!(begun.elapsed() > longest);
    match error {
        PrepareError::Start(fault) => {
            assert_eq!(
                (&*fault.plugin.name, fault.kind),
                ("refused", FaultKind::OverTime)
            );
            // On a busy machine the limit by the clock comes before the one by ticks.
            let stopped = [
                "it was stopped after 3000 ms",
                "the call did not finish within 5 s",
            ];
            assert!(stopped.contains(&fault.detail.as_str()), "{fault}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rejected_update_leaves_the_serving_plugin() {
    let registry = Registry::new(engine());
    let serves = registry
        .load("example", guest("counts"), Origin::BuiltIn)
        .await
        .unwrap();
    let file = || Origin::File(PathBuf::from("/plugins/example.wasm"));
    for (component, problem) in [
        (wat("core_module"), "it is a core module, not a component"),
        (
            guest("spins_in_describe"),
            "it failed to start: plugin example#2 ran out of time",
        ),
        (
            plugin("round-robin"),
            "the plugin in use under this name is of the kind `executor`, and this one of the kind \
             `selector`; rename the file",
        ),
    ] {
        let error = registry
            .load("example", component, file())
            .await
            .unwrap_err();
        let status = &registry.status()[0];
        let message = status.problem.as_deref().unwrap();
        assert_eq!(message, error.to_string());
        assert!(message.starts_with(problem), "{message}");
        let serving = status.serving.as_ref().unwrap();
        assert_eq!(
            (serving.generation, serving.kind),
            (serves.generation, PluginKind::Executor)
        );
        assert_eq!((status.swaps, status.alive.as_slice()), (0, [1].as_slice()));
        assert_eq!(serving.origin, Origin::BuiltIn);
    }
    // The component in use is not loaded again, but it clears the problem.
    assert_eq!(
        registry
            .load("example", guest("counts"), file())
            .await
            .unwrap(),
        serves
    );
    assert_eq!(registry.status()[0].problem, None);
    let next = registry
        .load("example", guest("reads_body"), file())
        .await
        .unwrap();
    assert_eq!(next.generation, 2, "a rejected file takes no generation");
}

#[tokio::test]
async fn caches_compiled_code_in_a_private_dir() {
    let folder = tempfile::tempdir().unwrap();
    let cache = code_cache(folder.path().join("data/cache"));
    let (_, _turn) = exclusive_engine().await;
    for (start, hits_and_misses) in [("cold", (0, 1)), ("warm", (1, 0))] {
        assert_eq!(compile(&cache).await, hits_and_misses, "{start}");
    }
    for private in ["data", "data/cache/code", "data/cache/seals"] {
        assert_eq!(mode(&folder.path().join(private)), 0o700, "{private}");
    }
}

/// Compiles a component with this cache, and returns hits and misses.
async fn compile(cache: &CodeCacheOptions) -> (usize, usize) {
    let engine = Engine::new(EngineOptions {
        cache: Some(cache),
        ..EngineOptions::default()
    })
    .unwrap();
    prepare(&engine, guest("counts")).await.unwrap();
    engine.cache_hits_and_misses()
}

#[tokio::test]
async fn compiles_in_memory_if_others_can_write_to_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cache = code_cache(folder.path().join("cache"));
    let (_, _turn) = exclusive_engine().await;
    assert_eq!(compile(&cache).await, (0, 1));
    for unsafe_one in ["cache/code", "cache/seals", "cache"] {
        let path = folder.path().join(unsafe_one);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(compile(&cache).await, (0, 0), "{unsafe_one}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(compile(&cache).await, (1, 0));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(compile(&code_cache(file)).await, (0, 0));
}

/// The attack: other code in a cached file, or in a file beside it.
#[tokio::test]
async fn compiled_code_without_a_valid_seal_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let cache = code_cache(folder.path().join("cache"));
    let (_, _turn) = exclusive_engine().await;
    assert_eq!(compile(&cache).await, (0, 1));
    let compiled = artifact(&cache.folder.join("code"));
    let good = fs::read(&compiled).unwrap();

    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&compiled, changed).unwrap();
    assert_eq!(compile(&cache).await, (0, 1), "a changed file");

    fs::remove_dir_all(cache.folder.join("seals")).unwrap();
    assert_eq!(compile(&cache).await, (0, 1), "a file without a seal");
    assert_eq!(compile(&cache).await, (1, 0), "a file of this key");

    let other = CodeCacheOptions {
        folder: cache.folder.clone(),
        key: [8; 32],
    };
    assert_eq!(compile(&other).await, (0, 1), "a file of another key");
}

/// Returns the only file of compiled code.
fn artifact(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.find(|path| path.is_dir() || path.extension().is_none());
    let found = found.expect("compiled code");
    if found.is_dir() {
        artifact(&found)
    } else {
        found
    }
}

#[tokio::test]
async fn readme_explains_every_rejection() {
    let page = include_str!("../../../../plugins/README.md");
    let (_, section) = page
        .split_once("## Debugging a rejected plugin")
        .expect("the section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let messages = rows.filter_map(|row| Some(row.split_once("` | ")?.0));
    // A row leaves the variable parts of its message out.
    let patterns: Vec<Vec<&str>> = messages
        .map(|message| {
            message
                .split("..")
                .flat_map(|part| part.split("`X`"))
                .collect()
        })
        .collect();
    let is_explained = |message: &str| {
        let in_order = |parts: &Vec<&str>| {
            let mut rest = message;
            parts.iter().all(|part| {
                let found = rest.split_once(part.trim());
                found.map(|(_, after)| rest = after).is_some()
            })
        };
        patterns.iter().any(in_order)
    };
    let too_large = vec![0; usize::try_from(COMPONENT_BYTES_MAX).unwrap() + 1];
    for component in [
        b"text".to_vec(),
        too_large,
        wat("core_module"),
        wat("imports_vault"),
        wat("imports_newer_contract"),
        wat("exports_older_contract"),
        wat("no_exports"),
        wat("both_roles"),
        wat("empty_selector"),
        wat("memory_at_start"),
        wat("traps_at_start"),
        wat("spins_at_start"),
        guest("declares_no_dialect"),
    ] {
        let message = expect_rejection(component).await.to_string();
        assert!(is_explained(&message), "{message}");
    }
    let message = PrepareError::KindChanged {
        serving: PluginKind::Executor,
        offered: PluginKind::Selector,
    };
    assert!(is_explained(&message.to_string()), "{message}");
    assert!(!is_explained("it has another problem"));
}

fn mode(folder: &Path) -> u32 {
    fs::metadata(folder).unwrap().permissions().mode() & 0o777
}

async fn expect_rejection(component: Vec<u8>) -> PrepareError {
    match prepare(&engine(), component).await {
        Err(error) => error,
        Ok(plugin) => panic!("accepted as {}", plugin.kind().label()),
    }
}

async fn prepare(engine: &Engine, component: Vec<u8>) -> Result<Plugin, PrepareError> {
    Plugin::prepare(engine, id("refused"), component, Origin::BuiltIn).await
}

#[tokio::test]
async fn rejected_first_load_has_only_a_problem() {
    let registry = Arc::new(Registry::new(engine()));
    let refused = registry
        .load("new", wat("no_exports"), Origin::BuiltIn)
        .await;
    let status = &registry.status()[0];
    assert_eq!(&*status.name, "new");
    assert_eq!(status.problem, Some(refused.unwrap_err().to_string()));
    assert!(status.serving.is_none() && status.previous.is_none() && status.alive.is_empty());
}
