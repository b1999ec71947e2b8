//! Owns `matching`, `where` and `except`: which services and components a filter keeps.

use globset::{Glob, GlobMatcher};

use super::cx::Cx;
use super::plan::{ResolvedPlan, ServiceId};
use crate::syntax::ast::{Filter, Word};

/// Filters ready to be asked many times. All of them must agree.
#[derive(Default)]
pub(super) struct Filters<'f> {
    matching: Vec<GlobMatcher>,
    except: Vec<GlobMatcher>,
    equal: Vec<(&'f str, &'f str)>,
}

impl<'f> Filters<'f> {
    /// True for a thing of this name whose labels are looked up by `label`.
    pub(super) fn keeps<'l>(&self, name: &str, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.matching.iter().all(|glob| glob.is_match(name))
            && !self.except.iter().any(|glob| glob.is_match(name))
            && self
                .equal
                .iter()
                .all(|(key, value)| label(key) == Some(value))
    }

    /// The conditions of `where`.
    pub(super) fn conditions(&self) -> &[(&'f str, &'f str)] {
        &self.equal
    }
}

/// A label of a service: its own, or `engine`, `host`, `site`, `version`.
pub(super) fn service_label<'p>(
    plan: &'p ResolvedPlan,
    id: ServiceId,
    label: &str,
) -> Option<&'p str> {
    let service = plan.service(id);
    if let Some(value) = service.labels.get(label) {
        return Some(value);
    }
    match label {
        "engine" => Some(service.engine.word()),
        "host" => service.host.as_deref(),
        "version" => service.version.as_deref(),
        "site" => plan.hosts.get(service.host.as_ref()?)?.site.as_deref(),
        _ => None,
    }
}

impl Cx<'_, '_> {
    /// Makes filters ready; a glob that cannot be read is a finding and matches nothing.
    pub(super) fn filter<'f>(&mut self, written: &'f [Filter]) -> Filters<'f> {
        let mut filters = Filters::default();
        for filter in written {
            match filter {
                Filter::Matching(word) => filters.matching.extend(self.glob(word)),
                Filter::Except(word) => filters.except.extend(self.glob(word)),
                Filter::Where(conditions) => {
                    let text = |(key, value): &'f (Word, Word)| (&*key.text, &*value.text);
                    filters.equal.extend(conditions.iter().map(text));
                }
            }
        }
        filters
    }

    fn glob(&mut self, word: &Word) -> Option<GlobMatcher> {
        let glob = Glob::new(&word.text);
        if glob.is_err() {
            let message = format!("`{}` is not a pattern of names", word.text);
            self.refuse(
                307,
                message,
                word.span,
                "use `*` for any letters and `?` for one",
            );
        }
        glob.ok().map(|glob| glob.compile_matcher())
    }

    /// The services that filters keep, in the plan's order.
    pub(super) fn every_service(&mut self, filters: &[Filter]) -> Vec<ServiceId> {
        let filters = self.filter(filters);
        let plan = &self.world.plan;
        let all = (0..plan.services.len()).map(ServiceId::from_index);
        all.filter(|id| {
            filters.keeps(&plan.service(*id).name, |label| {
                service_label(plan, *id, label)
            })
        })
        .collect()
    }
}
