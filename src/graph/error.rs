//! Owns why an intent does not compile to a graph: places, causes and next actions as data.

use std::fmt;

/// One reason, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, a lowercase sentence that stands alone.
    pub message: String,
    /// The next action.
    pub help: String,
}

/// Why there is no graph: all independent reasons, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    /// The reasons, in the order of the plan.
    pub problems: Vec<Problem>,
}

impl GraphError {
    /// One reason.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            problems: vec![Problem {
                message: message.into(),
                help: help.into(),
            }],
        }
    }

    /// All reasons found, or nothing when there is none.
    ///
    /// # Errors
    /// When `problems` is not empty.
    pub fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// The next actions, one a line, without repetition.
    #[must_use]
    pub fn help(&self) -> String {
        let mut lines: Vec<&str> = Vec::new();
        for problem in &self.problems {
            if !lines.contains(&problem.help.as_str()) {
                lines.push(&problem.help);
            }
        }
        lines.join("\n")
    }
}

impl fmt::Display for GraphError {
    /// The messages, one a line.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                out.write_str("\n")?;
            }
            out.write_str(&problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for GraphError {}
