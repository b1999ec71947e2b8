//! Owns putting a chain of stored parts together into one that stands alone: which file comes from
//! which part, and the pages of one file from several. Knows streams of bytes, no devices.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use super::base::{self, BASE, LENGTHS};
use super::page::PAGE_BYTES;
use super::patch::{HEADER, Patch};
use crate::engine::{EndedBackup, EngineError, Entry, EntryKind, PartSink};

/// Note of a merged part: the ids of the parts it was made of.
pub const MERGED: &str = "merged-from";

/// A part's entries, in its order.
pub type Listing<'a> = [&'a Entry];

/// One entry of the merged part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its name and attributes.
    pub entry: Entry,
    /// Where its content comes from: part and index of the entry there, the newest part first. All
    /// but the last hold pages. Empty for what has no content.
    pub from: Vec<(usize, usize)>,
}

/// Content of a part's files, one after the other.
pub trait Files: Read {
    /// Goes to the next file.
    ///
    /// # Errors
    /// When the one before was damaged.
    fn next_file(&mut self) -> Result<(), EngineError>;
}

/// Which entries the merged part has, in the order of the newest part; `parts` come oldest first.
///
/// # Errors
/// When a part holds pages of a file that the one before does not have.
pub fn plan(parts: &[&Listing<'_>]) -> Result<Vec<Piece>, EngineError> {
    let indices: Vec<BTreeMap<String, (usize, bool)>> =
        parts.iter().map(|entries| index(entries)).collect();
    let newest = parts.last().copied().unwrap_or_default();
    let pieces = newest.iter().map(|entry| {
        let (path, _) = base::meant(&entry.path);
        let from = if entry.kind == EntryKind::File {
            sources(&indices, &path)?
        } else {
            Vec::new()
        };
        Ok(Piece {
            entry: Entry {
                path,
                ..(*entry).clone()
            },
            from,
        })
    });
    pieces.collect()
}

/// Index of each file by the name it is about, and whether pages of it come.
fn index(entries: &Listing<'_>) -> BTreeMap<String, (usize, bool)> {
    let files = entries.iter().enumerate();
    let files = files.filter(|(_, entry)| entry.kind == EntryKind::File);
    files
        .map(|(at, entry)| {
            let (path, has_pages) = base::meant(&entry.path);
            (path, (at, has_pages))
        })
        .collect()
}

fn sources(
    parts: &[BTreeMap<String, (usize, bool)>],
    path: &str,
) -> Result<Vec<(usize, usize)>, EngineError> {
    let mut from = Vec::new();
    for (part, files) in parts.iter().enumerate().rev() {
        let Some((at, has_pages)) = files.get(path) else {
            break;
        };
        from.push((part, *at));
        if !has_pages {
            return Ok(from);
        }
    }
    Err(damaged(
        path,
        "the part that it builds on does not have the file",
    ))
}

/// Hands every entry of the merged part to the sink; `files` are those of the parts, in the order
/// of the pieces.
///
/// # Errors
/// When parts do not fit together, or a part or the sink fails.
pub fn write<F: Files>(
    pieces: &[Piece],
    files: &mut [F],
    sink: &mut dyn PartSink,
) -> Result<(), EngineError> {
    for piece in pieces {
        sink.entry(piece.entry.clone())?;
        match piece.from.as_slice() {
            [] => {}
            [(part, _)] => {
                let path = Path::new(&piece.entry.path);
                sink.read_from(&mut files[*part], u64::MAX, path)?;
                files[*part].next_file()?;
            }
            layers => overlay(piece, layers, files, sink)?,
        }
        sink.close()?;
    }
    Ok(())
}

fn overlay<F: Files>(
    piece: &Piece,
    layers: &[(usize, usize)],
    files: &mut [F],
    sink: &mut dyn PartSink,
) -> Result<(), EngineError> {
    let path = &piece.entry.path;
    let parts: Vec<usize> = layers.iter().map(|(part, _)| *part).collect();
    let mut overlay = Overlay::open(path, &parts, files)?;
    let wanted = u64::from(overlay.length) * PAGE_BYTES as u64;
    let written = sink.read_from(&mut overlay, wanted, Path::new(path))?;
    if written != wanted {
        return Err(damaged(path, "its pages end too early"));
    }
    for part in parts {
        files[part].next_file()?;
    }
    Ok(())
}

/// The pages of one file, each from the newest part that has it.
struct Overlay<'f, F> {
    files: &'f mut [F],
    /// Parts with the blocks that are still to come, the newest first.
    layers: Vec<(usize, std::iter::Peekable<std::vec::IntoIter<u32>>)>,
    /// The part that has all of it, and its blocks.
    whole: usize,
    base: u32,
    block: u32,
    length: u32,
    page: Box<[u8; PAGE_BYTES]>,
    given: usize,
}

