//! Walks the trees of a plan and its imports: every word that declares or uses a name.
//! Clauses are walked in `clauses`.

use super::{Found, Kinds, NameKind};
use crate::lsp::unit::Unit;
use crate::resolve;
use crate::source::{FileId, Span};
use crate::syntax::ast::{
    self, Apply, Ast, Block, BlockKind, Clause, ClauseKind, ForEach, ForEachPart, Item, ItemKind,
    Kind, Param, Policy, PolicyPart, Reference, Schedule, Selector, SelectorKind, Setting, Value,
    Word,
};

/// What a name without a kind before it can be.
pub(super) const BARE: Kinds = Kinds::AnyOf(&[
    NameKind::Service,
    NameKind::Database,
    NameKind::Tablespace,
    NameKind::Group,
    NameKind::Table,
]);
/// What a parameter of type `name` can be set to.
const NAMED: Kinds = Kinds::AnyOf(&[
    NameKind::Device,
    NameKind::Window,
    NameKind::Key,
    NameKind::Site,
    NameKind::Service,
]);
const VARIABLE: Kinds = Kinds::AnyOf(&[NameKind::Variable, NameKind::Param]);

/// Words of the plan and its imports.
pub(super) fn plans(unit: &Unit) -> Vec<Found> {
    let mut list = Vec::new();
    for ast in &unit.asts {
        let mut walk = Walk {
            unit,
            ast,
            scopes: Vec::new(),
            list: Vec::new(),
        };
        for item in &ast.items {
            walk.item(item);
        }
        list.append(&mut walk.list);
    }
    list
}

/// The prefix under which a file sees another one.
pub(super) fn prefix(unit: &Unit, file: FileId, other: FileId) -> Option<String> {
    let mut imports = imports(unit, unit.ast(file)?);
    let (word, _) = imports.find(|(_, found)| *found == Some(other))?;
    Some(word.text.clone())
}

/// The blocks with variables around a byte, innermost first.
pub(super) fn scopes(unit: &Unit, file: FileId, byte: usize) -> Vec<String> {
    let Some(ast) = unit.ast(file) else {
        return Vec::new();
    };
    let around = |span: Span| (span.start as usize) <= byte && byte <= span.end as usize;
    let Some(item) = ast.items.iter().find(|item| around(item.span)) else {
        return Vec::new();
    };
    let (own, parts): (_, Vec<&Block>) = match &item.kind {
        ItemKind::Policy(policy) => (policy_scope(policy), blocks_of_policy(policy).collect()),
        ItemKind::ForEach(each) => (each_scope(each), blocks_of_each(each).collect()),
        ItemKind::Block(block) => (block_scope(block), Vec::new()),
        _ => return Vec::new(),
    };
    let inner = parts.into_iter().find(|block| around(block.span));
    inner.map(block_scope).into_iter().chain([own]).collect()
}

fn imports<'a>(unit: &'a Unit, ast: &'a Ast) -> impl Iterator<Item = (&'a Word, Option<FileId>)> {
    let from = unit.sources.file(ast.file).path();
    ast.items.iter().filter_map(move |item| match &item.kind {
        ItemKind::Import { path, prefix } => {
            let path = resolve::relative(from, &path.text);
            Some((prefix, unit.sources.find(&path)))
        }
        _ => None,
    })
}

fn policy_scope(policy: &Policy) -> String {
    format!("policy {}", policy.name.text)
}

fn each_scope(each: &ForEach) -> String {
    format!("for each {}", each.head.start)
}

fn block_scope(block: &Block) -> String {
    format!("{} {}", block.kind.keyword(), block.head.start)
}

fn blocks_of_policy(policy: &Policy) -> impl Iterator<Item = &Block> {
    policy.body.iter().filter_map(|part| match part {
        PolicyPart::Block(block) => Some(block),
        _ => None,
    })
}

fn blocks_of_each(each: &ForEach) -> impl Iterator<Item = &Block> {
    each.body.iter().filter_map(|part| match part {
        ForEachPart::Block(block) => Some(block),
        _ => None,
    })
}

/// A walk through one file.
pub(super) struct Walk<'u> {
    unit: &'u Unit,
    ast: &'u Ast,
    /// Blocks with variables, innermost first.
    scopes: Vec<String>,
    list: Vec<Found>,
}

