//! Owns PostgreSQL's place behind the `Engine` trait; every method hands over to the file that
//! does the work.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::connect;
use super::dumps::{self, DumpRestore, Dumping, Snapshots};
use super::increment::Tracked;
use super::inplace::InPlaceRestore;
use super::notes::PartNotes;
use super::restore::ClusterRestore;
use super::server::ServerFacts;
use super::{
    PostgresSpec, amcheck, archive, archiver, arrival, backup, brought, extract, increment,
    instance, logical, server, switch, undo,
};
use crate::engine::switch::{SwitchWish, Switched};
use crate::engine::undo::{UndoWish, Undone};
use crate::engine::{
    Archived, BackupSession, BaseCopy, EndedBackup, Engine, EngineError, Examined, Extracted,
    Extraction, LogHeld, LogRange, LogSink, Lost, RestoreSession, Rows, StoredLog, Survey,
    TransactionSummary,
};
use crate::facts::holdings::{Method, Position};
use crate::resolve::plan::EngineKind;

/// How long an archive call waits for the server's archive command.
const PATIENCE: Duration = Duration::from_mins(1);

/// One PostgreSQL cluster.
#[derive(Debug, Clone)]
pub struct PostgresEngine {
    spec: PostgresSpec,
    snapshots: Snapshots,
    read: Tracked,
}

impl PostgresEngine {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(spec: PostgresSpec) -> Self {
        Self {
            spec,
            snapshots: Snapshots::default(),
            read: Tracked::default(),
        }
    }

    fn facts(&self) -> Result<ServerFacts, EngineError> {
        let spec = &self.spec;
        let mut client = connect::open(&spec.service, &spec.connect)?;
        ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())
    }
}

