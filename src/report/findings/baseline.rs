//! Baselines: findings that are known and shall not stop anybody, by fingerprint. Fingerprints
//! hold code and names, no lines, so a baseline survives edits of the plan.
//! Must not open files. A baseline narrows what `check` shows, never what `run` accepts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::report::findings::Judged;
use crate::report::findings::json::fingerprints;

const FORMAT: &str = "planc-baseline/1";

/// The findings that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    format: String,
    findings: BTreeSet<Known>,
}

/// One of them; the message is for people who read the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Known {
    plan: String,
    fingerprint: String,
    message: String,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is not JSON of the right form.
    #[error("it is not a baseline: {0}")]
    Form(#[from] serde_json::Error),
    /// Another planc wrote it.
    #[error("its format is `{0}`, not `{FORMAT}`")]
    Version(String),
}

impl Baseline {
    /// All findings that no `allow` silences.
    #[must_use]
    pub fn of(judged: &[Judged]) -> Self {
        let findings = judged.iter().flat_map(|plan| {
            let open = plan.findings.iter().zip(fingerprints(plan));
            let open = open.filter(|(finding, _)| finding.allowed.is_none());
            open.map(|(finding, fingerprint)| Known {
                plan: plan.plan.clone(),
                fingerprint,
                message: finding.message.clone(),
            })
        });
        Self {
            format: FORMAT.to_owned(),
            findings: findings.collect(),
        }
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// When the text is not a baseline of this format.
    pub fn from_text(text: &str) -> Result<Self, BaselineError> {
        let read: Self = serde_json::from_str(text)?;
        if read.format == FORMAT {
            Ok(read)
        } else {
            Err(BaselineError::Version(read.format))
        }
    }

    /// As it is kept in a file: one entry below the other, in a fixed order.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "texts can always be written")]
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("invariant: a baseline has only text keys") + "\n"
    }

    /// Takes the known findings out of what was found, and counts them there. Gives the number
    /// of entries about these plans that nothing matched: they are cured.
    pub fn subtract(&self, judged: &mut [Judged]) -> usize {
        let known: BTreeSet<&str> = self
            .findings
            .iter()
            .map(|k| k.fingerprint.as_str())
            .collect();
        let mut met: BTreeSet<String> = BTreeSet::new();
        for plan in judged.iter_mut() {
            let mut prints = fingerprints(plan).into_iter();
            plan.findings.retain(|finding| {
                let print = prints.next().unwrap_or_default();
                let hit = finding.allowed.is_none() && known.contains(print.as_str());
                if hit {
                    plan.known += 1;
                    met.insert(print);
                }
                !hit
            });
        }
        let plans: BTreeSet<&str> = judged.iter().map(|plan| plan.plan.as_str()).collect();
        let about = self
            .findings
            .iter()
            .filter(|k| plans.contains(k.plan.as_str()));
        about.filter(|k| !met.contains(&k.fingerprint)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_baseline_is_refused() {
        let version = r#"{"format": "planc-baseline/9", "findings": []}"#;
        for text in ["", "[]", version] {
            assert!(Baseline::from_text(text).is_err(), "{text}");
        }
        let empty = Baseline::of(&[]);
        assert_eq!(Baseline::from_text(&empty.to_text()).ok(), Some(empty));
    }
}
