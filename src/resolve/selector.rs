//! Owns what a reference to services and components means: `base of x`, `tablespace hot`,
//! `every tablespace of $it`, `orders` (P0201 to P0203).

use std::collections::HashSet;

use super::cx::Cx;
use super::plan::{ComponentId, ComponentKind, EngineKind, ServiceId, Target};
use super::vars::{Bound, Setting};
use crate::diagnostic::{Code, Diagnostic};
use crate::similar;
use crate::source::Span;
use crate::syntax::ast::{Filter, Kind, Reference, Selector, SelectorKind, Word};

/// The word of a kind.
pub(super) fn word_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Service => "service",
        Kind::Database => "database",
        Kind::Tablespace => "tablespace",
        Kind::Group => "group",
        Kind::Table => "table",
        Kind::Files => "files",
        Kind::Site => "site",
        Kind::Device => "device",
        Kind::Transaction => "transaction",
        Kind::Time => "time",
    }
}

/// The kind of component, for kinds that are one.
pub(super) fn component_kind(kind: Kind) -> Option<ComponentKind> {
    Some(match kind {
        Kind::Database => ComponentKind::Database,
        Kind::Tablespace => ComponentKind::Tablespace,
        Kind::Group => ComponentKind::Group,
        Kind::Table => ComponentKind::Table,
        Kind::Files => ComponentKind::Files,
        _ => return None,
    })
}

/// What a name can turn out to be.
enum Thing {
    Service(ServiceId),
    Component(ComponentId),
}

impl Cx<'_, '_> {
    /// Components of all selectors, each once, in order.
    pub(super) fn targets(&mut self, selectors: &[Selector]) -> Vec<ComponentId> {
        let mut found = Vec::new();
        for selector in selectors {
            self.components(selector, &mut found);
        }
        let mut seen = HashSet::with_capacity(found.len());
        found.retain(|id| seen.insert(*id));
        found
    }

    /// Adds the components a selector stands for.
    pub(super) fn components(&mut self, selector: &Selector, found: &mut Vec<ComponentId>) {
        match self.target(selector) {
            Some(Target::Components(ids)) => found.extend(ids),
            Some(Target::Service(service)) => found.extend(self.world.whole(service)),
            Some(Target::Input(name)) => {
                let message = format!("`${name}` is known only when the scenario runs");
                self.refuse(209, message, selector.span, "name a component of the plan");
            }
            Some(Target::Foreign(kind, name)) => {
                let message = format!("no {} is called `{name}` in the plan", word_of(kind));
                let help = "declare it in its `service`, then name it without quotes";
                self.refuse(201, message, selector.span, help);
            }
            None => self.incomplete = true,
        }
    }

    /// What a selector stands for, as scenarios need it.
    pub(super) fn target(&mut self, selector: &Selector) -> Option<Target> {
        match &selector.kind {
            SelectorKind::Base(scope) => {
                let service = self.scope_service(scope.as_ref(), selector.span)?;
                let base = self.world.base(service);
                if base.is_none() {
                    let engine = self.world.plan.service(service).engine.word();
                    let message = format!("{engine} has no `base`: it is kept as a whole");
                    let name = self.world.plan.service(service).name.clone();
                    self.refuse(
                        201,
                        message,
                        selector.span,
                        format!("write `service {name}`"),
                    );
                }
                base.map(|base| Target::Components(vec![base]))
            }
            SelectorKind::Every {
                kind,
                scope,
                filters,
            } => {
                let ids = self.every_component(*kind, scope.as_ref(), filters, selector.span)?;
                Some(Target::Components(ids))
            }
            SelectorKind::Kinded(kind, reference) => self.kinded(*kind, reference),
            SelectorKind::Bare(Reference::Var(word)) => self.of_var(None, word),
            SelectorKind::Bare(Reference::Name(word)) => self.of_name(None, word),
        }
    }

    fn kinded(&mut self, kind: Kind, reference: &Reference) -> Option<Target> {
        let word = match reference {
            Reference::Name(word) | Reference::Var(word) => word,
        };
        if component_kind(kind).is_none() && kind != Kind::Service {
            let message = format!("a {} is not something that is kept", word_of(kind));
            let help = "name a service, tablespace, database, group or table";
            self.refuse(202, message, word.span, help);
            return None;
        }
        match reference {
            Reference::Var(word) => self.of_var(Some(kind), word),
            Reference::Name(word) => self.of_name(Some(kind), word),
        }
    }

