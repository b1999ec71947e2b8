//! Owns where something lies: on which volumes, in the order in which they are loaded, and on which
//! other devices.

use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::{Look, sets};
use crate::cli::exit::{CliError, Exit};
use crate::cli::list::Form;
use crate::facts::holdings::Holdings;
use crate::media::volumes::Located;
use crate::media::{Device, DeviceError};
use crate::quantity::Bytes;
use crate::report::columns::columns;
use crate::run;

/// Something that was asked for.
struct Found {
    object: String,
    /// Devices that hold it.
    devices: Vec<String>,
}

/// Tells where something lies.
pub(super) fn locate(name: &str, look: &Look) -> Result<Exit, CliError> {
    let (site, sets) = sets(look)?;
    let found = found(name, &site.holdings()?);
    let mut rows = Vec::new();
    for one in &found {
        for set in &sets {
            rows.extend(pieces(one, set).map_err(super::device_error)?);
        }
    }
    if rows.is_empty() {
        for set in &sets {
            rows.extend(raw(name, set));
        }
    }
    let others = elsewhere(&found, &sets);
    if rows.is_empty() && others.is_empty() {
        let error = CliError::refused(format!("no copy of `{name}` is known"));
        return Err(error.help("`planc list` shows services, components and parts"));
    }
    let text = match look.format {
        Form::Human => human(&rows, &others),
        Form::Json => format!("{:#}\n", value(&rows, &others)),
    };
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Ok)
}

/// The stored parts and ranges of log that a name stands for.
fn found(name: &str, holdings: &Holdings) -> Vec<Found> {
    let is = |component: &str| component == name || component.split('/').next() == Some(name);
    let parts = holdings.parts.iter();
    let parts = parts.filter(|part| part.part == name || is(&part.component));
    let parts = parts.map(|part| Found {
        object: part.part.clone(),
        devices: part.devices.clone(),
    });
    let logs = holdings.logs.iter();
    let logs = logs.filter(|log| log.log == name || log.service == name);
    let logs = logs.map(|log| Found {
        object: log.log.clone(),
        devices: log.devices.clone(),
    });
    parts.chain(logs).collect()
}

type Row = (String, Located);

fn pieces(found: &Found, set: &Arc<dyn Device>) -> Result<Vec<Row>, DeviceError> {
    let holds = found.devices.iter().any(|device| device == set.name());
    let Some(volumes) = set.volume_set().filter(|_| holds) else {
        return Ok(Vec::new());
    };
    let objects = run::made_of(&found.object, set.as_ref())?;
    let located = volumes.locate(&objects).into_iter();
    Ok(located.map(|one| (found.object.clone(), one)).collect())
}

/// An object by its name on the device.
fn raw(name: &str, set: &Arc<dyn Device>) -> Vec<Row> {
    let located = set.volume_set().map(|set| set.locate(&[name.to_owned()]));
    let located = located.unwrap_or_default().into_iter();
    located.map(|one| (name.to_owned(), one)).collect()
}

/// Copies on devices that are no volume sets.
fn elsewhere(found: &[Found], sets: &[Arc<dyn Device>]) -> Vec<(String, Vec<String>)> {
    let is_set = |name: &String| sets.iter().any(|set| set.name() == name);
    let others = found.iter().map(|one| {
        let devices = one.devices.iter().filter(|name| !is_set(name));
        (one.object.clone(), devices.cloned().collect::<Vec<_>>())
    });
    others.filter(|(_, devices)| !devices.is_empty()).collect()
}

fn human(rows: &[Row], others: &[(String, Vec<String>)]) -> String {
    let mut text = String::new();
    let head = ["COPY", "VOLUME", "FILE", "SIZE", "PLACE", "OBJECT"];
    let cells = rows.iter().map(|(copy, one)| {
        [
            copy.clone(),
            one.volume.clone(),
            one.file.to_string(),
            Bytes(one.bytes).to_string(),
            one.place.to_string(),
            one.object.clone(),
        ]
    });
    columns(&mut text, head, cells);
    let cells = others
        .iter()
        .map(|(copy, devices)| [copy.clone(), devices.join(", ")]);
    columns(&mut text, ["COPY", "ALSO ON"], cells);
    text
}

fn value(rows: &[Row], others: &[(String, Vec<String>)]) -> serde_json::Value {
    let volumes = rows.iter().map(|(copy, one)| {
        json!({
            "copy": copy,
            "object": one.object,
            "volume": one.volume,
            "file": one.file,
            "bytes": one.bytes,
            "place": one.place,
        })
    });
    let others = others
        .iter()
        .map(|(copy, devices)| json!({"copy": copy, "devices": devices}));
    json!({
        "format": "planc-locate/1",
        "volumes": volumes.collect::<Vec<_>>(),
        "elsewhere": others.collect::<Vec<_>>(),
    })
}
