//! `planc explain CODE --here FILE`: how a finding about a promise comes out in a plan, term by
//! term; without a finding, how the promises of its kind are proved.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;

use crate::check::proof::{Row, Unit};
use crate::cli::exit::CliError;
use crate::cli::load::{self, Compiled};
use crate::diagnostic::{Code, Diagnostic, Proof};

/// The derivations of a code in a plan.
///
/// # Errors
/// When the plan cannot be read.
pub(crate) fn here(code: Code, path: &Path, now: Timestamp) -> Result<String, CliError> {
    let compiled = load::compile(path, None, now)?;
    let findings = compiled.judged.findings.iter();
    let own: Vec<&Diagnostic> = findings.filter(|finding| finding.code == code).collect();
    let mut out = String::new();
    for finding in &own {
        told(&mut out, &compiled, finding);
    }
    // writing to a string cannot fail
    if own.is_empty() {
        let _ = writeln!(out, "{} raises no {code}", path.display());
    }
    let claim = claim(code);
    let rows = compiled.judged.proofs.iter();
    for row in rows.filter(|row| Some(row.claim) == claim) {
        promise(&mut out, row);
    }
    Ok(out)
}

/// What promise a code is about.
fn claim(code: Code) -> Option<&'static str> {
    match code.0 {
        602 | 605 | 610 => Some("rpo"),
        603 | 906 => Some("rto"),
        604 | 607 => Some("copies"),
        613 | 614 => Some("log space"),
        608 | 615 | 712 => Some("recovery window"),
        908 => Some("drill"),
        _ => None,
    }
}

fn told(out: &mut String, compiled: &Compiled, finding: &Diagnostic) {
    let sources = &compiled.judged.sources;
    let span = finding.span();
    let (path, line) = (sources.file(span.file).path(), sources.place(span).line);
    let _ = writeln!(out, "{path}:{line}: {}", finding.message);
    if let Some(proof) = &finding.proof {
        sum(
            out,
            unit(proof),
            &proof.terms,
            proof.found,
            Some(proof.limit),
        );
    }
    if let Some(help) = &finding.help {
        let _ = writeln!(out, "  help: {help}");
    }
}

fn unit(proof: &Proof) -> Unit {
    match &*proof.claim {
        "log space" => Unit::Bytes,
        "copies" => Unit::Count,
        _ => Unit::Seconds,
    }
}

fn promise(out: &mut String, row: &Row) {
    let environment = match row.environment.as_str() {
        "" => String::new(),
        name => format!(" [{name}]"),
    };
    let verdict = row.verdict.word();
    let _ = writeln!(
        out,
        "{} of {}{environment}: {verdict}",
        row.words, row.service
    );
    match row.found {
        Some(found) => sum(out, row.unit, &row.terms, found, row.limit),
        None => {
            let _ = writeln!(out, "  {}", row.reason);
        }
    }
}

/// One term a line, then what they add up to, beside what is promised.
fn sum(out: &mut String, unit: Unit, terms: &[(String, f64)], found: f64, limit: Option<f64>) {
    let width = terms
        .iter()
        .map(|(_, value)| unit.words(*value).chars().count());
    let width = width
        .max()
        .unwrap_or(0)
        .max(unit.words(found).chars().count());
    for (name, value) in terms {
        let _ = writeln!(out, "  {:>width$}  {name}", unit.words(*value));
    }
    let promised = limit.map(|limit| format!(", promised {}", unit.words(limit)));
    let promised = promised.unwrap_or_default();
    let _ = writeln!(out, "= {:>width$}{promised}", unit.words(found));
}
