//! Owns what exists beside services: sites, hosts, contacts, keys and devices, each from the plan
//! and the inventory together (P0201, P0809).

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::cx::Cx;
use super::imports;
use super::plan::{Device, DeviceId, DeviceKind, Host, Key, KeyId, Rotation, Site};
use super::scope::{Declared, ScopeId};
use super::sink::Sink;
use super::world::{HERE, World};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::inventory::{Inventory, InventoryDevice, Library, Setting, Store};
use crate::similar;
use crate::source::Span;
use crate::syntax::ast::{self, ClauseKind, Word};

/// Sites, hosts and contacts; nothing here depends on other names.
pub(super) fn locations(world: &mut World<'_>) {
    if let Some(inventory) = world.inventory {
        world.plan.sites.clone_from(&inventory.sites);
        world.plan.hosts.clone_from(&inventory.hosts);
        world.plan.contacts.clone_from(&inventory.contacts);
    }
    for scope in world.scopes {
        for (name, word) in &scope.sites {
            let sites = &mut world.plan.sites;
            let link = sites.get(*name).and_then(|site| site.link);
            let span = word.span;
            sites.insert((*name).to_owned(), Site { link, span });
        }
    }
}

/// Keys of all files.
pub(super) fn keys(world: &mut World<'_>, sink: &Sink) {
    let (mut keys, mut ids) = (Vec::new(), HashMap::new());
    for (scope, file) in world.scopes.iter().enumerate() {
        let mut cx = Cx::new(world, sink, scope);
        for (name, declared) in &file.keys {
            let ast::Key { secret, escrow, .. } = declared.what;
            ids.insert((scope, *name), KeyId::from_index(keys.len()));
            let full = world.full(scope, name);
            let stocked = world.inventory.and_then(|inventory| {
                let keys = &inventory.keys;
                keys.get(&full).or_else(|| keys.get(*name))
            });
            let written = (secret.source.text.clone(), secret.locator.text.clone());
            let stated = stocked.and_then(|key| key.source.clone());
            let (source, locator) = stated.unwrap_or(written);
            keys.push(Key {
                name: full,
                locator: located(world, &source, locator),
                source,
                escrow: escrow.as_ref().and_then(|site| cx.site(site)),
                since: stocked.and_then(|key| key.since),
                replace_after: stocked.and_then(|key| key.replace_after),
                escrow_until: stocked.and_then(|key| key.escrow_until),
                span: declared.name.span,
            });
        }
    }
    world.plan.keys = keys;
    world.keys = ids;
}

/// A path of a secret, joined to the inventory's folder.
fn located(world: &World<'_>, source: &str, locator: String) -> String {
    match source {
        "file" => world.beside(&locator),
        _ => locator,
    }
}

/// A store whose secrets are named by paths that can be opened.
fn stock_store(world: &World<'_>, store: &Store) -> Store {
    let mut store = store.clone();
    for setting in [
        &mut store.access_key,
        &mut store.secret_key,
        &mut store.token,
    ] {
        if let Some(Setting::Source(source, locator)) = setting {
            *locator = located(world, source, std::mem::take(locator));
        }
    }
    store
}

/// A library whose folder can be opened.
fn stock_library(world: &World<'_>, library: &Library) -> Library {
    let mut library = library.clone();
    library.folder = library.folder.map(|folder| world.beside(&folder));
    library
}

/// Names used inside the inventory, and the host that needs no entry.
pub(super) fn hosts(world: &mut World<'_>, sink: &Sink) {
    let Some(inventory) = world.inventory else {
        return;
    };
    let cx = Cx::new(world, sink, 0);
    for host in inventory.hosts.values() {
        if let Some(site) = &host.site {
            known(
                &cx,
                "site",
                site,
                host.span,
                world.plan.sites.contains_key(site),
            );
        }
    }
    let uses_here = |host: &Option<(String, Span)>| {
        host.as_ref()
            .filter(|(name, _)| name == HERE)
            .map(|(_, span)| *span)
    };
    let devices = inventory.devices.values().map(|device| &device.host);
    let services = inventory.services.values().map(|service| &service.host);
    let first = devices.chain(services).find_map(uses_here);
    if let Some(span) = first {
        let host = || Host {
            site: None,
            disks: IndexMap::new(),
            replay: None,
            import: None,
            free: None,
            write: None,
            span,
        };
        world.plan.hosts.entry(HERE.to_owned()).or_insert_with(host);
    }
}

