//! Owns what a running server says of itself, asked once when a session begins, and the checks
//! that must hold before anything is changed.

use std::path::PathBuf;

use postgres::Client;

use super::connect::refused;
use super::control::{self, ControlFile};
use super::facts::{self, VersionFacts};
use super::lsn::{SegmentSize, Timeline};
use crate::engine::EngineError;

/// A server as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version.
    pub version: &'static VersionFacts,
    /// `server_version_num`.
    pub version_num: u32,
    /// Identity of the cluster.
    pub system_identifier: u64,
    /// Is it a standby?
    pub in_recovery: bool,
    /// Timeline that it writes; of a standby that of its last checkpoint.
    pub timeline: Timeline,
    /// Its data directory on its own host.
    pub data_directory: PathBuf,
    /// `wal_level`.
    pub wal_level: String,
    /// `archive_mode`.
    pub archive_mode: String,
    /// `full_page_writes`.
    pub full_page_writes: bool,
    /// Are pages protected by checksums?
    pub checksums: bool,
    /// Bytes of a log segment.
    pub segment_size: SegmentSize,
    /// Pages of one file of a large relation.
    pub segment_blocks: u32,
}

/// The timeline that a server writes, or that a standby last checkpointed. After a promotion the
/// control file names the old one until the first checkpoint has ended.
macro_rules! timeline {
    () => {
        "case when pg_is_in_recovery() \
              then (select timeline_id::int8 from pg_control_checkpoint()) \
              else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int8 end"
    };
}
pub(super) use timeline;

const QUESTION: &str = concat!(
    "\
    select current_setting('server_version_num')::int8, \
           (select system_identifier from pg_control_system()), \
           pg_is_in_recovery(), ",
    timeline!(),
    ", \
           case when pg_has_role('pg_read_all_settings', 'usage') \
                then current_setting('data_directory') end, \
           current_setting('wal_level'), current_setting('archive_mode'), \
           current_setting('full_page_writes') = 'on', current_setting('data_checksums') = 'on', \
           (select setting::int8 from pg_settings where name = 'wal_segment_size'), \
           (select setting::int8 from pg_settings where name = 'segment_size'), \
           current_setting('block_size')::int8"
);

impl ServerFacts {
    /// Asks a server. `directory` replaces what the server says of its data directory.
    ///
    /// # Errors
    /// When the version is unknown or an answer is refused.
    pub fn ask(
        client: &mut Client,
        service: &str,
        directory: Option<&PathBuf>,
    ) -> Result<Self, EngineError> {
        let what = || format!("ask {service} what it is");
        let row = client.query_one(QUESTION, &[]);
        let row = row.map_err(|error| refused(what(), &error))?;
        let number = |at: usize| u32::try_from(row.get::<_, i64>(at)).unwrap_or(u32::MAX);
        if row.get::<_, i64>(11) != 8192 {
            return Err(EngineError::Unsupported {
                engine: "postgresql",
                what: format!("read pages of {} bytes", row.get::<_, i64>(11)),
            });
        }
        let told: Option<String> = row.get(4);
        let directory = directory.cloned().or_else(|| told.map(PathBuf::from));
        Ok(Self {
            version: facts::of_server(number(0)).map_err(|error| error.of(service))?,
            version_num: number(0),
            system_identifier: row.get::<_, i64>(1).cast_unsigned(),
            in_recovery: row.get(2),
            timeline: Timeline::new(number(3)).map_err(|error| error.of(service))?,
            data_directory: directory.ok_or_else(|| no_directory(service))?,
            wal_level: row.get(5),
            archive_mode: row.get(6),
            full_page_writes: row.get(7),
            checksums: row.get(8),
            segment_size: SegmentSize::new(number(9)).map_err(|error| error.of(service))?,
            segment_blocks: number(10),
        })
    }

    /// Refuses a server whose hot copy could not be recovered.
    ///
    /// # Errors
    /// Names the setting and the next action.
    pub fn check_backup(&self, service: &str) -> Result<(), EngineError> {
        let refuse = |cause: &str| {
            let what = format!("back up {service}");
            let cause = cause.to_owned();
            Err(EngineError::Refused { what, cause })
        };
        if self.wal_level == "minimal" {
            return refuse("wal_level is minimal: set it to replica and restart the server");
        }
        // a standby's log is archived by its primary
        if self.archive_mode == "off" && !self.in_recovery {
            return refuse(
                "archive_mode is off, so no copy could be recovered: set it to on with \
                 `archive_command = '/PATH/planc log push --plan /PATH/X.plan --service NAME %p'`, \
                 where each PATH is whole, and restart the server",
            );
        }
        if !self.full_page_writes {
            return refuse(
                "full_page_writes is off, so parts of different age could not be recovered \
                 together: set it to on and reload the server",
            );
        }
        Ok(())
    }

    /// Reads the control file and makes sure that the folder is this server's.
    ///
    /// # Errors
    /// When the folder cannot be read or belongs to another cluster.
    pub fn control(&self) -> Result<ControlFile, EngineError> {
        let path = self.data_directory.join(control::PATH);
        let file = super::read::control_file(&path)?;
        if file.system_identifier == self.system_identifier {
            return Ok(file);
        }
        Err(EngineError::NotASource {
            path: self.data_directory.clone(),
            expected: "the data directory of the server that answers",
            found: format!(
                "system identifier {} instead of {}",
                file.system_identifier, self.system_identifier
            ),
        })
    }
}

/// Refuses a role that may not enter backup mode or end a log segment.
///
/// # Errors
/// Names the functions that it needs.
pub fn check_rights(client: &mut Client, service: &str) -> Result<(), EngineError> {
    let functions = [
        "pg_backup_start(text, boolean)",
        "pg_backup_stop(boolean)",
        "pg_switch_wal()",
    ];
    may_call(client, service, format!("back up {service}"), &functions)
}

/// Refuses a role that may not call some functions.
///
/// # Errors
/// Names those that it may not.
pub(super) fn may_call(
    client: &mut Client,
    service: &str,
    what: String,
    functions: &[&str],
) -> Result<(), EngineError> {
    let query = "select name from unnest($1::text[]) name \
                 where not has_function_privilege(name, 'execute')";
    let rows = client.query(query, &[&functions]);
    let rows = rows.map_err(|error| refused(format!("ask {service} for its rights"), &error))?;
    let missing: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    let cause = format!("the role may not call {missing}: grant execute on them to it");
    Err(EngineError::Refused { what, cause })
}

fn no_directory(service: &str) -> EngineError {
    EngineError::Refused {
        what: format!("ask {service} for its data directory"),
        cause: "the role may not read it: grant pg_read_all_settings to it, or give the \
                service a `path` in the inventory"
            .to_owned(),
    }
}
