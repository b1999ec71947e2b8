//! Owns what stands in a tree that is put together from a copy and the copies of changes over it:
//! which of it the next copy keeps, replaces and removes. Opens nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::seen;
use crate::engine::{EndedBackup, EngineError, Entry, EntryKind};

/// Something that stands in the tree. Links are made at the very end and stand nowhere before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A file of this length.
    File(u64),
    Folder,
    Fifo,
}

/// What is to be removed, in this order: its path, and whether it is a folder.
pub(super) type Removal = Vec<(String, bool)>;

/// The copies that came so far.
#[derive(Debug, Default)]
pub(super) struct Layers {
    standing: BTreeMap<String, Standing>,
    below: Option<Timestamp>,
    /// What the copy names that goes over the ones before; none for the first.
    named: Option<BTreeSet<String>>,
}

impl Layers {
    /// The next copy.
    ///
    /// # Errors
    /// When it does not build on the one before.
    pub(super) fn begin(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        let wanted = seen::base_of(ended)?;
        if let Some(wanted) = wanted
            && self.below != Some(wanted)
        {
            let detail = match self.below {
                Some(below) => format!("the part given before it is of {below}"),
                None => "that part was not given".to_owned(),
            };
            return Err(EngineError::Damaged {
                what: format!("the chain of parts: one builds on the part of {wanted}"),
                detail,
            });
        }
        self.below = Some(ended.taken_at);
        self.named = wanted.map(|_| BTreeSet::new());
        Ok(())
    }

    /// Whether the copy goes over another one.
    pub(super) fn is_over(&self) -> bool {
        self.named.is_some()
    }

    /// An entry comes: whether it stands already, or what must go before it can be made.
    ///
    /// # Errors
    /// When a file goes over one that no copy before has.
    pub(super) fn meet(&mut self, entry: &Entry) -> Result<Met, EngineError> {
        if let Some(named) = &mut self.named {
            named.insert(entry.path.clone());
        }
        match (&entry.kind, self.standing.get(&entry.path)) {
            (EntryKind::Over, Some(Standing::File(_))) => Ok(Met::Stands),
            (EntryKind::Over, _) => Err(EngineError::Damaged {
                what: entry.path.clone(),
                detail: "it goes over a part that does not have it".to_owned(),
            }),
            (EntryKind::Directory, Some(Standing::Folder)) if self.is_over() => Ok(Met::Stands),
            (_, Some(_)) if self.is_over() => Ok(Met::Free(self.take(&entry.path))),
            // a copy that stands alone names nothing twice: what is there refuses
            _ => Ok(Met::Free(Vec::new())),
        }
    }

    /// Something stands now.
    pub(super) fn put(&mut self, path: &str, standing: Standing) {
        self.standing.insert(path.to_owned(), standing);
    }

    /// What stands at a path.
    pub(super) fn at(&self, path: &str) -> Option<Standing> {
        self.standing.get(path).copied()
    }

    /// All entries of the copy came: what it does not name goes.
    pub(super) fn end(&mut self) -> Removal {
        let Some(named) = self.named.take() else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        self.standing.retain(|path, standing| {
            let stays = named.contains(path);
            if !stays {
                gone.push((path.clone(), *standing == Standing::Folder));
            }
            stays
        });
        gone.reverse();
        gone
    }

    /// All files with their lengths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.standing.iter().filter_map(|(path, at)| match at {
            Standing::File(length) => Some((path.as_str(), *length)),
            _ => None,
        })
    }

    /// Takes out what stands at a path and below it, what lies in a folder first.
    fn take(&mut self, path: &str) -> Removal {
        let below = format!("{path}/");
        let inside = self.standing.range(below.clone()..);
        let inside = inside.take_while(|(other, _)| other.starts_with(&below));
        let mut paths: Vec<String> = inside.map(|(other, _)| other.clone()).collect();
        paths.insert(0, path.to_owned());
        let gone = paths.into_iter().rev().filter_map(|path| {
            let standing = self.standing.remove(&path)?;
            Some((path, standing == Standing::Folder))
        });
        gone.collect()
    }
}

/// How an entry meets what stands already.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It is there.
    Stands,
    /// It is to be made, after this was removed.
    Free(Removal),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: EntryKind) -> Entry {
        Entry {
            path: path.to_owned(),
            kind,
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime: (0, 0),
        }
    }

    fn ended(second: i64, base: Option<i64>) -> EndedBackup {
        let at = |second| Timestamp::new(second, 0).expect("a moment");
        EndedBackup {
            taken_at: at(second),
            from: None,
            until: None,
            warnings: Vec::new(),
            notes: seen::Seen::default().print(base.map(at)),
        }
    }

    #[test]
    fn a_copy_of_changes_keeps_replaces_and_removes() {
        let mut layers = Layers::default();
        layers.begin(&ended(1, None)).expect("stands alone");
        for path in ["d", "d/in", "e", "e-f"] {
            layers.put(path, Standing::Folder);
        }
        for path in ["d/in/x", "e/y", "f"] {
            layers.put(path, Standing::File(3));
        }
        assert_eq!(layers.end(), []);
        assert!(layers.begin(&ended(3, Some(2))).is_err(), "one is missing");
        layers.begin(&ended(3, Some(1))).expect("it fits");
        let kept = |path| entry(path, EntryKind::Over);
        assert_eq!(layers.meet(&kept("f")).expect("kept"), Met::Stands);
        assert!(layers.meet(&kept("g")).is_err(), "nobody has it");
        assert!(layers.meet(&kept("e")).is_err(), "a folder is no file");
        let file = layers.meet(&entry("d", EntryKind::File)).expect("met");
        let inner = [("d/in/x", false), ("d/in", true), ("d", true)];
        let inner = inner.map(|(path, folder)| (path.to_owned(), folder));
        assert_eq!(file, Met::Free(inner.to_vec()));
        layers.put("d", Standing::File(1));
        let folder = layers.meet(&entry("e", EntryKind::Directory));
        assert_eq!(folder.expect("met"), Met::Stands);
        let gone = [("e/y", false), ("e-f", true)];
        let gone = gone.map(|(path, folder)| (path.to_owned(), folder));
        assert_eq!(layers.end(), gone);
        assert_eq!(layers.files().collect::<Vec<_>>(), [("d", 1), ("f", 3)]);
    }
}
