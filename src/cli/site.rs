//! Owns what every command about runs needs: the checked plan, where its state lies, the catalog,
//! the lock, and how a run is shown. Commands decide what is to be done; this does the opening.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use jiff::Timestamp;

use crate::catalog::{Catalog, CatalogError, Owner};
use crate::check::{CheckedPlan, Purpose};
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::ask::all_answered;
use crate::cli::catalog_file::{open_catalog, spared_catalog};
use crate::cli::exit::{CliError, Exit};
use crate::cli::learned::{self, Learned};
use crate::cli::load::{self, Loaded};
use crate::cli::run::say_volumes;
use crate::cli::run_log;
use crate::cli::strays;
use crate::durable;
use crate::engine::Engine;
use crate::facts::holdings::{Holdings, LogPoint};
use crate::graph::promise::{Placement, placement};
use crate::graph::retention::{self, Judgement};
use crate::graph::step::{Intent, StepGraph};
use crate::graph::{self, GraphError, order, support};
use crate::media::Device;
use crate::report::events::JsonLog;
use crate::report::progress::{Bars, Lines};
use crate::resolve::plan::{DeviceKind, ResolvedPlan};
use crate::run::open::{self, OpenError, Places};
use crate::run::{
    self, Clock, Family, FolderError, Lock, LockError, Observer, RunEnvironment, RunError,
    RunReport, Standing, Stop, Verdict,
};

/// What helps where the state folder cannot be written.
const STATE_PLACE: &str = "run planc as the user whose folder it is, or name another: \
                           `state: /PATH` in the inventory";

/// How a run is shown while it goes on.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct ShowArgs {
    /// Form of the log on standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    pub(crate) log_format: LogFormat,
    /// Say nothing while all goes well.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Forms of the log of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Bars on a terminal, plain lines elsewhere.
    #[default]
    Human,
    /// One JSON object an event.
    Json,
}

/// Whether a command waits for another run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnBusy {
    /// It refuses.
    Refuse,
    /// It waits.
    Wait,
}

/// What a command does while another run works.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct BusyArgs {
    /// Wait until another run of the plan has ended, instead of refusing.
    #[arg(long)]
    wait: bool,
}

impl From<BusyArgs> for OnBusy {
    fn from(args: BusyArgs) -> Self {
        if args.wait { Self::Wait } else { Self::Refuse }
    }
}

/// What every command that works on one plan takes: which plan, the present moment, how the work is
/// shown, and what it does while another run works.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SiteArgs {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    pub(crate) now: NowArgs,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    #[command(flatten)]
    busy: BusyArgs,
}

impl SiteArgs {
    /// Of a command that shows no run.
    pub(crate) fn of(plan: &PlanArgs, now: NowArgs, busy: BusyArgs) -> Self {
        Self {
            plan: plan.clone(),
            now,
            busy,
            show: ShowArgs::default(),
        }
    }

    /// Opens the plan to change something.
    pub(crate) fn open(&self, purpose: Purpose) -> Result<Site, CliError> {
        let loaded = load::loaded_for(&self.plan, self.now, purpose)?;
        Site::open(loaded, self.now, self.show, self.busy.into())
    }

    /// Opens the plan to look.
    pub(crate) fn look(&self, purpose: Purpose) -> Result<Site, CliError> {
        Site::look(&self.plan, self.now, purpose)
    }

    /// Opens the plan to bring something back, or only to look what that would be. The devices tell
    /// what they hold, so it does not wait for the server of a shared catalog.
    pub(crate) fn bring_back(&self, dry_run: bool) -> Result<Site, CliError> {
        let loaded = load::loaded_for(&self.plan, self.now, Purpose::Rescue)?;
        if dry_run {
            return Site::assemble(loaded, self.now, Opening::looking(Server::Spared));
        }
        let opening = Opening::locked(&loaded, self.show, self.busy.into())?;
        let server = Server::Spared;
        Site::assemble(loaded, self.now, Opening { server, ..opening })
    }
}

/// Whether a command works without the server of a shared catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    /// It is refused: what other hosts did is not known.
    Needed,
    /// It works with this host's own copy, and says so.
    Spared,
}

/// How a site is opened.
struct Opening {
    server: Server,
    show: ShowArgs,
    stop: Stop,
    lock: Option<Lock>,
}

impl Opening {
    /// Of a command that only looks.
    fn looking(server: Server) -> Self {
        Self {
            server,
            show: ShowArgs::default(),
            stop: Stop::new(),
            lock: None,
        }
    }

