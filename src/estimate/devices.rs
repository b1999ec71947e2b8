//! Owns how many units of a device a window needs (Q6). Must not know plans.

use super::play;
use crate::schedule::{LaneShape, Outline, Role, StepShape};

/// Why no number of units is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// One copy alone is longer than the window.
    LongestCopy,
    /// The disk that is read longest is busy longer than the window.
    BusiestDisk,
}

/// The least number of units with which copies of these lengths end within the window, by the
/// executor's own schedule. `busiest` is how long the busiest source disk is read.
///
/// # Errors
/// With what binds when no number is enough.
pub fn needed(seconds: &[f64], busiest: f64, window: f64) -> Result<u32, Binding> {
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    if longest > window {
        return Err(Binding::LongestCopy);
    }
    if busiest > window {
        return Err(Binding::BusiestDisk);
    }
    let most = u32::try_from(seconds.len()).unwrap_or(u32::MAX).max(1);
    // with one unit for each copy the longest one decides, so the search ends
    let enough = |units: &u32| makespan(seconds, *units) <= window;
    Ok((least(seconds, window)..most).find(enough).unwrap_or(most))
}

/// No fewer units can be enough: all of the work, divided by the window.
#[must_use]
pub fn least(seconds: &[f64], window: f64) -> u32 {
    let work: f64 = seconds.iter().sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; saturates"
    )]
    let units = (work / window).ceil() as u32;
    units.max(1)
}

fn makespan(seconds: &[f64], units: u32) -> f64 {
    let steps = seconds.iter().map(|seconds| StepShape {
        seconds: Some(*seconds),
        lanes: &[0],
        role: Role::Plain,
    });
    let outline = Outline {
        lanes: vec![LaneShape {
            depth: units,
            bracket: false,
        }],
        steps: steps.collect(),
        edges: Vec::new(),
    };
    play(&outline, 0.0).makespan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_number_of_units_that_is_enough() {
        let copies = [3.0, 3.0, 2.0, 2.0, 2.0];
        assert_eq!(needed(&copies, 0.0, 12.0), Ok(1));
        assert_eq!(least(&copies, 6.0), 2);
        // list scheduling puts 3+2+2 on one of two units
        assert_eq!(needed(&copies, 0.0, 6.0), Ok(3));
        assert_eq!(needed(&copies, 0.0, 7.0), Ok(2));
        assert_eq!(needed(&copies, 0.0, 3.0), Ok(5));
        assert_eq!(needed(&copies, 0.0, 2.0), Err(Binding::LongestCopy));
        assert_eq!(needed(&copies, 9.0, 7.0), Err(Binding::BusiestDisk));
        assert_eq!(needed(&[], 0.0, 1.0), Ok(1));
    }
}
