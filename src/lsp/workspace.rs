//! Owns what the server knows: buffers, the plans below the editor's folders, which files each of
//! them reads, and their compilations. Compiles a plan when somebody asks about it after an edit.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::lsp::documents::Documents;
use crate::lsp::unit::Unit;
use crate::resolve;
use crate::source::FileId;

/// Plans below the folders that are looked at; more than that is not one project.
const PLANS: usize = 5_000;

/// A plan that can be compiled.
#[derive(Debug, Default)]
struct Plan {
    /// Files that it names, its imports' imports included.
    reads: BTreeSet<String>,
    unit: Unit,
    /// True when a text changed after the last compilation.
    stale: bool,
}

/// Everything the server knows.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) documents: Documents,
    plans: BTreeMap<String, Plan>,
}

impl Workspace {
    /// Looks for plans below the folders.
    pub(super) fn scan(&mut self, folders: &[String]) {
        let hidden = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() > 0 && (name.starts_with('.') || name == "target")
        };
        for folder in folders {
            let walk = walkdir::WalkDir::new(folder)
                .sort_by_file_name()
                .into_iter();
            let entries = walk
                .filter_entry(|entry| !hidden(entry))
                .filter_map(Result::ok);
            let paths = entries.map(|entry| entry.path().to_string_lossy().into_owned());
            for path in paths.filter(|path| is_plan(path)).take(PLANS) {
                self.look_at(&path);
            }
        }
    }

    /// A text was opened, changed or closed, or a file changed on disk: plans that read it are
    /// compiled again when they are needed.
    pub(super) fn touched(&mut self, path: &str) {
        if is_plan(path) {
            self.look_at(path);
        }
        let readers: Vec<String> = self.readers(path).cloned().collect();
        for reader in readers {
            self.look_at(&reader);
        }
    }

    /// Learns anew what a plan names.
    fn look_at(&mut self, path: &str) {
        if self.documents.read(path).is_err() {
            self.plans.remove(path);
            return;
        }
        let reads = self.reads(path);
        let plan = self.plans.entry(path.to_owned()).or_default();
        plan.reads = reads;
        plan.stale = true;
    }

    /// The files that a plan names: a look at the beginnings of lines, because all plans of a
    /// folder are looked at before any is compiled.
    fn reads(&mut self, path: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![path.to_owned()];
        while let Some(from) = waiting.pop() {
            let Ok(text) = self.documents.read(&from) else {
                continue;
            };
            for (word, written) in text.lines().filter_map(named_file) {
                let named = resolve::relative(&from, written);
                if found.insert(named.clone()) && word == "import" {
                    waiting.push(named);
                }
            }
        }
        found
    }

    fn readers<'w>(&'w self, path: &'w str) -> impl Iterator<Item = &'w String> {
        let plans = self.plans.iter();
        let reading = plans.filter(move |(_, plan)| plan.reads.contains(path));
        reading.map(|(path, _)| path)
    }

    /// The plans by which a file is judged: those that read it, and the file itself when no plan
    /// does.
    pub(super) fn mains(&self, path: &str) -> Vec<String> {
        let mut mains: Vec<String> = self.readers(path).cloned().collect();
        if mains.is_empty() && self.plans.contains_key(path) {
            mains.push(path.to_owned());
        }
        // a file between two others is seen from the plan that begins it all
        let tops = |main: &String| self.readers(main).next().is_none() || mains.len() == 1;
        let tops: Vec<String> = mains.iter().filter(|main| tops(main)).cloned().collect();
        if tops.is_empty() { mains } else { tops }
    }

    /// The plan at a path, compiled from the texts as they are now.
    pub(super) fn unit(&mut self, main: &str) -> Option<&Unit> {
        let plan = self.plans.get_mut(main)?;
        if plan.stale {
            let before = std::mem::take(&mut plan.unit);
            let now = Timestamp::now();
            plan.unit = Unit::compile(main, before, &mut self.documents, now).unwrap_or_default();
            plan.stale = false;
        }
        Some(&plan.unit)
    }

    /// The plan as it would be with another text of one of its files; nothing is kept of it.
    pub(super) fn try_out(&mut self, main: &str, path: &str, text: &str) -> Option<Unit> {
        let before = self.documents.overlay(path, text);
        let now = Timestamp::now();
        let unit = Unit::compile(main, Unit::default(), &mut self.documents, now);
        self.documents.restore(path, before);
        unit.ok()
    }

    /// The first plan by which a file is judged, with the file's id in it.
    pub(super) fn unit_of(&mut self, path: &str) -> Option<(&Unit, FileId)> {
        let mains = self.mains(path);
        let unit = self.unit(mains.first()?)?;
        Some((unit, unit.sources.find(path)?))
    }

    /// True for a plan whose texts changed, or that is gone.
    pub(super) fn is_stale(&self, main: &str) -> bool {
        self.plans.get(main).is_none_or(|plan| plan.stale)
    }

    /// Paths whose findings may have changed: open files, and what was compiled for them.
    pub(super) fn stale_mains(&self) -> Vec<String> {
        let open = self.documents.paths().flat_map(|path| self.mains(path));
        let mains: BTreeSet<String> = open.collect();
        mains
            .into_iter()
            .filter(|main| self.is_stale(main))
            .collect()
    }
}

pub(super) fn is_plan(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, ending)| ending == "plan")
}

/// The keyword of a line that names a file, and the path as written.
fn named_file(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let word = line.split_whitespace().next()?;
    if !matches!(word, "import" | "environment") {
        return None;
    }
    line.split('"').nth(1).map(|path| (word, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(files: &[(&str, &str)]) -> Workspace {
        let mut workspace = Workspace::default();
        for (path, text) in files {
            workspace.documents.open((*path).to_owned(), text, 1);
        }
        for (path, _) in files {
            workspace.touched(path);
        }
        workspace
    }

    #[test]
    fn a_file_is_judged_by_the_plans_that_read_it() {
        let workspace = workspace(&[
            (
                "/p/a.plan",
                "import \"lib/x.plan\" as x\nenvironment e inventory \"e.yaml\"\n",
            ),
            ("/p/b.plan", "import \"lib/x.plan\" as x\n"),
            ("/p/lib/x.plan", "import \"y.plan\" as y\n"),
            ("/p/lib/y.plan", "site fra\n"),
            ("/p/e.yaml", "inventory: 1\n"),
        ]);
        assert_eq!(workspace.mains("/p/a.plan"), ["/p/a.plan"]);
        assert_eq!(workspace.mains("/p/lib/x.plan"), ["/p/a.plan", "/p/b.plan"]);
        assert_eq!(workspace.mains("/p/lib/y.plan"), ["/p/a.plan", "/p/b.plan"]);
        assert_eq!(workspace.mains("/p/e.yaml"), ["/p/a.plan"]);
        assert!(workspace.mains("/p/other.yaml").is_empty());
    }

    #[test]
    fn an_edit_is_seen_and_what_did_not_change_is_not_read_again() {
        let mut workspace = workspace(&[("/p/a.plan", "planc 1\nplan a\ntimezone UTC\n")]);
        let count = |workspace: &mut Workspace| {
            let unit = workspace.unit("/p/a.plan").expect("known");
            unit.findings.len()
        };
        let before = count(&mut workspace);
        assert!(workspace.stale_mains().is_empty());
        workspace.documents.open(
            "/p/a.plan".into(),
            "planc 1\nplan a\ntimezone Moon/Base\n",
            2,
        );
        workspace.touched("/p/a.plan");
        assert_eq!(workspace.stale_mains(), ["/p/a.plan"]);
        assert_eq!(count(&mut workspace), before + 1);
    }
}
