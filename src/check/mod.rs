//! Resolved plans to one [`CheckedPlan`] an environment, and the table of rules.
//!
//! [`check`] is the one entry: it runs every rule on every environment, applies allowances,
//! merges what several environments and policy instances have in common, and gives out plans
//! only when no error stands against them. Pure: `now` is an argument.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::estimate::Known;
use crate::facts::facts_file::MeasuredFacts;
use crate::resolve::plan::ResolvedPlan;
use crate::source::SourceMap;
use crate::syntax::ast::Ast;

mod allowance;
mod cadence;
mod context;
mod coverage;
pub mod covered;
mod deadline;
mod edit;
mod fit;
mod fold;
mod found;
mod job;
mod merge;
pub mod plan;
mod promise;
pub mod proof;
mod purpose;
pub mod retention;
pub mod rule;
pub mod rules;
mod steady;
pub mod survival;
mod words;

pub use cadence::words as day_words;
pub use fold::fold;
pub use plan::CheckedPlan;
pub use purpose::Purpose;

use rules::p1204_not_formatted;

use context::Context;
use found::Found;

/// What is judged: one plan in all the environments asked for.
#[derive(Debug)]
pub struct Input<'a> {
    /// One resolved plan an environment.
    pub plans: Vec<ResolvedPlan>,
    /// What was measured, by environment.
    pub facts: &'a BTreeMap<String, MeasuredFacts>,
    /// The texts of all files that were read.
    pub sources: &'a SourceMap,
    /// The trees of the plan and of the files it imports.
    pub asts: &'a [Ast],
    /// What earlier stages found. An error among it means that the plan is not all there, and
    /// nothing is then concluded from something missing in it.
    pub found: Diagnostics,
    /// The moment that dates of the plan are compared with.
    pub now: Timestamp,
    /// What the plan is wanted for.
    pub purpose: Purpose,
    /// Compiles recoveries to steps; the planner's, which comes after this stage.
    pub rehearse: Rehearse,
}

/// Compiles some recoveries of a plan, by index, from the copies that the plan executed as
/// written would have made. Gives those that cannot be carried out.
pub type Rehearse = fn(&ResolvedPlan, &Known, Timestamp, &[usize]) -> Vec<(usize, Refusal)>;

/// Why a recovery cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The verdict.
#[derive(Debug)]
pub struct Checked {
    /// All findings, earlier ones included, by place and code. Allowed ones are marked, not
    /// removed; what one cause brought about many times is not yet folded ([`fold`]).
    pub findings: Vec<Diagnostic>,
    /// The environments against which no error stands that forbids the purpose.
    pub plans: Vec<CheckedPlan>,
    /// How the promises of all environments came out.
    pub promises: Promises,
    /// The same one by one: environment by environment, in the order of the objectives.
    pub proofs: Vec<proof::Row>,
    /// The other environments. They can be shown, not compiled.
    pub refused: Vec<ResolvedPlan>,
}

/// How promises came out. Each ends in exactly one of the three.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Promises {
    /// Shown to hold.
    pub proved: usize,
    /// Shown not to hold.
    pub broken: usize,
    /// Not shown either way.
    pub unknown: usize,
}

impl Promises {
    /// Adds the counts of another environment.
    fn add(&mut self, other: Self) {
        self.proved += other.proved;
        self.broken += other.broken;
        self.unknown += other.unknown;
    }
}

/// Runs every rule on every environment.
#[must_use]
pub fn check(input: Input<'_>) -> Checked {
    let whole = !input.found.iter().any(is_error);
    let mut allowances = allowance::Allowances::new(&input.plans, input.asts, input.now);
    let mut findings: Vec<Diagnostic> = input.found.into_sorted();
    if whole {
        findings.extend(p1204_not_formatted::findings(input.sources, input.asts));
    }
    for finding in &mut findings {
        allowances.apply_by_place(finding);
    }
    let mut promises = Promises::default();
    let mut proofs = Vec::new();
    let mut all_known = Vec::new();
    for plan in &input.plans {
        let facts = input.facts.get(&plan.environment);
        let known = Known::of(plan, facts);
        let mut context = Context::new(plan, input.sources, input.now, whole, &known, facts);
        context.rehearse = Some(input.rehearse);
        let mut found = Found::new(plan);
        for rule in rules::checks() {
            rule(&context, &mut found);
        }
        promises.add(promise::count(&context.promises));
        proofs.extend(proof::rows(&context));
        findings.extend(allowances.apply(&context, found));
        all_known.push(known);
    }
    findings.extend(allowances.judge(whole));
    let names: Vec<&str> = input.plans.iter().map(|plan| &*plan.environment).collect();
    let findings = merge::merge(findings, &names);
    let (mut refused, mut plans) = (Vec::new(), Vec::new());
    for (plan, known) in input.plans.into_iter().zip(all_known) {
        let mut against = findings.iter();
        if against.any(|finding| stands_against(finding, input.purpose, &plan.environment)) {
            refused.push(plan);
        } else {
            plans.push(CheckedPlan::new(plan, known));
        }
    }
    Checked {
        findings,
        plans,
        promises,
        proofs,
        refused,
    }
}

/// True for an error that no allowance silences.
#[must_use]
pub fn is_error(finding: &Diagnostic) -> bool {
    finding.allowed.is_none() && rule::severity(finding.code) == Severity::Error
}

fn stands_against(finding: &Diagnostic, purpose: Purpose, environment: &str) -> bool {
    let concerns = finding.environments.is_empty()
        || finding.environments.iter().any(|name| name == environment);
    concerns && purpose.forbids(finding)
}
