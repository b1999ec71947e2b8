//! Owns `allow`: which finding an allowance silences, and which allowances are themselves wrong.
//! An allowance silences up to and including its last day, in the zone of the plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule;
use crate::check::rules::{
    p1201_allowance_unused as p1201, p1202_allowance_expired as p1202,
    p1203_allowance_not_permitted as p1203, p1206_allowance_ends_soon as p1206,
};
use crate::diagnostic::{Allowed, Code, Diagnostic};
use crate::resolve::plan::{Allow, ResolvedPlan};
use crate::resolve::zone;
use crate::source::Span;
use crate::syntax::ast::{Ast, Clause, ClauseKind, ItemKind, PolicyPart};

/// All allowances of one plan, and which of them met a finding.
#[derive(Debug)]
pub(in crate::check) struct Allowances {
    /// For findings without a scope: the extent in which a clause holds; `None`: everywhere.
    written: Vec<(Allow, Option<Span>)>,
    /// Clauses that met a finding, by place.
    met: BTreeSet<Span>,
    /// The date allowances are compared with; none without an environment.
    today: Option<Date>,
}

impl Allowances {
    /// Collects the clauses of all environments.
    pub(in crate::check) fn new(plans: &[ResolvedPlan], asts: &[Ast], now: Timestamp) -> Self {
        let extents = extents(asts);
        let mut clauses: BTreeMap<Span, &Allow> = BTreeMap::new();
        for plan in plans {
            clauses.extend(allows_of(plan).map(|allow| (allow.span, allow)));
        }
        let written = clauses
            .into_iter()
            .map(|(span, allow)| (allow.clone(), extents.get(&span).copied()))
            .collect();
        Self {
            written,
            met: BTreeSet::new(),
            today: plans.first().map(|plan| today(plan, now)),
        }
    }

    /// Applies allowances to a finding of an earlier stage, which knows its place only.
    pub(in crate::check) fn apply_by_place(&mut self, finding: &mut Diagnostic) {
        if !permitted(finding.code) {
            return;
        }
        let span = finding.span();
        let speaks = |(allow, extent): &&(Allow, Option<Span>)| {
            allow.code == Some(finding.code) && extent.is_none_or(|extent| holds(extent, span))
        };
        for (allow, _) in self.written.iter().filter(speaks) {
            self.met.insert(allow.span);
            if !self.expired(allow) {
                finding.allowed = Some(allowed(allow));
            }
        }
    }

    /// Applies the allowances of each finding's block and of the plan.
    pub(in crate::check) fn apply(
        &mut self,
        context: &Context<'_>,
        found: Found,
    ) -> Vec<Diagnostic> {
        let plan = context.plan;
        let mut findings = Vec::new();
        for (scope, mut finding) in found.into_list() {
            let clauses = scope.allows(plan).iter().chain(&plan.allows);
            for allow in clauses.filter(|allow| allow.code == Some(finding.code)) {
                self.met.insert(allow.span);
                if permitted(finding.code) && !self.expired(allow) && finding.allowed.is_none() {
                    finding.allowed = Some(allowed(allow));
                }
            }
            findings.push(finding);
        }
        findings
    }

    /// Findings about the allowances themselves. Nothing is called unused while the plan is not
    /// whole, because then not every rule could speak.
    pub(in crate::check) fn judge(&self, whole: bool) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        for (allow, _) in &self.written {
            let met = self.met.contains(&allow.span);
            let known = allow.code.and_then(rule::find);
            if known.is_some_and(|rule| !rule.allowable) {
                findings.push(p1203::finding(allow));
            } else if self.expired(allow) {
                findings.push(p1202::finding(allow, met));
            } else if known.is_some() && whole && !met {
                findings.push(p1201::finding(allow));
            } else {
                findings.extend(p1206::finding(allow, self.today));
            }
        }
        findings
    }

    fn expired(&self, allow: &Allow) -> bool {
        let until = allow.until.zip(self.today);
        until.is_some_and(|(until, today)| until < today)
    }
}

fn permitted(code: Code) -> bool {
    rule::find(code).is_some_and(|rule| rule.allowable)
}

fn allowed(allow: &Allow) -> Allowed {
    Allowed {
        because: allow.because.clone(),
        span: allow.span,
    }
}

/// The date in the plan's zone; in UTC when the zone is unknown (which is a finding of its own).
pub(in crate::check) fn today(plan: &ResolvedPlan, now: Timestamp) -> Date {
    now.to_zoned(zone::of(plan)).date()
}

fn holds(extent: Span, span: Span) -> bool {
    extent.file == span.file && extent.start <= span.start && span.end <= extent.end
}

fn allows_of(plan: &ResolvedPlan) -> impl Iterator<Item = &Allow> {
    let jobs = plan.backups.iter().map(|backup| &backup.keeping.allows);
    let logs = plan.archives.iter().map(|archive| &archive.keeping.allows);
    let promises = plan.objectives.iter().map(|objectives| &objectives.allows);
    let scenarios = plan.drills.iter().chain(&plan.recoveries);
    let scenarios = scenarios.chain(&plan.switchovers).map(|s| &s.allows);
    let services = plan.services.iter().map(|service| &service.allows);
    let devices = plan.devices.iter().map(|device| &device.allows);
    jobs.chain(logs)
        .chain(promises)
        .chain(scenarios)
        .chain(services)
        .chain(devices)
        .chain(std::iter::once(&plan.allows))
        .flatten()
}

/// The block around each `allow` clause that stands in one.
fn extents(asts: &[Ast]) -> BTreeMap<Span, Span> {
    let mut extents = BTreeMap::new();
    for item in asts.iter().flat_map(|ast| &ast.items) {
        let bodies: Vec<(&[Clause], Span)> = match &item.kind {
            ItemKind::Device(device) => vec![(&device.body, item.span)],
            ItemKind::Service(service) => vec![(&service.body, item.span)],
            ItemKind::Block(block) => vec![(&block.body, block.span)],
            ItemKind::Apply(apply) => vec![(&apply.body, apply.span)],
            ItemKind::Policy(policy) => policy.body.iter().filter_map(policy_body).collect(),
            _ => continue,
        };
        for (clauses, extent) in bodies {
            let allows = clauses
                .iter()
                .filter(|clause| matches!(clause.kind, ClauseKind::Allow(_)));
            extents.extend(allows.map(|clause| (clause.span, extent)));
        }
    }
    extents
}

fn policy_body(part: &PolicyPart) -> Option<(&[Clause], Span)> {
    match part {
        PolicyPart::Block(block) => Some((&block.body, block.span)),
        PolicyPart::Param(_) | PolicyPart::Bad(_) => None,
    }
}
