//! Owns what is known of pages that were damaged at their source when a part was copied: the copy
//! is intact and holds them as they were. Pure.

use serde::{Deserialize, Serialize};

use super::blocks;
use super::holdings::{Holdings, PartHolding};

/// Damaged pages of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoiltFile {
    /// The part that holds them so.
    pub part: String,
    /// Path below the folder of the part.
    pub file: String,
    /// Its blocks, counted in the relation: `7,9-12`.
    pub blocks: String,
}

impl SpoiltFile {
    /// Whether a file that is named with or without blocks has one of these pages.
    fn is_in(&self, named: &str) -> bool {
        match named.split_once(':') {
            Some((file, blocks)) => file == self.file && blocks::meet(blocks, &self.blocks),
            None => named == self.file,
        }
    }

    fn named(&self) -> String {
        format!("{}:{}", self.file, self.blocks)
    }

    /// As a recovery takes it, `base/5/16384:7,9-12`, when it is of this component.
    fn words(&self, component: &str) -> String {
        let mut key = component.splitn(3, '/').skip(1);
        match (key.next(), key.next()) {
            (Some("base"), _) | (_, None) => self.named(),
            (_, Some(name)) => format!("{name}/{}", self.named()),
        }
    }
}

/// What the pages of a part that were damaged at the source are, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spoilt {
    /// How many they are.
    pub pages: u64,
    /// Files and blocks as a recovery takes them, with `+` between.
    pub files: String,
    /// The newest older part that holds all of these pages good, and when it was taken.
    pub good_in: Option<(String, jiff::Timestamp)>,
}

impl Holdings {
    /// Whether a part holds one of these files or pages as it was damaged at the source.
    #[must_use]
    pub fn is_spoilt(&self, part: &str, named: &[String]) -> bool {
        let mut own = self.spoilt.iter().filter(|file| file.part == part);
        own.any(|file| named.iter().any(|named| file.is_in(named)))
    }

    /// The pages of a part that were damaged at the source; none when there are none.
    #[must_use]
    pub fn spoilt_in(&self, part: &PartHolding) -> Option<Spoilt> {
        let own = self.spoilt.iter().filter(|file| file.part == part.part);
        let own: Vec<&SpoiltFile> = own.collect();
        if own.is_empty() {
            return None;
        }
        let named: Vec<String> = own.iter().map(|file| file.named()).collect();
        let words = own.iter().map(|file| file.words(&part.component));
        let is_good = |older: &&PartHolding| {
            older.component == part.component
                && older.identity == part.identity
                && older.taken_at < part.taken_at
                && older.method == super::holdings::Method::PhysicalFull
                && !older.devices.is_empty()
                && !self.is_spoilt(&older.part, &named)
        };
        let good = self.parts.iter().filter(is_good);
        let good = good.max_by_key(|older| older.taken_at);
        Some(Spoilt {
            pages: own.iter().map(|file| blocks::count(&file.blocks)).sum(),
            files: words.collect::<Vec<_>>().join("+"),
            good_in: good.map(|older| (older.part.clone(), older.taken_at)),
        })
    }
}

impl Spoilt {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let pages = match self.pages {
            1 => "1 page that was".to_owned(),
            pages => format!("{pages} pages that were"),
        };
        format!("{pages} damaged at the source: {}", self.files)
    }

    /// What is to be done while the source still is as the part shows it. `mending` is how a
    /// recovery that puts files back is called, up to their names.
    #[must_use]
    pub fn next_action(&self, mending: &str) -> String {
        match &self.good_in {
            Some((part, at)) => format!(
                "the copy of {at:.0} (part {part}) holds them good: stop the server and put them \
                 back with {mending}{}",
                self.files
            ),
            None => "no older copy that is stored holds them good: make an index anew with \
                     `reindex`, take of a table what can still be read, then take a full copy"
                .to_owned(),
        }
    }
}
