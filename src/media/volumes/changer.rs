//! Owns a robot that carries tapes between slots and drives, by the program `mtx`. Volumes are
//! named by their bar codes. Must not read or write tapes.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::drive::MediumError;
use crate::media::keys::withhold;

/// What a robot can hold a tape in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementKind {
    /// A drive, by its number from 0.
    Drive,
    /// A slot.
    Slot,
    /// A slot that an operator can reach.
    Mail,
}

/// One place of a robot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) kind: ElementKind,
    pub(super) number: u32,
    pub(super) full: bool,
    /// Bar code of the tape in it.
    pub(super) volume: Option<String>,
    /// The slot that the tape of a drive came from.
    pub(super) home: Option<u32>,
}

/// A robot.
pub(super) struct Changer {
    device: PathBuf,
    program: PathBuf,
}

impl Changer {
    /// The robot behind a device file, driven by a program such as `mtx`.
    pub(super) fn new(device: &Path, program: &Path) -> Self {
        Self {
            device: device.to_owned(),
            program: program.to_owned(),
        }
    }

    /// What is where.
    pub(super) fn elements(&self) -> Result<Vec<Element>, MediumError> {
        let text = self.ask(&["status"])?;
        Ok(text.lines().filter_map(element).collect())
    }

    /// Puts the tape of a slot into a drive.
    pub(super) fn load(&self, slot: u32, drive: u32) -> Result<(), MediumError> {
        self.ask(&["load", &slot.to_string(), &drive.to_string()])
            .map(drop)
    }

    /// Puts the tape of a drive into a slot.
    pub(super) fn unload(&self, slot: u32, drive: u32) -> Result<(), MediumError> {
        self.ask(&["unload", &slot.to_string(), &drive.to_string()])
            .map(drop)
    }

    /// Carries a tape from slot to slot.
    pub(super) fn transfer(&self, from: u32, to: u32) -> Result<(), MediumError> {
        self.ask(&["transfer", &from.to_string(), &to.to_string()])
            .map(drop)
    }

    fn ask(&self, words: &[&str]) -> Result<String, MediumError> {
        let mut command = Command::new(&self.program);
        command.arg("-f").arg(&self.device).args(words);
        ask(command).map_err(MediumError::Library)
    }
}

/// Runs a program; what it prints, or what it says is wrong.
pub(super) fn ask(mut command: Command) -> io::Result<String> {
    withhold(&mut command);
    command.env("LC_ALL", "C");
    let name = command.get_program().to_string_lossy().into_owned();
    let words: Vec<String> = command
        .get_args()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let output = command
        .output()
        .map_err(|cause| io::Error::new(cause.kind(), format!("{name}: {cause}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it says nothing").trim();
    Err(io::Error::other(format!(
        "{name} {}: {said}",
        words.join(" ")
    )))
}

/// A line of `mtx status` that tells of a place.
fn element(line: &str) -> Option<Element> {
    let line = line.trim();
    let (kind, rest) = if let Some(rest) = line.strip_prefix("Data Transfer Element ") {
        (ElementKind::Drive, rest)
    } else {
        (ElementKind::Slot, line.strip_prefix("Storage Element ")?)
    };
    let (place, state) = rest.split_once(':')?;
    let kind = if place.contains("IMPORT/EXPORT") {
        ElementKind::Mail
    } else {
        kind
    };
    let number = place.split_whitespace().next()?.parse().ok()?;
    let home = state.split_once("(Storage Element ");
    let home = home.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    let tag = state.split_once("VolumeTag").map(|(_, tag)| tag);
    let tag = tag.map(|tag| tag.trim_start_matches([' ', '=']).trim().to_owned());
    Some(Element {
        kind,
        number,
        full: state.trim_start().starts_with("Full"),
        volume: tag.filter(|tag| !tag.is_empty()),
        home,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const STATUS: &str = "  Storage Changer /dev/sg3:2 Drives, 4 Slots ( 1 Import/Export )
Data Transfer Element 0:Full (Storage Element 2 Loaded):VolumeTag = A00002L4
Data Transfer Element 1:Empty
      Storage Element 1:Full :VolumeTag=A00001L4
      Storage Element 2:Empty
      Storage Element 3:Full
      Storage Element 4 IMPORT/EXPORT:Full :VolumeTag=A00009L4
";

    #[test]
    fn places_are_read_from_what_the_program_prints() {
        let found: Vec<Element> = STATUS.lines().filter_map(element).collect();
        let one = |kind, number, full, volume: Option<&str>, home| Element {
            kind,
            number,
            full,
            volume: volume.map(str::to_owned),
            home,
        };
        let wanted = [
            one(ElementKind::Drive, 0, true, Some("A00002L4"), Some(2)),
            one(ElementKind::Drive, 1, false, None, None),
            one(ElementKind::Slot, 1, true, Some("A00001L4"), None),
            one(ElementKind::Slot, 2, false, None, None),
            one(ElementKind::Slot, 3, true, None, None),
            one(ElementKind::Mail, 4, true, Some("A00009L4"), None),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_a_program_says_is_told() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such robot >&2; exit 3"]);
        let error = ask(command).unwrap_err().to_string();
        assert!(error.ends_with("no such robot"), "{error}");
        assert!(ask(Command::new("no-such-program-of-planc")).is_err());
    }
}
