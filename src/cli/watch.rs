//! `planc run --watch`: stays in the foreground, ships logs at the plan's interval or size, takes
//! backups when they are due. Each cycle is a run of its own; one with nothing to do is silent.
//! While a cycle copies, a companion goes on shipping the logs: a copy that takes long must not
//! make them late.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{fresh_fulls, repair_chains, say, say_summary};
use crate::cli::site::{Site, graph_error};
use crate::graph::step::{Intent, StepGraph, StepKind};
use crate::graph::{full_name, next_due};
use crate::resolve::plan::{Archive, EngineKind, Every};
use crate::run::{RunReport, Verdict};

/// How often sizes and signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest wait after cycles that failed.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Works until a signal comes.
pub(crate) fn watch(site: &mut Site) -> Result<Exit, CliError> {
    let mut watcher = Watcher::new(site);
    greet(site)?;
    while !site.stop.asked() {
        if let Some(intent) = watcher.wanted(site)? {
            let exit = watcher.cycle(site, &intent)?;
            if site.stop.asked() && exit == Exit::Resumable {
                return Ok(Exit::Resumable);
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(Exit::Ok)
}

fn greet(site: &Site) -> Result<(), CliError> {
    let plan = &site.plan.plan().name;
    say(site.show, &format!("watching {plan}; stop with Ctrl-C\n"))
}

/// When the next job is due by the clock.
#[derive(Clone, Copy)]
enum Next {
    /// It was not asked since the last cycle.
    Unknown,
    At(Timestamp),
    Never,
}

struct Watcher {
    // the archives of a companion; none for the one that does everything
    ships: Option<Vec<String>>,
    next: Next,
    sizes: Vec<SizeTrigger>,
    failures: u32,
    paused_until: Option<Instant>,
}

impl Watcher {
    fn new(site: &Site) -> Self {
        let plan = site.plan.plan();
        let triggers = plan.archives.iter().filter_map(|archive| {
            let service = plan.service(archive.service);
            let path = service.path.as_ref()?;
            let file = site.places.base.join(path);
            (service.engine == EngineKind::Sqlite)
                .then(|| SizeTrigger::of(archive, &file))
                .flatten()
        });
        Self {
            ships: None,
            next: Next::Unknown,
            sizes: triggers.collect(),
            failures: 0,
            paused_until: None,
        }
    }

    /// One that ships the logs of the sources that are open, and does nothing else; none when there
    /// is no such log.
    fn companion(site: &Site) -> Option<Self> {
        let plan = site.plan.plan();
        let open = plan.archives.iter().filter(|archive| {
            let service = &plan.service(archive.service).name;
            site.holds_open(service)
        });
        let names: Vec<String> = open
            .map(|archive| full_name(&archive.origin, &archive.name))
            .collect();
        let mut watcher = Self::new(site);
        watcher.sizes.retain(|trigger| names.contains(&trigger.job));
        watcher.ships = Some(names).filter(|names| !names.is_empty());
        watcher.ships.is_some().then_some(watcher)
    }

    /// What is to be done now.
    fn wanted(&mut self, site: &Site) -> Result<Option<Intent>, CliError> {
        if self
            .paused_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Ok(None);
        }
        let now = site.clock.now();
        if let Next::Unknown = self.next {
            let next = earliest(site, self.ships.as_deref(), now)?;
            self.next = next.map_or(Next::Never, Next::At);
        }
        if let Next::At(next) = self.next
            && next <= now
        {
            let all = |names: &Vec<String>| Intent::Ship {
                names: names.clone(),
            };
            return Ok(Some(self.ships.as_ref().map_or(Intent::Due, all)));
        }
        let grown = self.sizes.iter().filter(|trigger| trigger.is_reached());
        let names: Vec<String> = grown.map(|trigger| trigger.job.clone()).collect();
        Ok((!names.is_empty()).then_some(match &self.ships {
            None => Intent::Jobs { names },
            Some(_) => Intent::Ship { names },
        }))
    }

    fn cycle(&mut self, site: &mut Site, intent: &Intent) -> Result<Exit, CliError> {
        self.next = Next::Unknown;
        let now = site.clock.now();
        let graph = Arc::new(site.compile(intent, now)?);
        if graph.steps.is_empty() {
            self.pause(Exit::Ok);
            return Ok(Exit::Ok);
        }
        let done = carry_out(site, &graph);
        for trigger in &mut self.sizes {
            trigger.shipped();
        }
        let report = match done {
            Ok(done) => done,
            Err(error) => {
                // a device that is away now may be back at the next cycle
                writeln!(std::io::stderr().lock(), "planc: {}", error.message)?;
                self.pause(Exit::Findings);
                return Ok(Exit::Findings);
            }
        };
        tell(site, &graph, &report)?;
        let fresh = fresh_fulls(site.plan.plan(), &report);
        // a companion leaves that to the run it goes beside
        if self.ships.is_none() && !fresh.is_empty() && !report.cancelled {
            repair_chains(site, fresh, now, site.show)?;
        }
        let exit = Exit::from(report.verdict());
        self.pause(exit);
        Ok(exit)
    }

    /// After a failure the next cycle waits, longer each time.
    fn pause(&mut self, exit: Exit) {
        if exit == Exit::Ok {
            self.failures = 0;
            self.paused_until = None;
            return;
        }
        self.failures = (self.failures + 1).min(6);
        let pause = Duration::from_secs(1 << self.failures).min(LONGEST_PAUSE);
        self.paused_until = Some(Instant::now() + pause);
    }
}

/// Runs a graph; if it copies, logs are shipped meanwhile.
fn carry_out(site: &mut Site, graph: &Arc<StepGraph>) -> Result<RunReport, CliError> {
    let context = site.ready(graph)?;
    let mut steps = graph.steps.iter();
    let copies = steps.any(|step| matches!(step.kind, StepKind::CopyPart { .. }));
    let Some(watcher) = copies.then(|| Watcher::companion(site)).flatten() else {
        return site.begin(graph, context);
    };
    let mut beside = site.beside()?;
    // bars belong to the run itself
    beside.show.quiet |= std::io::stderr().is_terminal();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| ship_beside(&mut beside, watcher, &over));
        let done = site.begin(graph, context);
        over.store(true, Ordering::Release);
        done
    })
}

