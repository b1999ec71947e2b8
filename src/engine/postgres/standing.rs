//! Owns where a service's log archive stands: what each device lists, what the server still has,
//! and for how long work was in no archive. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use postgres::Client;

use super::archive;
use super::archived::{self, Claim};
use super::chains::{self, Held, TimelineProof, Writing};
use super::connect::{self, refused};
use super::history::History;
use super::lsn::{Lsn, Segment, SegmentSize, Timeline, WalFile};
use super::server::timeline;
use super::stream::Course;
use super::tail;
use super::{FormatError, PostgresSpec};
use crate::engine::EngineError;
use crate::media::{Device, DeviceError, log, name};

/// Timelines that are looked for beyond the newest one with a history.
const BEYOND: u32 = 8;

/// More segments than this do not wait for an archiver: they would fill any disk.
const MOST_WAITING: u64 = 1 << 20;

/// How far back the worst window is looked for.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Where an archive stands.
#[derive(Debug)]
pub struct Standing {
    /// Whose log it is.
    pub claim: Claim,
    /// Each timeline.
    pub timelines: Vec<TimelineProof>,
    /// What the server says; an error text when it cannot be asked.
    pub writing: Result<Writing, String>,
    /// How much work was ever in no archive.
    pub window: Window,
}

/// For how long committed work was on the server only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Bytes of log that are not on every required device now.
    pub bytes_now: Option<u64>,
    /// Age of the newest commit that is: what came later is at most that old. None when all is.
    pub now: Option<SignedDuration>,
    /// The longest that a commit of the last day had to wait.
    pub worst: Option<SignedDuration>,
}

/// Looks at devices and server. The devices are those that can be reached; `required` are all that
/// must hold the log.
///
/// # Errors
/// When a device fails, or none holds any log of the service.
pub fn look(
    spec: &PostgresSpec,
    devices: &[Arc<dyn Device>],
    required: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Option<Standing>, DeviceError> {
    let Some(claim) = claim(devices, &spec.service)? else {
        return Ok(None);
    };
    let mut held = Held::default();
    for device in devices {
        histories(device.as_ref(), &spec.service, &mut held)?;
    }
    for device in devices {
        segments(device.as_ref(), &spec.service, claim, &mut held)?;
    }
    let writing = ask(spec, claim).map_err(|error| error.to_string());
    let timelines = chains::prove(&held, required, writing.as_ref().ok(), claim.segment_size);
    let of = Exposure {
        service: &spec.service,
        claim,
        devices,
        required,
        now,
    };
    let window = of.window(&timelines, writing.as_ref().ok())?;
    Ok(Some(Standing {
        claim,
        timelines,
        writing,
        window,
    }))
}

/// The stored log of a service, ready to be read.
pub struct Archive {
    service: String,
    claim: Claim,
    held: Held,
    history: History,
    devices: Vec<Arc<dyn Device>>,
}

/// A run of segments without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Number of the first.
    pub first: u64,
    /// Where the last begins.
    pub last_begins: Lsn,
}

impl Archive {
    /// What the devices hold along the newest timeline; none when they hold nothing.
    ///
    /// # Errors
    /// When a device fails.
    pub fn of(service: &str, devices: &[Arc<dyn Device>]) -> Result<Option<Self>, DeviceError> {
        let Some(claim) = claim(devices, service)? else {
            return Ok(None);
        };
        let mut held = Held::default();
        for device in devices {
            histories(device.as_ref(), service, &mut held)?;
        }
        for device in devices {
            segments(device.as_ref(), service, claim, &mut held)?;
        }
        let Some(newest) = held.segments.keys().next_back().copied() else {
            return Ok(None);
        };
        let history = held.histories.get(&newest).cloned();
        Ok(Some(Self {
            service: service.to_owned(),
            claim,
            history: history.unwrap_or_else(|| History::first(newest)),
            held,
            devices: devices.to_vec(),
        }))
    }

    /// The course of the newest timeline.
    #[must_use]
    pub fn course(&self) -> Course {
        Course {
            history: self.history.clone(),
            size: self.claim.segment_size,
            system_identifier: self.claim.system_identifier,
        }
    }

    /// The segment that holds the last byte of this number on the newest history.
    fn at(&self, number: u64) -> Segment {
        let size = self.claim.segment_size;
        let last = Lsn((number + 1).saturating_mul(size.bytes()) - 1);
        let timeline = self.history.timeline_at(last);
        Segment { timeline, number }
    }