    /// Of a command that changes something: the lock is taken.
    fn locked(loaded: &Loaded, show: ShowArgs, busy: OnBusy) -> Result<Self, CliError> {
        let signals = Stop::on_signals(Exit::Resumable.code());
        let stop = signals
            .map_err(|error| CliError::refused(format!("cannot watch for signals: {error}")))?;
        let lock = lock(&places(loaded)?.state, &stop, busy)?;
        Ok(Self {
            server: Server::Needed,
            show,
            stop,
            lock: Some(lock),
        })
    }
}

/// One plan in one environment, with its state.
pub(crate) struct Site {
    /// The plan.
    pub(crate) plan: CheckedPlan,
    /// Where paths begin and state lies.
    pub(crate) places: Places,
    /// What copies exist.
    pub(crate) catalog: Catalog,
    /// The time of day.
    pub(crate) clock: Clock,
    /// The wish to stop.
    pub(crate) stop: Stop,
    /// How runs are shown.
    pub(crate) show: ShowArgs,
    /// What servers' logs tell that is not in the catalog.
    pub(crate) learned: Learned,
    /// Points of logs that were looked up.
    pub(crate) points: Vec<LogPoint>,
    // kept open between runs: an open SQLite engine holds its place in the log
    engines: BTreeMap<String, Arc<dyn Engine>>,
    // held while a run is written down: two runs of one site may end together
    books: Arc<Mutex<()>>,
    _lock: Option<Lock>,
}

impl Site {
    /// Opens a plan for a command that changes something; takes the lock.
    pub(crate) fn open(
        loaded: Loaded,
        now: NowArgs,
        show: ShowArgs,
        busy: OnBusy,
    ) -> Result<Self, CliError> {
        let opening = Opening::locked(&loaded, show, busy)?;
        Self::assemble(loaded, now, opening)
    }

    /// Opens a plan for a command that only looks.
    pub(crate) fn look(which: &PlanArgs, now: NowArgs, purpose: Purpose) -> Result<Self, CliError> {
        Self::of(load::loaded_for(which, now, purpose)?, now)
    }

    /// As [`Site::look`], for a plan that was read before.
    pub(crate) fn of(loaded: Loaded, now: NowArgs) -> Result<Self, CliError> {
        Self::assemble(loaded, now, Opening::looking(Server::Needed))
    }

    fn assemble(loaded: Loaded, now: NowArgs, opening: Opening) -> Result<Self, CliError> {
        let places = places(&loaded)?;
        durable::make_folder(&places.state, durable::OPEN).map_err(|error| {
            let state = places.state.display();
            CliError::refused(format!("cannot create the state folder {state}: {error}"))
                .help(STATE_PLACE)
        })?;
        // who only looks does not read the whole file first
        let plan = loaded.plan.plan();
        let whole = opening.lock.is_some();
        let mut catalog = match opening.server {
            Server::Needed => open_catalog(plan, &places, whole)?,
            Server::Spared => spared_catalog(plan, &places, whole)?,
        };
        open::meet_renamed(plan, &places, &mut catalog).map_err(catalog_error)?;
        let learned = learned::logs(plan, &places, &mut catalog)?;
        Ok(Self {
            learned,
            points: Vec::new(),
            plan: loaded.plan,
            places,
            catalog,
            clock: Clock::from(now.now),
            stop: opening.stop,
            show: opening.show,
            engines: BTreeMap::new(),
            books: Arc::default(),
            _lock: opening.lock,
        })
    }

    /// The same site for a second run beside the one that holds the lock: engines that are open
    /// are shared, the catalog is opened once more.
    pub(crate) fn beside(&self) -> Result<Self, CliError> {
        Ok(Self {
            plan: self.plan.clone(),
            places: self.places.clone(),
            catalog: open_catalog(self.plan.plan(), &self.places, false)?,
            clock: self.clock,
            stop: self.stop.clone(),
            show: self.show,
            learned: self.learned.clone(),
            points: self.points.clone(),
            engines: self.engines.clone(),
            books: Arc::clone(&self.books),
            _lock: None,
        })
    }

    /// Whether the source of a service is open.
    pub(crate) fn holds_open(&self, service: &str) -> bool {
        self.engines.contains_key(service)
    }

    /// All copies that the catalog knows.
    pub(crate) fn holdings(&self) -> Result<Holdings, CliError> {
        let holdings = self.catalog.holdings().map_err(catalog_error)?;
        Ok(self.learned.with(holdings, &self.points))
    }

