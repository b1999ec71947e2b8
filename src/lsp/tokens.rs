//! Colours by meaning: words of the language, names by what they stand for, texts, numbers and
//! comments. Lines up with the table of words, so a name that looks like a word is still a name.

use gen_lsp_types::{SemanticToken, SemanticTokens, SemanticTokensParams};

use crate::lsp::names::{NameKind, Occurrence};
use crate::lsp::place;
use crate::lsp::unit::Unit;
use crate::lsp::workspace::{Workspace, is_plan};
use crate::source::{FileId, SourceFile};
use crate::syntax::scan::{Token, TokenKind, tokens as scan};
use crate::syntax::words;

const KEYWORD: usize = 0;
const STRING: usize = 1;
const NUMBER: usize = 2;
const COMMENT: usize = 3;
const NAMESPACE: usize = 4;
const VARIABLE: usize = 5;
const CLASS: usize = 6;
const PROPERTY: usize = 7;
const FUNCTION: usize = 8;
const ENUM_MEMBER: usize = 9;
const LEGEND: [&str; 10] = [
    "keyword",
    "string",
    "number",
    "comment",
    "namespace",
    "variable",
    "class",
    "property",
    "function",
    "enumMember",
];
const DECLARATION: u32 = 1;

/// The names of the colours, in the order of their numbers.
pub(super) fn legend() -> Vec<String> {
    LEGEND.map(str::to_owned).to_vec()
}

/// The colours of one plan file.
pub(super) fn tokens(
    workspace: &mut Workspace,
    params: &SemanticTokensParams,
) -> Option<SemanticTokens> {
    let path = place::path_of(&params.text_document.uri.0);
    let path = path.filter(|path| is_plan(path))?;
    let (unit, id) = workspace.unit_of(&path)?;
    let file = unit.sources.file(id);
    let data = relative(file, &coloured(unit, id, file));
    Some(SemanticTokens {
        result_id: None,
        data,
    })
}

/// A stretch of one line with its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    start: usize,
    end: usize,
    colour: usize,
    declares: bool,
}

fn coloured(unit: &Unit, id: FileId, file: &SourceFile) -> Vec<Stretch> {
    let mut names = unit.names().in_file(id).peekable();
    let mut all: Vec<Stretch> = Vec::new();
    for token in scan(file.text()) {
        let mut is_name = false;
        while let Some(name) = names.next_if(|one| (one.span.start as usize) < token.end) {
            is_name = true;
            all.push(of_name(name));
        }
        if !is_name && let Some(colour) = of_token(&token, file.text()) {
            all.extend(lines(file, &token, colour));
        }
    }
    all.dedup_by(|a, b| a.start < b.end);
    all
}

fn of_name(one: &Occurrence) -> Stretch {
    let colour = match one.symbol.kind {
        NameKind::Import | NameKind::Environment => NAMESPACE,
        NameKind::Param | NameKind::Variable => VARIABLE,
        NameKind::Service | NameKind::Device => CLASS,
        NameKind::Database
        | NameKind::Tablespace
        | NameKind::Group
        | NameKind::Table
        | NameKind::Standby => PROPERTY,
        NameKind::Policy | NameKind::Job | NameKind::Scenario => FUNCTION,
        NameKind::Site
        | NameKind::Host
        | NameKind::Disk
        | NameKind::Contact
        | NameKind::Key
        | NameKind::Window => ENUM_MEMBER,
    };
    Stretch {
        start: one.span.start as usize,
        end: one.span.end as usize,
        colour,
        declares: one.declares,
    }
}

fn of_token(token: &Token, text: &str) -> Option<usize> {
    let word = token.text(text);
    match token.kind {
        TokenKind::Text => Some(STRING),
        TokenKind::Comment => Some(COMMENT),
        TokenKind::Word if word.starts_with(|c: char| c.is_ascii_digit()) => Some(NUMBER),
        TokenKind::Word if is_word(word) => Some(KEYWORD),
        _ => None,
    }
}

/// True for each word of the words of the language, and for the small words inside clauses.
fn is_word(word: &str) -> bool {
    let pages = words::WORDS.iter();
    words::RESERVED.contains(&word)
        || pages
            .flat_map(|page| page.word.split(' '))
            .any(|known| known == word)
}

/// A text over several lines is one stretch a line: editors take no others.
fn lines<'f>(
    file: &'f SourceFile,
    token: &Token,
    colour: usize,
) -> impl Iterator<Item = Stretch> + use<'f> {
    let Token { start, end, .. } = *token;
    let range = file.line_of(start)..=file.line_of(end.saturating_sub(1));
    range.filter_map(move |line| {
        let from = file.line_start(line).max(start);
        let to = (file.line_start(line) + file.line(line).len()).min(end);
        (from < to).then_some(Stretch {
            start: from,
            end: to,
            colour,
            declares: false,
        })
    })
}

/// Places relative to the one before, as the protocol wants them.
fn relative(file: &SourceFile, stretches: &[Stretch]) -> Vec<SemanticToken> {
    let (mut line, mut character) = (0, 0);
    let mut data = Vec::with_capacity(stretches.len());
    for one in stretches {
        let (start, end) = (
            place::position(file, one.start),
            place::position(file, one.end),
        );
        let delta_line = start.line - line;
        let before = if delta_line == 0 { character } else { 0 };
        data.push(SemanticToken {
            delta_line,
            delta_start: start.character - before,
            length: end.character - start.character,
            token_type: u32::try_from(one.colour).unwrap_or(0),
            token_modifiers_bitset: if one.declares { DECLARATION } else { 0 },
        });
        (line, character) = (start.line, start.character);
    }
    data
}
