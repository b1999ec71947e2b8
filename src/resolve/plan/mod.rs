//! Owns the resolved plan: one environment, names turned into ids, units into numbers,
//! parameters replaced, policies and `for each` expanded, defaults filled in.
//! Must not judge whether it is a good plan; that is `check`.
//!
//! Everything that was written keeps its [`Span`]; a value that nobody wrote carries the span of
//! the block it belongs to.

mod gap;
mod jobs;
mod params;
mod places;
mod scenario;
mod services;

use indexmap::IndexMap;

pub use jobs::*;
pub use params::*;
pub use places::*;
pub use scenario::*;
pub use services::*;

use crate::source::Span;
pub use crate::syntax::ast::{Compare, CopyScope, Kind, Method, NotifyOn, ProbeTest, Quantity};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// The index this id stands for.
            #[must_use]
            pub fn index(self) -> usize { self.0 as usize }
            /// The id of an index.
            #[must_use]
            pub fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    )*};
}

ids! {
    /// Index into [`ResolvedPlan::services`].
    ServiceId,
    /// Index into [`ResolvedPlan::components`].
    ComponentId,
    /// Index into [`ResolvedPlan::devices`].
    DeviceId,
    /// Index into [`ResolvedPlan::windows`].
    WindowId,
    /// Index into [`ResolvedPlan::keys`].
    KeyId,
    /// Index into [`ResolvedPlan::backups`].
    BackupId,
    /// Index into [`ResolvedPlan::archives`].
    ArchiveId,
}

/// A value together with the place that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The place.
    pub span: Span,
}

/// A plan for one environment.
#[derive(Debug, Clone)]
pub struct ResolvedPlan {
    /// Name after `plan`.
    pub name: String,
    /// The environment; empty when the plan names none.
    pub environment: String,
    /// Hash of all texts that made this plan (plan files, inventory) and the environment.
    /// Part of every step id.
    pub hash: String,
    /// The zone of every clock time in the plan.
    pub timezone: At<String>,
    /// Places by name.
    pub sites: IndexMap<String, Site>,
    /// Machines by name.
    pub hosts: IndexMap<String, Host>,
    /// Devices; [`DeviceId`] points here.
    pub devices: Vec<Device>,
    /// Keys; [`KeyId`] points here.
    pub keys: Vec<Key>,
    /// Windows; [`WindowId`] points here.
    pub windows: Vec<Window>,
    /// Services; [`ServiceId`] points here.
    pub services: Vec<Service>,
    /// Components of all services; [`ComponentId`] points here.
    pub components: Vec<Component>,
    /// Contacts by name.
    pub contacts: IndexMap<String, Span>,
    /// Backups; [`BackupId`] points here.
    pub backups: Vec<Backup>,
    /// Log archives; [`ArchiveId`] points here.
    pub archives: Vec<Archive>,
    /// Promises.
    pub objectives: Vec<Objectives>,
    /// Drills.
    pub drills: Vec<Scenario>,
    /// Recoveries.
    pub recoveries: Vec<Scenario>,
    /// Switchovers.
    pub switchovers: Vec<Scenario>,
    /// Stated sizes and rates.
    pub assumptions: Vec<Assumption>,
    /// Allowances of the whole plan.
    pub allows: Vec<Allow>,
    /// Where parameters are used, for those who ask where a value comes from.
    pub uses: ParamUses,
    /// Where run state (catalog, journals, lock) is kept: `.planc` beside the plan, or what the
    /// inventory says, joined to its folder.
    pub state_dir: String,
    /// Connection fields of the server that the catalog is shared by; none when it is this host's.
    pub catalog: Option<IndexMap<String, String>>,
}

impl ResolvedPlan {
    /// The service of an id of this plan.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.index()]
    }

    /// The component of an id of this plan.
    #[must_use]
    pub fn component(&self, id: ComponentId) -> &Component {
        &self.components[id.index()]
    }

    /// The device of an id of this plan.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> &Device {
        &self.devices[id.index()]
    }

    /// The window of an id of this plan.
    #[must_use]
    pub fn window(&self, id: WindowId) -> &Window {
        &self.windows[id.index()]
    }

    /// The stable name of a component across runs and catalogs, for example
    /// `orders_db/tablespace/hot`, `notes/database/main`, `docs/files/tree`.
    #[must_use]
    pub fn component_key(&self, id: ComponentId) -> String {
        let component = self.component(id);
        let service = &self.service(component.service).name;
        match &component.database {
            Some(database) if component.kind != ComponentKind::Database => {
                format!(
                    "{service}/{}/{database}.{}",
                    component.kind.word(),
                    component.name
                )
            }
            _ => format!("{service}/{}/{}", component.kind.word(), component.name),
        }
    }

    /// The databases that `logical` copies where the whole of a PostgreSQL service is named: its
    /// base has no words of its own. Without those that are named themselves.
    #[must_use]
    pub fn dumped_with_base(&self, backup: &Backup) -> Vec<ComponentId> {
        let logical = |take: &Take| take.method == Method::Logical;
        if !backup.takes.iter().any(logical) {
            return Vec::new();
        }
        let targets = backup.targets.iter().map(|id| self.component(*id));
        let bases = targets.filter(|target| target.kind == ComponentKind::Base);
        let services = bases.map(|base| base.service);
        let services = services.filter(|id| self.service(*id).engine == EngineKind::Postgresql);
        let parts = services.flat_map(|id| self.components_of(id));
        let databases = parts.filter(|id| self.component(*id).kind == ComponentKind::Database);
        databases
            .filter(|id| !backup.targets.contains(id))
            .collect()
    }

    /// Ids of a service's components.
    pub fn components_of(&self, id: ServiceId) -> impl Iterator<Item = ComponentId> {
        let (first, count) = self.service(id).components;
        (first.0..first.0 + count).map(ComponentId)
    }

    /// The service with this name.
    #[must_use]
    pub fn find_service(&self, name: &str) -> Option<ServiceId> {
        let at = self
            .services
            .iter()
            .position(|service| service.name == name)?;
        Some(ServiceId::from_index(at))
    }

    /// The name of the key that a job's copies are sealed with.
    #[must_use]
    pub fn key_name(&self, keeping: &Keeping) -> Option<String> {
        match keeping.encrypt {
            Encrypt::With(key, _) => Some(self.keys[key.index()].name.clone()),
            Encrypt::Unsaid | Encrypt::None(_) => None,
        }
    }

    /// The device with this name.
    #[must_use]
    pub fn find_device(&self, name: &str) -> Option<DeviceId> {
        let at = self.devices.iter().position(|device| device.name == name)?;
        Some(DeviceId::from_index(at))
    }
}
