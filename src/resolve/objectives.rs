//! Owns objectives and stated facts: promises with their losses, `assume` with its units.

use super::cx::Cx;
use super::expand::Unit;
use super::plan::{Assumption, AssumptionKind, At, CopiesPromise, Loss, LossKind, Objectives};
use super::sink::Sink;
use super::value::value_span;
use super::world::World;
use crate::source::Span;
use crate::syntax::ast::{
    self, BlockKind, Clause, ClauseKind, Compare, Count, ItemKind, Kind, Selector, Value, Word,
};

/// Resolves all `objectives` blocks.
pub(super) fn all(world: &World<'_>, sink: &Sink, units: &[Unit<'_>]) -> Vec<Objectives> {
    let mut found = Vec::new();
    for unit in units {
        if let BlockKind::Objectives(target) = &unit.block.kind {
            found.extend(objectives(unit.cx(world, sink), unit, target));
        }
    }
    found
}

fn objectives(mut cx: Cx<'_, '_>, unit: &Unit<'_>, target: &Selector) -> Option<Objectives> {
    let service = cx.selected_service(target);
    // promises about parts are about parts of this service
    cx.service = service.or(cx.service);
    let mut promises = Objectives {
        service: service.unwrap_or(super::plan::ServiceId(0)),
        origin: unit.origin(),
        rpos: Vec::new(),
        rtos: Vec::new(),
        window: None,
        log_space: None,
        copies: Vec::new(),
        drill: None,
        allows: Vec::new(),
        incomplete: false,
        span: unit.block.head,
    };
    for (clause, scope) in unit.body.iter() {
        cx.scope = *scope;
        promise(&mut cx, &mut promises, clause);
    }
    promises.incomplete = cx.incomplete;
    service.map(|_| promises)
}

fn promise(cx: &mut Cx<'_, '_>, promises: &mut Objectives, clause: &Clause) {
    let span = clause.span;
    match &clause.kind {
        ClauseKind::Rpo { limit, loss } => {
            if let (Some(limit), Some(loss)) = (cx.duration(limit), cx.loss(loss)) {
                promises.rpos.push((limit, loss, span));
            }
        }
        ClauseKind::Rto { limit, loss, of } => {
            let (limit, loss) = (cx.positive(limit), cx.loss(loss));
            let of = of.as_ref().map(|of| cx.targets(std::slice::from_ref(of)));
            if let (Some(limit), Some(loss)) = (limit, loss) {
                promises
                    .rtos
                    .push((limit, loss, of.unwrap_or_default(), span));
            }
        }
        ClauseKind::RecoveryWindow(value) => {
            promises.window = cx.kept(value).map(|value| At { value, span });
        }
        ClauseKind::LogSpace(compare, value) => {
            promises.log_space = cx.at_most(*compare, value).map(|value| At { value, span });
        }
        ClauseKind::Copies {
            count,
            sites,
            special,
        } => {
            promises
                .copies
                .extend(copies(cx, count, sites.as_ref(), special, span));
        }
        ClauseKind::DrillEvery(schedule) => promises.drill = cx.schedule(schedule),
        ClauseKind::Allow(allow) => promises.allows.push(cx.allow(allow)),
        ClauseKind::Bad { .. } => cx.incomplete = true,
        _ => {}
    }
}

fn copies(
    cx: &mut Cx<'_, '_>,
    count: &(Compare, Count),
    sites: Option<&(Compare, Count)>,
    special: &[(Compare, Count, Word)],
    span: Span,
) -> Option<CopiesPromise> {
    let all = at_least(cx, count.0, &count.1);
    let on = sites.map(|(compare, count)| at_least(cx, *compare, count));
    let mut kinds = Vec::with_capacity(special.len());
    for (compare, count, word) in special {
        let number = at_least(cx, *compare, count);
        kinds.extend(number.map(|number| (word.text.clone(), number)));
    }
    let sites = match on {
        Some(sites) => Some(sites?),
        None => None,
    };
    Some(CopiesPromise {
        count: all?,
        sites,
        special: kinds,
        span,
    })
}

