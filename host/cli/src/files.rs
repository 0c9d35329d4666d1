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

use jackfield_auth::{AuthManager, Origin, Registration};
use jackfield_credential::CredentialId;
use jackfield_runtime::{Depth, Watch};
use tokio::time::timeout;
use walkdir::WalkDir;

use crate::catalog::Catalog;
use crate::config::{Config, entry};
use crate::wire::told;

/// The folder, and what was found in it.
pub(crate) struct CredentialFiles {
    folder: PathBuf,
    catalog: Arc<Catalog>,
    /// What the configuration defines: it counts more than a file of the same name.
    configured: BTreeSet<CredentialId>,
    files: BTreeMap<String, File>,
}

/// One file, by its path below the folder.
struct File {
    signature: Signature,
    /// The credential, as the file last was legal. A file that is being written is not a removal.
    registration: Option<Registration>,
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
    /// The folder of the configuration, if it names one; it is made if it is missing.
    pub(crate) fn of(config: &Config, catalog: &Arc<Catalog>) -> Result<Option<Self>, String> {
        let Some(folder) = &config.credential_files else {
            return Ok(None);
        };
        let failed = |error: std::io::Error| {
            let folder = folder.display();
            format!("using {folder} as the folder of credential files: {error}")
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let credentials = config.providers.iter().flat_map(|each| &each.credentials);
        Ok(Some(Self {
            folder: folder.canonicalize().map_err(failed)?,
            catalog: Arc::clone(catalog),
            configured: credentials
                .map(|each| CredentialId::from(&*each.id))
                .collect(),
            files: BTreeMap::new(),
        }))
    }

    /// All credentials that the folder holds at the start. Files that cannot be read are told in the
    /// log; the others serve.
    pub(crate) fn registrations(&mut self) -> Vec<Registration> {
        self.look().changed
    }

    /// Follows changes until the returned future is dropped.
    pub(crate) fn watch(
        mut self,
        auth: AuthManager,
    ) -> Result<impl Future<Output = ()> + Send, String> {
        let watch = Watch::new(&self.folder, Depth::Deep).map_err(|error| told(&error));
        let mut watch =
            watch.map_err(|why| format!("watching {}: {why}", self.folder.display()))?;
        Ok(async move {
            loop {
                // What changed before the watch began, or was not told, is found all the same.
                self = self.followed(&auth).await;
                if let Ok(false) = timeout(LOOK_PAUSE, watch.changed()).await {
                    return;
                }
            }
        })
    }

    async fn followed(mut self, auth: &AuthManager) -> Self {
        let looked = tokio::task::spawn_blocking(move || {
            let found = self.look();
            (self, found)
        });
        let (files, mut found) = match looked.await {
            Ok(looked) => looked,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The process is ending: there is nobody to go on for.
                Err(_) => pending().await,
            },
        };
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
            return files;
        }
        let changed = found.changed.len();
        match auth.sync(is_file, &found.ids, found.changed).await {
            Ok(()) => tracing::info!(changed, all = found.ids.len(), "credential files are read"),
            Err(error) => tracing::error!(error = told(&error), "credential files"),
        }
        files
    }

    fn look(&mut self) -> Found {
        let found = self.list();
        let before = self.files.len();
        self.files.retain(|name, _| found.contains_key(name));
        let fewer = self.files.len() < before;
        let mut changed = Vec::new();
        for (name, signature) in found {
            let known = self.files.get(&name);
            if known.is_some_and(|known| known.signature == signature) {
                continue;
            }
            let known = known.and_then(|known| known.registration.clone());
            let registration = match self.read(&name, signature) {
                Ok(registration) => {
                    changed.push(registration.clone());
                    Some(registration)
                }
                Err(why) => {
                    let kept = known.is_some();
                    tracing::error!(file = name, why, kept, "a credential file cannot be used");
                    known
                }
            };
            let file = File {
                signature,
                registration,
            };
            self.files.insert(name, file);
        }
        let usable = self
            .files
            .values()
            .filter_map(|file| file.registration.as_ref());
        Found {
            ids: usable.map(|one| one.credential.id.clone()).collect(),
            changed,
            fewer,
        }
    }

    /// The files, by their paths below the folder. What is hidden, and what a link leads to beyond the
    /// folder, is passed over.
    fn list(&self) -> BTreeMap<String, Signature> {
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
            if metadata.permissions().mode() & OTHERS_READ != 0 && !self.files.contains_key(name) {
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

    fn read(&self, name: &str, signature: Signature) -> Result<Registration, String> {
        let id = CredentialId::from(name);
        if self.configured.contains(&id) {
            return Err("the configuration has a credential of this id".to_owned());
        }
        if signature.bytes > FILE_BYTES_MAX {
            return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
        }
        let text = fs::read(self.folder.join(name)).map_err(|error| error.to_string())?;
        let content = format::content(&text)?;
        let new = entry::entry(&content.body).map_err(|mistakes| mistakes.join("; "))?;
        let made = self.catalog.registration(&new.provider, &new.credential);
        let mut registration = made.ok_or_else(|| {
            let provider = new.provider;
            format!("the configuration has no provider `{provider}`")
        })?;
        registration.credential.id = id;
        registration.origin = Origin::File(name.into());
        registration.expires_at = registration.expires_at.or(content.expires_at);
        registration.refreshed_at = content.refreshed_at;
        registration.metadata = content.metadata.into_iter().collect();
        Ok(registration)
    }
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
