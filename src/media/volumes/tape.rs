//! Owns tape drives of Linux (`st`) with a robot: blocks are read and written through the device
//! file that does not rewind, positions are moved by the program `mt`. A drive has one user at a
//! time, so the device file is closed while `mt` works. Must not know what lies on tapes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::changer::{Changer, Element, ElementKind, ask};
use super::drive::{Library, Medium, MediumError};

/// Longest block that is read; none that planc writes is longer.
const LONGEST: usize = 1 << 20;

/// "No space left on device": the end of the tape is near, or reached.
const NO_SPACE: io::ErrorKind = io::ErrorKind::StorageFull;

/// The programs that move tapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapePrograms {
    /// Moves within a tape.
    pub mt: PathBuf,
    /// Carries tapes.
    pub mtx: PathBuf,
}

impl Default for TapePrograms {
    fn default() -> Self {
        Self {
            mt: "mt".into(),
            mtx: "mtx".into(),
        }
    }
}

/// Tape drives that a robot loads.
pub struct TapeLibrary {
    drives: Vec<PathBuf>,
    changer: Changer,
    programs: TapePrograms,
    /// Drives that are in use in this process.
    used: Arc<Mutex<Vec<bool>>>,
}

impl TapeLibrary {
    /// The drives in the order of the robot's numbers, and the robot.
    #[must_use]
    pub fn new(drives: Vec<PathBuf>, changer: &Path, programs: TapePrograms) -> Self {
        let used = Arc::new(Mutex::new(vec![false; drives.len()]));
        Self {
            changer: Changer::new(changer, &programs.mtx),
            drives,
            programs,
            used,
        }
    }

    /// Takes the drive that holds a volume, or a free one and has the robot load it.
    fn drive_with(&self, volume: &str) -> Result<usize, MediumError> {
        let elements = self.changer.elements()?;
        let place = find(&elements, volume)?;
        let mut used = lock(&self.used);
        let free = |at: usize| used.get(at) == Some(&false);
        if place.kind == ElementKind::Drive {
            let at = index(place.number);
            if !free(at) {
                return Err(busy());
            }
            used[at] = true;
            return Ok(at);
        }
        // an empty drive first
        let drives = elements.iter().filter(|one| one.kind == ElementKind::Drive);
        let mut drives: Vec<&Element> = drives.filter(|one| free(index(one.number))).collect();
        drives.sort_by_key(|one| one.full);
        let drive = *drives.first().ok_or_else(busy)?;
        if drive.full {
            self.empty(drive, &elements)?;
        }
        self.changer.load(place.number, drive.number)?;
        used[index(drive.number)] = true;
        Ok(index(drive.number))
    }

    /// Carries the tape of a drive back to its slot, or to any that is empty.
    fn empty(&self, drive: &Element, elements: &[Element]) -> Result<u32, MediumError> {
        let device = self.drives.get(index(drive.number));
        if let Some(device) = device {
            // a robot cannot take what the drive has not let go of
            let mut command = Command::new(&self.programs.mt);
            command.arg("-f").arg(device).arg("offline");
            ask(command).map_err(MediumError::Library)?;
        }
        let is_empty = |one: &&Element| one.kind == ElementKind::Slot && !one.full;
        let home = elements
            .iter()
            .filter(is_empty)
            .find(|one| Some(one.number) == drive.home);
        let slot = home.or_else(|| elements.iter().find(is_empty));
        let slot = slot.ok_or_else(|| failed("no slot is empty"))?.number;
        self.changer.unload(slot, drive.number)?;
        Ok(slot)
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn failed(cause: &str) -> MediumError {
    MediumError::Library(io::Error::other(cause.to_owned()))
}

fn busy() -> MediumError {
    failed("no drive is free")
}

fn lock(used: &Mutex<Vec<bool>>) -> MutexGuard<'_, Vec<bool>> {
    used.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of a volume; one in a mail slot was not taken in yet.
fn find<'a>(elements: &'a [Element], volume: &str) -> Result<&'a Element, MediumError> {
    let mut inside = elements.iter().filter(|one| one.kind != ElementKind::Mail);
    let found = inside.find(|one| one.volume.as_deref() == Some(volume));
    found.ok_or_else(|| MediumError::Absent(volume.to_owned()))
}