    fn has(&self, number: u64) -> bool {
        let segment = self.at(number);
        let devices = self.held.segments.get(&segment.timeline);
        devices.is_some_and(|devices| devices.values().any(|held| held.contains(&number)))
    }

    /// The newest segments without a gap; not further back than the log of `since` asks.
    ///
    /// # Errors
    /// When a device fails.
    pub fn newest_run(&self, since: Option<Timestamp>) -> Result<Run, DeviceError> {
        let devices = self.held.segments.get(&self.history.timeline);
        let numbers = devices.into_iter().flat_map(BTreeMap::values).flatten();
        let newest = numbers.max().copied().unwrap_or(0);
        let mut first = newest;
        while first > 0 && self.has(first - 1) && !self.is_before(first, since)? {
            first -= 1;
        }
        let last_begins = self.at(newest).start(self.claim.segment_size);
        Ok(Run { first, last_begins })
    }

    /// The newest part of a run, of at most so many segments.
    #[must_use]
    pub fn at_most(&self, run: Run, segments: u64) -> Run {
        let last = run.last_begins.0 / self.claim.segment_size.bytes();
        let first = run.first.max((last + 1).saturating_sub(segments));
        Run { first, ..run }
    }

    /// Did all that a segment holds happen before?
    fn is_before(&self, number: u64, since: Option<Timestamp>) -> Result<bool, DeviceError> {
        let Some(since) = since else {
            return Ok(false);
        };
        let object = self.object(self.at(number));
        for device in &self.devices {
            match log::look(device.as_ref(), &object) {
                Ok(record) => return Ok(record.last_at < since),
                Err(DeviceError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn object(&self, segment: Segment) -> String {
        let from = segment.timeline.at(segment.start(self.claim.segment_size));
        name::log(
            &self.service,
            &self.claim.system_identifier.to_string(),
            &from,
        )
    }

    /// The bytes of a segment; none when no device holds it.
    ///
    /// # Errors
    /// When the last device that may hold it fails.
    pub fn segment(&self, segment: Segment) -> Result<Option<Vec<u8>>, DeviceError> {
        let object = self.object(segment);
        let mut failed = None;
        for device in &self.devices {
            match log::read_payload(device.as_ref(), &object) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(DeviceError::NotFound { .. }) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }
}

fn claim(devices: &[Arc<dyn Device>], service: &str) -> Result<Option<Claim>, DeviceError> {
    for device in devices {
        match archived::claim(device.as_ref(), service) {
            Ok(claim) => return Ok(Some(claim)),
            Err(DeviceError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn histories(device: &dyn Device, service: &str, held: &mut Held) -> Result<(), DeviceError> {
    let prefix = archived::file_name(service, "");
    for (object, _) in device.list(&prefix)? {
        let file = object
            .strip_prefix(&prefix)
            .unwrap_or("")
            .to_ascii_uppercase();
        let Some(timeline) = file.strip_suffix(".HISTORY") else {
            continue;
        };
        let damaged = |cause: FormatError| DeviceError::Damaged {
            device: device.name().to_owned(),
            object: object.clone(),
            detail: cause.to_string(),
        };
        let timeline: Timeline = timeline.parse().map_err(damaged)?;
        let text = archived::read(device, &object)?;
        let history = History::parse(timeline, &String::from_utf8_lossy(&text));
        held.histories.insert(timeline, history.map_err(damaged)?);
    }
    Ok(())
}

/// Names of segments say their timeline by a hash: likely ones are tried, of others a segment is
/// asked.
fn segments(
    device: &dyn Device,
    service: &str,
    claim: Claim,
    held: &mut Held,
) -> Result<(), DeviceError> {
    let newest = held
        .histories
        .keys()
        .next_back()
        .map_or(1, |one| one.number());
    let identity = claim.system_identifier.to_string();
    let likely =
        (1..=newest.saturating_add(BEYOND)).filter_map(|number| Timeline::new(number).ok());
    let chain = |timeline: Timeline| name::chain(&identity, &timeline.to_string());
    let mut chains: BTreeMap<String, Timeline> = likely.map(|one| (chain(one), one)).collect();
    let folder = format!("{}{}/", name::LOGS, name::escape(service));
    for (object, _) in device.list(&folder)? {
        let place = object
            .strip_prefix(&folder)
            .and_then(|it| it.split_once('/'));
        let Some((chain, Ok(position))) = place.map(|(chain, at)| (chain, at.parse::<u64>()))
        else {
            continue;
        };
        if !chains.contains_key(chain)
            && let Some(timeline) = asked(device, &object, &identity)?
        {
            chains.insert(chain.to_owned(), timeline);
        }
        let Some(timeline) = chains.get(chain) else {
            continue;
        };
        let devices = held.segments.entry(*timeline).or_default();
        let numbers = devices.entry(device.name().to_owned()).or_default();
        numbers.insert(position / claim.segment_size.bytes());
    }
    Ok(())
}

/// The timeline of a segment of this cluster, by what it says of itself; none when it cannot.
fn asked(
    device: &dyn Device,
    object: &str,
    identity: &str,
) -> Result<Option<Timeline>, DeviceError> {
    match log::look(device, object) {
        Ok(record) if record.identity == identity => Ok(record.from.incarnation.parse().ok()),
        Ok(_) | Err(DeviceError::Damaged { .. } | DeviceError::Sealed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

const POSITION: &str = concat!(
    "\
    select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() \
           else pg_current_wal_insert_lsn() end::text, ",
    timeline!(),
    ", \
           (select system_identifier from pg_control_system()), \
           (select setting::int8 from pg_settings where name = 'wal_segment_size')"
);

const KEPT: &str = "\
    select w.name from pg_ls_waldir() w left join pg_ls_archive_statusdir() s \
    on s.name = w.name || '.done' where s.name is null";

/// The last file that the archiver was done with; everybody may ask.
const DONE: &str = "\
    select last_archived_wal from pg_stat_archiver where current_setting('archive_mode') <> 'off'";

/// The segments behind the last one that was archived: a server lets go of none of them. None when
/// nothing of this timeline was archived yet: then only the one being written is known.
fn waiting(client: &mut Client, current: Segment, claim: Claim) -> Option<BTreeSet<Segment>> {
    let row = client.query_opt(DONE, &[]).ok()??;
    let last = archive::archived(row.get(0), claim.segment_size)?;
    let behind = current.number.checked_sub(last.number)?;
    if last.timeline != current.timeline || behind > MOST_WAITING {
        return None;
    }
    let numbers = last.number + 1..=current.number;
    let segment = |number| Segment { number, ..current };
    Some(numbers.map(segment).collect())
}

/// What the server still has to archive.
fn ask(spec: &PostgresSpec, claim: Claim) -> Result<Writing, EngineError> {
    let mut client = connect::open(&spec.service, &spec.connect)?;
    let what = || format!("ask {} how far its log reaches", spec.service);
    let row = client
        .query_one(POSITION, &[])
        .map_err(|error| refused(what(), &error))?;
    let wrong = |error: FormatError| error.of(what());
    let system = row.get::<_, i64>(2).cast_unsigned();
    let segments = u32::try_from(row.get::<_, i64>(3)).unwrap_or(0);
    let found = Claim {
        system_identifier: system,
        segment_size: SegmentSize::new(segments).map_err(wrong)?,
    };
    if found != claim {
        let cause = format!("it is {found}, the archive holds the log of {claim}");
        return Err(EngineError::refused(what(), cause));
    }
    let position = row
        .get::<_, Option<&str>>(0)
        .unwrap_or("0/0")
        .parse()
        .map_err(wrong)?;
    let number = u32::try_from(row.get::<_, i64>(1)).unwrap_or(0);
    let timeline = Timeline::new(number).map_err(wrong)?;
    let current = Segment::holding(timeline, position, claim.segment_size);
    let kept = client.query(KEPT, &[]).ok().map(|rows| {
        let files = rows
            .iter()
            .map(|row| WalFile::parse(row.get(0), claim.segment_size));
        let segments = files.filter_map(|file| match file {
            // the server makes files in advance
            Ok(WalFile::Segment(segment)) if segment <= current => Some(segment),
            _ => None,
        });
        segments.collect()
    });
    Ok(Writing {
        timeline,
        position,
        // a role without pg_monitor may not look
        kept: kept.or_else(|| waiting(&mut client, current, claim)),
        ends_within: archive::ends_within(&mut client, &spec.service)?,
        failing: archive::failing(&mut client, &spec.service)?,
    })
}

struct Exposure<'a> {
    service: &'a str,
    claim: Claim,
    devices: &'a [Arc<dyn Device>],
    required: &'a BTreeSet<String>,
    now: Timestamp,
}

impl Exposure<'_> {
    fn window(
        &self,
        timelines: &[TimelineProof],
        writing: Option<&Writing>,
    ) -> Result<Window, DeviceError> {
        let worst = self.worst(timelines)?;
        let Some(writing) = writing else {
            let worst_only = Window {
                worst,
                ..Window::default()
            };
            return Ok(worst_only);
        };
        let own = timelines
            .iter()
            .find(|one| one.timeline == writing.timeline);
        let until = own.and_then(|one| one.found_until(self.claim.segment_size));
        // a server that went back writes anew what the devices hold otherwise, and they refuse it
        let went_back = |until: &Lsn| writing.failing.is_some() && *until > writing.position;
        let Some(until) = until.filter(|until| !went_back(until)) else {
            return Ok(Window {
                worst,
                ..Window::default()
            });
        };
        let reached = self.with_tails(writing.timeline, until)?;
        let bytes = writing.position.0.saturating_sub(reached.0);
        // a segment that was just begun holds its header only
        let all_stored = bytes <= super::walfile::HEADER_BYTES as u64;
        let last = Segment::ending(writing.timeline, until, self.claim.segment_size);
        let newest = self.times(last)?.map(|(_, last_at, _)| last_at);
        Ok(Window {
            bytes_now: Some(if all_stored { 0 } else { bytes }),
            now: newest
                .filter(|_| !all_stored)
                .map(|at| self.now.duration_since(at)),
            worst,
        })
    }

    /// How far the log leads on every required device, pieces of the unfinished segment included.
    fn with_tails(&self, timeline: Timeline, until: Lsn) -> Result<Lsn, DeviceError> {
        let mut least: Option<Lsn> = None;
        for name in self.required {
            let Some(device) = self.devices.iter().find(|one| one.name() == name) else {
                return Ok(until);
            };
            let place = (timeline, until);
            let reached = tail::reach(device.as_ref(), self.service, self.claim, place)?;
            least = Some(least.map_or(reached, |least| least.min(reached)));
        }
        Ok(least.unwrap_or(until))
    }

    /// The longest time from the first commit in a segment to the moment when the last required
    /// device had it, over the segments that were stored within a day.
    fn worst(&self, timelines: &[TimelineProof]) -> Result<Option<SignedDuration>, DeviceError> {
        let mut worst = None;
        for proof in timelines.iter().rev() {
            for stretch in proof.stretches.iter().rev() {
                for number in (stretch.first..=stretch.last).rev() {
                    let segment = Segment {
                        timeline: proof.timeline,
                        number,
                    };
                    let Some((first, _, stored)) = self.times(segment)? else {
                        continue;
                    };
                    if self.now.duration_since(stored) > DAY {
                        return Ok(worst);
                    }
                    // the clocks of server and device may differ
                    let open = stored.duration_since(first).max(SignedDuration::ZERO);
                    worst = worst.max(Some(open));
                }
            }
        }
        Ok(worst)
    }

    /// First and last commit in a segment, and when the last required device had it; none when one
    /// has it not.
    fn times(
        &self,
        segment: Segment,
    ) -> Result<Option<(Timestamp, Timestamp, Timestamp)>, DeviceError> {
        let from = segment.timeline.at(segment.start(self.claim.segment_size));
        let identity = self.claim.system_identifier.to_string();
        let object = name::log(self.service, &identity, &from);
        let mut stored: Option<Timestamp> = None;
        let mut said = None;
        let required = self
            .devices
            .iter()
            .filter(|one| self.required.contains(one.name()));
        for device in required {
            match device.written_at(&object) {
                Ok(at) => stored = stored.max(at),
                Err(DeviceError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
            if said.is_none() {
                said = Some(log::look(device.as_ref(), &object)?);
            }
        }
        let (Some(record), Some(stored)) = (said, stored) else {
            return Ok(None);
        };
        Ok(Some((record.first_at, record.last_at, stored)))
    }
}

/// How many segments are in each state, over all timelines.
#[must_use]
pub fn counts(timelines: &[TimelineProof]) -> BTreeMap<chains::State, u64> {
    let mut counts = BTreeMap::new();
    for stretch in timelines.iter().flat_map(|one| &one.stretches) {
        *counts.entry(stretch.state).or_default() += stretch.last - stretch.first + 1;
    }
    counts
}