impl Engine for PostgresEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Postgresql
    }

    fn identity(&self) -> Result<String, EngineError> {
        Ok(self.facts()?.system_identifier.to_string())
    }

    fn check_source(&self) -> Result<(), EngineError> {
        let spec = &self.spec;
        let mut client = connect::open(&spec.service, &spec.connect)?;
        let directory = spec.data_directory.as_ref();
        let facts = ServerFacts::ask(&mut client, &spec.service, directory)?;
        facts.check_backup(&spec.service)?;
        facts.control()?;
        if !facts.in_recovery {
            archiver::check_program(&mut client, &spec.service)?;
        }
        server::check_rights(&mut client, &spec.service)
    }

    fn check_component(&self, component: &str, method: Method) -> Result<(), EngineError> {
        match method {
            Method::Logical => dumps::check(&self.spec, component),
            _ => self.check_source(),
        }
    }

    fn size(&self, component: &str) -> Result<u64, EngineError> {
        match self.spec.sets.get(component) {
            Some(set) if !set.tables.is_empty() => dumps::size(&self.spec, component),
            _ => backup::size(&self.spec, component),
        }
    }

    fn survey(&self, sample: Duration) -> Result<Survey, EngineError> {
        super::survey::ask(&self.spec, sample)
    }

    fn begin(
        &self,
        component: &str,
        method: Method,
        _now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError> {
        match method {
            Method::PhysicalFull => Ok(Box::new(backup::begin(&self.spec, component)?)),
            Method::Logical => {
                let dumping = Dumping::begin(&self.spec, &self.snapshots, component)?;
                Ok(Box::new(dumping))
            }
            _ => Err(unsupported(format!(
                "copy {component} by the method `{}`",
                method.words()
            ))),
        }
    }

    fn begin_changed(
        &self,
        component: &str,
        base: &BaseCopy,
        log: StoredLog<'_>,
        _now: Timestamp,
    ) -> Result<Box<dyn BackupSession>, EngineError> {
        let session = increment::begin(&self.spec, component, base, &self.read, log)?;
        Ok(Box::new(session))
    }

    fn archive(
        &self,
        _after: Option<&Position>,
        _now: Timestamp,
        _sink: &mut dyn LogSink,
    ) -> Result<Archived, EngineError> {
        archive::switch(&self.spec, PATIENCE)
    }

    fn archived(&self, within: Duration) -> Result<Option<Archived>, EngineError> {
        archive::by_itself(&self.spec, within, PATIENCE)
    }

    fn log_held(&self) -> Result<Option<LogHeld>, EngineError> {
        super::space::held(&self.spec).map(Some)
    }

    fn inspect(&self, _range: &LogRange) -> Result<Vec<TransactionSummary>, EngineError> {
        Err(unsupported("list the transactions of its log".to_owned()))
    }

    fn restore(&self, staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError> {
        let session = ClusterRestore::new(self.spec.clone(), staging)?;
        Ok(Box::new(session))
    }

    fn rebuild(&self, staging: &Path) -> Result<Box<dyn RestoreSession>, EngineError> {
        Ok(Box::new(DumpRestore::new(self.spec.clone(), staging)?))
    }

    fn check_target(&self, target: &Path) -> Result<(), EngineError> {
        super::files::check_empty(target)
    }

    fn check_databases(&self, wanted: &[String], part: &EndedBackup) -> Result<(), EngineError> {
        PartNotes::parse(part)?.names.check_databases(wanted)
    }

    fn put_back(
        &self,
        lost: &Lost,
        staging: &Path,
    ) -> Result<Box<dyn RestoreSession>, EngineError> {
        let data = self.spec.data_directory.as_deref();
        let data = data.ok_or_else(|| {
            EngineError::refused(
                format!("put back {lost}"),
                "the inventory gives no `path` of the data directory",
            )
        })?;
        let spec = self.spec.clone();
        Ok(match lost {
            Lost::Differing => Box::new(ClusterRestore::onto(spec, data, staging)?),
            _ => Box::new(InPlaceRestore::new(spec, data, lost, staging)?),
        })
    }

    fn abandon_in_place(&self) {
        if let Some(data) = &self.spec.data_directory {
            instance::abandon_own(data);
        }
    }

    fn abandon(&self, staging: &Path) {
        instance::abandon(&staging.join("cluster/data"));
    }

    fn examine(&self, restored: &Path) -> Result<Examined, EngineError> {
        amcheck::examine(&self.spec, restored)
    }

    fn query(&self, restored: &Path, sql: &str) -> Result<Rows, EngineError> {
        self.query_database(restored, None, sql)
    }

    fn query_database(
        &self,
        restored: &Path,
        database: Option<&str>,
        sql: &str,
    ) -> Result<Rows, EngineError> {
        logical::open(&self.spec, restored)?.using(|instance| {
            let mut client = match database {
                Some(database) => instance.client(database)?,
                None => instance.home()?,
            };
            logical::ask(&mut client, sql)
        })
    }

    fn query_live(&self, database: Option<&str>, sql: &str) -> Result<Rows, EngineError> {
        let spec = &self.spec;
        let mut client = match database {
            Some(database) => connect::open_database(&spec.service, &spec.connect, database)?,
            None => connect::open(&spec.service, &spec.connect)?,
        };
        logical::ask(&mut client, sql)
    }

    fn undo(&self, before: &Path, after: &Path, wish: &UndoWish) -> Result<Undone, EngineError> {
        undo::undo(&self.spec, before, after, wish)
    }

    fn switch(&self, wish: &SwitchWish<'_>) -> Result<Switched, EngineError> {
        switch::switch(&self.spec, wish)
    }

    fn check_extract(&self, wish: &Extraction) -> Result<(), EngineError> {
        arrival::check(&self.spec, wish)
    }

    fn extract(
        &self,
        restored: &Path,
        scratch: &Path,
        wish: &Extraction,
    ) -> Result<Extracted, EngineError> {
        extract::extract(&self.spec, restored, scratch, wish)
    }

    fn settle_extract(&self, wish: &Extraction) -> Result<(), EngineError> {
        brought::settle(&self.spec, wish)
    }
}

fn unsupported(what: String) -> EngineError {
    EngineError::Unsupported {
        engine: "postgresql",
        what,
    }
}
