//! Owns what people see while a run goes on: bars on a terminal, plain lines elsewhere.
//! The only user of indicatif; called by the coordinator's thread only.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::graph::step::{Step, StepGraph, StepId, StepKind};
use crate::quantity::{self, Bytes};
use crate::run::Observer;
use crate::run::event::{EventKind, RunEvent};
use crate::schedule::Outcome;

/// Plain lines tell how far the run is this often when nothing else happens.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// Names of steps by id, and what they work on.
struct Names {
    graph: Arc<StepGraph>,
    index: BTreeMap<StepId, usize>,
}

impl Names {
    fn new(graph: Arc<StepGraph>) -> Self {
        let steps = graph.steps.iter().enumerate();
        let index = steps.map(|(index, step)| (step.id, index)).collect();
        Self { graph, index }
    }

    fn step(&self, id: StepId) -> Option<&Step> {
        self.graph.steps.get(*self.index.get(&id)?)
    }

    fn text(&self, id: StepId) -> String {
        self.step(id).map_or_else(|| id.to_string(), describe)
    }

    /// The bar of a step: its first lane.
    fn lane(&self, id: StepId) -> String {
        let lane = self.step(id).and_then(|step| step.lanes.first());
        let lane = lane.and_then(|lane| usize::try_from(*lane).ok());
        let lane = lane.and_then(|lane| self.graph.lanes.get(lane));
        lane.map_or_else(|| "work".to_owned(), |lane| lane.name.clone())
    }
}

/// A step in words: `copy notes/database/main -> disk`.
#[must_use]
pub fn describe(step: &Step) -> String {
    let verb = match &step.kind {
        StepKind::BeginBackup { .. } => "begin backup of",
        StepKind::CopyPart { .. } => "copy",
        StepKind::EndBackup { .. } => "end backup of",
        StepKind::CommitPart { .. } => "commit",
        StepKind::ArchiveLog { .. } => "archive",
        StepKind::MergeStored { .. } => "merge",
        StepKind::CopyStored { .. } => "copy stored",
        StepKind::VerifyStored { .. } => "verify",
        StepKind::Condemn { .. } => "condemn",
        StepKind::DeleteStored { .. } => "delete",
        StepKind::Reprieve { .. } => "keep",
        StepKind::PrepareTarget { .. }
        | StepKind::PrepareInPlace { .. }
        | StepKind::PrepareDelta { .. } => "prepare",
        StepKind::FetchPart { .. } => "fetch",
        StepKind::ReplayLog { .. } => "replay log of",
        StepKind::CheckRestored { .. } => "check",
        StepKind::Examine { .. } => "examine",
        StepKind::Probe { .. } => "probe",
        StepKind::Extract { .. } => "extract from",
        StepKind::Undo { apply: false, .. } => "compare",
        StepKind::Undo { .. } => "undo",
        StepKind::Switch { act, .. } => act.word(),
        StepKind::Publish { .. } => "publish",
        StepKind::Approve { .. } => "approval",
        StepKind::Notify { .. } => "notify",
        StepKind::Exec { .. } => "execute",
        StepKind::Barrier => "join",
    };
    let subject = match (&step.kind, step.subject.is_empty()) {
        (StepKind::Exec { argv }, true) => argv.join(" "),
        _ => step.subject.clone(),
    };
    format!("{verb} {subject}").trim_end().to_owned()
}

/// How many steps ended how, and what was moved.
#[derive(Default)]
struct Totals {
    steps: u64,
    done: u64,
    failed: u64,
    // bytes of ended steps, and of running ones so far
    ended: u64,
    running: BTreeMap<StepId, u64>,
    // bytes that running steps will move, as far as they know
    wanted: BTreeMap<StepId, u64>,
}

impl Totals {
    fn take(&mut self, event: &EventKind, names: &Names) {
        match event {
            EventKind::Progressed { step, bytes, total } => {
                self.running.insert(*step, *bytes);
                self.wanted.extend(total.map(|total| (*step, total)));
            }
            EventKind::StepEnded {
                step,
                outcome,
                bytes,
                ..
            } => {
                self.running.remove(step);
                self.wanted.remove(step);
                // a commit tells the size of what the copy has moved already
                let commits = |step: &Step| matches!(step.kind, StepKind::CommitPart { .. });
                if !names.step(*step).is_some_and(commits) {
                    self.ended += bytes;
                }
                self.done += u64::from(*outcome == Outcome::Done);
                self.failed += u64::from(*outcome == Outcome::Failed);
            }
            _ => {}
        }
    }

