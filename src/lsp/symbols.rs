//! The outline of a plan: its statements, and what stands in policies, loops and services.

use gen_lsp_types::{DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, SymbolKind};

use crate::lsp::blocks;
use crate::lsp::place;
use crate::lsp::workspace::Workspace;
use crate::source::{SourceFile, Span};
use crate::syntax::ast::{Block, BlockKind, Clause, ClauseKind, Item, ItemKind, Word};

/// The outline of one file.
pub(super) fn symbols(
    workspace: &mut Workspace,
    params: &DocumentSymbolParams,
) -> Option<DocumentSymbolResponse> {
    let path = place::path_of(&params.text_document.uri.0)?;
    let (unit, id) = workspace.unit_of(&path)?;
    let (Some(ast), file) = (unit.ast(id), unit.sources.file(id)) else {
        return None;
    };
    let symbols: Vec<DocumentSymbol> = ast.items.iter().flat_map(|i| item(file, i)).collect();
    Some(DocumentSymbolResponse::DocumentSymbolList(symbols))
}

fn item(file: &SourceFile, item: &Item) -> Vec<DocumentSymbol> {
    let one = |detail: &str, kind, name: &Word| {
        vec![symbol(
            file,
            (detail, kind),
            name.text.clone(),
            item.span,
            name.span,
        )]
    };
    match &item.kind {
        ItemKind::Plan { name, .. } => one("plan", SymbolKind::Module, name),
        ItemKind::Environment { name, .. } => one("environment", SymbolKind::Namespace, name),
        ItemKind::Import { prefix, .. } => one("import", SymbolKind::Package, prefix),
        ItemKind::Param(param) => one("param", SymbolKind::Constant, &param.name),
        ItemKind::Site(names) => {
            let of = |name: &Word| {
                symbol(
                    file,
                    ("site", SymbolKind::Enum),
                    name.text.clone(),
                    name.span,
                    name.span,
                )
            };
            names.iter().map(of).collect()
        }
        ItemKind::Device(device) => one("device", SymbolKind::Object, &device.name),
        ItemKind::Key(key) => one("key", SymbolKind::Key, &key.name),
        ItemKind::Window { name, .. } => one("window", SymbolKind::Event, name),
        ItemKind::Service(service) => {
            let mut found = one("service", SymbolKind::Class, &service.name);
            with_children(&mut found, components(file, &service.body));
            found
        }
        ItemKind::Policy(policy) => {
            let mut found = one("policy", SymbolKind::Interface, &policy.name);
            let parts = blocks::parts(item).map(|part| block(file, part));
            with_children(&mut found, parts.collect());
            found
        }
        ItemKind::ForEach(each) => {
            let kind = ("for each", SymbolKind::Array);
            let name = format!("${}", each.var.text);
            let mut found = vec![symbol(file, kind, name, item.span, each.head)];
            let parts = blocks::parts(item).map(|part| block(file, part));
            with_children(&mut found, parts.collect());
            found
        }
        ItemKind::Block(found) => vec![block(file, found)],
        _ => Vec::new(),
    }
}

fn with_children(found: &mut [DocumentSymbol], children: Vec<DocumentSymbol>) {
    if let Some(first) = found.first_mut().filter(|_| !children.is_empty()) {
        first.children = Some(children);
    }
}

fn block(file: &SourceFile, block: &Block) -> DocumentSymbol {
    let kind = match &block.kind {
        BlockKind::Backup(_) | BlockKind::Archive(_) => SymbolKind::Function,
        BlockKind::Objectives(_) => SymbolKind::Property,
        BlockKind::Drill(_) | BlockKind::Recovery | BlockKind::Switchover => SymbolKind::Method,
    };
    let name = match &block.kind {
        BlockKind::Objectives(of) => {
            let of = file
                .text()
                .get(of.span.start as usize..of.span.end as usize);
            format!("objectives of {}", of.unwrap_or_default())
        }
        _ => block.name.text.clone(),
    };
    symbol(
        file,
        (block.kind.keyword(), kind),
        name,
        block.span,
        block.name.span,
    )
}

fn components(file: &SourceFile, body: &[Clause]) -> Vec<DocumentSymbol> {
    let of = |detail: &str, name: &Word, clause: &Clause| {
        let kind = (detail, SymbolKind::Struct);
        symbol(file, kind, name.text.clone(), clause.span, name.span)
    };
    let clauses = body.iter().flat_map(|clause| match &clause.kind {
        ClauseKind::Tablespaces(names) => {
            let each = |name: &Word| {
                let kind = ("tablespace", SymbolKind::Struct);
                symbol(file, kind, name.text.clone(), name.span, name.span)
            };
            names.iter().map(each).collect()
        }
        ClauseKind::Database { name, body } => {
            let mut found = vec![of("database", name, clause)];
            with_children(&mut found, components(file, body));
            found
        }
        ClauseKind::Group { name, .. } => vec![of("group", name, clause)],
        ClauseKind::Standby { name, .. } => vec![of("standby", name, clause)],
        _ => Vec::new(),
    });
    clauses.collect()
}

/// The own name must lie within the whole, or editors refuse the outline.
#[expect(
    deprecated,
    reason = "the protocol keeps a field that nobody shall set"
)]
fn symbol(
    file: &SourceFile,
    (detail, kind): (&str, SymbolKind),
    name: String,
    whole: Span,
    own: Span,
) -> DocumentSymbol {
    let whole = whole.to(own);
    DocumentSymbol {
        name,
        detail: Some(detail.to_owned()),
        kind,
        tags: None,
        deprecated: None,
        range: place::range(file, whole),
        selection_range: place::range(file, own),
        children: None,
    }
}
