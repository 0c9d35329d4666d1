//! Each folder of `tests/cases/config` is a case: `config.yaml`, `env` (variables as `NAME=value`
//! and files as `/path=text`) and `expect.txt`, the configuration or its mistakes.
//! `UPDATE_GOLDENS=1` writes the last anew.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use secrecy::ExposeSecret;

use crate::{Config, ConfigErrors, Credential, Environment, Provider};

type CaseResult = Result<(), Box<dyn Error>>;

#[test]
fn cases_match_expected_output() -> CaseResult {
    let mut cases: Vec<PathBuf> = fs::read_dir(CASES)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    cases.sort();
    assert!(
        cases.len() >= 15,
        "only {} cases were found in {CASES}",
        cases.len()
    );
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|folder| check(folder).transpose())
        .collect::<Result<_, _>>()?;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// What is wrong with a case, if anything.
fn check(folder: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let environment = FakeEnvironment::read(folder)?;
    let loaded = environment.load();
    let found = match &loaded {
        Ok(config) => shown(config),
        Err(errors) => errors.to_string(),
    };
    let revealing = match &loaded {
        Ok(config) => format!("{config:?}"),
        Err(errors) => format!("{errors}\n{errors:?}"),
    };
    if revealing.contains(SECRET_MARK) {
        return Ok(Some(format!(
            "{}: shows a secret: {revealing}",
            folder.display()
        )));
    }
    let golden = folder.join("expect.txt");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&golden, format!("{}\n", found.trim_end()))?;
    }
    let expected = fs::read_to_string(&golden)
        .map_err(|error| format!("{}: {error}; run with UPDATE_GOLDENS=1", golden.display()))?;
    let same = expected.trim_end() == found.trim_end();
    let differs = || format!("{}: expected\n{expected}\nfound\n{found}", folder.display());
    Ok((!same).then(differs))
}

