//! Owns what a part says of pages that were damaged at its source: which of them count, how they are
//! written down, and which are still so when a recovery is over.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::Path;

use super::files::cannot;
use super::lostfiles::{LostFile, SEGMENT_BLOCKS};
use super::lsn::Lsn;
use super::notes::PartNotes;
use super::page::{self, PAGE_BYTES, PageState};
use super::read::{self, BadPage};
use crate::engine::backup::SPOILT;
use crate::engine::{EndedBackup, EngineError};
use crate::facts::blocks;
use crate::facts::holdings::Position;

/// Writes down the damaged pages that were found in a bracket, by the path of their file below the
/// data directory. One that was changed inside the bracket is written anew by replay and does not
/// count. `folder` is that of the part.
pub(super) fn write_down(mut bad: Vec<(String, BadPage)>, folder: &str, ended: &mut EndedBackup) {
    let value = |position: &Option<Position>| position.as_ref().map_or(Lsn(0), |at| Lsn(at.value));
    let bracket = value(&ended.from)..=value(&ended.until);
    bad.retain(|(_, page)| !bracket.contains(&page.lsn));
    if bad.is_empty() {
        return;
    }
    bad.sort_by(|(a, one), (b, other)| (a, one.block).cmp(&(b, other.block)));
    let mut files: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (path, page) in bad {
        ended.warnings.push(page.words(&path));
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let inside = inside.trim_start_matches('/').to_owned();
        files.entry(inside).or_default().push(page.block);
    }
    let mut all = ended.spoilt();
    all.extend(
        files
            .into_iter()
            .map(|(file, list)| (file, blocks::print(&list))),
    );
    // a map from text to text always has a text
    let note = serde_json::to_string(&all).unwrap_or_default();
    ended.notes.insert(SPOILT.to_owned(), note);
}

/// The blocks that a part holds damaged, by the path of their file below the data directory.
pub(super) fn of_part(
    notes: &PartNotes,
    ended: &EndedBackup,
) -> BTreeMap<String, Vec<RangeInclusive<u32>>> {
    let files = ended.spoilt().into_iter();
    let files = files.map(|(file, list)| {
        let list = blocks::parse(&list).unwrap_or_default();
        (below_data(notes, &file), list)
    });
    files.collect()
}

fn below_data(notes: &PartNotes, file: &str) -> String {
    match notes.place.folder() {
        folder if folder.is_empty() => file.to_owned(),
        folder => format!("{folder}/{file}"),
    }
}

/// The pages of a recovered cluster that are damaged as its parts hold them: `base/5/16384:7,9-12`.
/// Files that did not come, or are gone, have none.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn left<'p>(
    data: &Path,
    parts: impl Iterator<Item = &'p (PartNotes, EndedBackup)>,
) -> Result<Vec<String>, EngineError> {
    let mut all = Vec::new();
    for (notes, ended) in parts {
        for (file, list) in ended.spoilt() {
            let named = format!("{}:{list}", below_data(notes, &file));
            let lost = LostFile::parse(&named, SEGMENT_BLOCKS);
            let lost = lost.map_err(|error| error.of(SPOILT))?;
            let path = data.join(&lost.path);
            let found = left_in(&path, &lost).map_err(|error| cannot("read", &path, error))?;
            if !found.is_empty() {
                all.push(format!("{}:{}", lost.path, blocks::print(&found)));
            }
        }
    }
    Ok(all)
}

fn left_in(path: &Path, lost: &LostFile) -> std::io::Result<Vec<u32>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let first = lost.first_block(SEGMENT_BLOCKS);
    let mut found = Vec::new();
    for at in lost
        .pages
        .iter()
        .flatten()
        .flat_map(|range| range.clone().step_by(PAGE_BYTES))
    {
        let inside = u32::try_from(at / PAGE_BYTES as u64).unwrap_or(u32::MAX);
        let block = first.saturating_add(inside);
        let mut bytes = [0; PAGE_BYTES];
        read::fetch(&file, &mut bytes, at)?;
        if matches!(page::judge(&bytes, block), PageState::Damaged { .. }) {
            found.push(block);
        }
    }
    Ok(found)
}

/// What people are told of such pages; nothing where there are none.
pub(super) fn told(left: &[String]) -> Option<String> {
    let told = format!(
        "pages are damaged as they were at the source when it was copied, and the log does not \
         write them anew: {}; `planc status` and `planc list` tell which older copy holds them good",
        left.join(" and ")
    );
    (!left.is_empty()).then_some(told)
}

/// Refuses a copy with such pages.
///
/// # Errors
/// [`EngineError::Damaged`].
pub(super) fn refuse(left: &[String]) -> Result<(), EngineError> {
    let what = "the copy that is rehearsed".to_owned();
    told(left).map_or(Ok(()), |detail| Err(EngineError::Damaged { what, detail }))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_the_log_writes_anew_is_not_written_down() {
        let at = |value| {
            let incarnation = "00000001".to_owned();
            Some(Position { incarnation, value })
        };
        let mut ended = EndedBackup {
            taken_at: Timestamp::UNIX_EPOCH,
            from: at(100),
            until: at(200),
            warnings: Vec::new(),
            notes: BTreeMap::new(),
        };
        let page = |path: &str, block, lsn| {
            let page = BadPage {
                block,
                lsn: Lsn(lsn),
                expected: 1,
                found: 2,
            };
            (format!("pg_tblspc/9/{path}"), page)
        };
        let first = vec![page("5/7", 4, 50), page("5/7", 3, 201), page("5/7", 8, 150)];
        write_down(first, "pg_tblspc/9", &mut ended);
        write_down(vec![page("5/8", 1, 0)], "pg_tblspc/9", &mut ended);
        let spoilt: Vec<_> = ended.spoilt().into_iter().collect();
        let own = |file: &str, list: &str| (file.to_owned(), list.to_owned());
        assert_eq!(spoilt, [own("5/7", "3-4"), own("5/8", "1")]);
        assert_eq!(ended.warnings.len(), 3);
        write_down(vec![page("5/9", 1, 100)], "pg_tblspc/9", &mut ended);
        assert_eq!(ended.spoilt().len(), 2);
    }
}