impl<'f, F: Files> Overlay<'f, F> {
    fn open(path: &str, parts: &[usize], files: &'f mut [F]) -> Result<Self, EngineError> {
        let (mut layers, mut above) = (Vec::new(), None);
        let mut length = 0;
        let (whole, patched) = parts
            .split_last()
            .map_or((0, parts), |(last, all)| (*last, all));
        for part in patched {
            let patch = header(path, &mut files[*part])?;
            if above.is_some_and(|base| base != patch.length) {
                return Err(damaged(path, "two parts do not agree about its length"));
            }
            length = length.max(patch.length);
            above = Some(patch.base);
            layers.push((*part, patch.blocks.into_iter().peekable()));
        }
        Ok(Self {
            files,
            layers,
            whole,
            base: above.unwrap_or(0),
            block: 0,
            length,
            page: Box::new([0; PAGE_BYTES]),
            given: PAGE_BYTES,
        })
    }

    /// Reads the page of the next block, and those of older parts that it hides.
    fn load(&mut self) -> io::Result<()> {
        let mut found = false;
        let mut hidden = [0; PAGE_BYTES];
        for (part, blocks) in &mut self.layers {
            if blocks.next_if_eq(&self.block).is_some() {
                let into = if found { &mut hidden } else { &mut *self.page };
                self.files[*part].read_exact(into)?;
                found = true;
            }
        }
        if self.block < self.base {
            let into = if found { &mut hidden } else { &mut *self.page };
            self.files[self.whole].read_exact(into)?;
            found = true;
        }
        if !found {
            return Err(io::Error::other(format!(
                "no part has block {}",
                self.block
            )));
        }
        self.block += 1;
        self.given = 0;
        Ok(())
    }
}

impl<F: Files> Read for Overlay<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == PAGE_BYTES {
            if self.block == self.length {
                return Ok(0);
            }
            self.load()?;
        }
        let step = buffer.len().min(PAGE_BYTES - self.given);
        buffer[..step].copy_from_slice(&self.page[self.given..self.given + step]);
        self.given += step;
        Ok(step)
    }
}

/// Reads what stands before the pages.
fn header(path: &str, file: &mut dyn Read) -> Result<Patch, EngineError> {
    let cut = |error: io::Error| damaged(path, &format!("its list of blocks: {error}"));
    let mut begin = vec![0; HEADER];
    file.read_exact(&mut begin).map_err(cut)?;
    let all = Patch::header_bytes(&begin).map_err(|error| error.of(path))?;
    let rest = (all - HEADER) as u64;
    let read = file.take(rest).read_to_end(&mut begin).map_err(cut)?;
    if read as u64 != rest {
        return Err(damaged(path, "its list of blocks is cut off"));
    }
    let length = all as u64 + rest / 4 * PAGE_BYTES as u64;
    let patch = Patch::parse(&begin, length).map_err(|error| error.of(path))?;
    Ok(patch.0)
}

/// What the newest part said of its bracket, for a part that stands alone.
#[must_use]
pub fn ended(newest: &EndedBackup, parts: &[String]) -> EndedBackup {
    let mut ended = newest.clone();
    ended.notes.remove(BASE);
    ended.notes.remove(LENGTHS);
    ended.notes.insert(MERGED.to_owned(), parts.join(" "));
    ended
}

