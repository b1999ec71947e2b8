//! Trees of plan files and the inventories to one [`plan::ResolvedPlan`] an environment: names
//! become ids, units numbers, policies and `for each` their expansions.
//! Must not judge whether the plan is good (that is `check`), and must not open files: the
//! surface reads what [`imports::imports_of`] and [`imports::inventories_of`] name.
//!
//! How the surface feeds it: add the main plan to the [`SourceMap`] and parse it; for each
//! import, [`imports::relative`] gives the path to read, which is also the path to add to the
//! map and the key in [`Input::imports`]; go on with the imports of imports, each path once.
//! A file that cannot be read is reported with [`imports::unreadable_import`] or
//! [`imports::unreadable_inventory`] and left out of the maps; names from it then raise nothing.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostics;
use crate::facts::inventory::Inventory;
use crate::source::SourceMap;
use crate::syntax::ast::Ast;

pub mod imports;
pub mod plan;

pub use imports::{imports_of, inventories_of, relative, unreadable_import, unreadable_inventory};
use plan::ResolvedPlan;

/// Everything [`resolve`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The plan.
    pub main: &'a Ast,
    /// Imported files, also those imported by imports, by the path [`relative`] gives.
    pub imports: &'a BTreeMap<String, Ast>,
    /// Inventories by name of the environment. One that could not be read is missing.
    pub inventories: &'a BTreeMap<String, Inventory>,
    /// Paths and texts of all these files.
    pub sources: &'a SourceMap,
    /// The environment asked for; none for all.
    pub environment: Option<&'a str>,
}

/// Resolves a plan for one or all of its environments, in the order they are declared.
///
/// A plan without an `environment` statement resolves once, under the empty name and without an
/// inventory. Asking for an environment that the plan does not declare gives no plan and no
/// finding; the surface reports it. The result may hold gaps, marked `incomplete`, where
/// findings were made.
#[must_use]
pub fn resolve(input: &Input<'_>, out: &mut Diagnostics) -> Vec<ResolvedPlan> {
    let _ = (input, out);
    Vec::new()
}
