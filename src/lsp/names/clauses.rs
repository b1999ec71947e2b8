//! Walks the clauses of all blocks: which of their words name what.

use super::walk::{BARE, Walk, inner};
use super::{Kinds, NameKind};
use crate::syntax::ast::{
    ClauseKind, Count, Loss, LossKind, PointKind, RestoreSource, Selector, Tier, TierKind, Word,
};

impl Walk<'_> {
    pub(super) fn clause(&mut self, clause: &ClauseKind) {
        self.clauses(inner(clause));
        if let ClauseKind::Override(inner) = clause {
            return self.clause(&inner.kind);
        }
        self.kept(clause);
        self.promised(clause);
        self.done(clause);
        self.declared(clause);
    }

    /// Clauses of backups, archives and devices.
    fn kept(&mut self, clause: &ClauseKind) {
        match clause {
            ClauseKind::Take { schedule, .. } | ClauseKind::Verify(Some(schedule)) => {
                self.schedule(schedule);
            }
            ClauseKind::Store(device) => self.uses(NameKind::Device, device),
            ClauseKind::Copy {
                to, every, within, ..
            } => {
                self.all(NameKind::Device, to);
                if let Some(schedule) = every {
                    self.schedule(schedule);
                }
                if let Some(value) = within {
                    self.value(value);
                }
            }
            ClauseKind::Retain { on, tiers } => {
                self.all(NameKind::Device, on);
                for tier in tiers {
                    self.tier(tier);
                }
            }
            ClauseKind::Encrypt(key) => self.maybe(NameKind::Key, key.as_ref()),
            ClauseKind::Throttle(rates) => {
                for rate in rates {
                    self.value(&rate.rate);
                    self.maybe(NameKind::Window, rate.window.as_ref());
                }
            }
            ClauseKind::Parallel(count) => self.count(count),
            ClauseKind::After(jobs) => self.all(NameKind::Job, jobs),
            ClauseKind::Memory(value) | ClauseKind::Finish(value) => self.value(value),
            ClauseKind::Notify { contacts, .. } => self.all(NameKind::Contact, contacts),
            ClauseKind::Ship { schedule, to } => {
                self.schedule(schedule);
                self.uses(NameKind::Device, to);
            }
            ClauseKind::Stream { to, lag } => {
                self.uses(NameKind::Device, to);
                if let Some((_, value)) = lag {
                    self.value(value);
                }
            }
            ClauseKind::Rotate {
                to,
                schedule,
                back_after,
            } => {
                self.uses(NameKind::Site, to);
                self.schedule(schedule);
                if let Some(value) = back_after {
                    self.value(value);
                }
            }
            _ => {}
        }
    }

    /// Clauses of objectives, and stated facts.
    fn promised(&mut self, clause: &ClauseKind) {
        match clause {
            ClauseKind::Rpo { limit, loss } => {
                self.value(limit);
                self.loss(loss);
            }
            ClauseKind::Rto { limit, loss, of } => {
                self.value(limit);
                self.loss(loss);
                if let Some(of) = of {
                    self.selector(of);
                }
            }
            ClauseKind::RecoveryWindow(value) | ClauseKind::LogSpace(_, value) => self.value(value),
            ClauseKind::Copies {
                count,
                sites,
                special,
            } => {
                self.count(&count.1);
                if let Some((_, count)) = sites {
                    self.count(count);
                }
                for (_, count, _) in special {
                    self.count(count);
                }
            }
            ClauseKind::DrillEvery(schedule) => self.schedule(schedule),
            ClauseKind::Fact { of, value, .. } => {
                if let Some(of) = of {
                    self.selector(of);
                }
                self.value(value);
            }
            _ => {}
        }
    }

    /// Clauses of drills, recoveries and switchovers.
    fn done(&mut self, clause: &ClauseKind) {
        match clause {
            ClauseKind::Covers(loss) => self.loss(loss),
            ClauseKind::Restore { targets, to, from } => {
                self.selectors(targets);
                self.maybe(NameKind::Host, to.as_ref());
                if let Some(RestoreSource::Device(device)) = from {
                    self.uses(NameKind::Device, device);
                }
            }
            ClauseKind::Relocate { targets, to } => {
                self.selectors(targets);
                self.uses(NameKind::Disk, to);
            }
            ClauseKind::Replay { point, .. } => match &point.kind {
                PointKind::Transaction(one) => self.reference(BARE, one),
                PointKind::Var(word) => self.variable(word),
                PointKind::Latest | PointKind::Instant(_) | PointKind::RestorePoint(_) => {}
            },
            ClauseKind::Skip(one) => self.reference(BARE, one),
            ClauseKind::Extract { targets, into, .. } => {
                self.selectors(targets);
                self.selector(into);
            }
            ClauseKind::Probe { database, .. } => self.word(BARE, database, false),
            ClauseKind::RequireLag(_, value)
            | ClauseKind::RequireArchived(value)
            | ClauseKind::RequireBackup(value) => self.value(value),
            ClauseKind::RequireApproval(contact) => self.uses(NameKind::Contact, contact),
            ClauseKind::Promote { standby, from } => {
                self.uses(NameKind::Standby, standby);
                self.maybe(NameKind::Service, from.as_ref());
            }
            _ => {}
        }
    }

    /// Clauses that declare something.
    fn declared(&mut self, clause: &ClauseKind) {
        match clause {
            ClauseKind::Given(inputs) => {
                for input in inputs {
                    self.declare(NameKind::Variable, &input.name);
                    if let Some(scope) = &input.scope {
                        self.reference(BARE, scope);
                    }
                }
            }
            ClauseKind::Tablespaces(names) => {
                for name in names {
                    self.declare(NameKind::Tablespace, name);
                }
            }
            ClauseKind::Database { name, .. } => self.declare(NameKind::Database, name),
            ClauseKind::Group { name, tables, .. } => {
                self.declare(NameKind::Group, name);
                for table in tables {
                    self.declare(NameKind::Table, table);
                }
            }
            ClauseKind::Standby { name, site } => {
                self.declare(NameKind::Standby, name);
                self.uses(NameKind::Site, site);
            }
            ClauseKind::Param(param) => self.param(NameKind::Variable, param),
            _ => {}
        }
    }

    fn all(&mut self, kind: NameKind, words: &[Word]) {
        for word in words {
            self.uses(kind, word);
        }
    }

    fn selectors(&mut self, targets: &[Selector]) {
        for target in targets {
            self.selector(target);
        }
    }

    fn loss(&mut self, loss: &Loss) {
        if let LossKind::Named(kind, Some(word)) = &loss.kind {
            use crate::syntax::ast::Kind;
            let kind = match kind {
                Kind::Device => NameKind::Device,
                _ => NameKind::Site,
            };
            self.word(Kinds::One(kind), word, false);
        }
    }

    fn tier(&mut self, tier: &Tier) {
        match &tier.kind {
            TierKind::Window(value) => self.value(value),
            TierKind::Daily(n)
            | TierKind::Weekly(n)
            | TierKind::Monthly(n)
            | TierKind::Yearly(n)
            | TierKind::Last(n) => self.count(n),
        }
    }

    fn count(&mut self, count: &Count) {
        if let Count::Var(word) = count {
            self.variable(word);
        }
    }
}
