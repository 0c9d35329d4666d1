//! The provider's settings and what follows from them.

use jackfield_plugin::executor::{Credential, Failure};
use jackfield_plugin::settings_json;
use serde::Deserialize;

use crate::Api;

/// The provider's settings. Others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Settings {
    /// The region for signatures; by default that of the credential or of the base URL.
    region: Option<String>,
    /// The API of all models.
    api: ApiChoice,
    /// The betas of clients that Bedrock gets. It refuses a request with one that it does not know ("invalid beta
    /// flag", anthropics/claude-code#56595), so by default it gets none.
    pub(crate) betas: Vec<String>,
}

/// Which API serves a model.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ApiChoice {
    /// By the model's name.
    #[default]
    Auto,
    Invoke,
    Converse,
}

impl Settings {
    pub(crate) fn read() -> Result<Self, Failure> {
        serde_json::from_str(&settings_json()).map_err(|error| {
            Failure::invalid_request(format!("invalid settings of the provider: {error}"))
        })
    }

    /// Returns the API of a model. The names of Claude's models have `anthropic.`, also those of inference profiles
    /// (Amazon Bedrock user guide, supported models); an ARN of a profile of one's own does not show its model.
    pub(crate) fn api_of(&self, model: &str) -> Api {
        match self.api {
            ApiChoice::Auto if model.contains("anthropic.") => Api::Invoke,
            ApiChoice::Auto | ApiChoice::Converse => Api::Converse,
            ApiChoice::Invoke => Api::Invoke,
        }
    }

    /// Returns the region: the attribute `region`, the setting, or that of the base URL.
    pub(crate) fn region(&self, credential: &Credential) -> Result<String, Failure> {
        let configured = credential.attribute("region").or(self.region.as_deref());
        let region = configured.or_else(|| region_of_url(&credential.base_url));
        region.map(str::to_owned).ok_or_else(|| {
            Failure::invalid_request(
                "the region is not known: set `region` in the settings of the provider",
            )
        })
    }
}

/// The region in `https://bedrock-runtime.REGION.amazonaws.com`, and in the names of FIPS endpoints and of China
/// (AWS general reference, Amazon Bedrock endpoints).
fn region_of_url(base_url: &str) -> Option<&str> {
    let (_, host) = base_url.split_once("://")?;
    let (service, rest) = host.split_once('.')?;
    let (region, domain) = rest.split_once('.')?;
    let is_endpoint = service.starts_with("bedrock-runtime") && domain.starts_with("amazonaws.com");
    is_endpoint.then_some(region)
}
