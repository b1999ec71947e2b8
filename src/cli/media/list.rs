//! Owns what is told of volumes: places, fill, errors, and the pick list of the day.

use std::fmt::Write as _;
use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Look, sets};
use crate::cli::exit::{CliError, Exit};
use crate::cli::list::Form;
use crate::estimate::calendar::Calendar;
use crate::media::volumes::{Pick, Rota, Volume, VolumeDevice, picks};
use crate::quantity::Bytes;
use crate::report::columns::columns;
use crate::resolve::plan::ResolvedPlan;

/// A set with what is to be done.
struct Shown {
    device: String,
    volumes: Vec<(Volume, bool)>,
    picks: Vec<Pick>,
    worn: Vec<String>,
}

/// Lists volumes and the pick list.
pub(super) fn list(look: &Look) -> Result<Exit, CliError> {
    let text = told(look, |shown| {
        let mut text = String::new();
        let rows = shown
            .volumes
            .iter()
            .map(|(volume, here)| cells(volume, *here));
        let head = [
            "VOLUME", "STATE", "PLACE", "SINCE", "WRITTEN", "NEEDED", "FILES", "MOUNTS",
        ];
        columns(&mut text, head, rows);
        text.push_str(&pick_list(&shown.picks));
        text
    })?;
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Ok)
}

/// Lists errors; exit 1 when a volume should not be used any more.
pub(super) fn errors(look: &Look) -> Result<Exit, CliError> {
    let mut worn = false;
    let text = told(look, |shown| {
        worn |= !shown.worn.is_empty();
        let mut text = String::new();
        let head = [
            "VOLUME",
            "STATE",
            "WRITE ERRORS",
            "READ ERRORS",
            "MOUNTS",
            "ADVICE",
        ];
        let rows = shown.volumes.iter().map(|(volume, _)| {
            let is_worn = shown.worn.contains(&volume.name);
            [
                volume.name.clone(),
                volume.health.to_string(),
                volume.write_errors.to_string(),
                volume.read_errors.to_string(),
                volume.mounts.to_string(),
                advice(volume, is_worn).to_owned(),
            ]
        });
        columns(&mut text, head, rows);
        text
    })?;
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(if worn { Exit::Findings } else { Exit::Ok })
}

fn advice(volume: &Volume, is_worn: bool) -> &'static str {
    match (is_worn, volume.live) {
        (true, 0) => "retire it: `planc media checkout VOLUME --to retired`",
        (true, _) => "retire it when what it holds has expired",
        (false, _) => "",
    }
}

/// All sets that are looked at, in the form that is asked for.
fn told(look: &Look, mut human: impl FnMut(&Shown) -> String) -> Result<String, CliError> {
    let (site, sets) = sets(look)?;
    let now = look.now.now();
    let shown = sets.iter().filter_map(|device| {
        let set = device.volume_set()?;
        Some(shown(site.plan.plan(), device.name(), set, now))
    });
    let shown: Vec<Shown> = shown.collect();
    let mut text = String::new();
    for one in &shown {
        let human = human(one);
        if shown.len() > 1 {
            // writing to a String cannot fail
            let _ = writeln!(text, "{}:", one.device);
        }
        text.push_str(&human);
    }
    Ok(match look.format {
        Form::Human if shown.is_empty() => "the plan has no volume set\n".to_owned(),
        Form::Human => text,
        Form::Json => {
            let sets: Vec<Value> = shown.iter().map(value).collect();
            format!("{:#}\n", json!({"format": "planc-media/1", "sets": sets}))
        }
    })
}

fn shown(plan: &ResolvedPlan, name: &str, set: &VolumeDevice, now: Timestamp) -> Shown {
    let volumes = set.volumes();
    let limits = set.limits();
    let rota = rota(plan, name, now);
    Shown {
        device: name.to_owned(),
        picks: picks(&volumes, rota.as_ref(), limits, now),
        worn: volumes
            .iter()
            .filter(|volume| volume.is_worn(limits))
            .map(|volume| volume.name.clone())
            .collect(),
        volumes: volumes
            .into_iter()
            .map(|volume| {
                let here = set.is_present(&volume.name);
                (volume, here)
            })
            .collect(),
    }
}

/// The rotation of a set at a moment.
fn rota(plan: &ResolvedPlan, device: &str, now: Timestamp) -> Option<Rota> {
    let device = plan.device(plan.find_device(device)?);
    let rotation = device.rotate.as_ref()?;
    let calendar = Calendar::of(plan)?;
    let today = calendar.slot_on(&rotation.schedule, calendar.date(now));
    Some(Rota {
        to: rotation.to.clone(),
        last: calendar
            .latest(&rotation.schedule, now)
            .map(|slot| slot.start),
        today: today.map(|slot| slot.start),
        back_after: rotation
            .back_after
            .map(|span| i64::try_from(span.0 / 1000).unwrap_or(i64::MAX)),
    })
}

fn cells(volume: &Volume, here: bool) -> [String; 8] {
    let place = match (&volume.place, here) {
        (crate::media::volumes::Place::Library, false) => "missing from the library".to_owned(),
        (place, _) => place.to_string(),
    };
    [
        volume.name.clone(),
        volume.health.to_string(),
        place,
        volume
            .since
            .map_or_else(String::new, |at| format!("{at:.0}")),
        Bytes(volume.used).to_string(),
        Bytes(volume.live).to_string(),
        volume.files.to_string(),
        volume.mounts.to_string(),
    ]
}

fn pick_list(picks: &[Pick]) -> String {
    if picks.is_empty() {
        return "nothing is to be carried, brought or labelled today\n".to_owned();
    }
    let mut text = "today:\n".to_owned();
    for pick in picks {
        let site = match (&pick.site, pick.kind.word()) {
            (Some(site), "fetch") => format!(" from {site}"),
            (Some(site), _) => format!(" to {site}"),
            (None, _) => String::new(),
        };
        // writing to a String cannot fail
        let _ = writeln!(text, "  {} {}{site}: {}", pick.kind, pick.volume, pick.why);
    }
    text
}

fn value(shown: &Shown) -> Value {
    let volumes = shown.volumes.iter().map(|(volume, here)| {
        json!({
            "volume": volume.name,
            "state": volume.health,
            "place": volume.place,
            "in_library": here,
            "since": volume.since,
            "labelled": volume.labelled,
            "bytes": volume.used,
            "needed_bytes": volume.live,
            "files": volume.files,
            "mounts": volume.mounts,
            "write_errors": volume.write_errors,
            "read_errors": volume.read_errors,
            "worn": shown.worn.contains(&volume.name),
        })
    });
    let picks = shown.picks.iter().map(|pick| {
        json!({
            "volume": pick.volume,
            "do": pick.kind.word(),
            "site": pick.site,
            "why": pick.why,
        })
    });
    json!({
        "device": shown.device,
        "volumes": volumes.collect::<Vec<_>>(),
        "today": picks.collect::<Vec<_>>(),
    })
}
