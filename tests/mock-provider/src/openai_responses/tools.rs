//! The tools of a request: in `tools`, in namespaces, and in items of the input. The rules of the response know a tool of
//! a namespace as `NAMESPACE__NAME`.

use serde_json::{Value, json};

use super::schema::FUNCTION;
use crate::openai_common::{check_json_schema, violation_error};
use crate::request::{RequestError, Tool, array_member, str_member};
use crate::response::ToolCall;

/// Reads the tools that the client runs.
pub(super) fn parse_tools(body: &Value) -> Result<Vec<Tool>, RequestError> {
    let mut tools = Vec::new();
    for (field, list) in lists(body) {
        for (index, tool) in list.iter().enumerate() {
            parse_tool(&format!("{field}[{index}]"), None, tool, &mut tools)?;
        }
    }
    Ok(tools)
}

/// The lists of tools, with their places.
fn lists(body: &Value) -> Vec<(String, &[Value])> {
    let mut lists = vec![("tools".to_owned(), array_member(body, "tools"))];
    for (index, item) in array_member(body, "input").iter().enumerate() {
        if let Some("additional_tools" | "tool_search_output") = str_member(item, "type") {
            lists.push((format!("input[{index}].tools"), array_member(item, "tools")));
        }
    }
    lists
}

fn parse_tool(
    field: &str,
    namespace: Option<&str>,
    tool: &Value,
    tools: &mut Vec<Tool>,
) -> Result<(), RequestError> {
    let name = str_member(tool, "name").unwrap_or_default();
    let schema = match str_member(tool, "type") {
        Some("function") => {
            FUNCTION
                .validate(tool, violation_error)
                .map_err(|error| error.inside(field))?;
            // OpenAI applies the strict rules by default only where the schema allows it: no error then.
            let strict = tool["strict"] == Value::Bool(true);
            check_json_schema(field, Some(name), tool.get("parameters"), strict)?;
            tool["parameters"].clone()
        }
        Some("custom") => {
            json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
        }
        Some("tool_search") if tool["execution"] == "client" => {
            tools.push(Tool {
                name: SEARCH.to_owned(),
                schema: tool["parameters"].clone(),
            });
            return Ok(());
        }
        Some("namespace") if namespace.is_none() => {
            for (index, inner) in array_member(tool, "tools").iter().enumerate() {
                parse_tool(&format!("{field}.tools[{index}]"), Some(name), inner, tools)?;
            }
            return Ok(());
        }
        // The provider runs other tools. The mock never calls them.
        Some(_) => return Ok(()),
        None => {
            let reason = format!("Missing required parameter: '{field}.type'.");
            return Err(RequestError::at(format!("{field}.type"), reason)
                .with_code("missing_required_parameter"));
        }
    };
    let name = qualified_name(namespace, name);
    tools.push(Tool { name, schema });
    Ok(())
}

fn qualified_name(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(
        || name.to_owned(),
        |namespace| format!("{namespace}__{name}"),
    )
}

/// How a tool is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    Function,
    Custom,
    Search,
}

/// The form of a call's item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallForm {
    pub(super) kind: CallKind,
    namespace: Option<String>,
    name: String,
}

impl CallForm {
    /// Returns the form of a call of one of the request's tools.
    pub(super) fn of(call: &ToolCall, body: &Value) -> Self {
        let found = lists(body).into_iter().flat_map(|(_, list)| list);
        for tool in found {
            let name = str_member(tool, "name").unwrap_or_default();
            let inner = array_member(tool, "tools")
                .iter()
                .map(|inner| (Some(name), inner));
            for (namespace, tool) in inner.chain([(None, tool)]) {
                let name = str_member(tool, "name").unwrap_or_default();
                let kind = match str_member(tool, "type") {
                    Some("function") => CallKind::Function,
                    Some("custom") => CallKind::Custom,
                    Some("tool_search") if call.name == SEARCH => CallKind::Search,
                    _ => continue,
                };
                if kind == CallKind::Search || qualified_name(namespace, name) == call.name {
                    let (namespace, name) = (namespace.map(str::to_owned), name.to_owned());
                    return Self {
                        kind,
                        namespace,
                        name,
                    };
                }
            }
        }
        let (kind, namespace, name) = (CallKind::Function, None, call.name.clone());
        Self {
            kind,
            namespace,
            name,
        }
    }

    /// Renders the item; its arguments are empty while in progress.
    pub(super) fn item(&self, call: &ToolCall, status: &str) -> Value {
        let in_progress = status == "in_progress";
        let mut item = json!({
            "id": self.item_id(call),
            "call_id": format!("call_mock_{}", call.number),
            "status": status,
        });
        let text = |text: String| if in_progress { String::new() } else { text };
        match self.kind {
            CallKind::Search => {
                item["type"] = json!("tool_search_call");
                item["execution"] = json!("client");
                item["arguments"] = call.arguments.clone();
                return item;
            }
            CallKind::Function => {
                item["type"] = json!("function_call");
                item["arguments"] = json!(text(call.arguments.to_string()));
            }
            CallKind::Custom => {
                item["type"] = json!("custom_tool_call");
                item["input"] = json!(text(custom_input(call)));
            }
        }
        item["name"] = json!(self.name);
        if let Some(namespace) = &self.namespace {
            item["namespace"] = json!(namespace);
        }
        item
    }

    /// Returns the id of a call's item, which differs from its `call_id`.
    pub(super) fn item_id(&self, call: &ToolCall) -> String {
        let prefix = match self.kind {
            CallKind::Function => "fc",
            CallKind::Custom => "ctc",
            CallKind::Search => "tsc",
        };
        format!("{prefix}_mock_{}", call.number)
    }
}

/// Returns the text for a custom tool.
pub(super) fn custom_input(call: &ToolCall) -> String {
    str_member(&call.arguments, "input")
        .unwrap_or_default()
        .to_owned()
}

/// The name of the search for tools that the client runs.
const SEARCH: &str = "tool_search";

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: Value) -> ToolCall {
        ToolCall {
            number: 1,
            name: name.to_owned(),
            arguments,
        }
    }

    #[test]
    fn finds_tools_in_namespaces_and_items() {
        let custom = json!({"type": "custom", "name": "exec"});
        let function = json!({"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}});
        let namespace = json!({"type": "namespace", "name": "n", "tools": [custom, function]});
        let body = json!({
            "tools": [custom, {"type": "tool_search", "execution": "client", "parameters": {}}, {"type": "web_search"}],
            "input": [{"type": "additional_tools", "tools": [namespace]}],
        });
        let tools = parse_tools(&body).unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
        assert_eq!(names, ["exec", "tool_search", "n__exec", "n__f"]);
        let call = call("n__exec", json!({"input": "x"}));
        let item = CallForm::of(&call, &body).item(&call, "completed");
        assert_eq!(
            (&item["type"], &item["namespace"]),
            (&json!("custom_tool_call"), &json!("n"))
        );
        assert_eq!(
            (&item["name"], &item["input"]),
            (&json!("exec"), &json!("x"))
        );
    }

    #[test]
    fn renders_the_search_for_tools() {
        let body =
            json!({"tools": [{"type": "tool_search", "execution": "client", "parameters": {}}]});
        let call = call("tool_search", json!({"query": "q"}));
        let item = CallForm::of(&call, &body).item(&call, "completed");
        assert_eq!(item["type"], "tool_search_call");
        assert_eq!(item["arguments"], json!({"query": "q"}));
    }
}
