//! Owns the building of phrases that several clauses share: values, selectors, schedules, losses.
//! Every builder gives `None` only for a node the grammar cannot produce.

use super::ast::{
    Compare, Count, DayRange, Every, Filter, Kind, Loss, LossKind, MonthDay, Point, PointKind,
    Reference, Schedule, Secret, Selector, SelectorKind, Setting, Tier, TierKind, Value,
    WindowSpan,
};
use super::parser::{Builder, Node, Parts, Rule};

/// A quantity or a variable.
pub(super) const VALUE: &[Rule] = &[Rule::quantity, Rule::var];
/// A number or a variable.
pub(super) const COUNT: &[Rule] = &[Rule::number, Rule::var];
/// A name or a variable.
pub(super) const REFERENCE: &[Rule] = &[Rule::name, Rule::var];

impl Builder<'_> {
    pub(super) fn value(&self, node: Node<'_>) -> Option<Value> {
        if node.as_rule() == Rule::var {
            return Some(Value::Var(self.word(&node)));
        }
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        Some(Value::Quantity(super::ast::Quantity {
            number: parts.take(Rule::number)?.as_str().to_owned(),
            unit: parts.take(Rule::unit)?.as_str().to_owned(),
            span,
        }))
    }

    pub(super) fn count(&self, node: &Node<'_>) -> Count {
        let word = self.word(node);
        match node.as_rule() {
            Rule::var => Count::Var(word),
            _ => Count::Number(word),
        }
    }

    pub(super) fn setting(&self, node: Node<'_>) -> Option<Setting> {
        let word = self.word(&node);
        Some(match node.as_rule() {
            Rule::clock => Setting::Clock(word),
            Rule::name => Setting::Name(word),
            Rule::string => Setting::Text(word),
            _ => Setting::Value(self.value(node)?),
        })
    }

    pub(super) fn reference(&self, node: &Node<'_>) -> Reference {
        let word = self.word(node);
        match node.as_rule() {
            Rule::var => Reference::Var(word),
            _ => Reference::Name(word),
        }
    }

    pub(super) fn scope(&self, parts: &mut Parts<'_>) -> Option<Reference> {
        parts.one_of(REFERENCE).map(|node| self.reference(&node))
    }

    pub(super) fn selector(&self, node: Node<'_>) -> Option<Selector> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        let first = parts.any()?;
        let kind = match first.as_rule() {
            Rule::base => SelectorKind::Base(self.scope(&mut Parts::of(first))),
            Rule::all => {
                let mut parts = Parts::of(first);
                SelectorKind::Every {
                    kind: kind(parts.take(Rule::kind)?.as_str())?,
                    scope: self.scope(&mut parts),
                    filters: self.filters(&mut parts),
                }
            }
            Rule::kind => {
                let target = parts.any()?;
                SelectorKind::Kinded(kind(first.as_str())?, self.reference(&target))
            }
            _ => SelectorKind::Bare(self.reference(&first)),
        };
        Some(Selector { kind, span })
    }

    pub(super) fn targets(&self, node: Node<'_>) -> Option<Vec<Selector>> {
        node.into_inner().map(|node| self.selector(node)).collect()
    }

    pub(super) fn filters(&self, parts: &mut Parts<'_>) -> Vec<Filter> {
        const FILTER: &[Rule] = &[Rule::matching, Rule::wherein, Rule::except];
        let nodes = std::iter::from_fn(|| parts.one_of(FILTER));
        nodes.filter_map(|node| self.filter(node)).collect()
    }

    pub(super) fn filter(&self, node: Node<'_>) -> Option<Filter> {
        let rule = node.as_rule();
        let mut parts = Parts::of(node);
        Some(match rule {
            Rule::matching => Filter::Matching(self.word(&parts.take(Rule::glob)?)),
            Rule::except => Filter::Except(self.word(&parts.take(Rule::glob)?)),
            _ => {
                let conditions = parts.all(Rule::cond).into_iter();
                let pair = |node: Node<'_>| {
                    let mut parts = Parts::of(node);
                    Some((self.word(&parts.any()?), self.word(&parts.any()?)))
                };
                Filter::Where(conditions.map(pair).collect::<Option<_>>()?)
            }
        })
    }

    // ---- time --------------------------------------------------------------------------------

    pub(super) fn schedule(&self, node: Node<'_>) -> Option<Schedule> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        let first = parts.any()?;
        let every = match first.as_rule() {
            Rule::monthday => Every::Month(self.monthday(first)?),
            Rule::daily => Every::Day,
            Rule::hourly => Every::Hour,
            Rule::days => Every::Days(self.days(first)?),
            _ => {
                let or = match parts.one_of(VALUE) {
                    Some(node) => Some(self.value(node)?),
                    None => None,
                };
                Every::Interval(self.value(first)?, or)
            }
        };
        Some(Schedule {
            every,
            at: parts
                .one_of(&[Rule::clock, Rule::var])
                .map(|node| self.reference(&node)),
            during: parts.take(Rule::name).map(|node| self.word(&node)),
            span,
        })
    }

    fn monthday(&self, node: Node<'_>) -> Option<MonthDay> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        let ordinal = parts.take(Rule::ordinal)?;
        let digits = ordinal.as_str().trim_end_matches(char::is_alphabetic);
        Some(MonthDay {
            ordinal: digits.parse().unwrap_or(0),
            weekday: parts.take(Rule::day).and_then(|node| day(node.as_str())),
            span,
        })
    }

    fn days(&self, node: Node<'_>) -> Option<Vec<DayRange>> {
        let range = |node: Node<'_>| {
            let span = self.span(&node);
            let mut parts = Parts::of(node);
            let from = day(parts.take(Rule::day)?.as_str())?;
            let to = parts.take(Rule::day).and_then(|node| day(node.as_str()));
            let to = to.unwrap_or(from);
            Some(DayRange { from, to, span })
        };
        node.into_inner().map(range).collect()
    }

    pub(super) fn window_span(&self, node: Node<'_>) -> Option<WindowSpan> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        let first = parts.any()?;
        let schedule = if first.as_rule() == Rule::days {
            let place = self.span(&first);
            Schedule {
                every: Every::Days(self.days(first)?),
                at: None,
                during: None,
                span: place,
            }
        } else {
            self.schedule(first)?
        };
        Some(WindowSpan {
            schedule,
            from: self.word(&parts.take(Rule::clock)?),
            until_day: parts.take(Rule::day).and_then(|node| day(node.as_str())),
            until: self.word(&parts.take(Rule::clock)?),
            span,
        })
    }

    // ---- promises and points -----------------------------------------------------------------

    pub(super) fn loss(&self, node: Node<'_>) -> Option<Loss> {
        let span = self.span(&node);
        let text = node.as_str();
        let last = text.split([' ', '\t']).rfind(|word| !word.is_empty());
        let simple = match last {
            Some("disk") => Some(LossKind::Disk),
            Some("host") => Some(LossKind::Host),
            Some("error") => Some(LossKind::HumanError),
            Some("corruption") => Some(LossKind::Corruption),
            _ => None,
        };
        let mut parts = Parts::of(node);
        let kind = match parts.take(Rule::kind) {
            Some(named) => {
                let name = parts.take(Rule::name).map(|node| self.word(&node));
                LossKind::Named(kind(named.as_str())?, name)
            }
            None => simple?,
        };
        Some(Loss { kind, span })
    }

    pub(super) fn point(&self, node: Node<'_>) -> Option<Point> {
        let span = self.span(&node);
        let transaction = node.as_str().starts_with("transaction");
        let mut parts = Parts::of(node);
        let kind = match parts.any() {
            None => PointKind::Latest,
            Some(node) if transaction => PointKind::Transaction(self.reference(&node)),
            Some(node) => match node.as_rule() {
                Rule::instant => PointKind::Instant(self.word(&node)),
                Rule::var => PointKind::Var(self.word(&node)),
                _ => PointKind::RestorePoint(self.word(&Parts::of(node).any()?)),
            },
        };
        Some(Point { kind, span })
    }

    pub(super) fn tier(&self, node: &Node<'_>) -> Option<Tier> {
        let span = self.span(node);
        let word = node.as_str().split([' ', '\t']).next()?;
        let amount = Parts::of(node.clone()).any()?;
        let kind = match word {
            "window" => TierKind::Window(self.value(amount)?),
            "daily" => TierKind::Daily(self.count(&amount)),
            "weekly" => TierKind::Weekly(self.count(&amount)),
            "monthly" => TierKind::Monthly(self.count(&amount)),
            "yearly" => TierKind::Yearly(self.count(&amount)),
            _ => TierKind::Last(self.count(&amount)),
        };
        Some(Tier { kind, span })
    }

    pub(super) fn secret(&self, node: Node<'_>) -> Option<Secret> {
        let mut parts = Parts::of(node);
        Some(Secret {
            source: self.word(&parts.take(Rule::origin)?),
            locator: self.word(&parts.any()?),
        })
    }
}

/// The kind of thing a keyword names.
pub(super) fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "service" => Kind::Service,
        "database" => Kind::Database,
        "tablespace" => Kind::Tablespace,
        "group" => Kind::Group,
        "table" => Kind::Table,
        "files" => Kind::Files,
        "site" => Kind::Site,
        "device" => Kind::Device,
        "transaction" => Kind::Transaction,
        "time" => Kind::Time,
        _ => return None,
    })
}

/// The comparison a sign stands for.
pub(super) fn compare(sign: &str) -> Option<Compare> {
    Some(match sign {
        ">=" => Compare::AtLeast,
        "<=" => Compare::AtMost,
        "=" => Compare::Equal,
        ">" => Compare::More,
        "<" => Compare::Less,
        _ => return None,
    })
}

/// The number of a weekday, 0 = Monday.
fn day(word: &str) -> Option<u8> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let at = DAYS.iter().position(|day| *day == word)?;
    u8::try_from(at).ok()
}
