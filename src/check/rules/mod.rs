//! The table of rules. A rule is one file with its page and, unless an earlier stage finds it,
//! its check. To add one: the file, its `mod` line and its line in [`TABLE`], both by code.

use crate::check::context::Context;
use crate::check::found::Found;
use crate::check::rule::Rule;

mod example;

// P04 schedules and windows
mod p0401_empty_window;
// P12 hygiene
pub(in crate::check) mod p1201_allowance_unused;
pub(in crate::check) mod p1202_allowance_expired;
pub(in crate::check) mod p1203_allowance_not_permitted;

/// What a rule does with one environment of a plan.
pub(in crate::check) type Check = fn(&Context<'_>, &mut Found);

struct Row {
    rule: &'static Rule,
    check: Option<Check>,
}

/// A rule whose findings are made by an earlier stage, or by `check` itself.
const fn page(rule: &'static Rule) -> Row {
    Row { rule, check: None }
}

/// A rule with a check of its own.
const fn rule(rule: &'static Rule, check: Check) -> Row {
    let check = Some(check);
    Row { rule, check }
}

/// All rules by code.
const TABLE: &[Row] = &[
    // P01 syntax and structure: found by `syntax`

    // P02 names: found by `resolve`

    // P03 values and units: found by `resolve`

    // P04 schedules and windows
    rule(&p0401_empty_window::RULE, p0401_empty_window::check),
    // P05 coverage

    // P06 promises

    // P07 retention and rotation

    // P08 devices and graph

    // P09 recovery, drills, switchover

    // P10 keys and secrets

    // P11 inventory, environments, fleet

    // P12 hygiene
    page(&p1201_allowance_unused::RULE),
    page(&p1202_allowance_expired::RULE),
    page(&p1203_allowance_not_permitted::RULE),
];

/// The pages of all rules, sorted by code.
pub static RULES: &[&Rule] = &PAGES;

static PAGES: [&Rule; TABLE.len()] = {
    let mut pages = [TABLE[0].rule; TABLE.len()];
    let mut at = 0;
    while at < TABLE.len() {
        pages[at] = TABLE[at].rule;
        at += 1;
    }
    pages
};

/// The checks of all rules that have one, by code.
pub(in crate::check) fn checks() -> impl Iterator<Item = Check> {
    TABLE.iter().filter_map(|row| row.check)
}
