//! Selectors: the trait to implement and the types of the contract.

use crate::bindings::selector_world as world;

pub use world::exports::jackfield::plugin::selector::{Choice, Descriptor, PickContext};
pub use world::jackfield::plugin::candidates;

/// Chooses among the credentials that are fit right now. See `wit/selector.wit` for the promises.
pub trait Selector: 'static {
    /// Says what the selector is.
    fn describe() -> Descriptor;

    /// Chooses among what [`candidates`] shows.
    fn pick(context: PickContext) -> Choice;
}

impl Descriptor {
    /// A selector of this version.
    pub fn new(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            options: Vec::new(),
        }
    }
}

impl Choice {
    /// The candidate at this index; without one, nobody.
    pub fn from_index(index: Option<usize>) -> Self {
        match index.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Self::Candidate(index),
            None => Self::None("there is no candidate".to_owned()),
        }
    }
}

#[doc(hidden)]
pub mod export {
    //! From the trait above to the one that the bindings want.

    use std::marker::PhantomData;

    use super::{Choice, Descriptor, PickContext, Selector};
    use crate::bindings::selector_world::exports::jackfield::plugin::selector as contract;

    /// The component that a type makes.
    pub struct Component<S>(PhantomData<S>);

    impl<S: Selector> contract::Guest for Component<S> {
        fn describe() -> Descriptor {
            S::describe()
        }

        fn pick(context: PickContext) -> Choice {
            S::pick(context)
        }
    }
}

/// Makes a component of a type that is a [`Selector`](selector::Selector).
#[macro_export]
macro_rules! export_selector {
    ($selector:ty) => {
        type __JackfieldComponent = $crate::selector::export::Component<$selector>;
        $crate::bindings::selector_world::__export_selector_world!(
            __JackfieldComponent with_types_in $crate::bindings::selector_world
        );
    };
}