    fn of_var(&mut self, kind: Option<Kind>, word: &Word) -> Option<Target> {
        let bound = self.var(word)?;
        let (target, is) = match bound {
            Bound::Service(id) => (Target::Service(id), "service"),
            Bound::Component(id) => {
                let word = self.world.plan.component(id).kind.word();
                (Target::Components(vec![id]), word)
            }
            Bound::Input(is) => (Target::Input(word.text.clone()), word_of(is)),
            // a parameter of type `name` or `text`: as if its value stood here
            Bound::Setting(Setting::Text(value), ..) => return self.of_name(kind, &value),
            other => {
                let is = other.words();
                let message = format!("a component is needed here; `${}` is a {is}", word.text);
                self.refuse(202, message, word.span, "use a variable that is one");
                return None;
            }
        };
        let fits = kind.is_none_or(|kind| word_of(kind) == is);
        if fits && !matches!(is, "transaction" | "time" | "site" | "device") {
            return Some(target);
        }
        let wanted = kind.map_or("component", word_of);
        let message = format!("a {wanted} is needed here; `${}` is a {is}", word.text);
        self.refuse(202, message, word.span, "use a variable of that kind");
        None
    }

    fn of_name(&mut self, kind: Option<Kind>, word: &Word) -> Option<Target> {
        let (scope, name) = self.locate(word)?;
        let things = self.things(kind, scope, name, word.quoted);
        match things.as_slice() {
            [Thing::Service(id)] => Some(Target::Service(*id)),
            [Thing::Component(id)] => Some(Target::Components(vec![*id])),
            [] if word.quoted => kind
                .map(|kind| Target::Foreign(kind, name.to_owned()))
                .or_else(|| {
                    let help = "say what it is, for example `table \"…\"`";
                    self.refuse(203, "a quoted name needs its kind", word.span, help);
                    None
                }),
            [] => {
                self.unknown_component(kind, scope, name, word);
                None
            }
            _ => {
                self.ambiguous(&things, word);
                None
            }
        }
    }

    /// Everything a name can mean: a service, or a component of the service that counts here.
    fn things(&self, kind: Option<Kind>, scope: usize, name: &str, quoted: bool) -> Vec<Thing> {
        let mut things = Vec::new();
        if kind.is_none_or(|kind| kind == Kind::Service) {
            things.extend(self.find_service(scope, name).map(Thing::Service));
        }
        if kind == Some(Kind::Service) {
            return things;
        }
        let wanted = kind.and_then(component_kind);
        if let Some(whole) = self.whole_as(wanted, scope, name) {
            return vec![Thing::Component(whole)];
        }
        let mut add = |ids: Vec<ComponentId>| {
            let components = ids.into_iter().filter(|id| {
                let is = self.world.plan.component(*id).kind;
                wanted.is_none_or(|wanted| wanted == is)
            });
            things.extend(components.map(Thing::Component));
        };
        let split = name.split_once('.').filter(|_| !quoted);
        if let Some((first, rest)) = split
            && let Some(service) = self.find_service(scope, first)
        {
            add(self.within(service, rest, quoted));
            return things;
        }
        match self.service {
            Some(service) => add(self.within(service, name, quoted)),
            None => add(self.anywhere(name, quoted)),
        }
        things
    }

    /// The only component of a service that is named by its service: `files docs`, or
    /// `database notes` of an engine that keeps one database a file.
    fn whole_as(
        &self,
        kind: Option<ComponentKind>,
        scope: usize,
        name: &str,
    ) -> Option<ComponentId> {
        let service = self.find_service(scope, name)?;
        let only = match self.world.plan.service(service).engine {
            EngineKind::Files => ComponentKind::Files,
            EngineKind::Sqlite => ComponentKind::Database,
            EngineKind::Postgresql | EngineKind::Mariadb => return None,
        };
        (kind == Some(only))
            .then(|| self.world.whole(service).next())
            .flatten()
    }

    /// Components of a service called `name`, or `database.name`.
    fn within(&self, service: ServiceId, name: &str, quoted: bool) -> Vec<ComponentId> {
        let plain = self.world.named(service, name);
        let Some((database, part)) = name.split_once('.').filter(|_| !quoted) else {
            return plain;
        };
        let parts = self.world.named(service, part).into_iter();
        let parts =
            parts.filter(|id| self.world.plan.component(*id).database.as_deref() == Some(database));
        plain.into_iter().chain(parts).collect()
    }

