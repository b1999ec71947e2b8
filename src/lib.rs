//! planc, a compiler for recovery.
//!
//! A *plan* says what must be recoverable, how copies are made and what is done when something is
//! lost. planc proves the first from the second before anything runs, compiles every intent into
//! one graph of steps, and runs that graph in parallel against real databases and devices.
//!
//! # The stages, in order
//!
//! ```text
//! plan text -> Ast -> ResolvedPlan -> CheckedPlan ─┐
//! inventory, facts, catalog ─> Inventory, Holdings ┼─> StepGraph -> Schedule -> RunEvents
//! intent (what is due, these jobs, restore …) ─────┘        -> journal -> catalog -> report
//! ```
//!
//! | stage | entry | gives |
//! |---|---|---|
//! | [`source`] | the surface hands texts in | [`source::SourceMap`]: texts, spans, places |
//! | [`syntax`] | `syntax::parse` | [`syntax::ast::Ast`]: what was written, broken lines kept |
//! | [`resolve`] | `resolve::resolve` | [`resolve::plan::ResolvedPlan`]: one environment, names as ids, units as numbers |
//! | [`check`] | `check::check` | [`check::plan::CheckedPlan`]: no error is left; all findings by rule |
//! | [`facts`] | `facts::inventory::read`, the catalog | what is known from outside the plan |
//! | [`estimate`] | `estimate::simulate` | how long, by playing the schedule |
//! | [`graph`] | `graph::build` | [`graph::step::StepGraph`]: steps, edges with reasons, lanes |
//! | [`schedule`] | `Schedule::new` | [`schedule::Schedule`]: which step may run now |
//! | [`outlook`] | `ways_back` | what will come of the plan, told before anything runs |
//! | [`run`] | `run::execute` | [`run::event::RunEvent`]s: past-tense facts |
//! | [`engine`], [`media`] | traits `Engine` and `Device` | databases and file trees; devices and the format on them |
//! | `durable` | `durable::replace` | files outside of devices that survive the loss of power |
//! | [`catalog`] | `Catalog::open` | what copies exist; a cache that any one device can rebuild |
//! | [`report`], [`lsp`], [`cli`] | `cli::run` | people, editors and machines outside |
//!
//! # Invariants
//!
//! - The front end (`source` to `check`) and the planner (`facts` to `schedule`) are pure: no
//!   files, sockets, processes, threads, clock, randomness or environment. `now` and observed
//!   facts come in as arguments. A test reads the sources and holds this, and the table of which
//!   folder may use which.
//! - A later stage accepts only the type of the stage before it. `CheckedPlan` has one
//!   constructor; what could not be read stays in the tree as "unknown but present".
//! - Nothing changes the world outside a step, and what `--dry-run` prints is what a run does.
//! - Acknowledge last: a step is done when its bytes are durable on every required device and
//!   the journal says so. A manifest is written after everything it names.
//! - An error is not an absence: only a sure "not found" ends a log or permits a deletion.
//! - Objects on devices are written once, under names derived from what they hold, and never
//!   overwritten; what the catalog knows can be read back from any one complete device.
//! - One thread, the coordinator, owns schedule, journal and catalog; workers send facts to it,
//!   never print, and turn every failure into an outcome.
//!
//! # Glossary
//!
//! - *plan*: the user's file. Computed things are called graph, schedule, run, catalog.
//! - *service*: a database instance, database file or file tree that is kept.
//! - *component*: the unit that is backed up and restored: base, tablespace, database, group,
//!   table, file tree.
//! - *part*: one component copied once. *Manifest*: the commit marker of a part on a device.
//! - *pack*: an object of many independent *frames*; several parts' content may lie in one.
//! - *log*: what the engine writes before its data (WAL, binlog). *Log range*: a gapless piece
//!   of it. *Incarnation*: one unbroken history of a source (for PostgreSQL a timeline).
//! - *device*: what stores copies. *Lane*: one unit of a device's or source disk's concurrency.
//! - *job*: a named backup or archive of the plan. *Run*: one execution of one graph.
//! - *objective*: a promise (RPO, RTO, window, copies) that ends as proved, broken or unknown.
//! - *loss*: what an objective is for: disk, host, site, device, human error, corruption.

#![forbid(unsafe_code)]

// front end: pure
pub mod check;
pub mod diagnostic;
pub mod quantity;
pub mod resolve;
pub mod similar;
pub mod source;
pub mod syntax;
pub mod yaml;

// planner: pure
pub mod estimate;
pub mod facts;
pub mod graph;
pub mod outlook;
pub mod schedule;

// runtime: IO
pub mod catalog;
mod durable;
pub mod engine;
pub mod media;
pub mod run;

// surface
pub mod cli;
pub mod lsp;
pub mod report;
