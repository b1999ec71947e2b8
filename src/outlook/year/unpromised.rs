//! Owns the losses about which a plan promises nothing, in the form of promises without a limit,
//! so that they can be played as well. Must not judge.

use crate::check::proof::{Outcome, Row, Unit};
use crate::resolve::plan::{LossKind, ResolvedPlan, Service};

/// A row for each service that is backed up, each kind of loss and each of work and time, where
/// no row is there yet.
#[must_use]
pub fn unpromised(plan: &ResolvedPlan, rows: &[&Row]) -> Vec<Row> {
    let mut kinds = vec![
        LossKind::Disk,
        LossKind::Host,
        LossKind::Site(None),
        LossKind::HumanError,
        LossKind::Corruption,
    ];
    let devices = plan.devices.iter().map(|device| device.name.clone());
    kinds.extend(devices.map(|name| LossKind::Device(Some(name))));
    let kept = plan.backups.iter().flat_map(|backup| &backup.targets);
    let kept: std::collections::BTreeSet<_> = kept.map(|id| plan.component(*id).service).collect();
    let mut all = Vec::new();
    for service in kept.into_iter().map(|id| plan.service(id)) {
        for kind in &kinds {
            for claim in ["rpo", "rto"] {
                let there = rows.iter().any(|row| {
                    let same = row.loss.as_ref() == Some(kind);
                    same && row.claim == claim && row.service == service.name
                });
                if !there {
                    all.push(row(plan, service, kind, claim));
                }
            }
        }
    }
    all
}

fn row(plan: &ResolvedPlan, service: &Service, kind: &LossKind, claim: &'static str) -> Row {
    let loss = match kind {
        LossKind::Disk => "loss of disk".to_owned(),
        LossKind::Host => "loss of host".to_owned(),
        LossKind::Site(_) => "loss of site".to_owned(),
        LossKind::Device(name) => {
            format!("loss of device {}", name.as_deref().unwrap_or_default())
        }
        LossKind::HumanError => "human error".to_owned(),
        LossKind::Corruption => "corruption".to_owned(),
    };
    Row {
        environment: plan.environment.clone(),
        service: service.name.clone(),
        claim,
        words: format!("no {claim} for {loss}"),
        loss: Some(kind.clone()),
        limit: None,
        found: None,
        unit: Unit::Seconds,
        terms: Vec::new(),
        verdict: Outcome::Open,
        reason: "nothing is promised".to_owned(),
        span: service.span,
        because: None,
        interval: None,
    }
}
