//! Reads the digests that plugins must have.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::key::Kind;
use crate::keys;
use crate::kinds::is_name;
use crate::mapping::entries;
use crate::reader::{Located, Reader};

/// Reads the SHA-256 digests by the names of plugins.
pub(crate) fn pinned_plugins(
    reader: &mut Reader<'_>,
    located: &Located<'_>,
) -> Option<BTreeMap<String, String>> {
    let mut pinned = BTreeMap::new();
    for entry in entries(reader, located)? {
        let below = located.member(&entry.key, &entry.node);
        if !is_name(&entry.key) {
            reader.report(
                &below,
                "is not the name of a plugin; it has a-z, 0-9, `.`, `_` and `-`",
            );
            continue;
        }
        if let Some(digest) = keys::PLUGINS_PINNED.kind.values.read(reader, &below) {
            // Each of them needs a restart, not only the mapping.
            let value = SecretString::from(digest.clone());
            reader.record_restart_only(below.name.clone(), value);
            pinned.insert(entry.key.clone(), digest);
        }
    }
    Some(pinned)
}
