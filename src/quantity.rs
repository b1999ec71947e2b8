//! Owns units: durations, sizes and rates, how they are read and how they are printed.
//! Must not know where a quantity stands; the caller adds the place to a [`UnitError`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Code;

/// A span of time of fixed length, in milliseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Duration(pub u64);

/// A size in bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Bytes(pub u64);

/// A rate in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
pub struct BytesPerSecond(pub f64);

/// What a quantity of the language can mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// `5min`
    Duration(Duration),
    /// `1mo`, `7y`: months; no fixed length.
    Months(u32),
    /// `64 MiB`
    Bytes(Bytes),
    /// `400 MiB/s`, `4 GiB/h`, `30 Mbit/s`
    Rate(BytesPerSecond),
    /// `6%/day`: a share a day (0.06).
    Change(f64),
    /// `6%`: a share (0.06).
    Share(f64),
}

impl Amount {
    /// What kind of quantity it is, for messages.
    #[must_use]
    pub fn dimension(self) -> &'static str {
        match self {
            Self::Duration(_) => "duration",
            Self::Months(_) => "calendar span",
            Self::Bytes(_) => "size",
            Self::Rate(_) => "rate",
            Self::Change(_) => "change rate",
            Self::Share(_) => "share",
        }
    }
}

/// Why a number and a unit do not make a quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitError {
    /// P0301 (unknown), P0303 (ambiguous) or P0307 (out of range).
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// The corrected unit, when only one can be meant.
    pub replacement: Option<String>,
}

const KIB: f64 = 1024.0;

/// Reads a number with its unit.
///
/// # Errors
/// When the unit is unknown or ambiguous, or the result does not fit 64 bits.
pub fn parse(number: &str, unit: &str) -> Result<Amount, UnitError> {
    let value: f64 = number.parse().map_err(|_| out_of_range(number, unit))?;
    if let Some(ms) = duration_unit(unit) {
        return Ok(Amount::Duration(Duration(whole(value * ms, number, unit)?)));
    }
    if let Some(months) = match unit {
        "mo" => Some(1.0),
        "y" => Some(12.0),
        _ => None,
    } {
        let months = whole(value * months, number, unit)?;
        let months = u32::try_from(months).map_err(|_| out_of_range(number, unit))?;
        return Ok(Amount::Months(months));
    }
    if let Some(bytes) = size_unit(unit) {
        return Ok(Amount::Bytes(Bytes(whole(value * bytes, number, unit)?)));
    }
    if let Some(rate) = rate_unit(unit) {
        return Ok(Amount::Rate(BytesPerSecond(value * rate)));
    }
    match unit {
        "%/day" => Ok(Amount::Change(value / 100.0)),
        "%/h" => Ok(Amount::Change(value * 24.0 / 100.0)),
        "%" => Ok(Amount::Share(value / 100.0)),
        _ => Err(unknown_unit(number, unit)),
    }
}

/// Reads `64 MiB`, `5min`, `400 MiB/s` as they stand in the inventory.
///
/// # Errors
/// As [`parse`]; also P0302 when the unit is missing and P0301 when it is no quantity at all.
pub fn parse_text(text: &str) -> Result<Amount, UnitError> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    if number.is_empty() {
        return Err(UnitError {
            code: Code(301),
            message: format!("`{text}` is not a quantity"),
            help: "write a number and a unit, for example `64 MiB`, `5min` or `400 MiB/s`".into(),
            replacement: None,
        });
    }
    if unit.is_empty() {
        return Err(UnitError {
            code: Code(302),
            message: format!("`{text}` has no unit"),
            help: format!(
                "write the unit, for example `{number} MiB`, `{number}s` or `{number} MiB/s`"
            ),
            replacement: None,
        });
    }
    parse(number, unit)
}

fn whole(value: f64, number: &str, unit: &str) -> Result<u64, UnitError> {
    // 2^63 keeps every later sum of two quantities inside u64
    if !(0.0..9.2e18).contains(&value) {
        return Err(out_of_range(number, unit));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "range checked"
    )]
    Ok(value.round() as u64)
}

fn duration_unit(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "min" => 60e3,
        "h" => 3600e3,
        "d" => 86_400e3,
        "w" => 7.0 * 86_400e3,
        _ => return None,
    })
}

fn size_unit(unit: &str) -> Option<f64> {
    Some(match unit {
        "B" => 1.0,
        "KiB" => KIB,
        "MiB" => KIB.powi(2),
        "GiB" => KIB.powi(3),
        "TiB" => KIB.powi(4),
        "PiB" => KIB.powi(5),
        _ => return None,
    })
}

fn rate_unit(unit: &str) -> Option<f64> {
    let (amount, per) = unit.split_once('/')?;
    let seconds = match per {
        "s" => 1.0,
        "h" => 3600.0,
        "day" | "d" => 86_400.0,
        _ => return None,
    };
    let bytes = match amount {
        "Mbit" => 1e6 / 8.0,
        "Gbit" => 1e9 / 8.0,
        _ => size_unit(amount)?,
    };
    Some(bytes / seconds)
}

fn out_of_range(number: &str, unit: &str) -> UnitError {
    UnitError {
        code: Code(307),
        message: format!("`{number} {unit}` is out of range"),
        help: "write a number that fits: at most 8 EiB or 290 million years".into(),
        replacement: None,
    }
}

