//! Families of servers, and what they refuse: data in `families`, written from the providers' documents and from
//! public reports, not from the code that writes the requests. `families/README.md` describes the format.

mod condition;
mod node;
mod pairs;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use condition::Condition;
use node::{Node, nodes};

/// A family of servers.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServerFamily {
    /// The name: that of the file, and of the path `/families/NAME`.
    pub family: String,
    /// The dialect, by its name.
    pub dialect: String,
    /// Which servers and models belong to it.
    pub description: String,
    /// Servers of the family, for comparisons with tables of servers.
    pub servers: Vec<FamilyServer>,
    /// The name of another family whose rules hold too, after these.
    #[serde(default)]
    extends: Option<String>,
    /// The body of an error. `{message}`, `{param}`, `{code}` and `{type}` are replaced.
    error: Value,
    /// What it refuses, in the order in which the server checks.
    pub rules: Vec<FamilyRule>,
}

/// A server of a family.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FamilyServer {
    /// The host and the port, if that is not the scheme's own.
    pub authority: String,
    /// A model that it serves.
    pub model: String,
}

/// One thing that a family refuses.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FamilyRule {
    /// The name, unique in the family.
    pub name: String,
    /// What Jackfield's table of traits must say of the family's servers, by the names there: a list of the values
    /// with which requests keep the rule, or `{"at-most": NUMBER}`, `{"at-least": NUMBER}`.
    #[serde(default)]
    pub traits: BTreeMap<String, Value>,
    /// The models, with `*` for any characters; none for all.
    #[serde(default)]
    models: Vec<String>,
    /// The places that are checked: names, indexes, `*` for all of a list or an object, `**` for any depth.
    at: String,
    /// A condition on the whole request.
    #[serde(default)]
    when: Option<Condition>,
    /// The condition under which a place is refused.
    #[serde(rename = "if")]
    condition: Condition,
    /// The server's sentence. `{path}`, `{dots}`, `{name}`, `{value}`, `{length}`, `{index}`, `{model}` are replaced.
    message: String,
    #[serde(default = "bad_request")]
    status: u16,
    #[serde(default)]
    code: Option<String>,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    /// Where that is from: addresses of pages, or `owner/repository#number`.
    pub sources: Vec<String>,
}

/// The error with which a family refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the rule.
    pub rule: String,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl ServerFamily {
    /// All families, by their names.
    #[must_use]
    pub fn all() -> &'static BTreeMap<String, Self> {
        &FAMILIES
    }

    /// Checks a request. `model` is the one in the path, for dialects that have it there.
    ///
    /// # Errors
    /// If the servers of the family refuse it.
    pub fn check(&self, body: &Value, model: Option<&str>) -> Result<(), Refusal> {
        let model = model.or_else(|| body["model"].as_str()).unwrap_or_default();
        for rule in &self.rules {
            if let Some(refusal) = rule.refusal(self, body, model) {
                return Err(refusal);
            }
        }
        match &self.extends {
            Some(name) => FAMILIES
                .get(name)
                .map_or(Ok(()), |it| it.check(body, Some(model))),
            None => Ok(()),
        }
    }

    /// The rules of the family and of the ones that it extends.
    pub fn all_rules(&self) -> Vec<&FamilyRule> {
        let more = self.extends.as_ref().and_then(|name| FAMILIES.get(name));
        let more = more.map(Self::all_rules).unwrap_or_default();
        self.rules.iter().chain(more).collect()
    }
}

impl FamilyRule {
    /// Whether the rule is about a model.
    pub fn is_about(&self, model: &str) -> bool {
        let is_of = |pattern: &String| node::matches(pattern, model);
        self.models.is_empty() || self.models.iter().any(is_of)
    }

