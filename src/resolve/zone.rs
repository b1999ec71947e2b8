//! Owns the check of time zone names (P0309). The zone database is data that jiff carries with
//! it (and prefers from the system, where it is newer); looking a name up is the one look outside
//! that this stage is allowed, because the answer is the same everywhere.

use super::cx::Cx;
use super::plan::At;
use crate::diagnostic::Code;
use crate::syntax::ast::Word;

impl Cx<'_, '_> {
    /// A zone by its IANA name, in the spelling of the database.
    pub(super) fn zone(&mut self, word: &Word) -> Option<At<String>> {
        let database = jiff::tz::db();
        if let Ok(zone) = database.get(&word.text) {
            let name = zone.iana_name().unwrap_or(&word.text).to_owned();
            if name == word.text {
                return Some(At {
                    value: name,
                    span: word.span,
                });
            }
            let message = format!("the zone `{}` is spelled `{name}`", word.text);
            let known = [name.as_str()];
            self.push(self.suggest(Code(309), message, word, "zones", &known));
            return Some(At {
                value: name,
                span: word.span,
            });
        }
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("no time zone is called `{}`", word.text);
        self.push(self.suggest(Code(309), message, word, "zones", &known));
        None
    }
}
