//! Owns what an `apply` changes in a policy: which clause an `override` replaces (P1110).

use std::collections::HashSet;

use super::cx::Cx;
use super::expand::Body;
use super::scope::ScopeId;
use super::sink::Sink;
use super::world::World;
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Apply, Block, Clause, ClauseKind, Policy, PolicyPart, Word};

/// What an `apply` changes in the blocks of its policy.
pub(super) struct Changes<'a> {
    overrides: Vec<&'a Clause>,
    added: Vec<&'a Clause>,
}

impl<'a> Changes<'a> {
    /// What the clauses of an `apply` change; those that change nothing are reported.
    pub(super) fn of(world: &World<'a>, sink: &Sink, apply: &'a Apply, policy: &'a Policy) -> Self {
        let mut changes = Self {
            overrides: Vec::new(),
            added: Vec::new(),
        };
        let mut cx = Cx::new(world, sink, 0);
        for clause in &apply.body {
            match &clause.kind {
                ClauseKind::Override(inner) if hits(policy, inner) => changes.overrides.push(inner),
                ClauseKind::Override(inner) => hits_nothing(&mut cx, policy, clause, inner),
                ClauseKind::Allow(_) | ClauseKind::Bad { .. } => changes.added.push(clause),
                _ => {
                    let message = "a change to a policy needs the word `override`";
                    let text = cx.world.sources.text(clause.span);
                    let help = format!("write `override {text}`");
                    cx.refuse(1110, message, clause.span, help);
                }
            }
        }
        changes
    }

    /// A block's clauses with the changes in it.
    pub(super) fn apply(&self, block: &'a Block, scope: ScopeId) -> Body<'a> {
        let mut body: Vec<(&Clause, ScopeId)> = Vec::with_capacity(block.body.len());
        let mut done: HashSet<*const Clause> = HashSet::new();
        for clause in &block.body {
            match self
                .overrides
                .iter()
                .find(|change| replaces(change, clause))
            {
                // several clauses that one override hits become one
                Some(change) if done.insert(std::ptr::from_ref(*change)) => {
                    body.push((change, 0));
                }
                Some(_) => {}
                None => body.push((clause, scope)),
            }
        }
        body.extend(self.added.iter().map(|clause| (*clause, 0)));
        body.into()
    }
}

fn hits(policy: &Policy, change: &Clause) -> bool {
    let blocks = policy.body.iter().filter_map(|part| match part {
        PolicyPart::Block(block) => Some(block),
        _ => None,
    });
    let mut clauses = blocks.flat_map(|block| &block.body);
    clauses.any(|clause| replaces(change, clause))
}

fn hits_nothing(cx: &mut Cx<'_, '_>, policy: &Policy, clause: &Clause, inner: &Clause) {
    // an unreadable line of the policy may be the one that is meant
    let bad = policy.body.iter().any(|part| match part {
        PolicyPart::Bad(_) => true,
        PolicyPart::Block(block) => block.body.iter().any(super::is_bad),
        PolicyPart::Param(_) => false,
    });
    if bad {
        return;
    }
    let text = cx.world.sources.text(inner.span);
    let word = text.split_whitespace().next().unwrap_or(text).to_owned();
    let message = format!(
        "policy `{}` has no `{word}` that this changes",
        policy.name.text
    );
    let finding = Diagnostic::new(Code(1110), message, clause.span, "")
        .related("the policy", policy.name.span, "")
        .help("add the clause to the policy, or drop the line")
        .subject(word);
    cx.push(finding);
}

/// True when an override takes the place of a clause: the same clause, and for those that name
/// devices one of the same devices.
fn replaces(change: &Clause, clause: &Clause) -> bool {
    use ClauseKind as K;
    let same = |a: &[Word], b: &[Word]| a.iter().any(|a| b.iter().any(|b| a.text == b.text));
    match (&change.kind, &clause.kind) {
        (K::Retain { on: a, .. }, K::Retain { on: b, .. }) => a.is_empty() || same(a, b),
        (
            K::Copy {
                to: a, scope: x, ..
            },
            K::Copy {
                to: b, scope: y, ..
            },
        ) => x == y && same(a, b),
        (K::Ship { to: a, .. }, K::Ship { to: b, .. }) => a.text == b.text,
        (K::Take { method: a, .. }, K::Take { method: b, .. }) => a == b,
        (K::Throttle(_), K::Throttle(_))
        | (K::Encrypt(_), K::Encrypt(_))
        | (K::Compress { .. }, K::Compress { .. })
        | (K::Parallel(_), K::Parallel(_))
        | (K::Memory(_), K::Memory(_)) => true,
        _ => false,
    }
}
