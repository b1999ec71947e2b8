//! Owns which databases a restore of some of them may name: those that the newest part tells of.

use super::context::Context;
use super::message::StepFailure;
use super::open::OpenError;
use crate::graph::step::StepKind;
use crate::media::manifest::Manifest;
use crate::media::part::{self, Replaced};

/// Refuses a copy that stays when a database that is wanted is unknown to its newest part. What is
/// taken out of a copy may come with its log. A manifest that cannot be read is left to the run.
///
/// # Errors
/// [`OpenError::Choice`].
pub(super) fn check(kinds: &[&StepKind], context: &Context) -> Result<(), OpenError> {
    for kind in kinds {
        let StepKind::PrepareTarget {
            service,
            target,
            only,
            ..
        } = kind
        else {
            continue;
        };
        if only.is_empty() || !is_published(kinds, target) {
            continue;
        }
        let found = newest(kinds.iter().copied(), target, context);
        let engine = context.engines.get(service);
        if let (Ok(Some((manifest, _))), Some(engine)) = (found, engine) {
            let judged = engine.check_databases(only, &manifest.ended);
            judged.map_err(OpenError::Choice)?;
        }
    }
    Ok(())
}

fn is_published(kinds: &[&StepKind], copy: &str) -> bool {
    let publishes =
        |kind: &&StepKind| matches!(kind, StepKind::Publish { target, .. } if target == copy);
    kinds.iter().any(publishes)
}

/// The newest part that a copy is made of, and what was replaced to read it; none when it is made
/// of none.
///
/// # Errors
/// When its manifest can be read on no device.
pub(super) fn newest<'k>(
    kinds: impl Iterator<Item = &'k StepKind>,
    copy: &str,
    context: &Context,
) -> Result<Option<(Manifest, Vec<Replaced>)>, StepFailure> {
    let parts = kinds.filter_map(|kind| match kind {
        StepKind::FetchPart {
            part, from, target, ..
        } => (target == copy).then_some((part, from)),
        _ => None,
    });
    // they come from the oldest to the newest
    let Some((part, from)) = parts.last() else {
        return Ok(None);
    };
    let found = part::load_any(part, &context.holders(from)?)?;
    Ok(Some(found))
}
