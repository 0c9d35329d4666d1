//! The plans that one generation of an executor remembers, and when it does.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jackfield_credential::Credential;
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::plan::{Context, Plan, PlannedBody};
use parking_lot::RwLock;

use crate::limits::{PLAN_BYTES_MAX, USES_PER_PROOF};
use crate::plan_memory::{NewPlan, PlanMemory};
use crate::reads::{CallInput, ReadHash, Reads};

/// The plans of one generation. A clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct RememberedPlans(Arc<PlanState>);

#[derive(Debug)]
struct PlanState {
    plans: RwLock<PlanMemory<PlanKey, Plan>>,
    hash: ReadHash,
    /// False if the operator turned it off, if the plugin's contract does not allow it, or after a proof that
    /// failed.
    on: AtomicBool,
    uses: AtomicU64,
    /// Whether a proof is in progress: at most one at a time.
    proving: AtomicBool,
}

/// All that the guest gets as arguments, and its settings. It has the values themselves and not a number of
/// their revision: a plan for other settings, or for a credential with other attributes, secrets or base URL,
/// cannot be found. The generation of the plugin is the owner of the plans.
#[derive(Debug, Clone)]
pub(crate) struct PlanKey {
    operation: &'static str,
    dialect: &'static str,
    model: Arc<str>,
    client_model: Arc<str>,
    stream: bool,
    credential: Arc<Credential>,
    settings: Arc<str>,
    options: Vec<(&'static str, String)>,
}

impl PlanKey {
    /// The key of an attempt; `None` for operations that belong to no client, which are rare.
    pub(crate) fn of(context: &Context) -> Option<Self> {
        context.principal.as_ref()?;
        Some(Self {
            operation: context.operation,
            dialect: context.dialect,
            model: Arc::clone(&context.model),
            client_model: Arc::clone(&context.client_model),
            stream: context.stream,
            credential: Arc::clone(&context.credential),
            settings: Arc::clone(&context.settings),
            options: context.options.clone(),
        })
    }
}

impl PartialEq for PlanKey {
    fn eq(&self, other: &Self) -> bool {
        let text = |own: &Arc<str>, other: &Arc<str>| Arc::ptr_eq(own, other) || own == other;
        self.operation == other.operation
            && self.dialect == other.dialect
            && self.stream == other.stream
            && text(&self.model, &other.model)
            && text(&self.client_model, &other.client_model)
            && text(&self.settings, &other.settings)
            && self.options == other.options
            && (Arc::ptr_eq(&self.credential, &other.credential)
                || looks_the_same(&self.credential, &other.credential))
    }
}

impl Eq for PlanKey {}

impl Hash for PlanKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // The rest seldom differs, and is compared.
        self.operation.hash(hasher);
        self.dialect.hash(hasher);
        self.model.hash(hasher);
        self.client_model.hash(hasher);
        self.stream.hash(hasher);
        self.credential.id.hash(hasher);
    }
}

/// Whether a guest sees no difference between two states of credentials.
fn looks_the_same(one: &Credential, other: &Credential) -> bool {
    one.id == other.id
        && one.provider == other.provider
        && one.base_url == other.base_url
        && one.attributes == other.attributes
        && one.secret_fields == other.secret_fields
}

/// A use of a remembered plan.
pub(crate) struct Use {
    pub(crate) plan: Arc<Plan>,
    /// Whether this use is to be proven. The caller must then call [`RememberedPlans::proven`].
    pub(crate) prove: bool,
}

impl RememberedPlans {
    pub(crate) fn new(on: bool) -> Self {
        Self(Arc::new(PlanState {
            plans: RwLock::default(),
            hash: ReadHash::default(),
            on: AtomicBool::new(on),
            uses: AtomicU64::new(0),
            proving: AtomicBool::new(false),
        }))
    }

    /// Whether plans are remembered now.
    pub(crate) fn is_on(&self) -> bool {
        self.0.on.load(Ordering::Relaxed)
    }

