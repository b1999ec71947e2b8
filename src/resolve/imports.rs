//! Owns which files a plan refers to, how their paths are joined, and the findings about files
//! that cannot be read. Must not open them.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Span;
use crate::syntax::ast::{Ast, ItemKind};

/// The imports of a file as written, each with its place.
#[must_use]
pub fn imports_of(ast: &Ast) -> Vec<(String, Span)> {
    let path = |item: &crate::syntax::ast::Item| match &item.kind {
        ItemKind::Import { path, .. } => Some((path.text.clone(), path.span)),
        _ => None,
    };
    ast.items.iter().filter_map(path).collect()
}

/// The environments of a plan: name, path of the inventory as written, and its place.
#[must_use]
pub fn inventories_of(ast: &Ast) -> Vec<(String, String, Span)> {
    let environment = |item: &crate::syntax::ast::Item| match &item.kind {
        ItemKind::Environment { name, inventory } => {
            Some((name.text.clone(), inventory.text.clone(), inventory.span))
        }
        _ => None,
    };
    ast.items.iter().filter_map(environment).collect()
}

/// The path of a file that `from` (a path of the source map) refers to as `written`: joined to
/// the folder of `from`, with `.` and `..` taken out where that is possible.
#[must_use]
pub fn relative(from: &str, written: &str) -> String {
    if written.starts_with('/') {
        return written.to_owned();
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let rooted = from.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(written.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let path = parts.join("/");
    if rooted { format!("/{path}") } else { path }
}

/// Reports an import that could not be read (P0207); `cause` is a lowercase fragment such as
/// `no such file`.
pub fn unreadable_import(written: &str, span: Span, cause: &str, out: &mut Diagnostics) {
    let message = format!("the import `{written}` cannot be read: {cause}");
    out.push(
        Diagnostic::new(Code(207), message, span, "")
            .help("correct the path; it is relative to the file that imports it")
            .subject(written),
    );
}

/// Reports an inventory that could not be read (P0207); `cause` is a lowercase fragment.
pub fn unreadable_inventory(
    environment: &str,
    written: &str,
    span: Span,
    cause: &str,
    out: &mut Diagnostics,
) {
    let message = format!("the inventory `{written}` of {environment} cannot be read: {cause}");
    out.push(
        Diagnostic::new(Code(207), message, span, "")
            .help("correct the path; it is relative to the plan")
            .subject(environment),
    );
}