/// Ships logs until the run is over. What fails here is told, and tried again.
fn ship_beside(site: &mut Site, mut watcher: Watcher, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) && !site.stop.asked() {
        let wanted = watcher.wanted(site);
        let done = wanted.and_then(|intent| match intent {
            Some(intent) => watcher.cycle(site, &intent),
            None => Ok(Exit::Ok),
        });
        if let Err(error) = done {
            // when stderr is gone there is nobody left to tell
            let _ = writeln!(std::io::stderr(), "planc: {}", error.message);
            watcher.pause(Exit::Findings);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The moment at which the next job is due, of all or of these.
fn earliest(
    site: &Site,
    only: Option<&[String]>,
    now: Timestamp,
) -> Result<Option<Timestamp>, CliError> {
    let due = next_due(&site.plan, &site.holdings()?, now).map_err(|error| graph_error(&error))?;
    let wanted = |name: &String| only.is_none_or(|names| names.contains(name));
    let due = due.into_iter().filter(|(name, _)| wanted(name));
    Ok(due.filter_map(|(_, at)| at).min())
}

/// A cycle that stored nothing and met no trouble is not worth a line.
fn tell(site: &Site, graph: &StepGraph, report: &RunReport) -> Result<(), CliError> {
    let quiet = report.stored.is_empty()
        && report.verdict() == Verdict::Good
        && report.warnings.is_empty()
        && report.broken_chains.is_empty();
    if quiet {
        return Ok(());
    }
    say_summary(site.show, graph, report)
}

/// Ships a log when this much has gathered.
struct SizeTrigger {
    job: String,
    wal: PathBuf,
    limit: u64,
    // length of the file after the last shipment
    base: u64,
}

impl SizeTrigger {
    fn of(archive: &Archive, database: &std::path::Path) -> Option<Self> {
        let sizes = archive
            .ships
            .iter()
            .filter_map(|ship| match &ship.schedule.every {
                Every::Interval(_, size) => size.as_ref().map(|size| size.0),
                Every::Size(size) => Some(size.0),
                _ => None,
            });
        let limit = sizes.min()?;
        let mut wal = database.as_os_str().to_owned();
        wal.push("-wal");
        let mut trigger = Self {
            job: full_name(&archive.origin, &archive.name),
            wal: wal.into(),
            limit,
            base: 0,
        };
        trigger.shipped();
        Some(trigger)
    }

    fn length(&self) -> u64 {
        std::fs::metadata(&self.wal).map_or(0, |data| data.len())
    }

    fn shipped(&mut self) {
        self.base = self.length();
    }

    fn is_reached(&self) -> bool {
        let length = self.length();
        // a file that is shorter than before was begun anew: all of it is new
        let grown = length.checked_sub(self.base).unwrap_or(length);
        grown >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grew_by_the_limit_is_shipped() {
        let folder = tempfile::tempdir().expect("folder");
        let wal = folder.path().join("db-wal");
        let mut trigger = SizeTrigger {
            job: "j".to_owned(),
            wal: wal.clone(),
            limit: 10,
            base: 0,
        };
        assert!(!trigger.is_reached(), "there is no file yet");
        std::fs::write(&wal, [0; 12]).expect("write");
        assert!(trigger.is_reached());
        trigger.shipped();
        assert!(!trigger.is_reached());
        std::fs::write(&wal, [0; 9]).expect("write");
        assert!(!trigger.is_reached(), "begun anew, but still short");
        std::fs::write(&wal, [0; 11]).expect("write");
        assert!(trigger.is_reached(), "begun anew");
    }
}
