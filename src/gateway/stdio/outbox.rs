//! How do messages get into a child's standard input without anybody waiting for whoever else speaks to it?
//!
//! A queue of bounded size before one task that writes. Invariants: what waits has a bound in bytes; whoever finds no
//! room waits for a bounded time, and only its own caller waits; messages arrive in the order in which they found room.

use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// What a message takes of the room at least, in bytes, so that there are not too many small ones.
const LEAST: u32 = 1024;
/// Most messages that are written at once.
const TOGETHER: usize = 64;

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotSent {
    /// The child does not read.
    Stuck,
    /// It is gone, or its input was closed.
    Closed,
}

/// Where messages to a child are put.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: mpsc::UnboundedSender<Item>,
    room: Arc<Semaphore>,
    most: u32,
    patience: Duration,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>, #[expect(dead_code, reason = "given back when the line is written")] OwnedSemaphorePermit),
    End,
}

/// The other end.
#[derive(Debug)]
pub(super) struct Pending(mpsc::UnboundedReceiver<Item>);

impl Outbox {
    /// An outbox with room for this many bytes, in which a message waits this long for it, and what is to be written. A
    /// message that is larger than all of it takes all of it.
    pub(super) fn new(room: usize, patience: Duration) -> (Self, Pending) {
        let (queue, pending) = mpsc::unbounded_channel();
        let most = u32::try_from(room).unwrap_or(u32::MAX).max(LEAST);
        (Self { queue, room: Arc::new(Semaphore::new(most as usize)), most, patience }, Pending(pending))
    }

    /// Sends a line, which has no end of its own yet.
    pub(super) async fn send(&self, line: Vec<u8>) -> Result<(), NotSent> {
        let waiting = Arc::clone(&self.room).acquire_many_owned(self.size(&line));
        match tokio::time::timeout(self.patience, waiting).await {
            Ok(Ok(permit)) => self.queue.send(Item::Line(line, permit)).map_err(|_| NotSent::Closed),
            Ok(Err(_)) => Err(NotSent::Closed),
            Err(_) => Err(NotSent::Stuck),
        }
    }

    /// Sends a line if there is room.
    pub(super) fn try_send(&self, line: Vec<u8>) -> Result<(), NotSent> {
        match Arc::clone(&self.room).try_acquire_many_owned(self.size(&line)) {
            Ok(permit) => self.queue.send(Item::Line(line, permit)).map_err(|_| NotSent::Closed),
            Err(_) => Err(NotSent::Stuck),
        }
    }

    fn size(&self, line: &[u8]) -> u32 {
        u32::try_from(line.len()).unwrap_or(u32::MAX).clamp(LEAST, self.most)
    }

    /// Closes the child's input after what was sent before.
    pub(super) fn end(&self) {
        let _ = self.queue.send(Item::End);
    }
}

impl Pending {
    /// Writes until there is an end, on either side.
    pub(super) async fn write(mut self, mut input: impl AsyncWrite + Unpin) {
        let mut items = Vec::with_capacity(TOGETHER);
        let mut bytes = Vec::new();
        while self.0.recv_many(&mut items, TOGETHER).await > 0 {
            let mut ends = false;
            for item in &items {
                match item {
                    Item::Line(line, _) => {
                        bytes.extend_from_slice(line);
                        bytes.push(b'\n');
                    }
                    Item::End => {
                        ends = true;
                        break;
                    }
                }
            }
            let written = input.write_all(&bytes).await.is_ok() && input.flush().await.is_ok();
            if !written || ends {
                return;
            }
            items.clear();
            bytes.clear();
            bytes.shrink_to(64 * 1024);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn lines_arrive_in_order_and_the_end_after_them() {
        let (outbox, pending) = Outbox::new(8 * 1024 * 1024, Duration::from_secs(5));
        let (input, mut child) = tokio::io::duplex(7);
        let writing = tokio::spawn(pending.write(input));
        for line in ["one", "two"] {
            outbox.send(line.into()).await.unwrap();
        }
        outbox.end();
        let mut read = String::new();
        child.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "one\ntwo\n");
        writing.await.unwrap();
        assert_eq!(outbox.send(b"late".to_vec()).await, Err(NotSent::Closed));
    }

    #[tokio::test]
    async fn a_child_that_does_not_read_costs_a_bounded_time_and_room() {
        let (outbox, pending) = Outbox::new(8 * 1024 * 1024, Duration::from_millis(20));
        let (input, child) = tokio::io::duplex(64);
        let writing = tokio::spawn(pending.write(input));
        let mut sent = 0;
        while outbox.try_send(vec![b'x'; 1024 * 1024]).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, 8);
        assert_eq!(outbox.send(vec![b'x'; 1024 * 1024]).await, Err(NotSent::Stuck));
        drop(child);
        writing.await.unwrap();
        assert_eq!(outbox.send(Vec::new()).await, Err(NotSent::Closed));
    }
}
