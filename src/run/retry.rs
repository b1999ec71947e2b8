//! Owns when a failed try is followed by another one: a pure policy, without clock or randomness.

use std::time::Duration;

use crate::engine::Retry;
use crate::graph::step::OnFailure;

/// The wait after the first failed try; doubled after each further one.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long to wait before try `attempt + 1`, or none when there is no further try.
/// `attempt` is the number of tries so far, at least 1.
#[must_use]
pub(super) fn wait(on_failure: OnFailure, retry: Retry, attempt: u32) -> Option<Duration> {
    let OnFailure::Retry(more) = on_failure else {
        return None;
    };
    if retry == Retry::Never || attempt > more {
        return None;
    }
    let doubled = 1u32.checked_shl(attempt.saturating_sub(1));
    let wait = doubled.and_then(|factor| FIRST_WAIT.checked_mul(factor));
    Some(wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_end() {
        let policy = OnFailure::Retry(40);
        assert_eq!(
            wait(policy, Retry::Later, 1),
            Some(Duration::from_millis(200))
        );
        assert_eq!(
            wait(policy, Retry::Later, 3),
            Some(Duration::from_millis(800))
        );
        assert_eq!(wait(policy, Retry::Later, 40), Some(LONGEST_WAIT));
        assert_eq!(wait(policy, Retry::Later, 41), None);
    }

    #[test]
    fn what_will_fail_again_is_not_tried_again() {
        assert_eq!(wait(OnFailure::Retry(3), Retry::Never, 1), None);
        assert_eq!(wait(OnFailure::Abort, Retry::Later, 1), None);
        assert_eq!(wait(OnFailure::Alternate, Retry::Later, 1), None);
    }
}