    fn refusal(&self, family: &ServerFamily, body: &Value, model: &str) -> Option<Refusal> {
        if !self.is_about(model) {
            return None;
        }
        let root = Node::root(body);
        let when = self.when.as_ref();
        if when.is_some_and(|when| when.holds(&root, &[]).is_none()) {
            return None;
        }
        let places = nodes(&root, &self.at);
        let refused = places.iter().enumerate().find_map(|(index, place)| {
            let found = self.condition.holds(place, &places[..index])?;
            Some((place, found))
        });
        let (place, found) = refused?;
        let value = match place.value() {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let path = match found.name.is_empty() {
            true => place.path().to_vec(),
            false => [place.path(), std::slice::from_ref(&found.name)].concat(),
        };
        let index = path.iter().find(|it| it.parse::<usize>().is_ok());
        let text = |text: &str| {
            text.replace("{path}", &node::bracketed(&path))
                .replace("{dots}", &path.join("."))
                .replace("{name}", &found.name)
                .replace("{value}", &value)
                .replace("{length}", &value.chars().count().to_string())
                .replace("{index}", index.map_or("", String::as_str))
                .replace("{model}", model)
        };
        let message = text(&self.message);
        let mut body = family.error.clone();
        let param = node::bracketed(&path);
        let words = [
            ("{message}", Some(message.as_str())),
            ("{param}", Some(param.as_str()).filter(|it| !it.is_empty())),
            ("{code}", self.code.as_deref()),
            ("{type}", self.kind.as_deref()),
        ];
        fill(&mut body, &words, &path, place.value());
        Some(Refusal {
            rule: self.name.clone(),
            status: self.status,
            body,
        })
    }
}

/// Replaces the words of an error's template. A text that is only one word becomes null if that has no value,
/// `{location}` the list of the path's parts after `body`, and `{input}` the refused value.
fn fill(template: &mut Value, words: &[(&str, Option<&str>)], path: &[String], input: &Value) {
    match template {
        Value::String(text) if text == "{location}" => {
            let steps = path.iter().map(|step| match step.parse::<u64>() {
                Ok(index) => index.into(),
                Err(_) => Value::from(step.as_str()),
            });
            *template = std::iter::once("body".into()).chain(steps).collect();
        }
        Value::String(text) if text == "{input}" => *template = input.clone(),
        Value::String(text) => {
            if let Some((_, value)) = words.iter().find(|(word, _)| word == text) {
                *template = value.map_or(Value::Null, Value::from);
                return;
            }
            for (word, value) in words {
                *text = text.replace(word, value.unwrap_or_default());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| fill(it, words, path, input)),
        Value::Object(members) => {
            members
                .values_mut()
                .for_each(|it| fill(it, words, path, input));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

const fn bad_request() -> u16 {
    400
}

static FAMILIES: LazyLock<BTreeMap<String, ServerFamily>> = LazyLock::new(|| {
    // A test parses every file, so none is left out here.
    let families = FILES
        .iter()
        .filter_map(|text| serde_json::from_str::<ServerFamily>(text).ok());
    families
        .map(|family| (family.family.clone(), family))
        .collect()
});

/// The files of `families`.
const FILES: &[&str] = &[
    include_str!("../families/azure.json"),
    include_str!("../families/claude.json"),
    include_str!("../families/deepseek.json"),
    include_str!("../families/fireworks.json"),
    include_str!("../families/gemini.json"),
    include_str!("../families/glm.json"),
    include_str!("../families/groq.json"),
    include_str!("../families/kimi.json"),
    include_str!("../families/llama-cpp.json"),
    include_str!("../families/lm-studio.json"),
    include_str!("../families/minimax.json"),
    include_str!("../families/mistral.json"),
    include_str!("../families/ollama.json"),
    include_str!("../families/openai-chat.json"),
    include_str!("../families/openai-responses.json"),
    include_str!("../families/openrouter.json"),
    include_str!("../families/qwen-vllm.json"),
    include_str!("../families/together.json"),
    include_str!("../families/xai.json"),
];

#[cfg(test)]
mod tests;
