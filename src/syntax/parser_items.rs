//! Owns the building of statements and blocks, and of what recovery could save of bad ones.
//! Every builder gives `None` only for a node the grammar cannot produce.

use super::ast::{
    Apply, Block, BlockKind, Clause, ClauseKind, Device, ForEach, ForEachPart, Item, ItemKind, Key,
    Param, Policy, PolicyPart, Service, Word,
};
use super::mistakes::{self, Slip};
use super::parser::{Builder, Node, Parts, Rule};
use super::parser_phrases::kind;
use super::place::{self, Place};
use super::words;
use crate::source::Span;

const BLOCK: &[Rule] = &[
    Rule::backup,
    Rule::archive,
    Rule::objectives,
    Rule::drill,
    Rule::recovery,
    Rule::switchover,
];

/// What could be told of a line that could not be read.
pub(super) struct Bad {
    /// Its first word, when that begins a clause or statement.
    pub(super) keyword: Option<Word>,
    name: Option<Word>,
    body: Vec<Clause>,
    /// The line and its block.
    pub(super) span: Span,
}

impl Builder<'_> {
    /// One statement.
    pub(super) fn item(&mut self, node: Node<'_>) -> Item {
        if node.as_rule() == Rule::bad {
            let bad = self.bad(node, Place::File);
            return Item {
                kind: ItemKind::Bad {
                    keyword: bad.keyword,
                    name: bad.name,
                    body: bad.body,
                },
                span: bad.span,
            };
        }
        let span = self.span(&node);
        let kind = self.item_kind(node).unwrap_or(ItemKind::Bad {
            keyword: None,
            name: None,
            body: Vec::new(),
        });
        Item { kind, span }
    }

    fn item_kind(&mut self, node: Node<'_>) -> Option<ItemKind> {
        let rule = node.as_rule();
        match rule {
            Rule::param => return Some(ItemKind::Param(self.param(node)?)),
            Rule::apply => return Some(ItemKind::Apply(self.apply(node)?)),
            Rule::allow => return Some(ItemKind::Allow(self.allow(node)?)),
            Rule::policy => return self.policy(node),
            Rule::foreach => return self.foreach(node),
            _ if BLOCK.contains(&rule) => return Some(ItemKind::Block(self.block(node)?)),
            _ => {}
        }
        let mut parts = Parts::of(node);
        if rule == Rule::assume {
            return Some(ItemKind::Assume(self.body(parts.any(), Place::Assume)));
        }
        let first = parts.any()?;
        let name = self.word(&first);
        Some(match rule {
            Rule::version => ItemKind::Version(name),
            Rule::plan => ItemKind::Plan {
                name,
                title: parts.any().map(|node| self.word(&node)),
            },
            Rule::timezone => ItemKind::Timezone(name),
            Rule::environ => ItemKind::Environment {
                name,
                inventory: self.word(&parts.any()?),
            },
            Rule::import => ItemKind::Import {
                path: name,
                prefix: self.word(&parts.any()?),
            },
            Rule::site => ItemKind::Site(self.words(first)),
            Rule::device => ItemKind::Device(Device {
                name,
                kind: parts.take(Rule::ident).map(|node| self.word(&node)),
                site: parts.take(Rule::name).map(|node| self.word(&node)),
                body: self.body(parts.any(), Place::Device),
            }),
            Rule::key => ItemKind::Key(Key {
                name,
                secret: self.secret(parts.take(Rule::secret)?)?,
                escrow: parts.any().map(|node| self.word(&node)),
            }),
            Rule::window => ItemKind::Window {
                name,
                span: self.window_span(parts.any()?)?,
            },
            Rule::service => ItemKind::Service(Service {
                name,
                engine: self.word(&parts.take(Rule::ident)?),
                body: self.body(parts.any(), Place::Service),
            }),
            _ => return None,
        })
    }

    pub(super) fn param(&self, node: Node<'_>) -> Option<Param> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        let name = self.word(&parts.take(Rule::ident)?);
        let type_name = self.word(&parts.take(Rule::ident)?);
        let default = self.setting(parts.any()?)?;
        let setting = |node: Node<'_>| {
            let mut parts = Parts::of(node);
            Some((self.word(&parts.any()?), self.setting(parts.any()?)?))
        };
        let settings = parts.all(Rule::setting).into_iter();
        Some(Param {
            name,
            type_name,
            default,
            settings: settings.map(setting).collect::<Option<_>>()?,
            span,
        })
    }

    fn policy(&mut self, node: Node<'_>) -> Option<ItemKind> {
        let mut parts = Parts::of(node);
        let name = self.word(&parts.take(Rule::ident)?);
        let kind = kind(parts.take(Rule::kind)?.as_str())?;
        let var = self.word(&parts.take(Rule::var)?);
        let body = parts.any()?.into_inner();
        let body = body.map(|node| match node.as_rule() {
            Rule::bad => PolicyPart::Bad(self.bad(node, Place::Policy).span),
            Rule::param => {
                let span = self.span(&node);
                self.param(node)
                    .map_or(PolicyPart::Bad(span), PolicyPart::Param)
            }
            _ => {
                let span = self.span(&node);
                self.block(node)
                    .map_or(PolicyPart::Bad(span), PolicyPart::Block)
            }
        });
        let body = body.collect();
        Some(ItemKind::Policy(Policy {
            name,
            kind,
            var,
            body,
        }))
    }

    fn foreach(&mut self, node: Node<'_>) -> Option<ItemKind> {
        let start = node.as_span().start();
        let mut parts = Parts::of(node);
        let kind = kind(parts.take(Rule::kind)?.as_str())?;
        let var = self.word(&parts.take(Rule::var)?);
        let scope = self.scope(&mut parts);
        let filters = self.filters(&mut parts);
        let body = parts.any()?;
        let head = self.head(start, &body);
        let body = body.into_inner().map(|node| {
            let span = self.span(&node);
            self.foreach_part(node).unwrap_or(ForEachPart::Bad(span))
        });
        Some(ItemKind::ForEach(ForEach {
            kind,
            var,
            scope,
            filters,
            body: body.collect(),
            head,
        }))
    }

    fn foreach_part(&mut self, node: Node<'_>) -> Option<ForEachPart> {
        let span = self.span(&node);
        Some(match node.as_rule() {
            Rule::bad => ForEachPart::Bad(self.bad(node, Place::ForEach).span),
            Rule::expect => {
                let mut parts = Parts::of(node);
                ForEachPart::Expect {
                    from: self.word(&parts.any()?),
                    to: parts.any().map(|node| self.word(&node)),
                    span,
                }
            }
            Rule::apply => ForEachPart::Apply(self.apply(node)?),
            _ => ForEachPart::Block(self.block(node)?),
        })
    }

    fn apply(&mut self, node: Node<'_>) -> Option<Apply> {
        let span = self.span(&node);
        let mut parts = Parts::of(node);
        let policy = self.word(&parts.take(Rule::name)?);
        let target = self.selector(parts.take(Rule::selector)?)?;
        let arg = |node: Node<'_>| {
            let mut parts = Parts::of(node);
            let name = self.word(&parts.take(Rule::ident)?);
            Some((name, self.setting(parts.any()?)?))
        };
        let args = parts.all(Rule::arg).into_iter();
        let with = args.map(arg).collect::<Option<_>>()?;
        Some(Apply {
            policy,
            target,
            with,
            body: self.body(parts.any(), Place::Apply),
            span,
        })
    }

    /// From the keyword to the opening brace.
    fn head(&self, start: usize, body: &Node<'_>) -> Span {
        self.place(start, body.as_span().start())
    }

    fn block(&mut self, node: Node<'_>) -> Option<Block> {
        let span = self.span(&node);
        let rule = node.as_rule();
        let start = node.as_span().start();
        let mut parts = Parts::of(node);
        let name = match parts.take(Rule::ident) {
            Some(node) => self.word(&node),
            None => Word {
                text: "objectives".to_owned(),
                span: self.place(start, start + "objectives".len()),
                quoted: false,
            },
        };
        let (kind, place) = match rule {
            Rule::backup => {
                let targets = self.targets(parts.take(Rule::targets)?)?;
                (BlockKind::Backup(targets), Place::Backup)
            }
            Rule::archive => {
                let target = self.selector(parts.take(Rule::selector)?)?;
                (BlockKind::Archive(target), Place::Archive)
            }
            Rule::objectives => {
                let target = self.selector(parts.take(Rule::selector)?)?;
                (BlockKind::Objectives(target), Place::Objectives)
            }
            Rule::drill => {
                let schedule = self.schedule(parts.take(Rule::schedule)?)?;
                (BlockKind::Drill(schedule), Place::Drill)
            }
            Rule::recovery => (BlockKind::Recovery, Place::Recovery),
            _ => (BlockKind::Switchover, Place::Switchover),
        };
        let body = parts.any()?;
        let head = self.head(start, &body);
        Some(Block {
            kind,
            name,
            body: self.body(Some(body), place),
            head,
            span,
        })
    }

    // ---- what could not be read --------------------------------------------------------------

    /// Reports a bad line, unless a finding explains it already, and saves what can be told.
    pub(super) fn bad(&mut self, node: Node<'_>, place: Place) -> Bad {
        let whole = node.as_span();
        let head = node
            .clone()
            .into_inner()
            .find(|node| node.as_rule() == Rule::junk);
        let opened = whole.as_str().contains('{');
        let (start, line) = match &head {
            Some(junk) => (junk.as_span().start(), junk.as_str().trim_end()),
            None => (whole.start(), "{"),
        };
        self.judge(start, line, opened, place);
        let inner = place::place_of(line);
        let mut bodies = Vec::new();
        for part in node
            .into_inner()
            .filter(|node| node.as_rule() == Rule::bad_body)
        {
            for clause in part.into_inner() {
                self.save(clause, inner, &mut bodies);
            }
        }
        let (keyword, name) = self.first_words(start, line);
        Bad {
            keyword,
            name,
            body: bodies,
            span: self.place(
                whole.start(),
                whole.start() + whole.as_str().trim_end().len(),
            ),
        }
    }

    fn judge(&mut self, start: usize, line: &str, opened: bool, place: Place) {
        let span = self.place(start, start + line.len());
        let range = span.start as usize..span.end as usize;
        if self.repaired.is_explained(&range) {
            return;
        }
        self.reported += 1;
        if self.reported > mistakes::MOST {
            if self.reported == mistakes::MOST + 1 {
                self.out.push(mistakes::too_many(span));
            }
            return;
        }
        let slip = Slip {
            line,
            opened,
            place,
        };
        let finding = mistakes::judge(&slip, &|from, to| self.place(start + from, start + to));
        self.out.push(finding);
    }

    /// Clauses of a block whose header is bad. Blocks in it are flattened.
    fn save(&mut self, node: Node<'_>, place: Place, into: &mut Vec<Clause>) {
        match node.as_rule() {
            rule if BLOCK.contains(&rule) => {
                into.extend(self.block(node).into_iter().flat_map(|block| block.body));
            }
            Rule::apply => {
                into.extend(self.apply(node).into_iter().flat_map(|apply| apply.body));
            }
            Rule::bad => {
                let bad = self.bad(node, place);
                let keyword = bad.keyword;
                into.push(Clause {
                    kind: ClauseKind::Bad { keyword },
                    span: bad.span,
                });
                into.extend(bad.body);
            }
            Rule::expect => {}
            _ => into.push(self.clause(node, place)),
        }
    }

    fn first_words(&self, start: usize, line: &str) -> (Option<Word>, Option<Word>) {
        let mut found = mistakes::words(line).into_iter();
        let mut next = || {
            let range = found.next()?;
            let span = self.place(start + range.start, start + range.end);
            Some(Word {
                text: line.get(range)?.to_owned(),
                span,
                quoted: false,
            })
        };
        let keyword = next().filter(|word| words::page(&word.text).is_some());
        let is_name = |word: &Word| {
            word.text
                .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && !words::RESERVED.contains(&word.text.as_str())
        };
        let name = next().filter(is_name);
        (keyword, name)
    }
}
