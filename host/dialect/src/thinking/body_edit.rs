//! Edits of a client's body, collected as patches of its text.

use serde_json::{Map, Value};

use crate::ir::TranslationError;
use crate::json::{Patch, lenient_text};

/// A body with the edits so far. Pointers (RFC 6901) name members of objects only, without escapes.
#[derive(Debug)]
pub struct BodyEdit {
    tree: Value,
    patches: Vec<Patch>,
}

impl BodyEdit {
    pub(crate) fn read(body: &[u8]) -> Result<Self, TranslationError> {
        let tree: Map<String, Value> = serde_json::from_str(&lenient_text(body))
            .map_err(|_| TranslationError::new("", "the body must be a JSON object"))?;
        Ok(Self {
            tree: Value::Object(tree),
            patches: Vec::new(),
        })
    }

    pub(crate) fn into_patches(self) -> Vec<Patch> {
        self.patches
    }

    /// Returns the value at a pointer; `None` for null.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.tree.pointer(pointer).filter(|value| !value.is_null())
    }

    /// Removes the value at a pointer, and the objects around it that would be empty then.
    pub fn remove(&mut self, pointer: &str) {
        let mut pointer = pointer;
        while let Some((parent, name)) = pointer.rsplit_once('/') {
            let Some(Value::Object(members)) = self.tree.pointer_mut(parent) else {
                return;
            };
            if !members.contains_key(name) {
                return;
            }
            if members.len() > 1 || parent.is_empty() {
                members.remove(name);
                self.patches.push(Patch::Remove {
                    path: pointer.to_owned(),
                });
                return;
            }
            pointer = parent;
        }
    }

    /// Sets the value at a pointer, or removes it.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(crate) fn replace(
        &mut self,
        pointer: &str,
        value: Option<Value>,
    ) -> Result<(), TranslationError> {
        match value {
            Some(value) => self.set(pointer, value),
            None => {
                self.remove(pointer);
                Ok(())
            }
        }
    }

    /// Sets the value at a pointer. Missing objects around it are added.
    ///
    /// # Errors
    /// If a value around it is not an object.
    pub fn set(&mut self, pointer: &str, value: Value) -> Result<(), TranslationError> {
        let (mut at, mut value) = (pointer, value);
        while let Some((parent, name)) = at.rsplit_once('/') {
            match self.tree.pointer_mut(parent) {
                Some(Value::Object(members)) => {
                    self.patches.push(Patch::Add {
                        path: at.to_owned(),
                        value: value.to_string(),
                    });
                    members.insert(name.to_owned(), value);
                    return Ok(());
                }
                None | Some(Value::Null) => {
                    value = Value::Object(Map::from_iter([(name.to_owned(), value)]));
                    at = parent;
                }
                Some(_) => {
                    let field = parent.trim_start_matches('/').replace('/', ".");
                    return Err(TranslationError::new(field, "must be an object"));
                }
            }
        }
        Ok(())
    }
}