    /// Components of all services called `name`, or `database.name`.
    fn anywhere(&self, name: &str, quoted: bool) -> Vec<ComponentId> {
        let plain = self.world.everywhere(name).to_vec();
        let Some((database, part)) = name.split_once('.').filter(|_| !quoted) else {
            return plain;
        };
        let parts = self.world.everywhere(part).iter().copied();
        parts
            .filter(|id| self.world.plan.component(*id).database.as_deref() == Some(database))
            .collect()
    }

    fn ambiguous(&mut self, things: &[Thing], word: &Word) {
        let plan = &self.world.plan;
        let many = things.len() > 4;
        let forms: Vec<String> = things
            .iter()
            .take(4)
            .map(|thing| match thing {
                Thing::Service(id) => format!("service {}", plan.service(*id).name),
                Thing::Component(id) => {
                    let part = plan.component(*id);
                    let service = match self.service {
                        Some(_) => String::new(),
                        None => format!("{}.", plan.service(part.service).name),
                    };
                    let database = part.database.as_ref().map(|name| format!("{name}."));
                    let database = database.unwrap_or_default();
                    format!("{} {service}{database}{}", part.kind.word(), part.name)
                }
            })
            .collect();
        let more = if many { " …" } else { "" };
        let message = format!("`{}` can mean {} things", word.text, things.len());
        let list = similar::list(forms.iter().map(String::as_str), 4);
        self.refuse(
            203,
            message,
            word.span,
            format!("write one of {list}{more}"),
        );
    }

    fn unknown_component(&mut self, kind: Option<Kind>, scope: usize, name: &str, word: &Word) {
        let first = name.split('.').next().unwrap_or(name);
        let service = self
            .find_service(scope, first)
            .filter(|_| first != name)
            .or(self.service);
        if kind.is_none_or(|kind| kind == Kind::Service) && service.is_none() {
            return self.unknown("service", scope, name, word);
        }
        self.incomplete = true;
        let wanted = kind.map_or("component", word_of);
        let file = &self.world.scopes[scope];
        let broken = self.world.unsure || file.may_declare("service", first);
        if broken || service.is_some_and(|service| self.has_bad_body(service)) {
            return;
        }
        if kind == Some(Kind::Service) || self.is_other(wanted, scope, name) {
            return self.unknown(wanted, scope, name, word);
        }
        let owner = service.map(|id| format!(" of {}", self.world.plan.service(id).name));
        let message = format!(
            "no {wanted}{} is called `{name}`",
            owner.unwrap_or_default()
        );
        let known = self.component_names(kind, service);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        self.push(self.suggest(Code(201), message, word, &format!("{wanted}s"), &known));
    }

    fn is_other(&self, wanted: &str, scope: usize, name: &str) -> bool {
        let file = &self.world.scopes[scope];
        let declared = file.devices.contains_key(name)
            || file.windows.contains_key(name)
            || file.policies.contains_key(name);
        wanted != "service" && (declared || self.find_service(scope, name).is_some())
    }

    /// True when a clause of the service's block could not be read.
    fn has_bad_body(&self, service: ServiceId) -> bool {
        let span = self.world.plan.service(service).span;
        let files = self
            .world
            .scopes
            .iter()
            .flat_map(|file| file.services.values());
        let declared = files.filter(|declared| declared.name.span == span);
        declared
            .flat_map(|declared| &declared.what.body)
            .any(super::is_bad)
    }

    fn component_names(&self, kind: Option<Kind>, service: Option<ServiceId>) -> Vec<String> {
        let Some(service) = service.filter(|_| !self.sink.is_tired()) else {
            return Vec::new();
        };
        let plan = &self.world.plan;
        let all = plan.components_of(service).map(|id| plan.component(id));
        let wanted = kind.and_then(component_kind);
        let all = all.filter(|part| wanted.is_none_or(|wanted| wanted == part.kind));
        all.map(|part| part.name.clone()).collect()
    }

    /// The service that `of X` names, or the one that counts here.
    pub(super) fn scope_service(
        &mut self,
        scope: Option<&Reference>,
        span: Span,
    ) -> Option<ServiceId> {
        let found = match scope {
            Some(reference) => return self.reference_service(reference),
            None => self.service,
        };
        if found.is_none() && !(self.world.unsure && self.world.plan.services.is_empty()) {
            let message = "this does not say of which service";
            self.refuse(203, message, span, "add `of SERVICE`");
        }
        self.incomplete |= found.is_none();
        found
    }

