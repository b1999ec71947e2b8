//! Owns the control file: reads the fields planc needs, raises the minimum recovery point and
//! recomputes the CRC-32C. Pure; must not open the file.

use super::facts::{self, VersionFacts};
use super::lsn::{Lsn, SegmentSize, Timeline};
use super::{FormatError, bytes_at};

/// Path of the control file below the data directory.
pub const PATH: &str = "global/pg_control";
/// Bytes of the file; what follows the fields is zeros.
pub const FILE_BYTES: usize = 8192;

// Offsets of `ControlFileData`, equal in all versions of `facts`; see there for the source.
const SYSTEM_IDENTIFIER: usize = 0;
const CONTROL_VERSION: usize = 8;
const CATALOG_VERSION: usize = 12;
const STATE: usize = 16;
const TIME: usize = 24;
const CHECKPOINT: usize = 32;
const REDO: usize = 40;
const TIMELINE: usize = 48;
const PREVIOUS_TIMELINE: usize = 52;
const FULL_PAGE_WRITES: usize = 56;
const NEXT_XID: usize = 64;
const NEXT_OID: usize = 72;
const CHECKPOINT_TIME: usize = 104;
const MIN_RECOVERY_POINT: usize = 136;
const MIN_RECOVERY_TIMELINE: usize = 144;
const BACKUP_START: usize = 152;
const BACKUP_END: usize = 160;
const BACKUP_END_REQUIRED: usize = 168;
const WAL_LEVEL: usize = 172;
const LIMITS: [usize; 4] = [180, 184, 192, 196];
const BLOCK_SIZE: usize = 216;
const SEGMENT_BLOCKS: usize = 220;
const WAL_BLOCK_SIZE: usize = 224;
const WAL_SEGMENT_SIZE: usize = 228;
const CHECKSUM_VERSION: usize = 252;

/// What the server was doing when it last wrote the control file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterState {
    /// Being created.
    Starting,
    /// Stopped cleanly.
    ShutDown,
    /// Stopped cleanly while it was a standby.
    ShutDownInRecovery,
    /// On its way down.
    ShuttingDown,
    /// Replaying after a crash.
    InCrashRecovery,
    /// Replaying an archive or a stream.
    InArchiveRecovery,
    /// Running, or crashed while running.
    InProduction,
}

impl ClusterState {
    fn from_number(number: u32) -> Result<Self, FormatError> {
        Ok(match number {
            0 => Self::Starting,
            1 => Self::ShutDown,
            2 => Self::ShutDownInRecovery,
            3 => Self::ShuttingDown,
            4 => Self::InCrashRecovery,
            5 => Self::InArchiveRecovery,
            6 => Self::InProduction,
            _ => return Err(FormatError::text("a cluster state", &number.to_string())),
        })
    }

    /// The words that `pg_controldata` uses.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Starting => "starting up",
            Self::ShutDown => "shut down",
            Self::ShutDownInRecovery => "shut down in recovery",
            Self::ShuttingDown => "shutting down",
            Self::InCrashRecovery => "in crash recovery",
            Self::InArchiveRecovery => "in archive recovery",
            Self::InProduction => "in production",
        }
    }
}

/// A control file whose version is known and whose checksum fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFile {
    bytes: Vec<u8>,
    /// Its version.
    pub version: &'static VersionFacts,
    /// Identity of the cluster.
    pub system_identifier: u64,
    /// What the server was doing.
    pub state: ClusterState,
    /// When the file was written, in seconds since 1970.
    pub time: i64,
    /// The last checkpoint's record.
    pub checkpoint: Lsn,
    /// Where replay from that checkpoint begins.
    pub redo: Lsn,
    /// Timeline of that checkpoint.
    pub timeline: Timeline,
    /// The timeline before, when that checkpoint began a new one; else the same.
    pub previous_timeline: Timeline,
    /// Were whole pages logged?
    pub full_page_writes: bool,
    /// Next transaction: epoch in the high half.
    pub next_xid: u64,
    /// Next object id.
    pub next_oid: u32,
    /// When the checkpoint was made, in seconds since 1970.
    pub checkpoint_time: i64,
    /// How far replay must go before the cluster is consistent, and on which timeline.
    pub min_recovery: Option<(Lsn, Timeline)>,
    /// Start of the backup that is being recovered from; 0/0 when none is.
    pub backup_start: Lsn,
    /// End of a backup taken from a standby; 0/0 when unknown.
    pub backup_end: Lsn,
    /// Must a backup-end record be seen?
    pub backup_end_required: bool,
    /// 0 minimal, 1 replica, 2 logical.
    pub wal_level: u32,
    /// `max_connections`, `max_worker_processes`, `max_prepared_transactions` and
    /// `max_locks_per_transaction`: a server that replays must not have less.
    pub limits: [u32; 4],
    /// Bytes of a data page.
    pub block_size: u32,
    /// Pages of one file of a large relation.
    pub segment_blocks: u32,
    /// Bytes of a log page.
    pub wal_block_size: u32,
    /// Bytes of a log segment.
    pub wal_segment_size: SegmentSize,
    /// Are data pages protected by checksums?
    pub checksums: bool,
}

