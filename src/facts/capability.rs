//! Owns the table of what each engine can do. The checker reads it (P0508), the engines answer
//! with it, and the contract suite holds each engine to its row.

use crate::resolve::plan::{EngineKind, Method};

/// What an engine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a table of yes and no")]
pub struct Capabilities {
    /// Ways to take a copy.
    pub methods: &'static [Method],
    /// Can its log be archived?
    pub log: bool,
    /// Can its log be streamed as it is written?
    pub stream: bool,
    /// Is a hot copy consistent without its log?
    pub self_contained: bool,
    /// Can replay stop at an instant or transaction?
    pub point_in_time: bool,
    /// Can replay leave one transaction out?
    pub skip_transaction: bool,
    /// Does it have parts smaller than the whole service that can be copied physically?
    pub parts: bool,
    /// Can a query be asked of a restored copy?
    pub probe: bool,
    /// Can it tell whether a component changed since its last copy?
    pub change_counter: bool,
}

/// The row of an engine.
#[must_use]
pub const fn of(engine: EngineKind) -> Capabilities {
    use Method::{Logical, PhysicalDifferential, PhysicalFull, PhysicalIncremental};
    match engine {
        EngineKind::Postgresql => Capabilities {
            methods: &[
                PhysicalFull,
                PhysicalIncremental,
                PhysicalDifferential,
                Logical,
            ],
            log: true,
            stream: true,
            self_contained: false,
            point_in_time: true,
            skip_transaction: false,
            parts: true,
            probe: true,
            change_counter: true,
        },
        EngineKind::Mariadb => Capabilities {
            methods: &[PhysicalFull, PhysicalIncremental, Logical],
            log: true,
            stream: false,
            self_contained: false,
            point_in_time: true,
            skip_transaction: true,
            parts: false,
            probe: true,
            change_counter: false,
        },
        EngineKind::Sqlite => Capabilities {
            methods: &[PhysicalFull],
            log: true,
            stream: false,
            self_contained: true,
            point_in_time: true,
            skip_transaction: false,
            parts: false,
            probe: true,
            change_counter: true,
        },
        EngineKind::Files => Capabilities {
            methods: &[PhysicalFull, PhysicalIncremental, PhysicalDifferential],
            log: false,
            stream: false,
            self_contained: true,
            point_in_time: false,
            skip_transaction: false,
            parts: false,
            probe: false,
            change_counter: true,
        },
    }
}

/// Major versions of PostgreSQL whose files and log planc reads. The engine's table of formats
/// holds the same; a test compares them.
pub const POSTGRESQL_VERSIONS: [u32; 3] = [15, 16, 18];
