//! Owns services and their components, each from the plan and the inventory together.

use std::collections::{HashMap, HashSet};

use super::cx::Cx;
use super::places;
use super::plan::{Component, ComponentId, ComponentKind, EngineKind, Service, ServiceId};
use super::scope::{Declared, declared_twice};
use super::sink::Sink;
use super::world::World;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::inventory::InventoryService;
use crate::source::Span;
use crate::syntax::ast::{self, Clause, ClauseKind, Filter, Word};

/// Services of all files, then those of the inventory that no file declares.
pub(super) fn all(world: &mut World<'_>, sink: &Sink) {
    let mut builder = Builder::default();
    let mut taken: HashSet<&str> = HashSet::new();
    for (scope, file) in world.scopes.iter().enumerate() {
        let mut cx = Cx::new(world, sink, scope);
        for (name, declared) in &file.services {
            let full = world.full(scope, name);
            let services = world.inventory.map(|inventory| &inventory.services);
            let entry = services.and_then(|services| {
                services
                    .get_full(&full)
                    .or_else(|| services.get_full(*name))
            });
            taken.extend(entry.map(|(_, name, _)| name.as_str()));
            let entry = entry.map(|(_, _, entry)| entry);
            builder.service(&mut cx, full, Some(*declared), entry);
        }
    }
    let mut cx = Cx::new(world, sink, 0);
    for (name, entry) in world
        .inventory
        .into_iter()
        .flat_map(|inventory| &inventory.services)
    {
        if !taken.contains(name.as_str()) {
            builder.service(&mut cx, name.clone(), None, Some(entry));
        }
    }
    world.plan.services = builder.services;
    world.plan.components = builder.components;
    world.services = builder.ids;
}

#[derive(Default)]
struct Builder {
    services: Vec<Service>,
    components: Vec<Component>,
    ids: HashMap<String, ServiceId>,
}

impl Builder {
    fn service(
        &mut self,
        cx: &mut Cx<'_, '_>,
        name: String,
        declared: Option<Declared<'_, ast::Service>>,
        entry: Option<&InventoryService>,
    ) {
        let span = declared.map_or_else(|| entry.map(|entry| entry.span), |it| Some(it.name.span));
        let Some(span) = span else { return };
        let Some(engine) = engine(cx, &name, declared, entry, span) else {
            return;
        };
        let id = ServiceId::from_index(self.services.len());
        let first = ComponentId::from_index(self.components.len());
        let mut parts = Parts {
            service: id,
            span,
            engine,
            found: Vec::new(),
        };
        parts.of_engine(entry);
        parts.of_inventory(cx, entry);
        let body = declared.map_or(&[][..], |declared| &declared.what.body);
        parts.of_plan(cx, body);
        let count = u32::try_from(parts.found.len()).unwrap_or(u32::MAX);
        self.components.append(&mut parts.found);
        self.ids.insert(name.clone(), id);
        let mut service = stocked(cx, name, engine, entry, span);
        service.components = (first, count);
        attach(cx, &mut service, body);
        self.services.push(service);
    }
}

fn stocked(
    cx: &Cx<'_, '_>,
    name: String,
    engine: EngineKind,
    entry: Option<&InventoryService>,
    span: Span,
) -> Service {
    let host = entry.and_then(|entry| entry.host.as_ref());
    if let Some((name, span)) = host {
        places::known(
            cx,
            "host",
            name,
            *span,
            cx.world.plan.hosts.contains_key(name),
        );
    }
    Service {
        name,
        engine,
        version: entry.and_then(|entry| entry.version.clone()),
        host: host.map(|(name, _)| name.clone()),
        path: entry.and_then(|entry| Some(cx.world.beside(entry.path.as_ref()?))),
        programs: entry.and_then(|entry| Some(cx.world.beside(entry.programs.as_ref()?))),
        connect: entry.map(|entry| entry.connect.clone()).unwrap_or_default(),
        labels: entry.map(|entry| entry.labels.clone()).unwrap_or_default(),
        components: (ComponentId(0), 0),
        standbys: Vec::new(),
        allows: Vec::new(),
        span,
        inventory_span: entry.map(|entry| entry.span),
    }
}

