//! Owns how a command ends in words: the final error on stderr, and whether a stream is drawn
//! for people.

use std::io::{IsTerminal, Write};

use crate::cli::exit::CliError;
use crate::report::render::Style;

/// Prints why a command gave up, with the next action.
pub(crate) fn final_error(error: &CliError) {
    let mut out = std::io::stderr().lock();
    // when stderr is gone there is nobody left to tell; the exit code still says it
    let _ = writeln!(out, "planc: {}", error.message);
    if let Some(help) = &error.help {
        let _ = writeln!(out, "  help: {help}");
    }
}

/// How to draw on this stream: wide and coloured only on a terminal, never with `NO_COLOR`.
pub(crate) fn style(stream: &impl IsTerminal) -> Style {
    let terminal = stream.is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    Style {
        terminal,
        colour: terminal && !no_color && !dumb,
    }
}
