//! The plugins folder: a file that is renamed into it is used, an invalid one is rejected, and the built-in
//! plugin replaces one that is removed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jackfield_runtime::limits::COMPONENT_BYTES_MAX;
use jackfield_runtime::{
    BuiltIn, Compiling, Engine, EngineOptions, Origin, PluginDir, PluginStatus, Registry,
};
use jackfield_test_support::{guest, plugin, wat, with_marker};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::harness::{code_cache, engine, turn, wait_until};

#[tokio::test]
async fn cliproxyapi_compat_1_3_registers_and_unregisters_an_executor() {
    with_watched_dir(async |folder, registry| {
        let built_in = status(registry, "example");
        assert_eq!(built_in.serving.unwrap().origin, Origin::BuiltIn);

        rename_into(folder, "example", &with_marker(guest("counts"), "mine"));
        wait_until("the file is in use", || {
            origin(registry) == file(folder, "example")
        })
        .await;
        let now = status(registry, "example");
        assert_eq!((now.swaps, now.problem), (1, None));

        rename_into(folder, "example", &with_marker(guest("counts"), "mine too"));
        wait_until("the next file is in use", || {
            status(registry, "example").swaps == 2
        })
        .await;

        fs::remove_file(folder.join("example.wasm")).unwrap();
        wait_until("the built-in plugin is in use again", || {
            origin(registry) == Origin::BuiltIn
        })
        .await;
        assert_eq!(status(registry, "example").swaps, 3);
    })
    .await;
}

#[tokio::test]
async fn invalid_file_is_reported_and_changes_nothing() {
    with_watched_dir(async |folder, registry| {
        rename_into(folder, "example", &with_marker(guest("counts"), "good"));
        wait_until("the valid file is in use", || {
            origin(registry) == file(folder, "example")
        })
        .await;
        let good = status(registry, "example").serving.unwrap();

        let problem = || status(registry, "example").problem;
        rename_into(folder, "example", &wat("imports_vault"));
        wait_until("the problem is recorded", || problem().is_some()).await;
        assert_eq!(
            problem().unwrap(),
            "it imports `acme:vault/secrets@1.0.0`, which this host does not offer; wit/README.md \
             lists the ones that it offers"
        );
        let serving = status(registry, "example").serving.unwrap();
        assert_eq!(
            (serving.generation, serving.digest),
            (good.generation, good.digest)
        );

        rename_into(
            folder,
            "example",
            &with_marker(guest("counts"), "corrected"),
        );
        wait_until("the problem is cleared", || problem().is_none()).await;
        assert_eq!(
            status(registry, "example").serving.unwrap().generation,
            good.generation + 1
        );
    })
    .await;
}

