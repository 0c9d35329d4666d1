//! Tests of the naming rules, one by one, and of their invariants.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[test]
fn cliproxyapi_compat_1_12_prefix_adds_a_name() {
    let fixture = Fixture::new(&["m", "n=fast"]).prefix("team-a");
    assert_eq!(
        fixture.names(),
        names(&[
            ("m", "m"),
            ("team-a/m", "m"),
            ("n", "n"),
            ("fast", "n"),
            ("team-a/n", "n"),
            ("team-a/fast", "n")
        ])
    );
}

#[test]
fn cliproxyapi_compat_1_12_forced_prefix_replaces_the_name() {
    let fixture = Fixture::new(&["m", "n=fast"]).prefix("team-a").force();
    assert_eq!(
        fixture.names(),
        names(&[("team-a/m", "m"), ("team-a/n", "n"), ("team-a/fast", "n")])
    );
}

#[test]
fn cliproxyapi_compat_1_12_forced_prefix_exempts_model_named_like_it() {
    let fixture = Fixture::new(&["m", "n"]).prefix("m").force();
    assert_eq!(
        fixture.names(),
        names(&[("m", "m"), ("m/m", "m"), ("m/n", "n")])
    );
}

#[test]
fn cliproxyapi_compat_1_12_forced_prefix_ignores_credentials_without_prefix() {
    assert_eq!(Fixture::new(&["m"]).force().names(), names(&[("m", "m")]));
}

#[test]
fn cliproxyapi_compat_1_12_strips_leading_prefix_before_name_lookup() {
    let fixture = Fixture::new(&["team/m", "m"]).prefix("team");
    assert_eq!(
        fixture.names(),
        names(&[("m", "m"), ("team/m", "m"), ("team/team/m", "team/m"),])
    );
}

#[test]
fn cliproxyapi_compat_1_12_trims_spaces_and_slashes_from_prefix() {
    for (text, expected) in [
        ("team", Ok(Some("team"))),
        (" /team/ ", Ok(Some("team"))),
        ("//team//", Ok(Some("team"))),
        ("/ team /", Ok(Some("team"))),
        ("", Ok(None)),
        (" / ", Ok(None)),
        ("a/b", Err(SlashInPrefix)),
        ("/a/b/", Err(SlashInPrefix)),
    ] {
        assert_eq!(normalize_prefix(text), expected, "{text:?}");
    }
}

#[test]
fn cliproxyapi_compat_1_12_credential_models_replace_provider_models() {
    let mut fixture = Fixture::new(&["m=fast"]);
    fixture.own = models(&["o=fast"]);
    assert_eq!(fixture.names(), names(&[("o", "o"), ("fast", "o")]));
}

#[test]
fn cliproxyapi_compat_1_12_first_alias_wins_case_insensitively() {
    let fixture = Fixture::new(&["m=Fast", "n=fast", "o"]);
    assert_eq!(
        fixture.names(),
        names(&[
            ("m", "m"),
            ("Fast", "m"),
            ("n", "n"),
            ("fast", "m"),
            ("o", "o")
        ])
    );
}

#[test]
fn cliproxyapi_compat_1_12_alias_wins_over_model_name() {
    let fixture = Fixture::new(&["n", "m=N"]);
    assert_eq!(
        fixture.names(),
        names(&[("n", "m"), ("m", "m"), ("N", "m")])
    );
}

#[test]
fn cliproxyapi_compat_1_12_channel_alias_replaces_the_name() {
    let fixture = Fixture::new(&["m", "n"]).alias("M", "short", false);
    assert_eq!(fixture.names(), names(&[("short", "m"), ("n", "n")]));
}

#[test]
fn cliproxyapi_compat_1_12_forked_alias_adds_a_name() {
    let fixture = Fixture::new(&["m", "n"]).alias("m", "short", true);
    assert_eq!(
        fixture.names(),
        names(&[("m", "m"), ("short", "m"), ("n", "n")])
    );
}

#[test]
fn cliproxyapi_compat_1_12_skips_blank_and_unused_channel_entries() {
    let fixture = Fixture::new(&["m", "n"])
        .alias(" ", "a", false)
        .alias("m", " ", false)
        .alias("m", "M", false)
        .alias("not-served", "b", false);
    assert_eq!(fixture.names(), names(&[("m", "m"), ("n", "n")]));
}

