//! Where does a message of a child end? At the new line (MCP, stdio transport), within a bound.
//!
//! Invariants: a line of up to `max` bytes is handed over whole; of a longer one only the ends are kept, however long it
//! is; the buffer never holds more than `max` bytes and one read.

use bytes::{Buf, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of each end is kept of a line that is too long, in bytes.
const KEPT: usize = 256;
/// Least room for a read, in bytes: what a pipe holds.
const ROOM: usize = 64 * 1024;

/// A line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// All of it.
    Whole(Bytes),
    /// One that was longer than allowed.
    TooLong {
        /// How it begins.
        head: Vec<u8>,
        /// How it ends.
        tail: Vec<u8>,
    },
}

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    max: usize,
    buffer: BytesMut,
    /// How far the buffer has been searched for an end.
    searched: usize,
    /// How a line begins that is being skipped.
    skipped: Option<Vec<u8>>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads lines of up to `max` bytes from `input`.
    pub(super) fn new(input: R, max: usize) -> Self {
        Self { input, max: max.max(2 * KEPT), buffer: BytesMut::new(), searched: 0, skipped: None }
    }

    /// The next line; nothing at the end. What comes before the end counts as a line. Nothing is lost if this is
    /// abandoned.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(found) = end {
                let mut line = self.buffer.split_to(self.searched + found);
                self.buffer.advance(1);
                self.searched = 0;
                if line.last() == Some(&b'\r') {
                    line.truncate(line.len() - 1);
                }
                return Ok(Some(self.finish(line)));
            }
            if self.buffer.len() > self.max {
                self.skipped.get_or_insert_with(|| self.buffer[..KEPT].to_vec());
                self.buffer.advance(self.buffer.len() - KEPT);
            }
            self.searched = self.buffer.len();
            self.buffer.reserve(ROOM);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                let rest = std::mem::take(&mut self.buffer);
                self.searched = 0;
                return Ok(if rest.is_empty() && self.skipped.is_none() { None } else { Some(self.finish(rest)) });
            }
        }
    }

    fn finish(&mut self, line: BytesMut) -> Line {
        let tail = line.len().saturating_sub(KEPT);
        match self.skipped.take() {
            Some(head) => Line::TooLong { head, tail: line[tail..].to_vec() },
            None if line.len() > self.max => Line::TooLong { head: line[..KEPT].to_vec(), tail: line[tail..].to_vec() },
            None => Line::Whole(line.freeze()),
        }
    }
}

/// Text of a child for the log: one line, without control characters, of at most `max` bytes.
pub(in crate::gateway) fn printable(text: &[u8], max: usize) -> String {
    let shown = &text[..text.len().min(max)];
    let plain: String = String::from_utf8_lossy(shown).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut line = plain.trim().to_owned();
    if text.len() > max {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read(input: &[u8], max: usize, piece: usize) -> Vec<Line> {
        let (mut writer, reader) = tokio::io::duplex(piece);
        let input = input.to_vec();
        let writing = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            writer.write_all(&input).await.unwrap();
        });
        let mut lines = Lines::new(reader, max);
        let mut read = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            read.push(line);
        }
        writing.await.unwrap();
        read
    }

    fn whole(text: &str) -> Line {
        Line::Whole(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines_are_told_apart_however_they_arrive() {
        for piece in [1, 2, 3, 100] {
            let lines = read(b"{}\n\nab\r\ncd", 1024, piece).await;
            assert_eq!(lines, [whole("{}"), whole(""), whole("ab"), whole("cd")], "{piece}");
        }
        assert_eq!(read(b"", 1024, 1).await, []);
    }

    #[tokio::test]
    async fn of_a_long_line_only_its_ends_are_kept_and_the_next_is_whole() {
        let mut input = b"begin".to_vec();
        input.extend(std::iter::repeat_n(b'x', 1_000_000));
        input.extend_from_slice(b"end\nnext\n");
        for piece in [100, 700, 1 << 21] {
            let lines = read(&input, 1024, piece).await;
            let [Line::TooLong { head, tail }, next] = &lines[..] else { panic!("{} lines", lines.len()) };
            assert!(head.starts_with(b"begin") && tail.ends_with(b"end"));
            assert!(head.len() <= KEPT && tail.len() <= KEPT);
            assert_eq!(*next, whole("next"));
        }
    }

    #[test]
    fn the_log_gets_one_plain_line() {
        assert_eq!(printable(b"\x1b[31mred\nnext\xff \n", 100), "[31mred next\u{fffd}");
        assert_eq!(printable(b"abcdef", 3), "abc…");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_byte_is_lost(lines in proptest::collection::vec("[a-z]{0,600}", 0..20), piece in 1_usize..2_000) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut input = lines.join("\n");
            input.push('\n');
            let read = runtime.block_on(read(input.as_bytes(), 1_000, piece));
            let expected: Vec<_> = if lines.is_empty() { vec![whole("")] } else { lines.iter().map(|l| whole(l)).collect() };
            prop_assert_eq!(read, expected);
        }
    }
}
