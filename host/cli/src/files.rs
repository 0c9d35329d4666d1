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
use jackfield_runtime::{Depth, Watch};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;
use walkdir::WalkDir;

use crate::catalog::Catalog;
use crate::config::entry::{self, NewCredential};
use crate::wire::told;

/// The folder, and what was found in it. A handle: clones are the same folder.
#[derive(Clone)]
pub(crate) struct CredentialFiles {
    folder: PathBuf,
    /// The configuration as it is, by which credentials are made of files.
    catalog: Arc<ArcSwap<Catalog>>,
    /// By their paths below the folder.
    known: Arc<Mutex<Known>>,
}

type Known = BTreeMap<String, File>;

/// One file.
struct File {
    signature: Signature,
    /// What it said when it last was legal. A file that is being written is not a removal.
    said: Option<Said>,
}

/// What a legal file says, whatever the configuration makes of it.
struct Said {
    new: NewCredential,
    expires_at: Option<Timestamp>,
    refreshed_at: Option<Timestamp>,
    metadata: BTreeMap<String, Value>,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signature {
    bytes: u64,
    inode: u64,
    modified: SystemTime,
}

/// What a look at the folder found.
struct Found {
    /// All credentials that there are.
    ids: BTreeSet<CredentialId>,
    /// Those that are new, or were changed.
    changed: Vec<Registration>,
    /// Whether some file is gone.
    fewer: bool,
}

impl CredentialFiles {
    /// This folder, which is made if it is missing.
    pub(crate) fn new(folder: &Path, catalog: Arc<ArcSwap<Catalog>>) -> Result<Self, String> {
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
    pub(crate) async fn read_all(&self) -> Vec<Registration> {
        self.look(&mut *self.known.lock().await).changed
    }

    /// All credentials that the files have last said, as another configuration makes them; and, in
    /// words, those that it cannot make.
    pub(crate) async fn made_by(&self, catalog: &Catalog) -> (Vec<Registration>, Vec<String>) {
        let (mut made, mut unmade) = (Vec::new(), Vec::new());
        for (name, file) in &*self.known.lock().await {
            let Some(said) = &file.said else {
                continue;
            };
            match registration(catalog, name, said) {
                Ok(registration) => made.push(registration),
                Err(why) => unmade.push(format!("the credential file {name} is left out: {why}")),
            }
        }
        (made, unmade)
    }

    /// Follows changes until the returned future is dropped.
    pub(crate) fn watch(
        self,
        auth: AuthManager,
    ) -> Result<impl Future<Output = ()> + Send, String> {
        let watch = Watch::new(&self.folder, Depth::Deep).map_err(|error| told(&error));
        let mut watch =
            watch.map_err(|why| format!("watching {}: {why}", self.folder.display()))?;
        Ok(async move {
            loop {
                // What changed before the watch began, or was not told, is found all the same.
                self.follow(&auth).await;
                if let Ok(false) = timeout(LOOK_PAUSE, watch.changed()).await {
                    return;
                }
            }
        })
    }

    async fn follow(&self, auth: &AuthManager) {
        let _changing = auth.lock_registrations().await;
        let mut found = self.looked().await;
        found.changed.retain(|changed| {
            let id = &changed.credential.id;
            let other = auth.get(id).filter(|view| !is_file(&view.origin));
            if let Some(view) = &other {
                let by = view.origin.label();
                tracing::error!(credential = %id, by, "a credential file has the id of another credential");
            }
            other.is_none()
        });
        if found.changed.is_empty() && !found.fewer {
            return;
        }
        let changed = found.changed.len();
        match auth.sync(is_file, &found.ids, found.changed).await {
            Ok(()) => tracing::info!(changed, all = found.ids.len(), "credential files are read"),
            Err(error) => tracing::error!(error = told(&error), "credential files"),
        }
    }

    async fn looked(&self) -> Found {
        let mut known = Arc::clone(&self.known).lock_owned().await;
        let files = self.clone();
        let looked = tokio::task::spawn_blocking(move || files.look(&mut known));
        match looked.await {
            Ok(found) => found,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process is ending: there is nobody to go on for.
                Err(_) => pending().await,
            },
        }
    }

