//! Owns what the parts of a chain leave standing: each part names every file of its component, so
//! what the part before had and this one does not name was dropped between them. Opens nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::base::{self, Start};
use super::notes::PartNotes;
use super::page::PAGE_BYTES;
use crate::engine::{EndedBackup, EngineError};

/// The components that were restored so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    below: BTreeMap<String, Layer>,
    now: Option<Layer>,
    folder: String,
}

/// One part of a component.
#[derive(Debug, Clone)]
struct Layer {
    start: Start,
    named: BTreeSet<String>,
    /// Blocks of files of which it holds pages.
    lengths: BTreeMap<String, u32>,
    /// It goes over the one before.
    over: bool,
}

impl Layers {
    /// The next part.
    ///
    /// # Errors
    /// When it does not build on the part of its component that came before.
    pub(super) fn begin(
        &mut self,
        notes: &PartNotes,
        ended: &EndedBackup,
    ) -> Result<(), EngineError> {
        let folder = notes.place.folder();
        let wanted = base::start_of_base(ended)?;
        let below = self.below.get(&folder).map(|layer| layer.start);
        match wanted {
            Some(wanted) if below != Some(wanted) => return Err(gap(wanted, below)),
            _ => {}
        }
        self.now = Some(Layer {
            start: Start::of(notes),
            named: BTreeSet::new(),
            lengths: base::lengths(ended)?,
            over: wanted.is_some(),
        });
        self.folder = folder;
        Ok(())
    }

    /// Whether this part goes over another one.
    pub(super) fn is_over(&self) -> bool {
        self.now.as_ref().is_some_and(|layer| layer.over)
    }

    /// An entry of this part: the file that it is about, and its length when pages of it come.
    pub(super) fn name(&mut self, path: &str) -> (String, Option<u64>) {
        let Some(layer) = self.now.as_mut().filter(|layer| layer.over) else {
            if let Some(layer) = &mut self.now {
                layer.named.insert(path.to_owned());
            }
            return (path.to_owned(), None);
        };
        let (meant, has_pages) = base::meant(path);
        layer.named.insert(meant.clone());
        let blocks = layer.lengths.get(&meant).filter(|_| has_pages);
        let length = blocks.map(|blocks| u64::from(*blocks) * PAGE_BYTES as u64);
        (meant, length)
    }

    /// All entries came: what is no longer there, files and folders before those they lie in.
    pub(super) fn end(&mut self) -> Vec<String> {
        let Some(layer) = self.now.take() else {
            return Vec::new();
        };
        let over = layer.over;
        let named = layer.named.clone();
        let before = self.below.insert(self.folder.clone(), layer);
        let Some(before) = before.filter(|_| over) else {
            return Vec::new();
        };
        let gone = before.named.into_iter().rev();
        gone.filter(|path| !named.contains(path)).collect()
    }
}

fn gap(wanted: Start, below: Option<Start>) -> EngineError {
    let wanted = wanted.print();
    let detail = match below {
        Some(below) => format!("the part given before it began at {}", below.print()),
        None => "that part was not given".to_owned(),
    };
    EngineError::Damaged {
        what: format!("the chain of parts: one builds on the part that began at {wanted}"),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::engine::postgres::component::Place;
    use crate::engine::postgres::configuration::Outside;
    use crate::engine::postgres::label::BackupLabel;
    use crate::engine::postgres::notes::Names;

    fn part(lsn: &str, notes: &[(&str, &str)]) -> (PartNotes, EndedBackup) {
        let text = format!(
            "START WAL LOCATION: {lsn} (file 000000010000000000000002)\n\
             CHECKPOINT LOCATION: {lsn}\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n\
             START TIME: x\nLABEL: l\nSTART TIMELINE: 1\n"
        );
        let own = PartNotes {
            label: BackupLabel::parse(&text).expect("a label"),
            label_text: text,
            map_text: String::new(),
            place: Place::Base,
            apart: Vec::new(),
            system_identifier: 7,
            version_num: 150_000,
            names: Names::default(),
            checksums: true,
            group_access: false,
            outside: Outside::default(),
        };
        let mut all = own.print();
        all.extend(
            notes
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned())),
        );
        let ended = EndedBackup {
            taken_at: Timestamp::UNIX_EPOCH,
            from: None,
            until: None,
            warnings: Vec::new(),
            notes: all,
        };
        (own, ended)
    }

    fn give(layers: &mut Layers, of: &(PartNotes, EndedBackup), paths: &[&str]) -> Vec<String> {
        layers.begin(&of.0, &of.1).expect("it fits");
        for path in paths {
            layers.name(path);
        }
        layers.end()
    }

    #[test]
    fn what_a_later_part_does_not_name_is_gone() {
        let mut layers = Layers::default();
        let full = part("0/2000028", &[]);
        let files = [
            "base", "base/5", "base/5/1", "base/5/2", "base/6", "base/6/1",
        ];
        assert_eq!(give(&mut layers, &full, &files), Vec::<String>::new());
        let lengths = r#"{"base/5/1":3}"#;
        let one = [(base::BASE, "00000001 0/2000028"), (base::LENGTHS, lengths)];
        let next = part("0/3000028", &one);
        layers.begin(&next.0, &next.1).expect("it fits");
        assert!(layers.is_over());
        let named = layers.name("base/5/PAGES.1");
        assert_eq!(named, ("base/5/1".to_owned(), Some(3 * 8192)));
        for path in ["base", "base/5"] {
            assert_eq!(layers.name(path), (path.to_owned(), None));
        }
        assert_eq!(layers.end(), ["base/6/1", "base/6", "base/5/2"]);
        // a part in the middle is missing
        let late = part("0/5000028", &[(base::BASE, "00000001 0/4000028")]);
        let error = layers.begin(&late.0, &late.1).expect_err("a gap");
        assert!(error.to_string().contains("00000001 0/4000028"), "{error}");
        let none: BTreeMap<String, u32> = base::lengths(&full.1).expect("none");
        assert!(none.is_empty());
    }
}