impl ControlFile {
    /// Reads a control file; bytes behind the checksum are kept.
    ///
    /// # Errors
    /// When the version is unknown, the checksum does not fit or a field is out of its range.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() < FILE_BYTES {
            return Err(FormatError::Length {
                what: "the control file",
                expected: FILE_BYTES as u64,
                found: bytes.len() as u64,
            });
        }
        let version = facts::of_control(
            u32_at(bytes, CONTROL_VERSION)?,
            u32_at(bytes, CATALOG_VERSION)?,
        )?;
        check_crc(bytes, version)?;
        Self::fields(bytes, version)
    }

    fn fields(bytes: &[u8], version: &'static VersionFacts) -> Result<Self, FormatError> {
        Ok(Self {
            bytes: bytes.to_vec(),
            version,
            system_identifier: u64_at(bytes, SYSTEM_IDENTIFIER)?,
            state: ClusterState::from_number(u32_at(bytes, STATE)?)?,
            time: i64::from_le_bytes(bytes_at(bytes, TIME)?),
            checkpoint: Lsn(u64_at(bytes, CHECKPOINT)?),
            redo: Lsn(u64_at(bytes, REDO)?),
            timeline: Timeline::new(u32_at(bytes, TIMELINE)?)?,
            previous_timeline: Timeline::new(u32_at(bytes, PREVIOUS_TIMELINE)?)?,
            full_page_writes: bool_at(bytes, FULL_PAGE_WRITES)?,
            next_xid: u64_at(bytes, NEXT_XID)?,
            next_oid: u32_at(bytes, NEXT_OID)?,
            checkpoint_time: i64::from_le_bytes(bytes_at(bytes, CHECKPOINT_TIME)?),
            min_recovery: min_recovery(bytes)?,
            backup_start: Lsn(u64_at(bytes, BACKUP_START)?),
            backup_end: Lsn(u64_at(bytes, BACKUP_END)?),
            backup_end_required: bool_at(bytes, BACKUP_END_REQUIRED)?,
            wal_level: u32_at(bytes, WAL_LEVEL)?,
            limits: limits(bytes)?,
            block_size: u32_at(bytes, BLOCK_SIZE)?,
            segment_blocks: u32_at(bytes, SEGMENT_BLOCKS)?,
            wal_block_size: u32_at(bytes, WAL_BLOCK_SIZE)?,
            wal_segment_size: SegmentSize::new(u32_at(bytes, WAL_SEGMENT_SIZE)?)?,
            checksums: u32_at(bytes, CHECKSUM_VERSION)? != 0,
        })
    }

    /// Raises the minimum recovery point; a lower one leaves it as it is. Without this a cluster
    /// put together from parts of different age would call itself consistent at the end of the
    /// oldest part's bracket.
    ///
    /// # Errors
    /// Never for a file that [`ControlFile::parse`] accepted.
    pub fn raise_min_recovery(&mut self, lsn: Lsn, timeline: Timeline) -> Result<(), FormatError> {
        if self.min_recovery.is_some_and(|(now, _)| now >= lsn) {
            return Ok(());
        }
        put(&mut self.bytes, MIN_RECOVERY_POINT, &lsn.0.to_le_bytes());
        let number = timeline.number().to_le_bytes();
        put(&mut self.bytes, MIN_RECOVERY_TIMELINE, &number);
        self.seal()
    }

    /// Says that an archive is being replayed, which recovery from a standby's backup label asks
    /// for.
    ///
    /// # Errors
    /// Never for a file that [`ControlFile::parse`] accepted.
    pub fn in_archive_recovery(&mut self) -> Result<(), FormatError> {
        const NUMBER: u32 = 5;
        put(&mut self.bytes, STATE, &NUMBER.to_le_bytes());
        self.seal()
    }

    /// Says that pages have no checksums.
    ///
    /// # Errors
    /// Never for a file that [`ControlFile::parse`] accepted.
    pub fn without_checksums(&mut self) -> Result<(), FormatError> {
        put(&mut self.bytes, CHECKSUM_VERSION, &[0; 4]);
        self.seal()
    }

    /// Gives changed bytes their sum.
    fn seal(&mut self) -> Result<(), FormatError> {
        let crc = crc(&self.bytes, self.version)?;
        put(&mut self.bytes, self.version.crc_offset, &crc.to_le_bytes());
        *self = Self::parse(&self.bytes)?;
        Ok(())
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn limits(bytes: &[u8]) -> Result<[u32; 4], FormatError> {
    let mut limits = [0; 4];
    for (limit, offset) in limits.iter_mut().zip(LIMITS) {
        *limit = u32_at(bytes, offset)?;
    }
    Ok(limits)
}

fn min_recovery(bytes: &[u8]) -> Result<Option<(Lsn, Timeline)>, FormatError> {
    match u64_at(bytes, MIN_RECOVERY_POINT)? {
        0 => Ok(None),
        lsn => {
            let timeline = Timeline::new(u32_at(bytes, MIN_RECOVERY_TIMELINE)?)?;
            Ok(Some((Lsn(lsn), timeline)))
        }
    }
}

fn check_crc(bytes: &[u8], version: &VersionFacts) -> Result<(), FormatError> {
    let expected = crc(bytes, version)?;
    let found = u32_at(bytes, version.crc_offset)?;
    if expected == found {
        return Ok(());
    }
    Err(FormatError::Checksum {
        what: "the control file",
        expected,
        found,
    })
}

fn crc(bytes: &[u8], version: &VersionFacts) -> Result<u32, FormatError> {
    let covered = bytes.get(..version.crc_offset);
    let covered = covered.ok_or(FormatError::Length {
        what: "the control file",
        expected: version.crc_offset as u64,
        found: bytes.len() as u64,
    })?;
    Ok(crc32c::crc32c(covered))
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(offset..offset + value.len()) {
        place.copy_from_slice(value);
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, FormatError> {
    bytes_at(bytes, offset).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Result<u64, FormatError> {
    bytes_at(bytes, offset).map(u64::from_le_bytes)
}

fn bool_at(bytes: &[u8], offset: usize) -> Result<bool, FormatError> {
    match bytes_at::<1>(bytes, offset)? {
        [0] => Ok(false),
        [1] => Ok(true),
        [other] => Err(FormatError::text("yes or no", &other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::postgres::facts::VERSIONS;

    /// A control file as a new cluster of this version has it.
    fn sample(version: &'static VersionFacts) -> Vec<u8> {
        let mut bytes = vec![0; FILE_BYTES];
        put(&mut bytes, SYSTEM_IDENTIFIER, &77u64.to_le_bytes());
        for (offset, value) in [
            (CONTROL_VERSION, version.control_version),
            (CATALOG_VERSION, version.catalog_version),
            (STATE, 1),
            (TIMELINE, 1),
            (PREVIOUS_TIMELINE, 1),
            (BLOCK_SIZE, 8192),
            (WAL_SEGMENT_SIZE, 1 << 20),
            (CHECKSUM_VERSION, 1),
        ] {
            put(&mut bytes, offset, &value.to_le_bytes());
        }
        let crc = crc(&bytes, version).expect("valid");
        put(&mut bytes, version.crc_offset, &crc.to_le_bytes());
        bytes
    }

    #[test]
    fn the_minimum_recovery_point_only_rises() {
        for version in &VERSIONS {
            let mut control = ControlFile::parse(&sample(version)).expect("valid");
            assert_eq!(control.min_recovery, None);
            let (two, three) = (
                Timeline::new(2).expect("valid"),
                Timeline::new(3).expect("valid"),
            );
            control.raise_min_recovery(Lsn(500), two).expect("valid");
            control.raise_min_recovery(Lsn(400), three).expect("valid");
            control.in_archive_recovery().expect("valid");
            assert!(control.checksums);
            control.without_checksums().expect("valid");
            assert!(!control.checksums);
            assert_eq!(control.state, ClusterState::InArchiveRecovery);
            let again = ControlFile::parse(control.bytes()).expect("valid");
            assert_eq!(again.min_recovery, Some((Lsn(500), two)));
            assert_eq!(again, control);
        }
    }

    #[test]
    fn a_short_file_and_an_unknown_version_are_refused() {
        let mut bytes = sample(&VERSIONS[0]);
        let short = ControlFile::parse(&bytes[..300]).expect_err("refused");
        assert!(matches!(short, FormatError::Length { found: 300, .. }));
        put(&mut bytes, CONTROL_VERSION, &1700u32.to_le_bytes());
        let unknown = ControlFile::parse(&bytes).expect_err("refused");
        assert!(matches!(unknown, FormatError::UnknownVersion { .. }));
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_seen(row in 0usize..3, bit in 0usize..2304) {
            let mut bytes = sample(&VERSIONS[row]);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(ControlFile::parse(&bytes).is_err());
        }

        #[test]
        fn no_bytes_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 8192..=8192), row in 0usize..3
        ) {
            let version = &VERSIONS[row];
            put(&mut bytes, CONTROL_VERSION, &version.control_version.to_le_bytes());
            put(&mut bytes, CATALOG_VERSION, &version.catalog_version.to_le_bytes());
            let sum = crc(&bytes, version).expect("valid");
            put(&mut bytes, version.crc_offset, &sum.to_le_bytes());
            let _ = ControlFile::parse(&bytes);
        }
    }
}
