//! Owns rebuilding a catalog from what lies on devices. Never writes to a device (R16).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;

use super::owner::{Belongings, Owner};
use super::record::PartRecord;
use super::{Catalog, CatalogError};
use crate::media::{Device, DeviceError, Listing, log, name, part, patient, tomb};

/// Threads that read manifests: a device answers many questions in little more time than one.
const READERS: usize = 16;

/// Manifests that one thread reads at a time, in one call to the device, which looks for all of
/// them at the same time when it can.
const AT_ONCE: usize = 256;

/// Manifests that are written down as one change.
const ONE_CHANGE: usize = 4096;

/// What the catalog says of a part, and whether its packs are there.
type Found = (PartRecord, Result<(), DeviceError>);

/// What came of reading some manifests, with the names of their objects.
type Batch = Vec<(String, Result<Found, DeviceError>)>;

/// A rebuild on its way.
struct Rebuild<'a> {
    catalog: Catalog,
    belongings: Belongings<'a>,
    /// Parts and ranges of log of others.
    foreign: BTreeSet<String>,
    /// Has the owner any part?
    has_own: bool,
    /// Parts of others, by plan and environment.
    left_out: BTreeMap<(String, String), usize>,
    problems: Vec<String>,
    /// By the name of the object, what could not be read of the device that is being read.
    unread: BTreeMap<String, String>,
    /// Objects that no key at hand opens, by device: how many, and the first.
    sealed: BTreeMap<String, (usize, DeviceError)>,
}

impl Catalog {
    /// Fills an empty catalog with the owner's copies on the devices. Never writes to a device
    /// (R16). A part counts only when its manifest is intact and its packs are there in full
    /// length. Returns what could not be read, for people; where nothing is the owner's, also whose
    /// the parts are.
    ///
    /// # Errors
    /// When a device cannot be listed, SQLite fails, the file holds copies already, or nothing of the
    /// owner's can be opened while something is sealed for other keys.
    pub fn rebuild(
        path: &Path,
        devices: &[Arc<dyn Device>],
        owner: &Owner,
    ) -> Result<(Self, Vec<String>), CatalogError> {
        let catalog = Self::open(path)?;
        if catalog.counts()? != (0, 0) {
            let detail = "it is not empty; move it away before it is rebuilt".to_owned();
            return Err(catalog.store.unusable(detail));
        }
        let mut rebuild = Rebuild {
            catalog,
            belongings: Belongings::of(owner),
            foreign: BTreeSet::new(),
            has_own: false,
            left_out: BTreeMap::new(),
            problems: Vec::new(),
            unread: BTreeMap::new(),
            sealed: BTreeMap::new(),
        };
        rebuild.catalog.store.begin_filling()?;
        for device in devices {
            let identity = device.identity()?;
            rebuild.catalog.bind_device(device.name(), &identity)?;
            rebuild.add_parts(device.as_ref())?;
        }
        for device in devices {
            rebuild.add_logs(device.as_ref())?;
        }
        for device in devices {
            rebuild.add_tombs(device.as_ref())?;
        }
        rebuild.catalog.store.end_filling()?;
        rebuild.tell_sealed()?;
        rebuild.tell_others();
        Ok((rebuild.catalog, rebuild.problems))
    }
}

