//! Owns how much there is to a scenario: steps, those that people do, and the longest chain of
//! steps that wait for each other (Q22). Must not know what steps do.

use std::collections::BTreeSet;

use super::makespan::bounds;
use crate::schedule::Outline;

/// How complex a scenario is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effort {
    /// Steps.
    pub steps: usize,
    /// Steps at which the run waits for a person.
    pub manual: usize,
    /// Different people or roles it waits for.
    pub roles: usize,
    /// Devices that are read or written.
    pub devices: usize,
    /// Steps on the longest chain.
    pub chain: usize,
    /// Seconds of the longest chain, steps of unknown length counted as nothing.
    pub critical_path: f64,
}

/// Counts. `waits_for` names the role of each step that a person does, `devices` what is touched.
#[must_use]
pub fn of<'a>(
    outline: &Outline<'_>,
    waits_for: impl IntoIterator<Item = &'a str>,
    devices: impl IntoIterator<Item = &'a str>,
) -> Effort {
    let waits: Vec<&str> = waits_for.into_iter().collect();
    let devices: BTreeSet<&str> = devices.into_iter().collect();
    // each step as one second long: the longest chain in steps
    let mut counted = outline.clone();
    for step in &mut counted.steps {
        step.seconds = Some(1.0);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of steps"
    )]
    let chain = bounds(&counted, 1.0).critical_path.round() as usize;
    Effort {
        steps: outline.steps.len(),
        manual: waits.len(),
        roles: waits.into_iter().collect::<BTreeSet<_>>().len(),
        devices: devices.len(),
        chain,
        critical_path: bounds(outline, 0.0).critical_path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{EdgeKind, Link, Role, StepShape};

    #[test]
    fn the_longest_chain_is_counted_in_steps_and_seconds() {
        let step = |seconds| StepShape {
            seconds,
            lanes: &[],
            role: Role::Plain,
        };
        let edge = |from, to| Link {
            from,
            to,
            kind: EdgeKind::Success,
        };
        let outline = Outline {
            lanes: Vec::new(),
            steps: vec![
                step(Some(5.0)),
                step(None),
                step(Some(2.0)),
                step(Some(9.0)),
            ],
            edges: vec![edge(0, 1), edge(1, 2)],
        };
        let effort = of(&outline, ["dba", "dba"], ["nas", "tapes", "nas"]);
        assert_eq!((effort.steps, effort.manual, effort.roles), (4, 2, 1));
        assert_eq!((effort.devices, effort.chain), (2, 3));
        assert!((effort.critical_path - 9.0).abs() < 1e-9);
    }
}