impl Walk<'_> {
    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Environment { name, .. } => self.declare(NameKind::Environment, name),
            ItemKind::Import { prefix, .. } => self.declare(NameKind::Import, prefix),
            ItemKind::Param(param) => self.param(NameKind::Param, param),
            ItemKind::Site(names) => {
                for name in names {
                    self.declare(NameKind::Site, name);
                }
            }
            ItemKind::Device(device) => self.device(device),
            ItemKind::Key(key) => {
                self.declare(NameKind::Key, &key.name);
                self.maybe(NameKind::Site, key.escrow.as_ref());
            }
            ItemKind::Window { name, span } => {
                self.declare(NameKind::Window, name);
                self.schedule(&span.schedule);
            }
            ItemKind::Service(service) => {
                self.declare(NameKind::Service, &service.name);
                self.clauses(&service.body);
            }
            ItemKind::Assume(body) | ItemKind::Bad { body, .. } => self.clauses(body),
            ItemKind::Policy(policy) => self.policy(policy),
            ItemKind::ForEach(each) => self.for_each(each),
            ItemKind::Apply(apply) => self.apply(apply),
            ItemKind::Block(block) => self.block(block),
            ItemKind::Version(_)
            | ItemKind::Plan { .. }
            | ItemKind::Timezone(_)
            | ItemKind::Allow(_) => {}
        }
    }

    fn device(&mut self, device: &ast::Device) {
        self.declare(NameKind::Device, &device.name);
        self.maybe(NameKind::Site, device.site.as_ref());
        self.clauses(&device.body);
    }

    pub(super) fn param(&mut self, kind: NameKind, param: &Param) {
        self.declare(kind, &param.name);
        self.setting(&param.default);
        for (environment, setting) in &param.settings {
            self.word(Kinds::One(NameKind::Environment), environment, false);
            self.setting(setting);
        }
    }

    fn setting(&mut self, setting: &Setting) {
        match setting {
            Setting::Value(value) => self.value(value),
            Setting::Name(word) => self.word(NAMED, word, false),
            Setting::Clock(_) | Setting::Text(_) => {}
        }
    }

    fn policy(&mut self, policy: &Policy) {
        self.declare(NameKind::Policy, &policy.name);
        self.within(policy_scope(policy), |walk| {
            walk.declare(NameKind::Variable, &policy.var);
            for part in &policy.body {
                match part {
                    PolicyPart::Param(param) => walk.param(NameKind::Variable, param),
                    PolicyPart::Block(block) => walk.block(block),
                    PolicyPart::Bad(_) => {}
                }
            }
        });
    }

    fn for_each(&mut self, each: &ForEach) {
        if let Some(scope) = &each.scope {
            self.reference(BARE, scope);
        }
        self.within(each_scope(each), |walk| {
            walk.declare(NameKind::Variable, &each.var);
            for part in &each.body {
                match part {
                    ForEachPart::Apply(apply) => walk.apply(apply),
                    ForEachPart::Block(block) => walk.block(block),
                    ForEachPart::Expect { .. } | ForEachPart::Bad(_) => {}
                }
            }
        });
    }

    fn apply(&mut self, apply: &Apply) {
        self.word(Kinds::One(NameKind::Policy), &apply.policy, false);
        self.selector(&apply.target);
        let (home, policy) = self.locate(&apply.policy.text);
        let scope = format!("policy {policy}");
        for (name, value) in &apply.with {
            self.push(
                Kinds::One(NameKind::Variable),
                name.span,
                &name.text,
                home,
                false,
            );
            if let Some(last) = self.list.last_mut() {
                last.scopes = vec![scope.clone()];
            }
            self.setting(value);
        }
        self.clauses(&apply.body);
    }

    fn block(&mut self, block: &Block) {
        self.within(block_scope(block), |walk| {
            match &block.kind {
                BlockKind::Backup(targets) => {
                    walk.declare(NameKind::Job, &block.name);
                    for target in targets {
                        walk.selector(target);
                    }
                }
                BlockKind::Archive(target) => {
                    walk.declare(NameKind::Job, &block.name);
                    walk.selector(target);
                }
                BlockKind::Objectives(target) => walk.selector(target),
                BlockKind::Drill(schedule) => {
                    walk.declare(NameKind::Scenario, &block.name);
                    walk.schedule(schedule);
                }
                BlockKind::Recovery | BlockKind::Switchover => {
                    walk.declare(NameKind::Scenario, &block.name);
                }
            }
            walk.clauses(&block.body);
        });
    }

    pub(super) fn clauses(&mut self, body: &[Clause]) {
        for clause in body {
            self.clause(&clause.kind);
        }
    }

    pub(super) fn selector(&mut self, selector: &Selector) {
        match &selector.kind {
            SelectorKind::Base(service) => {
                if let Some(service) = service {
                    self.reference(Kinds::One(NameKind::Service), service);
                }
            }
            // globs and labels of filters name nothing that is declared
            SelectorKind::Every { scope, .. } => {
                if let Some(scope) = scope {
                    self.reference(BARE, scope);
                }
            }
            SelectorKind::Kinded(kind, name) => self.reference(of_kind(*kind), name),
            SelectorKind::Bare(name) => self.reference(BARE, name),
        }
    }

    pub(super) fn reference(&mut self, kinds: Kinds, reference: &Reference) {
        match reference {
            Reference::Name(word) => self.word(kinds, word, false),
            Reference::Var(word) => self.word(VARIABLE, word, false),
        }
    }

    pub(super) fn schedule(&mut self, schedule: &Schedule) {
        if let ast::Every::Interval(every, size) = &schedule.every {
            self.value(every);
            if let Some(size) = size {
                self.value(size);
            }
        }
        if let Some(Reference::Var(word)) = &schedule.at {
            self.word(VARIABLE, word, false);
        }
        self.maybe(NameKind::Window, schedule.during.as_ref());
    }

    pub(super) fn value(&mut self, value: &Value) {
        if let Value::Var(word) = value {
            self.word(VARIABLE, word, false);
        }
    }

    pub(super) fn variable(&mut self, word: &Word) {
        self.word(VARIABLE, word, false);
    }

    pub(super) fn declare(&mut self, kind: NameKind, word: &Word) {
        self.word(Kinds::One(kind), word, true);
    }

    pub(super) fn uses(&mut self, kind: NameKind, word: &Word) {
        self.word(Kinds::One(kind), word, false);
    }

    pub(super) fn maybe(&mut self, kind: NameKind, word: Option<&Word>) {
        if let Some(word) = word {
            self.uses(kind, word);
        }
    }

    /// A word, perhaps with a prefix or with the things it lies in: `dev.nvme`, `orders.core`.
    pub(super) fn word(&mut self, kinds: Kinds, word: &Word, declares: bool) {
        if word.quoted {
            return;
        }
        let (home, name) = self.locate(&word.text);
        if name.len() < word.text.len() {
            let prefix = &word.text[..word.text.len() - name.len() - 1];
            let own = self.ast.file;
            self.push(Kinds::One(NameKind::Import), word.span, prefix, own, false);
        }
        let (outer, last) = name.rsplit_once('.').unwrap_or(("", name));
        let mut at = word.text.len() - name.len();
        for part in outer.split('.').filter(|part| !part.is_empty()) {
            self.part(BARE, word.span, (at, part), home, false);
            at += part.len() + 1;
        }
        self.part(kinds, word.span, (at, last), home, declares);
    }

    /// The file that a name belongs to, and the name there.
    fn locate<'n>(&self, text: &'n str) -> (FileId, &'n str) {
        let own = (self.ast.file, text);
        let Some((first, rest)) = text.split_once('.') else {
            return own;
        };
        let mut known = imports(self.unit, self.ast);
        let import = known.find(|(prefix, _)| prefix.text == first);
        import
            .and_then(|(_, file)| Some((file?, rest)))
            .unwrap_or(own)
    }

    fn within(&mut self, scope: String, walk: impl FnOnce(&mut Self)) {
        self.scopes.insert(0, scope);
        walk(self);
        self.scopes.remove(0);
    }

    /// The first place of a name in a span: behind a dollar sign, before a dot.
    fn push(&mut self, kinds: Kinds, span: Span, name: &str, home: FileId, declares: bool) {
        self.part(kinds, span, (0, name), home, declares);
    }

    fn part(
        &mut self,
        kinds: Kinds,
        span: Span,
        (after, name): (usize, &str),
        home: FileId,
        declares: bool,
    ) {
        let text = self.unit.sources.text(span);
        let inside = text.get(after..).and_then(|text| text.find(name));
        let Some(start) = inside.map(|at| span.start as usize + after + at) else {
            return;
        };
        self.list.push(Found {
            span: Span::new(span.file, start, start + name.len()),
            name: name.to_owned(),
            kinds,
            home,
            scopes: self.scopes.clone(),
            declares,
        });
    }
}

/// The kind of name that a keyword asks for.
fn of_kind(kind: Kind) -> Kinds {
    Kinds::One(match kind {
        Kind::Service | Kind::Files | Kind::Time | Kind::Transaction => NameKind::Service,
        Kind::Database => NameKind::Database,
        Kind::Tablespace => NameKind::Tablespace,
        Kind::Group => NameKind::Group,
        Kind::Table => NameKind::Table,
        Kind::Site => NameKind::Site,
        Kind::Device => NameKind::Device,
    })
}

/// The clauses that stand inside another one.
pub(super) fn inner(clause: &ClauseKind) -> &[Clause] {
    match clause {
        ClauseKind::Database { body, .. } => body,
        _ => &[],
    }
}
