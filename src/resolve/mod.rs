//! Trees of plan files and the inventories to one [`plan::ResolvedPlan`] an environment: names
//! become ids, units numbers, policies and `for each` their expansions.
//! Must not judge whether the plan is good (that is `check`), and must not open files: the
//! surface reads what [`imports::imports_of`] and [`imports::inventories_of`] name.
//!
//! How the surface feeds it: add the main plan to the [`SourceMap`] and parse it; for each
//! import, [`imports::relative`] gives the path to read, which is also the path to add to the
//! map and the key in [`Input::imports`]; go on with the imports of imports, each path once.
//! A file that cannot be read is reported with [`imports::unreadable_import`] or
//! [`imports::unreadable_inventory`] and left out of the maps; names from it then raise nothing.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostics;
use crate::facts::inventory::Inventory;
use crate::source::{SourceMap, Span};
use crate::syntax::ast::{Ast, Clause, ClauseKind, ItemKind, Word};

mod cx;
mod expand;
mod filter;
pub mod imports;
mod jobs;
mod keeping;
mod loops;
mod objectives;
mod overrides;
mod places;
pub mod plan;
mod scenario;
mod schedule;
mod scope;
mod selector;
mod services;
mod sink;
mod unused;
mod value;
mod vars;
mod world;
pub mod zone;

use cx::Cx;
pub use imports::{imports_of, inventories_of, relative, unreadable_import, unreadable_inventory};
use plan::ResolvedPlan;
use scope::Scope;
use sink::Sink;
use world::World;

/// Everything [`resolve`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The plan.
    pub main: &'a Ast,
    /// Imported files, also those imported by imports, by the path [`relative`] gives.
    pub imports: &'a BTreeMap<String, Ast>,
    /// Inventories by name of the environment. One that could not be read is missing.
    pub inventories: &'a BTreeMap<String, Inventory>,
    /// Paths and texts of all these files.
    pub sources: &'a SourceMap,
    /// The environment asked for; none for all.
    pub environment: Option<&'a str>,
}

/// Resolves a plan for one or all of its environments, in the order they are declared.
///
/// A plan without an `environment` statement resolves once, under the empty name and without an
/// inventory. Asking for an environment that the plan does not declare gives no plan and no
/// finding; the surface reports it. The result may hold gaps, marked `incomplete`, where
/// findings were made.
#[must_use]
pub fn resolve(input: &Input<'_>, out: &mut Diagnostics) -> Vec<ResolvedPlan> {
    let scopes = scope::all(input.main, input.imports, input.sources, out);
    let declared = environments(input.main, out);
    let sites = input.inventories.values().flat_map(|inventory| {
        let hosts = inventory
            .hosts
            .values()
            .filter_map(|host| host.site.as_deref());
        let devices = inventory.devices.values();
        let devices = devices.filter_map(|device| device.site.as_ref());
        hosts.chain(devices.map(|(site, _)| site.as_str()))
    });
    unused::report(&scopes[0], &sites.collect(), out);
    let environments = match declared.as_slice() {
        [] => vec![""],
        all => all.to_vec(),
    };
    let wanted = environments
        .iter()
        .filter(|name| input.environment.is_none_or(|one| one == **name));
    wanted
        .map(|name| {
            let sink = Sink::new(name);
            let plan = environment(input, &scopes, name, &declared, &sink);
            sink.drain(out);
            plan
        })
        .collect()
}

/// The environments of a plan, each once.
fn environments<'a>(main: &'a Ast, out: &mut Diagnostics) -> Vec<&'a str> {
    let mut first: Vec<&Word> = Vec::new();
    for item in &main.items {
        let ItemKind::Environment { name, .. } = &item.kind else {
            continue;
        };
        match first.iter().find(|known| known.text == name.text) {
            Some(known) => out.push(scope::declared_twice("environment", name, known.span)),
            None => first.push(name),
        }
    }
    first.into_iter().map(|name| name.text.as_str()).collect()
}

/// One environment, from the names that depend on nothing to the blocks that use them all.
fn environment(
    input: &Input<'_>,
    scopes: &[Scope<'_>],
    name: &str,
    declared: &[&str],
    sink: &Sink,
) -> ResolvedPlan {
    let file = Span::new(input.main.file, 0, 0);
    let inventory = input.inventories.get(name);
    let mut world = World::new(input.sources, scopes, inventory, name, file);
    head(&mut world, input, sink);
    world.params = vars::of_files(&world, sink, declared);
    (world.plan.windows, world.windows) = schedule::windows(&world, sink);
    places::locations(&mut world);
    places::hosts(&mut world, sink);
    places::keys(&mut world, sink);
    places::devices(&mut world, sink);
    services::all(&mut world, sink);
    places::device_clauses(&mut world, sink);
    world.plan.assumptions = objectives::assumptions(&world, sink);

    let units = expand::units(&world, sink);
    expand::names_once(&world, sink, &units);
    let jobs = jobs::all(&world, sink, &units);
    let promises = objectives::all(&world, sink, &units);
    let scenarios = scenario::all(&world, sink, &units);
    drop(units);
    ResolvedPlan {
        uses: sink.take_uses(),
        backups: jobs.backups,
        archives: jobs.archives,
        objectives: promises,
        drills: scenarios.drills,
        recoveries: scenarios.recoveries,
        switchovers: scenarios.switchovers,
        ..world.plan
    }
}

/// What stands once at the top of a plan.
fn head(world: &mut World<'_>, input: &Input<'_>, sink: &Sink) {
    let mut cx = Cx::new(world, sink, 0);
    let (mut name, mut zone, mut allows) = (None, None, Vec::new());
    for item in &input.main.items {
        match &item.kind {
            ItemKind::Plan { name: given, .. } => name = Some(given.text.clone()),
            ItemKind::Timezone(given) => zone = cx.zone(given).or(zone),
            ItemKind::Allow(allow) => allows.push(cx.allow(allow)),
            _ => {}
        }
    }
    world.plan.name = name.unwrap_or_default();
    world.plan.allows = allows;
    if let Some(zone) = zone {
        world.plan.timezone = zone;
    }
    let plan = input.sources.file(input.main.file).path();
    world.plan.state_dir = world.state_dir(plan);
    world.plan.catalog = world
        .inventory
        .and_then(|inventory| inventory.catalog.clone());
    world.plan.hash = hash(input, &world.plan.environment);
}

/// Hash of all texts that make the plan in this environment.
fn hash(input: &Input<'_>, environment: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        // lengths keep two texts apart from one text that is both
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    add(environment);
    add(input.sources.file(input.main.file).text());
    for (path, ast) in input.imports {
        add(path);
        add(input.sources.file(ast.file).text());
    }
    let inventory = input.inventories.get(environment);
    if let Some(file) = inventory.and_then(|inventory| inventory.file) {
        add(input.sources.file(file).text());
    }
    hasher.finalize().to_hex().to_string()
}

/// True for a clause that could not be read, or that holds one.
fn is_bad(clause: &Clause) -> bool {
    match &clause.kind {
        ClauseKind::Bad { .. } => true,
        ClauseKind::Database { body, .. } => body.iter().any(is_bad),
        ClauseKind::Override(inner) => is_bad(inner),
        _ => false,
    }
}
