//! Owns the survival matrix: for every component and every loss what is left, what brings the
//! component back, how old it is then, how long that takes, and what was promised.
//! Must not judge promises itself; verdicts come from `promise`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::check::context::{Context, subject};
use crate::check::job::Job;
use crate::check::promise::cover::{self, Class};
use crate::check::promise::rpo::{Candidate, Via, Ways};
use crate::check::promise::{self, Claim, Promise, Verdict, rto};
use crate::check::proof::Outcome;
use crate::estimate::survive::{self, Case, Survival};
use crate::estimate::{Figure, Known};
use crate::facts::facts_file::MeasuredFacts;
use crate::resolve::plan::{
    BackupId, ComponentId, DeviceId, Encrypt, JobId, KeyId, ResolvedPlan, ServiceId,
};
use crate::source::SourceMap;

/// What a matrix is computed from: one environment, with or without errors.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The plan.
    pub plan: &'a ResolvedPlan,
    /// What was measured in its environment.
    pub facts: Option<&'a MeasuredFacts>,
    /// The texts it came from.
    pub sources: &'a SourceMap,
    /// The moment of the question.
    pub now: Timestamp,
}

/// The matrix of one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The plan's name.
    pub plan: String,
    /// The environment; empty when the plan names none.
    pub environment: String,
    /// Cells by service, loss and component, in the order of the plan.
    pub cells: Vec<Cell>,
}

/// Components of one fate and one loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The service.
    pub service: String,
    /// The components, by key; what is copied alike and lies on the same disks is one cell.
    pub components: Vec<String>,
    /// What is lost.
    pub loss: Loss,
    /// Whether the original is left.
    pub original: Survival,
    /// The devices that hold whole copies.
    pub copies: Vec<Stored>,
    /// How the component comes back.
    pub path: Path,
    /// What it comes back from: `the original`, `log on bucket`, `copies of large on nvme`.
    pub via: String,
    /// Age of what comes back, in seconds; none when nothing comes back.
    pub data: Option<Figure>,
    /// Time until it is back, in seconds; none when nothing comes back.
    pub time: Option<Figure>,
    /// Promises about this loss: their words and how they come out for these components.
    pub promises: Vec<(String, Outcome)>,
}

impl Cell {
    /// The worst of its promises; none when nothing is promised.
    #[must_use]
    pub fn verdict(&self) -> Option<Outcome> {
        self.promises.iter().map(|(_, outcome)| *outcome).max()
    }

    /// How many copies are surely left and can be read.
    #[must_use]
    pub fn left(&self) -> usize {
        let left = |copy: &&Stored| copy.left == Survival::Yes && copy.readable;
        self.copies.iter().filter(left).count()
    }
}

/// One thing that is lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A thing, a mistake or damage.
    Case(Case),
    /// Those who hold a key are gone, by the key's name.
    Key(String),
}

impl Loss {
    /// `disk pg1/d3`, `site fra`, `human error`.
    #[must_use]
    pub fn words(&self) -> String {
        let name = |name: &Option<String>| name.as_deref().unwrap_or("?").to_owned();
        match self {
            Self::Case(Case::Disk(host, disk)) => format!("disk {}/{}", name(host), name(disk)),
            Self::Case(Case::Host(host)) => format!("host {}", name(host)),
            Self::Case(Case::Site(site)) => format!("site {}", name(site)),
            Self::Case(Case::Device(device)) => format!("device {}", name(device)),
            Self::Case(Case::HumanError) => "human error".to_owned(),
            Self::Case(Case::Corruption) => "corruption".to_owned(),
            Self::Key(key) => format!("holder of key {key}"),
        }
    }
}

/// Copies on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The device.
    pub device: String,
    /// Its site.
    pub site: Option<String>,
    /// The jobs whose copies lie there, by name.
    pub jobs: Vec<String>,
    /// Whether they are left.
    pub left: Survival,
    /// Whether a key to open at least one of them is left.
    pub readable: bool,
}

/// How a component comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// It was never gone.
    Untouched,
    /// By recoveries of the plan, by full name.
    Recovery(Vec<String>),
    /// The plan declares none; `planc restore` is what is left.
    Restore,
    /// Nothing is left to come back from.
    Lost,
}

/// Computes the matrix.
#[must_use]
pub fn matrix(question: Question<'_>) -> Matrix {
    let Question { plan, sources, .. } = question;
    let known = Known::of(plan, question.facts);
    let context = Context::new(plan, sources, question.now, true, &known, question.facts);
    let services = context.services().filter(|id| context.mentions(*id));
    let cells = services.flat_map(|service| of_service(&context, service));
    Matrix {
        plan: plan.name.clone(),
        environment: plan.environment.clone(),
        cells: cells.collect(),
    }
}