    /// A reference that must be a service.
    pub(super) fn reference_service(&mut self, reference: &Reference) -> Option<ServiceId> {
        let word = match reference {
            Reference::Name(word) => return self.service(word),
            Reference::Var(word) => word,
        };
        match self.var(word)? {
            Bound::Service(id) => Some(id),
            Bound::Setting(Setting::Text(value), ..) => self.service(&value),
            other => {
                let is = other.words();
                let message = format!("a service is needed here; `${}` is a {is}", word.text);
                self.refuse(202, message, word.span, "use a variable that is a service");
                None
            }
        }
    }

    /// A selector that must be a service: `orders_db`, `service orders_db`, `$it`.
    pub(super) fn selected_service(&mut self, selector: &Selector) -> Option<ServiceId> {
        match &selector.kind {
            SelectorKind::Bare(reference) | SelectorKind::Kinded(Kind::Service, reference) => {
                self.reference_service(reference)
            }
            _ => {
                let message = "a service is needed here, not a part of one";
                self.refuse(202, message, selector.span, "write the service's name");
                None
            }
        }
    }

    fn every_component(
        &mut self,
        kind: Kind,
        scope: Option<&Reference>,
        filters: &[Filter],
        span: Span,
    ) -> Option<Vec<ComponentId>> {
        if kind == Kind::Service {
            let services = self.every_service(filters);
            return Some(
                services
                    .into_iter()
                    .flat_map(|id| self.world.whole(id))
                    .collect(),
            );
        }
        let Some(wanted) = component_kind(kind) else {
            let message = format!("a {} is not something that is kept", word_of(kind));
            self.refuse(
                202,
                message,
                span,
                "write `every tablespace`, `every database` …",
            );
            return None;
        };
        let (service, database) = self.scope_of(scope, span)?;
        let plan = &self.world.plan;
        let all = plan.components_of(service).filter(|id| {
            let part = plan.component(*id);
            part.kind == wanted && (database.is_none() || part.database == database)
        });
        let all: Vec<ComponentId> = all.collect();
        let filter = self.filter(filters);
        let kept = all.into_iter().filter(|id| {
            filter.keeps(&plan.component(*id).name, |label| {
                super::filter::service_label(plan, service, label)
            })
        });
        Some(kept.collect())
    }

    /// `of X`, where X is a service or, for groups and tables, a database.
    fn scope_of(
        &mut self,
        scope: Option<&Reference>,
        span: Span,
    ) -> Option<(ServiceId, Option<String>)> {
        if let Some(Reference::Name(word)) = scope {
            let (file, name) = self.locate(word)?;
            let databases = self.things(Some(Kind::Database), file, name, word.quoted);
            let service = self.find_service(file, name);
            if let ([Thing::Component(id)], None) = (databases.as_slice(), service) {
                let part = self.world.plan.component(*id);
                return Some((part.service, Some(part.name.clone())));
            }
        }
        Some((self.scope_service(scope, span)?, None))
    }

    /// Reports a contact, probe or other name that is neither database nor service.
    pub(super) fn database(&mut self, word: &Word) -> Option<String> {
        let (scope, name) = self.locate(word)?;
        let known = self.find_service(scope, name).is_some()
            || !self
                .things(Some(Kind::Database), scope, name, word.quoted)
                .is_empty();
        if known || word.quoted {
            return Some(word.text.clone());
        }
        self.incomplete = true;
        let broken = self
            .service
            .is_some_and(|service| self.has_bad_body(service));
        if self.world.unsure || broken || self.world.scopes[scope].may_declare("service", name) {
            return None;
        }
        let mut known = self.component_names(Some(Kind::Database), self.service);
        known.extend(self.names_of("service"));
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let message = format!("no database or service is called `{name}`");
        let finding: Diagnostic =
            self.suggest(Code(201), message, word, "databases and services", &known);
        self.push(finding);
        None
    }
}

impl Bound {
    /// What it is, for messages.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::Component(_) => "component",
            Self::Device(_) => "device",
            Self::Site(_) => "site",
            Self::Setting(..) => "parameter",
            Self::Input(kind) => word_of(*kind),
            Self::Broken => "mistake",
        }
    }
}
