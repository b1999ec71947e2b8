//! Owns what needs a graph library: order, circles, critical path. The only user of petgraph;
//! its indices never leave this file.

use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::error::{GraphError, Problem};
use super::step::{Edge, FORMAT, StepGraph};

/// How many problems of one sort are told; a broken file of 100 000 steps needs no more.
const MOST: usize = 20;

/// What is known of a graph that is sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Steps by index, so that every edge points forward.
    pub sequence: Vec<u32>,
    /// The chain of steps that takes longest, first to last.
    pub critical_path: Vec<u32>,
    /// Seconds that chain takes; steps without an estimate count nothing.
    pub critical_seconds: f64,
}

/// Checks that a graph can run: known format, edges and lanes that exist, lanes with a depth,
/// ids that occur once, no circle.
///
/// # Errors
/// With every problem found; a circle is named step by step.
pub fn check(graph: &StepGraph) -> Result<Order, GraphError> {
    let mut problems = Vec::new();
    check_form(graph, &mut problems);
    check_edges(graph, &mut problems);
    check_lanes(graph, &mut problems);
    check_ids(graph, &mut problems);
    GraphError::unless_empty(problems)?;
    let nodes = library_graph(graph);
    let Ok(sequence) = toposort(&nodes, None) else {
        return Err(circles(graph, &nodes));
    };
    let sequence: Vec<u32> = sequence.into_iter().map(|node| nodes[node]).collect();
    let (critical_path, critical_seconds) = critical(graph, &sequence);
    Ok(Order {
        sequence,
        critical_path,
        critical_seconds,
    })
}

fn check_form(graph: &StepGraph, problems: &mut Vec<Problem>) {
    if graph.format != FORMAT {
        problems.push(Problem {
            message: format!("the graph has the format `{}`", graph.format),
            help: format!("this planc reads `{FORMAT}`"),
        });
    }
}

fn check_edges(graph: &StepGraph, problems: &mut Vec<Problem>) {
    let count = graph.steps.len();
    let outside = |edge: &&Edge| edge.from as usize >= count || edge.to as usize >= count;
    for edge in graph.edges.iter().filter(outside).take(MOST) {
        problems.push(Problem {
            message: format!(
                "an edge leads from step {} to step {}, but the graph has {count} steps",
                edge.from, edge.to
            ),
            help: "edges name steps by their position in `steps`, counted from 0".into(),
        });
    }
}

fn check_lanes(graph: &StepGraph, problems: &mut Vec<Problem>) {
    let count = graph.lanes.len();
    for lane in graph.lanes.iter().filter(|lane| lane.depth == 0).take(MOST) {
        problems.push(Problem {
            message: format!("lane `{}` has depth 0, so nothing could use it", lane.name),
            help: "give it a depth of at least 1".into(),
        });
    }
    let wrong = graph.steps.iter().enumerate().flat_map(|(step, claims)| {
        let outside = claims.lanes.iter().filter(|lane| **lane as usize >= count);
        outside.map(move |lane| (step, *lane))
    });
    for (step, lane) in wrong.take(MOST) {
        problems.push(Problem {
            message: format!(
                "step {step} ({}) claims lane {lane}, but the graph has {count} lanes",
                name(graph, step)
            ),
            help: "steps name lanes by their position in `lanes`, counted from 0".into(),
        });
    }
}

fn check_ids(graph: &StepGraph, problems: &mut Vec<Problem>) {
    let mut ids: Vec<_> = (graph.steps.iter().enumerate())
        .map(|(index, step)| (step.id, index))
        .collect();
    ids.sort_unstable();
    let twice = ids.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    for pair in twice.take(MOST) {
        problems.push(Problem {
            message: format!(
                "steps {} and {} have the same id {}",
                pair[0].1, pair[1].1, pair[0].0
            ),
            help: "give each step an id of its own, or leave the ids out of the file".into(),
        });
    }
}

/// A step as people know it.
fn name(graph: &StepGraph, step: usize) -> String {
    match graph.steps.get(step) {
        Some(step) if step.subject.is_empty() => step.id.to_string(),
        Some(step) => step.subject.clone(),
        None => step.to_string(),
    }
}

