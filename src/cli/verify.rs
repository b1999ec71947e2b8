//! `planc verify`: looks at stored copies and gives three verdicts: a copy exists, it is intact, a
//! point can be restored. Names what is damaged.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum;

use crate::check::Purpose;
use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{print_graph, say, say_result, work};
use crate::cli::run_log;
use crate::cli::site::SiteArgs;
use crate::graph::retention::{Restorable, Verdict};
use crate::graph::step::{Depth, Intent};
use crate::quantity::{self, Amount};

/// Arguments of `planc verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only copies on this device.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// How closely copies are looked at.
    #[arg(long, value_enum, default_value_t = Level::Intact)]
    level: Level,
    /// Only copies that were not read back for this long, for example `30d`; those first that
    /// were not for the longest time.
    #[arg(long, value_name = "SPAN", value_parser = seconds)]
    older: Option<u64>,
    /// Stop after this much, for example `200 GiB`; the next call goes on with the rest.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    limit: Option<u64>,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    site: SiteArgs,
}

/// How closely copies are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Every object is there in full length.
    Exists,
    /// Every byte is read and every hash compared.
    Intact,
    /// Nothing is read: what earlier readings prove about each point.
    Restorable,
}

/// A span in seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    match quantity::parse_text(text) {
        Ok(Amount::Duration(span)) => Ok(span.0 / 1000),
        Ok(_) => Err(format!(
            "`{text}` is no span of time; write for example `7d`"
        )),
        Err(error) => Err(format!("{}: {}", error.message, error.help)),
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    match quantity::parse_text(text) {
        Ok(Amount::Bytes(size)) => Ok(size.0),
        Ok(_) => Err(format!("`{text}` is no size; write for example `200 GiB`")),
        Err(error) => Err(format!("{}: {}", error.message, error.help)),
    }
}

fn intent(args: &Args) -> Intent {
    let device = args.device.clone();
    match (args.level, args.older, args.limit) {
        (Level::Intact, None, None) => Intent::Verify { device },
        (level, older, limit) => Intent::Scrub {
            depth: match level {
                Level::Exists => Depth::Exists,
                _ => Depth::Intact,
            },
            device,
            older,
            limit,
        },
    }
}

/// Verifies copies; exit 1 when one is damaged, or with `--level restorable` when a component has
/// no point that can be restored.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let intent = intent(args);
    let now = args.site.now.now();
    if args.level == Level::Restorable {
        let site = args.site.look(Purpose::Rescue)?;
        let verdicts = site.judge_parts(now)?;
        let exit = judge(&verdicts);
        say_result(args.site.show, exit, &text(&verdicts))?;
        return Ok(exit);
    }
    if args.dry_run {
        let site = args.site.look(Purpose::Rescue)?;
        return print_graph(&site.compile(&intent, now)?);
    }
    let mut site = args.site.open(Purpose::Rescue)?;
    let exit = match work(&mut site, &intent, now, args.site.show)? {
        None => {
            say(args.site.show, "the catalog knows no copies to verify\n")?;
            Exit::Ok
        }
        Some(report) => {
            let verdicts = text(&site.judge_parts(now)?);
            say_result(args.site.show, report.verdict().into(), &verdicts)?;
            report.verdict().into()
        }
    };
    let found = run_log::told(&mut site)?.findings;
    for finding in &found {
        let text = format!("run log: {finding}\n");
        say_result(args.site.show, Exit::Findings, &text)?;
    }
    Ok(match exit {
        Exit::Ok if !found.is_empty() => Exit::Findings,
        exit => exit,
    })
}

/// Points by component.
fn by_component(verdicts: &[Verdict]) -> BTreeMap<&str, Vec<&Verdict>> {
    let mut components: BTreeMap<&str, Vec<&Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        components
            .entry(&verdict.component)
            .or_default()
            .push(verdict);
    }
    components
}

fn judge(verdicts: &[Verdict]) -> Exit {
    let lost = |points: &Vec<&Verdict>| {
        points
            .iter()
            .all(|point| matches!(point.restorable, Restorable::No(_)))
    };
    let damaged = verdicts.iter().any(|verdict| !verdict.damaged.is_empty());
    if damaged || by_component(verdicts).values().any(lost) {
        Exit::Findings
    } else {
        Exit::Ok
    }
}

/// One line a component, and one for each point that is not beyond doubt.
fn text(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for (component, points) in by_component(verdicts) {
        let count =
            |what: &dyn Fn(&Verdict) -> bool| points.iter().filter(|point| what(point)).count();
        let exist = count(&|point| !point.exists.is_empty());
        let intact = count(&|point| !point.intact.is_empty());
        let proven = count(&|point| point.restorable == Restorable::Proven);
        let all = points.len();
        // writing to a String cannot fail
        let _ = writeln!(
            text,
            "{component}: of {all} points {exist} exist, {intact} are intact, \
             {proven} are proven restorable"
        );
        for point in points {
            doubt(&mut text, point);
        }
    }
    text
}

fn doubt(text: &mut String, point: &Verdict) {
    let place = format!("{} ({})", point.taken_at, point.part);
    for device in &point.damaged {
        let _ = writeln!(
            text,
            "  {place}: damaged on {device}; `planc repair` adds a good copy"
        );
    }
    if let Some(spoilt) = &point.spoilt {
        let what = spoilt.words();
        let _ = writeln!(
            text,
            "  {place}: holds {what}; `planc list` tells what to do"
        );
    }
    match &point.restorable {
        Restorable::Proven => {}
        Restorable::Unproven(open) => {
            let open = open.join(", ");
            let _ = writeln!(
                text,
                "  {place}: not proven restorable: {open} was never read back"
            );
        }
        Restorable::No(lost) if lost.is_empty() => {
            let _ = writeln!(text, "  {place}: not restorable: log or base is missing");
        }
        Restorable::No(lost) => {
            let lost = lost.join(", ");
            let _ = writeln!(
                text,
                "  {place}: not restorable: no good copy of {lost} is left; where several are \
                 damaged, `planc repair` makes one of what is good in each"
            );
        }
    }
}
