//! Files that the workers read themselves, in any order: they come back as they were, and what
//! cannot be read is told with its name.

use std::io;
use std::path::Path;
use std::sync::Arc;

use planc::engine::piece::PieceSource;
use planc::engine::{EngineError, EntryKind, PartSink};
use planc::media::part::{self, PartWriter};

use super::fixture::{Collect, Contents, always, bytes, ended, entry, header, memory, settings};

const MIB: usize = 1 << 20;

/// A file in memory; nothing can be read from `bad` on.
struct Source {
    bytes: Vec<u8>,
    bad: usize,
}

impl PieceSource for Source {
    fn read(&self, at: u64, piece: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let end = at + piece.len();
        if end > self.bad {
            return Err(io::Error::other("the disk is broken"));
        }
        piece.copy_from_slice(&self.bytes[at..end]);
        Ok(())
    }
}

fn give(sink: &mut dyn PartSink, path: &str, source: Source) -> Result<(), EngineError> {
    let length = source.bytes.len() as u64;
    sink.entry(entry(path, EntryKind::File))?;
    sink.read_pieces(Arc::new(source), length, Path::new(path))?;
    sink.close()
}

#[test]
fn files_that_are_read_in_pieces_come_back_among_others() {
    let devices = memory(&["one", "two"]);
    let mut writer = PartWriter::begin(&devices, settings(3), &always).unwrap();
    let mut wanted = Contents::new();
    for (seed, length) in [0, 1, 8192, MIB - 1, MIB, MIB + 1, 3 * MIB, 40 * MIB + 77]
        .into_iter()
        .enumerate()
    {
        let content = bytes(seed as u64, length, seed % 2 == 0);
        wanted.insert(format!("file-{seed}"), content.clone());
        let bad = usize::MAX;
        let source = Source {
            bytes: content,
            bad,
        };
        give(&mut writer, &format!("file-{seed}"), source).unwrap();
        let small = bytes(7, 100 * seed, true);
        writer
            .entry(entry(&format!("small-{seed}"), EntryKind::File))
            .unwrap();
        let mut reader = small.as_slice();
        writer
            .read_from(&mut reader, u64::MAX, Path::new("small"))
            .unwrap();
        writer.close().unwrap();
        wanted.insert(format!("small-{seed}"), small);
    }
    writer.settle().unwrap();
    let manifest = part::manifest(&mut writer.finish().unwrap(), header("p"), ended());
    for device in &devices {
        part::commit(&manifest, device.as_ref()).unwrap();
        part::verify("p", device.as_ref(), &always).unwrap();
    }
    let mut session = Collect::default();
    part::restore("p", &devices, &mut session, &always).unwrap();
    assert!(session.files == wanted);
}

#[test]
fn what_cannot_be_read_is_told_with_its_name() {
    for bad in [0, 5 * MIB, 29 * MIB + 1] {
        let devices = memory(&["one"]);
        let mut writer = PartWriter::begin(&devices, settings(2), &always).unwrap();
        let source = Source {
            bytes: bytes(3, 30 * MIB, false),
            bad,
        };
        let given = give(&mut writer, "base/1/2", source);
        let told = given.and_then(|()| writer.settle()).unwrap_err();
        assert!(
            matches!(&told, EngineError::Io { action: "read", path, .. } if path == Path::new("base/1/2")),
            "{told}"
        );
    }
}