fn library_graph(graph: &StepGraph) -> DiGraph<u32, ()> {
    let mut nodes = DiGraph::with_capacity(graph.steps.len(), graph.edges.len());
    for step in (0u32..).take(graph.steps.len()) {
        nodes.add_node(step);
    }
    for edge in &graph.edges {
        nodes.add_edge(NodeIndex::from(edge.from), NodeIndex::from(edge.to), ());
    }
    nodes
}

/// Every circle, one a group of steps that can all reach each other.
fn circles(graph: &StepGraph, nodes: &DiGraph<u32, ()>) -> GraphError {
    let mut groups: Vec<Vec<u32>> = kosaraju_scc(nodes)
        .into_iter()
        .filter(|group| group.len() > 1 || nodes.contains_edge(group[0], group[0]))
        .map(|group| group.into_iter().map(|node| nodes[node]).collect())
        .collect();
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable();
    let problems = groups.iter().take(MOST).map(|group| {
        let circle = shortest_circle(nodes, group);
        let names: Vec<String> = (circle.iter().chain(circle.first()))
            .map(|step| format!("{step} ({})", name(graph, *step as usize)))
            .collect();
        Problem {
            message: format!(
                "steps wait for each other in a circle: {}",
                names.join(" -> ")
            ),
            help: "remove one of these edges, or one of the `after` clauses behind them".into(),
        }
    });
    GraphError {
        problems: problems.collect(),
    }
}

/// The shortest way from the first step of a group back to itself.
fn shortest_circle(nodes: &DiGraph<u32, ()>, group: &[u32]) -> Vec<u32> {
    let first = group[0];
    let mut came_from: BTreeMap<u32, u32> = BTreeMap::new();
    let mut queue = VecDeque::from([first]);
    while let Some(at) = queue.pop_front() {
        for next in nodes.neighbors(NodeIndex::from(at)).map(|node| nodes[node]) {
            if next == first {
                return way_back(&came_from, first, at);
            }
            if group.binary_search(&next).is_ok() && !came_from.contains_key(&next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    group.to_vec()
}

fn way_back(came_from: &BTreeMap<u32, u32>, first: u32, last: u32) -> Vec<u32> {
    let mut way = vec![last];
    let mut at = last;
    while at != first {
        let Some(before) = came_from.get(&at) else {
            break;
        };
        at = *before;
        way.push(at);
    }
    way.reverse();
    way
}

/// The longest chain by estimates, and its seconds.
fn critical(graph: &StepGraph, sequence: &[u32]) -> (Vec<u32>, f64) {
    let mut ends = vec![0.0f64; graph.steps.len()];
    let mut before: Vec<Option<u32>> = vec![None; graph.steps.len()];
    let mut by_target: Vec<&Edge> = graph.edges.iter().collect();
    by_target.sort_by_key(|edge| edge.to);
    for step in sequence {
        let first = by_target.partition_point(|edge| edge.to < *step);
        let into = by_target[first..]
            .iter()
            .take_while(|edge| edge.to == *step);
        let mut starts = 0.0;
        for edge in into {
            let ended = ends[edge.from as usize];
            let slot = &mut before[*step as usize];
            if slot.is_none() || ended > starts {
                (starts, *slot) = (ended, Some(edge.from));
            }
        }
        let own = graph.steps[*step as usize].estimate.seconds.unwrap_or(0.0);
        ends[*step as usize] = starts + own.max(0.0);
    }
    let last = (sequence.iter()).max_by(|a, b| {
        let (x, y) = (ends[**a as usize], ends[**b as usize]);
        x.total_cmp(&y).then(b.cmp(a))
    });
    let Some(last) = last else {
        return (Vec::new(), 0.0);
    };
    let way = std::iter::successors(Some(*last), |step| before[*step as usize]);
    let mut path: Vec<u32> = way.collect();
    path.reverse();
    (path, ends[*last as usize])
}
