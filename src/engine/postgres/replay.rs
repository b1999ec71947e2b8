//! Owns running a server on a restored data directory until it has replayed its log to a target.
//! The target counts as reached by the history the server wrote, not by the server having started.

use std::path::PathBuf;
use std::time::Duration;

use super::files::cannot;
use super::instance::{self, Instance, InstanceSpec};
use super::lsn::{Lsn, Timeline, WalFile};
use super::target::Target;
use super::{control, read};
use crate::engine::{EngineError, GoOn};

/// A recovery to be run.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Folder with the server's programs.
    pub programs: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// Bytes of log to replay at most; none when that is not known beforehand.
    pub log: Option<u64>,
    /// Folder for the server's log.
    pub scratch: PathBuf,
    /// `restore_command`.
    pub restore_command: String,
    /// Where to end.
    pub target: Target,
    /// The timeline to follow; the newest that is found when none is given.
    pub timeline: Option<Timeline>,
    /// Replay that ends before this position is no recovery.
    pub at_least: Lsn,
    /// How long it may take.
    pub patience: Duration,
    /// A role of the cluster.
    pub user: String,
    /// The cluster goes on where it is: what it has not archived yet is kept until it can.
    pub keeps_log: bool,
    /// The cluster is dropped soon: it need not outlive a crash of the host.
    pub passing: bool,
    /// Asked until it has opened.
    pub go_on: GoOn,
}

/// How a recovery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The last position of the old timeline.
    pub ended: Lsn,
    /// The old timeline.
    pub timeline: Timeline,
    /// The timeline that the cluster goes on with.
    pub new_timeline: Timeline,
    /// The server's words.
    pub reason: String,
    /// How long it replayed, by its own words.
    pub redo: Option<Duration>,
}

impl Replay {
    /// Runs the server to the target and stops it again; see [`Replay::finish`].
    ///
    /// # Errors
    /// Those of both.
    pub fn run(
        &self,
        while_open: impl FnOnce(&Instance) -> Result<(), EngineError>,
    ) -> Result<Replayed, EngineError> {
        self.finish(self.start()?, while_open)
    }

    /// Starts the server, which replays from now on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self) -> Result<Instance, EngineError> {
        Instance::start(self.instance()?)
    }

    /// Waits until the server has opened, checks the target, asks `while_open`, stops it.
    ///
    /// # Errors
    /// [`EngineError::NotReached`] with the server's words when the target was not reached.
    pub fn finish(
        &self,
        mut instance: Instance,
        while_open: impl FnOnce(&Instance) -> Result<(), EngineError>,
    ) -> Result<Replayed, EngineError> {
        instance.wait_open(self.patience, &self.go_on)?;
        let replayed = self.judge(instance.redo())?;
        instance.using(while_open)?;
        Ok(replayed)
    }

    fn instance(&self) -> Result<InstanceSpec, EngineError> {
        let mut settings = vec![
            ("restore_command", self.restore_command.clone()),
            ("shared_buffers", instance::buffers(self.log)),
        ];
        settings.extend(self.target.settings());
        settings.push(("recovery_target_timeline", self.followed()?));
        if self.keeps_log {
            // with no command, finished segments and the new history wait for the server's own
            let kept = [("archive_mode", "on"), ("archive_command", "")];
            settings.extend(kept.map(|(name, value)| (name, value.to_owned())));
            // one that recovers from an archive removes them all the same, but for so many
            settings.push(("wal_keep_size", format!("{}MB", self.unarchived()?)));
        }
        if self.passing {
            let unsynced = ["fsync", "full_page_writes"];
            settings.extend(unsynced.map(|name| (name, "off".to_owned())));
        }
        Ok(InstanceSpec {
            programs: self.programs.clone(),
            data: self.data.clone(),
            user: self.user.clone(),
            log: Some(self.scratch.join("server.log")),
            settings,
        })
    }

    /// `recovery_target_timeline`. The one that the cluster is on is not named by its number: the
    /// server would refuse one that has no history.
    fn followed(&self) -> Result<String, EngineError> {
        let Some(timeline) = self.timeline else {
            return Ok("latest".to_owned());
        };
        let file = read::control_file(&self.data.join(control::PATH))?;
        let here = file.timeline == timeline;
        Ok(if here {
            "current".to_owned()
        } else {
            timeline.number().to_string()
        })
    }

    /// Megabytes of log from the oldest segment that is not known to be archived to the newest that
    /// lies there.
    fn unarchived(&self) -> Result<u64, EngineError> {
        let size = read::control_file(&self.data.join(control::PATH))?.wal_segment_size;
        let folder = self.data.join("pg_wal");
        let listed = |error| cannot("list", &folder, error);
        let (mut oldest, mut newest) = (u64::MAX, 0);
        for entry in std::fs::read_dir(&folder).map_err(listed)? {
            let name = entry.map_err(listed)?.file_name();
            let name = name.to_string_lossy();
            let Ok(WalFile::Segment(segment)) = WalFile::parse(&name, size) else {
                continue;
            };
            newest = newest.max(segment.number);
            if !folder.join(format!("archive_status/{name}.done")).exists() {
                oldest = oldest.min(segment.number);
            }
        }
        // the newest counts itself, and so does the first of the new timeline
        let segments = newest.checked_sub(oldest).map_or(0, |between| between + 2);
        Ok((segments * size.bytes()).div_ceil(1 << 20))
    }

    /// Reads how the recovery ended from the history of the new timeline.
    fn judge(&self, redo: Option<Duration>) -> Result<Replayed, EngineError> {
        let new_timeline = self.newest_timeline()?;
        let path = self.data.join(format!("pg_wal/{new_timeline}.history"));
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| cannot("read", &path, error))?;
        let history = super::history::History::parse(new_timeline, &text);
        let history = history.map_err(|error| error.of(path.display()))?;
        let unreadable = || EngineError::Damaged {
            what: path.display().to_string(),
            detail: "it names no timeline before".to_owned(),
        };
        let (timeline, ended) = *history.before.last().ok_or_else(unreadable)?;
        let line = text.lines().rfind(|line| !line.trim().is_empty());
        let reason = line.and_then(|line| line.splitn(3, '\t').nth(2));
        let reason = reason.unwrap_or_default().to_owned();
        if ended < self.at_least {
            let least = self.at_least;
            let told = format!("replay ended at {ended}, before {least}, where the parts agree");
            return Err(EngineError::NotReached(told));
        }
        let judged = self.target.check(ended, &reason);
        judged.map_err(EngineError::NotReached)?;
        Ok(Replayed {
            ended,
            timeline,
            new_timeline,
            reason,
            redo,
        })
    }

    /// The timeline that the server began when it opened: it is above all that it knew.
    fn newest_timeline(&self) -> Result<Timeline, EngineError> {
        let folder = self.data.join("pg_wal");
        let entries = std::fs::read_dir(&folder);
        let entries = entries.map_err(|error| cannot("list", &folder, error))?;
        let mut newest = None;
        for entry in entries {
            let entry = entry.map_err(|error| cannot("list", &folder, error))?;
            let name = entry.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".history"));
            let timeline: Option<Timeline> = stem.and_then(|stem| stem.parse().ok());
            newest = newest.max(timeline);
        }
        let none = "the server opened without a new timeline";
        newest.ok_or_else(|| EngineError::NotReached(none.to_owned()))
    }
}
