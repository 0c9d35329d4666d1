//! The text of a configuration in the goldens: all that differs from the defaults, secrets included.

use std::fmt::{Debug, Display, Write};
use std::path::Path;

use jackfield_dialect::traits::TraitSet;
use jackfield_dispatch::TraitsConfig;
use jackfield_dispatch::snapshot::{RetryPolicy, Routing, Timeouts};
use jackfield_login::LoginSettings;
use secrecy::ExposeSecret;

use super::FILE;
use crate::{AddressHeader, Config, CredentialEntry, Limits, ListenAddress, Provider, StoreKind};

pub(super) fn shown(config: &Config) -> String {
    let mut out = Lines::default();
    let folder = Path::new(FILE).parent().unwrap();
    let listen = ListenAddress::Tcp(([127, 0, 0, 1], 8317).into());
    out.changed(0, "listen", &config.listen, &listen);
    out.changed(
        0,
        "socket-mode",
        &format!("{:o}", config.socket_mode),
        &"600".to_owned(),
    );
    out.changed(0, "proxy-protocol", &config.proxy_protocol, &false);
    if let Some(admin) = &config.admin {
        out.line(0, "admin", &admin.listen);
        out.changed(
            1,
            "socket-mode",
            &format!("{:o}", admin.socket_mode),
            &"600".to_owned(),
        );
        out.line(1, "token", admin.token.expose_secret());
    }
    for key in &config.client_keys {
        let key = format!("{} {}", key.name, key.key.expose_secret());
        out.line(0, "client-key", key);
    }
    for origin in &config.cors_origins {
        out.line(0, "cors-origin", origin);
    }
    for host in &config.allowed_hosts {
        out.line(0, "allowed-host", host);
    }
    for network in &config.trusted_proxies {
        out.line(0, "trusted-proxy", network);
    }
    for (name, digest) in &config.plugins_pinned {
        out.line(0, "plugin-pinned", format!("{name} {digest}"));
    }
    let found = config.client_address_header;
    out.changed_debug(
        0,
        "client-address-header",
        &found,
        &AddressHeader::default(),
    );
    let found = config.limits.request_body_bytes_max;
    let default = Limits::default().request_body_bytes_max;
    out.changed(0, "limits.request-body", &found, &default);
    let found = config.limits.memory_bytes_max;
    let default = Limits::default().memory_bytes_max;
    out.changed(0, "limits.memory", &found, &default);
    out.changed_debug(0, "plugins", &config.plugins, &folder.join("plugins"));
    out.changed_debug(0, "data", &config.data, &folder.join("data"));
    out.changed_debug(0, "store", &config.store, &StoreKind::Sqlite);
    let files = config.credential_files.as_ref();
    out.optional(0, "credential-files", files.map(|path| path.display()));
    out.changed(0, "strict-files", &config.strict_files, &false);
    let key = config.encryption_key.as_ref();
    out.optional(0, "encryption-key", key.map(|key| key.expose_secret()));
    for provider in &config.providers {
        show_provider(&mut out, provider);
    }
    show_names(&mut out, config);
    show_calls(&mut out, config);
    out.changed(0, "disable-cooling", &config.disable_cooling, &false);
    for warning in &config.warnings {
        out.line(0, "warning", warning);
    }
    out.0
}

fn show_names(out: &mut Lines, config: &Config) {
    out.changed(0, "force-model-prefix", &config.force_model_prefix, &false);
    for (channel, aliases) in &config.channel_aliases {
        for entry in aliases {
            let (alias, name, fork) = (&entry.alias, &entry.name, entry.fork);
            let text = format!("{channel} {alias} -> {name} fork={fork}");
            out.line(0, "channel-alias", text);
        }
    }
    for route in &config.routes {
        out.line(0, "route", &route.name);
        for target in &route.targets {
            let (provider, model) = (&target.provider, &target.model);
            let text = format!("{provider} {model} {} {}", target.priority, target.weight);
            out.line(1, "target", text);
        }
    }
    for (name, fallbacks) in &config.routing.fallbacks {
        for fallback in fallbacks {
            let text = format!("{name} {} {:?}", fallback.model, fallback.on);
            out.line(0, "fallback", text);
        }
    }
}

fn show_calls(out: &mut Lines, config: &Config) {
    let (routing, default) = (&config.routing, Routing::default());
    out.changed(0, "routing.selector", &routing.selector, &default.selector);
    out.changed(0, "routing.settings", &routing.settings, &default.settings);
    out.changed_debug(0, "routing.affinity", &routing.affinity, &default.affinity);
    let (found, timeout) = (&routing.queue_timeout, &default.queue_timeout);
    out.changed_debug(0, "routing.queue-timeout", found, timeout);
    let (retry, default) = (&config.retry, RetryPolicy::default());
    out.changed(0, "retry.rounds", &retry.rounds, &default.rounds);
    out.changed_debug(0, "retry.max-wait", &retry.max_wait, &default.max_wait);
    let (found, all) = (retry.max_credentials, default.max_credentials);
    out.changed(0, "retry.max-credentials", &found, &all);
    out.changed_debug(0, "retry.budget", &retry.budget, &default.budget);
    let (timeouts, default) = (&config.timeouts, Timeouts::default());
    for (name, found, default) in [
        ("timeouts.connect", timeouts.connect, default.connect),
        (
            "timeouts.first-byte",
            timeouts.first_byte,
            default.first_byte,
        ),
        ("timeouts.per-try", timeouts.per_try, default.per_try),
        (
            "timeouts.client-head",
            timeouts.client_head,
            default.client_head,
        ),
        (
            "timeouts.client-stall",
            timeouts.client_stall,
            default.client_stall,
        ),
        ("timeouts.idle", timeouts.idle, default.idle),
        ("timeouts.total", timeouts.total, default.total),
    ] {
        out.changed_debug(0, name, &found, &default);
    }
    out.changed_debug(0, "timeouts.stream", &timeouts.stream, &default.stream);
}

