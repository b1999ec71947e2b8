//! Owns how fixes of findings become new file texts, and how a text replaces a file whole.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::exit::CliError;
use crate::cli::load;
use crate::diagnostic::{Diagnostic, Edit};
use crate::durable;
use crate::source::{FileId, SourceMap};

/// The texts of all files that the fixes change. A fix that overlaps an earlier one is left out;
/// it comes up again in the next round.
pub(crate) fn apply<'a>(
    sources: &SourceMap,
    findings: impl Iterator<Item = &'a Diagnostic>,
    unsafe_too: bool,
) -> BTreeMap<PathBuf, String> {
    let mut taken: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for finding in findings.filter(|finding| finding.allowed.is_none()) {
        let Some(fix) = &finding.fix else { continue };
        let free = |edit: &Edit| {
            let others = taken.get(&edit.span.file).into_iter().flatten();
            others.into_iter().all(|other| apart(edit, other))
        };
        if (fix.safe || unsafe_too) && fix.edits.iter().all(free) {
            for edit in &fix.edits {
                taken.entry(edit.span.file).or_default().push(edit);
            }
        }
    }
    let files = taken.into_iter();
    files
        .map(|(file, edits)| {
            let file = sources.file(file);
            (PathBuf::from(file.path()), edited(file.text(), edits))
        })
        .collect()
}

fn apart(a: &Edit, b: &Edit) -> bool {
    a.span.end < b.span.start || b.span.end < a.span.start
}

fn edited(text: &str, mut edits: Vec<&Edit>) -> String {
    edits.sort_by_key(|edit| edit.span);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        out.push_str(text.get(at..start).unwrap_or_default());
        out.push_str(&edit.text);
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Puts a new text in the place of a file: written beside it and renamed, so that a crash leaves
/// the old text or the new one. The mode of the file is kept.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let refused = |error: &std::io::Error| {
        let message = format!("cannot change {}: {}", path.display(), load::cause(error));
        CliError::refused(message).help("make the file and its folder writable")
    };
    write_beside(path, text).map_err(|error| refused(&error))
}

fn write_beside(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let mode = path.metadata()?.permissions();
    durable::replace(&path, |file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(mode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;
    use crate::source::Span;

    #[test]
    fn fixes_apply_once_and_unsafe_ones_only_when_asked() {
        let mut sources = SourceMap::new();
        let file = sources.add("a.plan", "one two three");
        let finding = |from, to, safe, text: &str| {
            let span = Span::new(file, from, to);
            Diagnostic::new(Code(106), "x", span, "").fix(safe, span, text)
        };
        let found = [
            finding(0, 3, true, "ONE"),
            finding(0, 3, true, "EINS"),
            finding(4, 7, false, "TWO"),
        ];
        let safe = apply(&sources, found.iter(), false);
        assert_eq!(safe[Path::new("a.plan")], "ONE two three");
        let all = apply(&sources, found.iter(), true);
        assert_eq!(all[Path::new("a.plan")], "ONE TWO three");
    }
}