#[tokio::test]
async fn removing_a_rejected_file_clears_its_status() {
    with_watched_dir(async |folder, registry| {
        rename_into(folder, "not-a-plugin", b"no component");
        wait_until("it is rejected", || {
            find(registry, "not-a-plugin").is_some()
        })
        .await;
        let rejected = status(registry, "not-a-plugin");
        assert_eq!(
            rejected.problem.as_deref(),
            Some("it is not a WebAssembly file; build a component for the target wasm32-wasip2")
        );
        assert!(rejected.serving.is_none());
        fs::remove_file(folder.join("not-a-plugin.wasm")).unwrap();
        wait_until("its status is removed", || {
            find(registry, "not-a-plugin").is_none()
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn rejects_oversized_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("large.wasm")).unwrap();
    file.set_len(10 * COMPONENT_BYTES_MAX).unwrap();
    let (_, registry) = load(&folder).await;
    assert_eq!(
        status(&registry, "large").problem.as_deref(),
        Some("it is larger than 32 MiB; strip it, or split it")
    );
}

#[tokio::test]
async fn accepts_dots_in_plugin_names() {
    with_watched_dir(async |folder, registry| {
        rename_into(folder, "acme-1.2", &guest("counts"));
        wait_until("the plugin is loaded or rejected", || {
            find(registry, "acme-1.2")
                .is_some_and(|plugin| plugin.serving.is_some() || plugin.problem.is_some())
        })
        .await;
        let plugin = status(registry, "acme-1.2");
        assert_eq!(plugin.problem, None);
        assert_eq!(plugin.serving.unwrap().origin, file(folder, "acme-1.2"));
    })
    .await;
}

#[tokio::test]
async fn plugin_serves_on_after_its_file_is_removed() {
    with_watched_dir(async |folder, registry| {
        rename_into(folder, "extra", &guest("counts"));
        wait_until("it is in use", || find(registry, "extra").is_some()).await;
        rename_into(folder, "extra", b"no component");
        wait_until("its next file is rejected", || {
            status(registry, "extra").problem.is_some()
        })
        .await;
        fs::remove_file(folder.join("extra.wasm")).unwrap();
        wait_until("the problem is cleared", || {
            status(registry, "extra").problem.is_none()
        })
        .await;
        assert_eq!(status(registry, "extra").serving.unwrap().generation, 1);
    })
    .await;
}

#[tokio::test]
async fn ignores_partial_and_foreign_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("half.wasm.part"), b"half").unwrap();
    fs::write(folder.path().join("README.md"), b"text").unwrap();
    fs::write(folder.path().join("wasm"), b"text").unwrap();
    fs::create_dir(folder.path().join("folder.wasm")).unwrap();
    let (_, registry) = load(&folder).await;
    let names: Vec<_> = registry
        .status()
        .iter()
        .map(|plugin| Arc::clone(&plugin.name))
        .collect();
    assert_eq!(
        names.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["example", "round-robin"]
    );
}

#[tokio::test]
async fn loads_changes_from_before_the_watch() {
    let folder = tempfile::tempdir().unwrap();
    let (loaded, registry) = load(&folder).await;
    rename_into(
        folder.path(),
        "example",
        &with_marker(guest("counts"), "early"),
    );
    tokio::select! {
        () = loaded.watch().unwrap() => panic!("the watch ended"),
        () = wait_until("the file is in use", || status(&registry, "example").swaps == 1) => {}
    }
}

/// A deployment that removes the folder and makes it again.
#[tokio::test]
async fn replaced_plugin_dir_is_watched() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("plugins");
    let registry = Arc::new(Registry::new(engine()));
    let loaded = PluginDir::load(&folder, built_in(), Arc::clone(&registry)).await;
    let test = async {
        for (round, marker) in (1..=2).zip(["first", "second"]) {
            fs::remove_dir_all(&folder).unwrap();
            fs::create_dir(&folder).unwrap();
            rename_into(&folder, "example", &with_marker(guest("counts"), marker));
            wait_until("the file is in use", || {
                status(&registry, "example").swaps >= round
            })
            .await;
        }
    };
    tokio::select! {
        () = loaded.unwrap().watch().unwrap() => panic!("the watch ended"),
        () = test => {}
    }
}

/// A kubelet mounts a folder of links through `..data`, a link to the folder of a version, and swaps that link.
#[tokio::test]
async fn swap_of_a_kubelet_is_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let version = |name: &str| {
        fs::create_dir(path.join(name)).unwrap();
        let component = with_marker(guest("counts"), name);
        fs::write(path.join(name).join("extra.wasm"), component).unwrap();
        symlink(name, path.join("..data_tmp")).unwrap();
        fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
    };
    version("..2026_12_01");
    symlink("..data/extra.wasm", path.join("extra.wasm")).unwrap();
    let (loaded, registry) = load(&folder).await;
    assert_eq!(status(&registry, "extra").serving.unwrap().generation, 1);
    tokio::select! {
        () = loaded.watch().unwrap() => panic!("the watch ended"),
        () = async {
            version("..2026_12_02");
            wait_until("the new version is in use", || {
                status(&registry, "extra").serving.unwrap().generation == 2
            })
            .await;
        } => {}
    }
}

#[tokio::test]
async fn creates_a_missing_plugin_dir() {
    let parent = tempfile::tempdir().unwrap();
    let registry = Arc::new(Registry::new(engine()));
    let path = parent.path().join("new/plugins");
    PluginDir::load(&path, built_in(), Arc::clone(&registry))
        .await
        .unwrap();
    assert!(path.is_dir());
    assert_eq!(registry.status().len(), 2);

    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = PluginDir::load(&file, built_in(), registry)
        .await
        .err()
        .unwrap();
    assert_eq!(
        refused.to_string(),
        format!("cannot use {} as the plugins folder", file.display())
    );
}

