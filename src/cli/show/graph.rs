//! `planc show`: what is shown, and the graph of an intent, or of a file, in every form. Changes
//! nothing.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiff::Timestamp;

use crate::cli::args::{NowArgs, PlanArgs};
use crate::cli::catalog_file::{catalog_path, open_catalog};
use crate::cli::exit::{CliError, Exit};
use crate::cli::load;
use crate::cli::restore;
use crate::cli::site::{self, catalog_error, graph_error};
use crate::estimate;
use crate::facts::holdings::Holdings;
use crate::graph::render::{dot, mermaid, svg, text};
use crate::graph::step::{Intent, RestoreIntent, StepGraph};
use crate::graph::{self, file, order};

/// Seconds that a step of unknown length takes in a drawing.
const UNKNOWN_SECONDS: f64 = 1.0;

/// Arguments of `planc show graph`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Jobs, due or not; without any, what is due.
    jobs: Vec<String>,
    /// The restore of this service instead.
    #[arg(long, value_name = "SERVICE", requires = "to", conflicts_with = "jobs")]
    restore: Option<String>,
    /// Where the service would be restored.
    #[arg(long, value_name = "PATH", requires = "restore")]
    to: Option<PathBuf>,
    /// Which state would be restored, as for `planc restore`.
    #[arg(long, default_value = "latest", value_name = "STATE")]
    at: String,
    /// Reading back all copies instead.
    #[arg(long, conflicts_with_all = ["jobs", "restore"])]
    verify: bool,
    /// A graph file instead; no plan is read.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jobs", "restore", "verify"])]
    graph: Option<PathBuf>,
    /// The form.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    now: NowArgs,
}

/// Forms of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One line a step.
    Text,
    /// `planc-graph/1` as YAML.
    Yaml,
    /// `planc-graph/1` as JSON.
    Json,
    /// For graphviz.
    Dot,
    /// For pages that draw Mermaid.
    Mermaid,
    /// A drawing: time from left to right, one band a lane.
    Svg,
}

/// Shows what is asked for.
pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let graph = match &args.graph {
        Some(path) => read(path, args.now.now())?,
        None => compile(args)?,
    };
    let shown = render(&graph, args.format)?;
    std::io::stdout().lock().write_all(shown.as_bytes())?;
    Ok(Exit::Ok)
}

/// Reads a graph file and checks it.
fn read(path: &Path, now: Timestamp) -> Result<StepGraph, CliError> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::refused(format!("cannot read the graph {name}: {error}"))
            .help("name a file that `planc show graph --format json` or `yaml` wrote")
    })?;
    let format = file::Format::of_name(&path.to_string_lossy());
    let graph = file::read(&text, format, now).and_then(|graph| {
        order::check(&graph)?;
        Ok(graph)
    });
    graph.map_err(|error| {
        let refusal = graph_error(&error);
        CliError {
            message: format!("{name}: {}", refusal.message),
            ..refusal
        }
    })
}

fn compile(args: &Args) -> Result<StepGraph, CliError> {
    let loaded = load::loaded(&args.plan, args.now)?;
    let places = site::places(&loaded)?;
    // looking must not make a catalog
    let holdings = if catalog_path(&places).exists() {
        let catalog = open_catalog(loaded.plan.plan(), &places, false)?;
        catalog.holdings().map_err(catalog_error)?
    } else {
        Holdings::default()
    };
    let plan = loaded.plan.plan();
    let known = loaded.plan.known().clone().with_runs(plan, &holdings);
    let intent = intent(args, &holdings)?;
    let now = args.now.now();
    graph::build(&loaded.plan, &holdings, &known, &intent, now).map_err(|error| graph_error(&error))
}

fn intent(args: &Args, holdings: &Holdings) -> Result<Intent, CliError> {
    if args.verify {
        return Ok(Intent::Verify { device: None });
    }
    if let (Some(service), Some(to)) = (&args.restore, &args.to) {
        return Ok(Intent::Restore(RestoreIntent {
            service: service.clone(),
            to: restore::absolute(to)?,
            until: restore::target(holdings, service, &args.at)?,
            from: None,
            relocate: std::collections::BTreeMap::new(),
            only: Vec::new(),
            incarnation: None,
            delta: false,
        }));
    }
    Ok(match args.jobs.as_slice() {
        [] => Intent::Due,
        names => Intent::Jobs {
            names: names.to_vec(),
        },
    })
}

fn render(graph: &StepGraph, form: Form) -> Result<String, CliError> {
    Ok(match form {
        Form::Text => text::text(graph),
        Form::Yaml => file::to_yaml(graph).map_err(|error| graph_error(&error))?,
        Form::Json => file::to_json(graph),
        Form::Dot => dot::dot(graph),
        Form::Mermaid => mermaid::mermaid(graph),
        Form::Svg => {
            let played = estimate::simulate(graph, UNKNOWN_SECONDS);
            svg::svg(graph, &played.bars)
        }
    })
}
