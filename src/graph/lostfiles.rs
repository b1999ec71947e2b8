//! Owns what the operator says of lost files: to which part of a PostgreSQL service each belongs.

use super::error::GraphError;
use super::place::InPlace;
use super::whole;
use super::world::World;
use crate::resolve::plan::{ComponentId, ComponentKind, ServiceId};

/// Stands between two files.
const AND: char = '+';

/// Reads `base/5/16384:7,9-12+global/1260` or `hot/PG_15_202209061/5/16400`: a path below the data
/// directory, or below a tablespace or database that is copied apart, by its name.
///
/// # Errors
/// When nothing is named, or files of more than one part.
pub(super) fn read(
    world: &World<'_>,
    service: ServiceId,
    text: &str,
) -> Result<InPlace, GraphError> {
    let parts = whole::components(world, service);
    let mut found: Option<InPlace> = None;
    for piece in text.split(AND).map(str::trim) {
        let (component, path) = part_of(world, &parts, piece)?;
        let lost = found.get_or_insert_with(|| InPlace::new(component, None));
        if lost.component != component {
            return Err(GraphError::new(
                format!("`{text}` names files of more than one part"),
                "put back the files of one part, then those of the next",
            ));
        }
        lost.files.push(path.to_owned());
    }
    found.ok_or_else(|| empty(text))
}

/// The part that a file belongs to, and its path there.
fn part_of<'t>(
    world: &World<'_>,
    parts: &[ComponentId],
    piece: &'t str,
) -> Result<(ComponentId, &'t str), GraphError> {
    let (first, rest) = piece.split_once('/').ok_or_else(|| empty(piece))?;
    let apart = parts.iter().find(|id| {
        let component = world.plan.component(**id);
        component.kind != ComponentKind::Base && component.name == first
    });
    if let Some(id) = apart {
        return Ok((*id, rest));
    }
    let base = parts
        .iter()
        .find(|id| world.plan.component(**id).kind == ComponentKind::Base);
    let base = base.ok_or_else(|| {
        GraphError::new(
            format!("no backup copies the base that `{piece}` lies in"),
            "write `backup … of base { physical full … }` and run it",
        )
    })?;
    Ok((*base, piece))
}

fn empty(text: &str) -> GraphError {
    GraphError::new(
        format!("`{text}` names no file of a cluster"),
        "write its path below the data directory, such as `base/5/16384`, with the blocks that \
         are damaged, such as `base/5/16384:7,9-12`",
    )
}