/// Runs a test with a watched folder.
async fn with_watched_dir(test: impl AsyncFnOnce(&Path, &Registry)) {
    let folder = tempfile::tempdir().unwrap();
    let (loaded, registry) = load(&folder).await;
    let path = folder.path().canonicalize().unwrap();
    tokio::select! {
        () = loaded.watch().unwrap() => panic!("the watch ended"),
        () = test(&path, &registry) => {}
    }
}

async fn load(folder: &TempDir) -> (PluginDir, Arc<Registry>) {
    let registry = Arc::new(Registry::new(engine()));
    let loaded = PluginDir::load(folder.path(), built_in(), Arc::clone(&registry)).await;
    (loaded.unwrap(), registry)
}

fn built_in() -> &'static [BuiltIn] {
    static BUILT_INS: LazyLock<[BuiltIn; 2]> = LazyLock::new(|| {
        [
            ("example", guest("counts").leak()),
            ("round-robin", plugin("round-robin").leak()),
        ]
    });
    &*BUILT_INS
}

/// Installs a plugin: writes it under another name, and renames it.
fn rename_into(folder: &Path, name: &str, component: &[u8]) {
    let part = folder.join(format!("{name}.wasm.part"));
    fs::write(&part, component).unwrap();
    fs::rename(part, folder.join(format!("{name}.wasm"))).unwrap();
}

fn file(folder: &Path, name: &str) -> Origin {
    Origin::File(folder.join(format!("{name}.wasm")))
}

fn origin(registry: &Registry) -> Origin {
    status(registry, "example").serving.unwrap().origin
}

fn status(registry: &Registry, name: &str) -> PluginStatus {
    find(registry, name).expect("a plugin of this name")
}

fn find(registry: &Registry, name: &str) -> Option<PluginStatus> {
    registry
        .status()
        .into_iter()
        .find(|plugin| &*plugin.name == name)
}

/// A server that starts lists its plugins at once. What is in the code cache is loaded first, and the rest while calls
/// are served already.
#[tokio::test]
async fn opens_at_once_and_loads_cached_plugins_before_others() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let registry = || {
        let cache = code_cache(cache.path().to_owned());
        let engine = Engine::new(EngineOptions {
            cache: Some(&cache),
            compiling: Compiling::InBackground,
            ..EngineOptions::default()
        });
        Arc::new(Registry::new(engine.unwrap()))
    };
    let _turn = turn().await;
    {
        let registry = registry();
        PluginDir::load(folder.path(), built_in(), Arc::clone(&registry))
            .await
            .unwrap();
    }
    rename_into(folder.path(), "broken", b"no component");
    rename_into(
        folder.path(),
        "example",
        &with_marker(guest("counts"), "not compiled yet"),
    );
    let registry = registry();
    let published = Arc::new(Mutex::new(Vec::new()));
    let recorder = Arc::clone(&published);
    registry.on_change(Box::new(move |plugins| {
        let compiling = plugins.compiling.iter().map(|name| name.to_string());
        recorder.lock().push(compiling.collect::<Vec<_>>());
    }));
    let mut opened = PluginDir::open(folder.path(), built_in(), Arc::clone(&registry)).unwrap();
    assert_eq!(
        published.lock().last().unwrap(),
        &["broken", "example", "round-robin"]
    );
    opened.load_compiled().await;
    // Not the built-in version: a file replaces it.
    assert_eq!(published.lock().last().unwrap(), &["broken", "example"]);
    assert!(status(&registry, "example").serving.is_none());
    assert!(status(&registry, "example").compiling);
    tokio::select! {
        () = opened.watch().unwrap() => panic!("the watch ended"),
        () = wait_until("the rest is loaded", || published.lock().last().unwrap().is_empty()) => {}
    }
    assert_eq!(origin(&registry), file(folder.path(), "example"));
    assert!(status(&registry, "broken").problem.is_some());
    assert_eq!(status(&registry, "example").swaps, 0);
}

/// At the start, the built-in plugin is used in place of a file that is rejected, whose problem is shown.
#[tokio::test]
async fn built_in_plugin_replaces_a_rejected_file_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    rename_into(folder.path(), "example", b"no component");
    let (_, registry) = load(&folder).await;
    let status = status(&registry, "example");
    assert_eq!(status.serving.unwrap().origin, Origin::BuiltIn);
    assert!(status.problem.is_some() && !status.compiling);
}
