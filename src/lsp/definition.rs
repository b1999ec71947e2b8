//! Where a name is declared and where it is used, across imports and into inventories.

use std::collections::BTreeSet;

use gen_lsp_types::{
    Definition, DefinitionParams, DefinitionResponse, DocumentHighlight, DocumentHighlightParams,
    Location, ReferenceParams, TextDocumentPositionParams,
};

use crate::lsp::names::{NameKind, Occurrence, Symbol};
use crate::lsp::place;
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::source::{FileId, Span};
use crate::syntax::ast::ItemKind;

/// A name in one of the plans that read its file.
pub(super) struct Named {
    /// The plan.
    pub(super) main: String,
    /// The word at the place.
    pub(super) at: Occurrence,
}

/// The name at a place, in every plan that reads the file.
pub(super) fn named(workspace: &mut Workspace, at: &TextDocumentPositionParams) -> Vec<Named> {
    let Some(path) = place::path_of(&at.text_document.uri.0) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for main in workspace.mains(&path) {
        let Some(unit) = workspace.unit(&main) else {
            continue;
        };
        let Some(file) = unit.sources.find(&path) else {
            continue;
        };
        let byte = place::offset(unit.sources.file(file), at.position);
        if let Some(at) = unit.names().at(file, byte).cloned() {
            found.push(Named { main, at });
        }
    }
    found
}

/// The place that declares what a name means; for a path, the file.
pub(super) fn definition(
    workspace: &mut Workspace,
    params: &DefinitionParams,
) -> Option<DefinitionResponse> {
    let at = &params.text_document_position_params;
    let named = named(workspace, at);
    if named.is_empty() {
        return file(workspace, at).map(response);
    }
    Some(response(places(workspace, &named, |one| one.declares)))
}

fn response(places: Vec<Location>) -> DefinitionResponse {
    DefinitionResponse::Definition(Definition::LocationList(places))
}

/// All places that mean the same thing.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the form of the answer is the protocol's"
)]
pub(super) fn references(
    workspace: &mut Workspace,
    params: &ReferenceParams,
) -> Option<Vec<Location>> {
    let named = named(workspace, &params.text_document_position_params);
    let with_own = params.context.include_declaration;
    let wanted = |one: &Occurrence| with_own || !one.declares;
    Some(places(workspace, &named, wanted))
}

/// The same within one file.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the form of the answer is the protocol's"
)]
pub(super) fn highlights(
    workspace: &mut Workspace,
    params: &DocumentHighlightParams,
) -> Option<Vec<DocumentHighlight>> {
    let at = &params.text_document_position_params;
    let named = named(workspace, at);
    let here = places(workspace, &named, |_| true).into_iter();
    let here = here.filter(|place| place.uri == at.text_document.uri);
    let highlight = |place: Location| DocumentHighlight {
        range: place.range,
        kind: None,
    };
    Some(here.map(highlight).collect())
}

/// Places of a name in all plans that know it, each once, in the order of files and lines.
fn places(
    workspace: &mut Workspace,
    named: &[Named],
    wanted: impl Fn(&Occurrence) -> bool,
) -> Vec<Location> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for one in named {
        let Some(unit) = workspace.unit(&one.main) else {
            continue;
        };
        for span in spans(unit, &one.at.symbol, &wanted) {
            let path = unit.sources.file(span.file).path();
            if seen.insert((path.to_owned(), span.start)) {
                found.push(place::location(&unit.sources, span));
            }
        }
    }
    found
}

/// The spans of a name in one plan.
pub(super) fn spans(
    unit: &Unit,
    symbol: &Symbol,
    wanted: impl Fn(&Occurrence) -> bool,
) -> Vec<Span> {
    let all = unit.names().of_symbol(symbol).filter(|one| wanted(one));
    let mut spans: Vec<Span> = all.map(|one| one.span).collect();
    if symbol.kind == NameKind::Import {
        spans.retain(|span| span.file == symbol.home);
    }
    spans
}

/// The file that a path in quotes means.
fn file(workspace: &mut Workspace, at: &TextDocumentPositionParams) -> Option<Vec<Location>> {
    let path = place::path_of(&at.text_document.uri.0)?;
    let (unit, id) = workspace.unit_of(&path)?;
    let byte = place::offset(unit.sources.file(id), at.position);
    let target = named_path(unit, id, byte)?;
    let target = unit.sources.find(&target)?;
    let start = Span::new(target, 0, 0);
    Some(vec![place::location(&unit.sources, start)])
}

fn named_path(unit: &Unit, id: FileId, byte: usize) -> Option<String> {
    let from = unit.sources.file(id).path();
    let mut paths = unit
        .ast(id)?
        .items
        .iter()
        .filter_map(|item| match &item.kind {
            ItemKind::Import { path, .. } => Some(path),
            ItemKind::Environment { inventory, .. } => Some(inventory),
            _ => None,
        });
    let word = paths.find(|word| {
        let (start, end) = (word.span.start as usize, word.span.end as usize);
        start <= byte && byte <= end
    })?;
    Some(crate::resolve::relative(from, &word.text))
}