fn damaged(path: &str, detail: &str) -> EngineError {
    EngineError::Damaged {
        what: format!("the chain of {path}"),
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Files in memory.
    struct Memory {
        files: std::vec::IntoIter<Vec<u8>>,
        now: io::Cursor<Vec<u8>>,
    }

    impl Memory {
        fn of(files: Vec<Vec<u8>>) -> Self {
            let mut files = files.into_iter();
            let now = io::Cursor::new(files.next().unwrap_or_default());
            Self { files, now }
        }
    }

    impl Read for Memory {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.now.read(buffer)
        }
    }

    impl Files for Memory {
        fn next_file(&mut self) -> Result<(), EngineError> {
            self.now = io::Cursor::new(self.files.next().unwrap_or_default());
            Ok(())
        }
    }

    #[derive(Default)]
    struct Sink(Vec<(String, Vec<u8>)>);

    impl PartSink for Sink {
        fn entry(&mut self, entry: Entry) -> Result<(), EngineError> {
            self.0.push((entry.path, Vec::new()));
            Ok(())
        }

        fn read_from(
            &mut self,
            source: &mut dyn Read,
            limit: u64,
            _path: &Path,
        ) -> Result<u64, EngineError> {
            let bytes = &mut self.0.last_mut().expect("an entry").1;
            let read = source.take(limit).read_to_end(bytes);
            read.map(|read| read as u64)
                .map_err(EngineError::io("read", "memory"))
        }

        fn hole(&mut self, _length: u64) -> Result<(), EngineError> {
            Ok(())
        }

        fn close(&mut self) -> Result<(), EngineError> {
            Ok(())
        }
    }

    fn entry(path: &str, kind: EntryKind) -> Entry {
        Entry {
            path: path.to_owned(),
            kind,
            mode: 0o600,
            uid: 1,
            gid: 1,
            mtime: (0, 0),
        }
    }

    fn pages(marks: &[u8]) -> Vec<u8> {
        marks.iter().flat_map(|mark| [*mark; PAGE_BYTES]).collect()
    }

    fn patch(base: u32, blocks: &[(u32, u8)], length: u32) -> Vec<u8> {
        let patch = Patch {
            base,
            length,
            blocks: blocks.iter().map(|(block, _)| *block).collect(),
        };
        let marks: Vec<u8> = blocks.iter().map(|(_, mark)| *mark).collect();
        [patch.print().expect("printed"), pages(&marks)].concat()
    }

    #[test]
    fn each_page_comes_from_the_newest_part_that_has_it() {
        let (file, folder) = (EntryKind::File, EntryKind::Directory);
        let [dir, old, gone] = [
            entry("base", folder),
            entry("base/7", file.clone()),
            entry("base/9", file.clone()),
        ];
        let [pages_of, new] = [entry("base/PAGES.7", file.clone()), entry("base/8", file)];
        let full = [&dir, &old, &gone];
        let one = [&dir, &pages_of, &new];
        let two = [&dir, &pages_of, &new];
        let pieces = plan(&[&full, &one, &two]).expect("they fit");
        let from: Vec<_> = pieces.iter().map(|piece| piece.from.clone()).collect();
        assert_eq!(from, [vec![], vec![(2, 1), (1, 1), (0, 1)], vec![(2, 2)]]);
        let mut files = [
            Memory::of(vec![pages(&[1, 1, 1])]),
            Memory::of(vec![patch(3, &[(0, 2), (1, 2), (3, 2)], 4)]),
            Memory::of(vec![patch(4, &[(1, 3)], 4), b"new".to_vec()]),
        ];
        let mut sink = Sink::default();
        write(&pieces, &mut files, &mut sink).expect("written");
        assert_eq!(sink.0[1], ("base/7".to_owned(), pages(&[2, 3, 1, 2])));
        assert_eq!(sink.0[2], ("base/8".to_owned(), b"new".to_vec()));
        assert_eq!(sink.0.len(), 3);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let [old, pages_of] = [
            entry("7", EntryKind::File),
            entry("PAGES.7", EntryKind::File),
        ];
        assert!(plan(&[&[], &[&pages_of]]).is_err(), "no such file");
        let listings: [&Listing<'_>; 2] = [&[&old], &[&pages_of]];
        let pieces = plan(&listings).expect("they fit");
        for (base, patched) in [
            (pages(&[1]), patch(2, &[(0, 2)], 2)),
            (
                pages(&[1, 1]),
                b"PLANCPG1 is no patch, but it is long".to_vec(),
            ),
            (pages(&[1, 1]), patch(2, &[(0, 2)], 2)[..90].to_vec()),
        ] {
            let mut files = [Memory::of(vec![base]), Memory::of(vec![patched])];
            assert!(write(&pieces, &mut files, &mut Sink::default()).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn merging_is_the_same_as_writing_one_over_the_other(
            steps in prop::collection::vec(
                (prop::collection::btree_set(0u32..8, 0..8), 0u32..3), 1..4
            )
        ) {
            let mut live: Vec<u8> = vec![0; 4];
            let mut stored = vec![Memory::of(vec![pages(&live)])];
            for (step, (changed, grown)) in steps.iter().enumerate() {
                let mark = u8::try_from(step + 1).expect("small");
                let base = u32::try_from(live.len()).expect("small");
                let mut blocks: Vec<u32> = changed.iter().copied().filter(|b| *b < base).collect();
                blocks.extend(base..base + grown);
                live.resize(live.len() + *grown as usize, mark);
                for block in &blocks {
                    live[*block as usize] = mark;
                }
                let blocks: Vec<(u32, u8)> = blocks.into_iter().map(|b| (b, mark)).collect();
                stored.push(Memory::of(vec![patch(base, &blocks, base + grown)]));
            }
            let [old, pages_of] = [entry("7", EntryKind::File), entry("PAGES.7", EntryKind::File)];
            let (first, later): ([_; 1], [_; 1]) = ([&old], [&pages_of]);
            let mut listings: Vec<&Listing<'_>> = vec![&first];
            listings.extend(steps.iter().map(|_| &later[..]));
            let pieces = plan(&listings).expect("they fit");
            let mut sink = Sink::default();
            write(&pieces, &mut stored, &mut sink).expect("written");
            prop_assert_eq!(&sink.0[0].1, &pages(&live));
        }
    }
}
