//! Owns the look at free space before a run: what will be written against what is left. A device
//! without room is gone around while another takes copies; a run that fits nowhere is refused
//! before anything changes. Devices and restores on one file system count together.

use std::collections::BTreeMap;
use std::path::Path;

use super::context::{Context, service_of};
use super::open::OpenError;
use crate::engine::EngineError;
use crate::graph::step::{Step, StepKind};
use crate::media::Space;
use crate::quantity::Bytes;
use crate::resolve::plan::{Codec, Method};

/// What is taken of a component that was never copied, when it is compressed: so little that
/// only a hopeless copy is refused.
const LEAST_SHARE: f64 = 0.1;

/// What is to be written to one file system.
struct Need {
    space: Space,
    /// What is written there, for people.
    names: Vec<String>,
    /// Devices among them.
    devices: Vec<String>,
    bytes: u64,
}

impl Need {
    fn error(&self) -> OpenError {
        OpenError::Space {
            place: self.names.join(", "),
            free: Bytes(self.space.free),
            needed: Bytes(self.bytes),
        }
    }
}

/// Whether a target is written over where it stands: how much it takes is not known before.
fn is_standing(steps: &[&Step], of: &str) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::PrepareDelta { target, .. } => target == of,
        StepKind::PrepareInPlace { target, files, .. } => target == of && !files.is_empty(),
        _ => false,
    })
}

/// Gives up devices that have less room than the steps will write to them, as far as known. What
/// retention deletes there goes on.
///
/// # Errors
/// [`OpenError::Space`] when a restored copy does not fit, or no device is left that takes copies.
pub(super) fn check(steps: &[&Step], context: &Context) -> Result<(), OpenError> {
    let mut needs: BTreeMap<u64, Need> = BTreeMap::new();
    for step in steps {
        match &step.kind {
            StepKind::CopyPart { devices, .. } => {
                if let Some(bytes) = copied(step, context) {
                    for name in devices {
                        on_device(&mut needs, context, name, bytes)?;
                    }
                }
            }
            StepKind::MergeStored {
                component, devices, ..
            } => {
                let bytes = step.estimate.bytes.unwrap_or(0);
                let bytes = by_share(component, bytes, 1.0, context);
                for name in devices {
                    on_device(&mut needs, context, name, bytes)?;
                }
            }
            StepKind::CopyStored { to, .. } => {
                on_device(&mut needs, context, to, step.estimate.bytes.unwrap_or(0))?;
            }
            StepKind::FetchPart { target, .. } if !is_standing(steps, target) => {
                let bytes = step.estimate.bytes.unwrap_or(0);
                let space = below(Path::new(target)).map_err(OpenError::Target)?;
                add(&mut needs, space, format!("the folder of {target}"), bytes);
            }
            _ => {}
        }
    }
    let short = needs.into_values();
    let short: Vec<Need> = short.filter(|need| need.bytes > need.space.free).collect();
    let is_short = |name: &String| short.iter().any(|need| need.devices.contains(name));
    let mut written = steps.iter().flat_map(|step| written(&step.kind));
    let takes = |name: &String| context.devices.contains_key(name) && !is_short(name);
    let some_device = written.any(takes);
    for need in &short {
        let error = need.error();
        if need.devices.len() < need.names.len() || !some_device {
            return Err(error);
        }
        for device in &need.devices {
            let cause = format!("{error}; free space there, or shorten `retain`");
            context.dropped.add(device, cause);
        }
    }
    Ok(())
}

/// The devices that a step stores copies on.
fn written(kind: &StepKind) -> &[String] {
    match kind {
        StepKind::CopyPart { devices, .. } | StepKind::MergeStored { devices, .. } => devices,
        StepKind::CopyStored { to, .. } => std::slice::from_ref(to),
        _ => &[],
    }
}

fn on_device(
    needs: &mut BTreeMap<u64, Need>,
    context: &Context,
    name: &str,
    bytes: u64,
) -> Result<(), OpenError> {
    let device = context.devices.get(name);
    let space = device.map(|device| device.space()).transpose()?.flatten();
    if let Some(space) = space {
        let need = add(needs, space, format!("device {name}"), bytes);
        if !need.devices.contains(&name.to_owned()) {
            need.devices.push(name.to_owned());
        }
    }
    Ok(())
}

fn add(needs: &mut BTreeMap<u64, Need>, space: Space, name: String, bytes: u64) -> &mut Need {
    let need = needs.entry(space.place).or_insert_with(|| Need {
        space,
        names: Vec::new(),
        devices: Vec::new(),
        bytes: 0,
    });
    need.bytes = need.bytes.saturating_add(bytes);
    if !need.names.contains(&name) {
        need.names.push(name);
    }
    need
}

/// What a full copy will take on each device.
fn copied(step: &Step, context: &Context) -> Option<u64> {
    let StepKind::CopyPart {
        component,
        method,
        codec,
        ..
    } = &step.kind
    else {
        return None;
    };
    if matches!(
        method,
        Method::PhysicalIncremental | Method::PhysicalDifferential
    ) {
        return None;
    }
    let measured = || {
        context
            .engines
            .get(service_of(component))?
            .size(component)
            .ok()
    };
    let size = step.estimate.bytes.or_else(measured)?;
    let unknown = if *codec == Codec::None {
        1.0
    } else {
        LEAST_SHARE
    };
    Some(by_share(component, size, unknown, context))
}

/// What a part will take on each device: its size by the share that the component's last copy took,
/// or by `unknown` when there is none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate of something positive"
)]
fn by_share(component: &str, size: u64, unknown: f64, context: &Context) -> u64 {
    let share = context.shares.get(component).copied().unwrap_or(unknown);
    (size as f64 * share) as u64
}

/// Room where a restored copy is built: beside its target.
fn below(target: &Path) -> Result<Space, EngineError> {
    let mut above = target.ancestors().skip(1);
    let folder = above.find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let look = || -> rustix::io::Result<Space> {
        let room = rustix::fs::statvfs(folder)?;
        Ok(Space {
            free: room.f_bavail.saturating_mul(room.f_frsize),
            place: rustix::fs::stat(folder)?.st_dev,
        })
    };
    look().map_err(|error| EngineError::io("examine", folder)(error.into()))
}
