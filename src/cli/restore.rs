//! `planc restore`: one service to a path that does not exist yet, to any state that is stored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use crate::cli::exit::{CliError, Exit};
use crate::cli::run::{print_graph, resume, say, say_summary, say_volumes};
use crate::cli::site::{ShowArgs, Site, SiteArgs, confirm, open_error};
use crate::facts::holdings::{Holdings, Position};
use crate::graph::render::text;
use crate::graph::step::{Intent, RecoveryTarget, RestoreIntent, StepGraph};
use crate::resolve::plan::EngineKind;
use crate::run::{self, Family};

/// Arguments of `planc restore`.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    /// The service.
    #[arg(required_unless_present = "resume")]
    service: Option<String>,
    /// The file or folder that the restored copy becomes; it must not exist yet.
    #[arg(long, value_name = "PATH", required_unless_present_any = ["resume", "delta"])]
    to: Option<PathBuf>,
    /// Restore onto the service's own damaged folder, as the inventory names it: only what differs
    /// from the copies is written. The service must be stopped. Of PostgreSQL.
    #[arg(long, conflicts_with_all = ["to", "relocate"])]
    delta: bool,
    /// Which state: `latest`, an instant, a transaction, `before:TRANSACTION`, or `backup` for the
    /// newest copy without its log. Of PostgreSQL also a restore point, `point:NAME`, and a
    /// position, `0/3000028`.
    #[arg(long, default_value = "latest", value_name = "STATE")]
    at: String,
    /// Read only from this device.
    #[arg(long, value_name = "DEVICE")]
    from: Option<String>,
    /// Put a tablespace elsewhere than below the restored folder; may be repeated.
    #[arg(long, value_name = "TABLESPACE=PATH", value_parser = crate::cli::recover::pair)]
    relocate: Vec<(String, String)>,
    /// Restore the content of this database only, beside `postgres` and the templates; may be
    /// repeated. The others keep their names without content, to be dropped. Of PostgreSQL.
    #[arg(long, value_name = "NAME")]
    database: Vec<String>,
    /// Follow this history of the log, where more than one goes on: a timeline of PostgreSQL.
    #[arg(long, value_name = "N")]
    timeline: Option<u32>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    /// Go on with the newest restore, when it did not end.
    #[arg(long, conflicts_with_all = ["service", "to", "at", "from", "relocate", "database", "dry_run", "delta"])]
    resume: bool,
    #[command(flatten)]
    site: SiteArgs,
}

/// Restores a service.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut site = args.site.bring_back(args.dry_run)?;
    let Some(service) = args.service.as_ref().filter(|_| !args.resume) else {
        return resume(&mut site, Family::Restore, args.site.show);
    };
    site.ask_devices(args.from.as_deref())?;
    let intent = Intent::Restore(RestoreIntent {
        service: service.clone(),
        to: args
            .to
            .as_deref()
            .map(absolute)
            .transpose()?
            .unwrap_or_default(),
        until: state(&mut site, service, &args.at)?,
        from: args.from.clone(),
        relocate: relocations(&args.relocate)?,
        only: args.database.clone(),
        incarnation: args.timeline.map(incarnation),
        delta: args.delta,
    });
    let graph = site.compile(&intent, args.site.now.now())?;
    if args.dry_run {
        let calls = run::calls(&graph, &site.volume_sets(&graph), &[]);
        let calls = calls.map_err(|error| open_error(&error))?;
        say_volumes(args.site.show, &calls)?;
        return print_graph(&graph);
    }
    approved_run(&mut site, graph, args.yes, args.site.show)
}

/// Refuses what cannot end well, shows the steps, asks, runs them, and says what came of it.
pub(crate) fn approved_run(
    site: &mut Site,
    graph: StepGraph,
    yes: bool,
    show: ShowArgs,
) -> Result<Exit, CliError> {
    site.name_left_behind()?;
    let context = site.ready(&graph)?;
    say_volumes(show, &context.calls)?;
    say(show, &text::text(&graph))?;
    if !yes && !confirm("go on?") {
        let error = CliError::refused("nobody agreed to the steps; nothing was changed");
        return Err(error.help("answer `yes` on a terminal, or add `--yes`"));
    }
    let graph = Arc::new(graph);
    let report = site.begin(&graph, context)?;
    say_summary(show, &graph, &report)?;
    Ok(report.verdict().into())
}

/// The path as an absolute one: the graph is also read by later processes.
pub(crate) fn absolute(path: &Path) -> Result<String, CliError> {
    let shown = path.display();
    let absolute = std::path::absolute(path)
        .map_err(|error| CliError::refused(format!("cannot use the path {shown}: {error}")))?;
    let text = absolute.into_os_string().into_string();
    text.map_err(|_| CliError::refused(format!("the path {shown} is not UTF-8 text")))
}

/// The new places of tablespaces, absolute.
fn relocations(given: &[(String, String)]) -> Result<BTreeMap<String, String>, CliError> {
    let absolute = |(name, path): &(String, String)| Ok((name.clone(), absolute(Path::new(path))?));
    given.iter().map(absolute).collect()
}

/// Reads `--at` for a service: what PostgreSQL's people say is looked up in its stored log.
fn state(site: &mut Site, service: &str, text: &str) -> Result<RecoveryTarget, CliError> {
    let plan = site.plan.plan();
    let id = plan.find_service(service);
    let server = id.is_some_and(|id| plan.service(id).engine == EngineKind::Postgresql);
    let plain = matches!(text, "latest" | "backup") || text.parse::<Timestamp>().is_ok();
    if !server || plain {
        return target(&site.holdings()?, service, text);
    }
    Ok(match text.strip_prefix("before:") {
        Some(text) => RecoveryTarget::Before(site.server_position(service, text)?),
        None => RecoveryTarget::Transaction(site.server_position(service, text)?),
    })
}

