//! Owns what differs between the PostgreSQL versions planc reads: one row a version, each figure
//! with its source. Everything that parses PostgreSQL's files asks here; an unknown version is
//! refused, never guessed.
//!
//! Sources, all from the servers' own headers of the release named in the row:
//! - `control_version`: `PG_CONTROL_VERSION` and the layout of `ControlFileData` in
//!   `catalog/pg_control.h`; `catalog_version`: `CATALOG_VERSION_NO` in `catalog/catversion.h`.
//! - `wal_magic`: `XLOG_PAGE_MAGIC` and the page headers in `access/xlog_internal.h`.
//! - `crc_offset`: `offsetof(ControlFileData, crc)` compiled for 64-bit little-endian machines.
//!
//! The fields in [`crate::engine::postgres::control`] up to `data_checksum_version` have the same
//! offsets in all rows; 18 adds a byte behind them (`default_char_signedness`), so its checksum
//! lies 4 bytes later. The tests compare every row with the version's own `pg_controldata`.

use super::FormatError;

/// One version of PostgreSQL.
#[derive(Debug, PartialEq, Eq)]
pub struct VersionFacts {
    /// Major version, as in `PG_VERSION`.
    pub major: u32,
    /// Format number of the control file.
    pub control_version: u32,
    /// Format number of the system catalogs.
    pub catalog_version: u32,
    /// First two bytes of every log page.
    pub wal_magic: u16,
    /// Where the control file's CRC-32C lies; it covers everything before.
    pub crc_offset: usize,
}

/// The versions that are supported, oldest first.
pub static VERSIONS: [VersionFacts; 3] = [
    VersionFacts {
        major: 15,
        control_version: 1300,
        catalog_version: 202_209_061,
        wal_magic: 0xD110,
        crc_offset: 288,
    },
    VersionFacts {
        major: 16,
        control_version: 1300,
        catalog_version: 202_307_071,
        wal_magic: 0xD113,
        crc_offset: 288,
    },
    VersionFacts {
        major: 18,
        control_version: 1800,
        catalog_version: 202_506_291,
        wal_magic: 0xD118,
        crc_offset: 292,
    },
];

/// The version of a control file.
///
/// # Errors
/// [`FormatError::UnknownVersion`].
pub fn of_control(control: u32, catalog: u32) -> Result<&'static VersionFacts, FormatError> {
    find(
        |row| row.control_version == control && row.catalog_version == catalog,
        || format!("control file version {control}, catalog version {catalog}"),
    )
}

/// The version of a log page.
///
/// # Errors
/// [`FormatError::UnknownVersion`].
pub fn of_magic(magic: u16) -> Result<&'static VersionFacts, FormatError> {
    find(
        |row| row.wal_magic == magic,
        || format!("log page magic {magic:#06X}"),
    )
}

/// The version of a running server, from `server_version_num`.
///
/// # Errors
/// [`FormatError::UnknownVersion`].
pub fn of_server(version_num: u32) -> Result<&'static VersionFacts, FormatError> {
    let major = version_num / 10_000;
    find(
        |row| row.major == major,
        || format!("server version {major}.{}", version_num % 10_000),
    )
}

fn find(
    same: impl Fn(&VersionFacts) -> bool,
    found: impl Fn() -> String,
) -> Result<&'static VersionFacts, FormatError> {
    VERSIONS
        .iter()
        .find(|row| same(row))
        .ok_or_else(|| FormatError::UnknownVersion {
            found: found(),
            known: known(),
        })
}

fn known() -> String {
    let majors: Vec<String> = VERSIONS.iter().map(|row| row.major.to_string()).collect();
    majors.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_found_by_each_of_its_marks() {
        for row in &VERSIONS {
            assert_eq!(
                of_control(row.control_version, row.catalog_version),
                Ok(row)
            );
            assert_eq!(of_magic(row.wal_magic), Ok(row));
            assert_eq!(of_server(row.major * 10_000 + 4), Ok(row));
        }
    }

    #[test]
    fn the_checker_knows_the_same_versions() {
        let majors: Vec<u32> = VERSIONS.iter().map(|row| row.major).collect();
        assert_eq!(majors, crate::facts::capability::POSTGRESQL_VERSIONS);
    }

    #[test]
    fn an_unknown_version_is_refused_by_name() {
        let refused = of_server(170_004).expect_err("refused").to_string();
        assert_eq!(
            refused,
            "server version 17.4 is not supported; planc knows PostgreSQL 15, 16, 18"
        );
        assert!(of_control(1300, 202_107_181).is_err());
        assert!(of_magic(0).is_err());
    }
}
