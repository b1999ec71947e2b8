//! Owns what copies take from the machine they come from: the shortest interval between shipments
//! that can be sustained (Q11), the share of a disk that backups read and by how much users wait
//! longer for it (Q12). Must not know plans.

/// Q11: the shortest interval between shipments, in seconds, when each costs `fixed` seconds
/// besides its bytes and archiving may take the share `most` of the time. `None` when log is
/// written faster than that share can take.
#[must_use]
pub fn shortest_interval(fixed: f64, most: f64, written: f64, archived: f64) -> Option<f64> {
    let left = most - written / archived;
    (archived > 0.0 && left > 0.0 && fixed >= 0.0).then(|| fixed / left)
}

/// Q12: the share of a disk's rate that backups read. `None` when the disk gives nothing.
#[must_use]
pub fn share(reads: impl IntoIterator<Item = f64>, disk: f64) -> Option<f64> {
    let read: f64 = reads.into_iter().sum();
    (disk > 0.0).then(|| read / disk)
}

/// Q12: by what factor answers slow down when backups take `share` of a disk that users load to
/// `load`: a first estimate, to be replaced by what is measured. `None` when the disk is full.
#[must_use]
pub fn slowdown(load: f64, share: f64) -> Option<f64> {
    let left = 1.0 - load - share;
    (left > 0.0 && load >= 0.0 && share >= 0.0).then(|| (1.0 - load) / left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_that_is_written_too_fast_has_no_interval() {
        let interval = shortest_interval(2.0, 0.5, 10.0, 100.0).expect("sustained");
        assert!((interval - 5.0).abs() < 1e-9);
        // at that interval a shipment takes exactly the share allowed
        let busy = (2.0 + interval * 10.0 / 100.0) / interval;
        assert!((busy - 0.5).abs() < 1e-9);
        assert_eq!(shortest_interval(2.0, 0.5, 50.0, 100.0), None);
        assert_eq!(shortest_interval(2.0, 0.5, 1.0, 0.0), None);
    }

    #[test]
    fn users_wait_longer_the_fuller_the_disk_is() {
        assert_eq!(share([10.0, 30.0], 100.0), Some(0.4));
        assert_eq!(share([1.0], 0.0), None);
        let factor = slowdown(0.5, 0.25).expect("there is room");
        assert!((factor - 2.0).abs() < 1e-9);
        assert_eq!(slowdown(0.5, 0.5), None);
    }
}
