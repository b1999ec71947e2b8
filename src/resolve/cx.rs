//! Owns the place from which a block is resolved: its file, its variables, the instance it is
//! expanded for; and the look-up of names from there (P0201, P0202, P0210).

use super::plan::{DeviceId, KeyId, ServiceId, WindowId};
use super::scope::ScopeId;
use super::sink::Sink;
use super::vars::Bound;
use super::world::{HERE, SCRATCH, World};
use crate::diagnostic::{Code, Diagnostic};
use crate::similar;
use crate::source::Span;
use crate::syntax::ast::Word;

/// How many known names a finding lists.
const LISTED: usize = 8;

/// From where names and variables are looked up.
pub(super) struct Cx<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) sink: &'w Sink,
    /// The file whose names count.
    pub(super) scope: ScopeId,
    /// Variables of the block.
    pub(super) own: Vec<(&'w str, Bound)>,
    /// Variables that all instances of one `apply` share.
    pub(super) shared: &'w [(&'w str, Bound)],
    /// The `apply` that expands the block.
    pub(super) applied: Option<Span>,
    /// What the block is expanded for, by name.
    pub(super) instance: Option<&'w str>,
    /// The service that unqualified components belong to.
    pub(super) service: Option<ServiceId>,
    /// Set when something could not be resolved.
    pub(super) incomplete: bool,
}

impl<'w, 'a> Cx<'w, 'a> {
    /// A place in a file, outside of any expansion.
    pub(super) fn new(world: &'w World<'a>, sink: &'w Sink, scope: ScopeId) -> Self {
        let only = (world.plan.services.len() == 1).then_some(ServiceId(0));
        Self {
            world,
            sink,
            scope,
            own: Vec::new(),
            shared: &[],
            applied: None,
            instance: None,
            service: only,
            incomplete: false,
        }
    }

    pub(super) fn push(&self, finding: Diagnostic) {
        self.sink.push(finding, self.instance);
    }

    /// A finding about a word that is none of the known ones.
    pub(super) fn suggest(
        &self,
        code: Code,
        message: String,
        word: &Word,
        kinds: &str,
        known: &[&str],
    ) -> Diagnostic {
        let finding = Diagnostic::new(code, message, word.span, "").subject(word.text.clone());
        match self.sink.nearest(&word.text, known.iter().copied()) {
            Some(near) => finding
                .help(format!("did you mean `{near}`?"))
                .fix(false, word.span, near),
            None if known.is_empty() => finding.help(format!("there are no {kinds} here")),
            None => {
                let list = similar::list(known.iter().copied(), LISTED);
                finding.help(format!("{kinds} here: {list}"))
            }
        }
    }

