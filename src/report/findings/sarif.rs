//! SARIF 2.1.0, the subset that code hosts read: rules with their pages, results with ranges,
//! related places, fixes, and suppressions made from `allow`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::check::rule::{self, Rule};
use crate::check::rules::RULES;
use crate::diagnostic::{Diagnostic, Edit, Fix, Severity};
use crate::report::findings::json::fingerprints;
use crate::report::findings::{Judged, sentence};
use crate::source::{SourceMap, Span};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// All findings of all plans as one run.
#[must_use]
pub fn sarif(judged: &[Judged]) -> String {
    let rules: Vec<Value> = RULES.iter().map(|rule| descriptor(rule)).collect();
    let results: Vec<Value> = judged.iter().flat_map(results).collect();
    let driver = json!({
        "name": "planc",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let run = json!({
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    let document = json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]});
    format!("{document:#}\n")
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": format!("planc explain {}", rule.code)},
        "defaultConfiguration": {"level": level(rule.level)},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}

fn results(judged: &Judged) -> Vec<Value> {
    let prints = fingerprints(judged);
    let findings = judged.findings.iter().zip(prints);
    findings
        .map(|(finding, print)| result(&judged.sources, finding, &print))
        .collect()
}

fn result(sources: &SourceMap, finding: &Diagnostic, fingerprint: &str) -> Value {
    let more = finding
        .labels
        .iter()
        .skip(1)
        .map(|label| (&label.text, label.span));
    let related = finding.related.iter().map(|r| (&r.message, r.label.span));
    let related: Vec<Value> = more
        .chain(related)
        .enumerate()
        .map(|(id, (text, span))| related_location(sources, id + 1, text, span))
        .collect();
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(rule::level(finding)),
        "message": {"text": sentence(finding)},
        "locations": [{"physicalLocation": location(sources, finding.span())}],
        "relatedLocations": related,
        "partialFingerprints": {"planc/v1": fingerprint},
    });
    if let Some(at) = RULES.iter().position(|rule| rule.code == finding.code) {
        result["ruleIndex"] = json!(at);
    }
    if let Some(fix) = &finding.fix {
        result["fixes"] = json!([fix_value(sources, finding, fix)]);
    }
    if let Some(allowed) = &finding.allowed {
        result["suppressions"] = json!([{
            "kind": "inSource",
            "justification": allowed.because,
            "location": {"physicalLocation": location(sources, allowed.span)},
        }]);
    }
    result
}

fn related_location(sources: &SourceMap, id: usize, text: &str, span: Span) -> Value {
    json!({
        "id": id,
        "message": {"text": text},
        "physicalLocation": location(sources, span),
    })
}

fn location(sources: &SourceMap, span: Span) -> Value {
    json!({
        "artifactLocation": {"uri": uri(sources.file(span.file).path())},
        "region": region(sources, span),
    })
}

fn region(sources: &SourceMap, span: Span) -> Value {
    let file = sources.file(span.file);
    let (start, end) = (
        file.place(span.start as usize),
        file.place(span.end as usize),
    );
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

fn fix_value(sources: &SourceMap, finding: &Diagnostic, fix: &Fix) -> Value {
    let mut files: Vec<_> = fix.edits.iter().map(|edit| edit.span.file).collect();
    files.sort_unstable();
    files.dedup();
    let change = |file| {
        let edits = fix.edits.iter().filter(|edit| edit.span.file == file);
        let replacements: Vec<Value> = edits.map(|edit| replacement(sources, edit)).collect();
        json!({
            "artifactLocation": {"uri": uri(sources.file(file).path())},
            "replacements": replacements,
        })
    };
    json!({
        "description": {"text": finding.help.as_deref().unwrap_or("apply the fix")},
        "artifactChanges": files.into_iter().map(change).collect::<Vec<_>>(),
    })
}

fn replacement(sources: &SourceMap, edit: &Edit) -> Value {
    json!({
        "deletedRegion": region(sources, edit.span),
        "insertedContent": {"text": edit.text},
    })
}

/// A path as a relative or absolute reference; what may not stand in one is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // writing to a string cannot fail
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_become_references() {
        assert_eq!(super::uri("plans/my plan.plan"), "plans/my%20plan.plan");
    }
}
