//! Owns P0208: what the plan declares and nothing uses. Looks at the text of the plan alone, so
//! that the answer is the same in all environments.

use std::collections::HashSet;

use super::scope::Scope;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::syntax::ast::{
    BlockKind, Clause, ClauseKind, Count, Every, Filter, ForEachPart, Item, ItemKind, Kind, Loss,
    LossKind, Param, PointKind, PolicyPart, Reference, RestoreSource, Schedule, Selector,
    SelectorKind, Setting, TierKind, Value, Word,
};

/// Reports what the plan's own file declares and never uses. Says nothing when a line could not
/// be read, because that line may be the use.
pub(super) fn report(main: &Scope<'_>, inventory_sites: &HashSet<&str>, out: &mut Diagnostics) {
    if main.has_bad() || main.items.iter().any(has_bad) {
        return;
    }
    let mut uses = Uses::default();
    for item in main.items {
        uses.item(item);
    }
    let mut never = |kind: &str, name: &Word, used: bool, how: &str| {
        if !used {
            let message = format!("{kind} `{}` is never used", name.text);
            let help = format!("remove it, or use it: `{how} {}`", name.text);
            let finding = Diagnostic::new(Code(208), message, name.span, "");
            out.push(finding.help(help).subject(name.text.clone()));
        }
    };
    for (name, word) in &main.sites {
        never(
            "site",
            word,
            uses.has(name) || inventory_sites.contains(name),
            "at",
        );
    }
    for (name, declared) in &main.devices {
        let every = uses.kinds.contains(&Kind::Device);
        never("device", declared.name, every || uses.has(name), "store on");
    }
    for (name, declared) in &main.keys {
        never(
            "key",
            declared.name,
            uses.keys.contains(name),
            "encrypt with",
        );
    }
    for (name, declared) in &main.windows {
        never("window", declared.name, uses.has(name), "during");
    }
    for (name, declared) in &main.policies {
        never("policy", declared.name, uses.has(name), "apply");
    }
    for (name, declared) in &main.params {
        never(
            "parameter",
            declared.name,
            uses.vars.contains(name),
            "every",
        );
    }
    imports(main, &uses, out);
}

fn imports(main: &Scope<'_>, uses: &Uses<'_>, out: &mut Diagnostics) {
    for item in main.items {
        let ItemKind::Import { prefix, .. } = &item.kind else {
            continue;
        };
        // a file that could not be read may declare what is used without a prefix
        let readable = main
            .imports
            .get(prefix.text.as_str())
            .is_some_and(Option::is_some);
        if readable && !uses.prefixes.contains(prefix.text.as_str()) {
            let message = format!("nothing of import `{}` is used", prefix.text);
            let finding = Diagnostic::new(Code(208), message, item.span, "");
            out.push(
                finding
                    .help("remove the import")
                    .subject(prefix.text.clone()),
            );
        }
    }
}

fn has_bad(item: &Item) -> bool {
    let bad = |clauses: &[Clause]| clauses.iter().any(super::is_bad);
    match &item.kind {
        ItemKind::Bad { .. } => true,
        ItemKind::Block(block) => bad(&block.body),
        ItemKind::Device(device) => bad(&device.body),
        ItemKind::Service(service) => bad(&service.body),
        ItemKind::Assume(facts) => bad(facts),
        ItemKind::Apply(apply) => bad(&apply.body),
        ItemKind::Policy(policy) => policy.body.iter().any(|part| match part {
            PolicyPart::Bad(_) => true,
            PolicyPart::Block(block) => bad(&block.body),
            PolicyPart::Param(_) => false,
        }),
        ItemKind::ForEach(each) => each.body.iter().any(|part| match part {
            ForEachPart::Bad(_) => true,
            ForEachPart::Block(block) => bad(&block.body),
            ForEachPart::Apply(apply) => bad(&apply.body),
            ForEachPart::Expect { .. } => false,
        }),
        _ => false,
    }
}

/// Names that are used, whatever they are used as: one name may stand for things of several
/// kinds, and a use of one must not be taken as the lack of a use of another.
#[derive(Default)]
struct Uses<'a> {
    words: HashSet<&'a str>,
    prefixes: HashSet<&'a str>,
    keys: HashSet<&'a str>,
    vars: HashSet<&'a str>,
    kinds: HashSet<Kind>,
}

impl<'a> Uses<'a> {
    fn has(&self, name: &str) -> bool {
        self.words.contains(name)
    }

