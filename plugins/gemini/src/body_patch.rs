//! Replaces the model's name in bodies. The bodies of two operations may repeat the name in the URL, and
//! must then have the same one (Gemini API, `models.countTokens`, `models.batchEmbedContents`).

use std::collections::BTreeMap;

use jackfield_plugin::encode::json_string;
use jackfield_plugin::executor::{Body, Patch, Target, client_body};
use serde_json::value::RawValue;

use crate::model_id;

/// Returns the client's body with the provider's name of the model wherever the body has one. It reads the
/// body only if the client used another name: a plan that read nothing is remembered for all clients.
pub(crate) fn patched_body(target: &Target) -> Body {
    if target.model == target.client_model {
        return Body::Original;
    }
    let name = json_string(&format!("models/{}", model_id(&target.model)));
    let mut patches: Vec<Patch> = ["/model", "/generateContentRequest/model"]
        .into_iter()
        .filter(|pointer| client_body::at(pointer).is_some())
        .map(|pointer| Patch::Replace((pointer.to_owned(), name.clone())))
        .collect();
    let requests = client_body::at("/requests");
    let requests = requests.and_then(|requests| replace_models(&requests, &name));
    patches.extend(requests.map(|requests| Patch::Replace(("/requests".to_owned(), requests))));
    if patches.is_empty() {
        return Body::Original;
    }
    Body::Patched(patches)
}

/// Replaces the name in each request of a batch that has one. Returns `None` if there is nothing to
/// replace. The caller makes one patch of it, because a batch may have more requests than the host allows
/// patches.
fn replace_models(requests: &str, name: &str) -> Option<String> {
    // Raw values, so that numbers and texts stay as the client wrote them.
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
