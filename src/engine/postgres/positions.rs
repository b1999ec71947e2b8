//! Owns how new the files of a stopped cluster are: the highest position that a sound page of each
//! folder carries. Reads every page once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::facts;
use super::files::{Found, Selection, cannot};
use super::lostfiles::SEGMENT_BLOCKS;
use super::lsn::Lsn;
use super::page::{self, PAGE_BYTES, PageState};
use crate::engine::EngineError;

/// Pages that are read at a time.
const AT_ONCE: u64 = 128;

/// The newest position of each folder of relations.
///
/// # Errors
/// When the version is unknown or a file cannot be read.
pub(super) fn newest(data: &Path, version_num: u32) -> Result<BTreeMap<String, Lsn>, EngineError> {
    let version = facts::of_server(version_num).map_err(|error| error.of("the part"))?;
    let selection = Selection {
        data: data.to_owned(),
        root: String::new(),
        skip: std::collections::BTreeSet::new(),
        version_folder: format!("PG_{}_{}", version.major, version.catalog_version),
        segment_blocks: SEGMENT_BLOCKS,
    };
    let mut newest = BTreeMap::new();
    for file in selection.list()? {
        let Found::Relation { first_block } = file.found else {
            continue;
        };
        let path = data.join(&file.path);
        let found = of_file(&path, first_block);
        let found = found.map_err(|error| cannot("read", &path, error))?;
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let known = newest.entry(folder.to_owned()).or_insert(Lsn(0));
        *known = (*known).max(found);
    }
    Ok(newest)
}

/// The newest position of a file. A damaged page says nothing.
fn of_file(path: &Path, first_block: u32) -> std::io::Result<Lsn> {
    let mut file = File::open(path)?;
    let (mut newest, mut block) = (Lsn(0), first_block);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let mut part = (&mut file).take(AT_ONCE * PAGE_BYTES as u64);
        if part.read_to_end(&mut bytes)? == 0 {
            return Ok(newest);
        }
        for page in bytes.chunks_exact(PAGE_BYTES) {
            if let Ok(page) = page.try_into()
                && is_told(page::judge(page, block))
            {
                newest = newest.max(page::lsn(page));
            }
            block = block.saturating_add(1);
        }
    }
}

/// Whether a page tells its position: where pages carry no sums, each of them does.
fn is_told(state: PageState) -> bool {
    matches!(
        state,
        PageState::New | PageState::Whole | PageState::Damaged { found: 0, .. }
    )
}
