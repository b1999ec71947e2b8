//! Owns the resolved plan as people and machines read it: every value that holds in an
//! environment, each with what gave it. Must not decide anything; `resolve` did.

mod blocks;
mod clause;
mod defaults;
mod json;
mod stock;
mod text;

use crate::resolve::plan::{Given, ResolvedPlan};
use crate::source::SourceMap;
use crate::syntax::ast::Ast;

pub use json::json;
pub use text::text;

/// What the values of a plan are read from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The plan in one environment.
    pub plan: &'a ResolvedPlan,
    /// The trees of the plan and its imports, the plan first.
    pub asts: &'a [Ast],
    /// All texts.
    pub texts: &'a SourceMap,
}

/// A group of values: one statement of the plan or one entry of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `backup`, `device`, `host` …
    pub kind: String,
    /// Its name; empty where there is only one.
    pub name: String,
    /// The policy it was expanded from.
    pub policy: Option<String>,
    /// What it was expanded for.
    pub instance: Option<String>,
    /// Its values.
    pub values: Vec<Value>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What it is: the word of the clause, or the field.
    pub key: String,
    /// The value in the language's own form, variables replaced.
    pub value: String,
    /// What gave it.
    pub origin: Origin,
}

/// What gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The kind of origin.
    pub from: From,
    /// File and line, where there is one.
    pub place: Option<(String, usize)>,
    /// Parameters in it.
    pub params: Vec<Param>,
}

/// Kinds of origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// Nobody wrote it.
    Default,
    /// A line of the plan.
    Line,
    /// A line of the inventory.
    Inventory,
    /// A line of this policy.
    Policy(String),
    /// An `override` of an `apply`.
    Override,
}

/// A parameter that gave a part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What gave it its value.
    pub given: Given,
    /// Where.
    pub place: (String, usize),
}

/// Everything that holds, in the order of the questions: where things are, what is promised, how
/// it is kept, what is done.
#[must_use]
pub fn blocks(sources: &Sources<'_>) -> Vec<Block> {
    let stock = stock::Stock::of(sources);
    let mut all = vec![blocks::head(sources)];
    all.extend(stock.places(sources));
    all.extend(blocks::declared(sources, &stock));
    all.extend(blocks::expanded(sources));
    all.retain(|block| !block.values.is_empty());
    all
}
