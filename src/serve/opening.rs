//! Which version of HTTP does a connection speak? One that begins with HTTP/2's preface speaks HTTP/2 (RFC 9113 §3.4), every
//! other one HTTP/1.1.
//!
//! Invariant: whoever serves the connection reads every byte of it. What was read here is read again in one piece with what
//! came after it, so that no buffer grows for having begun with a few bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.1 and older, or what is no HTTP.
    Http1,
    /// HTTP/2, without having asked.
    Http2,
}

/// A stream of which the beginning has been read, and is read again.
#[derive(Debug)]
pub(super) struct Opened<S> {
    stream: S,
    beginning: [u8; PREFACE.len()],
    /// How much of `beginning` was read from the stream.
    heard: usize,
    /// How much of that was read again.
    told: usize,
}

/// Reads as much of `stream` as tells. Waits for as long as the other side does: whoever calls sets a limit.
pub(super) async fn recognise<S: AsyncRead + Unpin>(stream: S) -> io::Result<(Spoken, Opened<S>)> {
    let mut opened = Opened { stream, beginning: [0; PREFACE.len()], heard: 0, told: 0 };
    loop {
        let read = opened.stream.read(&mut opened.beginning[opened.heard..]).await?;
        opened.heard += read;
        if read == 0 || !PREFACE.starts_with(&opened.beginning[..opened.heard]) {
            return Ok((Spoken::Http1, opened));
        }
        if opened.heard == PREFACE.len() {
            return Ok((Spoken::Http2, opened));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.told == self.heard {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let again = (self.heard - self.told).min(buffer.remaining());
        buffer.put_slice(&self.beginning[self.told..self.told + again]);
        self.told += again;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt as _, duplex};

    /// What is recognised when `parts` come one after the other, and what is then read.
    async fn opened(parts: &[&[u8]], at_once: usize) -> (Spoken, Vec<u8>) {
        let (mut client, server) = duplex(1024);
        let sent: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let sending = tokio::spawn(async move {
            for part in sent {
                client.write_all(&part).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (spoken, mut opened) = recognise(server).await.unwrap();
        let (mut read, mut buffer) = (Vec::new(), vec![0; at_once]);
        loop {
            match opened.read(&mut buffer).await.unwrap() {
                0 => break,
                count => read.extend_from_slice(&buffer[..count]),
            }
        }
        sending.await.unwrap();
        (spoken, read)
    }

    #[tokio::test]
    async fn a_version_is_told_by_its_beginning_and_every_byte_is_read() {
        let http2 = [&PREFACE[..], b"\0\0\0\x04\0\0\0\0\0"].concat();
        for (sent, spoken) in [
            (&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], Spoken::Http1),
            (b"POST /a HTTP/1.1\r\n\r\n", Spoken::Http1),
            (b"PRI * HTTP/1.1\r\nhost: localhost\r\n\r\n", Spoken::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\t", Spoken::Http1),
            (b"PRI * HT", Spoken::Http1),
            (b"G", Spoken::Http1),
            (b"", Spoken::Http1),
            (&http2, Spoken::Http2),
            (PREFACE, Spoken::Http2),
        ] {
            for at_once in [1, 7, 24, 512] {
                for cut in 0..=sent.len() {
                    let (one, two) = sent.split_at(cut);
                    assert_eq!(opened(&[one, two], at_once).await, (spoken, sent.to_vec()), "{cut} {at_once}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_was_read_comes_in_one_piece_with_what_followed() {
        let (mut client, server) = duplex(1024);
        client.write_all(&[b'x'; 600]).await.unwrap();
        let (_, mut opened) = recognise(server).await.unwrap();
        assert_eq!(opened.read(&mut [0; 1024]).await.unwrap(), 600);
    }
}