    /// As [`Site::holdings`], with what runs that did not end work with.
    fn holdings_in_use(&self) -> Result<Holdings, CliError> {
        let mut holdings = self.holdings()?;
        for family in Family::ALL {
            let steps = self.unfinished(family)?.map(|run| run.graph.steps);
            let steps = steps.into_iter().flatten();
            let objects = steps.flat_map(|step| support::objects_of(&step.kind));
            holdings.in_use.extend(objects);
        }
        Ok(holdings)
    }

    /// What stays and what goes.
    pub(crate) fn judge(&self, now: Timestamp) -> Result<Judgement, CliError> {
        let holdings = self.holdings_in_use()?;
        graph::judge(&self.plan, &holdings, now).map_err(|error| graph_error(&error))
    }

    /// Of every stored part: where it exists, where it is intact, whether it can be restored.
    pub(crate) fn judge_parts(&self, now: Timestamp) -> Result<Vec<retention::Verdict>, CliError> {
        let mut holdings = self.holdings()?;
        strays::take_out(self.plan.plan(), &mut holdings);
        graph::judge_parts(&self.plan, &holdings, now).map_err(|error| graph_error(&error))
    }

    /// Compiles an intent to a graph that can be run.
    pub(crate) fn compile(&self, intent: &Intent, now: Timestamp) -> Result<StepGraph, CliError> {
        let holdings = self.holdings_in_use()?;
        let plan = self.plan.plan();
        let known = self.plan.known().clone().with_runs(plan, &holdings);
        let graph = graph::build(&self.plan, &holdings, &known, intent, now);
        let graph = graph.map_err(|error| graph_error(&error))?;
        support::check(self.plan.plan(), &graph).map_err(|error| graph_error(&error))?;
        Ok(graph)
    }

    /// Runs a graph to its end, and writes down what it did.
    pub(crate) fn execute(&mut self, graph: &Arc<StepGraph>) -> Result<RunReport, CliError> {
        let context = self.ready(graph)?;
        self.begin(graph, context)
    }

    /// Opens what a graph needs, and refuses it when it can be seen that it would fail. Nothing is
    /// written down yet.
    pub(crate) fn ready(&mut self, graph: &StepGraph) -> Result<run::Context, CliError> {
        let mut context = self.context(graph)?;
        look_ahead(graph, &mut context, None)?;
        Ok(context)
    }

    /// Runs a graph that is ready to its end.
    pub(crate) fn begin(
        &mut self,
        graph: &Arc<StepGraph>,
        context: run::Context,
    ) -> Result<RunReport, CliError> {
        let (_, journal) = run::create(&self.places.state, graph).map_err(folder_error)?;
        let environment = RunEnvironment {
            journal: Some(journal),
            ..RunEnvironment::default()
        };
        self.drive(graph, context, environment)
    }

    /// Says what killed restores left beside their targets; a person decides what becomes of it.
    pub(crate) fn name_left_behind(&self) -> Result<(), CliError> {
        for family in [Family::Restore, Family::Recovery] {
            let Some(unfinished) = self.unfinished(family)? else {
                continue;
            };
            let (began, resume) = (unfinished.began, family.command());
            for folder in run::left_behind(&unfinished.graph) {
                let folder = folder.display();
                writeln!(
                    std::io::stderr().lock(),
                    "a restore begun {began:.0} did not end and left {folder}; \
                     `{resume}` goes on with it, or remove that folder"
                )?;
            }
        }
        Ok(())
    }

    /// Removes what a run that ended well has made useless. What cannot be removed is harmless.
    fn prune(&self, graph: &StepGraph) -> Result<(), CliError> {
        let mut err = std::io::stderr().lock();
        match run::prune(&self.places.state, graph) {
            Ok(removed) => {
                for folder in removed {
                    let folder = folder.display();
                    writeln!(
                        err,
                        "removed {folder}, left by an earlier restore that was killed"
                    )?;
                }
            }
            Err(error) => writeln!(err, "warning: {error}")?,
        }
        Ok(())
    }

