//! Owns the list that is offered: clauses with their pages, words, and names by kind.

use gen_lsp_types::{CompletionItem, CompletionItemKind, Documentation, MarkupContent, MarkupKind};

use crate::check::rules::RULES;
use crate::lsp::hover;
use crate::lsp::names::NameKind;
use crate::lsp::unit::Unit;
use crate::resolve::plan::{DeviceKind, EngineKind};
use crate::source::FileId;
use crate::syntax::words::{self, WordPage};

const DAYS: &[&str] = &[
    "day", "hour", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "last", "1st",
];
const THINGS: &[&str] = &[
    "service",
    "database",
    "tablespace",
    "group",
    "table",
    "site",
    "device",
];
const COMPONENTS: &[NameKind] = &[
    NameKind::Service,
    NameKind::Database,
    NameKind::Tablespace,
    NameKind::Group,
    NameKind::Table,
];

/// What is offered at one place.
pub(super) struct Offers<'u> {
    unit: &'u Unit,
    file: FileId,
    byte: usize,
    items: Vec<CompletionItem>,
}

impl<'u> Offers<'u> {
    pub(super) fn new(unit: &'u Unit, file: FileId, byte: usize) -> Self {
        Self {
            unit,
            file,
            byte,
            items: Vec::new(),
        }
    }

    /// The list, each label once, in the order in which it was made.
    pub(super) fn items(self) -> Vec<CompletionItem> {
        let mut kept: Vec<CompletionItem> = Vec::new();
        for (at, mut item) in self.items.into_iter().enumerate() {
            if kept.iter().all(|other| other.label != item.label) {
                item.sort_text = Some(format!("{at:05}"));
                kept.push(item);
            }
        }
        kept
    }

    /// The clauses that a block may hold.
    pub(super) fn clauses(&mut self, block: &str) {
        for page in words::of_block(block) {
            let mut item = documented(page);
            item.insert_text = Some(format!("{} ", page.word));
            self.items.push(item);
        }
    }

    /// Small words.
    pub(super) fn words(&mut self, words: &[&str]) {
        for word in words {
            let page = words::WORDS.iter().find(|page| page.word == *word);
            let item = page.map_or_else(|| plain(word, CompletionItemKind::Keyword), documented);
            self.items.push(item);
        }
    }

    /// What follows `every`.
    pub(super) fn days(&mut self) {
        self.words(DAYS);
        self.variables();
    }

    /// Names after a word such as `tablespace`.
    pub(super) fn of_kind(&mut self, kind: &str) {
        let kinds = COMPONENTS.iter().filter(|known| known.word() == kind);
        for kind in kinds {
            self.names(*kind);
        }
        self.variables();
    }

    /// `$name` of parameters and of the blocks around.
    pub(super) fn variables(&mut self) {
        for name in self.unit.names().variables(self.unit, self.file, self.byte) {
            let label = format!("${name}");
            self.items.push(plain(&label, CompletionItemKind::Variable));
        }
    }

    /// What a placeholder of the clause that begins with `clause` stands for.
    pub(super) fn placeholder_of(&mut self, clause: &str, placeholder: &str) {
        match (clause, placeholder) {
            ("device", "KIND") => self.words(&DeviceKind::ALL.map(DeviceKind::word)),
            ("apply" | "objectives" | "archive", "SELECTOR") => {
                self.names(NameKind::Service);
                self.variables();
            }
            _ => self.placeholder(placeholder),
        }
    }

    /// What a placeholder stands for.
    pub(super) fn placeholder(&mut self, placeholder: &str) {
        match placeholder {
            "DEVICE" => self.names(NameKind::Device),
            "SITE" => self.names(NameKind::Site),
            "WINDOW" => self.names(NameKind::Window),
            "KEY" => self.names(NameKind::Key),
            "CONTACT" => self.names(NameKind::Contact),
            "JOB" => self.names(NameKind::Job),
            "DISK" => self.names(NameKind::Disk),
            "STANDBY" => self.names(NameKind::Standby),
            "SERVICE" => self.names(NameKind::Service),
            "POLICY" => self.names(NameKind::Policy),
            "ENVIRONMENT" => self.names(NameKind::Environment),
            "HOST" => {
                self.names(NameKind::Host);
                self.words(&["scratch", "here"]);
            }
            "DATABASE" => {
                self.names(NameKind::Database);
                self.names(NameKind::Service);
            }
            "SELECTOR" => self.selector(),
            "LOSS" => self.words(&["loss of", "human error", "corruption"]),
            "ENGINE" => self.words(&EngineKind::ALL.map(EngineKind::word)),
            "KIND" => self.words(THINGS),
            "TYPE" => self.words(&["duration", "size", "rate", "count", "clock", "name"]),
            "CODEC" => self.words(&["zstd", "lz4", "none"]),
            "SOURCE" => self.words(&["env", "file", "vault", "command"]),
            "CODE" => self.codes(),
            "DURATION" | "SIZE" | "RATE" | "N" | "VALUE" | "POINT" => self.variables(),
            _ => {}
        }
    }

    fn selector(&mut self) {
        self.words(&["base", "every"]);
        self.words(&THINGS[..5]);
        for kind in COMPONENTS {
            self.names(*kind);
        }
        self.variables();
    }

    fn codes(&mut self) {
        for rule in RULES.iter().filter(|rule| rule.allowable) {
            let mut item = plain(&rule.code.to_string(), CompletionItemKind::EnumMember);
            item.detail = Some(rule.name.to_owned());
            item.documentation = Some(markdown(rule.summary.to_owned()));
            self.items.push(item);
        }
    }

    fn names(&mut self, kind: NameKind) {
        for name in self.unit.names().declared(kind, self.unit, self.file) {
            let mut item = plain(&name, CompletionItemKind::Reference);
            item.detail = Some(kind.word().to_owned());
            self.items.push(item);
        }
    }
}

fn plain(label: &str, kind: CompletionItemKind) -> CompletionItem {
    CompletionItem {
        label: label.to_owned(),
        kind: Some(kind),
        ..CompletionItem::default()
    }
}

fn documented(page: &WordPage) -> CompletionItem {
    CompletionItem {
        detail: Some(page.form.to_owned()),
        documentation: Some(markdown(hover::page_of(page))),
        ..plain(page.word, CompletionItemKind::Keyword)
    }
}

fn markdown(text: String) -> Documentation {
    Documentation::MarkupContent(MarkupContent::new(MarkupKind::Markdown, text))
}
