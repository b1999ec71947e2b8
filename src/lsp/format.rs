//! Formatting as `planc fmt` does it, told as the one piece of text that differs.

use gen_lsp_types::{DocumentFormattingParams, Position, Range, TextEdit};

use crate::lsp::place;
use crate::lsp::route::Refusal;
use crate::lsp::workspace::{Workspace, is_plan};
use crate::source::SourceFile;
use crate::syntax;

/// The edit that brings a plan into the one style; none for a plan that is.
pub(super) fn format(
    workspace: &mut Workspace,
    params: &DocumentFormattingParams,
) -> Result<Option<Vec<TextEdit>>, Refusal> {
    let path = place::path_of(&params.text_document.uri.0);
    let text = path
        .filter(|path| is_plan(path))
        .and_then(|path| workspace.documents.read(&path).ok());
    let Some(text) = text else { return Ok(None) };
    let formatted = syntax::format(&text).map_err(|error| Refusal(error.to_string()))?;
    Ok(Some(difference(&text, &formatted).into_iter().collect()))
}

/// One edit from the first line that differs to the last.
fn difference(old: &str, new: &str) -> Option<TextEdit> {
    let (before, after) = (lines(old), lines(new));
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = before.iter().zip(&after).take_while(same).count();
    if head == before.len() && head == after.len() {
        return None;
    }
    let tails = before[head..].iter().rev().zip(after[head..].iter().rev());
    let tail = tails.take_while(same).count();
    let file = SourceFile::new("", old);
    let start = place::position(&file, file.line_start(head));
    let end = if tail == 0 {
        place::whole(&file).end
    } else {
        let line = u32::try_from(before.len() - tail).unwrap_or(u32::MAX);
        Position { line, character: 0 }
    };
    Some(TextEdit {
        range: Range { start, end },
        new_text: after[head..after.len() - tail].concat(),
    })
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn applied(old: &str, new: &str) -> String {
        let Some(edit) = difference(old, new) else {
            return old.to_owned();
        };
        let file = SourceFile::new("", old);
        let (start, end) = (edit.range.start, edit.range.end);
        let (start, end) = (place::offset(&file, start), place::offset(&file, end));
        format!("{}{}{}", &old[..start], edit.new_text, &old[end..])
    }

    proptest! {
        #[test]
        fn the_edit_makes_the_one_of_the_other(
            old in "([ab]?\n){0,5}[ab]?",
            new in "([ab]?\n){0,5}[ab]?",
        ) {
            prop_assert_eq!(applied(&old, &new), new);
        }
    }
}
