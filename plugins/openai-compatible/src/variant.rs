//! Variants: the differences of known providers, selected by the provider's settings. A new variant is a
//! case of [`VariantName`] and its row in [`properties`].

use jackfield_plugin::encode::path_segment;
use jackfield_plugin::executor::{Credential, Failure, HttpRequest};
use serde::Deserialize;

/// The provider's settings. Others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Settings {
    variant: Option<VariantName>,
    /// For Azure OpenAI: the version of the API.
    api_version: Option<String>,
    /// For OpenRouter: the URL of the site that the usage is counted for.
    http_referer: Option<String>,
    /// For OpenRouter: the name of that site.
    x_title: Option<String>,
}

/// The values of the setting `variant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VariantName {
    Azure,
    Groq,
    Ollama,
    OpenRouter,
    Vllm,
}

/// The differences of a provider.
struct Variant {
    /// The path of the API on its host. It is added to a base URL without a path.
    path_prefix: &'static str,
    /// The header for an API key; `None` for a bearer token.
    key_header: Option<&'static str>,
    /// Paths that the provider does not have.
    missing_paths: &'static [&'static str],
}

/// Returns the differences of a variant, from its documentation: Azure OpenAI, REST reference; Groq, OpenAI
/// compatibility; Ollama, OpenAI compatibility; OpenRouter, quickstart; vLLM, OpenAI-compatible server.
fn properties(name: Option<VariantName>) -> Variant {
    let plain = Variant {
        path_prefix: "",
        key_header: None,
        missing_paths: &[],
    };
    match name {
        None => plain,
        Some(VariantName::Azure) => Variant {
            path_prefix: "/openai/v1",
            key_header: Some("api-key"),
            ..plain
        },
        Some(VariantName::Groq) => Variant {
            path_prefix: "/openai/v1",
            missing_paths: &["/completions", "/embeddings"],
            ..plain
        },
        Some(VariantName::Ollama | VariantName::Vllm) => Variant {
            path_prefix: "/v1",
            ..plain
        },
        Some(VariantName::OpenRouter) => Variant {
            path_prefix: "/api/v1",
            ..plain
        },
    }
}

impl Settings {
    /// Parses and checks the settings, which are the text of a JSON object.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let settings: Self = serde_json::from_str(text).map_err(|error| {
            Failure::invalid_request(format!("invalid settings of the provider: {error}"))
        })?;
        let of = |name, value: &Option<String>| value.is_some() && settings.variant != Some(name);
        for (foreign, setting, variant) in [
            (
                of(VariantName::Azure, &settings.api_version),
                "api-version",
                "azure",
            ),
            (
                of(VariantName::OpenRouter, &settings.http_referer),
                "http-referer",
                "openrouter",
            ),
            (
                of(VariantName::OpenRouter, &settings.x_title),
                "x-title",
                "openrouter",
            ),
        ] {
            // Otherwise a provider of another variant would get Azure's URLs or OpenRouter's headers.
            if foreign {
                return Err(Failure::invalid_request(format!(
                    "the setting `{setting}` is only for the variant `{variant}`"
                )));
            }
        }
        Ok(settings)
    }

    /// Returns the header for an API key; `None` for a bearer token.
    pub(crate) fn key_header(&self) -> Option<&'static str> {
        properties(self.variant).key_header
    }

    /// Returns the URL of a path of the API. `model` is the model of the request, if it has one.
    pub(crate) fn url(
        &self,
        credential: &Credential,
        path: &str,
        model: Option<&str>,
    ) -> Result<String, Failure> {
        let Variant {
            path_prefix,
            missing_paths,
            ..
        } = properties(self.variant);
        let base = credential.base_url.as_str();
        if missing_paths.contains(&path) {
            let message = format!("this provider does not support `{path}`");
            return Err(Failure {
                kind: "unsupported".to_owned(),
                ..Failure::invalid_request(message)
            });
        }
        match self.api_version.as_deref() {
            None if has_path(base) => Ok(format!("{base}{path}")),
            None => Ok(format!("{base}{path_prefix}{path}")),
            Some(version) => azure_url(base, version, path, model),
        }
    }

    /// Adds the headers by which OpenRouter counts usage for a site.
    pub(crate) fn with_app_attribution(
        &self,
        request: HttpRequest,
    ) -> Result<HttpRequest, Failure> {
        request
            .optional_header("http-referer", self.http_referer.as_deref())?
            .optional_header("x-title", self.x_title.as_deref())
    }
}

/// Returns a URL of Azure OpenAI with an API version. With a date it has the classic form, whose path has
/// the deployment, that is, the model. The other versions need no deployment (Azure OpenAI, API version
/// lifecycle).
fn azure_url(
    base: &str,
    version: &str,
    path: &str,
    model: Option<&str>,
) -> Result<String, Failure> {
    let resource = base.strip_suffix("/openai/v1").unwrap_or(base);
    let resource = resource.strip_suffix("/openai").unwrap_or(resource);
    if matches!(version, "v1" | "preview") {
        return Ok(format!("{resource}/openai/v1{path}?api-version={version}"));
    }
    if !is_dated(version) {
        return Err(Failure::invalid_request(format!(
            "the setting `api-version` must be `v1`, `preview`, or a date such as `2024-10-21` or \
             `2025-04-01-preview`, not {version:?}"
        )));
    }
    let Some(model) = model else {
        return Ok(format!("{resource}/openai{path}?api-version={version}"));
    };
    let Some(deployment) = path_segment(model) else {
        return Err(Failure::invalid_request(format!(
            "{model:?} is not a valid deployment name"
        )));
    };
    Ok(format!(
        "{resource}/openai/deployments/{deployment}{path}?api-version={version}"
    ))
}

/// Returns true for a date, with or without `-preview` after it.
fn is_dated(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let shape = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    date.len() == "2024-10-21".len() && date.bytes().enumerate().all(shape)
}

/// Returns true if a base URL has a path.
fn has_path(base: &str) -> bool {
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    // The host gives base URLs without a slash at the end, so a slash begins a path.
    host.contains('/')
}
