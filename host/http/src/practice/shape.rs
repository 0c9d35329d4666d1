//! What a JSON value must look like, as a table: which members an object may and must have, and of
//! which type each is. The strictness of the practice provider, as far as it needs no thought.

use serde_json::Value;

/// What a value must look like.
pub(super) enum Shape {
    /// Anything.
    Any,
    /// A string.
    Text,
    /// A boolean.
    Flag,
    /// A whole number between two others, both included.
    Whole(i64, i64),
    /// A number between two others, both included.
    Number(f64, f64),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A list of values that look alike.
    List(&'static Self),
    /// An object with any names, and values that look alike.
    Map(&'static Self),
    /// An object with these members and no others.
    Object(&'static [Member]),
    /// An object whose named member says which members it has.
    Tagged(&'static str, &'static [(&'static str, &'static [Member])]),
    /// The first of these that is of the value's JSON type.
    Either(&'static [Self]),
}

/// A member of an object.
pub(super) struct Member {
    name: &'static str,
    needed: bool,
    nullable: bool,
    shape: Shape,
}

/// A member that must be there.
pub(super) const fn must(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        needed: true,
        nullable: false,
        shape,
    }
}

/// A member that may be left out.
pub(super) const fn may(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        needed: false,
        nullable: false,
        shape,
    }
}

/// A member that may be left out, or be null.
pub(super) const fn null_or(name: &'static str, shape: Shape) -> Member {
    Member {
        name,
        needed: false,
        nullable: true,
        shape,
    }
}

/// Any whole number that counts something.
pub(super) const COUNT: Shape = Shape::Whole(0, i64::MAX);

/// Where a value is wrong, and how.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// The way to it from the top.
    pub(super) path: Vec<Step>,
    /// What is wrong there.
    pub(super) kind: FaultKind,
}

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an object.
    Name(String),
    /// Into a list.
    Index(usize),
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FaultKind {
    /// Nobody knows this member.
    Unknown,
    /// The member is not there.
    Missing,
    /// It has another type than this.
    Type(&'static str),
    /// It is none of these.
    NotOneOf(Vec<&'static str>),
    /// It is outside of these bounds.
    Range(f64, f64),
}

impl Fault {
    fn new(kind: FaultKind) -> Self {
        Self {
            path: Vec::new(),
            kind,
        }
    }

    fn below(mut self, step: Step) -> Self {
        self.path.insert(0, step);
        self
    }

    /// The way, written `messages[0].content`.
    pub(super) fn brackets(&self) -> String {
        let mut written = String::new();
        for step in &self.path {
            match step {
                Step::Name(name) if written.is_empty() => written.push_str(name),
                Step::Name(name) => written.push_str(&format!(".{name}")),
                Step::Index(index) => written.push_str(&format!("[{index}]")),
            }
        }
        written
    }

    /// The way, written `messages.0.content`.
    pub(super) fn dots(&self) -> String {
        let step = |step: &Step| match step {
            Step::Name(name) => name.clone(),
            Step::Index(index) => index.to_string(),
        };
        self.path.iter().map(step).collect::<Vec<_>>().join(".")
    }

    /// What is wrong, in words.
    pub(super) fn words(&self) -> String {
        match &self.kind {
            FaultKind::Unknown => "there is no such parameter".to_owned(),
            FaultKind::Missing => "it is required".to_owned(),
            FaultKind::Type(expected) => format!("it must be {expected}"),
            FaultKind::NotOneOf(known) => format!("it must be one of {}", known.join(", ")),
            FaultKind::Range(least, most) => format!("it must be from {least} to {most}"),
        }
    }
}

impl Shape {
    /// Whether a value looks like this; where not, if not.
    pub(super) fn check(&self, value: &Value) -> Result<(), Fault> {
        let of_type = |fits: bool| {
            let expected = self.expected();
            fits.then_some(())
                .ok_or_else(|| Fault::new(FaultKind::Type(expected)))
        };
        match self {
            Self::Any => Ok(()),
            Self::Text | Self::Flag => of_type(self.fits(value)),
            Self::Whole(least, most) => {
                of_type(self.fits(value))?;
                // A whole number that is no i64 is beyond every bound.
                let inside = value
                    .as_i64()
                    .is_some_and(|it| (*least..=*most).contains(&it));
                #[expect(clippy::cast_precision_loss, reason = "only words are made of it")]
                let range = FaultKind::Range(*least as f64, *most as f64);
                inside.then_some(()).ok_or_else(|| Fault::new(range))
            }
            Self::Number(least, most) => {
                of_type(self.fits(value))?;
                let inside = value
                    .as_f64()
                    .is_some_and(|it| (*least..=*most).contains(&it));
                let range = FaultKind::Range(*least, *most);
                inside.then_some(()).ok_or_else(|| Fault::new(range))
            }
            Self::OneOf(known) => {
                of_type(self.fits(value))?;
                let found = value.as_str().is_some_and(|it| known.contains(&it));
                let kind = FaultKind::NotOneOf(known.to_vec());
                found.then_some(()).ok_or_else(|| Fault::new(kind))
            }
            Self::List(each) => check_list(value, each),
            Self::Map(each) => check_map(value, each),
            Self::Object(members) => check_object(value, members),
            Self::Tagged(tag, kinds) => check_tagged(value, tag, kinds),
            Self::Either(shapes) => {
                let fitting = shapes.iter().find(|shape| shape.fits(value));
                let kind = FaultKind::Type(self.expected());
                fitting
                    .ok_or_else(|| Fault::new(kind))
                    .and_then(|shape| shape.check(value))
            }
        }
    }

    /// Whether a value is of the JSON type that this has.
    fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Text | Self::OneOf(_) => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Whole(..) => value.is_i64() || value.is_u64(),
            Self::Number(..) => value.is_number(),
            Self::List(_) => value.is_array(),
            Self::Map(_) | Self::Object(_) | Self::Tagged(..) => value.is_object(),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.fits(value)),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text | Self::OneOf(_) => "a string",
            Self::Flag => "a boolean",
            Self::Whole(..) => "an integer",
            Self::Number(..) => "a number",
            Self::List(_) => "an array",
            Self::Map(_) | Self::Object(_) | Self::Tagged(..) => "an object",
            Self::Either(_) => "of another type",
        }
    }
}

