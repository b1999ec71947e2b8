//! Plays random graphs with the executor's own schedule and compares their length with the lower
//! bound that no order can beat: steps that read one of 50 disks and write one of 20 devices,
//! with sizes that spread over two orders of magnitude and some steps that wait for others.
//! Each graph is played in four ways: `drawn`, with devices by chance, so that one of them has most
//! to do and gives the bound; `even`, with devices that have equally much to do, so that every gap
//! counts; `twin`, even and with two devices at once for every step; `deep`, even and with most
//! steps waiting for others.
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
    let mut worst = [0.0_f64; 4];
    for seed in 1..=graphs {
        let ratios = MODES.map(|mode| ratio(seed, steps, mode));
        for (worst, ratio) in worst.iter_mut().zip(ratios) {
            *worst = worst.max(ratio);
        }
        let _ = writeln!(out, "seed {seed}: {}", line(ratios));
    }
    let _ = writeln!(out, "worst: {}", line(worst));
    if worst.iter().all(|worst| *worst <= 1.05) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn line(ratios: [f64; 4]) -> String {
    let named = ratios.iter().zip(MODES);
    let named = named.map(|(ratio, mode)| format!("{ratio:.4} {}", mode.name));
    named.collect::<Vec<_>>().join(", ")
}

/// How a graph is drawn.
#[derive(Clone, Copy)]
struct Mode {
    name: &'static str,
    /// Whether disks and devices get equally much to do.
    even: bool,
    /// How many devices a step writes at once.
    copies: usize,
    /// Of ten steps so many wait for an earlier one.
    waiting: u64,
}

const MODES: [Mode; 4] = [
    mode("drawn", false, 1, 1),
    mode("even", true, 1, 1),
    mode("twin", true, 2, 1),
    mode("deep", true, 1, 7),
];

const fn mode(name: &'static str, even: bool, copies: usize, waiting: u64) -> Mode {
    Mode {
        name,
        even,
        copies,
        waiting,
    }
}

/// Length of the schedule, divided by the lower bound.
fn ratio(seed: u64, steps: u64, mode: Mode) -> f64 {
    let mut random = Random(seed);
    let mut work = Work::default();
    let (mut lanes, mut seconds, mut edges) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..steps {
        // 1 to 100 seconds, small ones more often
        let length = 100.0_f64.powf(random.share());
        let drawn = (random.below(DISKS), random.below(DEVICES));
        let mut own = if mode.even {
            work.least(mode.copies)
        } else {
            vec![index(drawn.0), index(DISKS + drawn.1)]
        };
        own.sort_unstable();
        work.add(&own, length);
        lanes.push(own);
        seconds.push(length);
        if step > 0 && random.below(10) < mode.waiting {
            edges.push(Link {
                from: index(random.below(step)),
                to: index(step),
                kind: EdgeKind::Success,
            });
        }
    }
    let lane = LaneShape {
        depth: 1,
        bracket: false,
    };
    let shapes = lanes
        .iter()
        .zip(&seconds)
        .map(|(lanes, seconds)| StepShape {
            seconds: Some(*seconds),
            lanes,
            role: Role::Plain,
        });
    let outline = Outline {
        lanes: vec![lane; LANES],
        steps: shapes.collect(),
        edges,
    };
    play(&outline, 0.0).makespan / makespan::bounds(&outline, 0.0).least()
}

/// What each lane has to do so far: disks, then devices.
struct Work([f64; LANES]);

impl Default for Work {
    fn default() -> Self {
        Self([0.0; LANES])
    }
}

impl Work {
    /// The disk and the devices that have least to do.
    fn least(&self, devices: usize) -> Vec<u32> {
        let mut all = self.of(0..DISKS);
        all.truncate(1);
        all.extend(self.of(DISKS..DISKS + DEVICES).into_iter().take(devices));
        all
    }

    /// Lanes by what they have to do, the least first.
    fn of(&self, lanes: std::ops::Range<u64>) -> Vec<u32> {
        let mut lanes: Vec<u32> = lanes.map(index).collect();
        lanes.sort_by(|a, b| self.0[*a as usize].total_cmp(&self.0[*b as usize]));
        lanes
    }

    fn add(&mut self, lanes: &[u32], seconds: f64) {
        for lane in lanes {
            self.0[*lane as usize] += seconds;
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