/// A bound from below: `>= 3`; `> 2` and `= 3` say the same.
fn at_least(cx: &mut Cx<'_, '_>, compare: Compare, count: &Count) -> Option<u32> {
    let number = cx.count(count)?;
    match compare {
        Compare::AtLeast | Compare::Equal => Some(number),
        Compare::More => Some(number.saturating_add(1)),
        Compare::AtMost | Compare::Less => {
            let span = match count {
                Count::Number(word) | Count::Var(word) => word.span,
            };
            let message = "an upper bound on copies promises nothing";
            cx.refuse(307, message, span, format!("write `>= {number}`"));
            None
        }
    }
}

impl Cx<'_, '_> {
    /// A loss with the names in it.
    pub(super) fn loss(&mut self, loss: &ast::Loss) -> Option<Loss> {
        let kind = match &loss.kind {
            ast::LossKind::Disk => LossKind::Disk,
            ast::LossKind::Host => LossKind::Host,
            ast::LossKind::HumanError => LossKind::HumanError,
            ast::LossKind::Corruption => LossKind::Corruption,
            ast::LossKind::Named(Kind::Site, None) => LossKind::Site(None),
            ast::LossKind::Named(Kind::Site, Some(word)) => LossKind::Site(Some(self.site(word)?)),
            ast::LossKind::Named(Kind::Device, None) => LossKind::Device(None),
            ast::LossKind::Named(Kind::Device, Some(word)) => {
                let id = self.device(word)?;
                LossKind::Device(Some(self.world.plan.device(id).name.clone()))
            }
            ast::LossKind::Named(kind, _) => {
                let is = super::selector::word_of(*kind);
                let message = format!("a {is} is not something whose loss is planned for");
                let help = "name disk, host, site, device, human error or corruption";
                self.refuse(202, message, loss.span, help);
                return None;
            }
        };
        Some(Loss {
            kind,
            span: loss.span,
        })
    }
}

/// Resolves all `assume` blocks, those of imports included.
pub(super) fn assumptions(world: &World<'_>, sink: &Sink) -> Vec<Assumption> {
    let mut found = Vec::new();
    for (scope, file) in world.scopes.iter().enumerate() {
        let mut cx = Cx::new(world, sink, scope);
        for item in file.items {
            let ItemKind::Assume(facts) = &item.kind else {
                continue;
            };
            found.extend(facts.iter().filter_map(|fact| assumption(&mut cx, fact)));
        }
    }
    found
}

fn assumption(cx: &mut Cx<'_, '_>, fact: &Clause) -> Option<Assumption> {
    let ClauseKind::Fact { what, of, value } = &fact.kind else {
        return None;
    };
    let kind = stated(cx, what, value);
    let mut service = cx.service;
    let mut components = Vec::new();
    if let Some(selector) = of {
        match cx.target(selector)? {
            super::plan::Target::Service(id) => service = Some(id),
            _ => cx.components(selector, &mut components),
        }
        if let Some(first) = components.first() {
            service = Some(cx.world.plan.component(*first).service);
        }
    }
    Some(Assumption {
        of: components,
        service,
        kind: kind?,
        span: fact.span,
    })
}

fn stated(cx: &mut Cx<'_, '_>, what: &Word, value: &Value) -> Option<AssumptionKind> {
    Some(match what.text.as_str() {
        "size" => AssumptionKind::Size(cx.size(value)?),
        "change" => AssumptionKind::Change(cx.change(value)?),
        "growth" => AssumptionKind::Growth(cx.change(value)?),
        "log rate" => AssumptionKind::LogRate(cx.rate(value)?),
        "log peak" => AssumptionKind::LogPeak(cx.rate(value)?),
        other => {
            let message = format!("`{other}` is not a fact that can be assumed");
            let help = "write size, change, growth, log rate or log peak";
            cx.refuse(201, message, what.span.to(value_span(value)), help);
            return None;
        }
    })
}