fn check_list(value: &Value, each: &Shape) -> Result<(), Fault> {
    let Value::Array(items) = value else {
        return Err(Fault::new(FaultKind::Type("an array")));
    };
    for (index, item) in items.iter().enumerate() {
        each.check(item)
            .map_err(|fault| fault.below(Step::Index(index)))?;
    }
    Ok(())
}

fn check_map(value: &Value, each: &Shape) -> Result<(), Fault> {
    let Value::Object(object) = value else {
        return Err(Fault::new(FaultKind::Type("an object")));
    };
    for (name, item) in object {
        each.check(item)
            .map_err(|fault| fault.below(Step::Name(name.clone())))?;
    }
    Ok(())
}

fn check_object(value: &Value, members: &[Member]) -> Result<(), Fault> {
    let Value::Object(object) = value else {
        return Err(Fault::new(FaultKind::Type("an object")));
    };
    let at = |name: &str| Step::Name(name.to_owned());
    for (name, item) in object {
        let Some(member) = members.iter().find(|member| member.name == name) else {
            return Err(Fault::new(FaultKind::Unknown).below(at(name)));
        };
        if !(member.nullable && item.is_null()) {
            member
                .shape
                .check(item)
                .map_err(|fault| fault.below(at(name)))?;
        }
    }
    let missing = members
        .iter()
        .find(|member| member.needed && !object.contains_key(member.name));
    missing.map_or(Ok(()), |member| {
        Err(Fault::new(FaultKind::Missing).below(at(member.name)))
    })
}

fn check_tagged(
    value: &Value,
    tag: &str,
    kinds: &[(&'static str, &'static [Member])],
) -> Result<(), Fault> {
    let at_tag = |kind: FaultKind| Fault::new(kind).below(Step::Name(tag.to_owned()));
    if !value.is_object() {
        return Err(Fault::new(FaultKind::Type("an object")));
    }
    let Some(found) = value.get(tag) else {
        return Err(at_tag(FaultKind::Missing));
    };
    let Some(found) = found.as_str() else {
        return Err(at_tag(FaultKind::Type("a string")));
    };
    let Some((_, members)) = kinds.iter().find(|(kind, _)| *kind == found) else {
        let known = kinds.iter().map(|(kind, _)| *kind).collect();
        return Err(at_tag(FaultKind::NotOneOf(known)));
    };
    check_object(value, members)
}

#[cfg(test)]
mod tests;