impl Library for TapeLibrary {
    fn volumes(&self) -> Result<Vec<String>, MediumError> {
        let elements = self.changer.elements()?.into_iter();
        let inside = elements.filter(|one| one.kind != ElementKind::Mail);
        let mut names: Vec<String> = inside.filter_map(|one| one.volume).collect();
        // tapes that clean drives hold no data
        names.retain(|name| !name.starts_with("CLN"));
        names.sort();
        Ok(names)
    }

    fn load(&self, volume: &str) -> Result<Box<dyn Medium>, MediumError> {
        let at = self.drive_with(volume)?;
        let mut medium = TapeMedium {
            device: self.drives[at].clone(),
            mt: self.programs.mt.clone(),
            file: None,
            number: None,
            used: Arc::clone(&self.used),
            at,
        };
        // blocks of any length, as they are written
        medium.mt(&["setblk", "0"]).map_err(MediumError::Library)?;
        medium.mt(&["rewind"]).map_err(MediumError::Library)?;
        medium.number = Some(0);
        Ok(Box::new(medium))
    }

    fn hand_out(&self, volume: &str) -> Result<(), MediumError> {
        let elements = self.changer.elements()?;
        let place = find(&elements, volume)?;
        let mail = |one: &&Element| one.kind == ElementKind::Mail && !one.full;
        let mail = elements.iter().find(mail);
        let mail = mail.ok_or_else(|| failed("no import/export slot is empty"))?;
        let slot = match place.kind {
            ElementKind::Drive => self.empty(place, &elements)?,
            _ => place.number,
        };
        self.changer.transfer(slot, mail.number)
    }

    fn take_in(&self, volume: &str) -> Result<(), MediumError> {
        let elements = self.changer.elements()?;
        if find(&elements, volume).is_ok() {
            return Ok(());
        }
        let named = |one: &&Element| one.volume.as_deref() == Some(volume);
        let mail = elements.iter().find(named);
        let mail = mail.ok_or_else(|| MediumError::Absent(volume.to_owned()))?;
        let slot = |one: &&Element| one.kind == ElementKind::Slot && !one.full;
        let slot = elements.iter().find(slot);
        let slot = slot.ok_or_else(|| failed("no slot is empty"))?;
        self.changer.transfer(mail.number, slot.number)
    }
}

/// A tape in a drive.
struct TapeMedium {
    device: PathBuf,
    mt: PathBuf,
    /// Open while blocks go through it.
    file: Option<File>,
    /// The file whose begin the tape stands at; none when it is within one.
    number: Option<u64>,
    used: Arc<Mutex<Vec<bool>>>,
    at: usize,
}

impl Drop for TapeMedium {
    fn drop(&mut self) {
        self.file = None;
        if let Some(used) = lock(&self.used).get_mut(self.at) {
            *used = false;
        }
    }
}

impl TapeMedium {
    fn mt(&mut self, words: &[&str]) -> io::Result<String> {
        self.file = None;
        let mut command = Command::new(&self.mt);
        command.arg("-f").arg(&self.device).args(words);
        ask(command)
    }

    /// File and block at which the tape stands, as the drive says.
    fn position(&mut self) -> io::Result<(u64, u64)> {
        let text = self.mt(&["status"])?;
        let unknown = || io::Error::other("the drive does not know where its tape stands");
        position(&text).ok_or_else(unknown)
    }

    /// File and block at which what was written ends. Some drives do not tell how far they went:
    /// then the marks are counted.
    fn written(&mut self) -> io::Result<(u64, u64)> {
        self.mt(&["eod"])?;
        let text = self.mt(&["status"])?;
        match position(&text) {
            Some(at) => Ok(at),
            None => self.count(),
        }
    }

    /// As [`TapeMedium::written`], mark by mark; the tape stands at the begin of that file then.
    fn count(&mut self) -> io::Result<(u64, u64)> {
        self.mt(&["rewind"])?;
        let mut file = 0_u64;
        loop {
            let block = self.any_block()?;
            if block && self.mt(&["fsf", "1"]).is_ok() {
                file += 1;
                continue;
            }
            // an error is no end: what follows is read
            while self.any_block()? {}
            let ends = self.at_end();
            file += u64::from(!ends);
            self.mt(&["asf", &file.to_string()])?;
            if ends {
                return Ok((file, u64::from(block)));
            }
        }
    }

