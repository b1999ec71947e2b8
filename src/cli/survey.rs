//! `planc survey`: asks services and devices what they are and how fast, and writes the facts
//! file. Services are only read; a device is asked to take a probe that is gone afterwards. What
//! earlier runs have shown of a device stands above its probe.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::device;
use crate::cli::diff;
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::cli::site::{Site, open_error};
use crate::diagnostic::Diagnostics;
use crate::durable;
use crate::engine::Survey;
use crate::engine::survey::LogRates;
use crate::facts::facts_file::{self, MeasuredFacts};
use crate::facts::instance::Instance;
use crate::facts::{refined, sizes, written};
use crate::quantity::float;
use crate::quantity::{Bytes, BytesPerSecond};
use crate::resolve::plan::ServiceId;
use crate::run::open;
use crate::source::FileId;

/// Bytes of the probe that a device takes and gives.
const PROBE: u64 = 64 << 20;

/// Positions of the log that are further apart than this tell its rate better than a sample.
const LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(10);

/// Arguments of `planc survey`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this service (repeatable), and no devices; the rest of the file stays as it is.
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Show what would change in the file and write nothing; 1 when something would.
    #[arg(long)]
    diff: bool,
    /// How many seconds the log is watched.
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    sample: f64,
    /// Leave the devices alone: nothing is written to them and their old figures stay.
    #[arg(long)]
    no_devices: bool,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// Measures, and writes or compares.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let loaded = load::loaded_without_facts(&args.plan, args.now)?;
    let path = loaded.facts.clone().ok_or_else(no_file)?;
    let old = read(&path)?;
    let mut work = Work {
        site: Site::of(loaded, args.now)?,
        facts: old.as_deref().map(parsed).transpose()?.unwrap_or_default(),
        now: args.now.now(),
        notes: Vec::new(),
        refined: 0,
    };
    work.services(args)?;
    if !args.no_devices && args.service.is_empty() {
        work.devices();
        work.refine()?;
    }
    let text = written::text(&work.facts);
    finish(&path, old.as_deref(), &text, &work, args.diff)
}

/// Changes the facts beside a plan's inventory and writes them again.
pub(crate) fn update(
    path: Option<&Path>,
    change: impl FnOnce(&mut MeasuredFacts),
) -> Result<PathBuf, CliError> {
    let path = path.ok_or_else(no_file)?;
    let old = read(path)?;
    let mut facts = old.as_deref().map(parsed).transpose()?.unwrap_or_default();
    change(&mut facts);
    replace(path, &written::text(&facts))?;
    Ok(path.to_owned())
}

fn no_file() -> CliError {
    CliError::refused("the inventory names no facts file")
        .help("add `facts: NAME.facts.yaml` to the inventory, then run the survey again")
}

fn read(path: &Path) -> Result<Option<String>, CliError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let cause = load::cause(&error);
            let message = format!("cannot read the facts {}: {cause}", path.display());
            Err(CliError::refused(message).help("make the file readable, or move it away"))
        }
    }
}

/// The facts that are there; what is wrong in them must not be lost in silence.
fn parsed(text: &str) -> Result<MeasuredFacts, CliError> {
    let mut found = Diagnostics::new();
    let facts = facts_file::read(FileId(0), text, &mut found);
    let Some(first) = found.iter().next() else {
        return Ok(facts);
    };
    let message = format!("the facts file cannot be read: {}", first.message);
    Err(CliError::refused(message).help("correct it or move it away, then run the survey again"))
}

struct Work {
    site: Site,
    facts: MeasuredFacts,
    now: Timestamp,
    notes: Vec<String>,
    /// How many devices have rates that runs have shown.
    refined: usize,
}

impl Work {
    /// Asks every service before anything is taken over: a survey is whole or it is not written.
    fn services(&mut self, args: &Args) -> Result<(), CliError> {
        let sample = Duration::try_from_secs_f64(args.sample).map_err(|_| {
            let message = format!("`--sample {}` is not a number of seconds", args.sample);
            CliError::refused(message).help("name seconds, for example `--sample 10`")
        })?;
        let wanted = self.wanted(&args.service)?;
        let mut failed = Vec::new();
        let mut found = Vec::new();
        for id in wanted {
            match self.ask(id, sample) {
                Ok(survey) => found.push((id, survey)),
                Err(error) => failed.push(error),
            }
        }
        if let Some(error) = all_failed(failed) {
            return Err(error);
        }
        for (id, survey) in found {
            self.take(id, survey);
        }
        if args.service.is_empty() {
            self.facts.measured = Some(self.now.strftime("%Y-%m-%d").to_string());
            let plan = self.site.plan.plan();
            let known = |name: &String| plan.find_service(name).is_some();
            self.facts.instances.retain(|name, _| known(name));
        }
        Ok(())
    }

