//! Owns what people do with volumes: labels, handing out, taking in.

use std::io::Write as _;

use super::{SetArgs, device_error, one_set};
use crate::cli::exit::{CliError, Exit};
use crate::cli::site::Site;
use crate::media::DeviceError;
use crate::media::volumes::{Place, VolumeDevice};

/// Labels volumes.
pub(super) fn label(volumes: &[String], args: &SetArgs) -> Result<Exit, CliError> {
    let now = args.now.now();
    each(volumes, args, "labelled", |set, volume| {
        set.relabel(volume, now)
    })
}

/// Hands volumes out.
pub(super) fn check_out(
    volumes: &[String],
    to: Option<&str>,
    args: &SetArgs,
) -> Result<Exit, CliError> {
    let (site, device) = one_set(args)?;
    let to = match to {
        Some(word) => place(&site, word)?,
        None => rotation(&site, device.name())?,
    };
    let said = handed_out(&to, device.name());
    let now = args.now.now();
    work(&site, device.as_ref(), volumes, &said, |set, volume| {
        set.check_out(volume, to.clone(), now)
    })
}

/// What is said of a volume that went. What the catalog counts on is judged by reading only.
fn handed_out(to: &Place, device: &str) -> String {
    if to.is_forever() {
        return format!(
            "handed out, {to}; `planc verify --level exists --device {device}` tells what is \
             missing now, and the next run copies it from other devices"
        );
    }
    format!("handed out, {to}")
}

/// Takes volumes in.
pub(super) fn check_in(
    volumes: &[String],
    at: Option<&str>,
    args: &SetArgs,
) -> Result<Exit, CliError> {
    let (site, device) = one_set(args)?;
    let at = match at {
        None | Some("library") => Place::Library,
        Some(word) => match place(&site, word)? {
            Place::Transit(site) => Place::Site(site),
            other => other,
        },
    };
    let said = at.to_string();
    let now = args.now.now();
    work(&site, device.as_ref(), volumes, &said, |set, volume| {
        set.check_in(volume, &at, now)
    })
}

/// A place as people write it; a site is reached by travelling.
fn place(site: &Site, word: &str) -> Result<Place, CliError> {
    match word {
        "shelf" => return Ok(Place::Shelf),
        "lost" => return Ok(Place::Lost),
        "retired" => return Ok(Place::Retired),
        _ => {}
    }
    let sites = &site.plan.plan().sites;
    if sites.contains_key(word) {
        return Ok(Place::Transit(word.to_owned()));
    }
    let names: Vec<&str> = sites.keys().map(String::as_str).collect();
    let error = CliError::refused(format!("`{word}` is no place for a volume"));
    Err(error.help(format!(
        "places are shelf, lost, retired and the sites {}",
        names.join(", ")
    )))
}

fn rotation(site: &Site, device: &str) -> Result<Place, CliError> {
    let plan = site.plan.plan();
    let device = plan.find_device(device).map(|id| plan.device(id));
    let rotation = device.and_then(|device| device.rotate.as_ref());
    let rotation = rotation.ok_or_else(|| {
        CliError::refused("the plan does not rotate this volume set, so it is not said where to")
            .help("add `--to SITE`, `--to shelf`, `--to lost` or `--to retired`")
    })?;
    Ok(Place::Transit(rotation.to.clone()))
}

fn each(
    volumes: &[String],
    args: &SetArgs,
    said: &str,
    act: impl FnMut(&VolumeDevice, &str) -> Result<(), DeviceError>,
) -> Result<Exit, CliError> {
    let (site, device) = one_set(args)?;
    work(&site, device.as_ref(), volumes, said, act)
}

/// Does the same with each volume; the first that fails ends it.
fn work(
    _held: &Site,
    device: &dyn crate::media::Device,
    volumes: &[String],
    said: &str,
    mut act: impl FnMut(&VolumeDevice, &str) -> Result<(), DeviceError>,
) -> Result<Exit, CliError> {
    let mut out = std::io::stdout().lock();
    for volume in volumes {
        if let Some(set) = device.volume_set() {
            act(set, volume).map_err(device_error)?;
            writeln!(out, "{volume}: {said}")?;
        }
    }
    Ok(Exit::Ok)
}
