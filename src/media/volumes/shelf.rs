//! Owns which volume is written next, when one is used again, and where volumes are. A volume is
//! written over only when nothing that exists lies on it.

use std::collections::BTreeSet;
use std::io;
use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;

use super::drive::MediumError;
use super::index::{Health, Place, Volume};
use super::register::Learnt;
use super::set::{Known, Set, failed, foreign, label, write_label};
use super::{FORMAT, Label, writer};
use crate::media::DeviceError;

/// Who in this process writes, and what keeps other processes from it meanwhile.
#[derive(Default)]
pub(super) struct Held {
    writers: usize,
    guard: Option<Box<dyn Send>>,
}

/// The right to write; other processes wait while there is one.
pub(super) struct Turn<'a> {
    set: &'a Set,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut held = self.set.held();
        held.writers = held.writers.saturating_sub(1);
        if held.writers == 0 {
            held.guard = None;
        }
    }
}

/// A volume that is being written, by one writer.
pub(super) struct Writing<'a> {
    set: &'a Set,
    volume: String,
}

impl Writing<'_> {
    pub(super) fn volume(&self) -> &str {
        &self.volume
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.set.known().writing.remove(&self.volume);
        self.set.written.notify_all();
    }
}

impl Known {
    fn is_here(&self, volume: &Volume) -> bool {
        volume.place == Place::Library && self.present.contains(&volume.name)
    }

    /// The volume that is written next: one that was begun, else a fresh one, in order of name.
    fn next(&self) -> Option<String> {
        let good = self.index.volumes.values();
        let good = good.filter(|volume| volume.health == Health::Good && self.is_here(volume));
        let free = good.filter(|volume| !self.writing.contains(&volume.name));
        free.max_by_key(|volume| (volume.files > 1, std::cmp::Reverse(&volume.name)))
            .map(|volume| volume.name.clone())
    }
}