    fn wanted(&self, names: &[String]) -> Result<Vec<ServiceId>, CliError> {
        let plan = self.site.plan.plan();
        if names.is_empty() {
            return Ok((0..plan.services.len())
                .map(ServiceId::from_index)
                .collect());
        }
        let found = names.iter().map(|name| {
            plan.find_service(name).ok_or_else(|| {
                let known = plan.services.iter().map(|one| one.name.as_str());
                let known: Vec<&str> = known.collect();
                CliError::refused(format!("no service is called `{name}`"))
                    .help(format!("the plan knows {}", known.join(", ")))
            })
        });
        found.collect()
    }

    /// What a service says, and the sizes that only its engine can tell.
    fn ask(&self, id: ServiceId, sample: Duration) -> Result<Answer, CliError> {
        let plan = self.site.plan.plan();
        let service = &plan.service(id).name;
        let engine = open::engine(plan, &self.site.places, service);
        let engine = engine.map_err(|error| open_error(&error))?;
        let failed = |error: crate::engine::EngineError| {
            let help = error.help();
            CliError::failed(format!("service {service}: {error}")).help(help)
        };
        let survey = engine.survey(sample).map_err(failed)?;
        let mut sizes = sizes::of_components(plan, id, &survey.instance);
        if survey.instance.tablespaces.is_empty() {
            for component in plan.components_of(id) {
                let key = plan.component_key(component);
                sizes.retain(|(known, _)| *known != key);
                let size = engine.size(&key).map_err(failed)?;
                sizes.push((key, Bytes(size)));
            }
        }
        Ok(Answer { survey, sizes })
    }

