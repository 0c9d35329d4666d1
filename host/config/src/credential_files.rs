//! Credential files: a folder of JSON files with one credential each. It is read at the start and then
//! watched. The files are never written: refreshed tokens go to the store.

mod expiration;
mod format;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::pending;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use jackfield_auth::{AuthManager, Origin, Registration};
use jackfield_credential::{CredentialId, Timestamp};
use jackfield_dispatch::error_chain;
use jackfield_files::read_small_file;
use jackfield_watch::{Depth, Watch};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;
use walkdir::WalkDir;

use crate::catalog::Catalog;
use crate::credential_entry;
use crate::credentials::CredentialEntry;
use crate::limits::{
    CREDENTIAL_FILE_BYTES_MAX, CREDENTIAL_FILES_MAX, CREDENTIAL_FOLDERS_DEPTH_MAX, FILE_READ_MAX,
};

/// The folder and its known files. It is a handle: clones share the same state.
#[derive(Clone)]
pub struct CredentialFiles {
    folder: PathBuf,
    /// The current configuration, which makes registrations from files.
    catalog: Arc<ArcSwap<Catalog>>,
    /// By their paths below the folder.
    known: Arc<Mutex<KnownFiles>>,
}

type KnownFiles = BTreeMap<String, CredentialFile>;

/// One file.
struct CredentialFile {
    stamp: FileStamp,
    /// Its last valid content. A file that is half written keeps it.
    parsed: Option<Parsed>,
}

/// The content of a valid file, independent of the configuration.
struct Parsed {
    entry: CredentialEntry,
    expires_at: Option<Timestamp>,
    refreshed_at: Option<Timestamp>,
    metadata: BTreeMap<String, Value>,
}

/// Identifies a version of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    bytes: u64,
    // Differs after a rename over the file, even if size and time are the same.
    inode: u64,
    modified: SystemTime,
}

/// The result of a scan of the folder.
struct Scan {
    /// The ids of all credentials.
    ids: BTreeSet<CredentialId>,
    /// The new and the changed ones.
    changed: Vec<Registration>,
    /// Whether a file disappeared.
    any_removed: bool,
}

