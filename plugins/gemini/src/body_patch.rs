//! The model's name inside bodies. The bodies of two operations may repeat the URL's, and have to
//! agree with it (Gemini API, `models.countTokens`, `models.batchEmbedContents`).

use std::collections::BTreeMap;

use jackfield_plugin::encode::json_string;
use jackfield_plugin::executor::{Body, Context, Patch, client_body};
use serde_json::value::RawValue;

use crate::model_id;

/// The client's body, with the provider's name of the model where it has one. A body is read only
/// if the client used another name.
pub(crate) fn patched_body(context: &Context) -> Body {
    if context.model == context.client_model {
        return Body::Original;
    }
    let name = json_string(&format!("models/{}", model_id(&context.model)));
    let mut patches: Vec<Patch> = ["/model", "/generateContentRequest/model"]
        .into_iter()
        .filter(|place| client_body::at(place).is_some())
        .map(|place| Patch::Replace((place.to_owned(), name.clone())))
        .collect();
    let requests = client_body::at("/requests");
    let requests = requests.and_then(|requests| replace_models(&requests, &name));
    patches.extend(requests.map(|requests| Patch::Replace(("/requests".to_owned(), requests))));
    if patches.is_empty() {
        return Body::Original;
    }
    Body::Patched(patches)
}

/// A batch of requests with this name in each that has one; none where that changes nothing. One
/// patch for all of them: a batch may have more than the host takes patches.
fn replace_models(requests: &str, name: &str) -> Option<String> {
    let mut requests: Vec<BTreeMap<String, &RawValue>> = serde_json::from_str(requests).ok()?;
    let name: &RawValue = serde_json::from_str(name).ok()?;
    let mut changed = false;
    for request in &mut requests {
        if let Some(model) = request.get_mut("model") {
            *model = name;
            changed = true;
        }
    }
    changed.then(|| serde_json::to_string(&requests).ok())?
}
