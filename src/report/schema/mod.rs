//! JSON Schemas of what planc prints for machines and of the files beside a plan. Versioned: a
//! minor version adds fields, a major one removes some. Must not print; `planc schema` does.

mod inventory;

use serde_json::Value;

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `planc check --format json`.
    Diagnostics,
    /// The inventory beside a plan.
    Inventory,
    /// `planc show resolved --format json`.
    Resolved,
    /// The measured facts beside an inventory.
    Facts,
}

/// The schema, as text with a line break at its end.
#[must_use]
pub fn text(subject: Subject) -> String {
    match subject {
        Subject::Diagnostics => include_str!("diagnostics.json").to_owned(),
        Subject::Resolved => include_str!("resolved.json").to_owned(),
        Subject::Facts => include_str!("facts.json").to_owned(),
        Subject::Inventory => pretty(&inventory::schema()),
    }
}

fn pretty(schema: &Value) -> String {
    format!("{schema:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_json_and_say_what_they_are() {
        let all = [
            Subject::Diagnostics,
            Subject::Inventory,
            Subject::Resolved,
            Subject::Facts,
        ];
        for subject in all {
            let schema: Value = serde_json::from_str(&text(subject)).expect("JSON");
            assert!(schema["$schema"].is_string(), "{subject:?}");
            assert!(schema["title"].is_string(), "{subject:?}");
        }
    }
}