fn unknown_unit(number: &str, unit: &str) -> UnitError {
    let (amount, per) = unit.split_once('/').map_or((unit, ""), |(a, p)| (a, p));
    let suffix = if per.is_empty() {
        String::new()
    } else {
        format!("/{per}")
    };
    let binary = match amount {
        "kB" | "KB" | "K" | "k" => Some("KiB"),
        "MB" | "M" => Some("MiB"),
        "GB" | "G" => Some("GiB"),
        "TB" | "T" => Some("TiB"),
        _ => None,
    };
    if let Some(binary) = binary {
        return UnitError {
            code: Code(303),
            message: format!("`{number} {unit}` can mean powers of 1000 or of 1024"),
            help: format!("write `{number} {binary}{suffix}`"),
            replacement: Some(format!("{binary}{suffix}")),
        };
    }
    if amount == "m" {
        return UnitError {
            code: Code(303),
            message: format!("`{number}m` can mean minutes or months"),
            help: format!("write `{number}min` or `{number}mo`"),
            replacement: None,
        };
    }
    let meant = match unit.to_ascii_lowercase().as_str() {
        "minute" | "minutes" | "mins" => Some("min"),
        "sec" | "secs" | "second" | "seconds" => Some("s"),
        "hour" | "hours" | "hr" | "hrs" => Some("h"),
        "day" | "days" => Some("d"),
        "week" | "weeks" => Some("w"),
        "month" | "months" => Some("mo"),
        "year" | "years" => Some("y"),
        "kib" => Some("KiB"),
        "mib" => Some("MiB"),
        "gib" => Some("GiB"),
        "tib" => Some("TiB"),
        "bytes" | "byte" | "b" => Some("B"),
        _ => None,
    };
    UnitError {
        code: Code(301),
        message: format!("`{unit}` is not a unit"),
        help: meant.map_or_else(
            || {
                "units are ms s min h d w mo y, B KiB MiB GiB TiB PiB, and rates such as MiB/s"
                    .into()
            },
            |unit| {
                format!(
                    "write `{number}{}{unit}`",
                    if unit.ends_with('B') { " " } else { "" }
                )
            },
        ),
        replacement: meant.map(str::to_owned),
    }
}

/// Bytes as a number to calculate with.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "estimates need no exact bytes")]
pub fn float(bytes: u64) -> f64 {
    bytes as f64
}

impl Duration {
    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// In seconds.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact to a millisecond for 285 000 years"
    )]
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl fmt::Display for Duration {
    /// The two largest units: `15min 6s`, `2h 29min`, `35d`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 5] = [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "min"),
            (1000, "s"),
            (1, "ms"),
        ];
        let Some(first) = UNITS.iter().position(|(length, _)| self.0 >= *length) else {
            return out.write_str("0s");
        };
        let (length, unit) = UNITS[first];
        write!(out, "{}{unit}", self.0 / length)?;
        if let Some((next, unit)) = UNITS.get(first + 1) {
            let rest = self.0 % length / next;
            if rest > 0 {
                write!(out, " {rest}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Bytes {
    /// In the largest binary unit, one decimal at most: `900 GiB`, `2.4 TiB`.
    #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(out, self.0 as f64)
    }
}

impl fmt::Display for BytesPerSecond {
    /// `400 MiB/s`
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(out, self.0)?;
        out.write_str("/s")
    }
}

fn write_scaled(out: &mut fmt::Formatter<'_>, mut value: f64) -> fmt::Result {
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < KIB {
            break;
        }
        value /= KIB;
        unit = next;
    }
    let rounded = (value * 10.0).round() / 10.0;
    if (rounded - rounded.round()).abs() < 1e-9 {
        write!(out, "{rounded:.0} {unit}")
    } else {
        write!(out, "{rounded:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_exact_and_wrong_ones_say_what_was_meant() {
        assert_eq!(
            parse("5", "min"),
            Ok(Amount::Duration(Duration::from_secs(300)))
        );
        assert_eq!(parse("2.5", "GiB"), Ok(Amount::Bytes(Bytes(2_684_354_560))));
        assert_eq!(
            parse("30", "Mbit/s"),
            Ok(Amount::Rate(BytesPerSecond(3_750_000.0)))
        );
        let error = |number, unit| parse(number, unit).expect_err("refused").code;
        assert_eq!(error("64", "MB"), Code(303));
        assert_eq!(error("5", "m"), Code(303));
        assert_eq!(error("5", "minutes"), Code(301));
        assert_eq!(error("99999999999999", "PiB"), Code(307));
        assert_eq!(parse_text("5").expect_err("refused").code, Code(302));
    }

    #[test]
    fn printed_quantities_are_short() {
        assert_eq!(Duration(906_000).to_string(), "15min 6s");
        assert_eq!(Duration::from_secs(35 * 86_400).to_string(), "35d");
        assert_eq!(Bytes(2_638_827_906_662).to_string(), "2.4 TiB");
        assert_eq!(
            BytesPerSecond(400.0 * 1024.0 * 1024.0).to_string(),
            "400 MiB/s"
        );
    }
}