fn of_service(context: &Context<'_>, service: ServiceId) -> Vec<Cell> {
    let fates = fates(context, service);
    let mut cells = Vec::new();
    for loss in losses(context, service) {
        let case = match &loss {
            Loss::Case(case) => case.clone(),
            Loss::Key(_) => Case::Device(Some(String::new())),
        };
        let after = After {
            context,
            service,
            ways: Ways::new(context, service, &case),
            case: &case,
            loss: &loss,
        };
        let first = cells.len();
        for cell in fates.iter().map(|fate| after.cell(fate)) {
            add(&mut cells, first, cell);
        }
    }
    cells
}

/// Adds a cell; components that fare alike are told together.
fn add(cells: &mut Vec<Cell>, first: usize, mut cell: Cell) {
    let components = std::mem::take(&mut cell.components);
    let alike = cells[first..].iter_mut().find(|other| {
        Cell {
            components: Vec::new(),
            ..Cell::clone(other)
        } == cell
    });
    match alike {
        Some(other) => other.components.extend(components),
        None => cells.push(Cell { components, ..cell }),
    }
}

/// Components that are copied alike and lie on the same disks.
struct Fate {
    class: Class,
    components: Vec<ComponentId>,
    disks: BTreeSet<String>,
}

fn fates(context: &Context<'_>, service: ServiceId) -> Vec<Fate> {
    let mut fates: BTreeMap<(Vec<BackupId>, BTreeSet<String>), Vec<ComponentId>> = BTreeMap::new();
    for (component, backups) in cover::covering(context, service) {
        let disks = context.plan.component(component).disks.iter();
        let key = (backups, disks.cloned().collect());
        fates.entry(key).or_default().push(component);
    }
    let mut fates: Vec<Fate> = fates
        .into_iter()
        .filter_map(|((backups, disks), components)| {
            let example = *components.first()?;
            let class = Class { example, backups };
            Some(Fate {
                class,
                components,
                disks,
            })
        })
        .collect();
    fates.sort_by_key(|fate| fate.class.example);
    fates
}

/// Every loss that can touch a service or its copies.
fn losses(context: &Context<'_>, service: ServiceId) -> Vec<Loss> {
    let plan = context.plan;
    let home = plan.service(service).host.clone();
    let (devices, keys) = used(context, service);
    let parts = plan.components_of(service).map(|id| plan.component(id));
    let disks = parts.flat_map(|part| part.disks.iter().cloned());
    let mut cases: BTreeSet<Case> = disks
        .map(|disk| Case::Disk(home.clone(), Some(disk)))
        .collect();
    if cases.is_empty() {
        cases.insert(Case::Disk(home.clone(), None));
    }
    cases.insert(Case::Host(home));
    cases.insert(Case::Site(survive::home(plan, service).map(str::to_owned)));
    for device in devices.iter().map(|id| plan.device(*id)) {
        if device.disk.is_some() {
            cases.insert(Case::Disk(device.host.clone(), device.disk.clone()));
        }
        if device.host.is_some() {
            cases.insert(Case::Host(device.host.clone()));
        }
        let away = device.rotate.iter().map(|rotation| &rotation.to);
        let sites = device.site.iter().chain(away);
        cases.extend(sites.map(|site| Case::Site(Some(site.clone()))));
        cases.insert(Case::Device(Some(device.name.clone())));
    }
    cases.extend([Case::HumanError, Case::Corruption]);
    let keys = keys
        .into_iter()
        .map(|key| Loss::Key(plan.keys[key.index()].name.clone()));
    cases.into_iter().map(Loss::Case).chain(keys).collect()
}