    fn word(&mut self, word: &'a Word) {
        self.words.insert(&word.text);
        if let Some((prefix, _)) = word.text.split_once('.') {
            self.prefixes.insert(prefix);
        }
    }

    fn words(&mut self, words: &'a [Word]) {
        for word in words {
            self.word(word);
        }
    }

    fn key(&mut self, word: &'a Word) {
        self.keys.insert(&word.text);
        if let Some((prefix, _)) = word.text.split_once('.') {
            self.prefixes.insert(prefix);
        }
    }

    fn value(&mut self, value: &'a Value) {
        if let Value::Var(word) = value {
            self.vars.insert(&word.text);
        }
    }

    fn count(&mut self, count: &'a Count) {
        if let Count::Var(word) = count {
            self.vars.insert(&word.text);
        }
    }

    fn reference(&mut self, reference: &'a Reference) {
        match reference {
            Reference::Name(word) => self.word(word),
            Reference::Var(word) => {
                self.vars.insert(&word.text);
            }
        }
    }

    fn filters(&mut self, filters: &'a [Filter]) {
        for filter in filters {
            if let Filter::Where(conditions) = filter {
                for (_, value) in conditions {
                    self.word(value);
                }
            }
        }
    }

    fn selector(&mut self, selector: &'a Selector) {
        match &selector.kind {
            SelectorKind::Base(scope) => {
                if let Some(scope) = scope {
                    self.reference(scope);
                }
            }
            SelectorKind::Every {
                kind,
                scope,
                filters,
            } => {
                self.kinds.insert(*kind);
                if let Some(scope) = scope {
                    self.reference(scope);
                }
                self.filters(filters);
            }
            SelectorKind::Kinded(_, reference) | SelectorKind::Bare(reference) => {
                self.reference(reference);
            }
        }
    }

    fn selectors(&mut self, selectors: &'a [Selector]) {
        for selector in selectors {
            self.selector(selector);
        }
    }

    fn schedule(&mut self, schedule: &'a Schedule) {
        if let Every::Interval(first, second) = &schedule.every {
            self.value(first);
            if let Some(second) = second {
                self.value(second);
            }
        }
        if let Some(Reference::Var(word)) = &schedule.at {
            self.vars.insert(&word.text);
        }
        if let Some(window) = &schedule.during {
            self.word(window);
        }
    }

    fn loss(&mut self, loss: &'a Loss) {
        if let LossKind::Named(_, Some(word)) = &loss.kind {
            self.word(word);
        }
    }

    fn param(&mut self, param: &'a Param) {
        let settings = param.settings.iter().map(|(_, setting)| setting);
        for setting in settings.chain([&param.default]) {
            self.setting(setting);
        }
    }

    fn setting(&mut self, setting: &'a Setting) {
        match setting {
            Setting::Value(value) => self.value(value),
            // it may name something of the plan
            Setting::Name(word) => self.word(word),
            Setting::Clock(_) | Setting::Text(_) => {}
        }
    }

