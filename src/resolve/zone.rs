//! Owns time zones: looks them up and checks their names (P0309). The zone database is the one that
//! planc carries, so that a plan means the same everywhere and no file is looked at; only a zone
//! that is younger than this planc comes from the system.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::cx::Cx;
use super::plan::{At, ResolvedPlan};
use crate::diagnostic::Code;
use crate::syntax::ast::Word;

/// A zone by its IANA name; none when nobody knows it.
#[must_use]
pub fn find(name: &str) -> Option<TimeZone> {
    let carried = TimeZoneDatabase::bundled().get(name);
    carried.or_else(|_| TimeZone::get(name)).ok()
}

/// The plan's zone; UTC when nobody knows it, which is a finding of its own.
#[must_use]
pub fn of(plan: &ResolvedPlan) -> TimeZone {
    find(&plan.timezone.value).unwrap_or(TimeZone::UTC)
}

impl Cx<'_, '_> {
    /// A zone by its IANA name, in the spelling of the database.
    pub(super) fn zone(&mut self, word: &Word) -> Option<At<String>> {
        if let Some(zone) = find(&word.text) {
            let name = zone.iana_name().unwrap_or(&word.text).to_owned();
            if name == word.text {
                return Some(At {
                    value: name,
                    span: word.span,
                });
            }
            let message = format!("the zone `{}` is spelled `{name}`", word.text);
            let known = [name.as_str()];
            self.push(self.suggest(Code(309), message, word, "zones", &known));
            return Some(At {
                value: name,
                span: word.span,
            });
        }
        let database = TimeZoneDatabase::bundled();
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("no time zone is called `{}`", word.text);
        self.push(self.suggest(Code(309), message, word, "zones", &known));
        None
    }
}
