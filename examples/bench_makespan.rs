//! Plays random graphs with the executor's own schedule and compares their length with the lower
//! bound that no order can beat: steps that read one of 50 disks and write one of 20 devices,
//! with sizes that spread over two orders of magnitude and some steps that wait for others.
//! Each graph is played twice: with devices drawn by chance, so that one of them has most to do
//! and gives the bound, and with devices that have equally much to do, so that every gap counts.
//!
//! `bench_makespan STEPS GRAPHS`

use std::io::Write as _;
use std::process::ExitCode;

use planc::estimate::{makespan, play};
use planc::schedule::{EdgeKind, LaneShape, Link, Outline, Role, StepShape};

const DISKS: u64 = 50;
const DEVICES: u64 = 20;
const LANES: usize = 70;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let (Some(Ok(steps)), Some(Ok(graphs))) = (numbers.next(), numbers.next()) else {
        let _ = writeln!(std::io::stderr(), "usage: bench_makespan STEPS GRAPHS");
        return ExitCode::from(2);
    };
    let mut out = std::io::stdout().lock();
    let mut worst = 0.0_f64;
    for seed in 1..=graphs {
        let (drawn, even) = (ratio(seed, steps, false), ratio(seed, steps, true));
        worst = worst.max(drawn).max(even);
        let _ = writeln!(out, "seed {seed}: {drawn:.4} drawn, {even:.4} even");
    }
    let _ = writeln!(out, "worst: {worst:.4}");
    if worst <= 1.05 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Length of the schedule, divided by the lower bound.
fn ratio(seed: u64, steps: u64, even: bool) -> f64 {
    let mut random = Random(seed);
    let mut work = Work::default();
    let mut lanes = Vec::new();
    let mut seconds = Vec::new();
    let mut edges = Vec::new();
    for step in 0..steps {
        let drawn = (random.below(DISKS), random.below(DEVICES));
        // 1 to 100 seconds, small ones more often
        let length = 100.0_f64.powf(random.share());
        let (disk, device) = if even { work.least() } else { drawn };
        work.add((disk, device), length);
        lanes.push([index(disk), index(DISKS + device)]);
        seconds.push(length);
        if step > 0 && random.below(10) == 0 {
            edges.push(Link {
                from: index(random.below(step)),
                to: index(step),
                kind: EdgeKind::Success,
            });
        }
    }
    let outline = Outline {
        lanes: vec![
            LaneShape {
                depth: 1,
                bracket: false,
            };
            LANES
        ],
        steps: lanes
            .iter()
            .zip(&seconds)
            .map(|(lanes, seconds)| StepShape {
                seconds: Some(*seconds),
                lanes,
                role: Role::Plain,
            })
            .collect(),
        edges,
    };
    play(&outline, 0.0).makespan / makespan::bounds(&outline, 0.0).least()
}

/// What disks and devices have to do so far.
struct Work {
    disks: Vec<f64>,
    devices: Vec<f64>,
}

impl Default for Work {
    fn default() -> Self {
        let none = |count: u64| (0..count).map(|_| 0.0).collect();
        Self {
            disks: none(DISKS),
            devices: none(DEVICES),
        }
    }
}

impl Work {
    /// The disk and the device that have least to do.
    fn least(&self) -> (u64, u64) {
        let of = |work: &[f64]| {
            let mut least = (0..).zip(work).collect::<Vec<(u64, &f64)>>();
            least.sort_by(|a, b| a.1.total_cmp(b.1));
            least.first().map_or(0, |(number, _)| *number)
        };
        (of(&self.disks), of(&self.devices))
    }

    fn add(&mut self, (disk, device): (u64, u64), seconds: f64) {
        let work = [(&mut self.disks, disk), (&mut self.devices, device)];
        for (work, number) in work {
            if let Some(work) = work.get_mut(index(number) as usize) {
                *work += seconds;
            }
        }
    }
}

fn index(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn share(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / f64::from(u32::MAX)
    }
}