fn show_provider(out: &mut Lines, provider: &Provider) {
    let endpoint = &provider.endpoint;
    out.line(0, "provider", &provider.name);
    out.line(1, "executor", &endpoint.executor);
    out.line(1, "base-url", &endpoint.base_url);
    out.changed(1, "settings", endpoint.settings.as_ref(), "{}");
    let traits = endpoint.traits.config();
    if *traits != TraitsConfig::default() {
        let server = traits.server.as_deref().unwrap_or("-");
        out.line(1, "traits", format!("{server} {}", json(&traits.provider)));
    }
    for (model, set) in &traits.models {
        out.line(1, "traits-of-model", format!("{model} {}", json(set)));
    }
    for grant in &endpoint.grants {
        out.line(1, "grant", grant);
    }
    for pattern in &endpoint.client_headers {
        out.line(1, "client-header", pattern);
    }
    out.optional(1, "max-in-flight", provider.max_in_flight);
    out.optional(1, "disable-cooling", provider.disable_cooling);
    let refresh = &provider.refresh;
    let lead = refresh.lead.map(humantime::format_duration);
    out.optional(1, "refresh-lead", lead);
    let interval = refresh.interval.map(humantime::format_duration);
    out.optional(1, "refresh-interval", interval);
    if let Some(login) = &endpoint.login {
        show_login(out, login);
    }
    for credential in &provider.credentials {
        show_credential(out, credential);
    }
    for model in &provider.models {
        out.line(1, "model", format!("{} {:?}", model.name, model.alias));
    }
    out.optional(
        1,
        "discovery",
        provider.discovery.as_ref().map(|it| format!("{it:?}")),
    );
}

fn show_login(out: &mut Lines, login: &LoginSettings) {
    out.line(1, "login", &login.token_url);
    let client = &login.client;
    out.line(
        2,
        "client",
        format!("{} {:?}", client.id, client.authentication),
    );
    let secret = client.secret.as_ref().map(ExposeSecret::expose_secret);
    out.optional(2, "client-secret", secret);
    out.optional(2, "authorization-url", login.authorization_url.as_ref());
    out.optional(
        2,
        "device-authorization-url",
        login.device_authorization_url.as_ref(),
    );
    for origin in &login.verification_origins {
        out.line(2, "verification-origin", origin);
    }
    out.optional(2, "issuer", login.issuer.as_ref());
    for scope in &login.scopes {
        out.line(2, "scope", scope);
    }
    for (name, value) in &login.parameters {
        out.line(2, "parameter", format!("{name}={value}"));
    }
    for (name, value) in &login.token_parameters {
        out.line(2, "token-parameter", format!("{name}={value}"));
    }
    out.line(2, "redirect", login.redirect.uri(login.redirect.port));
    for member in [&login.account_from, &login.label_from]
        .into_iter()
        .flatten()
    {
        out.line(2, "member", format!("{member:?}"));
    }
}

fn json(set: &TraitSet) -> String {
    serde_json::to_string(set).unwrap_or_default()
}

fn show_credential(out: &mut Lines, entry: &CredentialEntry) {
    let credential = &entry.credential;
    out.line(1, "credential", &credential.id);
    out.changed(2, "kind", credential.kind.label(), "api-key");
    for (name, secret) in &entry.secrets {
        out.line(2, name, secret.expose_secret());
    }
    out.optional(2, "label", credential.label.as_ref());
    out.optional(2, "prefix", credential.prefix.as_ref());
    out.optional(2, "expires-at", entry.expires_at);
    out.optional(2, "max-in-flight", credential.in_flight_max);
    out.optional(2, "rounds", credential.rounds);
    out.optional(2, "disable-cooling", credential.disable_cooling);
    for model in &entry.models {
        out.line(2, "model", format!("{} {:?}", model.name, model.alias));
    }
    out.changed(2, "priority", &credential.priority, &0);
    out.changed(2, "weight", &credential.weight, &1);
    let proxy = entry.proxy.as_ref();
    out.optional(2, "proxy-url", proxy.map(|url| url.expose_secret()));
    let attributes = &credential.attributes;
    out.changed_debug(2, "attributes", attributes, &Default::default());
    out.changed(2, "disabled", &!credential.enabled, &false);
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, depth: usize, name: &str, value: impl Display) {
        let indent = "  ".repeat(depth);
        writeln!(self.0, "{indent}{name}: {value}").unwrap();
    }

    fn optional(&mut self, depth: usize, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.line(depth, name, value);
        }
    }

    fn changed<T: Display + PartialEq + ?Sized>(
        &mut self,
        depth: usize,
        name: &str,
        value: &T,
        default: &T,
    ) {
        if value != default {
            self.line(depth, name, value);
        }
    }

    fn changed_debug<T: Debug + PartialEq>(
        &mut self,
        depth: usize,
        name: &str,
        value: &T,
        default: &T,
    ) {
        if value != default {
            self.line(depth, name, format!("{value:?}"));
        }
    }
}
