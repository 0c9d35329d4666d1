//! Fake executors and selectors. Like plugins, each yields to the scheduler once before it
//! responds, so that a call can be dropped while it waits for them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method};
use jackfield_dialect::json::Patch;
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::plan::{
    Context, Evaluation, Frame, Framing, Output, Plan, Planned, PlannedBody, PlannedRequest,
    Refusal, ResponseMode, SecretPlace,
};
use jackfield_dispatch::port::{
    BoxFuture, Choice, Columns, Descriptor, Executor, FaultKind, PickContext, PluginFault,
    PluginId, PluginReply, Rejection, ResponseHead, Selector,
};
use tokio::task::yield_now;
use url::Url;

type Prepare = Box<dyn Fn(&Context) -> Result<Plan, Rejection> + Send + Sync>;
type Judge = Box<dyn Fn(&ResponseHead, &Bytes) -> Result<Refusal, PluginFault> + Send + Sync>;
type Evaluate = Box<dyn Fn(&Evaluation) -> Result<Option<bool>, PluginFault> + Send + Sync>;
type StartReply = Box<dyn Fn(Bytes) -> Result<FakeReply, PluginFault> + Send + Sync>;

/// A fake executor.
pub(crate) struct FakeExecutor {
    id: PluginId,
    pub(crate) descriptor: Descriptor,
    prepare: Prepare,
    /// A plan that it remembers for every call.
    remembered: Option<Arc<Plan>>,
    judge: Judge,
    start_reply: StartReply,
    evaluate: Evaluate,
    faults: AtomicU64,
    eager: bool,
}

impl FakeExecutor {
    /// Creates an executor with this function as `plan`.
    pub(crate) fn new(
        prepare: impl Fn(&Context) -> Result<Plan, Rejection> + Send + Sync + 'static,
    ) -> Self {
        Self {
            id: id("fake-executor"),
            descriptor: Descriptor {
                dialects: vec!["openai-chat".to_owned()],
                operations: vec!["generate".to_owned()],
                ..Descriptor::default()
            },
            prepare: Box::new(prepare),
            remembered: None,
            judge: Box::new(|_, _| Err(fault("it was not to judge"))),
            start_reply: Box::new(|_| Err(fault("it was not to reply"))),
            evaluate: Box::new(|_| Err(fault("it was not to evaluate"))),
            faults: AtomicU64::new(0),
            eager: false,
        }
    }

    /// Forwards the client's body, and relays the response.
    pub(crate) fn relaying() -> Self {
        Self::new(|_| Ok(planned(PlannedBody::Original, ResponseMode::Relay)))
    }

    /// Puts the provider's name of the model into the body, and relays the response.
    pub(crate) fn patching() -> Self {
        Self::new(|context| {
            let patch = Patch::Replace {
                path: "/model".to_owned(),
                value: format!("{:?}", context.model),
            };
            Ok(planned(
                PlannedBody::Patched(vec![patch]),
                ResponseMode::Relay,
            ))
        })
    }

    /// Processes the response in this way.
    pub(crate) fn replying(
        response: ResponseMode,
        begin: impl Fn(Bytes) -> Result<FakeReply, PluginFault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            start_reply: Box::new(begin),
            ..Self::new(move |_| Ok(planned(PlannedBody::Original, response)))
        }
    }

    /// Processes events, and forwards them unchanged.
    pub(crate) fn echoing() -> Self {
        Self::replying(ResponseMode::Frames(Framing::Sse), |_| {
            Ok(FakeReply::echoing())
        })
    }

    /// The same, and it remembers this plan for every call.
    pub(crate) fn remembering(mut self, plan: Plan) -> Self {
        self.remembered = Some(Arc::new(plan));
        self
    }

    /// The same, and it classifies error responses.
    pub(crate) fn judging(
        mut self,
        judge: impl Fn(&ResponseHead, &Bytes) -> Result<Refusal, PluginFault> + Send + Sync + 'static,
    ) -> Self {
        self.judge = Box::new(judge);
        self.descriptor.judges_errors = true;
        self
    }

    /// The same, but it accepts this dialect only.
    pub(crate) fn accepting(mut self, dialect: &str) -> Self {
        self.descriptor.dialects = vec![dialect.to_owned()];
        self
    }

    /// The same, but it accepts this dialect before the others.
    pub(crate) fn accepting_first(mut self, dialect: &str) -> Self {
        self.descriptor.dialects.insert(0, dialect.to_owned());
        self
    }

    /// The same, but it says that it plans this operation.
    pub(crate) fn planning(mut self, operation: &str) -> Self {
        self.descriptor.operations.push(operation.to_owned());
        self
    }

    /// The same, and it decides itself when to refresh.
    pub(crate) fn evaluating(
        mut self,
        evaluate: impl Fn(&Evaluation) -> Result<Option<bool>, PluginFault> + Send + Sync + 'static,
    ) -> Self {
        self.evaluate = Box::new(evaluate);
        self.descriptor.evaluates_refresh = true;
        self
    }

    /// The same, and `plan` does not yield.
    pub(crate) fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Returns the number of faults that the host reported for its plans.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

/// Returns a plan for the test's provider, with the credential's key as a bearer token.
pub(crate) fn planned(body: PlannedBody, response: ResponseMode) -> Plan {
    Plan {
        request: PlannedRequest {
            method: Method::POST,
            url: Url::parse("https://provider.test/v1/chat/completions").unwrap(),
            headers: HeaderMap::new(),
            forward_headers: Vec::new(),
            forward_query: Vec::new(),
            secrets: vec![("api-key".to_owned(), SecretPlace::Bearer)],
            body,
        },
        response_mode: response,
        captures: Vec::new(),
        state: Bytes::new(),
        delay: None,
    }
}

