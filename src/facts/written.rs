//! Owns the text of a facts file: stable order, one line a thing, so that a survey can be reviewed
//! and its differences be read. [`super::facts_file::read`] gives back what was written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::facts_file::{MeasuredFacts, SizeAndShares};
use super::instance::{DatabaseFacts, Instance, TableFacts, TablespaceFacts};
use crate::quantity::{Bytes, BytesPerSecond};

const HEAD: &str = "\
# Written by `planc survey`. Review it, commit it beside the inventory, keep it fresh.
# What is not here was not measured, and counts as unknown.
";

/// Words that YAML takes for something else than text.
const RESERVED: &[&str] = &[
    "true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan",
];

/// The file's text.
#[must_use]
pub fn text(facts: &MeasuredFacts) -> String {
    let mut out = HEAD.to_owned();
    if let Some(measured) = &facts.measured {
        line(&mut out, 0, &format!("measured: {}", scalar(measured)));
    }
    let rates = |one: &(Option<BytesPerSecond>, Option<BytesPerSecond>), names: [&str; 2]| {
        flow(&[(names[0], one.0.map(rate)), (names[1], one.1.map(rate))])
    };
    section(&mut out, "components", &facts.components, component);
    section(&mut out, "services", &facts.services, |one| {
        rates(one, ["log_rate", "log_peak"])
    });
    section(&mut out, "devices", &facts.devices, |one| {
        rates(one, ["write", "read"])
    });
    section(&mut out, "hosts", &facts.hosts, |one| {
        flow(&[("replay", one.map(rate))])
    });
    section(&mut out, "certified", &facts.certified, |one| {
        let texts: Vec<_> = one
            .iter()
            .map(|(key, text)| (key.as_str(), Some(scalar(text))))
            .collect();
        flow(&texts)
    });
    if !facts.instances.is_empty() {
        line(&mut out, 0, "instances:");
        for (name, one) in &facts.instances {
            instance(&mut out, name, one);
        }
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    // writing to a string cannot fail
    let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
}

fn section<T>(
    out: &mut String,
    name: &str,
    entries: &BTreeMap<String, T>,
    print: impl Fn(&T) -> String,
) {
    if entries.is_empty() {
        return;
    }
    line(out, 0, &format!("{name}:"));
    for (key, value) in entries {
        line(out, 1, &format!("{}: {}", scalar(key), print(value)));
    }
}

fn component((size, change, growth): &SizeAndShares) -> String {
    let share = |share: &Option<f64>| share.map(|share| format!("{}%/day", rounded(share * 100.0)));
    flow(&[
        ("size", size.map(bytes)),
        ("change", share(change)),
        ("growth", share(growth)),
    ])
}

fn instance(out: &mut String, name: &str, of: &Instance) {
    line(out, 1, &format!("{}:", scalar(name)));
    let texts = [
        ("measured", &of.measured),
        ("version", &of.version),
        ("identity", &of.identity),
        ("timeline", &of.timeline),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            line(out, 2, &format!("{key}: {}", scalar(text)));
        }
    }
    if let Some(position) = of.log_position {
        line(out, 2, &format!("log_position: {position}"));
    }
    nested(out, "settings", &of.settings, |text| scalar(text));
    nested(out, "tablespaces", &of.tablespaces, tablespace);
    if !of.databases.is_empty() {
        line(out, 2, "databases:");
        for (name, one) in &of.databases {
            database(out, name, one);
        }
    }
}

fn nested<T>(
    out: &mut String,
    name: &str,
    entries: &BTreeMap<String, T>,
    print: impl Fn(&T) -> String,
) {
    if !entries.is_empty() {
        line(out, 2, &format!("{name}:"));
    }
    for (key, value) in entries {
        line(out, 3, &format!("{}: {}", scalar(key), print(value)));
    }
}

fn tablespace(of: &TablespaceFacts) -> String {
    flow(&[
        ("path", of.path.as_deref().map(scalar)),
        ("size", of.size.map(bytes)),
    ])
}

fn database(out: &mut String, name: &str, of: &DatabaseFacts) {
    line(out, 3, &format!("{}:", scalar(name)));
    if let Some(size) = of.size {
        line(out, 4, &format!("size: {}", bytes(size)));
    }
    if let Some(tablespace) = &of.tablespace {
        line(out, 4, &format!("tablespace: {}", scalar(tablespace)));
    }
    if !of.tables.is_empty() {
        line(out, 4, "tables:");
    }
    for (name, one) in &of.tables {
        line(out, 5, &format!("{}: {}", scalar(name), table(one)));
    }
}

fn table(of: &TableFacts) -> String {
    let refers: Vec<String> = of.refers.iter().map(|name| scalar(name)).collect();
    let refers = (!refers.is_empty()).then(|| format!("[{}]", refers.join(", ")));
    flow(&[
        ("size", of.size.map(bytes)),
        ("changes", of.changes.map(|count| count.to_string())),
        ("unlogged", of.unlogged.then(|| "true".to_owned())),
        ("tablespace", of.tablespace.as_deref().map(scalar)),
        ("refers", refers),
    ])
}

/// `{a: 1, b: 2}` of what is known.
fn flow(fields: &[(&str, Option<String>)]) -> String {
    let known = fields.iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        Some(format!("{name}: {value}"))
    });
    let known: Vec<String> = known.collect();
    format!("{{{}}}", known.join(", "))
}

