//! Owns the orders that wait for one device: how many there are, and what becomes of them when the
//! device falls behind. Must not write anything itself.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::slot::Slot;
use crate::media::DeviceError;

/// What a lane is told, in order.
#[derive(Clone)]
pub(super) enum Order {
    /// Append a stored frame: the first bytes of the slot.
    Frame(Arc<Slot>, usize),
    /// Append other bytes.
    Bytes(Arc<[u8]>),
    /// Publish the pack under its name.
    Publish(Arc<str>),
}

/// What the thread of a lane does next.
pub(super) enum Next {
    /// This.
    Do(Order),
    /// Forget the pack that is open.
    Abandon,
    /// Nothing more comes.
    End,
}

/// Beats whenever some lane has moved, so that one thread can wait for all of them.
#[derive(Default)]
pub(super) struct Pulse {
    beats: Mutex<u64>,
    beat: Condvar,
}

impl Pulse {
    /// How often it has beaten.
    pub(super) fn count(&self) -> u64 {
        *lock(&self.beats)
    }

    fn tell(&self) {
        *lock(&self.beats) += 1;
        self.beat.notify_all();
    }

    /// Waits for a beat after the one seen; false when none came in this time.
    pub(super) fn wait(&self, seen: u64, time: Duration) -> bool {
        let beats = lock(&self.beats);
        let same = |beats: &mut u64| *beats == seen;
        let waited = self.beat.wait_timeout_while(beats, time, same);
        let (beats, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *beats != seen
    }
}

/// The orders of one lane.
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    pulse: Arc<Pulse>,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    // frames among the orders: they hold memory
    frames: usize,
    begun: bool,
    // since when it works at something, and whether that is a whole object
    busy: Option<(Instant, bool)>,
    abandon: bool,
    closed: bool,
    ended: Option<Result<(), DeviceError>>,
}

impl Queue {
    pub(super) fn new(pulse: Arc<Pulse>) -> Self {
        let state = State {
            busy: Some((Instant::now(), false)),
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            pulse,
        }
    }

    /// Adds an order; one that ended needs none.
    pub(super) fn push(&self, order: Order) {
        let mut state = lock(&self.state);
        if state.ended.is_some() {
            return;
        }
        state.frames += usize::from(matches!(order, Order::Frame(..)));
        state.orders.push_back(order);
        self.filled.notify_one();
    }

    /// Frames that wait.
    pub(super) fn frames(&self) -> usize {
        lock(&self.state).frames
    }

    /// Takes all orders back, and the pack that is open with them; their memory is free at once.
    pub(super) fn abandon(&self) {
        let mut state = lock(&self.state);
        state.clear();
        state.abandon = true;
        self.filled.notify_one();
    }

    /// No order follows.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.filled.notify_one();
    }

    /// The device took its first bytes or has nothing to do: it can begin a pack now.
    pub(super) fn is_idle(&self) -> bool {
        let state = lock(&self.state);
        let waits = state.orders.is_empty() && !state.abandon;
        state.begun && waits && state.busy.is_none() && state.ended.is_none()
    }

    /// How long it has worked at one order, when that is longer than such an order may take: the
    /// limits are those of a write and of a whole object.
    pub(super) fn hangs(&self, (write, object): (Duration, Duration)) -> Option<Duration> {
        let state = lock(&self.state);
        let (since, whole) = state.busy.filter(|_| state.ended.is_none())?;
        let worked = since.elapsed();
        (worked > if whole { object } else { write }).then_some(worked)
    }

    /// Whether the device can be written.
    pub(super) fn has_begun(&self) -> bool {
        lock(&self.state).begun
    }

    /// None while it works; then how it ended.
    pub(super) fn has_failed(&self) -> Option<bool> {
        let state = lock(&self.state);
        state.ended.as_ref().map(Result::is_err)
    }

    /// How it ended; the answer is given once.
    pub(super) fn take_end(&self) -> Option<Result<(), DeviceError>> {
        lock(&self.state).ended.take()
    }

    /// The thread can write the device.
    pub(super) fn begin(&self) {
        lock(&self.state).begun = true;
        self.pulse.tell();
    }

    /// What the thread does next; what it did before is done.
    pub(super) fn next(&self) -> Next {
        let mut state = lock(&self.state);
        state.busy = None;
        self.pulse.tell();
        loop {
            if std::mem::take(&mut state.abandon) {
                return Next::Abandon;
            }
            if let Some(order) = state.orders.pop_front() {
                state.frames -= usize::from(matches!(order, Order::Frame(..)));
                state.busy = Some((Instant::now(), matches!(order, Order::Publish(_))));
                return Next::Do(order);
            }
            if state.closed {
                return Next::End;
            }
            let waited = self.filled.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The thread ends.
    pub(super) fn end(&self, result: Result<(), DeviceError>) {
        let mut state = lock(&self.state);
        state.clear();
        state.busy = None;
        state.ended.get_or_insert(result);
        drop(state);
        self.pulse.tell();
    }
}

impl State {
    fn clear(&mut self) {
        self.orders.clear();
        self.frames = 0;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
