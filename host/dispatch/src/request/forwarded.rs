//! Headers and query parameters of the client that a plan passes on. The plugin names them and does not see
//! them.

use http::HeaderMap;
use url::Url;

use crate::plan::{Context, PlannedRequest};

/// What of a client's request a plan may pass on: what the host's allow-lists let through.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Forwardable<'a> {
    headers: Option<&'a HeaderMap>,
    query: &'a [(&'static str, &'static str)],
}

impl<'a> Forwardable<'a> {
    /// What the client of an attempt sent.
    pub(crate) fn of(context: &'a Context) -> Self {
        Self::new(&context.headers, &context.query)
    }

    /// These headers and parameters.
    pub(super) fn new(headers: &'a HeaderMap, query: &'a [(&'static str, &'static str)]) -> Self {
        Self {
            headers: Some(headers),
            query,
        }
    }

    /// Copies what a plan names. A copied header or parameter replaces the plan's own.
    pub(super) fn forward(self, plan: &PlannedRequest, headers: &mut HeaderMap, url: &mut Url) {
        if let Some(sent) = self.headers
            && !plan.forward_headers.is_empty()
        {
            for name in sent.keys() {
                if names(&plan.forward_headers, name.as_str()) {
                    headers.remove(name);
                    for value in sent.get_all(name) {
                        headers.append(name, value.clone());
                    }
                }
            }
        }
        for (name, value) in self.query {
            if names(&plan.forward_query, name) {
                let others: Vec<(String, String)> = url
                    .query_pairs()
                    .filter(|(own, _)| own != name)
                    .map(|(own, value)| (own.into_owned(), value.into_owned()))
                    .collect();
                let mut pairs = url.query_pairs_mut();
                pairs.clear().extend_pairs(others);
                pairs.append_pair(name, value);
            }
        }
    }
}

/// Whether one of these patterns names it: a name, or the beginning of one and `*`.
fn names(patterns: &[String], name: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        })
}