#[test]
fn cliproxyapi_compat_1_12_first_channel_alias_wins_case_insensitively() {
    let fixture = Fixture::new(&["m", "n"])
        .alias("m", "Short", true)
        .alias("n", "short", false);
    assert_eq!(
        fixture.names(),
        names(&[("m", "m"), ("Short", "m"), ("n", "n")])
    );
}

#[test]
fn cliproxyapi_compat_1_12_channel_aliases_precede_listed_aliases() {
    let fixture = Fixture::new(&["m=fast"]).alias("fast", "quick", false);
    assert_eq!(fixture.names(), names(&[("m", "m"), ("quick", "m")]));
}

#[test]
fn cliproxyapi_compat_1_12_channel_alias_may_shadow_another_model() {
    let swap = Fixture::new(&["m", "n"])
        .alias("m", "n", false)
        .alias("n", "m", false);
    assert_eq!(swap.names(), names(&[("m", "n"), ("n", "m")]));
}

#[test]
fn cliproxyapi_compat_1_12_configured_suffix_is_sent_upstream() {
    let fixture = Fixture::new(&["m", "n"]).alias("m(high)", "deep", false);
    assert_eq!(
        fixture.names(),
        names(&[("m", "m"), ("n", "n"), ("deep", "m(high)")])
    );
}

#[test]
fn cliproxyapi_compat_1_12_channel_depends_on_provider_and_kind() {
    for provider in ["vertex", "claude", "codex", " Claude "] {
        let channel = provider.trim().to_lowercase();
        assert_eq!(
            oauth_model_alias_channel(provider, "oauth"),
            Some(&*channel)
        );
        assert_eq!(oauth_model_alias_channel(provider, ""), Some(&*channel));
        assert_eq!(oauth_model_alias_channel(provider, "apikey"), None);
        assert_eq!(oauth_model_alias_channel(provider, "APIKEY"), None);
    }
    for provider in ["gemini-cli", "aistudio", "antigravity", "qwen", "iflow"] {
        for kind in ["oauth", "apikey", ""] {
            assert_eq!(oauth_model_alias_channel(provider, kind), Some(provider));
        }
    }
    for provider in ["gemini", "openai", "acme", ""] {
        for kind in ["oauth", "apikey", ""] {
            assert_eq!(oauth_model_alias_channel(provider, kind), None);
        }
    }
    for channel in oauth_model_alias_channels() {
        assert_eq!(oauth_model_alias_channel(channel, "oauth"), Some(channel));
    }
}

#[test]
fn a_route_is_served_by_its_targets_alone() {
    let fixture = Fixture::new(&["m=fast", "n"]).route("fast", &[("other", "m")]);
    assert_eq!(fixture.names(), names(&[("m", "m"), ("n", "n")]));
    let fixture = Fixture::new(&["m=fast", "n"]).route("fast", &[("other", "m"), ("acme", "n")]);
    assert_eq!(
        fixture.names(),
        names(&[("m", "m"), ("n", "n"), ("fast", "n")])
    );
}

#[test]
fn a_target_has_its_own_priority_and_weight() {
    let mut fixture = Fixture::new(&["m"]).route("smart", &[("acme", "m")]);
    for target in fixture
        .routes
        .iter_mut()
        .flat_map(|route| &mut route.targets)
    {
        (target.priority, target.weight) = (-2, 7);
    }
    let shares = |served: &Served| (served.names.clone(), served.priority, served.weight);
    let shares: Vec<_> = fixture.serves().iter().map(shares).collect();
    let expected = [(vec!["m".into()], 0, 1), (vec!["smart".into()], -2, 7)];
    assert_eq!(shares, expected);
}

#[test]
fn a_route_may_have_several_models_of_a_provider() {
    let targets = [
        ("acme", "m"),
        ("other", "o"),
        ("acme", "fast"),
        ("acme", "m"),
    ];
    let fixture = Fixture::new(&["m", "n=fast"]).route("smart", &targets);
    let serves = fixture.serves().into_iter();
    let smart = serves.filter(|served| served.names == ["smart".into()]);
    let models: Vec<_> = smart.map(|served| served.upstream).collect();
    assert_eq!(models, ["m".into(), "n".into()]);
}

#[test]
fn a_target_may_be_named_by_its_alias() {
    let fixture = Fixture::new(&["m=fast"]).route("smart", &[("acme", "fast")]);
    assert_eq!(
        fixture.names(),
        names(&[("m", "m"), ("fast", "m"), ("smart", "m")])
    );
}

