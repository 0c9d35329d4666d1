//! The plugins that a configuration names and that do not exist, for `config check`.

use std::collections::BTreeSet;

use jackfield_config::Config;
use jackfield_runtime::plugin_names;

use crate::built_in::BUILT_IN;

/// Returns a sentence for each plugin that the configuration names and that is neither built in nor in the plugin
/// folder. Whether a file is a plugin of the right kind, `jackfield plugin list` says.
pub(crate) fn missing_plugins(config: &Config) -> Vec<String> {
    let folder = config.plugins.display();
    let files = match plugin_names(&config.plugins) {
        Ok(files) => files,
        Err(error) => {
            return vec![format!(
                "the plugin folder {folder} cannot be read: {error}"
            )];
        }
    };
    let built_in = BUILT_IN.iter().map(|(name, _)| (*name).to_owned());
    let known: BTreeSet<String> = built_in.chain(files).collect();
    let executors = config.providers.iter().map(|provider| {
        let place = format!("provider `{}`", provider.name);
        (place, "executor", provider.endpoint.executor.as_ref())
    });
    let selector = (
        "`routing.selector`".to_owned(),
        "selector",
        config.routing.selector.as_ref(),
    );
    let uses = executors.chain([selector]);
    let missing = uses.filter(|(_, _, name)| !known.contains(*name));
    let message = |(place, kind, name): (String, &str, &str)| {
        let near = known
            .iter()
            .map(|known| (strsim::osa_distance(name, known), known))
            .filter(|(distance, _)| *distance <= name.len() / 3)
            .min();
        let advice = match near {
            Some((_, near)) => format!("did you mean `{near}`?"),
            None => format!("add {folder}/{name}.wasm, or take one of {}", list(&known)),
        };
        format!("{place}: there is no {kind} `{name}`; {advice}")
    };
    missing.map(message).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