    fn bytes(&self) -> u64 {
        self.ended + self.running.values().sum::<u64>()
    }

    /// Bytes moved when what runs now has ended; at least [`Totals::bytes`].
    fn expected(&self) -> u64 {
        (self.ended + self.wanted.values().sum::<u64>()).max(self.bytes())
    }

    fn text(&self) -> String {
        let failed = match self.failed {
            0 => String::new(),
            n => format!(", {n} failed"),
        };
        let moved = Bytes(self.bytes());
        format!("{} of {} steps{failed}, {moved}", self.done, self.steps)
    }
}

/// Bars on a terminal: one a lane, one for all.
pub struct Bars {
    names: Names,
    screen: MultiProgress,
    lanes: BTreeMap<String, ProgressBar>,
    total: ProgressBar,
    totals: Totals,
}

impl Bars {
    /// Bars on standard error. Nothing is drawn when that is no terminal.
    #[must_use]
    pub fn new(graph: Arc<StepGraph>) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let total = screen.add(ProgressBar::new(estimated_bytes(&graph)));
        total.set_style(style(
            "{elapsed:>6} {wide_bar} {bytes_per_sec:>12} left {eta:>4}  {msg}",
        ));
        let totals = Totals {
            steps: graph.steps.len() as u64,
            ..Totals::default()
        };
        Self {
            names: Names::new(graph),
            screen,
            lanes: BTreeMap::new(),
            total,
            totals,
        }
    }

    fn lane(&mut self, id: StepId) -> &ProgressBar {
        let name = self.names.lane(id);
        let (screen, total) = (&self.screen, &self.total);
        self.lanes.entry(name.clone()).or_insert_with(|| {
            let bar = screen.insert_before(total, ProgressBar::new(0));
            bar.set_prefix(name);
            bar.set_style(style(
                "  {prefix:<20} {bar:20} {bytes:>11} {bytes_per_sec:>12}  {msg}",
            ));
            bar
        })
    }

    fn begin(&mut self, id: StepId) {
        let text = self.names.text(id);
        let known = self.names.step(id).and_then(|step| step.estimate.bytes);
        let bar = self.lane(id);
        bar.reset();
        bar.set_length(known.unwrap_or(0));
        bar.set_message(text);
    }

    fn say(&self, line: &str) {
        // a terminal that is gone shows nothing; the run goes on
        let _ = self.screen.println(line);
    }
}

impl Observer for Bars {
    fn event(&mut self, event: &RunEvent) {
        self.totals.take(&event.kind, &self.names);
        match &event.kind {
            EventKind::StepBegan { step, .. } => self.begin(*step),
            EventKind::Progressed { step, bytes, total } => {
                let bar = self.lane(*step);
                bar.set_position(*bytes);
                if let Some(total) = total {
                    bar.set_length(*total);
                }
            }
            EventKind::StepEnded { step, outcome, .. } if *outcome != Outcome::Skipped => {
                self.lane(*step).set_message("");
            }
            EventKind::RunEnded { .. } => {
                for bar in self.lanes.values() {
                    bar.finish_and_clear();
                }
                self.total.finish_and_clear();
            }
            _ => {}
        }
        if let Some(line) = trouble(&self.names, &event.kind) {
            self.say(&line);
        }
        let moved = self.totals.bytes();
        let length = self.total.length().unwrap_or(0).max(self.totals.expected());
        self.total.set_length(length);
        self.total.set_position(moved);
        self.total.set_message(self.totals.text());
    }

    fn tick(&mut self) {
        self.total.tick();
    }
}

fn estimated_bytes(graph: &StepGraph) -> u64 {
    let bytes = graph.steps.iter().filter_map(|step| step.estimate.bytes);
    bytes.sum()
}