    fn look(&self, known: &mut Known) -> Found {
        let catalog = self.catalog.load();
        let found = self.list(known);
        let before = known.len();
        known.retain(|name, _| found.contains_key(name));
        let fewer = known.len() < before;
        let mut changed = Vec::new();
        for (name, signature) in found {
            let before = known.remove(&name);
            let file = match before {
                Some(file) if file.signature == signature => file,
                before => {
                    let said = before.and_then(|file| file.said);
                    let said = self.reread(&catalog, &name, signature, said, &mut changed);
                    File { signature, said }
                }
            };
            known.insert(name, file);
        }
        let usable = known.iter().filter(|(name, file)| {
            let said = file.said.as_ref();
            said.is_some_and(|said| usable(&catalog, name, said).is_ok())
        });
        Found {
            ids: usable.map(|(name, _)| name.as_str().into()).collect(),
            changed,
            fewer,
        }
    }

    /// What a file that has changed is taken to say, which is what it said before if it cannot be
    /// used now.
    fn reread(
        &self,
        catalog: &Catalog,
        name: &str,
        signature: Signature,
        before: Option<Said>,
        changed: &mut Vec<Registration>,
    ) -> Option<Said> {
        let kept = before.is_some();
        let unusable =
            |why: &str| tracing::error!(file = name, why, kept, "a credential file cannot be used");
        let said = match self.read(name, signature) {
            Ok(said) => said,
            Err(why) => {
                unusable(&why);
                return before;
            }
        };
        match registration(catalog, name, &said) {
            Ok(registration) => {
                changed.push(registration);
                Some(said)
            }
            Err(why) => {
                unusable(&why);
                // Another configuration may know what to make of it.
                before.or(Some(said))
            }
        }
    }

    /// The files, by their paths below the folder. What is hidden, and what a link leads to beyond the
    /// folder, is passed over.
    fn list(&self, known: &Known) -> BTreeMap<String, Signature> {
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
            if !is_json || !self.holds(path) {
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
            let signature = Signature {
                bytes: metadata.len(),
                inode: metadata.ino(),
                modified,
            };
            found.insert(name.to_owned(), signature);
        }
        found
    }

    fn holds(&self, path: &Path) -> bool {
        path.canonicalize()
            .is_ok_and(|path| path.starts_with(&self.folder))
    }

    fn read(&self, name: &str, signature: Signature) -> Result<Said, String> {
        if signature.bytes > FILE_BYTES_MAX {
            return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
        }
        let text = fs::read(self.folder.join(name)).map_err(|error| error.to_string())?;
        let content = format::content(&text)?;
        let new = entry::entry(&content.body).map_err(|mistakes| mistakes.join("; "))?;
        Ok(Said {
            expires_at: new.credential.expires_at.or(content.expires_at),
            new,
            refreshed_at: content.refreshed_at,
            metadata: content.metadata.into_iter().collect(),
        })
    }
}

/// Whether a configuration can make a credential of what a file says.
fn usable(catalog: &Catalog, name: &str, said: &Said) -> Result<(), String> {
    if catalog.defines(&name.into()) {
        return Err("the configuration has a credential of this id".to_owned());
    }
    let provider = &said.new.provider;
    if !catalog.has_provider(provider) {
        return Err(format!("the configuration has no provider `{provider}`"));
    }
    Ok(())
}

fn registration(catalog: &Catalog, name: &str, said: &Said) -> Result<Registration, String> {
    usable(catalog, name, said)?;
    let mut registration = catalog.registration(&said.new)?;
    registration.credential.id = name.into();
    registration.origin = Origin::File(name.into());
    registration.expires_at = said.expires_at;
    registration.refreshed_at = said.refreshed_at;
    registration.metadata = said.metadata.clone();
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
const LOOK_PAUSE: Duration = Duration::from_secs(60);

/// The bit of a file's mode by which everybody may read it.
const OTHERS_READ: u32 = 0o004;