/// Reports a name of the inventory that the inventory (or the plan) does not have.
pub(super) fn known(cx: &Cx<'_, '_>, kind: &str, name: &str, span: Span, is_known: bool) {
    if is_known || cx.world.unsure {
        return;
    }
    let word = Word {
        text: name.to_owned(),
        span,
        quoted: false,
    };
    let message = format!("no {kind} is called `{name}`");
    let names = cx.names_of(kind);
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    cx.push(cx.suggest(Code(201), message, &word, &format!("{kind}s"), &known));
}

/// Devices of all files, then those of the inventory that no file declares.
pub(super) fn devices(world: &mut World<'_>, sink: &Sink) {
    let (mut devices, mut ids) = (Vec::new(), HashMap::new());
    let mut taken: HashSet<&str> = HashSet::new();
    for (scope, file) in world.scopes.iter().enumerate() {
        let mut cx = Cx::new(world, sink, scope);
        for (name, declared) in &file.devices {
            let full = world.full(scope, name);
            let entry = stock(world.inventory, &full, name);
            taken.extend(entry.map(|(name, _)| name));
            let device = declared_device(&mut cx, full.clone(), *declared, entry.map(|(_, it)| it));
            ids.insert(full, DeviceId::from_index(devices.len()));
            devices.push(device);
        }
    }
    let cx = Cx::new(world, sink, 0);
    for (name, entry) in world
        .inventory
        .into_iter()
        .flat_map(|inventory| &inventory.devices)
    {
        if !taken.contains(name.as_str()) {
            ids.insert(name.clone(), DeviceId::from_index(devices.len()));
            devices.push(stock_device(&cx, name.clone(), Some(entry), entry.span));
        }
    }
    world.plan.devices = devices;
    world.devices = ids;
}

/// The inventory's entry for a declared device: under its full name, else under its own.
fn stock<'a>(
    inventory: Option<&'a Inventory>,
    full: &str,
    name: &str,
) -> Option<(&'a str, &'a InventoryDevice)> {
    let devices = &inventory?.devices;
    let (_, name, entry) = devices.get_full(full).or_else(|| devices.get_full(name))?;
    Some((name, entry))
}

fn declared_device(
    cx: &mut Cx<'_, '_>,
    full: String,
    declared: Declared<'_, ast::Device>,
    entry: Option<&InventoryDevice>,
) -> Device {
    let mut device = stock_device(cx, full, entry, declared.name.span);
    device.declared = true;
    if let Some(site) = &declared.what.site {
        device.site = cx.site(site).or(device.site);
    }
    match &declared.what.kind {
        Some(word) => device_kind(cx, &mut device, word, entry),
        None if entry.is_none_or(|entry| entry.kind.is_none()) && !cx.world.unsure => {
            let message = format!("nothing says what kind of device `{}` is", device.name);
            let help = "write `is directory`, or describe it in the inventory";
            cx.refuse(201, message, declared.name.span, help);
        }
        None => {}
    }
    device
}

fn device_kind(
    cx: &mut Cx<'_, '_>,
    device: &mut Device,
    word: &Word,
    entry: Option<&InventoryDevice>,
) {
    let Some(kind) = DeviceKind::from_word(&word.text) else {
        let message = format!("no kind of device is called `{}`", word.text);
        let known = DeviceKind::ALL.map(DeviceKind::word);
        return cx.push(cx.suggest(Code(201), message, word, "kinds", &known));
    };
    device.kind = kind;
    let Some(entry) = entry else { return };
    if let Some(stocked) = entry.kind.filter(|stocked| *stocked != kind) {
        let (plan, inventory) = (kind.word(), stocked.word());
        let name = &device.name;
        let message = format!("plan: `{name}` is {plan}; inventory: it is {inventory}");
        cx.push(
            Diagnostic::new(Code(809), message, word.span, "")
                .related("the inventory's entry", entry.span, "")
                .help("correct one of the two")
                .subject(name.clone()),
        );
    }
}

