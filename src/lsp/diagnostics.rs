//! Findings while typing: those of `planc check`, each at its place, with what belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use gen_lsp_types::{
    Code as LspCode, Diagnostic as LspDiagnostic, DiagnosticRelatedInformation, DiagnosticSeverity,
    Message, PublishDiagnosticsParams,
};

use crate::check::rule;
use crate::diagnostic::{Diagnostic, Severity};
use crate::lsp::place;
use crate::lsp::unit::Unit;
use crate::lsp::workspace::Workspace;
use crate::source::SourceMap;

/// Findings of one file that are sent; nobody reads more, and editors slow down.
const PER_FILE: usize = 500;

/// Which files have findings on the editor's screen.
#[derive(Debug, Default)]
pub(super) struct Published {
    by_main: BTreeMap<String, BTreeSet<String>>,
}

impl Published {
    /// Plans whose findings are on the screen, their files open or not.
    pub(super) fn mains(&self) -> impl Iterator<Item = &String> {
        self.by_main.keys()
    }

    /// What has to be sent after these plans were compiled again: the findings of each file, and
    /// an empty list for a file that has none any more.
    pub(super) fn refresh(
        &mut self,
        workspace: &mut Workspace,
        mains: &[String],
    ) -> Vec<PublishDiagnosticsParams> {
        let mut paths: BTreeSet<String> = BTreeSet::new();
        for main in mains {
            let now = workspace
                .unit(main)
                .map(files_with_findings)
                .unwrap_or_default();
            let before = self.by_main.insert(main.clone(), now.clone());
            paths.extend(before.unwrap_or_default());
            paths.extend(now);
            paths.insert(main.clone());
        }
        let paths = paths.into_iter();
        paths.map(|path| self.of_file(workspace, &path)).collect()
    }

    /// A file as all plans see it that have something to say about it.
    fn of_file(&self, workspace: &mut Workspace, path: &str) -> PublishDiagnosticsParams {
        let speaking = self
            .by_main
            .iter()
            .filter(|(_, paths)| paths.contains(path));
        let mut diagnostics: Vec<LspDiagnostic> = Vec::new();
        for (main, _) in speaking {
            let Some(unit) = workspace.unit(main) else {
                continue;
            };
            for one in of_path(unit, path) {
                if !diagnostics.contains(&one) && diagnostics.len() < PER_FILE {
                    diagnostics.push(one);
                }
            }
        }
        PublishDiagnosticsParams {
            uri: place::uri_of(path),
            version: workspace.documents.version(path),
            diagnostics,
        }
    }
}

fn files_with_findings(unit: &Unit) -> BTreeSet<String> {
    let findings = unit.findings.iter().filter(|f| f.allowed.is_none());
    let paths = findings.map(|finding| unit.sources.file(finding.span().file).path());
    paths.map(str::to_owned).collect()
}

fn of_path(unit: &Unit, path: &str) -> Vec<LspDiagnostic> {
    let Some(file) = unit.sources.find(path) else {
        return Vec::new();
    };
    let here = |finding: &&Diagnostic| finding.span().file == file && finding.allowed.is_none();
    let findings = unit.findings.iter().filter(here).take(PER_FILE);
    findings
        .map(|finding| diagnostic(&unit.sources, finding))
        .collect()
}

/// One finding as the protocol says it.
pub(super) fn diagnostic(sources: &SourceMap, finding: &Diagnostic) -> LspDiagnostic {
    let span = finding.span();
    LspDiagnostic {
        range: place::range(sources.file(span.file), span),
        severity: Some(match rule::level(finding) {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Advice => DiagnosticSeverity::Information,
        }),
        code: Some(LspCode::String(finding.code.to_string())),
        source: Some("planc".to_owned()),
        message: Message::String(text(finding)),
        related_information: Some(related(sources, finding)),
        ..LspDiagnostic::default()
    }
}

fn text(finding: &Diagnostic) -> String {
    let mut text = finding.message.clone();
    if !finding.environments.is_empty() {
        text = format!("{text} [env {}]", finding.environments.join(", "));
    }
    match &finding.help {
        Some(help) => format!("{text}\nhelp: {help}"),
        None => text,
    }
}

fn related(sources: &SourceMap, finding: &Diagnostic) -> Vec<DiagnosticRelatedInformation> {
    let labels = finding.labels.iter().skip(1);
    let labels = labels.map(|label| (label.text.as_str(), label.span));
    let related = finding.related.iter();
    let related = related.map(|other| (other.message.as_str(), other.label.span));
    let places = labels.chain(related).filter(|(text, _)| !text.is_empty());
    places
        .map(|(message, span)| DiagnosticRelatedInformation {
            location: place::location(sources, span),
            message: message.to_owned(),
        })
        .collect()
}
