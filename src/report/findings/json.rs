//! `planc-diagnostics/1.0`: the form all others can be made from. Fields are added in minor
//! versions and removed only in major ones. Columns count code points from 1, bytes from 0.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::check::proof::{Row, Unit};
use crate::check::{Promises, rule};
use crate::diagnostic::{Allowed, Diagnostic, Fix, Proof, Related};
use crate::report::findings::{Judged, Tally};
use crate::source::{SourceMap, Span};

#[derive(Serialize)]
struct Document {
    format: &'static str,
    planc: &'static str,
    environments: Vec<String>,
    summary: Summary,
    diagnostics: Vec<Value>,
    proofs: Vec<Value>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(flatten)]
    tally: Tally,
    #[serde(flatten)]
    promises: Promises,
}

/// All findings of all plans as one object.
#[must_use]
#[expect(
    clippy::missing_panics_doc,
    reason = "the document always has text keys"
)]
pub fn json(judged: &[Judged]) -> String {
    let mut environments: Vec<String> = Vec::new();
    let mut promises = Promises::default();
    for plan in judged {
        for name in &plan.environments {
            if !environments.contains(name) {
                environments.push(name.clone());
            }
        }
        promises.proved += plan.promises.proved;
        promises.broken += plan.promises.broken;
        promises.unknown += plan.promises.unknown;
    }
    let document = Document {
        format: "planc-diagnostics/1.0",
        planc: env!("CARGO_PKG_VERSION"),
        environments,
        summary: Summary {
            tally: Tally::of(judged),
            promises,
        },
        diagnostics: judged.iter().flat_map(diagnostics).collect(),
        proofs: judged.iter().flat_map(proofs).collect(),
    };
    let text = serde_json::to_string_pretty(&document);
    text.expect("invariant: the document has only text keys") + "\n"
}

fn diagnostics(judged: &Judged) -> Vec<Value> {
    let prints = fingerprints(judged);
    let findings = judged.findings.iter().zip(prints);
    findings
        .map(|(finding, print)| diagnostic(judged, finding, &print))
        .collect()
}

/// Code and names of each finding; a number tells apart those that have all of these in common.
pub(super) fn fingerprints(judged: &Judged) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let print = |finding: &Diagnostic| {
        let print = finding.fingerprint(&judged.plan);
        let count = seen.entry(print.clone()).or_default();
        *count += 1;
        match count {
            1 => print,
            n => format!("{print}#{n}"),
        }
    };
    judged.findings.iter().map(print).collect()
}

fn diagnostic(judged: &Judged, finding: &Diagnostic, fingerprint: &str) -> Value {
    let sources = &judged.sources;
    let span = finding.span();
    let labels = finding.labels.iter();
    let related = finding.related.iter();
    json!({
        "code": finding.code,
        "name": rule::find(finding.code).map(|rule| rule.name),
        "severity": rule::level(finding),
        "plan": judged.plan,
        "environments": finding.environments,
        "message": finding.message,
        "help": finding.help,
        "url": null,
        "subject": finding.subject,
        "file": path(sources, span),
        "range": range(sources, span),
        "labels": labels.map(|l| place(sources, "text", &l.text, l.span)).collect::<Vec<_>>(),
        "related": related.map(|other| related_place(sources, other)).collect::<Vec<_>>(),
        "proof": finding.proof.as_ref().map(proof),
        "fix": finding.fix.as_ref().map(|fix| edits(sources, fix)),
        "allowed": finding.allowed.as_ref().map(|by| allowance(sources, by)),
        "folded": finding.folded,
        "fingerprint": fingerprint,
    })
}

fn path(sources: &SourceMap, span: Span) -> &str {
    sources.file(span.file).path()
}

fn range(sources: &SourceMap, span: Span) -> Value {
    let file = sources.file(span.file);
    let point = |byte: u32| {
        let place = file.place(byte as usize);
        json!({"line": place.line, "column": place.column, "byte": byte})
    };
    json!({"start": point(span.start), "end": point(span.end)})
}

fn place(sources: &SourceMap, key: &str, text: &str, span: Span) -> Value {
    let line = sources.place(span).line;
    json!({key: text, "file": path(sources, span), "line": line})
}

fn related_place(sources: &SourceMap, related: &Related) -> Value {
    let Related { message, label } = related;
    let mut value = place(sources, "message", message, label.span);
    if !label.text.is_empty() {
        value["text"] = json!(label.text);
    }
    value
}

fn edits(sources: &SourceMap, fix: &Fix) -> Value {
    let edit = |edit: &crate::diagnostic::Edit| {
        json!({
            "file": path(sources, edit.span),
            "byte": edit.span.start,
            "len": edit.span.len(),
            "text": edit.text,
        })
    };
    let safety = if fix.safe { "safe" } else { "unsafe" };
    json!({"safety": safety, "edits": fix.edits.iter().map(edit).collect::<Vec<_>>()})
}

fn allowance(sources: &SourceMap, allowed: &Allowed) -> Value {
    place(sources, "because", &allowed.because, allowed.span)
}

/// Limits and findings of promises about time end in `_s`; counts and sizes have no ending.
fn proof(proof: &Proof) -> Value {
    let timed = matches!(&*proof.claim, "rpo" | "rto" | "recovery window" | "drill");
    let (limit, found) = if timed {
        ("limit_s", "found_s")
    } else {
        ("limit", "found")
    };
    json!({
        "claim": proof.claim,
        "loss": proof.loss,
        limit: proof.limit,
        found: proof.found,
        "terms": proof.terms,
    })
}

fn proofs(judged: &Judged) -> Vec<Value> {
    let rows = judged.proofs.iter();
    rows.map(|row| promise(judged, row)).collect()
}

/// One promise with its verdict. Seconds end in `_s`, as in the proofs of findings.
fn promise(judged: &Judged, row: &Row) -> Value {
    let (limit, found) = match row.unit {
        Unit::Seconds => ("limit_s", "found_s"),
        Unit::Bytes | Unit::Count | Unit::Share => ("limit", "found"),
    };
    let place = |span: Span| {
        let sources = &judged.sources;
        json!({"file": path(sources, span), "range": range(sources, span)})
    };
    json!({
        "plan": judged.plan,
        "environment": row.environment,
        "service": row.service,
        "claim": row.claim,
        "words": row.words,
        "verdict": row.verdict,
        "reason": row.reason,
        "unit": row.unit,
        limit: row.limit,
        found: row.found,
        "terms": row.terms,
        "promised": place(row.span),
        "because": row.because.map(place),
    })
}