    /// The number of plans.
    pub(crate) fn len(&self) -> usize {
        self.0.plans.read().len()
    }

    /// Finds the plan for a call.
    pub(crate) fn find(&self, key: &PlanKey, owner: ClientDigest, call: &CallInput) -> Option<Use> {
        let inner = &self.0;
        if !self.is_on() {
            return None;
        }
        // The lock ends here: to look for a value in a large body may take milliseconds.
        let found = inner.plans.read().find(key, owner)?;
        let plan = found.plan(|read| inner.hash.digest(read, call).0)?;
        // The first use is proven, too.
        let is_due = inner
            .uses
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(USES_PER_PROOF);
        let prove = is_due && !inner.proving.swap(true, Ordering::Relaxed);
        Some(Use { plan, prove })
    }

    /// Remembers a plan, if it may be used again. `is_tainted`: whether the instance has read anything of a
    /// client.
    pub(crate) fn remember(
        &self,
        key: &PlanKey,
        owner: ClientDigest,
        plan: &Arc<Plan>,
        (reads, is_tainted): (Reads, bool),
        call: &CallInput,
    ) {
        let bytes = plan_bytes(plan);
        if !self.is_on() || bytes > PLAN_BYTES_MAX {
            return;
        }
        let Some(reads) = reads.digests(call, &self.0.hash) else {
            return;
        };
        // Nothing but a noted read taints an instance that plans. If that ever changes, a plan must not become
        // every client's.
        if is_tainted && reads.is_empty() {
            return;
        }
        let new = NewPlan {
            owner,
            reads,
            plan: Arc::clone(plan),
            bytes,
        };
        self.0.plans.write().insert(key, new);
    }

    /// Forgets the plan of a target.
    pub(crate) fn forget(&self, key: &PlanKey, owner: ClientDigest, call: &CallInput) {
        let Some(found) = self.0.plans.read().find(key, owner) else {
            return;
        };
        if let Some(plan) = found.plan(|read| self.0.hash.digest(read, call).0) {
            self.0.plans.write().forget(key, owner, &plan);
        }
    }

    /// Ends a proof.
    pub(crate) fn proven(&self) {
        self.0.proving.store(false, Ordering::Relaxed);
    }

    /// Makes the next use a proof, as after a swap.
    pub(crate) fn prove_next(&self) {
        self.0.uses.store(0, Ordering::Relaxed);
    }

    /// Forgets all plans, and remembers none from now on.
    pub(crate) fn turn_off(&self) {
        self.0.on.store(false, Ordering::Relaxed);
        self.0.plans.write().clear();
    }
}

/// The size of a plan, in bytes, about.
fn plan_bytes(plan: &Plan) -> usize {
    let request = &plan.request;
    let headers: usize = request
        .headers
        .iter()
        .map(|(name, value)| HEADER_BYTES + name.as_str().len() + value.len())
        .sum();
    let body = match &request.body {
        PlannedBody::Empty | PlannedBody::Original => 0,
        PlannedBody::Bytes(bytes) => bytes.len(),
        PlannedBody::Patched(patches) => {
            let value = |patch: &jackfield_dialect::json::Patch| format!("{patch:?}").len();
            patches.iter().map(value).sum()
        }
    };
    let names = request.forward_headers.iter().chain(&request.forward_query);
    let names: usize = names.map(|name| STRING_BYTES + name.len()).sum();
    let secrets: usize = request
        .secrets
        .iter()
        .map(|(name, place)| STRING_BYTES + name.len() + format!("{place:?}").len())
        .sum();
    PLAN_BYTES + request.url.as_str().len() + headers + body + names + secrets + plan.state.len()
}

/// What a plan takes itself, in bytes: the structures without their texts.
const PLAN_BYTES: usize = 512;

/// The same for a header in its map.
const HEADER_BYTES: usize = 112;

/// The same for a text.
const STRING_BYTES: usize = 24;