/// Devices and keys of the service's jobs.
fn used(context: &Context<'_>, service: ServiceId) -> (BTreeSet<DeviceId>, BTreeSet<KeyId>) {
    let backups = context.service_backups(service);
    let backups = backups.map(|(id, _)| JobId::Backup(id));
    let archives = context.service_archives(service);
    let archives = archives.map(|(id, _)| JobId::Archive(id));
    let (mut devices, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for job in backups.chain(archives) {
        let job = Job::new(context.plan, job);
        devices.extend(job.devices());
        if let Encrypt::With(key, _) = job.keeping.encrypt {
            keys.insert(key);
        }
    }
    (devices, keys)
}

/// A service after one loss.
struct After<'c, 'a> {
    context: &'c Context<'a>,
    service: ServiceId,
    ways: Ways<'c, 'a>,
    case: &'c Case,
    loss: &'c Loss,
}

impl After<'_, '_> {
    fn cell(&self, fate: &Fate) -> Cell {
        let plan = self.context.plan;
        let original = self.original(fate);
        let best = self.best(fate, original);
        let components = fate.components.iter();
        Cell {
            service: plan.service(self.service).name.clone(),
            components: components.map(|id| plan.component_key(*id)).collect(),
            loss: self.loss.clone(),
            original,
            copies: self.copies(fate),
            path: self.path(original, best.is_some()),
            via: best
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), |way| self.via(way)),
            time: best.as_ref().map(|_| self.time(fate, original)),
            promises: self.promises(fate, original),
            data: best.map(|way| way.age),
        }
    }

    /// Whether the components are left where they are.
    fn original(&self, fate: &Fate) -> Survival {
        let plan = self.context.plan;
        if let Loss::Key(_) = self.loss {
            return Survival::Yes;
        }
        if let Case::Disk(host, Some(disk)) = self.case
            && *host == plan.service(self.service).host
            && !fate.disks.is_empty()
            && !fate.disks.contains(disk)
        {
            return Survival::Yes;
        }
        survive::original(plan, self.service, self.case)
    }

    fn best(&self, fate: &Fate, original: Survival) -> Option<Candidate> {
        if original == Survival::Yes {
            return Some(Candidate {
                age: Figure::of("the original is left", 0.0),
                via: Via::Original,
            });
        }
        self.ways.best(&fate.class)
    }

    fn copies(&self, fate: &Fate) -> Vec<Stored> {
        let plan = self.context.plan;
        let mut stored: BTreeMap<DeviceId, Stored> = BTreeMap::new();
        for id in &fate.class.backups {
            let backup = &plan.backups[id.index()];
            for (device, _) in cover::holders(backup) {
                let place = plan.device(device);
                let entry = stored.entry(device).or_insert_with(|| Stored {
                    device: place.name.clone(),
                    site: place.site.clone(),
                    jobs: Vec::new(),
                    left: survive::device(plan, device, self.case),
                    readable: false,
                });
                entry.jobs.push(subject(&backup.name, &backup.origin));
                entry.readable |= self.opens(backup.keeping.encrypt);
            }
        }
        stored.into_values().collect()
    }

    /// Whether copies that are encrypted so can be opened after the loss.
    fn opens(&self, encrypt: Encrypt) -> bool {
        let (Loss::Key(lost), Encrypt::With(key, _)) = (self.loss, encrypt) else {
            return true;
        };
        let key = &self.context.plan.keys[key.index()];
        key.name != *lost || key.escrow.is_some()
    }

    fn path(&self, original: Survival, comes_back: bool) -> Path {
        if original == Survival::Yes {
            return Path::Untouched;
        }
        if !comes_back {
            return Path::Lost;
        }
        let recoveries = self.context.service_recoveries(self.service);
        let covering = recoveries.filter(|recovery| {
            let mut losses = recovery.covers.iter();
            losses.any(|loss| self.is_case_of(&loss.kind))
        });
        let names: Vec<String> = covering.map(|r| subject(&r.name, &r.origin)).collect();
        if names.is_empty() {
            Path::Restore
        } else {
            Path::Recovery(names)
        }
    }

    fn is_case_of(&self, loss: &crate::resolve::plan::LossKind) -> bool {
        matches!(self.loss, Loss::Case(_))
            && promise::means(self.context.plan, self.service, loss, self.case)
    }

    fn via(&self, way: &Candidate) -> String {
        let plan = self.context.plan;
        match way.via {
            Via::Original => "the original".to_owned(),
            Via::Log(device, ..) => format!("log on {}", plan.device(device).name),
            Via::Copies(id, device) => {
                let (job, device) = (&plan.backups[id.index()], plan.device(device));
                format!("copies of {} on {}", job.name, device.name)
            }
        }
    }

    fn time(&self, fate: &Fate, original: Survival) -> Figure {
        if original == Survival::Yes {
            return Figure::of("the original is left", 0.0);
        }
        rto::time(self.context, self.service, self.case, &fate.components)
    }

    fn promises(&self, fate: &Fate, original: Survival) -> Vec<(String, Outcome)> {
        let promises = self.context.promises.iter();
        let own = promises.filter(|promise| promise.service == self.service);
        let about = own.filter(|p| p.claim.loss().is_some_and(|loss| self.is_case_of(loss)));
        about
            .map(|promise| (promise.claim.words(), self.outcome(promise, fate, original)))
            .collect()
    }

    /// How a promise comes out for these components: one about the loss of work is judged anew,
    /// one about time holds for the service as a whole.
    fn outcome(&self, promise: &Promise, fate: &Fate, original: Survival) -> Outcome {
        if original == Survival::Yes {
            return Outcome::Proved;
        }
        let verdict = match &promise.claim {
            Claim::Rpo(limit, _) => &self.ways.verdict(&fate.class, limit.as_secs()),
            _ => &promise.verdict,
        };
        match verdict {
            Verdict::Proved(_) => Outcome::Proved,
            Verdict::Broken(_) => Outcome::Broken,
            Verdict::Unknown(_) => Outcome::Unknown,
            Verdict::Open => Outcome::Open,
        }
    }
}
