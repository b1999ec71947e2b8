//! Quick fixes: what a finding proposes, and `allow` with a reason. An `allow` is offered only
//! where a trial shows that it silences the finding.

use std::collections::HashMap;

use gen_lsp_types::{
    CodeAction, CodeActionKind, CodeActionParams, CodeActionResponse, TextEdit, WorkspaceEdit,
};
use jiff::{Span as Days, Timestamp};

use crate::check::rule;
use crate::diagnostic::{Diagnostic, Fix};
use crate::lsp::blocks::{self, Around};
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::lsp::{diagnostics, place};
use crate::source::{SourceFile, SourceMap};
use crate::syntax::words;

/// How long an allowance holds that is written by a quick fix.
const ALLOWED_DAYS: i64 = 90;
/// Findings of one place that get actions.
const MOST: usize = 20;

/// The actions for the findings of a range.
pub(super) fn actions(
    workspace: &mut Workspace,
    params: &CodeActionParams,
) -> Option<Vec<CodeActionResponse>> {
    let path = place::path_of(&params.text_document.uri.0)?;
    let main = workspace.mains(&path).into_iter().next()?;
    let unit = workspace.unit(&main)?;
    let id = unit.sources.find(&path)?;
    let file = unit.sources.file(id);
    let here = |finding: &&Diagnostic| {
        let span = finding.span();
        let touches = || place::touches(place::range(file, span), params.range);
        span.file == id && finding.allowed.is_none() && touches()
    };
    let found: Vec<Diagnostic> = unit
        .findings
        .iter()
        .filter(here)
        .take(MOST)
        .cloned()
        .collect();
    let mut actions = Vec::new();
    for finding in &found {
        let Some(unit) = workspace.unit(&main) else {
            continue;
        };
        actions.extend(cure(&unit.sources, finding));
        actions.extend(allowance(workspace, &main, &path, finding));
    }
    Some(
        actions
            .into_iter()
            .map(CodeActionResponse::CodeAction)
            .collect(),
    )
}

/// The finding's own fix.
fn cure(sources: &SourceMap, finding: &Diagnostic) -> Option<CodeAction> {
    let fix = finding.fix.as_ref()?;
    let title = match finding.help.as_deref() {
        Some(help) => format!("{}: {help}", finding.code),
        None => format!("{}: apply the fix", finding.code),
    };
    Some(CodeAction {
        is_preferred: Some(fix.safe),
        ..action(sources, finding, title, edits(sources, fix))
    })
}

fn edits(sources: &SourceMap, fix: &Fix) -> HashMap<gen_lsp_types::Uri, Vec<TextEdit>> {
    let mut changes: HashMap<_, Vec<TextEdit>> = HashMap::new();
    for edit in &fix.edits {
        let file = sources.file(edit.span.file);
        let edits = changes.entry(place::uri_of(file.path())).or_default();
        edits.push(TextEdit {
            range: place::range(file, edit.span),
            new_text: edit.text.clone(),
        });
    }
    changes
}

fn action(
    sources: &SourceMap,
    finding: &Diagnostic,
    title: String,
    changes: HashMap<gen_lsp_types::Uri, Vec<TextEdit>>,
) -> CodeAction {
    CodeAction {
        title,
        kind: Some(CodeActionKind::QuickFix),
        diagnostics: Some(vec![diagnostics::diagnostic(sources, finding)]),
        edit: Some(WorkspaceEdit {
            changes: Some(changes),
            ..WorkspaceEdit::default()
        }),
        ..CodeAction::default()
    }
}

/// `allow` in the innermost block where it silences the finding, or else for the whole plan.
fn allowance(
    workspace: &mut Workspace,
    main: &str,
    path: &str,
    finding: &Diagnostic,
) -> Option<CodeAction> {
    let rule = rule::find(finding.code).filter(|rule| rule.allowable)?;
    let unit = workspace.unit(main)?;
    let id = unit.sources.find(path)?;
    let file = unit.sources.file(id).clone();
    let byte = finding.span().start as usize;
    let around = blocks::with_heads(unit.ast(id)?, &file, byte);
    let blocks = around.iter().filter(|block| takes_allow(block));
    let clause = clause(finding);
    let mut places: Vec<(usize, String)> = blocks
        .filter_map(|block| in_block(&file, block, &clause))
        .collect();
    if path == main {
        places.push(at_end(&file, &clause));
    }
    let trial = |workspace: &mut Workspace, at: &(usize, String)| {
        let mut text = file.text().to_owned();
        text.insert_str(at.0, &at.1);
        silenced(workspace, main, path, &text, finding)
    };
    let (at, text) = places.into_iter().find(|place| trial(workspace, place))?;
    let unit = workspace.unit(main)?;
    let position = place::position(&file, at);
    let edit = TextEdit {
        range: gen_lsp_types::Range {
            start: position,
            end: position,
        },
        new_text: text,
    };
    let title = format!("allow {} ({}) with a reason", rule.code, rule.name);
    let changes = HashMap::from([(place::uri_of(path), vec![edit])]);
    Some(action(&unit.sources, finding, title, changes))
}

fn takes_allow(block: &Around) -> bool {
    words::of_block(block.word).any(|page| page.word == "allow")
}

fn clause(finding: &Diagnostic) -> String {
    let until = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let until = until.saturating_add(Days::new().days(ALLOWED_DAYS));
    format!("allow {} until {until} because \"say why\"", finding.code)
}

/// A line before the closing brace of a block of several lines.
fn in_block(file: &SourceFile, block: &Around, clause: &str) -> Option<(usize, String)> {
    let last = file.line_of((block.span.end as usize).checked_sub(1)?);
    let text = file.line(last);
    let indent = text.len() - text.trim_start().len();
    let alone = text.trim_start().starts_with('}');
    let indent = " ".repeat(indent + 2);
    alone.then(|| (file.line_start(last), format!("{indent}{clause}\n")))
}

fn at_end(file: &SourceFile, clause: &str) -> (usize, String) {
    let text = file.text();
    let gap = if text.ends_with('\n') { "\n" } else { "\n\n" };
    (text.len(), format!("{gap}{clause}\n"))
}

/// True when the finding is allowed in the changed text, and the `allow` is not itself wrong.
fn silenced(
    workspace: &mut Workspace,
    main: &str,
    path: &str,
    text: &str,
    finding: &Diagnostic,
) -> bool {
    let trial = workspace.try_out(main, path, text);
    let same = |other: &&Diagnostic| {
        let (a, b) = (other.span(), finding.span());
        let place = (a.file, a.start, other.code) == (b.file, b.start, finding.code);
        place && other.message == finding.message
    };
    trial.is_some_and(|unit: Unit| {
        let mut alike = unit.findings.iter().filter(same);
        alike.next().is_some_and(|other| other.allowed.is_some())
            && alike.all(|other| other.allowed.is_some())
    })
}
