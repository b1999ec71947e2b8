//! Owns graphs as files (`planc-graph/1`): reading JSON and YAML. Must not open files, and must
//! not judge the graph; `graph::order::check` does that.
//!
//! A file made by hand needs little: `format`, `steps` with `step` (`exec` with `argv`, or
//! `barrier`), and `edges` as `[from, to]` or `{"from": 0, "to": 1, "kind": "always"}`. Ids,
//! lanes, plan, run and moment may be left out.

use std::borrow::Cow;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::GraphError;
use super::ids::{self, StepIds};
use super::step::{
    Edge, Estimate, Intent, Lane, Limit, OnFailure, Step, StepGraph, StepId, StepKind,
};
use crate::yaml;

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON; the quick form for large graphs.
    Json,
    /// YAML.
    Yaml,
}

impl Format {
    /// By the ending of a file's name: JSON unless it is `yaml` or `yml`.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let ending = name.rsplit('.').next().unwrap_or_default();
        if ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml") {
            Self::Yaml
        } else {
            Self::Json
        }
    }
}

/// Reads a graph. `now` stands in for a moment that the file does not say.
///
/// # Errors
/// When the text has not the form of a graph; the message names the place.
pub fn read(text: &str, format: Format, now: Timestamp) -> Result<StepGraph, GraphError> {
    match format {
        Format::Json => read_json(text, now),
        Format::Yaml => {
            let tree: Tree = yaml::from_str(text).map_err(|error| refused(&error))?;
            let json = serde_json::to_string(&tree).map_err(|error| refused(&error))?;
            read_json(&json, now)
        }
    }
}

fn read_json(text: &str, now: Timestamp) -> Result<StepGraph, GraphError> {
    match serde_json::from_str::<Simple<'_>>(text) {
        Ok(simple) => Ok(complete(simple, text, now)),
        // a graph that planc compiled has steps of further kinds
        Err(_) if has_other_kinds(text) => {
            serde_json::from_str(text).map_err(|error| refused(&error))
        }
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &impl std::fmt::Display) -> GraphError {
    GraphError::new(
        format!("the graph cannot be read: {error}"),
        "`planc show graph --format json` prints a graph in the form that is read",
    )
}

/// A graph of programs and joins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Simple<'a> {
    format: String,
    #[serde(default)]
    plan: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    plan_hash: String,
    #[serde(default)]
    run: String,
    intent: Option<Intent>,
    now: Option<Timestamp>,
    #[serde(default)]
    lanes: Vec<Lane>,
    #[serde(borrow)]
    steps: Vec<SimpleStep<'a>>,
    #[serde(default)]
    edges: Vec<Edge>,
    #[serde(default)]
    limits: Vec<Limit>,
}

/// A step while it is read: turned into a [`Step`] one by one, so that memory holds no second list.
#[derive(Deserialize)]
#[serde(try_from = "RawStep<'a>", bound(deserialize = "'de: 'a"))]
struct SimpleStep<'a>(Step, std::marker::PhantomData<&'a ()>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep<'a> {
    id: Option<StepId>,
    #[serde(borrow)]
    step: Cow<'a, str>,
    argv: Option<Vec<String>>,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    lanes: Vec<u32>,
    #[serde(default)]
    estimate: Estimate,
    #[serde(default)]
    why: String,
    #[serde(default)]
    on_failure: OnFailure,
}

impl<'a> TryFrom<RawStep<'a>> for SimpleStep<'a> {
    type Error = String;

    fn try_from(raw: RawStep<'a>) -> Result<Self, String> {
        let kind = match (raw.step.as_ref(), raw.argv) {
            ("exec", Some(argv)) if !argv.is_empty() => StepKind::Exec { argv },
            ("exec", _) => return Err("a step `exec` needs `argv`, at least a program".into()),
            ("barrier", None) => StepKind::Barrier,
            ("barrier", Some(_)) => return Err("a step `barrier` has no `argv`".into()),
            (other, _) => return Err(format!("`{other}` is no kind of step; write `exec`")),
        };
        let mut lanes = raw.lanes;
        lanes.sort_unstable();
        lanes.dedup();
        let step = Step {
            id: raw.id.unwrap_or_default(),
            kind,
            subject: raw.subject,
            lanes,
            estimate: raw.estimate,
            why: raw.why,
            on_failure: raw.on_failure,
        };
        Ok(Self(step, std::marker::PhantomData))
    }
}

/// Fills in what a file may leave out.
fn complete(simple: Simple<'_>, text: &str, now: Timestamp) -> StepGraph {
    let now = simple.now.unwrap_or(now);
    let intent = simple.intent.unwrap_or(Intent::File);
    let plan_hash = if simple.plan_hash.is_empty() {
        blake3::hash(text.as_bytes()).to_hex().to_string()
    } else {
        simple.plan_hash
    };
    let run = if simple.run.is_empty() {
        ids::run_id(&plan_hash, &simple.environment, &intent, now)
    } else {
        simple.run
    };
    let mut steps: Vec<Step> = simple.steps.into_iter().map(|step| step.0).collect();
    let mut given = StepIds::new(&plan_hash, &run);
    for step in steps.iter_mut().filter(|step| step.id == StepId::default()) {
        step.id = given.give(&step.kind, &step.subject);
    }
    let mut edges = simple.edges;
    edges.sort_by_key(|edge| (edge.to, edge.from, edge.kind));
    StepGraph {
        format: simple.format,
        plan: simple.plan,
        environment: simple.environment,
        plan_hash,
        run,
        intent,
        now,
        lanes: simple.lanes,
        steps,
        edges,
        limits: simple.limits,
    }
}

/// Whether a file that could not be read as programs and joins has steps of other known kinds.
fn has_other_kinds(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Kinds {
        steps: Vec<Kind>,
    }
    #[derive(Deserialize)]
    struct Kind {
        step: String,
    }
    let kinds = serde_json::from_str::<Kinds>(text);
    let other = |kind: &Kind| kind.step != "exec" && kind.step != "barrier";
    kinds.is_ok_and(|kinds| kinds.steps.iter().any(other))
}

/// The graph as JSON, one object.
#[must_use]
pub fn to_json(graph: &StepGraph) -> String {
    // plain data of text, numbers and lists always has a JSON form
    let mut text = serde_json::to_string_pretty(graph).unwrap_or_default();
    text.push('\n');
    text
}

/// The graph as YAML, with the same keys and values as the JSON form.
///
/// # Errors
/// When the YAML library refuses a value.
pub fn to_yaml(graph: &StepGraph) -> Result<String, GraphError> {
    let json = serde_json::to_string(graph).map_err(|error| refused(&error))?;
    let tree: Tree = serde_json::from_str(&json).map_err(|error| refused(&error))?;
    yaml::to_string(&tree).map_err(|error| refused(&error))
}

/// Any value, maps in their order. The bridge between JSON and YAML: enums take the same form in
/// both.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Tree {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Map(IndexMap<String, Tree>),
}