impl CredentialFiles {
    /// Opens the folder, and creates it if it is missing.
    ///
    /// # Errors
    ///
    /// The folder cannot be created or resolved.
    pub fn new(folder: &Path, catalog: Arc<ArcSwap<Catalog>>) -> Result<Self, String> {
        let failed = |error: std::io::Error| {
            let folder = folder.display();
            format!("cannot use {folder} as the folder of credential files: {error}")
        };
        fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self {
            folder: folder.canonicalize().map_err(failed)?,
            catalog,
            known: Arc::default(),
        })
    }

    /// Reads all files, at the start. The log names the files that cannot be used.
    pub async fn read_all(&self) -> Vec<Registration> {
        self.scan(&mut *self.known.lock().await).changed
    }

    /// Returns the registrations of all files under another configuration, and a message for each file
    /// that cannot be used with it.
    pub async fn registrations(&self, catalog: &Catalog) -> (Vec<Registration>, Vec<String>) {
        let (mut registrations, mut rejected) = (Vec::new(), Vec::new());
        for (name, file) in &*self.known.lock().await {
            let Some(parsed) = &file.parsed else {
                continue;
            };
            match registration(catalog, name, parsed) {
                Ok(registration) => registrations.push(registration),
                Err(why) => rejected.push(format!("the credential file {name} is left out: {why}")),
            }
        }
        (registrations, rejected)
    }

    /// Applies changes in the folder until the returned future is dropped.
    ///
    /// # Errors
    ///
    /// The system cannot watch the folder.
    pub fn watch(self, auth: AuthManager) -> Result<impl Future<Output = ()> + Send, String> {
        let watch = Watch::new(&self.folder, Depth::Deep).map_err(|error| error_chain(&error));
        let mut watch =
            watch.map_err(|why| format!("cannot watch {}: {why}", self.folder.display()))?;
        Ok(async move {
            loop {
                // A scan also finds changes from before the watch and changes without an event.
                self.follow(&auth).await;
                if let Ok(None) = timeout(RESCAN_INTERVAL, watch.changed()).await {
                    return;
                }
            }
        })
    }

    async fn follow(&self, auth: &AuthManager) {
        // Before the scan, so that no reload replaces the catalog between the scan and `sync`.
        let _changing = auth.lock_registrations().await;
        let mut found = self.scan_in_background().await;
        found.changed.retain(|changed| {
            let id = &changed.credential.id;
            let other = auth.get(id).filter(|view| !is_file(&view.origin));
            if let Some(view) = &other {
                let by = view.origin.label();
                tracing::error!(credential = %id, by, "the id of a credential file belongs to another credential");
            }
            other.is_none()
        });
        if found.changed.is_empty() && !found.any_removed {
            return;
        }
        let changed = found.changed.len();
        match auth.sync(is_file, &found.ids, found.changed).await {
            Ok(()) => tracing::info!(changed, all = found.ids.len(), "credential files read"),
            Err(error) => {
                tracing::error!(error = error_chain(&error), "credential files not applied")
            }
        }
    }

    async fn scan_in_background(&self) -> Scan {
        let mut known = Arc::clone(&self.known).lock_owned().await;
        let files = self.clone();
        // The closure owns the lock, so no other scan overlaps this one, even if this future is dropped.
        let scan = tokio::task::spawn_blocking(move || files.scan(&mut known));
        match scan.await {
            Ok(found) => found,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => pending().await,
            },
        }
    }

    fn scan(&self, known: &mut KnownFiles) -> Scan {
        let catalog = self.catalog.load();
        let found = self.list(known);
        let before = known.len();
        known.retain(|name, _| found.contains_key(name));
        let any_removed = known.len() < before;
        let mut changed = Vec::new();
        for (name, stamp) in found {
            let before = known.remove(&name);
            let file = match before {
                Some(file) if file.stamp == stamp => file,
                before => {
                    let parsed = before.and_then(|file| file.parsed);
                    let parsed = self.parse_changed(&catalog, &name, stamp, parsed, &mut changed);
                    // The stamp is older than the content, so the next scan finds a write between them.
                    CredentialFile { stamp, parsed }
                }
            };
            known.insert(name, file);
        }
        let usable = known.iter().filter(|(name, file)| {
            let parsed = file.parsed.as_ref();
            parsed.is_some_and(|parsed| usable(&catalog, name, parsed).is_ok())
        });
        Scan {
            ids: usable.map(|(name, _)| name.as_str().into()).collect(),
            changed,
            any_removed,
        }
    }

    /// Returns the content of a changed file, or its previous content if it cannot be used now.
    fn parse_changed(
        &self,
        catalog: &Catalog,
        name: &str,
        stamp: FileStamp,
        before: Option<Parsed>,
        changed: &mut Vec<Registration>,
    ) -> Option<Parsed> {
        let has_previous = before.is_some();
        let unusable = |why: &str| {
            tracing::error!(
                file = name,
                why,
                has_previous,
                "a credential file cannot be used"
            )
        };
        let parsed = match self.read(name, stamp, catalog.is_strict()) {
            Ok(parsed) => parsed,
            Err(why) => {
                unusable(&why);
                return before;
            }
        };
        match registration(catalog, name, &parsed) {
            Ok(registration) => {
                changed.push(registration);
                Some(parsed)
            }
            Err(why) => {
                unusable(&why);
                // After a reload the configuration may be able to use it.
                before.or(Some(parsed))
            }
        }
    }

    /// Lists the files by their paths below the folder. Hidden files, and files outside the folder behind
    /// symbolic links, are ignored.
    fn list(&self, known: &KnownFiles) -> BTreeMap<String, FileStamp> {
        let mut found = BTreeMap::new();
        let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        let walk = WalkDir::new(&self.folder)
            .max_depth(CREDENTIAL_FOLDERS_DEPTH_MAX)
            // Kubernetes mounts a secret as links to files in a hidden folder of the same mount.
            .follow_links(true);
        let entries = walk
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name()));
        // A file may disappear at any moment, so errors are ignored.
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if !is_json || !self.contains(path) {
                continue;
            }
            let Ok(metadata) = fs::metadata(path) else {
                continue;
            };
            let name = path.strip_prefix(&self.folder).ok().and_then(Path::to_str);
            let (Some(name), true, Ok(modified)) = (name, metadata.is_file(), metadata.modified())
            else {
                continue;
            };
            if found.len() == CREDENTIAL_FILES_MAX {
                tracing::error!(
                    most = CREDENTIAL_FILES_MAX,
                    "too many credential files; the rest is ignored"
                );
                break;
            }
            if metadata.permissions().mode() & OTHERS_READ != 0 && !known.contains_key(name) {
                tracing::warn!(
                    file = name,
                    "a credential file is readable by all users; chmod it to 600"
                );
            }
            let stamp = FileStamp {
                bytes: metadata.len(),
                inode: metadata.ino(),
                modified,
            };
            found.insert(name.to_owned(), stamp);
        }
        found
    }

    fn contains(&self, path: &Path) -> bool {
        path.canonicalize()
            .is_ok_and(|path| path.starts_with(&self.folder))
    }

    fn read(&self, name: &str, stamp: FileStamp, is_strict: bool) -> Result<Parsed, String> {
        if stamp.bytes > CREDENTIAL_FILE_BYTES_MAX {
            return Err(format!("is larger than {CREDENTIAL_FILE_BYTES_MAX} bytes"));
        }
        let file = read_small_file(
            &self.folder.join(name),
            CREDENTIAL_FILE_BYTES_MAX,
            FILE_READ_MAX,
        );
        let file = file.map_err(|error| error.to_string())?;
        if is_strict && file.is_world_readable() {
            return Err("is readable by all users; chmod it to 600 (`strict-files`)".to_owned());
        }
        let content = format::parse(&file.bytes)?;
        let entry = credential_entry::parse(&content.body).map_err(|errors| errors.join("; "))?;
        Ok(Parsed {
            expires_at: entry.expires_at.or(content.expires_at),
            entry,
            refreshed_at: content.refreshed_at,
            metadata: content.metadata.into_iter().collect(),
        })
    }
}

/// Checks whether the configuration can use a file.
fn usable(catalog: &Catalog, name: &str, parsed: &Parsed) -> Result<(), String> {
    if catalog.defines(&name.into()) {
        return Err("the configuration has a credential of this id".to_owned());
    }
    let provider = &parsed.entry.credential.provider;
    if !catalog.has_provider(provider) {
        return Err(format!("the configuration has no provider `{provider}`"));
    }
    Ok(())
}

fn registration(catalog: &Catalog, name: &str, parsed: &Parsed) -> Result<Registration, String> {
    usable(catalog, name, parsed)?;
    let mut registration = catalog.registration(&parsed.entry)?;
    registration.credential.id = name.into();
    registration.origin = Origin::File(name.into());
    registration.expires_at = parsed.expires_at;
    registration.refreshed_at = parsed.refreshed_at;
    registration.metadata = parsed.metadata.clone();
    Ok(registration)
}

fn is_file(origin: &Origin) -> bool {
    matches!(origin, Origin::File(_))
}

/// The interval between scans without an event: some file systems send no events.
const RESCAN_INTERVAL: Duration = Duration::from_secs(60);

/// The mode bit that lets all users read a file.
const OTHERS_READ: u32 = 0o004;
