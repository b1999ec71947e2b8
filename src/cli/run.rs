//! `planc run`: what is due, the named jobs, or a graph from a file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::check::Purpose;
use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::exit::{CliError, Exit};
use crate::cli::site::{self, BusyArgs, LogFormat, ShowArgs, Site};
use crate::cli::{load, user, watch};
use crate::graph::render::text;
use crate::graph::step::{Intent, StepGraph};
use crate::graph::{file, order, support};
use crate::quantity::Bytes;
use crate::report::summary::summary;
use crate::resolve::plan::ResolvedPlan;
use crate::run::{self, Call, Context, Family, RunEnvironment, RunReport, Stop};

/// Arguments of `planc run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Jobs to run now, whether due or not; none for all that is due. A first word that ends in
    /// `.plan` names the plan.
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
    #[command(flatten)]
    show: ShowArgs,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    /// Go on with the newest run that did not end.
    #[arg(long, conflicts_with_all = ["dry_run", "watch", "graph"])]
    resume: bool,
    /// Stay in the foreground: ship logs and take backups when they are due, until a signal.
    #[arg(long, conflicts_with_all = ["dry_run", "graph"])]
    watch: bool,
    #[command(flatten)]
    busy: BusyArgs,
    /// Run this graph, as `planc show graph --format yaml` prints it.
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    graph: Option<PathBuf>,
}

impl Args {
    /// The plan, and the jobs that are left when a positional names it.
    fn split(&self) -> (PlanArgs, Vec<String>) {
        let mut plan = self.plan.clone();
        let mut jobs = self.jobs.clone();
        let first = jobs.first().filter(|first| names_plan(first));
        if plan.plan.is_none() && first.is_some() {
            plan.plan = Some(PathBuf::from(jobs.remove(0)));
        }
        (plan, jobs)
    }
}

fn names_plan(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|end| end == "plan")
}

/// Runs what is asked for.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let (which, jobs) = args.split();
    if let Some(file) = &args.graph {
        return run_file(args, &which, file);
    }
    let intent = if jobs.is_empty() {
        Intent::Due
    } else {
        Intent::Jobs { names: jobs }
    };
    let now = args.now.now();
    if args.dry_run {
        let graph = Site::look(&which, args.now, Purpose::Work)?.compile(&intent, now)?;
        return print_graph(&graph);
    }
    let loaded = load::loaded(&which, args.now)?;
    user::check(loaded.plan.plan())?;
    let mut site = Site::open(loaded, args.now, args.show, args.busy.into())?;
    if args.resume {
        return resume(&mut site, Family::Work, args.show);
    }
    if args.watch {
        return watch::watch(&mut site);
    }
    hint_unfinished(&mut site)?;
    site.name_left_behind()?;
    once(&mut site, &intent, now, args.show)
}

/// Compiles an intent, runs it and tells what it did; none when there is nothing to do.
pub(crate) fn work(
    site: &mut Site,
    intent: &Intent,
    now: Timestamp,
    show: ShowArgs,
) -> Result<Option<RunReport>, CliError> {
    let graph = Arc::new(site.compile(intent, now)?);
    if graph.steps.is_empty() {
        return Ok(None);
    }
    let report = site.execute(&graph)?;
    say_summary(show, &graph, &report)?;
    Ok(Some(report))
}

/// Compiles an intent, runs it, and takes fresh copies where a log chain was found broken.
fn once(
    site: &mut Site,
    intent: &Intent,
    now: Timestamp,
    show: ShowArgs,
) -> Result<Exit, CliError> {
    let Some(mut report) = work(site, intent, now, show)? else {
        say(show, "nothing is due\n")?;
        return Ok(Exit::Ok);
    };
    if report.missing.iter().any(|missing| missing.slow) && !report.cancelled {
        catch_up(site, &mut report, now, show)?;
    }
    let fresh = fresh_fulls(site.plan.plan(), &report);
    if fresh.is_empty() || report.cancelled {
        return Ok(report.verdict().into());
    }
    let again = repair_chains(site, fresh, now, show)?;
    Ok(report.verdict().max(again.verdict()).into())
}

/// Finishes devices that were too slow from stored copies: nobody waits for them any more but this.
fn catch_up(
    site: &mut Site,
    report: &mut RunReport,
    now: Timestamp,
    show: ShowArgs,
) -> Result<(), CliError> {
    let Some(again) = work(site, &Intent::CatchUp, now, show)? else {
        return Ok(());
    };
    report.missing.retain(|missing| {
        let holders = again.stored.get(&missing.object);
        !holders.is_some_and(|holders| holders.contains(&missing.device))
    });
    Ok(())
}

/// Takes a fresh full of every service whose log chain is broken: from there on the log counts.
pub(crate) fn repair_chains(
    site: &mut Site,
    jobs: Vec<String>,
    now: Timestamp,
    show: ShowArgs,
) -> Result<RunReport, CliError> {
    let text = format!(
        "a log chain is broken; taking a fresh full: {}\n",
        jobs.join(", ")
    );
    write!(std::io::stderr().lock(), "{text}")?;
    let graph = Arc::new(site.compile(&Intent::Jobs { names: jobs }, now)?);
    let report = site.execute(&graph)?;
    say_summary(show, &graph, &report)?;
    Ok(report)
}

/// The backup jobs that copy the services whose log chain was found broken.
pub(crate) fn fresh_fulls(plan: &ResolvedPlan, report: &RunReport) -> Vec<String> {
    let broken = |service: &str| report.broken_chains.iter().any(|(name, _)| name == service);
    let jobs = plan.backups.iter().filter(|backup| {
        let mut targets = backup.targets.iter();
        targets.any(|id| broken(&plan.service(plan.component(*id).service).name))
    });
    jobs.map(|job| crate::graph::full_name(&job.origin, &job.name))
        .collect()
}

