//! Owns the building of clauses, one function a group of blocks.
//! Every builder gives `None` only for a node the grammar cannot produce.

use super::ast::{
    Allow, Clause, ClauseKind, Compare, CopyScope, Count, Input, Method, NotifyOn, ProbeTest,
    RestoreSource, ThrottleRate, Value,
};
use super::parser::{Builder, Node, Parts, Rule};
use super::parser_phrases::{COUNT, VALUE, compare, kind};
use super::place::Place;
use super::words;
use crate::diagnostic::{Code, Diagnostic};

impl Builder<'_> {
    /// The clauses of a body. Bad ones are reported and kept.
    pub(super) fn body(&mut self, body: Option<Node<'_>>, place: Place) -> Vec<Clause> {
        let nodes = body.into_iter().flat_map(Node::into_inner);
        nodes.map(|node| self.clause(node, place)).collect()
    }

    /// One clause.
    pub(super) fn clause(&mut self, node: Node<'_>, place: Place) -> Clause {
        let span = self.span(&node);
        if node.as_rule() == Rule::bad {
            let bad = self.bad(node, place);
            let keyword = bad.keyword;
            return Clause {
                kind: ClauseKind::Bad { keyword },
                span: bad.span,
            };
        }
        self.older_word(&node);
        let kind = match node.as_rule() {
            Rule::database => self.database(node),
            Rule::r#override => self.overriding(node, place),
            _ => self.clause_kind(node),
        };
        Clause {
            kind: kind.unwrap_or(ClauseKind::Bad { keyword: None }),
            span,
        }
    }

    /// A clause in an older spelling is read as it was meant, and the word of today is named.
    fn older_word(&mut self, node: &Node<'_>) {
        if node.as_rule() != Rule::retain {
            return;
        }
        let Some(older) = Parts::of(node.clone()).take(Rule::older) else {
            return;
        };
        let (word, span) = (older.as_str(), self.span(&older));
        let today = words::today(word);
        let message = format!("`{word}` is now `{today}`");
        let finding = Diagnostic::new(Code(1205), message, span, "older spelling").subject(word);
        let help = format!("write `{today}`; `planc check --fix` does it");
        self.out.push(finding.help(help).fix(true, span, today));
    }

    fn database(&mut self, node: Node<'_>) -> Option<ClauseKind> {
        let mut parts = Parts::of(node);
        let name = self.word(&parts.any()?);
        let body = self.body(parts.take(Rule::database_body), Place::Database);
        Some(ClauseKind::Database { name, body })
    }

    fn overriding(&mut self, node: Node<'_>, place: Place) -> Option<ClauseKind> {
        let inner = Parts::of(node).any()?;
        Some(ClauseKind::Override(Box::new(self.clause(inner, place))))
    }

    fn clause_kind(&self, node: Node<'_>) -> Option<ClauseKind> {
        match node.as_rule() {
            Rule::store
            | Rule::copy
            | Rule::retain
            | Rule::encrypt
            | Rule::compress
            | Rule::throttle
            | Rule::parallel
            | Rule::memory
            | Rule::verify
            | Rule::after
            | Rule::finish
            | Rule::notify
            | Rule::allow => self.common(node),
            Rule::take | Rule::ship | Rule::stream | Rule::rotate => self.job(node),
            Rule::rpo | Rule::rto | Rule::pitr | Rule::logspace | Rule::copies | Rule::drilled => {
                self.promise(node)
            }
            Rule::tspace | Rule::standby | Rule::group | Rule::fact => self.declaration(node),
            Rule::require => self.require(node),
            Rule::param => Some(ClauseKind::Param(self.param(node)?)),
            _ => self.step(node),
        }
    }

    // ---- clauses of several blocks -----------------------------------------------------------

    fn common(&self, node: Node<'_>) -> Option<ClauseKind> {
        let rule = node.as_rule();
        if rule == Rule::allow {
            return Some(ClauseKind::Allow(self.allow(node)?));
        }
        let mut parts = Parts::of(node);
        Some(match rule {
            Rule::store => ClauseKind::Store(self.word(&parts.any()?)),
            Rule::copy => self.copy(&mut parts)?,
            Rule::retain => self.retain(&mut parts)?,
            Rule::encrypt => ClauseKind::Encrypt(parts.any().map(|node| self.word(&node))),
            Rule::compress => ClauseKind::Compress {
                codec: self.word(&parts.any()?),
                level: parts.any().map(|node| self.word(&node)),
            },
            Rule::throttle => {
                let rates = parts.all(Rule::rate).into_iter();
                let rates = rates.map(|node| self.rate(node)).collect::<Option<_>>()?;
                ClauseKind::Throttle(rates)
            }
            Rule::parallel => ClauseKind::Parallel(self.count(&parts.any()?)),
            Rule::memory => ClauseKind::Memory(self.value(parts.any()?)?),
            Rule::verify => ClauseKind::Verify(match parts.any() {
                Some(node) => Some(self.schedule(node)?),
                None => None,
            }),
            Rule::after => ClauseKind::After(self.words(parts.any()?)),
            Rule::finish => ClauseKind::Finish(self.value(parts.any()?)?),
            Rule::notify => ClauseKind::Notify {
                contacts: self.words(parts.take(Rule::names)?),
                on: match parts.take(Rule::outcome)?.as_str() {
                    "failure" => NotifyOn::Failure,
                    "success" => NotifyOn::Success,
                    _ => NotifyOn::Always,
                },
            },
            _ => return None,
        })
    }

    fn copy(&self, parts: &mut Parts<'_>) -> Option<ClauseKind> {
        let scope = match parts.take(Rule::part) {
            None => CopyScope::All,
            Some(part) => match part.as_str() {
                "full" => CopyScope::Full,
                "incremental" => CopyScope::Incremental,
                _ => CopyScope::Log,
            },
        };
        Some(ClauseKind::Copy {
            scope,
            to: self.words(parts.take(Rule::names)?),
            live: parts.take(Rule::live).is_some(),
            every: match parts.take(Rule::schedule) {
                Some(node) => Some(self.schedule(node)?),
                None => None,
            },
            within: match parts.one_of(VALUE) {
                Some(node) => Some(self.value(node)?),
                None => None,
            },
        })
    }

    fn retain(&self, parts: &mut Parts<'_>) -> Option<ClauseKind> {
        parts.take(Rule::older);
        let on = parts.take(Rule::names);
        let tiers = parts.all(Rule::tier).into_iter();
        Some(ClauseKind::Retain {
            on: on.map(|node| self.words(node)).unwrap_or_default(),
            tiers: tiers.map(|node| self.tier(&node)).collect::<Option<_>>()?,
        })
    }

    fn rate(&self, node: Node<'_>) -> Option<ThrottleRate> {
        let mut parts = Parts::of(node);
        Some(ThrottleRate {
            rate: self.value(parts.any()?)?,
            window: parts.take(Rule::name).map(|node| self.word(&node)),
            otherwise: parts.take(Rule::otherwise).is_some(),
        })
    }

    pub(super) fn allow(&self, node: Node<'_>) -> Option<Allow> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        Some(Allow {
            code: self.word(&parts.take(Rule::code)?),
            until: parts.take(Rule::date).map(|node| self.word(&node)),
            because: self.word(&parts.take(Rule::string)?),
            span,
        })
    }

    // ---- jobs and declarations ---------------------------------------------------------------

    fn job(&self, node: Node<'_>) -> Option<ClauseKind> {
        let rule = node.as_rule();
        let mut parts = Parts::of(node);
        Some(match rule {
            Rule::take => ClauseKind::Take {
                method: method(parts.take(Rule::method)?.as_str()),
                schedule: self.schedule(parts.take(Rule::schedule)?)?,
                when_changed: parts.take(Rule::changed).is_some(),
            },
            Rule::ship => ClauseKind::Ship {
                schedule: self.schedule(parts.take(Rule::schedule)?)?,
                to: self.word(&parts.take(Rule::name)?),
            },
            Rule::stream => ClauseKind::Stream {
                to: self.word(&parts.take(Rule::name)?),
                lag: match parts.take(Rule::cmp) {
                    Some(sign) => Some((compare(sign.as_str())?, self.value(parts.any()?)?)),
                    None => None,
                },
            },
            Rule::rotate => ClauseKind::Rotate {
                to: self.word(&parts.take(Rule::name)?),
                schedule: self.schedule(parts.take(Rule::schedule)?)?,
                back_after: match parts.any() {
                    Some(node) => Some(self.value(node)?),
                    None => None,
                },
            },
            _ => return None,
        })
    }

    fn declaration(&self, node: Node<'_>) -> Option<ClauseKind> {
        let rule = node.as_rule();
        let mut parts = Parts::of(node);
        Some(match rule {
            Rule::tspace => ClauseKind::Tablespaces(self.words(parts.any()?)),
            Rule::standby => ClauseKind::Standby {
                name: self.word(&parts.any()?),
                site: self.word(&parts.any()?),
            },
            Rule::group => {
                let name = self.word(&parts.take(Rule::ident)?);
                let tables = parts.all(Rule::table).into_iter();
                let table = |node: Node<'_>| Some(self.word(&Parts::of(node).any()?));
                ClauseKind::Group {
                    name,
                    tables: tables.map(table).collect::<Option<_>>()?,
                    filter: self.filters(&mut parts).pop(),
                }
            }
            Rule::fact => {
                let mut what = self.word(&parts.take(Rule::measure)?);
                what.text = what.text.split_whitespace().collect::<Vec<_>>().join(" ");
                ClauseKind::Fact {
                    what,
                    of: match parts.take(Rule::selector) {
                        Some(node) => Some(self.selector(node)?),
                        None => None,
                    },
                    value: self.value(parts.any()?)?,
                }
            }
            _ => return None,
        })
    }

    // ---- promises ----------------------------------------------------------------------------

    fn promise(&self, node: Node<'_>) -> Option<ClauseKind> {
        let rule = node.as_rule();
        let mut parts = Parts::of(node);
        Some(match rule {
            Rule::rpo => ClauseKind::Rpo {
                limit: self.value(parts.any()?)?,
                loss: self.loss(parts.take(Rule::loss)?)?,
            },
            Rule::rto => ClauseKind::Rto {
                limit: self.value(parts.any()?)?,
                loss: self.loss(parts.take(Rule::loss)?)?,
                of: match parts.take(Rule::selector) {
                    Some(node) => Some(self.selector(node)?),
                    None => None,
                },
            },
            Rule::pitr => ClauseKind::RecoveryWindow(self.value(parts.any()?)?),
            Rule::logspace => {
                let (sign, value) = self.bound(&mut parts)?;
                ClauseKind::LogSpace(sign, value)
            }
            Rule::drilled => ClauseKind::DrillEvery(self.schedule(parts.any()?)?),
            Rule::copies => self.copies(&mut parts)?,
            _ => return None,
        })
    }

    fn bound(&self, parts: &mut Parts<'_>) -> Option<(Compare, Value)> {
        let sign = compare(parts.take(Rule::cmp)?.as_str())?;
        Some((sign, self.value(parts.one_of(VALUE)?)?))
    }

    fn counted(&self, parts: &mut Parts<'_>) -> Option<(Compare, Count)> {
        let sign = compare(parts.take(Rule::cmp)?.as_str())?;
        Some((sign, self.count(&parts.one_of(COUNT)?)))
    }

    fn copies(&self, parts: &mut Parts<'_>) -> Option<ClauseKind> {
        let count = self.counted(parts)?;
        let sites = match parts.take(Rule::onsites) {
            Some(node) => Some(self.counted(&mut Parts::of(node))?),
            None => None,
        };
        let special = |node: Node<'_>| {
            let mut parts = Parts::of(node);
            let (sign, count) = self.counted(&mut parts)?;
            Some((sign, count, self.word(&parts.take(Rule::feature)?)))
        };
        let specials = parts.all(Rule::special).into_iter();
        Some(ClauseKind::Copies {
            count,
            sites,
            special: specials.map(special).collect::<Option<_>>()?,
        })
    }

    // ---- steps -------------------------------------------------------------------------------

    fn require(&self, node: Node<'_>) -> Option<ClauseKind> {
        let condition = Parts::of(node).any()?;
        let rule = condition.as_rule();
        let mut parts = Parts::of(condition);
        Some(match rule {
            Rule::lag => {
                let (sign, value) = self.bound(&mut parts)?;
                ClauseKind::RequireLag(sign, value)
            }
            Rule::archived => ClauseKind::RequireArchived(self.value(parts.any()?)?),
            Rule::idle => ClauseKind::RequireNoBackup,
            Rule::newer => ClauseKind::RequireBackup(self.value(parts.any()?)?),
            Rule::approval => ClauseKind::RequireApproval(self.word(&parts.any()?)),
            _ => return None,
        })
    }

    fn step(&self, node: Node<'_>) -> Option<ClauseKind> {
        let rule = node.as_rule();
        let mut parts = Parts::of(node);
        Some(match rule {
            Rule::given => {
                let inputs = parts.all(Rule::input).into_iter();
                ClauseKind::Given(inputs.map(|node| self.input(node)).collect::<Option<_>>()?)
            }
            Rule::covers => ClauseKind::Covers(self.loss(parts.any()?)?),
            Rule::restore => self.restore(&mut parts)?,
            Rule::relocate => ClauseKind::Relocate {
                targets: self.targets(parts.take(Rule::targets)?)?,
                to: self.word(&parts.any()?),
            },
            Rule::replay => self.replay(&mut parts)?,
            Rule::skip => ClauseKind::Skip(self.reference(&parts.any()?)),
            Rule::extract => ClauseKind::Extract {
                targets: self.targets(parts.take(Rule::targets)?)?,
                into: self.selector(parts.take(Rule::selector)?)?,
                name: parts.any().map(|node| self.word(&node)),
            },
            Rule::probe => self.probe(&mut parts)?,
            Rule::fence => ClauseKind::Fence,
            Rule::promote => ClauseKind::Promote {
                standby: self.word(&parts.any()?),
                from: parts.any().map(|node| self.word(&node)),
            },
            _ => return None,
        })
    }

    fn input(&self, node: Node<'_>) -> Option<Input> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        Some(Input {
            name: self.word(&parts.take(Rule::ident)?),
            kind: kind(parts.take(Rule::kind)?.as_str())?,
            scope: self.scope(&mut parts),
            span,
        })
    }

    fn restore(&self, parts: &mut Parts<'_>) -> Option<ClauseKind> {
        let targets = self.targets(parts.take(Rule::targets)?)?;
        let to = match parts.take(Rule::dest) {
            Some(node) => Some(self.word(&Parts::of(node).any()?)),
            None => None,
        };
        let from = match parts.take(Rule::holder) {
            Some(node) => {
                let source = Parts::of(node).any()?;
                Some(match source.as_rule() {
                    Rule::nearest => RestoreSource::Nearest(self.span(&source)),
                    Rule::any => RestoreSource::Any(self.span(&source)),
                    _ => RestoreSource::Device(self.word(&source)),
                })
            }
            None => None,
        };
        Some(ClauseKind::Restore { targets, to, from })
    }

    fn replay(&self, parts: &mut Parts<'_>) -> Option<ClauseKind> {
        let node = parts.any()?;
        let before = node.as_rule() == Rule::before;
        let point = if before { Parts::of(node).any()? } else { node };
        Some(ClauseKind::Replay {
            before,
            point: self.point(point)?,
        })
    }

    fn probe(&self, parts: &mut Parts<'_>) -> Option<ClauseKind> {
        let database = self.word(&parts.take(Rule::name)?);
        let query = self.word(&parts.take(Rule::string)?);
        let test = match parts.take(Rule::cmp) {
            Some(sign) => ProbeTest::Compare(compare(sign.as_str())?, self.word(&parts.any()?)),
            None => match parts.take(Rule::answer)?.as_str() {
                "true" => ProbeTest::True,
                "false" => ProbeTest::False,
                _ => ProbeTest::Empty,
            },
        };
        Some(ClauseKind::Probe {
            database,
            query,
            test,
        })
    }
}

fn method(words: &str) -> Method {
    match words.split_whitespace().last() {
        Some("full") => Method::PhysicalFull,
        Some("incremental") => Method::PhysicalIncremental,
        Some("differential") => Method::PhysicalDifferential,
        _ => Method::Logical,
    }
}