impl Set {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to write.
    pub(super) fn turn(&self) -> Result<Turn<'_>, MediumError> {
        let mut held = self.held();
        if held.guard.is_none() {
            held.guard = Some(self.library.hold()?);
        }
        held.writers += 1;
        Ok(Turn { set: self })
    }

    /// A volume that nobody else writes now. When all that take data are being written, waits; when
    /// there is none, takes one on which nothing lives any more.
    pub(super) fn pick_for_writing(&self) -> Result<Writing<'_>, MediumError> {
        let mut known = self.known();
        loop {
            if let Some(volume) = known.next() {
                known.writing.insert(volume.clone());
                return Ok(Writing { set: self, volume });
            }
            if known.writing.is_empty() {
                drop(known);
                self.reuse()?;
                known = self.known();
                continue;
            }
            known = self.wait(known);
        }
    }

    fn wait<'a>(&self, known: MutexGuard<'a, Known>) -> MutexGuard<'a, Known> {
        let waited = self.written.wait(known);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Labels the volume that holds nothing any more and was labelled longest ago.
    fn reuse(&self) -> Result<(), MediumError> {
        let mut known = self.known();
        if !known.writing.is_empty() || known.next().is_some() {
            return Ok(()); // another writer was faster
        }
        let volumes = known.volumes();
        let done = volumes.iter().filter(|volume| {
            volume.health == Health::Full
                && volume.live == 0
                && known.is_here(volume)
                && !volume.is_worn(self.limits)
        });
        let oldest = done.min_by_key(|volume| (volume.labelled, &volume.name));
        let oldest = oldest.map(|volume| volume.name.clone());
        let volume = oldest.ok_or(MediumError::Full)?;
        known.writing.insert(volume.clone());
        drop(known);
        self.overwrite(Writing { set: self, volume }, Timestamp::now())
    }

    /// Writes a new label over a volume. The run log that it held is written again, and its notes
    /// where pieces of what they say is gone lie elsewhere. A crash in between brings back an
    /// object that had expired, never the reverse; the run log comes back from another device.
    fn overwrite(&self, writing: Writing<'_>, now: Timestamp) -> Result<(), MediumError> {
        let volume = writing.volume.as_str();
        let files = self.volume(volume).map(|known| known.files);
        let mut drive = self.load(volume)?;
        self.catch_up(&mut drive, volume)?;
        let known = self.known();
        let news = known.index.volumes.get(volume).map(|known| known.files) != files;
        let unsure = news || known.index.is_unsure(volume);
        drop(known);
        if unsure {
            // another process may have written the rest of an object elsewhere
            drop(drive);
            self.look_at_all(volume)?;
            drive = self.load(volume)?;
        }
        let lives = self.volumes().into_iter().find(|one| one.name == volume);
        if lives.is_none_or(|one| one.live > 0) {
            let cause = io::Error::other("objects on it have not expired");
            return Err(MediumError::Library(cause));
        }
        drop(drive);
        let carried = self.run_log_on(volume)?;
        let mut drive = self.load(volume)?;
        let loaded = drive.loaded()?;
        loaded.at = None;
        write_label(loaded.medium.as_mut(), &self.label_of(volume, now))?;
        drop(drive);
        self.learn(&[Learnt::Labelled {
            volume: volume.to_owned(),
            at: now,
        }]);
        drop(writing);
        self.carry(carried, now)?;
        let unnoted = self.known().index.unnoted();
        unnoted
            .iter()
            .try_for_each(|(object, attempt)| writer::note(self, object, attempt))
    }

    /// The entries of the run log of which pieces lie on a volume, read whole. One that cannot be
    /// read is left behind: other devices have it.
    fn run_log_on(&self, volume: &str) -> Result<Vec<(String, Vec<u8>)>, MediumError> {
        let entries = self.known().index.runs_on(volume);
        let mut read = Vec::new();
        for (object, stored) in entries {
            let mut bytes = Vec::new();
            let whole = stored.pieces.iter().try_for_each(|piece| {
                self.read_piece(piece, (0, piece.bytes), &mut |block| {
                    bytes.extend_from_slice(block);
                    Ok(())
                })
            });
            match whole {
                Ok(()) => read.push((object, bytes)),
                Err(MediumError::Library(cause)) => return Err(MediumError::Library(cause)),
                Err(_) => {}
            }
        }
        Ok(read)
    }

    fn carry(&self, entries: Vec<(String, Vec<u8>)>, now: Timestamp) -> Result<(), MediumError> {
        for (object, bytes) in entries {
            let attempt = format!("carried.{}", now.as_nanosecond());
            writer::write(self, (&object, &attempt), &mut io::Cursor::new(bytes))?;
        }
        Ok(())
    }

    /// Learns what others wrote on all other volumes that are here.
    fn look_at_all(&self, but: &str) -> Result<(), MediumError> {
        let known = self.known();
        let here = known.index.volumes.values();
        let here = here.filter(|volume| known.is_here(volume) && volume.health.is_own());
        let here: Vec<String> = here.map(|volume| volume.name.clone()).collect();
        drop(known);
        for volume in here.iter().filter(|name| *name != but) {
            let mut drive = self.load(volume)?;
            self.catch_up(&mut drive, volume)?;
        }
        Ok(())
    }

    fn label_of(&self, volume: &str, at: Timestamp) -> Label {
        Label {
            format: FORMAT.to_owned(),
            set: self.id.clone(),
            volume: volume.to_owned(),
            at,
        }
    }

    /// Gives a volume a label: a blank one its first, one on which nothing lives any more a new
    /// one.
    pub(super) fn relabel(&self, volume: &str, now: Timestamp) -> Result<(), DeviceError> {
        let refused = |detail: &str| DeviceError::Locked {
            device: self.name.clone(),
            object: format!("volume {volume}"),
            detail: detail.to_owned(),
        };
        let wrong = |error| failed(&self.name, "a label", error);
        let mut known = self.known();
        let found = known.volumes().into_iter().find(|one| one.name == volume);
        match found {
            None => return Err(refused("the set has no such volume")),
            Some(found) if found.health == Health::Blank => {
                drop(known);
                return self.first_label(volume, now);
            }
            Some(found) if found.is_worn(self.limits) => {
                return Err(refused("it had too many errors or was loaded too often"));
            }
            Some(found) if found.health == Health::Foreign => {
                return Err(refused("it belongs to another set"));
            }
            Some(found) if found.live > 0 => {
                return Err(refused("objects on it have not expired"));
            }
            Some(_) if known.writing.contains(volume) => return Err(refused("it is written now")),
            Some(_) => {}
        }
        let volume = volume.to_owned();
        known.writing.insert(volume.clone());
        drop(known);
        let _turn = self.turn().map_err(wrong)?;
        let written = self.overwrite(Writing { set: self, volume }, now);
        written.map_err(wrong)
    }

    /// Labels a volume of which it is looked once more that it is blank.
    pub(super) fn first_label(&self, volume: &str, now: Timestamp) -> Result<(), DeviceError> {
        let wrong = |error| failed(&self.name, volume, error);
        let drive = self.drives.take(self.library.as_ref(), volume);
        let mut drive = drive.map_err(wrong)?;
        let loaded = drive.loaded().map_err(wrong)?;
        let found = label(loaded.medium.as_mut());
        if !matches!(found, Ok(None)) {
            let detail = "it is not blank; somebody's data may be on it";
            return Err(foreign(&self.name, volume, detail));
        }
        let label = self.label_of(volume, now);
        write_label(loaded.medium.as_mut(), &label).map_err(wrong)?;
        (loaded.at, loaded.fresh) = (None, false);
        drop(drive);
        self.learn(&[Learnt::Labelled {
            volume: volume.to_owned(),
            at: now,
        }]);
        Ok(())
    }

    /// A volume that was thought to be here is not.
    pub(super) fn is_absent(&self, volume: &str) {
        self.known().present.remove(volume);
    }

    /// Hands a volume to an operator: it leaves the library.
    pub(super) fn check_out(
        &self,
        volume: &str,
        to: Place,
        now: Timestamp,
    ) -> Result<(), DeviceError> {
        let known = self.volume(volume);
        let known = known.ok_or_else(|| self.no_such(volume))?;
        self.drives.unload(volume);
        if known.place == Place::Library && self.known().present.contains(volume) {
            let out = self.library.hand_out(volume);
            out.map_err(|error| failed(&self.name, volume, error))?;
            self.is_absent(volume);
        }
        self.learn_surely(&[Learnt::Place {
            volume: volume.to_owned(),
            place: to,
            at: now,
        }])
    }

    /// Notes that a volume arrived: at a site, or back in the library, where its label is read.
    pub(super) fn check_in(
        &self,
        volume: &str,
        at: &Place,
        now: Timestamp,
    ) -> Result<(), DeviceError> {
        if *at == Place::Library {
            let taken = self.library.take_in(volume);
            taken.map_err(|error| failed(&self.name, volume, error))?;
            self.known().present.insert(volume.to_owned());
            if self.volume(volume).is_none() {
                self.look_at(volume);
            }
        }
        if self.volume(volume).is_none() {
            return Err(self.no_such(volume));
        }
        if *at == Place::Library {
            self.prove(volume)?;
        }
        self.learn_surely(&[Learnt::Place {
            volume: volume.to_owned(),
            place: at.clone(),
            at: now,
        }])
    }

    /// A volume that came back is loaded once: a foreign label shows now, not in the night.
    fn prove(&self, volume: &str) -> Result<(), DeviceError> {
        if self
            .volume(volume)
            .is_some_and(|one| one.health == Health::Blank)
        {
            return Ok(());
        }
        match self.load(volume) {
            Ok(drive) => drop(drive),
            Err(error) => {
                self.is_absent(volume);
                return Err(foreign(&self.name, volume, &error.to_string()));
            }
        }
        Ok(())
    }

    fn no_such(&self, volume: &str) -> DeviceError {
        let names: BTreeSet<String> = self.known().index.volumes.keys().cloned().collect();
        let names: Vec<String> = names.into_iter().collect();
        DeviceError::Locked {
            device: self.name.clone(),
            object: format!("volume {volume}"),
            detail: format!("the set has no such volume; it has {}", names.join(", ")),
        }
    }

    /// Bytes that can still be written, when the capacity of volumes is known.
    pub(super) fn room(&self) -> Option<u64> {
        let capacity = self.capacity?;
        let volumes = self.volumes();
        let known = self.known();
        let room = volumes.iter().filter(|volume| known.is_here(volume));
        let room = room.map(|volume| match volume.health {
            Health::Good => capacity.saturating_sub(volume.used),
            Health::Full if volume.live == 0 && !volume.is_worn(self.limits) => capacity,
            _ => 0,
        });
        Some(room.fold(0, u64::saturating_add))
    }
}