    fn item(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Param(param) => self.param(param),
            ItemKind::Device(device) => {
                if let Some(site) = &device.site {
                    self.word(site);
                }
                self.clauses(&device.body);
            }
            ItemKind::Key(key) => {
                if let Some(site) = &key.escrow {
                    self.word(site);
                }
            }
            ItemKind::Window { span, .. } => self.schedule(&span.schedule),
            ItemKind::Service(service) => self.clauses(&service.body),
            ItemKind::Assume(facts) => self.clauses(facts),
            ItemKind::Policy(policy) => {
                for part in &policy.body {
                    match part {
                        PolicyPart::Param(param) => self.param(param),
                        PolicyPart::Block(block) => self.block(&block.kind, &block.body),
                        PolicyPart::Bad(_) => {}
                    }
                }
            }
            ItemKind::ForEach(each) => {
                self.kinds.insert(each.kind);
                if let Some(scope) = &each.scope {
                    self.reference(scope);
                }
                self.filters(&each.filters);
                for part in &each.body {
                    match part {
                        ForEachPart::Apply(apply) => self.apply(apply),
                        ForEachPart::Block(block) => self.block(&block.kind, &block.body),
                        ForEachPart::Expect { .. } | ForEachPart::Bad(_) => {}
                    }
                }
            }
            ItemKind::Apply(apply) => self.apply(apply),
            ItemKind::Block(block) => self.block(&block.kind, &block.body),
            _ => {}
        }
    }

    fn apply(&mut self, apply: &'a crate::syntax::ast::Apply) {
        self.word(&apply.policy);
        self.selector(&apply.target);
        for (_, setting) in &apply.with {
            self.setting(setting);
        }
        self.clauses(&apply.body);
    }

    fn block(&mut self, kind: &'a BlockKind, body: &'a [Clause]) {
        match kind {
            BlockKind::Backup(targets) => self.selectors(targets),
            BlockKind::Archive(target) | BlockKind::Objectives(target) => self.selector(target),
            BlockKind::Drill(schedule) => self.schedule(schedule),
            BlockKind::Recovery | BlockKind::Switchover => {}
        }
        self.clauses(body);
    }

    fn clauses(&mut self, clauses: &'a [Clause]) {
        for clause in clauses {
            self.keeping(&clause.kind);
            self.promise(&clause.kind);
            self.step(&clause.kind);
        }
    }

    fn keeping(&mut self, clause: &'a ClauseKind) {
        match clause {
            ClauseKind::Take { schedule, .. } | ClauseKind::Verify(Some(schedule)) => {
                self.schedule(schedule);
            }
            ClauseKind::Store(device) => self.word(device),
            ClauseKind::Copy {
                to, every, within, ..
            } => {
                self.words(to);
                if let Some(schedule) = every {
                    self.schedule(schedule);
                }
                if let Some(value) = within {
                    self.value(value);
                }
            }
            ClauseKind::Retain { on, tiers } => {
                self.words(on);
                for tier in tiers {
                    self.tier(&tier.kind);
                }
            }
            ClauseKind::Encrypt(Some(key)) => self.key(key),
            ClauseKind::Throttle(rates) => {
                for rate in rates {
                    self.value(&rate.rate);
                    if let Some(window) = &rate.window {
                        self.word(window);
                    }
                }
            }
            ClauseKind::Parallel(count) => self.count(count),
            ClauseKind::Memory(value) => self.value(value),
            ClauseKind::Override(inner) => self.clauses(std::slice::from_ref(inner)),
            ClauseKind::Ship { schedule, to } => {
                self.schedule(schedule);
                self.word(to);
            }
            ClauseKind::Stream { to, lag } => {
                self.word(to);
                if let Some((_, value)) = lag {
                    self.value(value);
                }
            }
            ClauseKind::Rotate {
                to,
                schedule,
                back_after,
            } => {
                self.word(to);
                self.schedule(schedule);
                if let Some(value) = back_after {
                    self.value(value);
                }
            }
            ClauseKind::Database { body, .. } => self.clauses(body),
            ClauseKind::Standby { site, .. } => self.word(site),
            _ => {}
        }
    }

    fn tier(&mut self, tier: &'a TierKind) {
        match tier {
            TierKind::Window(value) => self.value(value),
            TierKind::Daily(count)
            | TierKind::Weekly(count)
            | TierKind::Monthly(count)
            | TierKind::Yearly(count)
            | TierKind::Last(count) => self.count(count),
        }
    }

    fn promise(&mut self, clause: &'a ClauseKind) {
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
            ClauseKind::RecoveryWindow(value)
            | ClauseKind::LogSpace(_, value)
            | ClauseKind::Finish(value)
            | ClauseKind::RequireLag(_, value)
            | ClauseKind::RequireArchived(value)
            | ClauseKind::RequireBackup(value) => self.value(value),
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

    fn step(&mut self, clause: &'a ClauseKind) {
        match clause {
            ClauseKind::Given(inputs) => {
                let scopes = inputs.iter().filter_map(|input| input.scope.as_ref());
                for scope in scopes {
                    self.reference(scope);
                }
            }
            ClauseKind::Covers(loss) => self.loss(loss),
            ClauseKind::Restore { targets, from, .. } => {
                self.selectors(targets);
                if let Some(RestoreSource::Device(device)) = from {
                    self.word(device);
                }
            }
            ClauseKind::Relocate { targets, .. } => self.selectors(targets),
            ClauseKind::Replay { point, .. } => match &point.kind {
                PointKind::Var(word) => {
                    self.vars.insert(&word.text);
                }
                PointKind::Transaction(reference) => self.reference(reference),
                _ => {}
            },
            ClauseKind::Skip(reference) => self.reference(reference),
            ClauseKind::Extract { targets, into, .. } => {
                self.selectors(targets);
                self.selector(into);
            }
            ClauseKind::Probe { database, .. } => self.word(database),
            ClauseKind::Promote { standby, from } => {
                self.word(standby);
                if let Some(from) = from {
                    self.word(from);
                }
            }
            _ => {}
        }
    }
}
