//! Owns the second look at one bad line: how far it can be read, and what would have to follow.
//! Must not word findings; `mistakes` does.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pest::Parser as _;
use pest::error::InputLocation;

use super::parser::{PlanParser, Rule};
use super::place::Place;

/// Never part of a plan; put where more is wanted, it makes every rule say what.
const STOP: char = '\u{1}';

/// The library's switch for error detail is one for the process. Only one look at a time may use
/// it; a parse that runs meanwhile is slower, not different.
static DETAIL: Mutex<()> = Mutex::new(());

/// True when a clause of this place can be read from the whole text.
pub(super) fn reads(place: Place, text: &str) -> bool {
    PlanParser::parse(entry(place), text).is_ok()
}

/// True when any clause or statement can be read from the whole text.
pub(super) fn reads_somewhere(text: &str) -> bool {
    PlanParser::parse(Rule::in_any, text).is_ok()
}

/// How far the text can be read: the first byte that no clause of this place allows.
pub(super) fn furthest(place: Place, text: &str) -> Option<usize> {
    detailed(entry(place), text).map(|look| look.at)
}

/// What may follow this beginning of a clause, in words for people, most telling first.
pub(super) fn following(place: Place, beginning: &str) -> Vec<String> {
    let text = format!("{beginning}{STOP}");
    let Some(look) = detailed(entry(place), &text) else {
        return Vec::new();
    };
    let mut names: BTreeSet<&'static str> = BTreeSet::new();
    let mut tokens: BTreeSet<String> = BTreeSet::new();
    for rule in look.rules {
        names.extend(words(rule));
    }
    for token in look.tokens {
        let is_word = token.len() > 1 && token.chars().all(|c| c.is_ascii_lowercase());
        let quoted = format!("`{token}`");
        let older = super::words::today(&token) != token;
        let told = names.iter().any(|name| name.contains(&quoted));
        if !told && !older && (is_word || matches!(token.as_str(), "," | "{" | ":" | "=" | "..")) {
            tokens.insert(quoted);
        }
    }
    if names.contains(A_QUANTITY) && names.contains(A_UNIT) {
        names.remove(A_QUANTITY);
    }
    names.into_iter().map(str::to_owned).chain(tokens).collect()
}

struct Look {
    at: usize,
    rules: Vec<Rule>,
    tokens: Vec<String>,
}

fn detailed(entry: Rule, text: &str) -> Option<Look> {
    let guard = DETAIL.lock().unwrap_or_else(PoisonError::into_inner);
    pest::set_error_detail(true);
    let result = PlanParser::parse(entry, text);
    pest::set_error_detail(false);
    drop(guard);
    let error = result.err()?;
    let Some(attempts) = error.parse_attempts() else {
        let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
        return Some(Look {
            at,
            rules: Vec::new(),
            tokens: Vec::new(),
        });
    };
    let stacks = attempts.call_stacks();
    let deepest = stacks
        .iter()
        .filter_map(|stack| stack.deepest.get_rule().copied());
    let parents = stacks.iter().filter_map(|stack| stack.parent);
    let tokens = attempts.expected_tokens();
    Some(Look {
        at: attempts.max_position,
        rules: deepest.chain(parents).collect(),
        tokens: tokens.iter().map(ToString::to_string).collect(),
    })
}

fn entry(place: Place) -> Rule {
    match place {
        Place::File => Rule::in_file,
        Place::Device => Rule::in_device,
        Place::Service => Rule::in_service,
        Place::Database => Rule::in_database,
        Place::Assume => Rule::in_assume,
        Place::Backup => Rule::in_backup,
        Place::Archive => Rule::in_archive,
        Place::Objectives => Rule::in_objectives,
        Place::Drill | Place::Recovery | Place::Switchover => Rule::in_steps,
        Place::Policy => Rule::in_policy,
        Place::Apply => Rule::in_apply,
        Place::ForEach => Rule::in_foreach,
        Place::Any => Rule::in_any,
    }
}

const A_QUANTITY: &str = "a quantity such as `5min` or `64 MiB`";
const A_UNIT: &str = "a unit such as `min` or `MiB`";

