//! Owns the figures of losses and of ways back: what is lost, how long it takes, what it needs.
//! Must not judge.

use std::collections::BTreeMap;

use super::{Sheet, World};
use crate::check::proof::Unit;
use crate::check::survival::{Cell, Loss};
use crate::estimate::exposure::bytes;
use crate::estimate::makespan::bounds;
use crate::estimate::staging::{self, Stay};
use crate::estimate::survive::{self, Case};
use crate::estimate::switching::{self, Switch};
use crate::estimate::{self, Figure, bracket, effort, passes};
use crate::graph::full_name;
use crate::graph::step::{StepGraph, StepKind};
use crate::graph::support::devices_of;
use crate::outlook::paths::WayBack;
use crate::quantity::float;
use crate::resolve::plan::{ActionKind, DeviceId, Scenario};
use crate::schedule::Outline;

impl World<'_> {
    pub(super) fn ways(&self, sheet: &mut Sheet) {
        self.losses(sheet);
        self.intervals(sheet);
        self.searches(sheet);
        self.volumes(sheet);
        for way in self.ways {
            compiled(way, sheet);
        }
        for scenario in &self.plan.switchovers {
            self.switch(scenario, sheet);
        }
    }

    /// Q1, Q7, Q14: the worst component of each service after each loss.
    fn losses(&self, sheet: &mut Sheet) {
        type Worst<'m> = BTreeMap<(&'m str, &'m Loss), (Option<&'m Figure>, Option<&'m Figure>)>;
        let mut worst: Worst<'_> = BTreeMap::new();
        for cell in &self.matrix.cells {
            let old = worst.entry((&cell.service, &cell.loss)).or_default();
            old.0 = graver(old.0, cell.data.as_ref());
            old.1 = graver(old.1, cell.time.as_ref());
        }
        for ((service, loss), (data, time)) in worst {
            let of = format!("{service} after loss of {}", loss.words());
            if let Some(data) = data {
                let figure = data.clone();
                sheet.add(
                    1,
                    "work that is lost",
                    of.clone(),
                    Unit::Seconds,
                    figure.clone(),
                );
                if self.is_home(service, loss) {
                    let of = service.to_owned();
                    sheet.add(14, "age of what is off site", of, Unit::Seconds, figure);
                }
            }
            if let Some(time) = time {
                let figure = time.clone();
                sheet.add(7, "time until it is back", of, Unit::Seconds, figure);
            }
        }
    }

    fn is_home(&self, service: &str, loss: &Loss) -> bool {
        let id = self.plan.find_service(service);
        let home = id.and_then(|id| survive::home(self.plan, id));
        matches!(loss, Loss::Case(Case::Site(Some(site))) if Some(site.as_str()) == home)
    }

    /// Q8: the longest time between copies that would keep a promise that is broken.
    fn intervals(&self, sheet: &mut Sheet) {
        for row in self.rows.iter().filter(|row| row.claim == "rto") {
            if let Some(interval) = row.interval {
                let figure = Figure::of("between two copies", interval.as_secs());
                let of = format!("{} of {}", row.words, row.service);
                sheet.add(
                    8,
                    "longest interval that keeps it",
                    of,
                    Unit::Seconds,
                    figure,
                );
            }
        }
    }

    /// Q19: the search for the last good copy after a mistake nobody saw.
    fn searches(&self, sheet: &mut Sheet) {
        let mistakes = self.matrix.cells.iter();
        let mistakes = mistakes.filter(|cell| cell.loss == Loss::Case(Case::HumanError));
        let mut worst: BTreeMap<&str, &Cell> = BTreeMap::new();
        for cell in mistakes {
            worst.entry(&cell.service).or_insert(cell);
        }
        for (service, cell) in worst {
            let (Some(time), Some(points)) = (&cell.time, self.points(service)) else {
                continue;
            };
            let figure = bracket::cost(points, time);
            let of = service.to_owned();
            sheet.add(
                19,
                "search for the last good copy",
                of,
                Unit::Seconds,
                figure,
            );
        }
    }

    /// Copies of a service that come up in the weeks ahead: the points to search.
    fn points(&self, service: &str) -> Option<u32> {
        let (agenda, id) = (self.agenda?, self.plan.find_service(service)?);
        let own = agenda.loads.iter().zip(&agenda.slots).filter(|(load, _)| {
            let mut chunks = load.chunks.iter();
            chunks.any(|chunk| chunk.service == id.0)
        });
        u32::try_from(own.map(|(_, slots)| slots.len()).sum::<usize>()).ok()
    }

    /// Q18: volumes that a full copy fills, and what mounting them costs.
    fn volumes(&self, sheet: &mut Sheet) {
        for (at, device) in self.plan.devices.iter().enumerate() {
            let Some((_, Some(size))) = device.volumes else {
                continue;
            };
            let id = DeviceId::from_index(at);
            for backup in &self.plan.backups {
                let mut copies = backup.keeping.copies.iter();
                let stored = backup.keeping.store.is_some_and(|store| store.value == id);
                if !stored && !copies.any(|copy| copy.device == id) {
                    continue;
                }
                let sizes = backup.targets.iter().map(|part| self.known.size(*part));
                let name = full_name(&backup.origin, &backup.name);
                let of = format!("{name} from {}", device.name);
                let count = sizes.sum::<Option<f64>>();
                let count = count.and_then(|all| passes::volumes(all, bytes(size)));
                let Some(count) = count else {
                    let missing = Figure::unknown(format!("size of what {name} copies"));
                    sheet.add(18, "volumes to mount", of, Unit::Count, missing);
                    continue;
                };
                let figure = Figure::of("full of this copy", f64::from(count));
                sheet.add(18, "volumes to mount", of.clone(), Unit::Count, figure);
                let cost = passes::cost(count, None, 0.0, None);
                sheet.add(18, "time to mount them", of, Unit::Seconds, cost);
            }
        }
    }

    /// Q20: outage and loss of a switchover.
    fn switch(&self, scenario: &Scenario, sheet: &mut Sheet) {
        let of = full_name(&scenario.origin, &scenario.name);
        let kinds = || scenario.actions.iter().map(|action| &action.kind);
        let lag = kinds().find_map(|kind| match kind {
            ActionKind::RequireLag(_, most) => Some(bytes(*most)),
            _ => None,
        });
        let promoted = kinds().find_map(|kind| match kind {
            ActionKind::Promote { standby, from } => Some((standby, *from)),
            _ => None,
        });
        let host = promoted.and_then(|(standby, _)| {
            let id = self.plan.find_service(standby)?;
            self.plan.service(id).host.as_deref()
        });
        let drained = kinds().any(|kind| matches!(kind, ActionKind::RequireArchived(_)));
        let switch = Switch {
            lag,
            apply: host.and_then(|host| self.known.replay(host)),
            ..Switch::default()
        };
        let written = promoted.and_then(|(_, from)| self.known.log_mean_low(from?));
        let loss = switching::loss(drained, lag, written);
        let outage = switching::outage(switch);
        sheet.add(
            20,
            "nothing can be written",
            of.clone(),
            Unit::Seconds,
            outage,
        );
        sheet.add(20, "work that is lost", of, Unit::Seconds, loss);
    }
}