/// The engine: the plan's word, which the inventory's must equal.
fn engine(
    cx: &mut Cx<'_, '_>,
    name: &str,
    declared: Option<Declared<'_, ast::Service>>,
    entry: Option<&InventoryService>,
    span: Span,
) -> Option<EngineKind> {
    let stocked = entry.and_then(|entry| entry.engine);
    let Some(declared) = declared else {
        if stocked.is_none() && !cx.world.unsure {
            let message = format!("service `{name}` has no engine");
            cx.refuse(
                201,
                message,
                span,
                "write `engine: postgresql`, `sqlite` or another one",
            );
        }
        return stocked.map(|engine| engine.value);
    };
    let word = &declared.what.engine;
    let Some(engine) = EngineKind::from_word(&word.text) else {
        let message = format!("no engine is called `{}`", word.text);
        let known = EngineKind::ALL.map(EngineKind::word);
        cx.push(cx.suggest(Code(201), message, word, "engines", &known));
        return None;
    };
    if let Some(other) = stocked.filter(|stocked| stocked.value != engine) {
        let (plan, inventory) = (engine.word(), other.value.word());
        let message = format!("plan: `{name}` is {plan}; inventory: it is {inventory}");
        cx.push(
            Diagnostic::new(Code(809), message, word.span, "")
                .related("the inventory's entry", other.span, "")
                .help("correct one of the two")
                .subject(name),
        );
    }
    Some(engine)
}

/// Standbys and allowances of a service block.
fn attach(cx: &mut Cx<'_, '_>, service: &mut Service, body: &[Clause]) {
    for clause in body {
        match &clause.kind {
            ClauseKind::Standby { name, site } => {
                if let Some(site) = cx.site(site) {
                    service
                        .standbys
                        .push((name.text.clone(), site, clause.span));
                }
            }
            ClauseKind::Allow(allow) => service.allows.push(cx.allow(allow)),
            _ => {}
        }
    }
}

/// The components of one service, in the order base, tablespaces, databases, groups.
struct Parts {
    service: ServiceId,
    span: Span,
    engine: EngineKind,
    found: Vec<Component>,
}

