//! `planc undo`: what one transaction of a PostgreSQL service did is taken back, row by row; what
//! was changed since is told and left to people.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use crate::cli::exit::{CliError, Exit};
use crate::cli::restore::{absolute, approved_run};
use crate::cli::run::print_graph;
use crate::cli::site::{Site, SiteArgs};
use crate::cli::{inspect, log_status};
use crate::engine::postgres::PostgresSpec;
use crate::engine::postgres::blocks::BlockSet;
use crate::engine::postgres::inspect::{Deed, Ended};
use crate::engine::postgres::lsn::Lsn;
use crate::engine::postgres::names;
use crate::facts::holdings::Position;
use crate::graph::step::{Intent, TouchedPages, UndoIntent};

/// Arguments of `planc undo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service.
    service: String,
    /// The transaction, as `pg_current_xact_id()` or a log line tells it.
    transaction: u64,
    /// Begin to look for it with the log of this instant instead of the oldest there is.
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// Do not ask, neither before the copies are made nor before live rows are changed.
    #[arg(long)]
    yes: bool,
    /// Print the steps that would run, and run none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    site: SiteArgs,
}

/// Takes the transaction back.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut site = args.site.bring_back(args.dry_run)?;
    site.ask_devices(None)?;
    let spec = log_status::spec(&site, &args.service)?;
    let found = inspect::deed(&mut site, &args.service, args.transaction, args.since)?;
    let deed = found.deed;
    let at = Position {
        incarnation: found.history,
        value: committed(args, &deed)?.0,
    };
    let databases = databases(&spec, &deed)?;
    let intent = Intent::Undo(UndoIntent {
        service: args.service.clone(),
        transaction: args.transaction,
        at,
        databases,
        pages: pages(&deed),
        folder: folder(&site)?,
        ask: !args.yes,
    });
    let graph = site.compile(&intent, args.site.now.now())?;
    if args.dry_run {
        return print_graph(&graph);
    }
    approved_run(&mut site, graph, args.yes, args.site.show)
}

fn folder(site: &Site) -> Result<String, CliError> {
    let state = Path::new(&site.plan.plan().state_dir).join("restored");
    absolute(&site.places.base.join(state))
}

/// Where its commit ends; one that did not commit has nothing to be taken back.
fn committed(args: &Args, deed: &Deed) -> Result<Lsn, CliError> {
    let why = match deed.ended {
        Some((Ended::Committed(lsn), _)) => return Ok(lsn),
        Some((Ended::RolledBack(_), _)) => "was rolled back: there is nothing to take back",
        None => "has no end in the stored log: ship the log, or look at prepared transactions",
    };
    let transaction = args.transaction;
    Err(CliError::refused(format!(
        "transaction {transaction} {why}"
    )))
}

fn databases(spec: &PostgresSpec, deed: &Deed) -> Result<Vec<String>, CliError> {
    let oids: BTreeSet<u32> = deed.touched.keys().map(|one| one.database).collect();
    let named = names::databases(spec, &oids).map_err(|error| {
        let help = error.help();
        CliError::failed(error).help(help)
    })?;
    if named.is_empty() {
        let message = "the transaction touched no database that still exists";
        return Err(CliError::refused(message).help("restore the service to just before it"));
    }
    Ok(named)
}

fn pages(deed: &Deed) -> Vec<TouchedPages> {
    let pages = deed.touched.iter().map(|(relation, blocks)| TouchedPages {
        tablespace: relation.tablespace,
        database: relation.database,
        relation: relation.number,
        blocks: runs(blocks),
    });
    pages.collect()
}

/// First and last of each run.
fn runs(blocks: &BlockSet) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for block in blocks.range(0, u32::MAX) {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(block) => *last = block,
            _ => runs.push((block, block)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_pages_are_one_run() {
        let mut blocks = BlockSet::default();
        for block in [1, 2, 3, 7, 9, 10] {
            blocks.insert(block);
        }
        assert_eq!(runs(&blocks), [(1, 3), (7, 7), (9, 10)]);
    }
}