/// Goes on with the newest unfinished run of a family.
pub(crate) fn resume(site: &mut Site, family: Family, show: ShowArgs) -> Result<Exit, CliError> {
    let Some((graph, report)) = site.resume(family)? else {
        say(show, "no unfinished run\n")?;
        return Ok(Exit::Ok);
    };
    say_summary(show, &graph, &report)?;
    Ok(report.verdict().into())
}

/// A run that died is not gone on with silently, nor forgotten silently; what it left whole on the
/// devices counts.
fn hint_unfinished(site: &mut Site) -> Result<(), CliError> {
    if let Some(unfinished) = site.unfinished(Family::Work)? {
        let (run, began) = (&unfinished.graph.run, unfinished.began);
        writeln!(
            std::io::stderr().lock(),
            "run {run}, begun {began:.0}, did not end; `planc run --resume` would go on with it"
        )?;
        site.reconcile(&unfinished.graph)?;
    }
    Ok(())
}

/// Prints exactly the graph that would run.
pub(crate) fn print_graph(graph: &StepGraph) -> Result<Exit, CliError> {
    write!(std::io::stdout().lock(), "{}", text::text(graph))?;
    Ok(Exit::Ok)
}

/// The result of a run is for people; machines read the events.
pub(crate) fn say(show: ShowArgs, text: &str) -> Result<(), CliError> {
    if show.log_format == LogFormat::Human && !show.quiet {
        write!(std::io::stdout().lock(), "{text}")?;
    }
    Ok(())
}

/// The volumes that will be read, in the order in which they are loaded, for people.
pub(crate) fn say_volumes(show: ShowArgs, calls: &[Call]) -> Result<(), CliError> {
    for call in calls {
        let volumes = call.needs.iter().map(|need| {
            let bytes = Bytes(need.bytes);
            format!("{} ({} files, {bytes})", need.volume, need.files)
        });
        let volumes: Vec<String> = volumes.collect();
        let volumes = volumes.join(", ");
        say(show, &format!("volumes of {}: {volumes}\n", call.device))?;
    }
    Ok(())
}

/// The result of a command, for people. One that is to be quiet still says what did not go well.
pub(crate) fn say_result(show: ShowArgs, exit: Exit, text: &str) -> Result<(), CliError> {
    if exit == Exit::Ok || !show.quiet || show.log_format != LogFormat::Human {
        return say(show, text);
    }
    Ok(write!(std::io::stderr().lock(), "{text}")?)
}

/// The summary of a run, for people.
pub(crate) fn say_summary(
    show: ShowArgs,
    graph: &StepGraph,
    report: &RunReport,
) -> Result<(), CliError> {
    say_result(show, report.verdict().into(), &summary(graph, report))
}

/// Runs a graph that the operator hands in. One that needs neither devices nor services needs no
/// plan.
fn run_file(args: &Args, which: &PlanArgs, file: &Path) -> Result<Exit, CliError> {
    let graph = Arc::new(read_graph(file, args.now.now())?);
    order::check(&graph).map_err(|error| site::graph_error(&error))?;
    if args.dry_run {
        return print_graph(&graph);
    }
    let needs_plan = graph.steps.iter().any(|step| {
        let devices = support::devices_of(&step.kind);
        support::service_of(&step.kind).is_some() || !devices.is_empty()
    });
    let report = if needs_plan {
        run_of_plan(args, which, &graph)?
    } else {
        run_alone(args, &graph, file)?
    };
    say_summary(args.show, &graph, &report)?;
    Ok(report.verdict().into())
}

fn run_of_plan(
    args: &Args,
    which: &PlanArgs,
    graph: &Arc<StepGraph>,
) -> Result<RunReport, CliError> {
    let loaded = load::loaded(which, args.now)?;
    let mut site = Site::open(loaded, args.now, args.show, args.busy.into())?;
    if graph.plan_hash != site.plan.plan().hash {
        let message = "the graph was compiled from another text of the plan";
        return Err(CliError::refused(message).help("compile it again: `planc show graph`"));
    }
    support::check(site.plan.plan(), graph).map_err(|error| site::graph_error(&error))?;
    site.execute(graph)
}

fn run_alone(args: &Args, graph: &Arc<StepGraph>, file: &Path) -> Result<RunReport, CliError> {
    let stop = Stop::on_signals(Exit::Resumable.code())
        .map_err(|error| CliError::refused(format!("cannot watch for signals: {error}")))?;
    let state = file.with_file_name(".planc").join(&graph.plan);
    let _lock = site::lock(&state, &stop, args.busy.into())?;
    let (_, journal) = run::create(&state, graph).map_err(site::folder_error)?;
    let context = Context {
        stop,
        clock: args.now.now.into(),
        ..Context::default()
    };
    let environment = RunEnvironment {
        journal: Some(journal),
        observers: site::observers(graph, args.show),
        approve: Box::new(|by| site::confirm(&format!("approved by {by}?"))),
        ..RunEnvironment::default()
    };
    let report = run::execute(graph.clone(), Arc::new(context), environment);
    report.map_err(|error| site::run_error(&error))
}

/// Reads a graph in its YAML or JSON form.
fn read_graph(path: &Path, now: Timestamp) -> Result<StepGraph, CliError> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let cause = load::cause(&error);
        CliError::refused(format!("cannot read the graph {name}: {cause}"))
    })?;
    let format = if text.trim_start().starts_with('{') {
        file::Format::Json
    } else {
        file::Format::Yaml
    };
    file::read(&text, format, now).map_err(|error| {
        CliError::refused(format!("{name} is not a step graph: {error}"))
            .help("`planc show graph --format yaml` prints the form")
    })
}