    fn take(&mut self, id: ServiceId, answer: Answer) {
        let plan = self.site.plan.plan();
        let service = plan.service(id).name.clone();
        let Answer { mut survey, sizes } = answer;
        for (key, size) in sizes {
            self.facts.components.entry(key).or_default().0 = Some(size);
        }
        for (own, share) in &survey.changes {
            let key = format!("{service}/{own}");
            self.facts.components.entry(key).or_default().1 = Some(*share);
        }
        self.notes
            .extend(survey.notes.iter().map(|note| format!("{service}: {note}")));
        survey.instance.measured = Some(self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let before = self.facts.instances.get(&service);
        let long = before.and_then(|before| since(before, &survey.instance));
        self.log_rates(&service, survey.log, long);
        self.facts.instances.insert(service, survey.instance);
    }

    /// The mean since the last survey when there is one, else of the sample. A peak that was seen
    /// once is kept until a higher one is seen: the log must stand it again.
    fn log_rates(&mut self, service: &str, sample: Option<LogRates>, long: Option<f64>) {
        let rate = |value: f64| (value > 0.0).then_some(BytesPerSecond(value));
        let mean = long.or(sample.map(|log| log.mean)).and_then(rate);
        let peak = sample.map(|log| log.peak).and_then(rate);
        let known = self.facts.services.entry(service.to_owned()).or_default();
        known.0 = mean.or(known.0);
        known.1 = match (known.1, peak) {
            (Some(old), Some(new)) => Some(BytesPerSecond(old.0.max(new.0))),
            (old, new) => old.or(new),
        };
        if *known == (None, None) {
            self.facts.services.remove(service);
            if self
                .site
                .plan
                .plan()
                .archives
                .iter()
                .any(|archive| self.site.plan.plan().service(archive.service).name == service)
            {
                self.notes.push(format!(
                    "{service}: log rate: no log was written while it was watched; \
                     survey under load, or later again"
                ));
            }
        }
    }

    /// Measures the devices that can be reached; the figures of the others stay.
    fn devices(&mut self) {
        let names = self
            .site
            .plan
            .plan()
            .devices
            .iter()
            .map(|one| one.name.clone());
        for name in names.collect::<Vec<_>>() {
            let (plan, places) = (self.site.plan.plan(), &self.site.places);
            let opened = open::device(plan, places, &mut self.site.catalog, &name);
            let measured = opened
                .map_err(|error| error.to_string())
                .and_then(|device| device.speed(PROBE).map_err(|error| error.to_string()));
            match measured {
                Ok(Some(speed)) => {
                    let rates = (speed.write, speed.read);
                    let rates = (Some(BytesPerSecond(rates.0)), Some(BytesPerSecond(rates.1)));
                    self.facts.devices.insert(name, rates);
                }
                Ok(None) => self.notes.push(format!(
                    "device {name}: its kind cannot be measured by a probe"
                )),
                Err(error) => self.notes.push(device::said_of(&name, &error)),
            }
        }
    }
}

impl Work {
    /// What runs have shown of a device stands above its probe: a run compresses, hashes and
    /// writes to others too. How fast a host replays is known from runs only.
    fn refine(&mut self) -> Result<(), CliError> {
        let (plan, holdings) = (self.site.plan.plan(), self.site.holdings()?);
        for (host, rate) in refined::replays(plan, &holdings) {
            self.facts.hosts.insert(host, Some(rate));
        }
        for (device, (write, read)) in refined::rates(plan, &holdings) {
            let Some(known) = self.facts.devices.get_mut(&device) else {
                continue;
            };
            known.0 = write.or(known.0);
            known.1 = read.or(known.1);
            self.refined += 1;
        }
        Ok(())
    }
}

/// What one service answered.
struct Answer {
    survey: Survey,
    sizes: Vec<(String, Bytes)>,
}

/// One error of all that failed.
fn all_failed(mut failed: Vec<CliError>) -> Option<CliError> {
    let first = failed.first().map(|error| error.help.clone())?;
    if failed.len() == 1 {
        return failed.pop();
    }
    let mut message = String::from("services that cannot be surveyed");
    for error in &failed {
        // writing to a string cannot fail
        let _ = write!(message, "\n  {}", error.message);
    }
    let error = CliError::failed(message);
    Some(match first {
        Some(help) => error.help(help),
        None => error,
    })
}

/// Mean rate of the log between two surveys of one history, when they are far enough apart.
fn since(before: &Instance, now: &Instance) -> Option<f64> {
    let same = before.identity == now.identity && before.timeline == now.timeline;
    let at = |instance: &Instance| instance.measured.as_ref()?.parse::<Timestamp>().ok();
    let time = at(now)?.duration_since(at(before)?);
    if !same || time < LONG_ENOUGH {
        return None;
    }
    let grown = now.log_position?.checked_sub(before.log_position?)?;
    Some(float(grown) / time.as_secs_f64())
}

fn finish(
    path: &Path,
    old: Option<&str>,
    text: &str,
    work: &Work,
    only_diff: bool,
) -> Result<Exit, CliError> {
    for note in &work.notes {
        writeln!(std::io::stderr(), "not measured: {note}")?;
    }
    let mut out = std::io::stdout().lock();
    if only_diff {
        let same = old == Some(text);
        if !same {
            let shown = path.display().to_string();
            write!(
                out,
                "{}",
                diff::texts(&shown, "as surveyed", old.unwrap_or(""), text)
            )?;
        }
        return Ok(if same { Exit::Ok } else { Exit::Findings });
    }
    replace(path, text)?;
    let facts = &work.facts;
    let tables = facts
        .instances
        .values()
        .flat_map(|one| one.databases.values());
    let tables: usize = tables.map(|database| database.tables.len()).sum();
    writeln!(
        out,
        "wrote {}: {} services, {tables} tables, {} devices, {} of them by their last runs",
        path.display(),
        facts.instances.len(),
        facts.devices.len(),
        work.refined
    )?;
    Ok(Exit::Ok)
}

/// Writes beside the file and renames, so that a reader never sees half of it.
fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |cause: std::io::Error| {
        let message = format!("cannot write the facts {}: {cause}", path.display());
        CliError::refused(message).help("free the place or correct its permissions")
    };
    let written = durable::replace(path, |file| {
        file.write_all(text.as_bytes())?;
        // reviewed and committed like the inventory, so not only for the owner
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
    });
    written.map_err(failed)
}