/// Phrases whose own words say better what is expected. A new rule of the grammar does not compile
/// until it is named in `words` or listed here.
macro_rules! phrases {
    () => {
        Rule::s
            | Rule::o
            | Rule::comment
            | Rule::gap
            | Rule::sep
            | Rule::open
            | Rule::close
            | Rule::nchar
            | Rule::reserved
            | Rule::value
            | Rule::count
            | Rule::cond
            | Rule::matching
            | Rule::wherein
            | Rule::except
            | Rule::filter
            | Rule::scope
            | Rule::selector
            | Rule::base
            | Rule::all
            | Rule::targets
            | Rule::names
            | Rule::daily
            | Rule::hourly
            | Rule::schedule
            | Rule::span
            | Rule::secret
            | Rule::loss
            | Rule::tier
            | Rule::restorepoint
            | Rule::point
            | Rule::set
            | Rule::setting
            | Rule::arg
            | Rule::table
            | Rule::input
            | Rule::part
            | Rule::live
            | Rule::older
            | Rule::rate
            | Rule::otherwise
            | Rule::method
            | Rule::changed
            | Rule::onsites
            | Rule::special
            | Rule::dest
            | Rule::nearest
            | Rule::any
            | Rule::holder
            | Rule::before
            | Rule::lag
            | Rule::archived
            | Rule::idle
            | Rule::newer
            | Rule::approval
            // clauses, statements and what holds them: their keywords are expected as such
            | Rule::store
            | Rule::copy
            | Rule::retain
            | Rule::encrypt
            | Rule::compress
            | Rule::throttle
            | Rule::parallel
            | Rule::memory
            | Rule::verify
            | Rule::after
            | Rule::finish
            | Rule::notify
            | Rule::allow
            | Rule::r#override
            | Rule::common
            | Rule::take
            | Rule::ship
            | Rule::stream
            | Rule::rpo
            | Rule::rto
            | Rule::pitr
            | Rule::logspace
            | Rule::copies
            | Rule::drilled
            | Rule::given
            | Rule::covers
            | Rule::restore
            | Rule::relocate
            | Rule::replay
            | Rule::skip
            | Rule::extract
            | Rule::probe
            | Rule::require
            | Rule::fence
            | Rule::promote
            | Rule::rotate
            | Rule::group
            | Rule::tspace
            | Rule::standby
            | Rule::fact
            | Rule::override_or_allow
            | Rule::apply
            | Rule::expect
            | Rule::device_clause
            | Rule::service_clause
            | Rule::database_clause
            | Rule::assume_clause
            | Rule::backup_clause
            | Rule::archive_clause
            | Rule::objectives_clause
            | Rule::step_clause
            | Rule::policy_clause
            | Rule::apply_clause
            | Rule::foreach_clause
            | Rule::statement
            | Rule::device_body
            | Rule::service_body
            | Rule::database_body
            | Rule::assume_body
            | Rule::backup_body
            | Rule::archive_body
            | Rule::objectives_body
            | Rule::step_body
            | Rule::policy_body
            | Rule::apply_body
            | Rule::foreach_body
            | Rule::database
            | Rule::backup
            | Rule::archive
            | Rule::objectives
            | Rule::drill
            | Rule::recovery
            | Rule::switchover
            | Rule::block
            | Rule::version
            | Rule::plan
            | Rule::timezone
            | Rule::environ
            | Rule::import
            | Rule::param
            | Rule::site
            | Rule::device
            | Rule::key
            | Rule::window
            | Rule::service
            | Rule::assume
            | Rule::policy
            | Rule::foreach
            | Rule::file
            | Rule::bad
            | Rule::junk
            | Rule::stuff
            | Rule::bad_body
            | Rule::any_clause
            | Rule::in_file
            | Rule::in_device
            | Rule::in_service
            | Rule::in_database
            | Rule::in_assume
            | Rule::in_backup
            | Rule::in_archive
            | Rule::in_objectives
            | Rule::in_steps
            | Rule::in_policy
            | Rule::in_apply
            | Rule::in_foreach
            | Rule::in_any
    };
}

/// What people call a rule; `None` for rules whose own words say it better.
fn words(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::ident | Rule::name => "a name",
        Rule::glob => "a pattern such as `invoice_*`",
        Rule::string => "a text in quotes",
        Rule::var => "a `$name`",
        Rule::number => "a number",
        Rule::unit => A_UNIT,
        Rule::quantity => A_QUANTITY,
        Rule::date => "a date such as `2026-09-30`",
        Rule::clock => "a time of day such as `01:00`",
        Rule::instant => "an instant such as `2026-03-01T14:05:00+01:00`",
        Rule::zone => "a time zone such as `Europe/Berlin`",
        Rule::code => "a code such as `P0606`",
        Rule::cmp => "one of `>=` `<=` `=` `>` `<`",
        Rule::day | Rule::range | Rule::days => "a day such as `mon` or `mon..sat`",
        Rule::ordinal | Rule::monthday => "a day of the month such as `1st`",
        Rule::kind => "a kind such as `tablespace`",
        Rule::measure => "`size`, `change`, `growth`, `log rate` or `log peak`",
        Rule::origin => "`env`, `file`, `vault` or `command`",
        Rule::feature => "`offline`, `offsite` or `immutable`",
        Rule::outcome => "`failure`, `success` or `always`",
        Rule::answer => "`true`, `false` or `empty`",
        Rule::EOI | Rule::end => "the end of the line",
        phrases!() => return None,
    })
}
