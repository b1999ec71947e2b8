//! Values behind `$name`, shown beside it: one an environment where they differ.

use gen_lsp_types::{InlayHint, InlayHintParams, Label};

use crate::lsp::names::{NameKind, Symbol};
use crate::lsp::place;
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::resolve;
use crate::syntax::ast::{Item, ItemKind, Param, PolicyPart, Setting, Value};

/// Hints of the asked part of a file.
pub(super) fn hints(workspace: &mut Workspace, params: &InlayHintParams) -> Option<Vec<InlayHint>> {
    let path = place::path_of(&params.text_document.uri.0)?;
    let (unit, id) = workspace.unit_of(&path)?;
    let file = unit.sources.file(id);
    let used = unit.names().in_file(id).filter(|one| !one.declares);
    let used = used.filter(|one| {
        let dollar = (one.span.start as usize).checked_sub(1);
        dollar.is_some_and(|at| file.text()[at..].starts_with('$'))
    });
    let hints = used.filter_map(|one| {
        let range = place::range(file, one.span);
        if !place::touches(range, params.range) {
            return None;
        }
        Some(InlayHint {
            position: range.end,
            label: Label::String(values(unit, &one.symbol)?),
            kind: None,
            text_edits: None,
            tooltip: None,
            padding_left: Some(true),
            padding_right: None,
            data: None,
        })
    });
    Some(hints.collect())
}

/// `5min prod · 1h staging`, or only `5min` where all environments have the same; none for what
/// has no value in the plan.
pub(super) fn values(unit: &Unit, symbol: &Symbol) -> Option<String> {
    let param = declaration(unit, symbol)?;
    let text = |setting: &Setting| unit.sources.text(span(setting)).to_owned();
    let default = text(&param.default);
    if symbol.kind == NameKind::Variable {
        return Some(format!("{default} unless set"));
    }
    let main = unit.asts.first()?;
    let names = resolve::inventories_of(main)
        .into_iter()
        .map(|(name, ..)| name);
    let of = |name: &String| {
        let own = param.settings.iter().find(|(word, _)| word.text == *name);
        own.map_or_else(|| default.clone(), |(_, setting)| text(setting))
    };
    let mut values: Vec<(String, Vec<String>)> = Vec::new();
    for name in names {
        let value = of(&name);
        match values.iter_mut().find(|(known, _)| *known == value) {
            Some((_, names)) => names.push(name),
            None => values.push((value, vec![name])),
        }
    }
    Some(match values.as_slice() {
        [] => default,
        [(value, _)] => value.clone(),
        many => {
            let said = many
                .iter()
                .map(|(value, names)| format!("{value} {}", names.join(", ")));
            said.collect::<Vec<_>>().join(" · ")
        }
    })
}

fn span(setting: &Setting) -> crate::source::Span {
    match setting {
        Setting::Value(Value::Quantity(quantity)) => quantity.span,
        Setting::Value(Value::Var(word))
        | Setting::Clock(word)
        | Setting::Name(word)
        | Setting::Text(word) => word.span,
    }
}

/// The clause that declares a parameter.
fn declaration<'u>(unit: &'u Unit, symbol: &Symbol) -> Option<&'u Param> {
    let items = &unit.ast(symbol.home)?.items;
    let named = |param: &&Param| param.name.text == symbol.name;
    if symbol.kind == NameKind::Param {
        let params = items.iter().filter_map(|item| match &item.kind {
            ItemKind::Param(param) => Some(param),
            _ => None,
        });
        return params.into_iter().find(named);
    }
    let policy = symbol.scope.strip_prefix("policy ")?;
    items
        .iter()
        .filter_map(|item| parts(item, policy))
        .flatten()
        .find(named)
}

/// The parameters of a policy with this name.
fn parts<'a>(item: &'a Item, name: &str) -> Option<impl Iterator<Item = &'a Param>> {
    let ItemKind::Policy(policy) = &item.kind else {
        return None;
    };
    let params = policy.body.iter().filter_map(|part| match part {
        PolicyPart::Param(param) => Some(param),
        _ => None,
    });
    (policy.name.text == name).then_some(params)
}
