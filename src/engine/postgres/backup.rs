//! Owns one bracket of backup mode: `pg_backup_start` to `pg_backup_stop` on one session, and the
//! copy of one part between them. Losing the session ends the bracket without a part (R22).

use std::io::Cursor;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use postgres::Client;

use super::component::{self, Component, Place, version_folder};
use super::configuration::Outside;
use super::connect::refused;
use super::files::{Found, Selection, SourceFile, below, cannot};
use super::label::BackupLabel;
use super::lsn::{Lsn, Timeline};
use super::notes::{Names, PartNotes};
use super::opening::{Opened, Opening};
use super::read::{self, BadPages, PageFile, PlainFile};
use super::server::ServerFacts;
use super::{PostgresSpec, connect, control, spoilt};
use crate::engine::large::{LARGE, LargeFile};
use crate::engine::piece::PieceSource;
use crate::engine::{BackupSession, EndedBackup, EngineError, Entry, EntryKind, PartSink};

/// An open bracket.
pub struct Bracket {
    service: String,
    client: Client,
    pub(super) server: ServerFacts,
    place: Place,
    /// Folders that base leaves out because they are parts of their own.
    pub(super) apart: Vec<Place>,
    names: Names,
    outside: Outside,
    selection: Selection,
    bad: Arc<BadPages>,
    /// Whether files are read in full, so that it pays to ask for them in advance.
    pub(super) whole: bool,
    warnings: Vec<String>,
}

/// What to copy, known before backup mode is entered.
pub(super) struct Prepared {
    client: Client,
    server: ServerFacts,
    place: Place,
    apart: Vec<Place>,
    /// The files that belong to it.
    pub(super) selection: Selection,
}

/// Connects and finds the component; changes nothing.
pub(super) fn prepare(spec: &PostgresSpec, key: &str) -> Result<Prepared, EngineError> {
    let component = Component::parse(key)?;
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let server = ServerFacts::ask(&mut client, &spec.service, spec.data_directory.as_ref())?;
    server.control()?;
    let place = component::find(&mut client, &spec.service, &component)?;
    let apart = match place {
        Place::Base => component::find_apart(&mut client, &spec.service, &spec.apart)?,
        _ => Vec::new(),
    };
    let selection = Selection {
        data: server.data_directory.clone(),
        root: place.folder(),
        skip: apart.iter().map(Place::folder).collect(),
        version_folder: version_folder(&server),
        segment_blocks: server.segment_blocks,
    };
    Ok(Prepared {
        client,
        server,
        place,
        apart,
        selection,
    })
}

/// Enters backup mode for a component.
pub(super) fn begin(spec: &PostgresSpec, key: &str) -> Result<Bracket, EngineError> {
    let mut prepared = prepare(spec, key)?;
    prepared.server.check_backup(&spec.service)?;
    let label = format!("planc {key}");
    let start = "select pg_backup_start($1, true)::text";
    let names = component::names(&mut prepared.client, &spec.service)?;
    let outside = match prepared.place {
        Place::Base => {
            let data = &prepared.server.data_directory;
            Outside::find(&mut prepared.client, &spec.service, data)?
        }
        _ => Outside::default(),
    };
    let started = prepared.client.query_one(start, &[&label]);
    started.map_err(|error| refused(format!("begin a backup of {key}"), &error))?;
    Ok(Bracket {
        service: spec.service.clone(),
        client: prepared.client,
        server: prepared.server,
        place: prepared.place,
        apart: prepared.apart,
        names,
        outside,
        selection: prepared.selection,
        bad: Arc::default(),
        whole: true,
        warnings: Vec::new(),
    })
}