/// A device as the inventory describes it.
fn stock_device(
    cx: &Cx<'_, '_>,
    name: String,
    entry: Option<&InventoryDevice>,
    span: Span,
) -> Device {
    let host = entry.and_then(|entry| entry.host.as_ref());
    let site = entry.and_then(|entry| entry.site.as_ref());
    let hosts = &cx.world.plan.hosts;
    if let Some((name, span)) = host {
        known(cx, "host", name, *span, hosts.contains_key(name));
    }
    if let Some((name, span)) = site {
        known(
            cx,
            "site",
            name,
            *span,
            cx.world.plan.sites.contains_key(name),
        );
    }
    let machine = host.and_then(|(name, _)| hosts.get(name));
    if let (Some(machine), Some(disk)) = (machine, entry.and_then(|entry| entry.disk.as_ref())) {
        known_disk(cx, machine, disk, entry.map_or(span, |entry| entry.span));
    }
    Device {
        kind: entry
            .and_then(|entry| entry.kind)
            .unwrap_or(DeviceKind::Directory),
        site: site
            .map(|(name, _)| name.clone())
            .or_else(|| machine.and_then(|machine| machine.site.clone())),
        host: host.map(|(name, _)| name.clone()),
        disk: entry.and_then(|entry| entry.disk.clone()),
        path: entry.and_then(|entry| Some(cx.world.beside(entry.path.as_ref()?))),
        store: entry.and_then(|entry| Some(stock_store(cx.world, entry.store.as_ref()?))),
        capacity: entry.and_then(|entry| entry.capacity),
        write: entry.and_then(|entry| entry.write),
        read: entry.and_then(|entry| entry.read),
        drives: entry.map_or(1, |entry| entry.drives),
        volumes: entry.and_then(|entry| entry.volumes),
        library: entry.and_then(|entry| Some(stock_library(cx.world, entry.library.as_ref()?))),
        fetch: entry.and_then(|entry| entry.fetch),
        append: entry.is_some_and(|entry| entry.append),
        immutable: entry.is_some_and(|entry| entry.immutable),
        reduces: entry.is_some_and(|entry| entry.reduces),
        rotate: None,
        retain: Vec::new(),
        throttle: Vec::new(),
        allows: Vec::new(),
        span,
        inventory_span: entry.map(|entry| entry.span),
        declared: false,
        name,
    }
}

/// Reports a disk that its host does not have. A host without a list of disks has any.
pub(super) fn known_disk(cx: &Cx<'_, '_>, host: &Host, disk: &str, span: Span) {
    if host.disks.is_empty() || host.disks.contains_key(disk) || cx.world.unsure {
        return;
    }
    let message = format!("its host has no disk `{disk}`");
    let disks = similar::list(host.disks.keys().map(String::as_str), 8);
    cx.push(
        Diagnostic::new(Code(201), message, span, "")
            .help(format!(
                "add it to `disks` of the host; disks there: {disks}"
            ))
            .subject(disk),
    );
}

/// The clauses of device blocks; they name windows, sites and other devices.
pub(super) fn device_clauses(world: &mut World<'_>, sink: &Sink) {
    let mut found: Vec<Device> = Vec::new();
    let mut at = 0;
    for (scope, file) in world.scopes.iter().enumerate() {
        for declared in file.devices.values() {
            let mut device = world.plan.devices[at].clone();
            at += 1;
            clauses(&mut Cx::new(world, sink, scope), &mut device, declared.what);
            found.push(device);
        }
    }
    for (at, device) in found.into_iter().enumerate() {
        world.plan.devices[at] = device;
    }
}

fn clauses(cx: &mut Cx<'_, '_>, device: &mut Device, written: &ast::Device) {
    for clause in &written.body {
        match &clause.kind {
            ClauseKind::Rotate {
                to,
                schedule,
                back_after,
            } => {
                let (to, schedule) = (cx.site(to), cx.schedule(schedule));
                let back_after = back_after.as_ref().map(|value| cx.kept(value));
                if let (Some(to), Some(schedule)) = (to, schedule) {
                    let span = clause.span;
                    let back_after = back_after.flatten();
                    device.rotate = Some(Rotation {
                        to,
                        schedule,
                        back_after,
                        span,
                    });
                }
            }
            ClauseKind::Retain { on, tiers } => device.retain.extend(cx.retain(on, tiers, clause)),
            ClauseKind::Throttle(rates) => device.throttle.extend(cx.throttle(rates, clause.span)),
            ClauseKind::Allow(allow) => device.allows.push(cx.allow(allow)),
            _ => {}
        }
    }
}

impl World<'_> {
    /// A path of the inventory, joined to the folder of the inventory file.
    pub(super) fn beside(&self, written: &str) -> String {
        let file = self.inventory.and_then(|inventory| inventory.file);
        let from = file.map_or("", |file| self.sources.file(file).path());
        imports::relative(from, written)
    }

    /// Where run state lies.
    pub(super) fn state_dir(&self, plan: &str) -> String {
        let stated = self
            .inventory
            .and_then(|inventory| inventory.state.as_ref());
        match stated {
            Some((path, _)) => self.beside(path),
            None => imports::relative(plan, ".planc"),
        }
    }
}

impl Cx<'_, '_> {
    /// All names of a kind, for a finding; none when enough was suggested.
    pub(super) fn names_of(&self, kind: &str) -> Vec<String> {
        if self.sink.is_tired() {
            return Vec::new();
        }
        let scope: ScopeId = 0;
        self.names(kind, scope)
    }
}