#[test]
fn names_unreadable_file() {
    let environment = FakeEnvironment {
        variables: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    let errors = environment
        .load()
        .map(drop)
        .map_err(|errors| errors.to_string());
    let expected =
        "config.yaml: cannot be read: entity not found; check the path and its permissions";
    assert_eq!(errors, Err(format!("/etc/jackfield/{expected}")));
}

#[test]
fn documented_example_is_valid() -> CaseResult {
    let page = include_str!("../../docs/configuration.md");
    let example = page
        .split("```yaml")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let environment = FakeEnvironment {
        variables: BTreeMap::from([("ACME_A".to_owned(), SECRET_MARK.to_owned())]),
        files: BTreeMap::from([(PathBuf::from(FILE), example.unwrap_or_default().to_owned())]),
    };
    environment.load()?;
    Ok(())
}

/// The selector that a configuration with these lines names.
fn selector(lines: &str) -> Result<String, Box<dyn Error>> {
    let mut environment = FakeEnvironment::read(&Path::new(CASES).join("minimal"))?;
    let file = environment.files.entry(PathBuf::from(FILE)).or_default();
    file.push_str(lines);
    Ok(environment.load()?.routing.selector)
}

#[test]
fn cliproxyapi_compat_1_3_default_selector_is_round_robin() -> CaseResult {
    assert_eq!(selector("")?, "round-robin");
    assert_eq!(selector("\nrouting: { selector: mine }\n")?, "mine");
    Ok(())
}

#[test]
fn cliproxyapi_compat_1_11_fill_first_has_three_spellings() -> CaseResult {
    for spelling in ["fill-first", "fillfirst", "ff"] {
        let named = selector(&format!("\nrouting: {{ selector: {spelling} }}\n"))?;
        assert_eq!(named, "fill-first", "{spelling}");
    }
    Ok(())
}

proptest! {
    /// Whatever is done to a file, reading it ends with a configuration or with mistakes, and what
    /// variables hold stays hidden.
    #[test]
    fn reader_accepts_any_text_without_panic(at in 0_usize..2_000, length in 0_usize..60, with in "[\\PC\n\t]{0,6}") {
        let mut environment = FakeEnvironment::read(&Path::new(CASES).join("full")).map_err(|error| failed(&*error))?;
        let path = Path::new(FILE).to_owned();
        let text = environment.files.get(&path).cloned().unwrap_or_default();
        let mut characters: Vec<char> = text.chars().collect();
        let from = at.min(characters.len());
        let to = (from + length).min(characters.len());
        characters.splice(from..to, with.chars());
        environment.files.insert(path, characters.into_iter().collect());

        let output = match environment.load() {
            Ok(config) => format!("{config:?}"),
            Err(errors) => {
                prop_assert!(!errors.to_string().is_empty());
                errors.to_string()
            }
        };
        prop_assert!(!output.contains(SECRET_MARK), "{}", output);
    }
}

fn failed(error: &dyn Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// Everything in a configuration, secrets included.
fn shown(config: &Config) -> String {
    let mut out = String::new();
    line(&mut out, 0, "listen", config.listen);
    if let Some(admin) = &config.admin {
        line(&mut out, 0, "admin", admin.listen);
        line(&mut out, 1, "token", admin.token.expose_secret());
    }
    for key in &config.client_keys {
        line(
            &mut out,
            0,
            "client-key",
            format!("{} {}", key.name, key.key.expose_secret()),
        );
    }
    line(&mut out, 0, "plugins", config.plugins.display());
    line(&mut out, 0, "data", config.data.display());
    for provider in &config.providers {
        show_provider(&mut out, provider);
    }
    show_storage(&mut out, config);
    show_names(&mut out, config);
    line(&mut out, 0, "routing", format!("{:?}", config.routing));
    line(&mut out, 0, "retry", format!("{:?}", config.retry));
    line(&mut out, 0, "timeouts", format!("{:?}", config.timeouts));
    line(&mut out, 0, "disable-cooling", config.disable_cooling);
    out
}

fn show_storage(out: &mut String, config: &Config) {
    line(out, 0, "store", format!("{:?}", config.store));
    if let Some(folder) = &config.credential_files {
        line(out, 0, "credential-files", folder.display());
    }
    if let Some(key) = &config.encryption_key {
        line(out, 0, "encryption-key", key.expose_secret());
    }
}

fn show_names(out: &mut String, config: &Config) {
    line(out, 0, "force-model-prefix", config.force_model_prefix);
    for (channel, aliases) in &config.channel_aliases {
        for entry in aliases {
            let text = format!(
                "{channel} {} -> {} fork={}",
                entry.alias, entry.name, entry.fork
            );
            line(out, 0, "channel-alias", text);
        }
    }
    for route in &config.routes {
        line(out, 0, "route", &route.name);
        for target in &route.targets {
            let (provider, model) = (&target.provider, &target.model);
            let text = format!("{provider} {model} {} {}", target.priority, target.weight);
            line(out, 1, "target", text);
        }
    }
    for (name, fallbacks) in &config.fallbacks {
        for fallback in fallbacks {
            line(
                out,
                0,
                "fallback",
                format!("{name} {} {:?}", fallback.model, fallback.on),
            );
        }
    }
}

fn show_provider(out: &mut String, provider: &Provider) {
    line(out, 0, "provider", &provider.name);
    line(out, 1, "executor", &provider.executor);
    line(out, 1, "base-url", &provider.base_url);
    line(out, 1, "settings", &provider.settings);
    for grant in &provider.grants {
        line(out, 1, "grant", grant);
    }
    optional(out, 1, "max-in-flight", provider.max_in_flight);
    optional(out, 1, "disable-cooling", provider.disable_cooling);
    optional(
        out,
        1,
        "refresh-lead",
        provider.refresh.lead.map(humantime::format_duration),
    );
    optional(
        out,
        1,
        "refresh-interval",
        provider.refresh.interval.map(humantime::format_duration),
    );
    for credential in &provider.credentials {
        show_credential(out, credential);
    }
    for model in &provider.models {
        line(out, 1, "model", format!("{} {:?}", model.name, model.alias));
    }
}

fn show_credential(out: &mut String, credential: &Credential) {
    line(out, 1, "credential", &credential.id);
    line(out, 2, "kind", credential.kind.label());
    for (name, secret) in &credential.secrets {
        line(out, 2, name, secret.expose_secret());
    }
    optional(out, 2, "label", credential.label.as_ref());
    optional(out, 2, "prefix", credential.prefix.as_ref());
    optional(out, 2, "expires-at", credential.expires_at);
    optional(out, 2, "max-in-flight", credential.max_in_flight);
    optional(out, 2, "rounds", credential.rounds);
    optional(out, 2, "disable-cooling", credential.disable_cooling);
    for model in &credential.models {
        line(out, 2, "model", format!("{} {:?}", model.name, model.alias));
    }
    line(out, 2, "priority", credential.priority);
    line(out, 2, "weight", credential.weight);
    if let Some(proxy_url) = &credential.proxy_url {
        line(out, 2, "proxy-url", proxy_url);
    }
    line(out, 2, "attributes", format!("{:?}", credential.attributes));
    line(out, 2, "disabled", credential.disabled);
}

fn optional(out: &mut String, depth: usize, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        line(out, depth, name, value);
    }
}

fn line(out: &mut String, depth: usize, name: &str, value: impl std::fmt::Display) {
    let indent = "  ".repeat(depth);
    writeln!(out, "{indent}{name}: {value}").unwrap();
}

/// Variables and files of a case.
struct FakeEnvironment {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl FakeEnvironment {
    fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(folder.join("config.yaml"))?;
        let mut environment = Self {
            variables: BTreeMap::new(),
            files: BTreeMap::from([(PathBuf::from(FILE), text)]),
        };
        let Ok(lines) = fs::read_to_string(folder.join("env")) else {
            return Ok(environment);
        };
        for line in lines.lines() {
            let (name, value) = line.split_once('=').ok_or("a line of `env` has no `=`")?;
            let value = value.replace("\\r", "\r").replace("\\n", "\n");
            if name.starts_with('/') {
                environment.files.insert(name.into(), value);
            } else {
                environment.variables.insert(name.to_owned(), value);
            }
        }
        Ok(environment)
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(Path::new(FILE), self)
    }
}

impl Environment for FakeEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/config");
const FILE: &str = "/etc/jackfield/config.yaml";

/// Every secret of the cases holds it, and nothing else does.
const SECRET_MARK: &str = "s3cr3t";
