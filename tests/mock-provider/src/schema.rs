//! What a JSON value must look like, as a table: which members an object may and must have, and of
//! which type each is. The strictness of the mock provider, as far as it needs no thought.

use serde_json::Value;

use super::request::RequestError;

/// What a value must look like.
pub(super) enum Schema {
    /// Anything.
    Any,
    /// A string.
    Text,
    /// A boolean.
    Boolean,
    /// A whole number between two others, both included.
    Integer(i64, i64),
    /// A number between two others, both included.
    Number(f64, f64),
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// A list of values that look alike.
    List(&'static Self),
    /// An object with any names, and values that look alike.
    Map(&'static Self),
    /// An object with these members and no others.
    Object(&'static [Member]),
    /// An object whose named member says which members it has.
    Tagged(&'static str, &'static [(&'static str, &'static [Member])]),
    /// The first of these that is of the value's JSON type.
    AnyOf(&'static [Self]),
}

/// A member of an object.
pub(super) struct Member {
    name: &'static str,
    required: bool,
    nullable: bool,
    schema: Schema,
}

/// A member that must be there.
pub(super) const fn required(name: &'static str, schema: Schema) -> Member {
    Member {
        name,
        required: true,
        nullable: false,
        schema,
    }
}

/// A member that may be left out.
pub(super) const fn optional(name: &'static str, schema: Schema) -> Member {
    Member {
        name,
        required: false,
        nullable: false,
        schema,
    }
}

/// A member that may be left out, or be null.
pub(super) const fn nullable(name: &'static str, schema: Schema) -> Member {
    Member {
        name,
        required: false,
        nullable: true,
        schema,
    }
}

/// Any whole number that counts something.
pub(super) const COUNT: Schema = Schema::Integer(0, i64::MAX);

/// Where a value is wrong, and how.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Violation {
    /// The way to it from the top.
    pub(super) path: Vec<PathSegment>,
    /// What is wrong there.
    pub(super) kind: ViolationKind,
}

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathSegment {
    /// Into an object.
    Name(String),
    /// Into a list.
    Index(usize),
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ViolationKind {
    /// Nobody knows this member.
    Unknown,
    /// The member is not there.
    Missing,
    /// It has another type than this.
    Type(&'static str),
    /// It is none of these.
    NotInEnum(Vec<&'static str>),
    /// It is outside of these bounds.
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

    /// The way, written `messages[0].content`.
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

    /// The way, written `messages.0.content`.
    pub(super) fn dot_path(&self) -> String {
        let segment = |segment: &PathSegment| match segment {
            PathSegment::Name(name) => name.clone(),
            PathSegment::Index(index) => index.to_string(),
        };
        self.path.iter().map(segment).collect::<Vec<_>>().join(".")
    }

    /// What is wrong, in words.
    pub(super) fn description(&self) -> String {
        match &self.kind {
            ViolationKind::Unknown => "there is no such parameter".to_owned(),
            ViolationKind::Missing => "it is required".to_owned(),
            ViolationKind::Type(expected) => format!("it must be {expected}"),
            ViolationKind::NotInEnum(known) => format!("it must be one of {}", known.join(", ")),
            ViolationKind::OutOfRange(least, most) => format!("it must be from {least} to {most}"),
        }
    }
}

impl Schema {
    /// Checks a value; `to_error` words the first violation as the dialect does.
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
                // A whole number that is no i64 is beyond every bound.
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

    /// Whether a value is of the JSON type that this has.
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
