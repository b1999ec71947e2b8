//! Owns what `for each` runs over, and whether it is about as many as expected (P1105).

use std::collections::BTreeMap;

use super::cx::Cx;
use super::filter::{Filters, service_label};
use super::plan::{ComponentId, DeviceId, ServiceId};
use super::selector::{component_kind, word_of};
use super::vars::Bound;
use super::world::World;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{ForEach, ForEachPart, Kind, Word};

/// What a loop runs over.
pub(super) fn things(cx: &mut Cx<'_, '_>, each: &ForEach) -> Vec<Bound> {
    let world = cx.world;
    match each.kind {
        Kind::Service => cx
            .every_service(&each.filters)
            .into_iter()
            .map(Bound::Service)
            .collect(),
        Kind::Site => {
            let filters = cx.filter(&each.filters);
            let names = world.plan.sites.keys();
            let names = names.filter(|name| filters.keeps(name, |_| None));
            names.map(|name| Bound::Site(name.clone())).collect()
        }
        Kind::Device => {
            let filters = cx.filter(&each.filters);
            let devices = world.plan.devices.iter().enumerate();
            let devices = devices.filter(|(_, device)| {
                filters.keeps(&device.name, |label| match label {
                    "kind" => Some(device.kind.word()),
                    "site" => device.site.as_deref(),
                    "host" => device.host.as_deref(),
                    _ => None,
                })
            });
            let id = |at| Bound::Device(DeviceId::from_index(at));
            devices.map(|(at, _)| id(at)).collect()
        }
        kind => {
            if component_kind(kind).is_some() {
                parts(cx, each, kind)
            } else {
                let message = format!("no inventory lists each {}", word_of(kind));
                cx.refuse(
                    202,
                    message,
                    each.head,
                    "loop over services, devices, sites or parts",
                );
                Vec::new()
            }
        }
    }
}

/// Components: of one service, or of all.
fn parts(cx: &mut Cx<'_, '_>, each: &ForEach, kind: Kind) -> Vec<Bound> {
    let world = cx.world;
    let wanted = component_kind(kind);
    let service = match &each.scope {
        Some(reference) => match cx.reference_service(reference) {
            Some(id) => Some(id),
            None => return Vec::new(),
        },
        None => None,
    };
    let filters = cx.filter(&each.filters);
    let plan = &world.plan;
    let all = (0..plan.components.len()).map(ComponentId::from_index);
    let all = all.filter(|id| {
        let part = plan.component(*id);
        Some(part.kind) == wanted
            && service.is_none_or(|service| service == part.service)
            && filters.keeps(&part.name, |label| service_label(plan, part.service, label))
    });
    all.map(Bound::Component).collect()
}

/// P1105: a loop that ran over too few or too many.
pub(super) fn expect(
    cx: &mut Cx<'_, '_>,
    each: &ForEach,
    found: usize,
    from: &Word,
    to: &Word,
    span: Span,
) {
    let bound = |word: &Word| word.text.parse::<usize>().ok();
    let (Some(least), Some(most)) = (bound(from), bound(to)) else {
        return cx.refuse(
            307,
            "`expect` needs whole numbers",
            span,
            "write `expect 900..1100`",
        );
    };
    if least > most {
        return cx.refuse(
            307,
            "this range is empty",
            span,
            format!("write `expect {most}..{least}`"),
        );
    }
    if (least..=most).contains(&found) || cx.world.unsure {
        return;
    }
    let range = cx
        .world
        .sources
        .text(span)
        .trim_start_matches("expect")
        .trim()
        .to_owned();
    let kind = word_of(each.kind);
    let things = if found == 1 || kind.ends_with('s') {
        kind.to_owned()
    } else {
        format!("{kind}s")
    };
    let message = format!(
        "{} matched {found} {things}; {range} expected",
        subject(each)
    );
    let filters = cx.filter(&each.filters);
    let near = nearest_label(cx.world, &filters).filter(|_| found < least);
    let near = near
        .map(|near| format!("; nearest: {near}"))
        .unwrap_or_default();
    cx.push(
        Diagnostic::new(Code(1105), message, span, "")
            .label(each.head, "what it runs over")
            .help(format!("check the labels in the inventory{near}"))
            .subject(each.var.text.clone()),
    );
}

/// The policies that a loop applies, or the loop itself.
fn subject(each: &ForEach) -> String {
    let applied = each.body.iter().filter_map(|part| match part {
        ForEachPart::Apply(apply) => Some(apply.policy.text.as_str()),
        _ => None,
    });
    let applied: Vec<&str> = applied.collect();
    if applied.is_empty() {
        "this loop".to_owned()
    } else {
        applied.join(", ")
    }
}

/// A label value that is written slightly differently, with how many services have it.
fn nearest_label(world: &World<'_>, filters: &Filters<'_>) -> Option<String> {
    let plan = &world.plan;
    for (label, wanted) in filters.conditions() {
        let mut values: BTreeMap<&str, usize> = BTreeMap::new();
        for at in 0..plan.services.len() {
            let value = service_label(plan, ServiceId::from_index(at), label);
            if let Some(value) = value {
                *values.entry(value).or_default() += 1;
            }
        }
        let others = values.keys().copied().filter(|value| value != wanted);
        if let Some(near) = crate::similar::nearest(wanted, others) {
            return Some(format!("{label} `{near}` ({})", values[near]));
        }
    }
    None
}