    /// Goes on with the newest run of a family, when it is unfinished; none when there is none.
    pub(crate) fn resume(
        &mut self,
        family: Family,
    ) -> Result<Option<(Arc<StepGraph>, RunReport)>, CliError> {
        let Some(unfinished) = self.unfinished(family)? else {
            return Ok(None);
        };
        let graph = Arc::new(unfinished.graph);
        if graph.plan_hash != self.plan.plan().hash {
            let message = format!("run {} was made for an earlier text of the plan", graph.run);
            let help = "run without `--resume`: what is complete on the devices stays in use";
            return Err(CliError::refused(message).help(help));
        }
        order::check(&graph).map_err(|error| graph_error(&error))?;
        self.reconcile(&graph)?;
        let mut context = self.context(&graph)?;
        let opened = run::resume(&unfinished.folder).map_err(folder_error)?;
        let (journal, events) = opened;
        let found = run::survey(&graph, &events, &context);
        look_ahead(&graph, &mut context, Some(&found.done))?;
        say_volumes(self.show, &context.calls)?;
        for record in &found.records {
            record.apply(&mut self.catalog).map_err(catalog_error)?;
        }
        let environment = RunEnvironment {
            journal: Some(journal),
            done: found.done,
            lost: found.lost,
            resumed: true,
            before: unfinished.age,
            ..RunEnvironment::default()
        };
        let report = self.drive(&graph, context, environment)?;
        Ok(Some((graph, report)))
    }

    /// The newest run of a family of this plan and environment, when it is not finished.
    pub(crate) fn unfinished(&self, family: Family) -> Result<Option<run::Unfinished>, CliError> {
        let plan = self.plan.plan();
        run::newest_unfinished(&self.places.state, &plan.name, &plan.environment, family)
            .map_err(folder_error)
    }

    /// Whose run log this site writes.
    pub(crate) fn owner(&self) -> String {
        owner(self.plan.plan())
    }

    /// The devices of the plan that are there and are those that the catalog knows.
    pub(crate) fn reachable_devices(&mut self) -> BTreeMap<String, Arc<dyn Device>> {
        let plan = self.plan.plan();
        let all = plan.devices.iter().map(|device| device.name.as_str());
        reachable(plan, &self.places, &mut self.catalog, all)
    }

    /// The devices that a graph reads, when one of them is a volume set; none to be opened else.
    pub(crate) fn volume_sets(&mut self, graph: &StepGraph) -> BTreeMap<String, Arc<dyn Device>> {
        let plan = self.plan.plan();
        let names = devices_of(graph);
        let is_set = |name: &&str| {
            let id = plan.find_device(name);
            id.is_some_and(|id| plan.device(id).kind == DeviceKind::Volumes)
        };
        if !names.iter().any(is_set) {
            return BTreeMap::new();
        }
        reachable(plan, &self.places, &mut self.catalog, names)
    }

    /// Teaches the catalog what a run that died left on the devices of its graph.
    pub(crate) fn reconcile(&mut self, graph: &StepGraph) -> Result<(), CliError> {
        let (plan, names) = (self.plan.plan(), devices_of(graph));
        // one that is away is refused later if the work needs it
        let devices = reachable(plan, &self.places, &mut self.catalog, names);
        let devices: Vec<_> = devices.into_values().collect();
        let owner = owner_of(self.plan.plan());
        let found = run::unrecorded(&owner, &self.holdings()?, &devices);
        all_answered(found.silent)?;
        self.learn(&found.records)
    }

    fn context(&mut self, graph: &StepGraph) -> Result<run::Context, CliError> {
        let (plan, places) = (self.plan.plan(), &self.places);
        let context = open::context(plan, places, &mut self.catalog, &mut self.engines, graph);
        let mut context = context.map_err(|error| open_error(&error))?;
        context.clock = self.clock;
        context.stop = self.stop.clone();
        Ok(context)
    }

    fn drive(
        &mut self,
        graph: &Arc<StepGraph>,
        context: run::Context,
        environment: RunEnvironment<'_>,
    ) -> Result<RunReport, CliError> {
        let environment = RunEnvironment {
            catalog: Some(&mut self.catalog),
            observers: observers(graph, self.show),
            approve: Box::new(|by| confirm(&format!("approved by {by}?"))),
            ..environment
        };
        let context = Arc::new(context);
        let report = run::execute(graph.clone(), context.clone(), environment);
        let mut report = report.map_err(|error| run_error(&error))?;
        match self.book(graph, &mut report, &context) {
            // what was brought back is there, whatever becomes of the books
            Err(error) if report.stored.is_empty() && report.gone.is_empty() => {
                let message = error.message;
                let warning = format!("all is done, but could not be written down: {message}");
                report.warnings.push(warning);
            }
            booked => booked?,
        }
        if report.verdict() == Verdict::Good {
            self.prune(graph)?;
        }
        Ok(report)
    }
}