#[test]
fn skips_route_to_unserved_model() {
    let mut fixture = Fixture::new(&["m"]).route("smart", &[("acme", "m")]);
    fixture.own = models(&["o"]);
    assert_eq!(fixture.names(), names(&[("o", "o")]));
}

#[test]
fn a_route_without_targets_changes_no_names() {
    let fixture = Fixture::new(&["m"]).route("m", &[]);
    assert_eq!(fixture.names(), names(&[("m", "m")]));
}

#[test]
fn a_routes_name_is_prefixed_like_any_other() {
    let fixture = Fixture::new(&["m"]).route("smart", &[("acme", "m")]);
    let expected = [("m", "m"), ("t/m", "m"), ("smart", "m"), ("t/smart", "m")];
    assert_eq!(fixture.clone().prefix("t").names(), names(&expected));
    let expected = [("t/m", "m"), ("t/smart", "m")];
    assert_eq!(
        fixture.clone().prefix("t").force().names(),
        names(&expected)
    );
    // Another route of that name has its own targets only.
    let fixture = fixture.route("t/smart", &[("other", "x")]).prefix("t");
    let expected = [("m", "m"), ("t/m", "m"), ("smart", "m")];
    assert_eq!(fixture.names(), names(&expected));
}

#[test]
fn non_target_credential_serves_prefixed_name() {
    let fixture = Fixture::new(&["m"])
        .prefix("t")
        .route("m", &[("other", "x")]);
    assert_eq!(fixture.names(), names(&[("t/m", "m")]));
}

proptest! {
    /// Names are unique for each model, and every one leads to a model of the list.
    #[test]
    fn names_are_distinct_and_lead_to_listed_models(fixture in fixtures()) {
        let mut seen = BTreeSet::new();
        let listed = if fixture.own.is_empty() { &fixture.models } else { &fixture.own };
        for served in fixture.serves() {
            prop_assert!(!served.names.is_empty());
            let base = split_suffix(&served.upstream).0.to_owned();
            prop_assert!(listed.iter().any(|model| *model.name == base), "{base}");
            for name in served.names {
                let entry = (Arc::clone(&name), Arc::clone(&served.upstream));
                prop_assert!(seen.insert(entry), "{name} is listed twice");
            }
        }
    }

    /// A forced prefix removes all names without it. One that is not forced only adds names.
    #[test]
    fn prefixes_add_or_replace(fixture in fixtures()) {
        let mut bare = fixture.clone();
        bare.prefix = None;
        // Names that begin with the prefix themselves are an exception, tested above.
        let bare = bare.names();
        let routes = fixture.routes.iter().map(|route| route.name.to_string());
        prop_assume!(!bare.keys().cloned().chain(routes).any(|name| name.starts_with("t/")));
        let mut with = fixture;
        with.prefix = Some("t".to_owned());
        for forced in [false, true] {
            with.forced = forced;
            let names = with.names();
            for (name, model) in &bare {
                prop_assert_eq!(names.get(&format!("t/{name}")), Some(model));
                let plain = names.get(name);
                let unprefixed = !forced || name == "t";
                prop_assert_eq!(plain, unprefixed.then_some(model));
            }
        }
    }

    /// A name with targets is served by exactly those targets that have the model.
    #[test]
    fn only_route_targets_serve_routed_names(fixture in fixtures()) {
        let mut fixture = fixture;
        fixture.prefix = None;
        let listed = if fixture.own.is_empty() { fixture.models.clone() } else { fixture.own.clone() };
        let names = fixture.names();
        let mut seen = BTreeSet::new();
        for route in fixture.routes.iter().filter(|route| !route.targets.is_empty()) {
            if !seen.insert(Arc::clone(&route.name)) { continue; }
            let mut targets = route.targets.iter();
            let has = |target: &RouteTarget| target.provider.as_str() == "acme" && listed.iter().any(|model| {
                model.name == target.model || model.alias.as_ref() == Some(&target.model)
            });
            prop_assert_eq!(names.contains_key(&*route.name), targets.any(has));
        }
    }

    /// Without channel and routes, every name of a list is served.
    #[test]
    fn every_listed_name_is_served(fixture in fixtures()) {
        let mut fixture = fixture;
        fixture.channel.clear();
        fixture.routes.clear();
        fixture.forced = false;
        let names = fixture.names();
        let listed = if fixture.own.is_empty() { &fixture.models } else { &fixture.own };
        for model in listed {
            prop_assert!(names.contains_key(&*model.name));
            if let Some(alias) = &model.alias {
                prop_assert!(names.contains_key(&**alias));
            }
        }
    }

    /// Normalizing a prefix twice changes nothing, and adds no text.
    #[test]
    fn a_normal_prefix_stays_as_it_is(text in "[ /a-c]{0,8}") {
        if let Ok(Some(prefix)) = normalize_prefix(&text) {
            prop_assert!(text.contains(prefix));
            prop_assert_eq!(normalize_prefix(prefix), Ok(Some(prefix)));
        }
    }
}

