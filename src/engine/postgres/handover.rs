//! Owns handing archived log to a server that replays: pieces lie ready in a folder, the server's
//! `restore_command` takes them, waits for what is still to come, and learns when nothing comes any
//! more. Must not know where the pieces are from.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::FormatError;
use super::files::cannot;
use super::lsn::{Segment, SegmentSize, Timeline};
use super::walfile::SegmentHeader;
use super::write::Writer;
use crate::engine::{EngineError, LogRange};

/// Pieces that lie ready at most while the server has enough to do.
const AHEAD: usize = 4;

/// What the server runs for each file: 0 it is there, 1 it does not come, 255 no answer. A piece
/// moves, so that its bytes are written once; one that was taken lies in the server's own folder.
/// A history may be asked for again.
const SCRIPT: &str = r#"# gives the recovering server a file of its log: sh take NAME TARGET
here=${0%/*}
case $1 in
*.history)
    [ -e "$here/ready/$1" ] || exit 1
    cp "$here/ready/$1" "$2" || exit 255
    exit 0 ;;
esac
[ ! -e "$here/taken/$1" ] || exit 1
printf %s "$1" > "$here/wanted" || exit 255
while [ ! -e "$here/ready/$1" ]; do
    if [ -e "$here/ended" ]; then
        [ -e "$here/ready/$1" ] || exit 1
    else
        [ -e "$here/take" ] || exit 255
        sleep 0.02
    fi
done
: > "$here/taken/$1" && mv "$here/ready/$1" "$2" || exit 255
"#;

/// The segment that a range is, and its size.
///
/// # Errors
/// When the range is no segment.
pub(super) fn segment_of(range: &LogRange) -> Result<(Segment, SegmentSize), EngineError> {
    let wrong = |error: FormatError| error.of("a log segment");
    let (timeline, start) = Timeline::of(&range.from).map_err(wrong)?;
    let length = u32::try_from(range.payload.len()).unwrap_or(0);
    let size = SegmentSize::new(length).map_err(wrong)?;
    Ok((Segment::holding(timeline, start, size), size))
}

/// The bytes of a range as far as it leads. Behind that come zeros, at which a server takes the log
/// to end: it would refuse to replay beyond `wal_level = minimal`, and open nothing.
pub(super) fn leading(range: &LogRange) -> Cow<'_, [u8]> {
    let leads = range.until.value.saturating_sub(range.from.value);
    match usize::try_from(leads) {
        Ok(leads) if leads < range.payload.len() => {
            let mut bytes = range.payload.to_vec();
            bytes[leads..].fill(0);
            Cow::Owned(bytes)
        }
        _ => Cow::Borrowed(&range.payload),
    }
}

/// A range as a whole segment: behind what a tail holds come zeros, at which a server ends.
///
/// # Errors
/// When a tail does not begin as a segment does.
pub(super) fn filled(range: &LogRange) -> Result<Cow<'_, LogRange>, EngineError> {
    if !range.tail {
        return Ok(Cow::Borrowed(range));
    }
    let header = SegmentHeader::parse(&range.payload);
    let header = header.map_err(|error| error.of("the tail of the log"))?;
    let mut payload = range.payload.to_vec();
    // a segment has at most 1 GiB
    let length = usize::try_from(header.segment_size.bytes()).unwrap_or(usize::MAX);
    payload.resize(length, 0);
    Ok(Cow::Owned(LogRange {
        payload: payload.into(),
        ..range.clone()
    }))
}

/// A folder that log is handed over in.
pub(super) struct Handover {
    folder: PathBuf,
    given: BTreeSet<String>,
}

impl Handover {
    /// Makes the folder ready.
    ///
    /// # Errors
    /// When it refuses.
    pub(super) fn new(folder: PathBuf) -> Result<Self, EngineError> {
        for inside in ["ready", "taken"] {
            let inside = folder.join(inside);
            let made = std::fs::create_dir_all(&inside);
            made.map_err(|error| cannot("create", &inside, error))?;
        }
        let script = folder.join("take");
        let written = std::fs::write(&script, SCRIPT);
        written.map_err(|error| cannot("write", &script, error))?;
        let given = BTreeSet::new();
        Ok(Self { folder, given })
    }

    /// Makes the folder the server's.
    ///
    /// # Errors
    /// When the owner cannot be changed.
    pub(super) fn own(&self, writer: &Writer) -> Result<(), EngineError> {
        let mut names = ["", "ready", "taken", "take"].into_iter();
        names.try_for_each(|name| writer.own(&self.folder.join(name)))
    }

    /// The `restore_command`.
    pub(super) fn command(&self) -> String {
        let script = self.folder.join("take").display().to_string();
        let quoted = script.replace('\'', r"'\''").replace('%', "%%");
        format!("sh '{quoted}' '%f' '%p'")
    }

    /// Gives a file.
    ///
    /// # Errors
    /// When the folder refuses.
    pub(super) fn give(
        &mut self,
        name: &str,
        bytes: &[u8],
        writer: &Writer,
    ) -> Result<(), EngineError> {
        // under another name first: the server may be waiting for this one
        let (new, ready) = (
            self.folder.join("new"),
            self.folder.join("ready").join(name),
        );
        let written = std::fs::write(&new, bytes);
        written.map_err(|error| cannot("write", &new, error))?;
        writer.own(&new)?;
        let moved = std::fs::rename(&new, &ready);
        moved.map_err(|error| cannot("create", &ready, error))?;
        self.given.insert(name.to_owned());
        Ok(())
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// When the folder refuses.
    pub(super) fn end(&self) -> Result<(), EngineError> {
        let ended = self.folder.join("ended");
        std::fs::write(&ended, "").map_err(|error| cannot("write", &ended, error))
    }

    /// Whether the server has enough to do: pieces lie ready, and it waits for none that was not
    /// given.
    ///
    /// # Errors
    /// When the folder refuses.
    pub(super) fn is_full(&self) -> Result<bool, EngineError> {
        let wanted = self.folder.join("wanted");
        match std::fs::read_to_string(&wanted) {
            Ok(name) if !self.given.contains(&name) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot("read", &wanted, error)),
        }
        let ready = self.folder.join("ready");
        let entries = std::fs::read_dir(&ready).map_err(|error| cannot("list", &ready, error))?;
        let is_piece = |name: &OsStr| Path::new(name).extension().is_none();
        let pieces = entries
            .flatten()
            .filter(|entry| is_piece(&entry.file_name()));
        Ok(pieces.take(AHEAD).count() == AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    struct Rig {
        folder: tempfile::TempDir,
        log: Handover,
    }

    impl Rig {
        fn new() -> Self {
            let folder = tempfile::Builder::new().prefix("it's 5% ").tempdir();
            let folder = folder.expect("folder");
            let log = Handover::new(folder.path().join("log")).expect("handover");
            Self { folder, log }
        }

        fn give(&mut self, name: &str) {
            let given = self.log.give(name, name.as_bytes(), &Writer::new());
            given.expect("given");
        }

        /// As the server asks: its words are put into the command.
        fn ask(&self, name: &str) -> Child {
            let command = self.log.command().replace("%f", name).replace("%p", "got");
            let command = command.replace("%%", "%");
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(command).current_dir(self.folder.path());
            shell.spawn().expect("shell")
        }

        fn answer(&self, name: &str) -> Option<i32> {
            self.ask(name).wait().expect("ended").code()
        }

        fn got(&self) -> String {
            std::fs::read_to_string(self.folder.path().join("got")).expect("got")
        }
    }

    #[test]
    fn a_piece_is_taken_once_and_a_history_often() {
        let mut rig = Rig::new();
        rig.give("0001");
        rig.give("00000002.history");
        assert_eq!(rig.answer("0001"), Some(0));
        assert_eq!(rig.got(), "0001");
        assert_eq!(
            rig.answer("0001"),
            Some(1),
            "it lies in the server's own folder"
        );
        for _ in 0..2 {
            assert_eq!(rig.answer("00000002.history"), Some(0));
            assert_eq!(rig.got(), "00000002.history");
        }
        assert_eq!(rig.answer("00000003.history"), Some(1));
    }

    #[test]
    fn the_server_waits_for_what_comes_and_learns_of_the_end() {
        let mut rig = Rig::new();
        let mut waits = rig.ask("0005");
        while !rig.folder.path().join("log/wanted").exists() {
            std::thread::yield_now();
        }
        for name in ["0001", "0002", "0003", "0004"] {
            assert!(!rig.log.is_full().expect("listed"), "it waits for 0005");
            rig.give(name);
        }
        rig.give("0005");
        assert_eq!(waits.wait().expect("ended").code(), Some(0));
        assert!(rig.log.is_full().expect("listed"));
        assert_eq!(rig.answer("0002"), Some(0));
        assert!(!rig.log.is_full().expect("listed"));
        let mut waits = rig.ask("0006");
        rig.log.end().expect("ended");
        assert_eq!(waits.wait().expect("ended").code(), Some(1));
        assert_eq!(
            rig.answer("0003"),
            Some(0),
            "what was given is there behind the end"
        );
    }

    #[test]
    fn what_cannot_be_put_in_place_is_no_end_of_the_log() {
        let mut rig = Rig::new();
        rig.give("0001");
        rig.give("00000002.history");
        std::fs::create_dir_all(rig.folder.path().join("got/0001/x")).expect("in the way");
        std::fs::create_dir_all(rig.folder.path().join("got/00000002.history/x")).expect("too");
        assert_eq!(rig.answer("0001"), Some(255));
        assert_eq!(rig.answer("00000002.history"), Some(255));
    }

    #[test]
    fn who_waits_for_a_folder_that_is_gone_gives_up() {
        let rig = Rig::new();
        let mut waits = rig.ask("0001");
        let log = rig.folder.path().join("log");
        while !log.join("wanted").exists() {
            std::thread::yield_now();
        }
        std::fs::remove_dir_all(log).expect("removed");
        assert_eq!(waits.wait().expect("ended").code(), Some(255));
    }
}
