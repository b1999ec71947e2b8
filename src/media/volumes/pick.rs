//! Owns the pick list: which volumes people carry, bring, label or take out of use. Pure: what is
//! known of the volumes and the calendar of the rotation come in.

use std::fmt;

use jiff::Timestamp;

use super::index::{Health, Limits, Place, Volume};

/// The rotation of a set, with what its calendar says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rota {
    /// Where volumes go.
    pub to: String,
    /// The last time they went.
    pub last: Option<Timestamp>,
    /// When they go today.
    pub today: Option<Timestamp>,
    /// After so many seconds they return; none: when nothing on them is needed.
    pub back_after: Option<i64>,
}

/// What is done with a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PickKind {
    /// It travels to its site today.
    Send,
    /// It should have travelled before.
    Overdue,
    /// It is on its way: somebody says when it arrived.
    Arrive,
    /// It comes back.
    Fetch,
    /// It gets its first label.
    Label,
    /// It is taken out of use: nothing lives on it.
    Retire,
    /// It should not be used any more, but holds objects that live.
    Copy,
}

impl PickKind {
    /// As data say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Overdue => "overdue",
            Self::Arrive => "arrive",
            Self::Fetch => "fetch",
            Self::Label => "label",
            Self::Retire => "retire",
            Self::Copy => "copy",
        }
    }
}

impl fmt::Display for PickKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// The volume.
    pub volume: String,
    /// What is done.
    pub kind: PickKind,
    /// The site that it is about.
    pub site: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// What is to be done at `now`, by volume.
#[must_use]
pub fn picks(volumes: &[Volume], rota: Option<&Rota>, limits: Limits, now: Timestamp) -> Vec<Pick> {
    let volumes = volumes.iter();
    volumes
        .filter_map(|volume| {
            let (kind, site, why) = pick(volume, rota, limits, now)?;
            Some(Pick {
                volume: volume.name.clone(),
                kind,
                site,
                why,
            })
        })
        .collect()
}

type Line = (PickKind, Option<String>, String);

fn pick(volume: &Volume, rota: Option<&Rota>, limits: Limits, now: Timestamp) -> Option<Line> {
    match &volume.place {
        Place::Lost | Place::Retired => None,
        Place::Transit(site) => {
            let why = format!("on its way to {site}; `planc media checkin` says when it arrived");
            Some((PickKind::Arrive, Some(site.clone()), why))
        }
        Place::Site(site) => fetch(volume, site, rota, now),
        Place::Library | Place::Shelf => here(volume, rota, limits),
    }
}

fn here(volume: &Volume, rota: Option<&Rota>, limits: Limits) -> Option<Line> {
    let line = |kind, why: &str| Some((kind, None, why.to_owned()));
    if volume.health == Health::Blank {
        return line(PickKind::Label, "it has no label yet");
    }
    if volume.is_worn(limits) && volume.live == 0 {
        return line(
            PickKind::Retire,
            "it had too many errors or was loaded too often, and holds nothing that is needed",
        );
    }
    if let Some(sent) = rota.and_then(|rota| send(volume, rota)) {
        return Some(sent);
    }
    if volume.health == Health::Suspect || volume.is_worn(limits) {
        return line(
            PickKind::Copy,
            "it takes nothing more, but holds objects; they go when they expire",
        );
    }
    None
}

/// A volume with objects travels when the calendar says so; one that was written before the last
/// time and is still here is late.
fn send(volume: &Volume, rota: &Rota) -> Option<Line> {
    if volume.live == 0 || !volume.health.is_own() {
        return None;
    }
    let site = Some(rota.to.clone());
    if let Some(at) = rota.today {
        return Some((PickKind::Send, site, format!("travels at {at}")));
    }
    let late = rota
        .last
        .zip(volume.begun)
        .filter(|(last, begun)| begun < last);
    late.map(|(last, _)| {
        (
            PickKind::Overdue,
            site,
            format!("should have gone at {last}"),
        )
    })
}

fn fetch(volume: &Volume, site: &str, rota: Option<&Rota>, now: Timestamp) -> Option<Line> {
    let fetch = |why: String| Some((PickKind::Fetch, Some(site.to_owned()), why));
    match rota.and_then(|rota| rota.back_after) {
        Some(seconds) => {
            let since = volume.since?;
            let due = since.checked_add(jiff::SignedDuration::from_secs(seconds));
            let due = due.ok().filter(|due| *due <= now)?;
            fetch(format!("due back since {due}"))
        }
        None if volume.live == 0 => fetch("all on it has expired".to_owned()),
        None => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn volume(place: Place, live: u64) -> Volume {
        let mut volume = Volume::new("v01", Health::Full);
        (volume.place, volume.live) = (place, live);
        volume.since = Some(at("2026-03-06T14:00:00Z"));
        volume.begun = Some(at("2026-03-02T01:00:00Z"));
        volume
    }

    fn rota(today: Option<&str>, back_after: Option<i64>) -> Rota {
        Rota {
            to: "dub".to_owned(),
            last: Some(at("2026-03-06T14:00:00Z")),
            today: today.map(at),
            back_after,
        }
    }

    fn kind(volume: Volume, rota: &Rota, now: &str) -> Option<PickKind> {
        let limits = Limits::default();
        let picked = picks(&[volume], Some(rota), limits, at(now));
        picked.first().map(|pick| pick.kind)
    }

    #[test]
    fn what_holds_objects_travels_on_its_day_and_is_late_after_it() {
        let friday = rota(Some("2026-03-13T14:00:00Z"), None);
        let now = "2026-03-13T08:00:00Z";
        assert_eq!(
            kind(volume(Place::Library, 5), &friday, now),
            Some(PickKind::Send)
        );
        assert_eq!(kind(volume(Place::Library, 0), &friday, now), None);
        let monday = rota(None, None);
        let now = "2026-03-09T08:00:00Z";
        assert_eq!(
            kind(volume(Place::Library, 5), &monday, now),
            Some(PickKind::Overdue)
        );
        let mut fresh = volume(Place::Library, 5);
        fresh.begun = Some(at("2026-03-08T01:00:00Z"));
        assert_eq!(kind(fresh, &monday, now), None);
    }

    #[test]
    fn volumes_return_when_their_time_is_over_or_all_has_expired() {
        let there = || Place::Site("dub".to_owned());
        let week = rota(None, Some(7 * 86_400));
        assert_eq!(
            kind(volume(there(), 5), &week, "2026-03-13T13:59:59Z"),
            None
        );
        let back = kind(volume(there(), 5), &week, "2026-03-13T14:00:00Z");
        assert_eq!(back, Some(PickKind::Fetch));
        let expired = rota(None, None);
        let now = "2030-01-01T00:00:00Z";
        assert_eq!(kind(volume(there(), 5), &expired, now), None);
        assert_eq!(
            kind(volume(there(), 0), &expired, now),
            Some(PickKind::Fetch)
        );
    }

    #[test]
    fn a_worn_volume_is_retired_when_nothing_needs_it() {
        let rota = rota(None, None);
        let now = "2026-03-06T15:00:00Z";
        let mut worn = volume(Place::Library, 0);
        worn.write_errors = 3;
        assert_eq!(kind(worn.clone(), &rota, now), Some(PickKind::Retire));
        worn.live = 1;
        worn.begun = None;
        assert_eq!(kind(worn, &rota, now), Some(PickKind::Copy));
    }
}