impl BackupSession for Bracket {
    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        let is_own = |one: &SourceFile| !matches!(one.found, Found::Elsewhere | Found::Closed);
        let (files, others): (Vec<_>, Vec<_>) =
            self.selection.list()?.into_iter().partition(is_own);
        self.warnings.extend(others.iter().map(told_left_out));
        let in_advance = if self.whole { LARGE } else { 0 };
        let coming = Opening::new(self.selection.data.clone(), in_advance);
        let closed = coming.each(files, |source, opened| self.copy_file(source, opened, sink))?;
        self.warnings
            .extend(closed.iter().map(|path| told_closed(path)));
        // the control file must not be older than what is still being read
        sink.settle()?;
        if self.place == Place::Base {
            let told = self.outside.copy(&self.data()?, sink)?;
            self.warnings.extend(told);
            self.copy_control(sink)?;
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<EndedBackup, EngineError> {
        let stop = "select lsn::text, labelfile, spcmapfile, \
                    (extract(epoch from clock_timestamp()) * 1000000)::int8, \
                    (select min_recovery_end_timeline::int8 from pg_control_recovery()) \
                    from pg_backup_stop(false)";
        let what = format!("end the backup of {}", self.service);
        let stopped = self.client.query_one(stop, &[]);
        let stopped = stopped.map_err(|error| refused(what.clone(), &error))?;
        let wrong = |error: super::FormatError| error.of(&what);
        let stop: Lsn = stopped.get::<_, &str>(0).parse().map_err(wrong)?;
        let label_text: String = stopped.get(1);
        let label = BackupLabel::parse(&label_text).map_err(wrong)?;
        let stop_timeline = match u32::try_from(stopped.get::<_, i64>(4)) {
            Ok(number) if label.from_standby => Timeline::new(number).map_err(wrong)?,
            _ => label.timeline,
        };
        let bad = std::mem::take(&mut *self.bad.lock().unwrap_or_else(PoisonError::into_inner));
        let folder = self.place.folder();
        let group_access = self.data()?.mode() & 0o050 == 0o050;
        let notes = PartNotes {
            label_text,
            map_text: stopped.get(2),
            place: self.place,
            apart: self.apart,
            system_identifier: self.server.system_identifier,
            version_num: self.server.version_num,
            names: self.names,
            checksums: self.server.checksums,
            group_access,
            outside: self.outside,
            label: label.clone(),
        };
        let mut ended = EndedBackup {
            taken_at: moment(stopped.get(3)),
            from: Some(label.timeline.at(label.start)),
            until: Some(stop_timeline.at(stop)),
            warnings: self.warnings,
            notes: notes.print(),
        };
        spoilt::write_down(bad, &folder, &mut ended);
        Ok(ended)
    }
}

impl Bracket {
    fn data(&self) -> Result<std::fs::Metadata, EngineError> {
        let data = &self.selection.data;
        std::fs::metadata(data).map_err(|error| cannot("look at", data, error))
    }

    /// Copies one file as far as it reached when it was opened: what is appended later is in the
    /// log. A file that is gone was dropped, and the log drops it again. One that is shortened
    /// meanwhile is filled up with zeros, which the log cuts off again.
    fn copy_file(
        &self,
        source: &SourceFile,
        opened: Option<Opened>,
        sink: &mut dyn PartSink,
    ) -> Result<(), EngineError> {
        let Some(Opened { file, about }) = opened else {
            return Ok(());
        };
        let path = below(&self.selection.data, &source.path);
        let kind = match source.found {
            Found::Directory | Found::Elsewhere | Found::Closed => EntryKind::Directory,
            Found::Relation { .. } | Found::File => EntryKind::File,
        };
        sink.entry(entry(&source.path, kind, &about))?;
        let length = about.len();
        let pieces: Arc<dyn PieceSource> = match source.found {
            Found::Directory | Found::Elsewhere | Found::Closed => return sink.close(),
            Found::Relation { first_block } if self.server.checksums => {
                let bad = Arc::clone(&self.bad);
                let about = (length, first_block);
                Arc::new(PageFile::new(&source.path, file, about, bad))
            }
            Found::Relation { .. } => Arc::new(PlainFile(LargeFile::new(file, length))),
            Found::File => {
                sink.read_from(&mut &file, length, &path)?;
                return sink.close();
            }
        };
        sink.read_pieces(pieces, length, &path)?;
        sink.close()
    }

    /// The control file comes last, so that its positions are not older than the other files.
    fn copy_control(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        let path = self.selection.data.join(control::PATH);
        let about = std::fs::metadata(&path).map_err(|error| cannot("look at", &path, error))?;
        let file = read::control_file(&path)?;
        sink.entry(entry(control::PATH, EntryKind::File, &about))?;
        let mut bytes = Cursor::new(file.bytes());
        sink.read_from(&mut bytes, file.bytes().len() as u64, &path)?;
        sink.close()
    }
}

fn told_left_out(one: &SourceFile) -> String {
    let path = &one.path;
    match one.found {
        Found::Closed => told_closed(path),
        _ => {
            format!("{path} is a link to a folder outside of the data directory: it is not copied")
        }
    }
}

fn told_closed(path: &str) -> String {
    format!(
        "{path} is not copied: it cannot be read, and it is none of the server's, since it has \
         another owner than the data directory"
    )
}

/// `path` is written as entries write it.
pub(super) fn entry(path: &str, kind: EntryKind, about: &std::fs::Metadata) -> Entry {
    Entry {
        path: path.to_owned(),
        kind,
        mode: about.mode() & 0o7777,
        uid: about.uid(),
        gid: about.gid(),
        mtime: (
            about.mtime(),
            u32::try_from(about.mtime_nsec()).unwrap_or(0),
        ),
    }
}

fn moment(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Bytes of a component, as its files are now.
pub(super) fn size(spec: &PostgresSpec, key: &str) -> Result<u64, EngineError> {
    let files = prepare(spec, key)?.selection.list()?;
    Ok(files.iter().map(|file| file.bytes).sum())
}
