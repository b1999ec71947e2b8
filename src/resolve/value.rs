//! Owns how written values become numbers: quantities of the right dimension, counts, times of
//! day, dates and instants (P0301 to P0308).

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use super::cx::Cx;
use super::vars::{Bound, Setting};
use crate::diagnostic::{Code, Diagnostic};
use crate::quantity::{self, Amount, Bytes, BytesPerSecond, Duration};
use crate::source::Span;
use crate::syntax::ast::{Count, Quantity, Value, Word};

const DAY_MS: u64 = 86_400_000;

/// Reads `01:30`, `1:30` or `01:30:15`.
pub(super) fn parse_clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let mut next = |width: std::ops::RangeInclusive<usize>| {
        let part = parts.next()?;
        let digits = width.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = (next(1..=2)?, next(2..=2)?);
    let second = if text.matches(':').count() > 1 {
        next(2..=2)?
    } else {
        0
    };
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

impl Cx<'_, '_> {
    /// A number with a unit, of any dimension.
    pub(super) fn quantity(&mut self, written: &Quantity) -> Option<Amount> {
        if written.unit.is_empty() {
            self.unit_missing(written);
            return None;
        }
        let error = match quantity::parse(&written.number, &written.unit) {
            Ok(amount) => return Some(amount),
            Err(error) => error,
        };
        self.incomplete = true;
        let mut finding = Diagnostic::new(error.code, error.message, written.span, "");
        if let Some(unit) = &error.replacement {
            let gap = if unit.starts_with(|c: char| c.is_ascii_uppercase()) {
                " "
            } else {
                ""
            };
            let text = format!("{}{gap}{unit}", written.number);
            finding = finding.fix(false, written.span, text);
        }
        let subject = format!("{} {}", written.number, written.unit);
        self.push(finding.help(error.help).subject(subject));
        None
    }

    fn unit_missing(&mut self, written: &Quantity) {
        self.incomplete = true;
        let number = &written.number;
        let message = format!("`{number}` has no unit: {number} of what?");
        self.push(
            Diagnostic::new(Code(302), message, written.span, "")
                .help(format!(
                    "write the unit, for example `{number}min` or `{number} MiB`"
                ))
                .subject(number.clone()),
        );
    }

    /// A quantity, or what the variable stands for, with its place.
    pub(super) fn amount(&mut self, value: &Value) -> Option<(Amount, Span)> {
        match value {
            Value::Quantity(quantity) => Some((self.quantity(quantity)?, quantity.span)),
            Value::Var(word) => match self.var(word)? {
                Bound::Setting(Setting::Amount(amount), ..) => Some((amount, word.span)),
                Bound::Setting(Setting::Count(_), ..) => {
                    let message = format!("`${}` is a number without a unit", word.text);
                    self.refuse(
                        302,
                        message,
                        word.span,
                        "give it a unit where it is declared",
                    );
                    None
                }
                _ => {
                    let message = format!("`${}` is not a quantity", word.text);
                    self.refuse(305, message, word.span, "use a parameter that is one");
                    None
                }
            },
        }
    }

    /// Pushes a finding that leaves a gap.
    pub(super) fn refuse(
        &mut self,
        code: u16,
        message: impl Into<String>,
        span: Span,
        help: impl Into<String>,
    ) {
        self.incomplete = true;
        let subject = self.world.sources.text(span).to_owned();
        let finding = Diagnostic::new(Code(code), message, span, "");
        self.push(finding.help(help).subject(subject));
    }

    fn dimension(&mut self, amount: Amount, span: Span, wanted: &str, example: &str) {
        let written = self.world.sources.text(span);
        let message = format!(
            "`{written}` is a {}; a {wanted} is needed",
            amount.dimension()
        );
        let help = match (amount, wanted) {
            (Amount::Bytes(bytes), "rate") => format!("write a rate: `{bytes}/s`"),
            _ => format!("write a {wanted}, for example `{example}`"),
        };
        self.refuse(305, message, span, help);
    }

    /// A duration of fixed length.
    pub(super) fn duration(&mut self, value: &Value) -> Option<Duration> {
        let (amount, span) = self.amount(value)?;
        match amount {
            Amount::Duration(duration) => Some(duration),
            Amount::Months(months) => {
                let written = self.world.sources.text(span);
                let message = format!("`{written}` has no fixed length: months differ");
                let help = format!("write `{}`", months_as_days(months));
                self.refuse(306, message, span, help);
                None
            }
            other => {
                self.dimension(other, span, "duration", "5min");
                None
            }
        }
    }

    /// A duration of fixed length that is not nothing.
    pub(super) fn positive(&mut self, value: &Value) -> Option<Duration> {
        let duration = self.duration(value)?;
        self.not_zero(duration.0 == 0, value)?;
        Some(duration)
    }

    /// A span of retention, where months and years count 30 and 365 days.
    pub(super) fn kept(&mut self, value: &Value) -> Option<Duration> {
        let (amount, span) = self.amount(value)?;
        let kept = match amount {
            Amount::Duration(duration) => duration,
            Amount::Months(months) => months_as_days(months),
            other => {
                self.dimension(other, span, "duration", "35d");
                return None;
            }
        };
        self.not_zero(kept.0 == 0, value)?;
        Some(kept)
    }

    pub(super) fn size(&mut self, value: &Value) -> Option<Bytes> {
        let (amount, span) = self.amount(value)?;
        if let Amount::Bytes(bytes) = amount {
            return Some(bytes);
        }
        self.dimension(amount, span, "size", "64 MiB");
        None
    }

    pub(super) fn rate(&mut self, value: &Value) -> Option<BytesPerSecond> {
        let (amount, span) = self.amount(value)?;
        if let Amount::Rate(rate) = amount {
            self.not_zero(rate.0 <= 0.0, value)?;
            return Some(rate);
        }
        self.dimension(amount, span, "rate", "400 MiB/s");
        None
    }

    /// A share of something a day.
    pub(super) fn change(&mut self, value: &Value) -> Option<f64> {
        let (amount, span) = self.amount(value)?;
        if let Amount::Change(share) = amount {
            return Some(share);
        }
        self.dimension(amount, span, "change rate", "6%/day");
        None
    }

    fn not_zero(&mut self, zero: bool, value: &Value) -> Option<()> {
        if zero {
            let span = value_span(value);
            let message = format!("`{}` is nothing at all", self.world.sources.text(span));
            self.refuse(
                307,
                message,
                span,
                "write more than nothing, or remove the clause",
            );
        }
        (!zero).then_some(())
    }

    /// A whole number of at least 1.
    pub(super) fn count(&mut self, count: &Count) -> Option<u32> {
        let (text, span) = match count {
            Count::Number(word) => (word.text.clone(), word.span),
            Count::Var(word) => {
                if let Bound::Setting(Setting::Count(text), ..) = self.var(word)? {
                    (text, word.span)
                } else {
                    let message = format!("`${}` is not a count", word.text);
                    self.refuse(305, message, word.span, "use a parameter of type `count`");
                    return None;
                }
            }
        };
        match text.parse::<u32>() {
            Ok(count) if count > 0 => Some(count),
            Ok(_) => {
                let help = "use 1 or more, or remove the line";
                self.refuse(307, "`0` promises nothing", span, help);
                None
            }
            Err(_) => {
                let message = format!("`{text}` is not a whole number that fits");
                self.refuse(307, message, span, "write a whole number of 1 or more");
                None
            }
        }
    }

    pub(super) fn clock(&mut self, word: &Word) -> Option<Time> {
        if let Some(time) = parse_clock(&word.text) {
            return Some(time);
        }
        let message = format!("`{}` is not a time of day", word.text);
        let help = clock_meant(&word.text).map_or_else(
            || "write hours and minutes on the 24 h clock, for example `01:00`".to_owned(),
            |time| format!("write `{time}`"),
        );
        self.refuse(304, message, word.span, help);
        None
    }

    pub(super) fn date(&mut self, word: &Word) -> Option<Date> {
        let date = word.text.parse().ok();
        if date.is_none() {
            let message = format!("`{}` is not a day of the calendar", word.text);
            self.refuse(
                307,
                message,
                word.span,
                "write year, month and day: `2026-09-30`",
            );
        }
        date
    }

    pub(super) fn instant(&mut self, word: &Word) -> Option<Timestamp> {
        let text = &word.text;
        if let Ok(instant) = text.parse() {
            return Some(instant);
        }
        if text.parse::<jiff::civil::DateTime>().is_ok() && !has_offset(text) {
            let message = format!("`{text}` has no offset: it names no instant");
            let help = "append `Z` for UTC, or the offset from it, for example `+01:00`";
            self.refuse(308, message, word.span, help);
        } else {
            let message = format!("`{text}` is not an instant");
            let help = "write day, time and offset: `2026-03-01T14:05:00Z`";
            self.refuse(307, message, word.span, help);
        }
        None
    }
}

fn has_offset(text: &str) -> bool {
    let time = text
        .split_once(['T', 't', ' '])
        .map_or("", |(_, time)| time);
    time.contains(['Z', 'z', '+', '-'])
}

/// The time meant by `1am`, `11pm`, `5:3` or `24:00`.
fn clock_meant(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (digits, add) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(digits), _) => (digits.trim(), 0),
        (_, Some(digits)) => (digits.trim(), 12),
        _ if lower == "24:00" => return Some("00:00".into()),
        _ => return None,
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "00"));
    let hour: u8 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    let time = format!("{:02}:{minute}", hour % 12 + add);
    parse_clock(&time).map(|_| time)
}

