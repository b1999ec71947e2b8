//! Owns what exists in one environment: the tables that names are looked up in, filled step by
//! step from the plan and its inventory. Must not know what blocks do with it.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::plan::{
    At, ComponentId, ComponentKind, DeviceId, EngineKind, KeyId, ResolvedPlan, ServiceId, WindowId,
};
use super::scope::{Scope, ScopeId};
use super::vars::Bound;
use crate::facts::inventory::Inventory;
use crate::source::{SourceMap, Span};

/// The host name that always means the machine planc runs on.
pub(super) const HERE: &str = "here";

/// The restore target that needs no entry in the inventory: a fresh place beside the state.
pub(super) const SCRATCH: &str = "scratch";

/// Services with more components than this get an index by name.
const SMALL: u32 = 32;

/// One environment.
pub(super) struct World<'a> {
    pub(super) sources: &'a SourceMap,
    pub(super) scopes: &'a [Scope<'a>],
    pub(super) inventory: Option<&'a Inventory>,
    /// True when the inventory is missing or has gaps: its names may exist all the same.
    pub(super) unsure: bool,
    /// Parameters of each file.
    pub(super) params: Vec<HashMap<&'a str, Bound>>,
    pub(super) windows: HashMap<(ScopeId, &'a str), Option<WindowId>>,
    pub(super) keys: HashMap<(ScopeId, &'a str), KeyId>,
    pub(super) devices: HashMap<String, DeviceId>,
    pub(super) services: HashMap<String, ServiceId>,
    /// The resolved plan as far as it is known.
    pub(super) plan: ResolvedPlan,
    by_name: OnceCell<HashMap<String, Vec<ComponentId>>>,
}

impl<'a> World<'a> {
    /// A world without names.
    pub(super) fn new(
        sources: &'a SourceMap,
        scopes: &'a [Scope<'a>],
        inventory: Option<&'a Inventory>,
        environment: &str,
        file: Span,
    ) -> Self {
        Self {
            sources,
            scopes,
            inventory,
            unsure: inventory.is_some_and(|inventory| inventory.incomplete)
                || inventory.is_none() && !environment.is_empty(),
            params: Vec::new(),
            windows: HashMap::new(),
            keys: HashMap::new(),
            devices: HashMap::new(),
            services: HashMap::new(),
            plan: empty_plan(environment, file),
            by_name: OnceCell::new(),
        }
    }

    /// The plan's own file.
    pub(super) fn main(&self) -> &'a Scope<'a> {
        &self.scopes[0]
    }

    /// The components of a service with this name, whatever they are.
    pub(super) fn named(&self, service: ServiceId, name: &str) -> Vec<ComponentId> {
        let plan = &self.plan;
        if plan.service(service).components.1 <= SMALL {
            let all = plan.components_of(service);
            return all.filter(|id| plan.component(*id).name == name).collect();
        }
        let all = self.everywhere(name).iter().copied();
        all.filter(|id| plan.component(*id).service == service)
            .collect()
    }

    /// The components of all services with this name; bases are left out.
    pub(super) fn everywhere(&self, name: &str) -> &[ComponentId] {
        let index = self.by_name.get_or_init(|| {
            let mut index: HashMap<String, Vec<ComponentId>> = HashMap::new();
            for (at, component) in self.plan.components.iter().enumerate() {
                if component.kind != ComponentKind::Base {
                    let ids = index.entry(component.name.clone()).or_default();
                    ids.push(ComponentId::from_index(at));
                }
            }
            index
        });
        index.get(name).map_or(&[], Vec::as_slice)
    }

    /// What `service x` means as the target of a copy: everything, each byte once.
    pub(super) fn whole(&self, service: ServiceId) -> impl Iterator<Item = ComponentId> {
        let parts = match self.plan.service(service).engine {
            EngineKind::Postgresql | EngineKind::Mariadb => {
                [ComponentKind::Base, ComponentKind::Tablespace]
            }
            EngineKind::Sqlite => [ComponentKind::Database; 2],
            EngineKind::Files => [ComponentKind::Files; 2],
        };
        let all = self.plan.components_of(service);
        all.filter(move |id| parts.contains(&self.plan.component(*id).kind))
    }

    /// The service's base, or its only component.
    pub(super) fn base(&self, service: ServiceId) -> Option<ComponentId> {
        let mut all = self.plan.components_of(service);
        all.find(|id| self.plan.component(*id).kind == ComponentKind::Base)
    }

    /// The name under which the plan sees a name of a file.
    pub(super) fn full(&self, scope: ScopeId, name: &str) -> String {
        format!("{}{name}", self.scopes[scope].prefix)
    }
}

fn empty_plan(environment: &str, file: Span) -> ResolvedPlan {
    ResolvedPlan {
        name: String::new(),
        environment: environment.to_owned(),
        hash: String::new(),
        timezone: At {
            value: "UTC".to_owned(),
            span: file,
        },
        sites: indexmap::IndexMap::new(),
        hosts: indexmap::IndexMap::new(),
        devices: Vec::new(),
        keys: Vec::new(),
        windows: Vec::new(),
        services: Vec::new(),
        components: Vec::new(),
        contacts: indexmap::IndexMap::new(),
        backups: Vec::new(),
        archives: Vec::new(),
        objectives: Vec::new(),
        drills: Vec::new(),
        recoveries: Vec::new(),
        switchovers: Vec::new(),
        assumptions: Vec::new(),
        allows: Vec::new(),
        uses: super::plan::ParamUses::new(),
        state_dir: String::new(),
        catalog: None,
    }
}