/// The graver of two figures: what is not known before what is, then the larger.
fn graver<'m>(one: Option<&'m Figure>, other: Option<&'m Figure>) -> Option<&'m Figure> {
    let both = [one, other].into_iter().flatten();
    both.max_by(|a, b| {
        let known = b.is_bound().cmp(&a.is_bound());
        known.then(a.total().total_cmp(&b.total()))
    })
}

/// Q16, Q22: what a way back needs and how much there is to it.
fn compiled(way: &WayBack, sheet: &mut Sheet) {
    let Ok(rehearsed) = &way.graph else { return };
    let graph = &rehearsed.graph;
    let of = format!("{} of {}", way.name, way.service);
    sheet.add(
        16,
        "space to restore to",
        of.clone(),
        Unit::Bytes,
        staged(graph),
    );
    let outline = Outline::from(graph);
    let waits = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Approve { by, .. } => Some(by.as_str()),
        _ => None,
    });
    let touched = graph.steps.iter().flat_map(|step| devices_of(&step.kind));
    let effort = effort::of(&outline, waits, touched);
    let count = |value: usize| u32::try_from(value).map_or(f64::INFINITY, f64::from);
    let counts = [
        ("steps", effort.steps),
        ("steps that people do", effort.manual),
        ("roles", effort.roles),
        ("devices", effort.devices),
        ("steps of the longest chain", effort.chain),
    ];
    for (name, value) in counts {
        let figure = Figure::of("counted in the graph", count(value));
        sheet.add(22, name, of.clone(), Unit::Count, figure);
    }
    let mut path = Figure::of("by the longest chain", bounds(&outline, 0.0).critical_path);
    if rehearsed.unknown > 0 {
        path = path.lacks(format!("the length of {} steps", rehearsed.unknown));
    }
    sheet.add(22, "critical path", of, Unit::Seconds, path);
}

/// Bytes that lie in staging at once: everything fetched, until the end of the graph.
fn staged(graph: &StepGraph) -> Figure {
    let played = estimate::simulate(graph, 0.0);
    let fetches = graph.steps.iter().zip(&played.bars);
    let fetches: Vec<_> = fetches
        .filter(|(step, _)| matches!(step.kind, StepKind::FetchPart { .. }))
        .collect();
    let stays = fetches.iter().filter_map(|(step, bar)| {
        Some(Stay {
            from: bar.as_ref()?.start,
            until: played.makespan.max(f64::MIN_POSITIVE),
            bytes: float(step.estimate.bytes?),
        })
    });
    let stays: Vec<Stay> = stays.collect();
    let figure = Figure::of("fetched and there at once", staging::peak(&stays));
    if stays.len() == fetches.len() {
        figure
    } else {
        figure.lacks("the size of a part")
    }
}