fn style(template: &str) -> ProgressStyle {
    let styled = ProgressStyle::with_template(template);
    styled.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Plain lines for anything that is no terminal: when something ends or goes wrong, and every
/// half minute.
pub struct Lines<W: Write> {
    names: Names,
    out: W,
    totals: Totals,
    told: Instant,
}

impl<W: Write> Lines<W> {
    /// Lines that go to `out`.
    pub fn new(graph: Arc<StepGraph>, out: W) -> Self {
        let totals = Totals {
            steps: graph.steps.len() as u64,
            ..Totals::default()
        };
        Self {
            names: Names::new(graph),
            out,
            totals,
            told: Instant::now(),
        }
    }

    fn say(&mut self, line: &str) {
        self.told = Instant::now();
        // a reader that went away must not stop a backup
        let _ = writeln!(self.out, "{line}");
    }

    fn ended(&self, kind: &EventKind) -> Option<String> {
        let EventKind::StepEnded {
            step,
            outcome: Outcome::Done,
            bytes,
            elapsed_ms,
            ..
        } = kind
        else {
            return None;
        };
        let quiet = |step: &Step| matches!(step.kind, StepKind::ArchiveLog { .. });
        if *bytes == 0 && self.names.step(*step).is_some_and(quiet) {
            // a watch asks for new log all the time
            return None;
        }
        let text = self.names.text(*step);
        let moved = match bytes {
            0 => String::new(),
            bytes => format!(", {}", Bytes(*bytes)),
        };
        let elapsed = Duration::from_millis(*elapsed_ms).as_secs_f64();
        Some(format!("done: {text} ({elapsed:.1} s{moved})"))
    }
}

impl<W: Write> Observer for Lines<W> {
    fn event(&mut self, event: &RunEvent) {
        self.totals.take(&event.kind, &self.names);
        let line = trouble(&self.names, &event.kind).or_else(|| self.ended(&event.kind));
        if let Some(line) = line {
            self.say(&line);
        }
    }

    fn tick(&mut self) {
        if self.told.elapsed() >= PLAIN_EVERY {
            let text = self.totals.text();
            self.say(&text);
        }
    }
}

/// The line for something that people should not miss.
fn trouble(names: &Names, kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::StepEnded {
            step,
            outcome: Outcome::Failed,
            cause,
            ..
        } => {
            let cause = cause.as_deref().unwrap_or("no cause known");
            format!("FAILED: {}: {cause}", names.text(*step))
        }
        EventKind::AttemptFailed {
            step,
            attempt,
            cause,
            wait_ms,
        } => {
            let (text, wait) = (names.text(*step), *wait_ms);
            format!("try {attempt} of {text} failed, next in {wait} ms: {cause}")
        }
        EventKind::DeviceLost {
            step,
            device,
            cause,
        } => {
            let text = names.text(*step);
            format!("DEVICE LOST: {device} in {text}: {cause}; the others go on")
        }
        EventKind::DeviceDropped { device, cause } => {
            format!("DEVICE GIVEN UP: {device}: {cause}; the run goes on without it")
        }
        EventKind::DeviceBehind { step, device } => {
            let text = names.text(*step);
            format!("{device} was too slow for {text}; it is finished from a stored copy")
        }
        EventKind::Healed {
            device, object, by, ..
        } => format!("damaged copy: {object} on {device} was replaced by the one on {by}"),
        EventKind::Warned { step, message } => {
            format!("warning: {}: {message}", names.text(*step))
        }
        EventKind::Late {
            job,
            took_ms,
            within_ms,
        } => {
            let what = job.as_deref().unwrap_or("the run");
            let (took, within) = (quantity::Duration(*took_ms), quantity::Duration(*within_ms));
            format!("LATE: {what} took {took}; `finish within {within}` is not kept")
        }
        EventKind::Cancelled { by } => {
            format!("stopping ({by}): what runs is asked to end, backup mode is left first")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(events: Vec<EventKind>) -> String {
        let json = r#"{"format":"planc-graph/1","plan":"t","intent":{"do":"file"},
            "now":"2026-01-01T00:00:00Z","steps":[
            {"id":"0000000000000001","step":"exec","argv":["true"],"subject":"one"},
            {"id":"0000000000000002","step":"barrier"}]}"#;
        let graph: StepGraph = serde_json::from_str(json).expect("graph");
        let mut out = Vec::new();
        let mut lines = Lines::new(Arc::new(graph), &mut out);
        for kind in events {
            let at = jiff::Timestamp::UNIX_EPOCH;
            lines.event(&RunEvent { at, kind });
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn plain_lines_tell_ends_and_trouble() {
        let (step, other) = (StepId(1), StepId(2));
        let ended = |step, outcome, cause: Option<&str>| EventKind::StepEnded {
            step,
            outcome,
            bytes: 2048,
            elapsed_ms: 1500,
            cause: cause.map(str::to_owned),
            result: None,
        };
        let text = lines(vec![
            EventKind::StepBegan { step, attempt: 1 },
            ended(step, Outcome::Done, None),
            ended(other, Outcome::Failed, Some("no space")),
            ended(other, Outcome::Skipped, None),
        ]);
        let expected = "done: execute one (1.5 s, 2 KiB)\nFAILED: join: no space\n";
        assert_eq!(text, expected);
    }
}
