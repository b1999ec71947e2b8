//! What can be folded: blocks, and runs of comment lines.

use gen_lsp_types::{FoldingRange, FoldingRangeKind, FoldingRangeParams};

use crate::lsp::place;
use crate::lsp::workspace::Workspace;
use crate::source::SourceFile;
use crate::syntax::scan::{TokenKind, tokens};

/// The foldable ranges of one text; every text has some, readable as a plan or not.
pub(super) fn folding(
    workspace: &mut Workspace,
    params: &FoldingRangeParams,
) -> Option<Vec<FoldingRange>> {
    let path = place::path_of(&params.text_document.uri.0);
    let text = path.and_then(|path| workspace.documents.read(&path).ok());
    text.map(|text| ranges(&SourceFile::new("", &*text)))
}

fn ranges(file: &SourceFile) -> Vec<FoldingRange> {
    let mut found = comments(file);
    let mut open = Vec::new();
    for token in tokens(file.text()) {
        match token.kind {
            TokenKind::Open => open.push(file.line_of(token.start)),
            TokenKind::Close => {
                // the closing brace stays in sight
                let end = file.line_of(token.start).saturating_sub(1);
                if let Some(start) = open.pop().filter(|start| *start < end) {
                    found.push(range(start, end, FoldingRangeKind::Region));
                }
            }
            _ => {}
        }
    }
    found.sort_by_key(|range| range.start_line);
    found
}

/// Two comment lines or more, one below the other.
fn comments(file: &SourceFile) -> Vec<FoldingRange> {
    let mut found = Vec::new();
    let mut start = None;
    for line in 0..=file.line_count() {
        let is_comment = file.line(line).trim_start().starts_with('#') && line < file.line_count();
        match (is_comment, start) {
            (true, None) => start = Some(line),
            (false, Some(first)) => {
                start = None;
                if first + 1 < line {
                    found.push(range(first, line - 1, FoldingRangeKind::Comment));
                }
            }
            _ => {}
        }
    }
    found
}

fn range(start: usize, end: usize, kind: FoldingRangeKind) -> FoldingRange {
    let number = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
    FoldingRange {
        start_line: number(start),
        end_line: number(end),
        kind: Some(kind),
        ..FoldingRange::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_comments_fold_and_braces_in_strings_do_not() {
        let text = "# a\n# b\nbackup x {\n  # only one\n  store on y\n}\nkey k from env \"{\"\n# c";
        let found = ranges(&SourceFile::new("", text));
        let lines: Vec<(u32, u32)> = found.iter().map(|r| (r.start_line, r.end_line)).collect();
        assert_eq!(lines, [(0, 1), (2, 4)]);
    }
}