/// A text as YAML takes it for a text, quoted when it must be.
fn scalar(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@');
    let reserved = RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if begins && !reserved && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // YAML breaks lines at the separators too
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A size with three digits, never below the truth: a proof that holds for it holds for the size.
fn bytes(size: Bytes) -> String {
    #[expect(clippy::cast_precision_loss, reason = "printed with three digits")]
    let exact = size.0 as f64;
    let (value, unit) = scaled(exact);
    let grain = grain(value);
    let mut near = (value / grain).round() * grain;
    if near * (exact / value) < exact {
        near += grain;
    }
    format!("{} {unit}", trimmed(near))
}

fn rate(of: BytesPerSecond) -> String {
    let (value, unit) = scaled(of.0);
    format!("{} {unit}/s", rounded(value))
}

fn scaled(mut value: f64) -> (f64, &'static str) {
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    (value, unit)
}

/// What the third digit counts.
fn grain(value: f64) -> f64 {
    match value {
        v if v < 10.0 => 0.01,
        v if v < 100.0 => 0.1,
        _ => 1.0,
    }
}

/// Three digits, but never nothing for something.
fn rounded(value: f64) -> String {
    let grain = grain(value);
    let near = (value / grain).round() * grain;
    if near == 0.0 && value > 0.0 {
        return trimmed(grain);
    }
    trimmed(near)
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::facts::facts_file;
    use crate::source::FileId;

    fn read_back(text: &str) -> MeasuredFacts {
        let mut out = Diagnostics::new();
        let mut facts = facts_file::read(FileId(0), text, &mut out);
        let found: Vec<_> = out.iter().map(|one| one.message.clone()).collect();
        assert!(found.is_empty(), "{found:?}\n{text}");
        facts.measured_span = None;
        facts
    }

    fn table_of(names: &[String]) -> TableFacts {
        TableFacts {
            size: Some(Bytes(8 << 20)),
            changes: Some(12),
            unlogged: true,
            tablespace: Some("hot".to_owned()),
            refers: names.iter().cloned().collect(),
        }
    }

    fn facts(names: &[String]) -> MeasuredFacts {
        let database = DatabaseFacts {
            size: Some(Bytes(1 << 30)),
            tablespace: names.first().cloned(),
            tables: names
                .iter()
                .map(|name| (name.clone(), table_of(names)))
                .collect(),
        };
        let hot = TablespaceFacts {
            path: Some("/srv/a b".to_owned()),
            size: Some(Bytes(5)),
        };
        let instance = Instance {
            measured: Some("2026-03-01T00:00:00Z".to_owned()),
            version: Some("18.4".to_owned()),
            identity: Some("7384".to_owned()),
            timeline: Some("00000001".to_owned()),
            log_position: Some(u64::MAX),
            settings: [("archive_mode".to_owned(), "on".to_owned())].into(),
            tablespaces: [("hot".to_owned(), hot)].into(),
            databases: names
                .iter()
                .map(|name| (name.clone(), database.clone()))
                .collect(),
        };
        MeasuredFacts {
            measured: Some("2026-03-01".to_owned()),
            components: [("a/base/base".to_owned(), (Some(Bytes(1)), Some(0.06), None))].into(),
            services: [("a".to_owned(), (Some(BytesPerSecond(4096.0)), None))].into(),
            devices: [("d".to_owned(), (None, Some(BytesPerSecond(1.0))))].into(),
            hosts: [("h".to_owned(), Some(BytesPerSecond(2.0)))].into(),
            certified: [(
                "d".to_owned(),
                [("clock".to_owned(), "proved".to_owned())].into(),
            )]
            .into(),
            instances: [("a".to_owned(), instance)].into(),
            ..MeasuredFacts::default()
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_stays_as_it_is() {
        let facts = facts(&["public.orders".to_owned(), "on".to_owned()]);
        let text = text(&facts);
        assert_eq!(read_back(&text), facts, "{text}");
        assert!(text.contains("    version: \"18.4\"\n"), "{text}");
    }

    #[test]
    fn sizes_are_short_and_never_below_the_truth() {
        for (size, printed) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (900 << 30, "900 GiB"),
            ((900 << 30) + 1, "901 GiB"),
            (1_429_365_116_109, "1.31 TiB"),
        ] {
            assert_eq!(bytes(Bytes(size)), printed);
        }
    }

    #[test]
    fn names_that_yaml_takes_for_something_else_survive() {
        let names = [
            "a\u{2028}b",
            "a\u{2029}",
            "\u{feff}a",
            "a\u{85}b",
            "a\nb",
            "<<",
            "~",
        ];
        let facts = facts(&names.map(str::to_owned));
        assert_eq!(read_back(&text(&facts)), facts);
    }

    proptest! {
        #[test]
        fn any_name_survives(names in prop::collection::btree_set("\\PC{1,12}", 1..4)) {
            let facts = facts(&names.into_iter().collect::<Vec<_>>());
            let text = text(&facts);
            prop_assert_eq!(read_back(&text), facts);
        }

        #[test]
        fn a_written_size_is_at_least_the_size(size in 0u64..1 << 60) {
            let written = crate::quantity::parse_text(&bytes(Bytes(size)));
            let Ok(crate::quantity::Amount::Bytes(read)) = written else {
                panic!("{written:?}");
            };
            prop_assert!(read.0 >= size && read.0 <= size + size / 50 + 64);
        }
    }
}
