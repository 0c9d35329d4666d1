//! The JSON Schema of the configuration file, for editors.

use serde_json::{Value, json};

use crate::keys::ROOT;

/// Returns the JSON Schema (draft 2020-12) of the configuration file. It checks keys and single values.
/// Checks that need the whole file, such as unique names, are left to the reader.
pub fn json_schema() -> Value {
    let mut schema = ROOT.schema();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Jackfield configuration");
    schema
}