fn id(name: &str) -> PluginId {
    PluginId {
        name: Arc::from(name),
        generation: 1,
    }
}

/// Returns the fault of a plugin that trapped.
pub(crate) fn fault(detail: &str) -> PluginFault {
    PluginFault {
        plugin: id("fake-executor"),
        kind: FaultKind::Trapped,
        detail: detail.to_owned(),
    }
}

impl Executor for FakeExecutor {
    fn plugin(&self) -> &PluginId {
        &self.id
    }

    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn note_fault(&self, _: ClientDigest) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    fn prepare<'a>(
        &'a self,
        context: &'a Context,
        _: &'a Bytes,
    ) -> BoxFuture<'a, Result<Planned, Rejection>> {
        Box::pin(async {
            if !self.eager {
                yield_now().await;
            }
            match &self.remembered {
                Some(plan) => Ok(Planned::remembered(Arc::clone(plan))),
                None => (self.prepare)(context).map(Planned::from),
            }
        })
    }

    fn prepare_again<'a>(
        &'a self,
        context: &'a Context,
        _: &'a Bytes,
    ) -> BoxFuture<'a, Result<Planned, Rejection>> {
        Box::pin(async {
            yield_now().await;
            (self.prepare)(context).map(Planned::from)
        })
    }

    fn judge<'a>(
        &'a self,
        _: &'a Context,
        _: &'a Bytes,
        head: &'a ResponseHead,
        body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Refusal, PluginFault>> {
        Box::pin(async {
            yield_now().await;
            (self.judge)(head, body)
        })
    }

    fn reply<'a>(
        &'a self,
        _: &'a Context,
        _: &'a Bytes,
        state: Bytes,
    ) -> BoxFuture<'a, Result<Box<dyn PluginReply>, PluginFault>> {
        Box::pin(async {
            yield_now().await;
            (self.start_reply)(state).map(|reply| Box::new(reply) as Box<dyn PluginReply>)
        })
    }

    fn should_refresh<'a>(
        &'a self,
        evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Option<bool>, PluginFault>> {
        Box::pin(async {
            yield_now().await;
            (self.evaluate)(evaluation)
        })
    }
}

impl fmt::Debug for FakeExecutor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FakeExecutor")
    }
}

type Push = Box<dyn FnMut(Vec<Frame>, bool) -> Result<Output, Rejection> + Send>;
type OnHead = Box<dyn FnMut(ResponseHead) -> Result<ResponseHead, Rejection> + Send>;

/// A response that passes through an executor.
pub(crate) struct FakeReply {
    head: OnHead,
    push: Push,
}

impl FakeReply {
    /// Maps frames with this function.
    pub(crate) fn new(
        push: impl FnMut(Vec<Frame>, bool) -> Result<Output, Rejection> + Send + 'static,
    ) -> Self {
        Self {
            head: Box::new(Ok),
            push: Box::new(push),
        }
    }

    /// Forwards frames unchanged.
    pub(crate) fn echoing() -> Self {
        Self::new(|frames, _| Ok(output(frames)))
    }

    /// The same, and this function processes the head.
    pub(crate) fn with_head(
        mut self,
        head: impl FnMut(ResponseHead) -> Result<ResponseHead, Rejection> + Send + 'static,
    ) -> Self {
        self.head = Box::new(head);
        self
    }
}

/// Returns a result with frames only.
pub(crate) fn output(frames: Vec<Frame>) -> Output {
    Output {
        frames,
        ..Output::default()
    }
}

/// Returns a frame without an event name.
pub(crate) fn frame(data: impl Into<Bytes>) -> Frame {
    Frame {
        name: String::new(),
        data: data.into(),
    }
}

impl PluginReply for FakeReply {
    fn head(&mut self, head: ResponseHead) -> BoxFuture<'_, Result<ResponseHead, Rejection>> {
        Box::pin(async {
            yield_now().await;
            (self.head)(head)
        })
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> BoxFuture<'_, Result<Output, Rejection>> {
        Box::pin(async move {
            yield_now().await;
            (self.push)(frames, last)
        })
    }
}

type Pick = Box<dyn Fn(&PickContext, usize) -> Result<Choice, PluginFault> + Send + Sync>;

/// A fake selector.
pub(crate) struct FakeSelector {
    id: PluginId,
    pick: Pick,
}

impl FakeSelector {
    /// Chooses with this function, which gets the number of candidates.
    pub(crate) fn new(
        pick: impl Fn(&PickContext, usize) -> Result<Choice, PluginFault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            id: id("fake-selector"),
            pick: Box::new(pick),
        }
    }

    /// Chooses the first untried candidate by id.
    pub(crate) fn first() -> Self {
        Self::new(|_, _| Ok(Choice::Candidate(0)))
    }
}

impl Selector for FakeSelector {
    fn plugin(&self) -> &PluginId {
        &self.id
    }

    fn pick<'a>(
        &'a self,
        context: &'a PickContext,
        candidates: Arc<dyn Columns>,
    ) -> BoxFuture<'a, Result<Choice, PluginFault>> {
        Box::pin(async move {
            yield_now().await;
            (self.pick)(context, candidates.len())
        })
    }
}

impl fmt::Debug for FakeSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FakeSelector")
    }
}
