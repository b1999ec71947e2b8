//! Owns the two texts that `pg_backup_stop` returns: the backup label and the tablespace map.
//! Reads them; the label is kept byte for byte and never written anew. Pure.

use super::FormatError;
use super::lsn::{Lsn, Timeline};

/// What a backup label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupLabel {
    /// Where replay begins.
    pub start: Lsn,
    /// The checkpoint that replay begins with.
    pub checkpoint: Lsn,
    /// Timeline of the start.
    pub timeline: Timeline,
    /// Was it taken from a standby?
    pub from_standby: bool,
    /// The name given to the backup.
    pub label: String,
}

impl BackupLabel {
    /// Reads a label.
    ///
    /// # Errors
    /// When a line that recovery needs is missing or wrong.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let start = field(text, "START WAL LOCATION")?;
        let (start, _file) = start
            .split_once(' ')
            .ok_or_else(|| FormatError::text("a start of a backup label", start))?;
        let timeline = field(text, "START TIMELINE")?;
        let number = timeline
            .parse()
            .map_err(|_| FormatError::text("a start timeline", timeline))?;
        Ok(Self {
            start: start.parse()?,
            checkpoint: field(text, "CHECKPOINT LOCATION")?.parse()?,
            timeline: Timeline::new(number)?,
            from_standby: field(text, "BACKUP FROM")? == "standby",
            label: field(text, "LABEL")?.to_owned(),
        })
    }
}

fn field<'a>(text: &'a str, name: &'static str) -> Result<&'a str, FormatError> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    text.lines()
        .find_map(value)
        .ok_or_else(|| FormatError::text("a backup label with all its lines", name))
}

/// One line of a tablespace map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedTablespace {
    /// The tablespace's object id: the name of the link below `pg_tblspc`.
    pub oid: u32,
    /// Where its files lie.
    pub path: String,
}

/// Reads a tablespace map.
///
/// # Errors
/// When a line is not `oid path`.
pub fn parse_map(text: &str) -> Result<Vec<MappedTablespace>, FormatError> {
    lines_of(text)
        .into_iter()
        .map(|line| parse_line(&line))
        .collect()
}

/// Writes a tablespace map as the server reads it.
#[must_use]
pub fn print_map(map: &[MappedTablespace]) -> String {
    let escaped = |path: &str| {
        let escape = |c| match c {
            '\n' | '\r' | '\\' => format!("\\{c}"),
            _ => String::from(c),
        };
        path.chars().map(escape).collect::<String>()
    };
    let mut text = String::new();
    for entry in map {
        let line = [&entry.oid.to_string(), " ", &escaped(&entry.path), "\n"].concat();
        text.push_str(&line);
    }
    text
}

fn parse_line(line: &str) -> Result<MappedTablespace, FormatError> {
    let bad = || FormatError::text("a line of a tablespace map", line);
    let (oid, path) = line.split_once(' ').ok_or_else(bad)?;
    let digits = oid.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || path.is_empty() {
        return Err(bad());
    }
    Ok(MappedTablespace {
        oid: oid.parse().map_err(|_| bad())?,
        path: path.to_owned(),
    })
}

/// Lines without their ends, escapes removed: a backslash keeps the next character, also a line
/// end, as part of the path.
fn lines_of(text: &str) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => line.extend(chars.next()),
            '\n' | '\r' => lines.push(std::mem::take(&mut line)),
            _ => line.push(c),
        }
    }
    lines.push(line);
    lines.retain(|line| !line.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LABEL: &str = "START WAL LOCATION: 0/900028 (file 0000000A0000000000000009)\n\
        CHECKPOINT LOCATION: 0/900060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n\
        START TIME: 2026-11-22 06:40:00 UTC\nLABEL: planc part 1\nSTART TIMELINE: 10\n";

    #[test]
    fn a_label_is_read() {
        let label = BackupLabel::parse(LABEL).expect("valid");
        assert_eq!(label.start, Lsn(0x90_0028));
        assert_eq!(label.checkpoint, Lsn(0x90_0060));
        assert_eq!(label.timeline.number(), 10);
        assert_eq!(label.label, "planc part 1");
        assert!(!label.from_standby);
    }

    #[test]
    fn a_label_without_a_needed_line_is_refused() {
        for missing in [
            "START WAL",
            "CHECKPOINT",
            "BACKUP FROM",
            "LABEL",
            "START TIMELINE",
        ] {
            let lines = LABEL.lines().filter(|line| !line.starts_with(missing));
            let text: Vec<&str> = lines.collect();
            assert!(BackupLabel::parse(&text.join("\n")).is_err(), "{missing}");
        }
    }

    #[test]
    fn a_map_that_is_no_map_is_refused() {
        for text in ["16384", "x /a", "16384 ", "99999999999 /a"] {
            assert!(parse_map(text).is_err(), "{text}");
        }
        assert_eq!(parse_map("\n"), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn a_map_survives_its_text(
            entries in prop::collection::vec((any::<u32>(), "/[ a-z/\\\\\n\r]{1,20}"), 0..4)
        ) {
            let map: Vec<_> = entries
                .into_iter()
                .map(|(oid, path)| MappedTablespace { oid, path })
                .collect();
            prop_assert_eq!(parse_map(&print_map(&map)), Ok(map));
        }

        #[test]
        fn no_text_panics(text in "(START WAL LOCATION: |LABEL: |[0-9A-F/ \n\\\\]){0,20}") {
            let _ = (BackupLabel::parse(&text), parse_map(&text));
        }
    }
}