    /// The file and the name in it that a word means. None when its import is unreadable or
    /// nested, which is reported.
    pub(super) fn locate<'n>(&mut self, word: &'n Word) -> Option<(ScopeId, &'n str)> {
        let text = word.text.as_str();
        let scope = &self.world.scopes[self.scope];
        let Some((first, rest)) = text.split_once('.').filter(|_| !word.quoted) else {
            return Some((self.scope, text));
        };
        match scope.imports.get(first) {
            None => Some((self.scope, text)),
            Some(None) => {
                self.incomplete = true;
                None
            }
            Some(Some(id)) => {
                let next = rest.split_once('.').map(|(next, _)| next);
                let imports = &self.world.scopes[*id].imports;
                if next.is_some_and(|next| imports.contains_key(next)) {
                    let message = format!("`{text}` has more than one import prefix");
                    let next = next.unwrap_or_default();
                    let help = format!("import the file behind `{next}` into this one directly");
                    self.refuse(210, message, word.span, help);
                    return None;
                }
                Some((*id, rest))
            }
        }
    }

    pub(super) fn device(&mut self, word: &Word) -> Option<DeviceId> {
        let (scope, name) = self.locate(word)?;
        let plan = &self.world.plan;
        let devices = &self.world.devices;
        let own = devices.get(&self.world.full(scope, name)).copied();
        let of_inventory = || {
            let id = devices.get(name).copied()?;
            (!plan.device(id).declared).then_some(id)
        };
        let found = own.or_else(of_inventory);
        if found.is_none() {
            self.unknown("device", scope, name, word);
        }
        found
    }

    pub(super) fn window(&mut self, word: &Word) -> Option<WindowId> {
        let (scope, name) = self.locate(word)?;
        match self.world.windows.get(&(scope, name)) {
            Some(Some(id)) => return Some(*id),
            // declared, and what is wrong with it is reported
            Some(None) => self.incomplete = true,
            None => self.unknown("window", scope, name, word),
        }
        None
    }

    pub(super) fn key(&mut self, word: &Word) -> Option<KeyId> {
        let (scope, name) = self.locate(word)?;
        let found = self.world.keys.get(&(scope, name)).copied();
        if found.is_none() {
            self.unknown("key", scope, name, word);
        }
        found
    }

    /// A site. Sites are places of the real world: they have one name in all files.
    pub(super) fn site(&mut self, word: &Word) -> Option<String> {
        let (scope, name) = self.locate(word)?;
        if self.world.plan.sites.contains_key(name) {
            return Some(name.to_owned());
        }
        self.unknown("site", scope, name, word);
        None
    }

    pub(super) fn contact(&mut self, word: &Word) -> Option<String> {
        if self.world.plan.contacts.contains_key(&word.text) {
            return Some(word.text.clone());
        }
        self.unknown("contact", self.scope, &word.text, word);
        None
    }

    /// A host of the inventory, `here`, or `scratch`; a quoted path stays what it is.
    pub(super) fn host(&mut self, word: &Word) -> Option<String> {
        let name = word.text.as_str();
        let known = self.world.plan.hosts.contains_key(name);
        if word.quoted || known || name == HERE || name == SCRATCH {
            return Some(name.to_owned());
        }
        self.unknown("host", self.scope, name, word);
        None
    }

    pub(super) fn service(&mut self, word: &Word) -> Option<ServiceId> {
        let (scope, name) = self.locate(word)?;
        let found = self.find_service(scope, name);
        if found.is_none() {
            self.unknown("service", scope, name, word);
        }
        found
    }

    /// A service declared in the file, or one of the inventory.
    pub(super) fn find_service(&self, scope: ScopeId, name: &str) -> Option<ServiceId> {
        let services = &self.world.services;
        if self.world.scopes[scope].prefix.is_empty() {
            return services.get(name).copied();
        }
        let own = services.get(&self.world.full(scope, name)).copied();
        own.or_else(|| {
            let id = services.get(name).copied()?;
            let service = self.world.plan.service(id);
            (service.inventory_span == Some(service.span)).then_some(id)
        })
    }

    /// Reports a name that is none of this kind, unless its declaration could not be read.
    pub(super) fn unknown(&mut self, kind: &str, scope: ScopeId, name: &str, word: &Word) {
        self.incomplete = true;
        let may_be = self.world.scopes[scope].may_declare(kind, name);
        let of_inventory = matches!(kind, "device" | "service" | "site" | "host" | "contact");
        if may_be || of_inventory && self.world.unsure {
            return;
        }
        let known = if self.sink.is_tired() {
            Vec::new()
        } else {
            self.names(kind, scope)
        };
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let finding = if let Some(other) = self.other_kind(scope, name) {
            let message = format!("a {kind} is needed here; `{}` is a {other}", word.text);
            let list = similar::list(known.iter().copied(), LISTED);
            let help = if known.is_empty() {
                format!("there are no {kind}s here")
            } else {
                format!("{kind}s here: {list}")
            };
            Diagnostic::new(Code(202), message, word.span, "")
                .help(help)
                .subject(word.text.clone())
        } else {
            let message = format!("no {kind} is called `{}`", word.text);
            self.suggest(Code(201), message, word, &format!("{kind}s"), &known)
        };
        self.push(finding);
    }

    /// The names of a kind, as they are written in this file.
    pub(super) fn names(&self, kind: &str, scope: ScopeId) -> Vec<String> {
        let world = self.world;
        let mut imports = world.scopes[self.scope].imports.iter();
        let prefix = imports.find(|(_, id)| scope != self.scope && **id == Some(scope));
        let prefix = prefix.map_or(String::new(), |(prefix, _)| format!("{prefix}."));
        let within = |names: Vec<&&'a str>| -> Vec<String> {
            let names = names.iter().map(|name| format!("{prefix}{name}"));
            names.collect()
        };
        let file = &world.scopes[scope];
        match kind {
            "device" => world
                .plan
                .devices
                .iter()
                .map(|device| device.name.clone())
                .collect(),
            "service" => world
                .plan
                .services
                .iter()
                .map(|one| one.name.clone())
                .collect(),
            "site" => world.plan.sites.keys().cloned().collect(),
            "host" => world.plan.hosts.keys().cloned().collect(),
            "contact" => world.plan.contacts.keys().cloned().collect(),
            "window" => within(file.windows.keys().collect()),
            "key" => within(file.keys.keys().collect()),
            "policy" => within(file.policies.keys().collect()),
            _ => Vec::new(),
        }
    }

    /// What a name is, when it is something else than was needed.
    fn other_kind(&self, scope: ScopeId, name: &str) -> Option<&'static str> {
        let world = self.world;
        let file = &world.scopes[scope];
        let full = world.full(scope, name);
        let known = [
            (world.devices.contains_key(&full), "device"),
            (file.windows.contains_key(name), "window"),
            (file.keys.contains_key(name), "key"),
            (world.services.contains_key(&full), "service"),
            (file.policies.contains_key(name), "policy"),
            (world.plan.sites.contains_key(name), "site"),
            (world.plan.hosts.contains_key(name), "host"),
            (world.plan.contacts.contains_key(name), "contact"),
            (file.params.contains_key(name), "parameter"),
        ];
        let found = known.into_iter().find(|(found, _)| *found);
        found.map(|(_, kind)| kind)
    }
}
