//! How workers reach the coordinator. Must not look into the messages.
//!
//! A sleeping coordinator is woken through a pipe: Linux takes the writer of a pipe for one that is
//! about to wait, and lets the reader go on at once on the writer's processor. Woken through a lock
//! it is often queued behind a program that another lane has just started.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::message::Message;

/// The workers' end.
#[derive(Clone)]
pub(super) struct Outbox {
    sender: Sender<Message>,
    bell: Arc<Bell>,
}

/// The coordinator's end.
pub(super) struct Inbox {
    messages: Receiver<Message>,
    bell: Arc<Bell>,
    ear: PipeReader,
}

struct Bell {
    pull: PipeWriter,
    asleep: AtomicBool,
}

/// What waiting for a message came to.
pub(super) enum Heard {
    /// A message.
    Message(Message),
    /// None in time.
    Nothing,
    /// Every worker is gone and has nothing left to say.
    Gone,
}

/// Two ends.
///
/// # Errors
/// When the system gives no pipe.
pub(super) fn mailbox() -> io::Result<(Outbox, Inbox)> {
    let (sender, messages) = unbounded();
    let (ear, pull) = io::pipe()?;
    let asleep = AtomicBool::new(false);
    let bell = Arc::new(Bell { pull, asleep });
    let outbox = Outbox {
        sender,
        bell: bell.clone(),
    };
    let inbox = Inbox {
        messages,
        bell,
        ear,
    };
    Ok((outbox, inbox))
}

impl Outbox {
    /// Hands over a message; false when the coordinator is gone.
    pub(super) fn send(&self, message: Message) -> bool {
        let sent = self.sender.send(message).is_ok();
        if self.bell.asleep.swap(false, Ordering::SeqCst) {
            // a pipe that cannot be written to leaves the coordinator asleep for a tick
            let _ = (&self.bell.pull).write(&[0]);
        }
        sent
    }
}

impl Inbox {
    /// The next message, if there is one.
    pub(super) fn next(&self) -> Heard {
        match self.messages.try_recv() {
            Ok(message) => Heard::Message(message),
            Err(TryRecvError::Empty) => Heard::Nothing,
            Err(TryRecvError::Disconnected) => Heard::Gone,
        }
    }

    /// The next message; sleeps for it so long at most, or less.
    pub(super) fn wait(&mut self, most: Duration) -> Heard {
        // who sends after this sees that the bell is wanted; who sent before is heard here
        self.bell.asleep.store(true, Ordering::SeqCst);
        let early = self.next();
        if matches!(early, Heard::Nothing) {
            self.sleep(most);
        }
        self.bell.asleep.store(false, Ordering::SeqCst);
        match early {
            Heard::Nothing => self.next(),
            early => early,
        }
    }

    fn sleep(&mut self, most: Duration) {
        let most = Timespec::try_from(most).ok();
        let rung = poll(&mut [PollFd::new(&self.ear, PollFlags::IN)], most.as_ref());
        if matches!(rung, Ok(1..)) {
            // more than one pull may have come in; reading less only wakes once more
            let _ = self.ear.read(&mut [0; 64]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::EventKind;

    fn fact(by: &str) -> Message {
        Message::Fact(EventKind::Cancelled { by: by.to_owned() })
    }

    fn said(heard: &Heard) -> Option<&str> {
        match heard {
            Heard::Message(Message::Fact(EventKind::Cancelled { by })) => Some(by),
            _ => None,
        }
    }

    #[test]
    fn messages_come_in_order_to_one_who_sleeps_and_to_one_who_does_not() {
        let (outbox, mut inbox) = mailbox().expect("a pipe");
        let names: Vec<String> = (0..1000).map(|number: u32| number.to_string()).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for name in &names {
                    assert!(outbox.send(fact(name)));
                }
            });
            let mut heard = 0;
            while heard < names.len() {
                let message = inbox.wait(Duration::from_mins(5));
                if let Some(name) = said(&message) {
                    assert_eq!(name, names[heard]);
                    heard += 1;
                }
            }
        });
    }

    #[test]
    fn one_who_sleeps_is_woken_by_a_message_and_not_only_by_time() {
        let (outbox, mut inbox) = mailbox().expect("a pipe");
        let bell = inbox.bell.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while !bell.asleep.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                outbox.send(fact("late"));
            });
            // without a bell this would last as long as the longest timer
            let message = inbox.wait(Duration::from_hours(24));
            assert_eq!(said(&message), Some("late"));
        });
    }

    #[test]
    fn the_last_words_of_those_who_are_gone_are_heard() {
        let (outbox, mut inbox) = mailbox().expect("a pipe");
        outbox.send(fact("last"));
        drop(outbox);
        assert_eq!(said(&inbox.wait(Duration::ZERO)), Some("last"));
        assert!(matches!(inbox.next(), Heard::Gone));
        assert!(matches!(inbox.wait(Duration::ZERO), Heard::Gone));
    }
}