impl Parts {
    fn push(&mut self, kind: ComponentKind, name: &str, span: Span) -> &mut Component {
        self.found.push(Component {
            service: self.service,
            kind,
            name: name.to_owned(),
            database: None,
            disks: Vec::new(),
            tables: Vec::new(),
            span,
        });
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn has_parts(&self) -> bool {
        matches!(self.engine, EngineKind::Postgresql | EngineKind::Mariadb)
    }

    /// The component that every service of the engine has.
    fn of_engine(&mut self, entry: Option<&InventoryService>) {
        let (kind, name) = match self.engine {
            EngineKind::Postgresql | EngineKind::Mariadb => (ComponentKind::Base, "base"),
            EngineKind::Sqlite => (ComponentKind::Database, "main"),
            EngineKind::Files => (ComponentKind::Files, "tree"),
        };
        let span = self.span;
        let disk = entry.and_then(|entry| entry.disk.clone());
        self.push(kind, name, span).disks.extend(disk);
    }

    fn of_inventory(&mut self, cx: &Cx<'_, '_>, entry: Option<&InventoryService>) {
        let Some(entry) = entry else { return };
        let host = entry
            .host
            .as_ref()
            .and_then(|(name, _)| cx.world.plan.hosts.get(name));
        if let (Some(disk), Some(host)) = (&entry.disk, host) {
            places::known_disk(cx, host, disk, entry.span);
        }
        let first = entry.tablespaces.values().next().map(|placed| placed.span);
        let first = first.or_else(|| entry.databases.values().next().copied());
        if let Some(span) = first.filter(|_| !self.has_parts()) {
            return cx.push(no_parts(self.engine, span));
        }
        for (name, placed) in &entry.tablespaces {
            for disk in &placed.disks {
                if let Some(host) = host {
                    places::known_disk(cx, host, disk, placed.span);
                }
            }
            let part = self.push(ComponentKind::Tablespace, name, placed.span);
            part.disks.clone_from(&placed.disks);
        }
        for (name, span) in &entry.databases {
            self.push(ComponentKind::Database, name, *span);
        }
    }

    fn of_plan(&mut self, cx: &Cx<'_, '_>, body: &[Clause]) {
        let mut own: HashMap<(ComponentKind, String), Span> = HashMap::new();
        for clause in body {
            let words = match &clause.kind {
                ClauseKind::Tablespaces(names) => names.as_slice(),
                ClauseKind::Database { name, .. } | ClauseKind::Group { name, .. } => {
                    std::slice::from_ref(name)
                }
                _ => continue,
            };
            if !self.has_parts() {
                cx.push(no_parts(self.engine, clause.span));
                continue;
            }
            match &clause.kind {
                ClauseKind::Tablespaces(_) => {
                    for word in words {
                        self.declare(cx, ComponentKind::Tablespace, word, &mut own);
                    }
                }
                ClauseKind::Database { name, body } => {
                    self.declare(cx, ComponentKind::Database, name, &mut own);
                    for clause in body {
                        self.group(cx, clause, Some(name), &mut own);
                    }
                }
                _ => self.group(cx, clause, None, &mut own),
            }
        }
    }

    /// A part of the plan; one that the inventory has too is one and the same.
    fn declare(
        &mut self,
        cx: &Cx<'_, '_>,
        kind: ComponentKind,
        word: &Word,
        own: &mut HashMap<(ComponentKind, String), Span>,
    ) {
        if let Some(first) = own.insert((kind, word.text.clone()), word.span) {
            return cx.push(declared_twice(kind.word(), word, first));
        }
        let mut found = self.found.iter_mut();
        match found.find(|part| part.kind == kind && part.name == word.text) {
            Some(part) => part.span = word.span,
            None => {
                self.push(kind, &word.text, word.span);
            }
        }
    }

    fn group(
        &mut self,
        cx: &Cx<'_, '_>,
        clause: &Clause,
        database: Option<&Word>,
        own: &mut HashMap<(ComponentKind, String), Span>,
    ) {
        let ClauseKind::Group {
            name,
            tables,
            filter,
        } = &clause.kind
        else {
            return;
        };
        let database = database.map(|word| word.text.clone());
        let full = format!("{}.{}", database.as_deref().unwrap_or(""), name.text);
        if let Some(first) = own.insert((ComponentKind::Group, full), name.span) {
            return cx.push(declared_twice("group", name, first));
        }
        let matching = match filter {
            Some(Filter::Matching(glob)) => Some(glob.text.clone()),
            _ => None,
        };
        let names = tables.iter().map(|word| word.text.clone()).chain(matching);
        let names = names.collect();
        let group = self.push(ComponentKind::Group, &name.text, name.span);
        group.database.clone_from(&database);
        group.tables = names;
        for word in tables {
            let full = format!("{}.{}", database.as_deref().unwrap_or(""), word.text);
            if own
                .insert((ComponentKind::Table, full), word.span)
                .is_none()
            {
                let table = self.push(ComponentKind::Table, &word.text, word.span);
                table.database.clone_from(&database);
            }
        }
    }
}

fn no_parts(engine: EngineKind, span: Span) -> Diagnostic {
    let message = format!("{} has no tablespaces, databases or groups", engine.word());
    Diagnostic::new(Code(508), message, span, "")
        .help("remove the line: the service is kept as a whole")
        .subject(engine.word())
}