impl Site {
    /// Writes down what a run did, and tells which promises hold.
    fn book(
        &mut self,
        graph: &StepGraph,
        report: &mut RunReport,
        context: &run::Context,
    ) -> Result<(), CliError> {
        self.promises(graph, report)?;
        let books = Arc::clone(&self.books);
        let _one_at_a_time = books.lock().unwrap_or_else(PoisonError::into_inner);
        let warnings = run_log::append(self, graph, report, context)?;
        report.warnings.extend(warnings);
        for job in &report.jobs {
            self.catalog.record_job(job).map_err(catalog_error)?;
        }
        Ok(())
    }

    /// Until when the promises of copies hold that the run could not make.
    fn promises(&self, graph: &StepGraph, report: &mut RunReport) -> Result<(), CliError> {
        if report.missing.is_empty() {
            return Ok(());
        }
        let holdings = self.holdings()?;
        let now = self.clock.now();
        for missing in &mut report.missing {
            let mut parts = holdings.parts.iter();
            let mut logs = holdings.logs.iter();
            let part = parts.find(|part| part.part == missing.object);
            let log = logs.find(|log| log.log == missing.object);
            let made = part
                .map(|part| part.taken_at)
                .or(log.map(|log| log.last_at));
            let held = part
                .map(|part| &part.devices)
                .or(log.map(|log| &log.devices));
            missing.held = held.cloned().unwrap_or_default();
            let made = made.unwrap_or(graph.now);
            let placed = placement(self.plan.plan(), &missing.job, &missing.device, made);
            missing.standing = match placed.map_err(|error| graph_error(&error))? {
                Some(Placement::By(until)) if until > now => Standing::Until(until),
                Some(Placement::Later) => Standing::Untimed,
                _ => Standing::Broken,
            };
        }
        Ok(())
    }
}

/// Refuses a graph of which it can be seen that it would fail, and calls for the volumes that it
/// reads. Of a run that goes on, the steps in `done` are behind it.
fn look_ahead(
    graph: &StepGraph,
    context: &mut run::Context,
    done: Option<&[usize]>,
) -> Result<(), CliError> {
    run::preflight(graph, context, done).map_err(|error| open_error(&error))?;
    let calls = run::calls(graph, &context.devices, done.unwrap_or_default());
    context.calls = calls.map_err(|error| open_error(&error))?;
    Ok(())
}

/// The devices that the steps of a graph name.
fn devices_of(graph: &StepGraph) -> BTreeSet<&str> {
    let steps = graph.steps.iter();
    steps
        .flat_map(|step| support::devices_of(&step.kind))
        .collect()
}

/// Those of some devices that are there and are those that the catalog knows.
fn reachable<'n>(
    plan: &ResolvedPlan,
    places: &Places,
    catalog: &mut Catalog,
    names: impl IntoIterator<Item = &'n str>,
) -> BTreeMap<String, Arc<dyn Device>> {
    let open = names.into_iter().filter_map(|name| {
        let device = open::device(plan, places, catalog, name).ok()?;
        Some((name.to_owned(), device))
    });
    open.collect()
}

/// Refuses a service that the plan does not have, and names those it has.
pub(crate) fn known_service(plan: &ResolvedPlan, service: &str) -> Result<(), CliError> {
    if plan.find_service(service).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = plan.services.iter().map(|one| one.name.as_str()).collect();
    let error = CliError::refused(format!("no service is called `{service}`"));
    Err(error.help(format!("the plan knows {}", names.join(", "))))
}

/// Who watches a run.
pub(crate) fn observers(graph: &Arc<StepGraph>, show: ShowArgs) -> Vec<Box<dyn Observer>> {
    let terminal = std::io::stderr().is_terminal();
    match (show.log_format, show.quiet, terminal) {
        (LogFormat::Json, ..) => vec![Box::new(JsonLog::new(std::io::stderr()))],
        (LogFormat::Human, true, _) => Vec::new(),
        (LogFormat::Human, false, true) => vec![Box::new(Bars::new(graph.clone()))],
        (LogFormat::Human, false, false) => {
            vec![Box::new(Lines::new(graph.clone(), std::io::stderr()))]
        }
    }
}