/// The history of a log that a timeline's number means.
pub(crate) fn incarnation(timeline: u32) -> String {
    format!("{timeline:08X}")
}

/// Reads `--at`.
pub(crate) fn target(
    holdings: &Holdings,
    service: &str,
    text: &str,
) -> Result<RecoveryTarget, CliError> {
    if let Some(transaction) = text.strip_prefix("before:") {
        let position = position(holdings, service, transaction)?;
        return Ok(RecoveryTarget::Before(position));
    }
    match text {
        "latest" => return Ok(RecoveryTarget::Latest),
        "backup" => return Ok(RecoveryTarget::Backup),
        _ => {}
    }
    match text.parse::<Timestamp>() {
        Ok(instant) => Ok(RecoveryTarget::Instant(instant)),
        Err(_) => position(holdings, service, text).map(RecoveryTarget::Transaction),
    }
}

/// Refuses a time that does not say its day and of which zone it is: its last part would read as a
/// number. Names of zones are not read, because an hour in autumn has two meanings in them.
fn with_offset(text: &str) -> Result<(), CliError> {
    let day = text.get(..10).unwrap_or_default();
    let lacks = if day.contains('-') && day.parse::<Date>().is_ok() {
        "does not say its offset from UTC"
    } else if text.contains(':') && text.parse::<Time>().is_ok() {
        "says neither its day nor its offset from UTC"
    } else {
        return Ok(());
    };
    let error = CliError::refused(format!("`{text}` {lacks}"));
    Err(error.help("write it as a number: `2026-03-01 09:00:00+01`, or `Z` for UTC itself"))
}

/// A transaction as `NUMBER` or `INCARNATION:NUMBER`; a bare number means the newest incarnation
/// whose stored log holds it.
pub(crate) fn position(
    holdings: &Holdings,
    service: &str,
    text: &str,
) -> Result<Position, CliError> {
    let unknown = || {
        CliError::refused(format!(
            "`{text}` is neither a state nor a transaction in the stored log of {service}"
        ))
        .help(
            "`planc log list SERVICE` shows transactions; instants look like 2026-03-01T09:00:00Z",
        )
    };
    with_offset(text)?;
    if let Some((incarnation, value)) = text.rsplit_once(':') {
        let value = value.parse().map_err(|_| unknown())?;
        let incarnation = incarnation.to_owned();
        return Ok(Position { incarnation, value });
    }
    let value: u64 = text.parse().map_err(|_| unknown())?;
    let logs = holdings.logs.iter().filter(|log| log.service == service);
    let holding = logs.filter(|log| log.from.value < value && value <= log.until.value);
    let newest = holding.max_by_key(|log| log.last_at).ok_or_else(unknown)?;
    let incarnation = newest.until.incarnation.clone();
    Ok(Position { incarnation, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::holdings::LogHolding;

    fn log(incarnation: &str, from: u64, until: u64, last_at: &str) -> LogHolding {
        let at = |value| Position {
            incarnation: incarnation.to_owned(),
            value,
        };
        LogHolding {
            log: format!("{incarnation}-{from}"),
            service: "notes".to_owned(),
            identity: "id".to_owned(),
            from: at(from),
            until: at(until),
            first_at: last_at.parse().expect("time"),
            last_at: last_at.parse().expect("time"),
            stored_bytes: 1,
            devices: vec!["disk".to_owned()],
        }
    }

    fn holdings() -> Holdings {
        Holdings {
            logs: vec![
                log("a", 0, 90, "2026-01-01T00:00:00Z"),
                log("b", 0, 10, "2026-01-02T00:00:00Z"),
            ],
            ..Holdings::default()
        }
    }

    #[test]
    fn a_bare_number_means_the_newest_history_that_holds_it() {
        let found = |text| position(&holdings(), "notes", text).map(|at| at.incarnation);
        assert_eq!(found("10").ok().as_deref(), Some("b"));
        assert_eq!(found("11").ok().as_deref(), Some("a"));
        assert_eq!(found("c:5").ok().as_deref(), Some("c"));
        assert!(found("91").is_err());
        assert!(found("yesterday").is_err());
    }

    #[test]
    fn a_time_without_its_offset_is_no_transaction() {
        for text in [
            "2026-01-01 09:00:57",
            "2026-01-01T09:00:57.25",
            "2026-01-01",
            "2026-01-01 09:00:57 CET",
            "09:57",
            "09:00:57",
        ] {
            let error = position(&holdings(), "notes", text).expect_err("refused");
            assert!(error.message.contains("offset"), "{error:?}");
            assert!(target(&holdings(), "notes", text).is_err());
        }
        let written = target(&holdings(), "notes", "2026-01-01 09:00:57+01");
        assert!(matches!(written, Ok(RecoveryTarget::Instant(_))));
    }

    #[test]
    fn states_are_told_apart() {
        let read = |text| target(&holdings(), "notes", text).ok();
        assert_eq!(read("latest"), Some(RecoveryTarget::Latest));
        assert_eq!(read("backup"), Some(RecoveryTarget::Backup));
        let instant = read("2026-03-01T09:00:00Z");
        assert!(matches!(instant, Some(RecoveryTarget::Instant(_))));
        assert!(matches!(read("before:5"), Some(RecoveryTarget::Before(_))));
        assert!(matches!(read("5"), Some(RecoveryTarget::Transaction(_))));
    }
}
