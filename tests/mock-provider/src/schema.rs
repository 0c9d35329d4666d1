//! Schemas of request bodies, as static tables: the members of each object, their types and ranges.
//! They are not JSON Schemas; those of tools are checked elsewhere.

use serde_json::Value;

use super::request::RequestError;

/// The schema of a JSON value.
pub(super) enum Schema {
    /// Any value.
    Any,
    /// A string.
    Text,
    /// A boolean.
    Boolean,
    /// An integer in this range; both ends are included.
    Integer(i64, i64),
    /// A number in this range; both ends are included.
    Number(f64, f64),
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// An array whose items have one schema.
    List(&'static Self),
    /// An object with any member names, whose values have one schema.
    Map(&'static Self),
    /// An object with only these members.
    Object(&'static [Member]),
    /// An object whose members depend on the value of one of them, the tag.
    Tagged(&'static str, &'static [(&'static str, &'static [Member])]),
    /// The first of these schemas with the value's JSON type.
    AnyOf(&'static [Self]),
}

/// A member of an object.
pub(super) struct Member {
    name: &'static str,
    required: bool,
    nullable: bool,
    schema: Schema,
}

/// A required member.
pub(super) const fn required(name: &'static str, schema: Schema) -> Member {
    Member {
        name,
        required: true,
        nullable: false,
        schema,
    }
}

/// An optional member.
pub(super) const fn optional(name: &'static str, schema: Schema) -> Member {
    Member {
        name,
        required: false,
        nullable: false,
        schema,
    }
}

/// An optional member that may be null.
pub(super) const fn nullable(name: &'static str, schema: Schema) -> Member {
    Member {
        name,
        required: false,
        nullable: true,
        schema,
    }
}

/// An integer from 0.
pub(super) const COUNT: Schema = Schema::Integer(0, i64::MAX);

/// The first place where a value does not match its schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Violation {
    /// The path from the root.
    pub(super) path: Vec<PathSegment>,
    /// The kind of mismatch.
    pub(super) kind: ViolationKind,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathSegment {
    /// A member of an object.
    Name(String),
    /// An item of an array.
    Index(usize),
}

/// How a value does not match its schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ViolationKind {
    /// The schema has no such member.
    Unknown,
    /// The required member is missing.
    Missing,
    /// The value does not have this type.
    Type(&'static str),
    /// The value is not one of these.
    NotInEnum(Vec<&'static str>),
    /// The value is outside of this range.
    OutOfRange(f64, f64),
}

impl Violation {
    fn new(kind: ViolationKind) -> Self {
        Self {
            path: Vec::new(),
            kind,
        }
    }

    fn nested_in(mut self, segment: PathSegment) -> Self {
        self.path.insert(0, segment);
        self
    }

    /// Writes the path like `messages[0].content`.
    pub(super) fn bracket_path(&self) -> String {
        let mut written = String::new();
        for segment in &self.path {
            match segment {
                PathSegment::Name(name) if written.is_empty() => written.push_str(name),
                PathSegment::Name(name) => written.push_str(&format!(".{name}")),
                PathSegment::Index(index) => written.push_str(&format!("[{index}]")),
            }
        }
        written
    }

    /// Writes the path like `messages.0.content`.
    pub(super) fn dot_path(&self) -> String {
        let segment = |segment: &PathSegment| match segment {
            PathSegment::Name(name) => name.clone(),
            PathSegment::Index(index) => index.to_string(),
        };
        self.path.iter().map(segment).collect::<Vec<_>>().join(".")
    }

    /// Describes the mismatch, without the path.
    pub(super) fn description(&self) -> String {
        match &self.kind {
            ViolationKind::Unknown => "the parameter is unknown".to_owned(),
            ViolationKind::Missing => "it is required".to_owned(),
            ViolationKind::Type(expected) => format!("it must be {expected}"),
            ViolationKind::NotInEnum(known) => format!("it must be one of {}", known.join(", ")),
            ViolationKind::OutOfRange(least, most) => format!("it must be from {least} to {most}"),
        }
    }
}

impl Schema {
    /// Checks a value. `to_error` turns the first violation into the dialect's error.
    pub(super) fn validate(
        &self,
        value: &Value,
        to_error: fn(&Violation) -> RequestError,
    ) -> Result<(), RequestError> {
        self.check(value).map_err(|violation| to_error(&violation))
    }

    /// Checks a value, and returns the first violation.
    pub(super) fn check(&self, value: &Value) -> Result<(), Violation> {
        let check_type = |matches: bool| {
            let expected = self.type_name();
            matches
                .then_some(())
                .ok_or_else(|| Violation::new(ViolationKind::Type(expected)))
        };
        match self {
            Self::Any => Ok(()),
            Self::Text | Self::Boolean => check_type(self.matches_type(value)),
            Self::Integer(least, most) => {
                check_type(self.matches_type(value))?;
                // An integer that does not fit into an i64 is outside of every range.
                let inside = value
                    .as_i64()
                    .is_some_and(|it| (*least..=*most).contains(&it));
                #[expect(clippy::cast_precision_loss, reason = "only words are made of it")]
                let range = ViolationKind::OutOfRange(*least as f64, *most as f64);
                inside.then_some(()).ok_or_else(|| Violation::new(range))
            }
            Self::Number(least, most) => {
                check_type(self.matches_type(value))?;
                let inside = value
                    .as_f64()
                    .is_some_and(|it| (*least..=*most).contains(&it));
                let range = ViolationKind::OutOfRange(*least, *most);
                inside.then_some(()).ok_or_else(|| Violation::new(range))
            }
            Self::Enum(known) => {
                check_type(self.matches_type(value))?;
                let found = value.as_str().is_some_and(|it| known.contains(&it));
                let kind = ViolationKind::NotInEnum(known.to_vec());
                found.then_some(()).ok_or_else(|| Violation::new(kind))
            }
            Self::List(each) => check_list(value, each),
            Self::Map(each) => check_map(value, each),
            Self::Object(members) => check_object(value, members),
            Self::Tagged(tag, kinds) => check_tagged(value, tag, kinds),
            Self::AnyOf(variants) => {
                let matching = variants.iter().find(|schema| schema.matches_type(value));
                let kind = ViolationKind::Type(self.type_name());
                matching
                    .ok_or_else(|| Violation::new(kind))
                    .and_then(|schema| schema.check(value))
            }
        }
    }

    /// Removes members that the schema does not have, and items of a list whose tag it does not have.
    pub(super) fn remove_unknown(&self, value: &mut Value) {
        match (self, value) {
            (Self::List(each), Value::Array(items)) => {
                items.retain(|item| each.knows_tag(item));
                items.iter_mut().for_each(|item| each.remove_unknown(item));
            }
            (Self::Map(each), Value::Object(object)) => {
                object
                    .values_mut()
                    .for_each(|item| each.remove_unknown(item));
            }
            (Self::Object(members), value) => remove_unknown_members(value, members),
            (Self::Tagged(tag, kinds), value) => {
                let kind = kinds.iter().find(|(kind, _)| value[*tag] == *kind);
                if let Some((_, members)) = kind {
                    remove_unknown_members(value, members);
                }
            }
            (Self::AnyOf(variants), value) => {
                if let Some(schema) = variants.iter().find(|schema| schema.matches_type(value)) {
                    schema.remove_unknown(value);
                }
            }
            _ => {}
        }
    }

    /// Whether an item has a tag of the schema, if that has tags.
    fn knows_tag(&self, item: &Value) -> bool {
        match self {
            Self::Tagged(tag, kinds) => kinds.iter().any(|(kind, _)| item[*tag] == *kind),
            _ => true,
        }
    }

    /// Returns whether the value has the schema's JSON type.
    fn matches_type(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Text | Self::Enum(_) => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Integer(..) => value.is_i64() || value.is_u64(),
            Self::Number(..) => value.is_number(),
            Self::List(_) => value.is_array(),
            Self::Map(_) | Self::Object(_) | Self::Tagged(..) => value.is_object(),
            Self::AnyOf(variants) => variants.iter().any(|schema| schema.matches_type(value)),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text | Self::Enum(_) => "a string",
            Self::Boolean => "a boolean",
            Self::Integer(..) => "an integer",
            Self::Number(..) => "a number",
            Self::List(_) => "an array",
            Self::Map(_) | Self::Object(_) | Self::Tagged(..) => "an object",
            Self::AnyOf(_) => "of another type",
        }
    }
}

fn check_list(value: &Value, each: &Schema) -> Result<(), Violation> {
    let Value::Array(items) = value else {
        return Err(Violation::new(ViolationKind::Type("an array")));
    };
    for (index, item) in items.iter().enumerate() {
        each.check(item)
            .map_err(|violation| violation.nested_in(PathSegment::Index(index)))?;
    }
    Ok(())
}

fn check_map(value: &Value, each: &Schema) -> Result<(), Violation> {
    let Value::Object(object) = value else {
        return Err(Violation::new(ViolationKind::Type("an object")));
    };
    for (name, item) in object {
        each.check(item)
            .map_err(|violation| violation.nested_in(PathSegment::Name(name.clone())))?;
    }
    Ok(())
}

fn check_object(value: &Value, members: &[Member]) -> Result<(), Violation> {
    let Value::Object(object) = value else {
        return Err(Violation::new(ViolationKind::Type("an object")));
    };
    let at = |name: &str| PathSegment::Name(name.to_owned());
    for (name, item) in object {
        let Some(member) = members.iter().find(|member| member.name == name) else {
            return Err(Violation::new(ViolationKind::Unknown).nested_in(at(name)));
        };
        if !(member.nullable && item.is_null()) {
            member
                .schema
                .check(item)
                .map_err(|violation| violation.nested_in(at(name)))?;
        }
    }
    let missing = members
        .iter()
        .find(|member| member.required && !object.contains_key(member.name));
    missing.map_or(Ok(()), |member| {
        Err(Violation::new(ViolationKind::Missing).nested_in(at(member.name)))
    })
}

fn remove_unknown_members(value: &mut Value, members: &[Member]) {
    let Value::Object(object) = value else {
        return;
    };
    object.retain(|name, _| members.iter().any(|member| member.name == name));
    for (name, item) in object {
        if let Some(member) = members.iter().find(|member| member.name == name) {
            member.schema.remove_unknown(item);
        }
    }
}

fn check_tagged(
    value: &Value,
    tag: &str,
    kinds: &[(&'static str, &'static [Member])],
) -> Result<(), Violation> {
    let at_tag =
        |kind: ViolationKind| Violation::new(kind).nested_in(PathSegment::Name(tag.to_owned()));
    if !value.is_object() {
        return Err(Violation::new(ViolationKind::Type("an object")));
    }
    let Some(found) = value.get(tag) else {
        return Err(at_tag(ViolationKind::Missing));
    };
    let Some(found) = found.as_str() else {
        return Err(at_tag(ViolationKind::Type("a string")));
    };
    let Some((_, members)) = kinds.iter().find(|(kind, _)| *kind == found) else {
        let known = kinds.iter().map(|(kind, _)| *kind).collect();
        return Err(at_tag(ViolationKind::NotInEnum(known)));
    };
    check_object(value, members)
}

#[cfg(test)]
mod tests;
