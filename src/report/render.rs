//! Owns how findings are drawn for people; the only place that sets up miette.
//! Labels that stand far from the first one get a snippet of their own, because miette prints
//! every line between two labels of one snippet.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteHandlerOpts, MietteSpanContents,
    ReportHandler, SourceCode, SourceSpan, SpanContents,
};

use crate::check::rule;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{SourceFile, SourceMap, Span};

/// Labels of one snippet are at most this many lines apart.
const NEAR_LINES: usize = 6;
/// Width of everything that is not a terminal.
const WIDTH: usize = 80;

/// Where the drawing goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// True for a terminal: its own width is used.
    pub terminal: bool,
    /// True to use colour.
    pub colour: bool,
}

/// Draws one finding, with a line break at its end.
#[must_use]
pub fn finding(sources: &SourceMap, finding: &Diagnostic, style: Style) -> String {
    let handler = handler(style);
    let report = Report::new(sources, finding);
    squeeze(&Drawn(&*handler, &report).to_string())
}

fn handler(style: Style) -> Box<dyn ReportHandler> {
    if style.terminal {
        let options = MietteHandlerOpts::new().unicode(true).color(style.colour);
        return Box::new(options.terminal_links(false).build());
    }
    let theme = GraphicalTheme::unicode_nocolor();
    Box::new(GraphicalReportHandler::new_themed(theme).with_width(WIDTH))
}

struct Drawn<'a>(&'a dyn ReportHandler, &'a dyn miette::Diagnostic);

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(self.1, out)
    }
}

/// Takes out empty lines and blanks at the ends of lines: findings are read in lists.
fn squeeze(drawn: &str) -> String {
    let lines = drawn.lines().map(str::trim_end);
    lines
        .filter(|line| !line.is_empty())
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// A finding, or a place related to one, as miette wants to see it.
#[derive(Debug)]
struct Report<'a> {
    code: Option<String>,
    title: String,
    severity: miette::Severity,
    help: Option<String>,
    snippet: Snippet<'a>,
    labels: Vec<LabeledSpan>,
    related: Vec<Report<'a>>,
}

impl<'a> Report<'a> {
    fn new(sources: &'a SourceMap, finding: &Diagnostic) -> Self {
        let first = finding.span();
        let (near, far): (Vec<&Label>, Vec<&Label>) = finding
            .labels
            .iter()
            .partition(|label| is_near(sources, first, label.span));
        let far = far.into_iter().map(|label| Self::place(sources, "", label));
        let related = finding.related.iter();
        let related = related.map(|other| Self::place(sources, &other.message, &other.label));
        Self {
            code: Some(finding.code.to_string()),
            title: title(finding),
            severity: severity(finding),
            help: Some(help(finding)),
            snippet: Snippet(sources.file(first.file)),
            labels: near.into_iter().enumerate().map(labeled).collect(),
            related: far.chain(related).collect(),
        }
    }

    fn place(sources: &'a SourceMap, why: &str, label: &Label) -> Self {
        let shown = if why.is_empty() { &label.text } else { why };
        let shown = if shown.is_empty() { "see also" } else { shown };
        let text = if why.is_empty() { "" } else { &label.text };
        let label = Label {
            span: label.span,
            text: text.to_owned(),
        };
        Self {
            code: None,
            title: shown.to_owned(),
            severity: miette::Severity::Advice,
            help: None,
            snippet: Snippet(sources.file(label.span.file)),
            labels: vec![labeled((0, &label))],
            related: Vec::new(),
        }
    }
}

fn title(finding: &Diagnostic) -> String {
    let mut title = finding.message.clone();
    if !finding.environments.is_empty() {
        title = format!("{title} [env {}]", finding.environments.join(", "));
    }
    if let Some(allowed) = &finding.allowed {
        title = format!("{title} (allowed: {})", allowed.because);
    }
    title
}

fn severity(finding: &Diagnostic) -> miette::Severity {
    match rule::level(finding) {
        _ if finding.allowed.is_some() => miette::Severity::Advice,
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
        Severity::Advice => miette::Severity::Advice,
    }
}

fn help(finding: &Diagnostic) -> String {
    let page = format!("see `planc explain {}`", finding.code);
    match &finding.help {
        Some(help) => format!("{help}; {page}"),
        None => page,
    }
}

fn is_near(sources: &SourceMap, first: Span, other: Span) -> bool {
    let line = |span: Span| sources.file(span.file).line_of(span.start as usize);
    first.file == other.file && line(first).abs_diff(line(other)) <= NEAR_LINES
}

fn labeled((at, label): (usize, &Label)) -> LabeledSpan {
    let text = Some(label.text.clone()).filter(|text| !text.is_empty());
    let span = (label.span.start as usize, label.span.len());
    if at == 0 {
        LabeledSpan::new_primary_with_span(text, span)
    } else {
        LabeledSpan::new_with_span(text, span)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.title)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let code = self.code.as_ref()?;
        Some(Box::new(code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.snippet)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'b>(&'b self) -> Option<Box<dyn Iterator<Item = &'b dyn miette::Diagnostic> + 'b>> {
        let reports = self.related.iter();
        Some(Box::new(
            reports.map(|report| report as &dyn miette::Diagnostic),
        ))
    }
}

/// A file whose lines are found through its index; miette's own sources scan from the top for
/// every label.
#[derive(Debug)]
struct Snippet<'a>(&'a SourceFile);

impl SourceCode for Snippet<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, miette::MietteError> {
        let file = self.0;
        let text = file.text();
        let start = span.offset().min(text.len());
        let end = (start + span.len()).min(text.len());
        let first = file.line_of(start).saturating_sub(before);
        let last = file.line_of(end.max(start + 1) - 1) + after;
        let (from, column) = if before == 0 {
            (start, file.place(start).column - 1)
        } else {
            (file.line_start(first), 0)
        };
        let until = file.line_start(last + 1);
        let contents = MietteSpanContents::new_named(
            file.path().to_owned(),
            text.as_bytes().get(from..until).unwrap_or_default(),
            (from, until - from).into(),
            first,
            column,
            last - first + 1,
        );
        Ok(Box::new(contents))
    }
}
