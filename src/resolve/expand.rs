//! Owns how policies, `apply` and `for each` become single blocks, each with its variables
//! (P1105, P1110). Must not resolve what stands inside the blocks.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::cx::Cx;
use super::loops::{expect, things};
use super::overrides::Changes;
use super::plan::{Origin, ServiceId};
use super::scope::{ScopeId, declared_twice};
use super::selector::{component_kind, word_of};
use super::sink::Sink;
use super::vars::{self, Bound, Setting};
use super::world::World;
use crate::diagnostic::Code;
use crate::source::Span;
use crate::syntax::ast::{
    Apply, Block, Clause, ForEach, ForEachPart, ItemKind, Kind, Policy, PolicyPart, Selector,
    SelectorKind, Word,
};

/// Clauses of a block, each with the file whose names it uses.
pub(super) type Body<'a> = Rc<[(&'a Clause, ScopeId)]>;

/// Variables by name.
pub(super) type Vars<'a> = Vec<(&'a str, Bound)>;

/// A block to resolve.
pub(super) struct Unit<'a> {
    pub(super) block: &'a Block,
    pub(super) body: Body<'a>,
    /// The places of the body's clauses.
    pub(super) clauses: Arc<[Span]>,
    pub(super) scope: ScopeId,
    /// The variable of the policy or loop.
    pub(super) own: Option<(&'a str, Bound)>,
    /// Parameters of the policy.
    pub(super) shared: Rc<Vars<'a>>,
    pub(super) policy: Option<&'a str>,
    /// The `apply` that expands it.
    pub(super) applied: Option<Span>,
    /// What it is expanded for.
    pub(super) instance: Option<Rc<str>>,
    /// A part of the policy could not be read.
    pub(super) incomplete: bool,
}

impl<'a> Unit<'a> {
    /// The place from which its clauses are resolved.
    pub(super) fn cx<'w>(&'w self, world: &'w World<'a>, sink: &'w Sink) -> Cx<'w, 'a> {
        let mut cx = Cx::new(world, sink, self.scope);
        cx.shared = &self.shared;
        cx.instance = self.instance.as_deref();
        cx.applied = self.applied;
        cx.incomplete = self.incomplete;
        if let Some((name, bound)) = &self.own {
            cx.service = match bound {
                Bound::Service(id) => Some(*id),
                Bound::Component(id) => Some(world.plan.component(*id).service),
                _ => cx.service,
            };
            cx.own.push((name, bound.clone()));
        }
        cx
    }

    pub(super) fn origin(&self) -> Origin {
        Origin {
            policy: self.policy.map(str::to_owned),
            instance: self.instance.as_deref().map(str::to_owned),
            var: self.own.as_ref().map(|(name, _)| (*name).to_owned()),
            applied: self.applied,
            clauses: Arc::clone(&self.clauses),
        }
    }
}

fn places(body: &Body<'_>) -> Arc<[Span]> {
    body.iter().map(|(clause, _)| clause.span).collect()
}

/// All blocks of the plan, in order; those of a policy once for each thing it is applied to.
pub(super) fn units<'a>(world: &World<'a>, sink: &Sink) -> Vec<Unit<'a>> {
    let mut expansion = Expansion {
        world,
        sink,
        units: Vec::new(),
        explicit: HashSet::new(),
    };
    expansion.gather_explicit();
    for item in world.main().items {
        match &item.kind {
            ItemKind::Block(block) => expansion.block(block, None, None),
            ItemKind::Apply(apply) => expansion.top_apply(apply),
            ItemKind::ForEach(each) => expansion.for_each(each),
            _ => {}
        }
    }
    expansion.units
}

struct Expansion<'w, 'a> {
    world: &'w World<'a>,
    sink: &'w Sink,
    units: Vec<Unit<'a>>,
    /// Policies that are applied to services by name; such an `apply` replaces what a loop
    /// would apply to the same service.
    explicit: HashSet<(*const Policy, ServiceId)>,
}

