//! Owns findings as data: what is wrong, where, and what to do next.
//! Must not render and must not decide how grave a code is: levels belong to the rule table
//! in `check`, rendering to `report`. Message text stands beside the check that makes it.
//!
//! Style of words: `message` is a lowercase sentence without a full stop that stands alone and
//! quotes the user's own text in backquotes; `help` is the next action; labels are short.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::source::Span;

/// The stable number of a rule, printed as `P0602`. Codes are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "P{:04}", self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromStr for Code {
    type Err = String;

    /// Reads `P0602`; anything else is refused with a message that shows the form.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('P').filter(|digits| digits.len() == 4);
        let number = digits.and_then(|digits| digits.parse().ok());
        number
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a code; codes look like P0602"))
    }
}

/// How grave a finding is, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The plan does not mean what it must, or a promise is broken.
    Error,
    /// Something will likely go wrong.
    Warning,
    /// A better way exists.
    Advice,
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        })
    }
}

/// A place with a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there; may be empty.
    pub text: String,
}

/// A second place that belongs to a finding but may stand far away from the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Why this place matters.
    pub message: String,
    /// The place.
    pub label: Label,
}

/// One replacement of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// The new text.
    pub text: String,
}

/// A change that cures a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// True when the meaning of the plan cannot change for the worse.
    pub safe: bool,
    /// Edits that do not overlap.
    pub edits: Vec<Edit>,
}

/// The sum behind a verdict about a promise, so that it can be printed and checked by hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// Which promise, for example `rpo`.
    pub claim: String,
    /// The loss it is for, for example `site`.
    pub loss: String,
    /// What is promised, in seconds (or bytes or counts, as the claim says).
    pub limit: f64,
    /// What was found, in the same unit.
    pub found: f64,
    /// The terms that add up to `found`.
    pub terms: Vec<(String, f64)>,
}

/// The allowance that silences a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The reason given in the plan.
    pub because: String,
    /// The `allow` clause.
    pub span: Span,
}

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// The rule that found it.
    pub code: Code,
    /// What is wrong, standing alone.
    pub message: String,
    /// Where; the first is the place that is reported as the finding's own.
    pub labels: Vec<Label>,
    /// Places further away.
    pub related: Vec<Related>,
    /// The next action.
    pub help: Option<String>,
    /// What it is about, by name; part of the fingerprint. Empty when it is about the file.
    pub subject: String,
    /// Environments in which it holds; empty when it does not depend on one.
    pub environments: Vec<String>,
    /// A cure that a tool can apply.
    pub fix: Option<Fix>,
    /// The derivation, for findings about promises.
    pub proof: Option<Proof>,
    /// Set by `check` when the plan allows the finding.
    pub allowed: Option<Allowed>,
    /// How many further findings of the same cause were folded into this one.
    pub folded: usize,
    /// Set when the caller judges this finding otherwise than the table of rules does.
    pub level: Option<Severity>,
}

impl Diagnostic {
    /// A finding at `span`; `label` is the short text shown under it, possibly empty.
    pub fn new(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            labels: vec![Label {
                span,
                text: label.into(),
            }],
            related: Vec::new(),
            help: None,
            subject: String::new(),
            environments: Vec::new(),
            fix: None,
            proof: None,
            allowed: None,
            folded: 0,
            level: None,
        }
    }

    /// Sets the next action.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names what the finding is about.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Adds a label near the first one.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a place that may be far away, with the reason it matters.
    #[must_use]
    pub fn related(
        mut self,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        let label = Label {
            span,
            text: label.into(),
        };
        self.related.push(Related {
            message: message.into(),
            label,
        });
        self
    }

    /// Adds a cure.
    #[must_use]
    pub fn fix(mut self, safe: bool, span: Span, text: impl Into<String>) -> Self {
        let edit = Edit {
            span,
            text: text.into(),
        };
        self.fix
            .get_or_insert(Fix {
                safe,
                edits: Vec::new(),
            })
            .edits
            .push(edit);
        self
    }

    /// Where the finding is reported. Every constructor gives a label, so there always is one.
    #[must_use]
    pub fn span(&self) -> Span {
        self.labels[0].span
    }

    /// Code and names, without places, so that it survives edits of the plan.
    #[must_use]
    pub fn fingerprint(&self, plan: &str) -> String {
        format!("{}:{plan}:{}", self.code, self.subject)
    }
}

/// Where every front-end stage puts its findings; stages go on after a finding.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diagnostics {
    findings: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty sink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// Adds all findings of another sink.
    pub fn append(&mut self, mut other: Self) {
        self.findings.append(&mut other.findings);
    }

    /// True when nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// The findings in the order they were made.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.findings.iter()
    }

    /// The findings, by place and then by code: the order in which people read them.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.findings
            .sort_by_key(|finding| (finding.span(), finding.code));
        self.findings
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, findings: T) {
        self.findings.extend(findings);
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
