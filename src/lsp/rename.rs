//! Renaming: every place that means the thing, in all plans that read one of its files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gen_lsp_types::{
    PrepareRenameParams, PrepareRenamePlaceholder, PrepareRenameResult, Range, RenameParams,
    TextEdit, Uri, WorkspaceEdit,
};

use crate::lsp::definition::{Named, named, spans};
use crate::lsp::place;
use crate::lsp::route::Refusal;
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::syntax::words::RESERVED;

/// The name that would be renamed; none where nothing is named.
pub(super) fn prepare(
    workspace: &mut Workspace,
    params: &PrepareRenameParams,
) -> Result<Option<PrepareRenameResult>, Refusal> {
    let named = named(workspace, &params.text_document_position_params);
    let Some(first) = named.first() else {
        return Ok(None);
    };
    let Some(unit) = workspace.unit(&first.main) else {
        return Ok(None);
    };
    may_rename(unit, first)?;
    let file = unit.sources.file(first.at.span.file);
    let placeholder = PrepareRenamePlaceholder {
        range: place::range(file, first.at.span),
        placeholder: first.at.symbol.name.clone(),
    };
    Ok(Some(PrepareRenameResult::PrepareRenamePlaceholder(
        placeholder,
    )))
}

/// The edits of all files.
pub(super) fn rename(
    workspace: &mut Workspace,
    params: &RenameParams,
) -> Result<Option<WorkspaceEdit>, Refusal> {
    let new = params.new_name.trim().trim_start_matches('$');
    is_a_name(new)?;
    let named = named(workspace, &params.text_document_position_params);
    let mut changes: BTreeMap<String, BTreeSet<Range>> = BTreeMap::new();
    for one in &named {
        let Some(unit) = workspace.unit(&one.main) else {
            continue;
        };
        may_rename(unit, one)?;
        is_free(unit, one, new)?;
        for span in spans(unit, &one.at.symbol, |_| true) {
            let file = unit.sources.file(span.file);
            let ranges = changes.entry(place::uri_of(file.path()).0).or_default();
            ranges.insert(place::range(file, span));
        }
    }
    if changes.is_empty() {
        return Err(Refusal("nothing is named here".to_owned()));
    }
    let changes: HashMap<Uri, Vec<TextEdit>> = changes
        .into_iter()
        .map(|(uri, ranges)| (Uri(uri), edits(ranges, new)))
        .collect();
    Ok(Some(WorkspaceEdit {
        changes: Some(changes),
        ..WorkspaceEdit::default()
    }))
}

fn edits(ranges: BTreeSet<Range>, new: &str) -> Vec<TextEdit> {
    let edit = |range| TextEdit {
        range,
        new_text: new.to_owned(),
    };
    ranges.into_iter().map(edit).collect()
}

/// What is declared nowhere, or more than once in a file, cannot be told apart from others.
fn may_rename(unit: &Unit, one: &Named) -> Result<(), Refusal> {
    let symbol = &one.at.symbol;
    let (kind, name) = (symbol.kind.word(), &symbol.name);
    let declared = spans(unit, symbol, |one| one.declares);
    if declared.is_empty() {
        return Err(Refusal(format!("the {kind} `{name}` is declared nowhere")));
    }
    let files: BTreeSet<_> = declared.iter().map(|span| span.file).collect();
    if symbol.kind.is_component() && files.len() < declared.len() {
        let message = format!("several services have a {kind} `{name}`; rename them by hand");
        return Err(Refusal(message));
    }
    Ok(())
}

fn is_free(unit: &Unit, one: &Named, new: &str) -> Result<(), Refusal> {
    let mut other = one.at.symbol.clone();
    new.clone_into(&mut other.name);
    let taken = other != one.at.symbol && unit.names().of_symbol(&other).any(|o| o.declares);
    if taken {
        let kind = other.kind.word();
        return Err(Refusal(format!("there is a {kind} `{new}` already")));
    }
    Ok(())
}

fn is_a_name(new: &str) -> Result<(), Refusal> {
    let mut letters = new.chars();
    let first = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if RESERVED.contains(&new) {
        Err(Refusal(format!("`{new}` is a word of the language")))
    } else if first && rest {
        Ok(())
    } else {
        let form = "names are letters, digits, `_` and `-`, and begin with a letter";
        Err(Refusal(format!("`{new}` is no name: {form}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_names() {
        for name in ["near", "_x", "a-b_2"] {
            assert!(is_a_name(name).is_ok(), "{name}");
        }
        for name in ["", "2a", "a b", "store.on", "größe", "backup", "a\n"] {
            assert!(is_a_name(name).is_err(), "{name}");
        }
    }
}
