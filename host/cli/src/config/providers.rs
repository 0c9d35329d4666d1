//! The providers, their credentials and their models.

use std::collections::BTreeMap;

use super::reader::{Names, Reader};
use super::section::{Section, Spot, entries, join};
use super::{Credential, Model, Provider};

/// Reads the list of providers.
pub(super) fn providers(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Vec<Provider>> {
    let (mut names, mut ids) = (Names::default(), Names::default());
    reader.list(spot, |reader, spot| {
        let mut section = Section::open(reader, spot)?;
        let name = section.required(reader, "name", |reader, spot| {
            unique(reader, spot, &mut names)
        });
        let executor = section.required(reader, "executor", Reader::name);
        let base_url = section.required(reader, "base-url", Reader::base_url);
        let settings = section.field(reader, "settings", "{}".to_owned(), Reader::settings);
        let credentials = section.required(reader, "credentials", |reader, spot| {
            reader.list(spot, |reader, spot| credential(reader, spot, &mut ids))
        });
        let models = section.required(reader, "models", models);
        section.end(reader);
        Some(Provider {
            name: name?,
            executor: executor?,
            base_url: base_url?,
            settings,
            credentials: credentials?,
            models: models?,
        })
    })
}

fn credential(reader: &mut Reader<'_>, spot: &Spot<'_>, ids: &mut Names) -> Option<Credential> {
    let mut section = Section::open(reader, spot)?;
    let id = section.required(reader, "id", |reader, spot| unique(reader, spot, ids));
    let api_key = section.required(reader, "api-key", Reader::secret);
    let priority = section.field(reader, "priority", 0, |reader, spot| {
        reader.number(spot, -PRIORITY_MAX..=PRIORITY_MAX)
    });
    let weight = section.field(reader, "weight", 1, |reader, spot| {
        reader.number(spot, 1..=WEIGHT_MAX)
    });
    let proxy_url = section.optional(reader, "proxy-url", Reader::proxy_url);
    let attributes = section
        .optional(reader, "attributes", attributes)
        .unwrap_or_default();
    let disabled = section.field(reader, "disabled", false, Reader::flag);
    section.end(reader);
    Some(Credential {
        id: id?,
        api_key: api_key?,
        priority,
        weight,
        proxy_url,
        attributes,
        disabled,
    })
}

fn attributes(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<BTreeMap<String, String>> {
    let mut attributes = BTreeMap::new();
    for entry in entries(reader, spot)? {
        let below = Spot {
            name: join(&spot.name, &entry.key),
            node: &entry.node,
        };
        if let Some(text) = reader.text(&below) {
            attributes.insert(entry.key.clone(), text.to_owned());
        }
    }
    Some(attributes)
}

fn models(reader: &mut Reader<'_>, spot: &Spot<'_>) -> Option<Vec<Model>> {
    let mut names = Names::default();
    reader.list(spot, |reader, spot| {
        let mut read = |reader: &mut Reader<'_>, spot: &Spot<'_>| {
            let name = reader.line(spot)?;
            names.check(reader, spot, &name);
            Some(name)
        };
        let mut section = Section::open(reader, spot)?;
        let name = section.required(reader, "name", &mut read);
        let alias = section.optional(reader, "alias", &mut read);
        section.end(reader);
        Some(Model { name: name?, alias })
    })
}

fn unique(reader: &mut Reader<'_>, spot: &Spot<'_>, names: &mut Names) -> Option<String> {
    let name = reader.name(spot)?;
    names.check(reader, spot, &name);
    Some(name)
}

/// Weights are summed as 64-bit numbers; a million to one is as uneven as anybody needs.
const WEIGHT_MAX: u32 = 1_000_000;

/// Tiers are few; this is only wide enough for everybody's numbering.
const PRIORITY_MAX: i32 = 1_000_000;