impl<'a> Expansion<'_, 'a> {
    fn cx(&self) -> Cx<'_, 'a> {
        Cx::new(self.world, self.sink, 0)
    }

    /// Which policy is applied to which service by name. Makes no findings.
    fn gather_explicit(&mut self) {
        let silent = Sink::new("");
        for item in self.world.main().items {
            let ItemKind::Apply(apply) = &item.kind else {
                continue;
            };
            let mut cx = Cx::new(self.world, &silent, 0);
            let Some((policy, _)) = find_policy(&mut cx, &apply.policy) else {
                continue;
            };
            let bound = targets(&mut cx, policy.kind, &apply.target);
            self.explicit
                .extend(bound.into_iter().filter_map(|bound| match bound {
                    Bound::Service(id) => Some((std::ptr::from_ref(policy), id)),
                    _ => None,
                }));
        }
    }

    /// A block as it stands in the file, or in a loop.
    fn block(
        &mut self,
        block: &'a Block,
        own: Option<(&'a str, Bound)>,
        instance: Option<Rc<str>>,
    ) {
        let body: Body<'_> = block.body.iter().map(|clause| (clause, 0)).collect();
        self.units.push(Unit {
            block,
            clauses: places(&body),
            body,
            scope: 0,
            own,
            shared: Rc::default(),
            policy: None,
            applied: None,
            instance,
            incomplete: false,
        });
    }

    fn top_apply(&mut self, apply: &'a Apply) {
        let mut cx = self.cx();
        let Some((policy, scope)) = find_policy(&mut cx, &apply.policy) else {
            return;
        };
        let bound = targets(&mut cx, policy.kind, &apply.target);
        let ready = Ready::new(self.world, self.sink, apply, policy, scope);
        for bound in bound {
            self.instances(&ready, &bound);
        }
    }

    fn instances(&mut self, ready: &Ready<'a>, bound: &Bound) {
        let instance: Rc<str> = name_of(self.world, bound).into();
        for (block, body, clauses) in &ready.blocks {
            self.units.push(Unit {
                block,
                body: Rc::clone(body),
                clauses: Arc::clone(clauses),
                scope: ready.scope,
                own: Some((&ready.policy.var.text, bound.clone())),
                shared: Rc::clone(&ready.params),
                policy: Some(&ready.policy.name.text),
                applied: Some(ready.applied),
                instance: Some(Rc::clone(&instance)),
                incomplete: ready.incomplete,
            });
        }
    }

    fn for_each(&mut self, each: &'a ForEach) {
        let mut cx = self.cx();
        let found = things(&mut cx, each);
        for part in &each.body {
            if let ForEachPart::Expect { from, to, span } = part {
                expect(
                    &mut cx,
                    each,
                    found.len(),
                    from,
                    to.as_ref().unwrap_or(from),
                    *span,
                );
            }
        }
        for part in &each.body {
            match part {
                ForEachPart::Apply(apply) => self.loop_apply(each, apply, &found),
                ForEachPart::Block(block) => {
                    for bound in &found {
                        let name = name_of(self.world, bound).into();
                        self.block(block, Some((&each.var.text, bound.clone())), Some(name));
                    }
                }
                ForEachPart::Expect { .. } | ForEachPart::Bad(_) => {}
            }
        }
    }

    fn loop_apply(&mut self, each: &'a ForEach, apply: &'a Apply, found: &[Bound]) {
        let mut cx = self.cx();
        let Some((policy, scope)) = find_policy(&mut cx, &apply.policy) else {
            return;
        };
        let ready = Ready::new(self.world, self.sink, apply, policy, scope);
        if !is_var(&apply.target, &each.var.text) {
            // the target does not depend on the loop, or is a part of what it runs over
            return self.loop_targets(each, apply, &ready, found);
        }
        if each.kind != policy.kind {
            let message = format!(
                "policy `{}` is for a {}; `${}` is a {}",
                policy.name.text,
                word_of(policy.kind),
                each.var.text,
                word_of(each.kind)
            );
            return cx.refuse(
                202,
                message,
                apply.target.span,
                "apply a policy for that kind",
            );
        }
        for bound in found {
            let explicit = match bound {
                Bound::Service(id) => self.explicit.contains(&(std::ptr::from_ref(policy), *id)),
                _ => false,
            };
            if !explicit {
                self.instances(&ready, bound);
            }
        }
    }

    fn loop_targets(
        &mut self,
        each: &'a ForEach,
        apply: &'a Apply,
        ready: &Ready<'a>,
        found: &[Bound],
    ) {
        for bound in found {
            let name = name_of(self.world, bound);
            let mut cx = self.cx();
            cx.instance = Some(&name);
            cx.own.push((&each.var.text, bound.clone()));
            let targets = targets(&mut cx, ready.policy.kind, &apply.target);
            for target in targets {
                self.instances(ready, &target);
            }
        }
    }
}

/// One `apply` with everything its instances share.
struct Ready<'a> {
    applied: Span,
    policy: &'a Policy,
    scope: ScopeId,
    params: Rc<Vars<'a>>,
    blocks: Vec<(&'a Block, Body<'a>, Arc<[Span]>)>,
    incomplete: bool,
}

impl<'a> Ready<'a> {
    fn new(
        world: &World<'a>,
        sink: &Sink,
        apply: &'a Apply,
        policy: &'a Policy,
        scope: ScopeId,
    ) -> Self {
        let params = params(world, sink, apply, policy, scope);
        let changes = Changes::of(world, sink, apply, policy);
        let blocks = policy.body.iter().filter_map(|part| match part {
            PolicyPart::Block(block) => {
                let body = changes.apply(block, scope);
                let clauses = places(&body);
                Some((block, body, clauses))
            }
            _ => None,
        });
        let bad = |part: &PolicyPart| matches!(part, PolicyPart::Bad(_));
        Self {
            applied: apply.span,
            policy,
            scope,
            params: Rc::new(params),
            blocks: blocks.collect(),
            incomplete: policy.body.iter().any(bad),
        }
    }
}

