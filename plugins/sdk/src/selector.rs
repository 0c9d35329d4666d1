//! Selectors: the trait to implement and the types of the contract.

pub use crate::bindings::imports::jackfield::plugin::candidates;
pub use crate::bindings::selector::exports::jackfield::plugin::selector::{
    Choice, Descriptor, PickContext,
};

/// A selector: it chooses one of the available credentials. `wit/selector.wit` has the promises of the
/// host. A selector must be pure: the same input gives the same choice.
pub trait Selector: 'static {
    /// Returns the descriptor. The host calls it once, when it loads the plugin.
    fn describe() -> Descriptor;

    /// Chooses one of the [`candidates`]. There is at least one.
    fn pick(context: PickContext) -> Choice;
}

impl Descriptor {
    /// Creates a descriptor with the version of the plugin.
    pub fn new(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            options: Vec::new(),
        }
    }
}

impl Choice {
    /// Returns the candidate at this index, or `Choice::None` without an index.
    pub fn from_index(index: Option<usize>) -> Self {
        match index.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Self::Candidate(index),
            None => Self::None("there is no candidate".to_owned()),
        }
    }
}

#[doc(hidden)]
pub mod export {
    //! Implements the trait of the bindings for the trait above.

    use std::marker::PhantomData;

    use super::{Choice, Descriptor, PickContext, Selector};
    use crate::bindings::selector::exports::jackfield::plugin::selector as contract;

    /// The component of a selector type.
    pub struct SelectorComponent<S>(PhantomData<S>);

    impl<S: Selector> contract::Guest for SelectorComponent<S> {
        fn describe() -> Descriptor {
            S::describe()
        }

        fn pick(context: PickContext) -> Choice {
            S::pick(context)
        }
    }
}

/// Exports a type that implements [`Selector`](selector::Selector) as the component's selector.
#[macro_export]
macro_rules! export_selector {
    ($selector:ty) => {
        type __JackfieldComponent = $crate::selector::export::SelectorComponent<$selector>;
        $crate::bindings::selector::__export_selector!(
            __JackfieldComponent with_types_in $crate::bindings::selector
        );
    };
}
