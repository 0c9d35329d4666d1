//! Implements the traits of the bindings for the traits of [`executor`](super).

use std::cell::RefCell;
use std::marker::PhantomData;

use super::{
    Converter, Credential, Descriptor, Executor, Failure, Frame, HttpHead, Judge, JudgeHead,
    Output, Payload, Plan, QuotaHeaders, Quotas, Refresh, Reply, Target,
};
use crate::bindings;
use crate::typed::{TypedConverter, TypedOutput, TypedReply};

/// The component of an executor type.
pub struct ExecutorComponent<E>(PhantomData<E>);

/// A converter that the host has created.
pub struct ConverterCell<C>(RefCell<C>);

impl<E: Executor> bindings::planner::exports::jackfield::plugin::planner::Guest
    for ExecutorComponent<E>
{
    fn describe() -> Descriptor {
        E::describe()
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        E::prepare(target)
    }
}

impl<E: JudgeHead> bindings::judge_head::exports::jackfield::plugin::judge_head::Guest
    for ExecutorComponent<E>
{
    fn judge(target: Target, head: HttpHead) -> Option<Failure> {
        E::judge_head(target, head)
    }
}

impl<E: Judge> bindings::judge::exports::jackfield::plugin::judge::Guest for ExecutorComponent<E> {
    fn judge(target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        E::judge(target, head, body)
    }
}

impl<E: Quotas> bindings::quotas::exports::jackfield::plugin::quotas::Guest
    for ExecutorComponent<E>
{
    fn headers() -> Vec<QuotaHeaders> {
        E::quota_headers()
    }
}

impl<E: Refresh> bindings::refresh::exports::jackfield::plugin::refresh::Guest
    for ExecutorComponent<E>
{
    fn due(credential: Credential, now_ms: u64) -> Option<bool> {
        E::due(credential, now_ms)
    }
}

impl<E: Reply> bindings::reply::exports::jackfield::plugin::reply::Guest for ExecutorComponent<E> {
    type Converter = ConverterCell<E::Converter>;
}

impl<C: Converter> bindings::reply::exports::jackfield::plugin::reply::GuestConverter
    for ConverterCell<C>
{
    fn new(target: Target, state: Vec<u8>) -> Self {
        Self(RefCell::new(C::begin(target, state)))
    }

    fn head(&self, head: HttpHead) -> Result<(), Failure> {
        // The host makes one call at a time in an instance, so the cell is never borrowed twice.
        self.0.borrow_mut().head(head)
    }

    fn push(&self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure> {
        self.0.borrow_mut().push(frames, last)
    }
}

impl<E: TypedReply> bindings::typed_reply::exports::jackfield::plugin::typed_reply::Guest
    for ExecutorComponent<E>
{
    type Converter = ConverterCell<E::EventConverter>;
}

impl<C: TypedConverter>
    bindings::typed_reply::exports::jackfield::plugin::typed_reply::GuestConverter
    for ConverterCell<C>
{
    fn new(target: Target, state: Vec<u8>) -> Self {
        Self(RefCell::new(C::begin(target, state)))
    }

    fn head(&self, head: HttpHead) -> Result<(), Failure> {
        self.0.borrow_mut().head(head)
    }

    fn push(&self, frames: Vec<Frame>, last: bool) -> Result<TypedOutput, Failure> {
        self.0.borrow_mut().push(frames, last)
    }
}