/// Months as days: 365 for each twelve, 30 for each of the rest.
fn months_as_days(months: u32) -> Duration {
    let days = u64::from(months / 12) * 365 + u64::from(months % 12) * 30;
    Duration(days * DAY_MS)
}

/// Where a value stands.
pub(super) fn value_span(value: &Value) -> Span {
    match value {
        Value::Quantity(quantity) => quantity.span,
        Value::Var(word) => word.span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_strictly_and_slips_are_understood() {
        let shown = |text| parse_clock(text).map(|time| time.to_string());
        assert_eq!(shown("01:30").as_deref(), Some("01:30:00"));
        assert_eq!(shown("1:30:15").as_deref(), Some("01:30:15"));
        for wrong in [
            "",
            "1am",
            "25:00",
            "01:60",
            "1:3",
            "01:30:00:00",
            "+1:30",
            "24:00",
        ] {
            assert_eq!(parse_clock(wrong), None, "{wrong}");
        }
        assert_eq!(clock_meant("1am").as_deref(), Some("01:00"));
        assert_eq!(clock_meant("12am").as_deref(), Some("00:00"));
        assert_eq!(clock_meant("11:30pm").as_deref(), Some("23:30"));
        assert_eq!(clock_meant("noon"), None);
    }

    #[test]
    fn months_count_days() {
        assert_eq!(months_as_days(12).to_string(), "365d");
        assert_eq!(months_as_days(13).to_string(), "395d");
    }

    #[test]
    fn offsets_are_told_from_dates() {
        assert!(!has_offset("2026-03-01T14:05:00"));
        assert!(has_offset("2026-03-01T14:05:00-01:00"));
    }
}
