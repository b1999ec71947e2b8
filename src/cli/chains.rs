//! Owns how stored ranges of log are shown together: a line for each run of them without a gap.

use crate::facts::holdings::LogHolding;

/// A run of ranges without a gap.
pub(crate) struct Chain<'a> {
    /// The range it begins with.
    pub(crate) first: &'a LogHolding,
    /// The range it ends with.
    pub(crate) last: &'a LogHolding,
    /// How many ranges.
    pub(crate) count: usize,
    /// Bytes stored on one device.
    pub(crate) bytes: u64,
}

/// Folds ranges, which come sorted by service, identity, incarnation and beginning. `alike` says
/// whether a range may stand in one line with the one before it.
pub(crate) fn chains(
    logs: &[LogHolding],
    alike: impl Fn(&LogHolding, &LogHolding) -> bool,
) -> Vec<Chain<'_>> {
    let mut chains: Vec<Chain<'_>> = Vec::new();
    for log in logs {
        let continued = chains.last_mut().filter(|chain| {
            chain.last.service == log.service
                && chain.last.identity == log.identity
                && chain.last.until == log.from
                && alike(chain.last, log)
        });
        match continued {
            Some(chain) => {
                chain.last = log;
                chain.count += 1;
                chain.bytes += log.stored_bytes;
            }
            None => chains.push(Chain {
                first: log,
                last: log,
                count: 1,
                bytes: log.stored_bytes,
            }),
        }
    }
    chains
}
