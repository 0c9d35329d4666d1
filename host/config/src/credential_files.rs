//! Credential files: a folder of JSON files, one credential each, read at the start and then watched.
//! They are read and never written: what is renewed goes to the store.

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
use jackfield_watch::{Depth, Watch};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;
use walkdir::WalkDir;

use crate::catalog::Catalog;
use crate::credential_entry;
use crate::credentials::CredentialEntry;

/// The folder, and what was found in it. A handle: clones are the same folder.
#[derive(Clone)]
pub struct CredentialFiles {
    folder: PathBuf,
    /// The configuration as it is, by which credentials are made of files.
    catalog: Arc<ArcSwap<Catalog>>,
    /// By their paths below the folder.
    known: Arc<Mutex<KnownFiles>>,
}

type KnownFiles = BTreeMap<String, CredentialFile>;

/// One file.
struct CredentialFile {
    stamp: FileStamp,
    /// What it said when it last was legal. A file that is being written is not a removal.
    parsed: Option<Parsed>,
}

/// What a legal file says, whatever the configuration makes of it.
struct Parsed {
    entry: CredentialEntry,
    expires_at: Option<Timestamp>,
    refreshed_at: Option<Timestamp>,
    metadata: BTreeMap<String, Value>,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    bytes: u64,
    inode: u64,
    modified: SystemTime,
}

/// What a look at the folder found.
struct Scan {
    /// All credentials that there are.
    ids: BTreeSet<CredentialId>,
    /// Those that are new, or were changed.
    changed: Vec<Registration>,
    /// Whether some file is gone.
    any_removed: bool,
}

impl CredentialFiles {
    /// This folder, which is made if it is missing.
    pub fn new(folder: &Path, catalog: Arc<ArcSwap<Catalog>>) -> Result<Self, String> {
        let failed = |error: std::io::Error| {
            let folder = folder.display();
            format!("using {folder} as the folder of credential files: {error}")
        };
        fs::create_dir_all(folder).map_err(failed)?;
        Ok(Self {
            folder: folder.canonicalize().map_err(failed)?,
            catalog,
            known: Arc::default(),
        })
    }

    /// All credentials that the folder holds at the start. Files that cannot be read are told in the
    /// log; the others serve.
    pub async fn read_all(&self) -> Vec<Registration> {
        self.scan(&mut *self.known.lock().await).changed
    }

    /// All credentials that the files have last said, as another configuration makes them; and, in
    /// words, those that it cannot make.
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

    /// Follows changes until the returned future is dropped.
    pub fn watch(self, auth: AuthManager) -> Result<impl Future<Output = ()> + Send, String> {
        let watch = Watch::new(&self.folder, Depth::Deep).map_err(|error| error_chain(&error));
        let mut watch =
            watch.map_err(|why| format!("watching {}: {why}", self.folder.display()))?;
        Ok(async move {
            loop {
                // What changed before the watch began, or was not told, is found all the same.
                self.follow(&auth).await;
                if let Ok(false) = timeout(RESCAN_INTERVAL, watch.changed()).await {
                    return;
                }
            }
        })
    }

    async fn follow(&self, auth: &AuthManager) {
        let _changing = auth.lock_registrations().await;
        let mut found = self.scan_in_background().await;
        found.changed.retain(|changed| {
            let id = &changed.credential.id;
            let other = auth.get(id).filter(|view| !is_file(&view.origin));
            if let Some(view) = &other {
                let by = view.origin.label();
                tracing::error!(credential = %id, by, "a credential file has the id of another credential");
            }
            other.is_none()
        });
        if found.changed.is_empty() && !found.any_removed {
            return;
        }
        let changed = found.changed.len();
        match auth.sync(is_file, &found.ids, found.changed).await {
            Ok(()) => tracing::info!(changed, all = found.ids.len(), "credential files are read"),
            Err(error) => tracing::error!(error = error_chain(&error), "credential files"),
        }
    }

    async fn scan_in_background(&self) -> Scan {
        let mut known = Arc::clone(&self.known).lock_owned().await;
        let files = self.clone();
        let scan = tokio::task::spawn_blocking(move || files.scan(&mut known));
        match scan.await {
            Ok(found) => found,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process is ending: there is nobody to go on for.
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

    /// What a file that has changed is taken to say, which is what it said before if it cannot be
    /// used now.
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
        let parsed = match self.read(name, stamp) {
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
                // Another configuration may know what to make of it.
                before.or(Some(parsed))
            }
        }
    }

    /// The files, by their paths below the folder. What is hidden, and what a link leads to beyond the
    /// folder, is passed over.
    fn list(&self, known: &KnownFiles) -> BTreeMap<String, FileStamp> {
        let mut found = BTreeMap::new();
        let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        let walk = WalkDir::new(&self.folder)
            .max_depth(DEPTH_MAX)
            .follow_links(true);
        let entries = walk
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name()));
        // What cannot be listed is as if it were not there; a file may go at any moment.
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
            if found.len() == FILES_MAX {
                tracing::error!(
                    most = FILES_MAX,
                    "too many credential files; the rest is ignored"
                );
                break;
            }
            if metadata.permissions().mode() & OTHERS_READ != 0 && !known.contains_key(name) {
                tracing::warn!(
                    file = name,
                    "a credential file can be read by everybody; chmod it to 600"
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

    fn read(&self, name: &str, stamp: FileStamp) -> Result<Parsed, String> {
        if stamp.bytes > FILE_BYTES_MAX {
            return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
        }
        let text = fs::read(self.folder.join(name)).map_err(|error| error.to_string())?;
        let content = format::parse(&text)?;
        let entry = credential_entry::parse(&content.body).map_err(|errors| errors.join("; "))?;
        Ok(Parsed {
            expires_at: entry.expires_at.or(content.expires_at),
            entry,
            refreshed_at: content.refreshed_at,
            metadata: content.metadata.into_iter().collect(),
        })
    }
}

/// Whether a configuration can make a credential of what a file says.
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

/// How many files are read: as many credentials as the pool is measured with, twice.
const FILES_MAX: usize = 20_000;

/// How large a file may be, in bytes. Those with the longest tokens have some 10 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// How many folders may lie in one another.
const DEPTH_MAX: usize = 8;

/// How often the folder is looked at though nothing was told of it: some file systems tell nothing.
const RESCAN_INTERVAL: Duration = Duration::from_secs(60);

/// The bit of a file's mode by which everybody may read it.
const OTHERS_READ: u32 = 0o004;
