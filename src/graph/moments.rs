//! Owns what makes logical copies of one database show one moment: all of them begin before the
//! first is copied, and none ends before the last was, so that they share one snapshot.

use std::collections::BTreeMap;

use super::draft::{Draft, NewStep};
use super::select::Wanted;
use super::step::{EdgeKind, Estimate, StepKind};
use super::world::World;
use crate::facts::holdings::Method;
use crate::resolve::plan::{ComponentKind, EngineKind, ServiceId};

/// The steps of one bracket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bracket {
    pub(super) begin: u32,
    pub(super) copy: u32,
    pub(super) end: u32,
}

/// Brackets of logical copies, by service and database.
#[derive(Debug, Default)]
pub(super) struct Moments(BTreeMap<(ServiceId, String), Vec<Bracket>>);

impl Moments {
    /// Takes notice of a bracket.
    pub(super) fn add(&mut self, world: &World<'_>, wanted: &Wanted, steps: Bracket) {
        let component = world.plan.component(wanted.component);
        let engine = world.plan.service(component.service).engine;
        if wanted.method != Method::Logical || engine != EngineKind::Postgresql {
            return;
        }
        let database = match component.kind {
            ComponentKind::Database => component.name.clone(),
            _ => component.database.clone().unwrap_or_default(),
        };
        let key = (component.service, database);
        self.0.entry(key).or_default().push(steps);
    }

    /// Ties the brackets of each database together.
    pub(super) fn join(self, draft: &mut Draft) {
        for ((_, database), brackets) in self.0 {
            if brackets.len() > 1 {
                tie(draft, &database, &brackets);
            }
        }
    }
}

fn tie(draft: &mut Draft, database: &str, brackets: &[Bracket]) {
    let begun = barrier(draft, format!("all copies of {database} have begun"));
    let copied = barrier(draft, format!("all copies of {database} are made"));
    let why = "they share one snapshot, which the first exports and the last ends";
    for bracket in brackets {
        draft.edge(bracket.begin, begun, EdgeKind::Always, why);
        draft.edge(begun, bracket.copy, EdgeKind::Success, why);
        draft.edge(bracket.copy, copied, EdgeKind::Always, why);
        draft.edge(copied, bracket.end, EdgeKind::Always, why);
    }
}

fn barrier(draft: &mut Draft, subject: String) -> u32 {
    draft.add(NewStep {
        kind: StepKind::Barrier,
        subject,
        lanes: Vec::new(),
        estimate: Estimate {
            seconds: Some(0.0),
            bytes: None,
        },
        why: "copies of one database show one moment".into(),
    })
}