impl Rebuild<'_> {
    /// Who finds nothing of their own is told whose the copies are: a plan may have been renamed, or
    /// written anew after a loss.
    fn tell_others(&mut self) {
        if self.has_own {
            return;
        }
        let told = self.left_out.iter().map(|((plan, environment), count)| {
            format!(
                "{count} parts of plan `{plan}` in environment `{environment}`: only a plan and an \
                 environment of these names see them"
            )
        });
        self.problems.extend(told);
    }

    /// On a shared device others seal for keys of their own, so what stays closed ends a rebuild only
    /// where nothing else was found.
    fn tell_sealed(&mut self) -> Result<(), CatalogError> {
        for (device, (count, first)) in std::mem::take(&mut self.sealed) {
            if !self.has_own {
                return Err(first.into());
            }
            self.problems.push(format!(
                "{count} objects on device {device}, which may be another plan's: {first}"
            ));
        }
        Ok(())
    }

    /// Counts what no key at hand opens; gives any other error back.
    fn add_sealed(&mut self, error: DeviceError, device: &dyn Device) -> Result<(), DeviceError> {
        if !matches!(error, DeviceError::Sealed { .. }) {
            return Err(error);
        }
        let device = device.name().to_owned();
        self.sealed.entry(device).or_insert((0, error)).0 += 1;
        Ok(())
    }

    /// Manifests are read by many threads, while those that were read before are written down.
    fn add_parts(&mut self, device: &dyn Device) -> Result<(), CatalogError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(READERS).build();
        let pool = pool.map_err(|cause| self.catalog.store.unusable(cause.to_string()))?;
        let mut listing = device.listing(name::PARTS)?;
        let (sender, batches) = crossbeam_channel::bounded(2);
        let read = std::thread::scope(|scope| {
            let reader =
                scope.spawn(move || pool.install(|| read_all(listing.as_mut(), device, &sender)));
            let written = self.write_down(&batches, device);
            // a reader whose batches nobody takes ends
            drop(batches);
            let read = reader.join();
            written.map(|()| read)
        })?;
        let cause = "the thread that reads manifests ended unexpectedly";
        read.map_err(|_| self.catalog.store.unusable(cause.to_owned()))??;
        self.problems
            .extend(std::mem::take(&mut self.unread).into_values());
        Ok(())
    }

    /// Each batch is one change.
    fn write_down(
        &mut self,
        batches: &Receiver<Batch>,
        device: &dyn Device,
    ) -> Result<(), CatalogError> {
        for batch in batches {
            self.catalog.store.gather()?;
            for (object, found) in batch {
                // what a replacement stands for is damaged, and is not missed
                self.unread.remove(name::plain(&object));
                if let Some(problem) = self.add_part(found, device)? {
                    self.unread.insert(object, problem);
                }
            }
            self.catalog.store.keep()?;
        }
        Ok(())
    }

    /// Returns why a part does not count.
    fn add_part(
        &mut self,
        found: Result<Found, DeviceError>,
        device: &dyn Device,
    ) -> Result<Option<String>, CatalogError> {
        let (record, whole) = match found {
            Ok(found) => found,
            Err(error) => match self.add_sealed(error, device) {
                Ok(()) => return Ok(None),
                Err(error) => return problem(error).map(Some),
            },
        };
        if !self.belongings.part(&record.header) {
            let header = record.header;
            let owner = (header.plan, header.environment);
            *self.left_out.entry(owner).or_default() += 1;
            self.foreign.insert(header.part);
            return Ok(None);
        }
        self.has_own = true;
        if let Err(error) = whole {
            return problem(error).map(Some);
        }
        match self.catalog.record_part(&record, device.name()) {
            Ok(()) => Ok(None),
            Err(error) => conflict(error).map(Some),
        }
    }

    /// Tombstones go on counting from when they were put. Those of others are theirs to act on.
    fn add_tombs(&mut self, device: &dyn Device) -> Result<(), CatalogError> {
        let (tombs, unread) = tomb::list(device)?;
        let own = |object: &String| !self.foreign.contains(object);
        for tomb in tombs.iter().filter(|tomb| own(&tomb.object)) {
            self.catalog
                .record_condemned(&tomb.object, device.name(), tomb.at)?;
        }
        let problems = unread.into_iter();
        let device = device.name();
        self.problems
            .extend(problems.map(|object| format!("device {device}: {object} is damaged")));
        Ok(())
    }

    fn add_logs(&mut self, device: &dyn Device) -> Result<(), CatalogError> {
        for (object, _) in part::newest(device.list(name::LOGS)?) {
            match log::read(device, &object) {
                Ok(read) if self.belongings.log(&read.record) => {
                    self.catalog.record_log(&read.record, device.name())?;
                }
                Ok(read) => drop(self.foreign.insert(read.record.log)),
                Err(error) => {
                    if let Err(error) = self.add_sealed(error, device) {
                        self.problems.push(problem(error)?);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads all manifests of a listing; replacements last, of each manifest the newest.
fn read_all(
    listing: &mut dyn Listing,
    device: &dyn Device,
    sender: &Sender<Batch>,
) -> Result<(), DeviceError> {
    let mut replacements = Vec::new();
    while let Some(piece) = listing.next()? {
        let (plain, numbered): (Vec<_>, Vec<_>) = piece
            .into_iter()
            .partition(|object| name::split(object).1 == 0);
        replacements.extend(numbered.into_iter().map(|object| (object, 0)));
        for objects in plain.chunks(ONE_CHANGE) {
            if sender.send(read_batch(objects, device)?).is_err() {
                // whoever writes has given up and says why
                return Ok(());
            }
        }
    }
    let newest = part::newest(replacements).into_iter();
    let newest: Vec<String> = newest.map(|(object, _)| object).collect();
    // nobody takes them when whoever writes has given up
    let _ = sender.send(read_batch(&newest, device)?);
    Ok(())
}

/// Reads manifests by many threads; they stay in their order.
fn read_batch(objects: &[String], device: &dyn Device) -> Result<Batch, DeviceError> {
    let read = |chunk: &[String]| {
        let chunk = chunk.to_vec();
        patient::at_once(device, move |device| {
            device.soon(&chunk);
            let read = |object: String| {
                let found = read(device, &object);
                (object, found)
            };
            chunk.into_iter().map(read).collect()
        })
    };
    let read: Result<Vec<Batch>, DeviceError> = objects.par_chunks(AT_ONCE).map(read).collect();
    Ok(read?.into_iter().flatten().collect())
}

/// Reads a manifest and looks for its packs.
fn read(device: &dyn Device, object: &str) -> Result<Found, DeviceError> {
    let (manifest, content) = part::read_told(device, object)?;
    let whole = part::whole(&manifest, device);
    Ok((PartRecord::of(&manifest, content), whole))
}

/// Damage and absence are told and passed over; a device that fails ends the rebuild, since what
/// it could not say is not known to be absent (R7).
fn problem(error: DeviceError) -> Result<String, CatalogError> {
    match error {
        DeviceError::Damaged { .. } | DeviceError::NotFound { .. } => Ok(error.to_string()),
        error => Err(error.into()),
    }
}

/// Two devices that hold different parts under one id are told, never resolved by date.
fn conflict(error: CatalogError) -> Result<String, CatalogError> {
    match error {
        CatalogError::OtherPart { .. } => Ok(error.to_string()),
        error => Err(error),
    }
}
