//! Owns what people are told of copies that hold pages as they were damaged at the source.

use jiff::Timestamp;
use serde::Serialize;

use crate::facts::holdings::{Holdings, PartHolding};
use crate::facts::spoilt::Spoilt;
use crate::resolve::plan::{Kind, ResolvedPlan};

/// A copy with such pages.
#[derive(Debug, Serialize)]
pub(crate) struct SpoiltCopy {
    component: String,
    part: String,
    taken_at: Timestamp,
    #[serde(flatten)]
    spoilt: Spoilt,
    next: String,
}

impl SpoiltCopy {
    /// What a part holds so; none when it holds nothing so.
    pub(crate) fn of(plan: &ResolvedPlan, holdings: &Holdings, part: &PartHolding) -> Option<Self> {
        let spoilt = holdings.spoilt_in(part)?;
        let service = part.component.split('/').next().unwrap_or_default();
        let mending = mending(plan, service);
        Some(Self {
            component: part.component.clone(),
            part: part.part.clone(),
            taken_at: part.taken_at,
            next: spoilt.next_action(&mending),
            spoilt,
        })
    }

    /// In one sentence.
    pub(crate) fn words(&self) -> String {
        let (component, at, part) = (&self.component, self.taken_at, &self.part);
        let (what, next) = (self.spoilt.words(), &self.next);
        format!("{component}: the copy of {at:.0} (part {part}) holds {what}; {next}")
    }
}

/// How a recovery that puts files of a service back is called, up to their names.
fn mending(plan: &ResolvedPlan, service: &str) -> String {
    let found = plan.recoveries.iter().find_map(|recovery| {
        let mut inputs = recovery.inputs.iter();
        let input = inputs.find(|input| {
            let of = input.service.map(|id| plan.service(id).name.as_str());
            input.kind == Kind::Files && of == Some(service)
        })?;
        Some(format!("planc recover {} {}=", recovery.name, input.name))
    });
    let none = || format!("a `recovery` that has `given bad: files of {service}`: bad=");
    found.unwrap_or_else(none)
}
