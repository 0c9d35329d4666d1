//! A prepared plugin: compiled, linked, started and described, so that nothing can fail when it is put
//! in use.

mod refusing_sockets;

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use jackfield_dispatch::Sees;
use jackfield_dispatch::port::{Executor, PluginId, Selector};
use wasmtime::component::{Component, InstancePre};

use crate::compile_thread::compile;
use crate::component_bytes::ComponentBytes;
use crate::engine::Engine;
use crate::executor::ComponentExecutor;
use crate::host_state::HostState;
use crate::inspect::{Inspection, PluginKind, inspect};
use crate::instance::{Generation, InstanceCounts, InstantiateError};
use crate::policy::PluginPolicy;
use crate::prepare_error::PrepareError;
use crate::selector::ComponentSelector;

/// One generation of a plugin, ready for use.
#[derive(Debug)]
pub struct Plugin {
    id: PluginId,
    digest: String,
    origin: Origin,
    sees: Sees,
    handle: PluginHandle,
}

#[derive(Debug)]
enum PluginHandle {
    Executor(Arc<ComponentExecutor>),
    Selector(Arc<ComponentSelector>),
}

/// The source of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The binary carries it.
    BuiltIn,
    /// A file in the plugins folder.
    File(PathBuf),
}

impl Plugin {
    /// Checks, compiles, links, starts and describes a plugin. Takes up to seconds if its compiled code is
    /// not in the cache. Hashing and compiling run on other threads.
    ///
    /// # Errors
    /// When the plugin is rejected.
    pub async fn prepare(
        engine: &Engine,
        id: PluginId,
        bytes: Vec<u8>,
        origin: Origin,
    ) -> Result<Self, PrepareError> {
        Self::prepare_with(engine, id, bytes, origin, &PluginPolicy::default()).await
    }

    /// As [`Self::prepare`], with what the operator allows it.
    ///
    /// # Errors
    /// When the plugin is rejected.
    pub async fn prepare_with(
        engine: &Engine,
        id: PluginId,
        bytes: Vec<u8>,
        origin: Origin,
        policy: &PluginPolicy,
    ) -> Result<Self, PrepareError> {
        let component = ComponentBytes::check(bytes).await?;
        Self::compile(engine, id, component, origin, policy).await
    }

    /// The part of [`prepare_with`](Self::prepare_with) after the check of the bytes.
    ///
    /// # Errors
    /// When the plugin is rejected.
    pub(crate) async fn compile(
        engine: &Engine,
        id: PluginId,
        component: ComponentBytes,
        origin: Origin,
        policy: &PluginPolicy,
    ) -> Result<Self, PrepareError> {
        let digest = component.digest().to_owned();
        let component = compile(engine, &id.name, component).await?;
        let inspection = inspect(engine.wasmtime(), &component)?;
        if let Some(unmet) = policy
            .require
            .iter()
            .find(|each| !each.is_met(inspection.sees))
        {
            return Err(PrepareError::Requirement {
                required: unmet.label(),
                sees: inspection.sees.words().collect::<Vec<_>>().join(", "),
            });
        }
        let handle = PluginHandle::start(engine, id.clone(), &component, inspection, policy);
        let handle = handle.await?;
        Ok(Self {
            sees: inspection.sees,
            id,
            digest,
            origin,
            handle,
        })
    }

    /// Its name and generation.
    pub fn id(&self) -> &PluginId {
        &self.id
    }

    /// SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its source.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it is an executor or a selector.
    pub fn kind(&self) -> PluginKind {
        match self.handle {
            PluginHandle::Executor(_) => PluginKind::Executor,
            PluginHandle::Selector(_) => PluginKind::Selector,
        }
    }

    /// What it can see, by its imports and exports.
    pub fn sees(&self) -> Sees {
        self.sees
    }

    /// The version in its descriptor.
    pub fn version(&self) -> &str {
        self.generation().version()
    }

    /// The executor, if the plugin is one.
    pub fn executor(&self) -> Option<Arc<dyn Executor>> {
        match &self.handle {
            PluginHandle::Executor(executor) => Some(Arc::clone(executor) as Arc<dyn Executor>),
            PluginHandle::Selector(_) => None,
        }
    }

    /// The selector, if the plugin is one.
    pub fn selector(&self) -> Option<Arc<dyn Selector>> {
        match &self.handle {
            PluginHandle::Selector(selector) => Some(Arc::clone(selector) as Arc<dyn Selector>),
            PluginHandle::Executor(_) => None,
        }
    }

    /// Counters of its instances.
    pub fn counts(&self) -> InstanceCounts {
        InstanceCounts {
            plans: self.generation().plans(),
            ..self.generation().pool().counts()
        }
    }

    /// The component, whatever its kind.
    pub(crate) fn generation(&self) -> &dyn Generation {
        match &self.handle {
            PluginHandle::Executor(executor) => &**executor,
            PluginHandle::Selector(selector) => &**selector,
        }
    }

    /// A weak reference, which shows whether any call or snapshot still uses this generation.
    pub(crate) fn downgrade(&self) -> Weak<dyn Generation> {
        match &self.handle {
            PluginHandle::Executor(executor) => Arc::downgrade(executor) as Weak<dyn Generation>,
            PluginHandle::Selector(selector) => Arc::downgrade(selector) as Weak<dyn Generation>,
        }
    }
}

impl PluginHandle {
    async fn start(
        engine: &Engine,
        id: PluginId,
        component: &Component,
        inspection: Inspection,
        policy: &PluginPolicy,
    ) -> Result<Self, PrepareError> {
        let linked = link(engine, component, &inspection).map_err(InstantiateError::Link)?;
        match inspection.kind {
            PluginKind::Executor => {
                let executor =
                    ComponentExecutor::describe(engine, id, inspection, policy, linked).await?;
                Ok(Self::Executor(Arc::new(executor)))
            }
            PluginKind::Selector => {
                let version = inspection.version;
                let selector = ComponentSelector::describe(engine, id, version, linked).await?;
                Ok(Self::Selector(Arc::new(selector)))
            }
        }
    }
}

/// Links a component. No plugin has the network, but the runtimes of some languages import sockets.
fn link(
    engine: &Engine,
    component: &Component,
    inspection: &Inspection,
) -> wasmtime::Result<InstancePre<HostState>> {
    if !inspection.imports_sockets {
        return engine.linker().instantiate_pre(component);
    }
    refusing_sockets::linker(engine, component)?.instantiate_pre(component)
}
