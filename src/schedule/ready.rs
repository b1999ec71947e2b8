//! Owns the steps that wait for nothing but lanes, and says which of them goes next.
//! Must not know edges or outcomes.
//!
//! Steps with the same set of lanes share a heap. A set that finds a lane full is parked at that
//! lane; when a unit of the lane comes free, the best set parked there is looked at again. So
//! neither taking nor giving back looks at all waiting steps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Best first: the smallest rank goes first.
type Queue = BinaryHeap<Reverse<(u32, u32)>>;

/// Where a set of lanes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It may be possible to run its best step.
    Open,
    /// This lane was full.
    Parked(u32),
}

/// Steps that claim the same lanes.
#[derive(Debug)]
struct Group {
    lanes: Box<[u32]>,
    ranks: BinaryHeap<Reverse<u32>>,
    place: Place,
    /// The lane at which it was parked before: the next set there must be looked at as well.
    came_from: Option<u32>,
}

impl Group {
    fn best(&self) -> Option<u32> {
        self.ranks.peek().map(|Reverse(rank)| *rank)
    }
}

/// The waiting steps, by rank: 0 is the most urgent.
#[derive(Debug)]
pub(super) struct Ready {
    depth: Vec<u32>,
    free: Vec<u32>,
    groups: Vec<Group>,
    group_of: Vec<u32>,
    rank_of: Vec<u32>,
    by_rank: Vec<u32>,
    open: Queue,
    parked: Vec<Queue>,
    waiting: usize,
}

impl Ready {
    /// `depth` by lane, `claims` by step, `by_rank` the steps in order of urgency.
    pub(super) fn new<'a>(
        depth: Vec<u32>,
        claims: impl Iterator<Item = &'a [u32]>,
        by_rank: Vec<u32>,
    ) -> Self {
        let mut known: BTreeMap<&[u32], u32> = BTreeMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let group_of = claims
            .map(|lanes| {
                *known.entry(lanes).or_insert_with(|| {
                    groups.push(Group::of(lanes, depth.len()));
                    index32(groups.len() - 1)
                })
            })
            .collect();
        let mut rank_of = vec![0; by_rank.len()];
        for (rank, step) in (0u32..).zip(&by_rank) {
            rank_of[*step as usize] = rank;
        }
        let parked = depth.iter().map(|_| Queue::new()).collect();
        Self {
            free: depth.clone(),
            depth,
            groups,
            group_of,
            rank_of,
            by_rank,
            open: Queue::new(),
            parked,
            waiting: 0,
        }
    }

    /// How many steps wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Adds a step that waits for nothing but lanes.
    pub(super) fn push(&mut self, step: usize) {
        let (rank, id) = (self.rank_of[step], self.group_of[step]);
        self.waiting += 1;
        let group = &mut self.groups[id as usize];
        group.ranks.push(Reverse(rank));
        if group.best() != Some(rank) {
            return; // a better step of the same set stands in the queue already
        }
        match group.place {
            Place::Open => self.open.push(Reverse((rank, id))),
            Place::Parked(lane) => self.parked[lane as usize].push(Reverse((rank, id))),
        }
    }

    /// Takes the most urgent step whose lanes are all free, and claims them.
    pub(super) fn take(&mut self) -> Option<usize> {
        while let Some(Reverse((rank, id))) = self.open.pop() {
            let group = &mut self.groups[id as usize];
            if group.place != Place::Open || group.best() != Some(rank) {
                continue; // an older entry of the same set
            }
            let came_from = group.came_from.take();
            let full = group.lanes.iter().find(|l| self.free[**l as usize] == 0);
            let taken = if let Some(lane) = full.copied() {
                group.place = Place::Parked(lane);
                self.parked[lane as usize].push(Reverse((rank, id)));
                None
            } else {
                Some(self.claim(rank, id))
            };
            if let Some(lane) = came_from {
                self.look_again(lane);
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    fn claim(&mut self, rank: u32, id: u32) -> usize {
        let group = &mut self.groups[id as usize];
        group.ranks.pop();
        for lane in &group.lanes {
            self.free[*lane as usize] -= 1;
        }
        if let Some(next) = group.best() {
            self.open.push(Reverse((next, id)));
        }
        self.waiting -= 1;
        self.by_rank[rank as usize] as usize
    }

    /// Gives one unit of a lane back.
    pub(super) fn give_back(&mut self, lane: u32) {
        let Some(free) = self.free.get_mut(lane as usize) else {
            return;
        };
        *free = (*free + 1).min(self.depth[lane as usize]);
        self.look_again(lane);
    }

    /// Gives back every unit of every lane; for the case that nothing runs and nothing could.
    pub(super) fn give_back_all(&mut self) {
        self.free.clone_from(&self.depth);
        for lane in 0..index32(self.depth.len()) {
            self.look_again(lane);
        }
    }

    /// Claims one unit of a lane without a step.
    pub(super) fn hold(&mut self, lane: u32) {
        if let Some(free) = self.free.get_mut(lane as usize) {
            *free = free.saturating_sub(1);
        }
    }

    /// Forgets all waiting steps; claims stay.
    pub(super) fn clear(&mut self) {
        for group in &mut self.groups {
            group.ranks.clear();
            group.place = Place::Open;
            group.came_from = None;
        }
        self.open.clear();
        self.parked.iter_mut().for_each(BinaryHeap::clear);
        self.waiting = 0;
    }

    fn look_again(&mut self, lane: u32) {
        if self.free[lane as usize] == 0 {
            return;
        }
        while let Some(Reverse((rank, id))) = self.parked[lane as usize].pop() {
            let group = &mut self.groups[id as usize];
            if group.place == Place::Parked(lane) && group.best() == Some(rank) {
                group.place = Place::Open;
                group.came_from = Some(lane);
                self.open.push(Reverse((rank, id)));
                return;
            }
        }
    }
}

impl Group {
    /// Lanes that do not exist are left out: `graph::order::check` refuses them, and a schedule
    /// must not panic.
    fn of(lanes: &[u32], known: usize) -> Self {
        let mut lanes: Vec<u32> = lanes.to_vec();
        lanes.retain(|lane| (*lane as usize) < known);
        lanes.sort_unstable();
        lanes.dedup();
        Self {
            lanes: lanes.into_boxed_slice(),
            ranks: BinaryHeap::new(),
            place: Place::Open,
            came_from: None,
        }
    }
}

/// Steps and lanes are counted in 32 bits throughout a graph.
pub(super) fn index32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