/// Asks on a terminal; without one the answer is no.
pub(crate) fn confirm(question: &str) -> bool {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() {
        return false;
    }
    let asked = write!(stderr, "{question} [yes/no] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    asked.is_ok() && stdin.read_line(&mut answer).is_ok() && answer.trim() == "yes"
}

/// Whose copies count on devices that others use too.
pub(crate) fn owner_of(plan: &ResolvedPlan) -> Owner {
    Owner {
        plan: plan.name.clone(),
        environment: plan.environment.clone(),
    }
}

/// Who a plan in its environment is for others that use the same devices or catalog.
pub(crate) fn owner(plan: &ResolvedPlan) -> String {
    format!("{}@{}", plan.name, plan.environment)
}

/// Where the paths of a plan begin and its state lies. Each plan and environment has a state
/// folder of its own, so that several plans can share an inventory.
pub(crate) fn places(loaded: &Loaded) -> Result<Places, CliError> {
    // the plan's own paths are joined to the folders of plan and inventory already
    let base = std::env::current_dir()
        .map_err(|error| CliError::refused(format!("cannot open the working folder: {error}")))?;
    let plan = loaded.plan.plan();
    let state = match plan.state_dir.as_str() {
        "" => ".planc",
        stated => stated,
    };
    let own = match plan.environment.as_str() {
        "" => plan.name.clone(),
        environment => format!("{}@{environment}", plan.name),
    };
    let state = base.join(state).join(own);
    Ok(Places { base, state })
}

/// Takes the lock of a state folder.
pub(crate) fn lock(state: &Path, stop: &Stop, busy: OnBusy) -> Result<Lock, CliError> {
    let command = command();
    let taken = match busy {
        OnBusy::Refuse => Lock::take(state, &command),
        OnBusy::Wait => Lock::wait(state, &command, stop, &mut |holder| {
            // when stderr is gone there is nobody left to tell
            let _ = writeln!(std::io::stderr(), "waiting for {holder}");
        }),
    };
    taken.map_err(|error| match error {
        LockError::Held { .. } => CliError::refused(format!("another run works: {error}"))
            .help("wait until it has ended, or add `--wait`"),
        LockError::Io { .. } => CliError::refused(error).help(STATE_PLACE),
        LockError::Stopped(_) => CliError::refused(error),
    })
}

/// The command as it was typed, without its folder.
fn command() -> String {
    let words = std::env::args().skip(1).take(2);
    let words = std::iter::once("planc".to_owned()).chain(words);
    words.collect::<Vec<_>>().join(" ")
}

pub(crate) fn catalog_error(error: CatalogError) -> CliError {
    let help = match &error {
        CatalogError::Device(device) => device.help(),
        CatalogError::Shared { .. } => {
            "start the server or correct `catalog` in the inventory; without `catalog` this host \
             works on with its own copy"
        }
        CatalogError::OtherDevice { .. } => {
            "mount the device that was there before, or give the new one another name"
        }
        CatalogError::Sqlite { .. } => {
            "nothing is wrong with the copies: run planc as the user who owns the state folder, or \
             free its place; where the file itself is bad, move it away and run `planc catalog \
             rebuild --from DEVICE`"
        }
        CatalogError::OtherPart { .. } => {
            "two hosts wrote under one name: keep both devices and look before anything is deleted"
        }
        CatalogError::Unusable { .. } => {
            "move the file away and run `planc catalog rebuild --from DEVICE`"
        }
    };
    CliError::refused(error).help(help)
}

pub(crate) fn graph_error(error: &GraphError) -> CliError {
    CliError::refused(error).help(error.help())
}

pub(crate) fn open_error(error: &OpenError) -> CliError {
    CliError::refused(error).help(error.help())
}

pub(crate) fn folder_error(error: FolderError) -> CliError {
    let help = match &error {
        FolderError::Journal(run::JournalError::Damaged { .. }) | FolderError::Graph { .. } => {
            "move the folder of that run away; what is on the devices is whole without it"
        }
        _ => "free the place or correct the permissions of the state folder",
    };
    CliError::refused(error).help(help)
}

pub(crate) fn run_error(error: &RunError) -> CliError {
    let help = match error {
        RunError::Catalog(_) => "run `planc catalog rebuild --from DEVICE`, then `--resume`",
        RunError::Journal(_) => "free space in the state folder, then run with `--resume`",
        RunError::Workers(_) => "raise the limit of threads, then run with `--resume`",
    };
    CliError::failed(format!("the run stopped: {error}")).help(help)
}

pub(crate) fn catalog_place_error(message: &str) -> CliError {
    CliError::failed(message).help("correct the permissions of the state folder, then repeat")
}