/// The policy's parameters, with what `with` gives.
fn params<'a>(
    world: &World<'a>,
    sink: &Sink,
    apply: &'a Apply,
    policy: &'a Policy,
    scope: ScopeId,
) -> Vars<'a> {
    let mut here = Cx::new(world, sink, 0);
    let mut given: BTreeMap<&str, (Setting, Span)> = BTreeMap::new();
    let declared: Vec<_> = policy
        .body
        .iter()
        .filter_map(|part| match part {
            PolicyPart::Param(param) => Some(param),
            _ => None,
        })
        .collect();
    let names: Vec<&str> = declared
        .iter()
        .map(|param| param.name.text.as_str())
        .collect();
    for (name, value) in &apply.with {
        if !names.contains(&name.text.as_str()) {
            let message = format!(
                "policy `{}` has no parameter `{}`",
                policy.name.text, name.text
            );
            here.push(here.suggest(Code(201), message, name, "parameters", &names));
        } else if let Some(value) = vars::given(&mut here, value) {
            given.insert(&name.text, value);
        }
    }
    let mut home = Cx::new(world, sink, scope);
    let params = declared.into_iter().map(|param| {
        let with = given.remove(param.name.text.as_str());
        (
            param.name.text.as_str(),
            vars::of_param(&mut home, param, with),
        )
    });
    params.collect()
}

/// The policy of this name, with the file it stands in.
fn find_policy<'a>(cx: &mut Cx<'_, 'a>, word: &Word) -> Option<(&'a Policy, ScopeId)> {
    let (scope, name) = cx.locate(word)?;
    let scopes = cx.world.scopes;
    if let Some(declared) = scopes[scope].policies.get(name) {
        Some((declared.what, scope))
    } else {
        cx.unknown("policy", scope, name, word);
        None
    }
}

fn is_var(selector: &Selector, name: &str) -> bool {
    use crate::syntax::ast::Reference;
    let (SelectorKind::Bare(reference) | SelectorKind::Kinded(_, reference)) = &selector.kind
    else {
        return false;
    };
    matches!(reference, Reference::Var(word) if word.text == name)
}

/// What a policy for `kind` is applied to.
fn targets(cx: &mut Cx<'_, '_>, kind: Kind, selector: &Selector) -> Vec<Bound> {
    if kind == Kind::Service {
        if let SelectorKind::Every {
            kind: Kind::Service,
            filters,
            ..
        } = &selector.kind
        {
            return cx
                .every_service(filters)
                .into_iter()
                .map(Bound::Service)
                .collect();
        }
        return cx
            .selected_service(selector)
            .map(Bound::Service)
            .into_iter()
            .collect();
    }
    let Some(wanted) = component_kind(kind) else {
        let message = format!(
            "a policy for a {} can only be applied in a loop",
            word_of(kind)
        );
        cx.refuse(
            202,
            message,
            selector.span,
            "write `for each … { apply … to $it }`",
        );
        return Vec::new();
    };
    let mut ids = Vec::new();
    cx.components(selector, &mut ids);
    let (fit, other): (Vec<_>, Vec<_>) = ids
        .into_iter()
        .partition(|id| cx.world.plan.component(*id).kind == wanted);
    if let Some(other) = other.first() {
        let is = cx.world.plan.component(*other).kind.word();
        let message = format!("a {} is needed here; this is a {is}", wanted.word());
        cx.refuse(202, message, selector.span, "apply a policy for that kind");
    }
    fit.into_iter().map(Bound::Component).collect()
}

/// The name under which an instance is reported and its jobs are kept.
fn name_of(world: &World<'_>, bound: &Bound) -> String {
    let plan = &world.plan;
    match bound {
        Bound::Service(id) => plan.service(*id).name.clone(),
        Bound::Component(id) => {
            let part = plan.component(*id);
            let service = &plan.service(part.service).name;
            match &part.database {
                Some(database) => format!("{service}.{database}.{}", part.name),
                None => format!("{service}.{}", part.name),
            }
        }
        Bound::Device(id) => plan.device(*id).name.clone(),
        Bound::Site(name) => name.clone(),
        Bound::Setting(..) | Bound::Input(_) | Bound::Broken => String::new(),
    }
}

/// Reports jobs of one kind that have the same name for the same instance.
pub(super) fn names_once(world: &World<'_>, sink: &Sink, units: &[Unit<'_>]) {
    let mut seen: std::collections::HashMap<(&str, Option<&str>, &str), Span> =
        std::collections::HashMap::new();
    let cx = Cx::new(world, sink, 0);
    for unit in units {
        let (keyword, name) = (unit.block.kind.keyword(), &unit.block.name);
        if keyword == "objectives" {
            continue;
        }
        let key = (keyword, unit.instance.as_deref(), name.text.as_str());
        if let Some(first) = seen.insert(key, name.span) {
            let finding = declared_twice(keyword, name, first);
            sink.push(finding, unit.instance.as_deref().or(cx.instance));
        }
    }
}