/// The naming rules of a credential of the provider `acme`.
#[derive(Clone, Debug, Default)]
struct Fixture {
    models: Vec<NamedModel>,
    own: Vec<NamedModel>,
    prefix: Option<String>,
    forced: bool,
    channel: Vec<ChannelAlias>,
    routes: Vec<Route>,
}

impl Fixture {
    fn new(provider_models: &[&str]) -> Self {
        Self {
            models: models(provider_models),
            ..Self::default()
        }
    }

    fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    fn force(mut self) -> Self {
        self.forced = true;
        self
    }

    fn alias(mut self, name: &str, alias: &str, fork: bool) -> Self {
        let (name, alias) = (name.into(), alias.into());
        self.channel.push(ChannelAlias { name, alias, fork });
        self
    }

    fn route(mut self, name: &str, targets: &[(&str, &str)]) -> Self {
        let target = |&(provider, model): &(&str, &str)| RouteTarget {
            provider: provider.into(),
            model: model.into(),
            priority: 0,
            weight: 1,
        };
        self.routes.push(Route {
            name: name.into(),
            targets: targets.iter().map(target).collect(),
        });
        self
    }

    fn serves(&self) -> Vec<Served> {
        let rules = NamingRules {
            provider: &"acme".into(),
            own_models: &self.own,
            provider_models: &self.models,
            prefix: self.prefix.as_deref(),
            force_prefix: self.forced,
            channel: &self.channel,
            routes: &self.routes,
        };
        rules.serves()
    }

    /// Returns each name with its model.
    fn names(&self) -> BTreeMap<String, String> {
        let of = |served: Served| {
            let model = served.upstream;
            let named = move |name: Arc<str>| (name.to_string(), model.to_string());
            served.names.into_iter().map(named)
        };
        self.serves().into_iter().flat_map(of).collect()
    }
}

/// Parses models written as `name` or `name=alias`.
fn models(list: &[&str]) -> Vec<NamedModel> {
    let model = |text: &&str| match text.split_once('=') {
        Some((name, alias)) => NamedModel {
            name: name.into(),
            alias: Some(alias.into()),
        },
        None => NamedModel {
            name: (*text).into(),
            alias: None,
        },
    };
    list.iter().map(model).collect()
}

fn names(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter()
        .map(|(name, model)| ((*name).to_owned(), (*model).to_owned()))
        .collect()
}

/// Few words, so that they collide.
fn any_name() -> impl Strategy<Value = Arc<str>> {
    "[abAB]|t|t/a|m[12]".prop_map(Arc::from)
}

fn model_lists() -> impl Strategy<Value = Vec<NamedModel>> {
    let model = (any_name(), proptest::option::of(any_name()));
    let model = model.prop_map(|(name, alias)| NamedModel { name, alias });
    proptest::collection::vec(model, 0..5)
}

fn fixtures() -> impl Strategy<Value = Fixture> {
    let alias = (any_name(), any_name(), any::<bool>(), any::<bool>()).prop_map(
        |(name, alias, fork, deep)| {
            let name = if deep {
                format!("{name}(high)").into()
            } else {
                name
            };
            ChannelAlias { name, alias, fork }
        },
    );
    let target = ("acme|other", any_name()).prop_map(|(provider, model)| RouteTarget {
        provider: provider.into(),
        model,
        priority: 0,
        weight: 1,
    });
    let route = (any_name(), proptest::collection::vec(target, 0..3));
    let route = route.prop_map(|(name, targets)| Route { name, targets });
    (
        model_lists(),
        model_lists(),
        proptest::option::of("t|b".prop_map(String::from)),
        any::<bool>(),
        proptest::collection::vec(alias, 0..4),
        proptest::collection::vec(route, 0..3),
    )
        .prop_map(|(models, own, prefix, forced, channel, routes)| Fixture {
            models,
            own,
            prefix,
            forced,
            channel,
            routes,
        })
}
