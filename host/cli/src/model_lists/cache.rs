//! The file with the last lists of models. It is a cache: what cannot be read is asked for again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jackfield_config::{Config, ListedModels};
use jackfield_credential::ProviderName;

/// The file.
pub(crate) struct ListCache {
    path: PathBuf,
}

impl ListCache {
    /// The cache in the data folder of a configuration.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            path: config.data.join("models.json"),
        }
    }

    /// Reads the lists. Nothing if there is no file, or if it cannot be read.
    pub(crate) fn load(&self) -> ListedModels {
        match read(&self.path) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => ListedModels::new(),
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "cached lists of models not read; providers are asked again");
                ListedModels::new()
            }
        }
    }

    /// Writes the lists.
    pub(crate) async fn save(&self, listed: &ListedModels) {
        let (path, listed) = (self.path.clone(), listed.clone());
        let written = tokio::task::spawn_blocking(move || write(&path, &listed)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = written {
            let path = self.path.display();
            tracing::warn!(%path, %error, "lists of models not cached; a restart asks the providers first");
        }
    }
}

fn read(path: &Path) -> io::Result<ListedModels> {
    let mut text = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut text)?;
    let read: BTreeMap<String, Vec<Arc<str>>> = serde_json::from_slice(&text)?;
    let lists = read.into_iter();
    Ok(lists
        .map(|(name, models)| (ProviderName::new(name), models))
        .collect())
}

fn write(path: &Path, listed: &ListedModels) -> io::Result<()> {
    let lists: BTreeMap<&str, &Vec<Arc<str>>> = listed
        .iter()
        .map(|(name, models)| (name.as_str(), models))
        .collect();
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Another file takes its place as a whole: a crash leaves the old one.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &lists)?;
    file.flush()?;
    file.persist(path)?;
    Ok(())
}

/// The largest file that is read, in bytes: lists of some dozens of aggregators.
const BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written_and_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ListCache {
            path: folder.path().join("data").join("models.json"),
        };
        assert_eq!(cache.load(), ListedModels::new());
        let models = vec![Arc::from("a"), Arc::from("b/c:1")];
        let listed = ListedModels::from([(ProviderName::new("p"), models)]);
        write(&cache.path, &listed).unwrap();
        assert_eq!(cache.load(), listed);
        fs::write(&cache.path, "{ \"p\": 7 }").unwrap();
        assert_eq!(cache.load(), ListedModels::new());
    }
}