    /// Whether a block follows. With the end of a tape no block comes, whatever the drive gives.
    fn any_block(&mut self) -> io::Result<bool> {
        let mut block = vec![0; LONGEST];
        match self.open()?.read(&mut block) {
            Ok(length) => Ok(length > 0 && !self.at_end()),
            Err(_) if self.at_end() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the drive says that nothing was written beyond, or that the tape ends.
    fn at_end(&mut self) -> bool {
        let text = self.mt(&["status"]);
        let ends = |word: &str| ["EOD", "EOT"].contains(&word);
        text.is_ok_and(|text| text.split_whitespace().any(ends))
    }

    fn open(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .read(true)
                .write(true)
                .open(&self.device)?,
        };
        Ok(self.file.insert(file))
    }

    /// Writes a block; once more when the drive warns that the end is near, which it does by
    /// refusing one block. True when it warned.
    fn write(&mut self, block: &[u8]) -> Result<bool, MediumError> {
        for warned in [false, true] {
            let file = self.open().map_err(MediumError::Write)?;
            match file.write(block) {
                Ok(length) if length == block.len() => return Ok(warned),
                Ok(_) => {
                    let cause = io::Error::other("a block was written in part");
                    return Err(MediumError::Write(cause));
                }
                Err(error) if error.kind() == NO_SPACE => {}
                Err(error) => return Err(MediumError::Write(error)),
            }
        }
        Err(MediumError::Full)
    }
}

/// Reads `File number=3, block number=0` and its like.
fn position(text: &str) -> Option<(u64, u64)> {
    let text = text.to_lowercase();
    let after = |word: &str| {
        let (_, rest) = text.split_once(word)?;
        let rest = rest.trim_start_matches([' ', '=']);
        let digits = rest.split(|one: char| !one.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    Some((after("file number")?, after("block number")?))
}

impl Medium for TapeMedium {
    fn is_blank(&mut self) -> Result<bool, MediumError> {
        self.mt(&["rewind"]).map_err(MediumError::Read)?;
        let (file, block) = self.written().map_err(MediumError::Read)?;
        self.number = Some(file).filter(|_| block == 0);
        Ok((file, block) == (0, 0))
    }

    fn end(&mut self) -> Result<u64, MediumError> {
        let (file, block) = self.written().map_err(MediumError::Read)?;
        self.number = Some(file);
        if block > 0 {
            // blocks behind the last mark: the next file is written over them
            self.number = None;
            self.locate(file)?;
        }
        Ok(file)
    }

    fn append(&mut self, block: &[u8]) -> Result<bool, MediumError> {
        self.write(block)
    }

    fn mark(&mut self) -> Result<(), MediumError> {
        let before = self.number.take();
        // closing after a write makes the drive write its buffer and a mark; what became of them
        // the position tells
        let (file, block) = self.position().map_err(MediumError::Write)?;
        let moved = before.is_none_or(|before| file == before + 1);
        if !moved || block != 0 {
            let cause = format!("the mark is not there: the tape stands at {file}, {block}");
            return Err(MediumError::Write(io::Error::other(cause)));
        }
        self.number = Some(file);
        Ok(())
    }

    fn locate(&mut self, file: u64) -> Result<(), MediumError> {
        if self.number == Some(file) {
            self.file = None;
            return Ok(());
        }
        let moved = match self.position() {
            Ok((here, _)) if here < file => self.mt(&["fsf", &(file - here).to_string()]),
            _ => self.mt(&["asf", &file.to_string()]),
        };
        self.number = None;
        moved.map_err(MediumError::Read)?;
        let stands = self.position().map_err(MediumError::Read)?;
        if stands != (file, 0) {
            return Err(MediumError::EndOfData);
        }
        self.number = Some(file);
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, MediumError> {
        let file = self.open().map_err(MediumError::Read)?;
        let mut block = vec![0; LONGEST];
        let length = file.read(&mut block).map_err(MediumError::Read)?;
        self.number = None;
        if length == 0 {
            return Ok(None);
        }
        block.truncate(length);
        Ok(Some(block))
    }

    fn skip(&mut self, blocks: u64) -> Result<(), MediumError> {
        let moved = self.mt(&["fsr", &blocks.to_string()]);
        moved.map(drop).map_err(MediumError::Read)
    }

    fn erase(&mut self) -> Result<(), MediumError> {
        // what is written at the begin of a tape ends it
        self.mt(&["rewind"]).map_err(MediumError::Write)?;
        self.number = Some(0);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn positions_are_read_from_what_either_program_prints() {
        let one = "SCSI 2 tape drive:\nFile number=3, block number=0, partition=0.\n";
        let other = "drive type = 114\nfile number = 12\nblock number = 7\n";
        assert_eq!(position(one), Some((3, 0)));
        assert_eq!(position(other), Some((12, 7)));
        assert_eq!(position("File number=-1, block number=-1"), None);
    }

    /// A robot of two drives, three slots and a mail slot, that keeps its places in a file.
    const ROBOT: &str = r#"#!/bin/bash
state="$2"; shift 2
place() { sed -n "s/^$1 //p" "$state"; }
put() { sed -i "s/^$1 .*/$1 $2/" "$state"; }
case $1 in
status) while read -r at tag; do
    case $at in
    d*) if [ "$tag" = - ]; then echo "Data Transfer Element ${at#d}:Empty"
        else echo "Data Transfer Element ${at#d}:Full (Storage Element 1 Loaded):VolumeTag = $tag"; fi ;;
    4) [ "$tag" = - ] && echo "  Storage Element 4 IMPORT/EXPORT:Empty" ||
        echo "  Storage Element 4 IMPORT/EXPORT:Full :VolumeTag=$tag" ;;
    *) [ "$tag" = - ] && echo "  Storage Element $at:Empty" ||
        echo "  Storage Element $at:Full :VolumeTag=$tag" ;;
    esac; done < "$state" ;;
load) from=$2 to=d$3 ;;
unload) from=d$3 to=$2 ;;
transfer) from=$2 to=$3 ;;
esac
[ "$1" = status ] && exit 0
[ "$(place $from)" != - ] && [ "$(place $to)" = - ] || { echo "cannot $1" >&2; exit 1; }
put $to "$(place $from)"; put $from -
"#;

    fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn robot(folder: &Path) -> TapeLibrary {
        let state = folder.join("state");
        std::fs::write(&state, "d0 -\nd1 -\n1 A1\n2 B2\n3 C3\n4 -\n").unwrap();
        let programs = TapePrograms {
            mt: program(folder, "mt", "#!/bin/sh\nexit 0\n"),
            mtx: program(folder, "mtx", ROBOT),
        };
        let drives = vec![folder.join("nst0"), folder.join("nst1")];
        TapeLibrary::new(drives, &state, programs)
    }

    #[test]
    fn a_robot_loads_what_is_asked_for_and_never_takes_a_drive_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let library = robot(folder.path());
        let state = || std::fs::read_to_string(folder.path().join("state")).unwrap();
        assert_eq!(library.volumes().unwrap(), ["A1", "B2", "C3"]);
        let first = library.load("A1").unwrap();
        let second = library.load("B2").unwrap();
        assert!(
            state().starts_with("d0 A1\nd1 B2\n1 -\n2 -\n"),
            "{}",
            state()
        );
        assert!(matches!(library.load("C3"), Err(MediumError::Library(_))));
        drop(first);
        let third = library.load("C3").unwrap();
        assert!(state().starts_with("d0 C3\nd1 B2\n1 A1\n"), "{}", state());
        assert!(matches!(library.load("Z9"), Err(MediumError::Absent(_))));
        drop((second, third));
        // what lies in a drive already is not carried
        drop(library.load("B2").unwrap());
        assert!(state().starts_with("d0 C3\nd1 B2\n"), "{}", state());
    }

    #[test]
    fn tapes_leave_and_come_by_the_mail_slot() {
        let folder = tempfile::tempdir().unwrap();
        let library = robot(folder.path());
        drop(library.load("B2").unwrap());
        library.hand_out("B2").unwrap();
        assert_eq!(library.volumes().unwrap(), ["A1", "C3"]);
        assert!(matches!(library.load("B2"), Err(MediumError::Absent(_))));
        let full = library.hand_out("A1");
        assert!(matches!(full, Err(MediumError::Library(_))), "{full:?}");
        library.take_in("B2").unwrap();
        library.take_in("B2").unwrap();
        assert_eq!(library.volumes().unwrap(), ["A1", "B2", "C3"]);
        assert!(matches!(library.take_in("Z9"), Err(MediumError::Absent(_))));
    }
}
