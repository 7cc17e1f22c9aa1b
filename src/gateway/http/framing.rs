//! Where does an upstream's answer begin, and where does it end? Its head and its framing (RFC 9112 §4 to §7), read in
//! whatever parts they come.
//!
//! Invariants: what can be read in two ways is refused and not guessed at; nothing is kept of an answer but where in it the
//! reader stands; what comes between the pieces of its content is bounded.

use axum::body::Bytes;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use httparse::Status;

/// Largest head of an answer with the interim ones before it, in bytes.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// Most headers of an answer.
const MAX_HEADERS: usize = 100;
/// Most bytes of an answer's extensions of chunks, and of its trailers, together.
const MAX_EXTRAS: usize = 16 * 1024;
/// Most digits of a chunk's size.
const MAX_DIGITS: u8 = 15;

/// What comes is no answer (RFC 9112 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// The head.
    #[error("the answer is no HTTP/1.1")]
    Head,
    /// It is longer than [`MAX_HEAD`].
    #[error("the head of the answer is too long")]
    HeadTooLong,
    /// Its length is told in two ways, or in none that is understood.
    #[error("the answer does not say how long it is")]
    Length,
    /// Its transfer coding is not the one that everybody knows.
    #[error("the answer has a transfer coding that nobody asked for")]
    Coding,
    /// A chunk.
    #[error("a part of the answer does not say how long it is")]
    Chunk,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    /// Status and headers.
    pub(super) response: Response<()>,
    /// Where the content ends.
    pub(super) framing: Framing,
    /// Whether the connection may serve another request afterwards (RFC 9112 §9.3).
    pub(super) stays_open: bool,
}

/// How much of an answer's content is still to come (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// What the chunks say.
    Chunked(Chunks),
    /// All until the upstream closes the connection.
    UntilClosed,
}

/// Where a reader stands in chunks (RFC 9112 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of extensions and trailers that came.
    extras: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the digits of a size.
    Size { size: u64, digits: u8 },
    /// Behind them.
    Extension { size: u64 },
    /// Before the line feed that ends the line.
    SizeEnd { size: u64 },
    /// In the content, of which so much is to come.
    Data(u64),
    /// Before the end of the line behind it.
    DataEnd,
    /// Before the line feed of that.
    DataLineFeed,
    /// At the beginning of a trailer or of the line that ends all.
    Trailers,
    /// In a trailer.
    Trailer,
    /// Before the line feed that ends it.
    TrailerEnd,
    /// Before the last line feed.
    LastLineFeed,
    /// Behind it.
    Over,
}

/// Reads the head at the beginning of `input`, if it is whole; with it, how long it is. Interim answers before it are passed
/// over (RFC 9110 §15.2).
pub(super) fn read_head(input: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
    let mut length = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        match parsed.parse(&input[length..]).map_err(|_| Malformed::Head)? {
            Status::Partial if input.len() >= MAX_HEAD => return Err(Malformed::HeadTooLong),
            Status::Partial => return Ok(None),
            Status::Complete(read) => length += read,
        }
        let head = Head::of(&parsed)?;
        if !head.response.status().is_informational() || head.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some((head, length)));
        }
    }
}

impl Head {
    fn of(parsed: &httparse::Response<'_, '_>) -> Result<Self, Malformed> {
        let mut response = Response::new(());
        *response.status_mut() = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed::Head)?;
        let headers = response.headers_mut();
        headers.reserve(parsed.headers.len());
        for header in &*parsed.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Malformed::Head)?;
            headers.append(name, HeaderValue::from_bytes(header.value).map_err(|_| Malformed::Head)?);
        }
        let is_current = parsed.version == Some(1);
        let framing = Framing::of(response.status(), response.headers(), is_current)?;
        let stays_open = is_current
            && framing != Framing::UntilClosed
            && response.status() != StatusCode::SWITCHING_PROTOCOLS
            && !names(response.headers(), &CONNECTION).any(|option| option.eq_ignore_ascii_case("close"));
        Ok(Self { response, framing, stays_open })
    }
}

impl Framing {
    fn of(status: StatusCode, headers: &HeaderMap, is_current: bool) -> Result<Self, Malformed> {
        if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Self::Length(0));
        }
        let length = length(headers)?;
        if headers.contains_key(TRANSFER_ENCODING) {
            let mut codings = names(headers, &TRANSFER_ENCODING);
            let is_chunked = codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
            if !is_chunked || codings.next().is_some() {
                return Err(Malformed::Coding);
            }
            // Somebody between might take the one for true or the other (RFC 9112 §6.1).
            if length.is_some() || !is_current {
                return Err(Malformed::Length);
            }
            return Ok(Self::Chunked(Chunks { place: Place::FIRST, extras: 0 }));
        }
        Ok(length.map_or(Self::UntilClosed, Self::Length))
    }

    /// Whether all has come.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks { place: Place::Over, .. }))
    }

    /// How many bytes are to come, where that is known.
    pub(super) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClosed => None,
        }
    }

    /// Takes the next piece of content from the beginning of `input`. Without one, all of `input` was read, or the answer
    /// is over and what is left belongs to no answer.
    pub(super) fn take(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Malformed> {
        if input.is_empty() || self.is_over() {
            return Ok(None);
        }
        match self {
            Self::Length(left) => Ok(Some(take_of(left, input))),
            Self::Chunked(chunks) => chunks.take(input),
            Self::UntilClosed => Ok(Some(std::mem::take(input))),
        }
    }
}

impl Chunks {
    fn take(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Malformed> {
        let mut read = 0;
        for byte in input.iter() {
            if matches!(self.place, Place::Data(_) | Place::Over) {
                break;
            }
            self.place = self.place.after(*byte).ok_or(Malformed::Chunk)?;
            self.extras += usize::from(matches!(self.place, Place::Extension { .. } | Place::Trailer));
            if self.extras > MAX_EXTRAS {
                return Err(Malformed::Chunk);
            }
            read += 1;
        }
        drop(input.split_to(read));
        let Place::Data(left) = &mut self.place else { return Ok(None) };
        if input.is_empty() {
            return Ok(None);
        }
        let piece = take_of(left, input);
        if *left == 0 {
            self.place = Place::DataEnd;
        }
        Ok(Some(piece))
    }
}

impl Place {
    const FIRST: Self = Self::Size { size: 0, digits: 0 };

    /// Where `byte` leads.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size { size, digits: 1.. } | Self::Extension { size }, b'\r') => Self::SizeEnd { size },
            (Self::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => Self::Extension { size },
            (Self::Size { size, digits }, _) if digits < MAX_DIGITS => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Self::SizeEnd { size: 0 } | Self::TrailerEnd, b'\n') => Self::Trailers,
            (Self::SizeEnd { size }, b'\n') => Self::Data(size),
            (Self::DataEnd, b'\r') => Self::DataLineFeed,
            (Self::DataLineFeed, b'\n') => Self::FIRST,
            (Self::Trailers, b'\r') => Self::LastLineFeed,
            (Self::Trailer, b'\r') => Self::TrailerEnd,
            (Self::LastLineFeed, b'\n') => Self::Over,
            (Self::Extension { .. } | Self::Trailers | Self::Trailer, b'\n') => return None,
            (Self::Extension { size }, _) => Self::Extension { size },
            (Self::Trailers | Self::Trailer, _) => Self::Trailer,
            _ => return None,
        })
    }
}

/// Takes as much of `input` as is `left`.
fn take_of(left: &mut u64, input: &mut Bytes) -> Bytes {
    let piece = input.split_to(usize::try_from(*left).map_or(input.len(), |left| left.min(input.len())));
    *left -= piece.len() as u64;
    piece
}

/// `Content-Length`; several that agree count as one (RFC 9112 §6.3).
fn length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut lengths = names(headers, &CONTENT_LENGTH).map(|length| {
        let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        length.parse().ok().filter(|_| is_number).ok_or(Malformed::Length)
    });
    let Some(first) = lengths.next().transpose()? else {
        return if headers.contains_key(CONTENT_LENGTH) { Err(Malformed::Length) } else { Ok(None) };
    };
    for other in lengths {
        if other? != first {
            return Err(Malformed::Length);
        }
    }
    Ok(Some(first))
}

/// What a list says, in all headers of that name; what is no text is an element like none.
fn names<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().flat_map(|value| value.to_str().unwrap_or("?").split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(text: &str) -> Result<Option<(Head, usize)>, Malformed> {
        read_head(text.replace('\n', "\r\n").as_bytes())
    }

    fn framing(headers: &str) -> Result<Framing, Malformed> {
        head(&format!("HTTP/1.1 200 OK\n{headers}\n")).map(|head| head.unwrap().0.framing)
    }

    /// What is read of `input`, which comes in parts of `part` bytes, and whether all has come.
    fn content(mut framing: Framing, input: &[u8], part: usize) -> Result<(Vec<u8>, bool), Malformed> {
        let mut content = Vec::new();
        for part in input.chunks(part) {
            let mut part = Bytes::copy_from_slice(part);
            while let Some(piece) = framing.take(&mut part)? {
                assert!(!piece.is_empty());
                content.extend_from_slice(&piece);
            }
        }
        Ok((content, framing.is_over()))
    }

    fn chunked() -> Framing {
        framing("Transfer-Encoding: chunked\n").unwrap()
    }

    #[test]
    fn a_head_is_read_when_it_is_whole_and_interim_answers_are_passed_over() {
        let text = "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 201 Made\nA: 1\nA: 2\nContent-Length: 3\n\nabc";
        let (read, length) = head(text).unwrap().unwrap();
        assert_eq!(length, text.replace('\n', "\r\n").len() - 3);
        assert_eq!(
            (read.response.status(), read.framing, read.stays_open),
            (StatusCode::CREATED, Framing::Length(3), true)
        );
        assert_eq!(read.response.headers().get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        let whole = text.replace('\n', "\r\n");
        for end in 0..length {
            assert!(read_head(&whole.as_bytes()[..end]).unwrap().is_none(), "{end}");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for text in [
            "SSH-2.0-x\n\n",
            "HTTP/2 200 OK\n\n",
            "HTTP/1.1 20 OK\n\n",
            "HTTP/1.1 200 OK\nA : 1\n\n",
            "HTTP/1.1 200 OK\nA: 1\n 2\n\n",
            "HTTP/1.1 099 No\n\n",
        ] {
            assert_eq!(head(text).unwrap_err(), Malformed::Head, "{text}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(MAX_HEAD));
        assert_eq!(read_head(endless.as_bytes()).unwrap_err(), Malformed::HeadTooLong);
        let many = format!("HTTP/1.1 200 OK\n{}\n", "A: 1\n".repeat(MAX_HEADERS + 1));
        assert_eq!(head(&many).unwrap_err(), Malformed::Head);
        let interim = "HTTP/1.1 100 Continue\n\n".repeat(MAX_HEAD / 20);
        assert_eq!(head(&interim).unwrap_err(), Malformed::HeadTooLong);
    }

    #[test]
    fn the_length_is_told_in_one_way() {
        assert_eq!(framing("").unwrap(), Framing::UntilClosed);
        for (headers, length) in
            [("Content-Length: 7\n", 7), ("Content-Length: 7, 7\nContent-Length: 7\n", 7), ("Content-Length: 0\n", 0)]
        {
            assert_eq!(framing(headers).unwrap(), Framing::Length(length), "{headers}");
        }
        for value in ["+7", "-1", "7 7", "7, 8", "7,", "", "0x7", "99999999999999999999", "7\nContent-Length: 8", "é"]
        {
            assert_eq!(framing(&format!("Content-Length: {value}\n")).unwrap_err(), Malformed::Length, "{value}");
        }
        for value in
            ["gzip", "gzip, chunked", "chunked, chunked", "chunked\nTransfer-Encoding: chunked", "", "chunked;q=1"]
        {
            assert_eq!(framing(&format!("Transfer-Encoding: {value}\n")).unwrap_err(), Malformed::Coding, "{value}");
        }
        assert_eq!(framing("Transfer-Encoding: Chunked\n").unwrap(), chunked());
        assert_eq!(framing("Transfer-Encoding: chunked\nContent-Length: 7\n").unwrap_err(), Malformed::Length);
        let of_old = head("HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n");
        assert_eq!(of_old.unwrap_err(), Malformed::Length);
        for status in ["204 No", "304 Not", "101 Switch"] {
            let (read, _) = head(&format!("HTTP/1.1 {status}\nTransfer-Encoding: chunked\n\n")).unwrap().unwrap();
            assert!(read.framing.is_over(), "{status}");
        }
    }

    #[test]
    fn a_connection_stays_open_only_if_nothing_speaks_against_it() {
        for (text, stays) in [
            ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", true),
            ("HTTP/1.1 200 OK\nContent-Length: 0\nConnection: x, Close\n\n", false),
            ("HTTP/1.1 200 OK\nContent-Length: 0\nConnection: keep-alive\n\n", true),
            ("HTTP/1.0 200 OK\nContent-Length: 0\nConnection: keep-alive\n\n", false),
            ("HTTP/1.1 200 OK\n\n", false),
            ("HTTP/1.1 101 Switch\n\n", false),
        ] {
            assert_eq!(head(text).unwrap().unwrap().0.stays_open, stays, "{text}");
        }
    }

    #[test]
    fn chunks_are_read_in_whatever_parts_they_come() {
        let text =
            b"4\r\nWiki\r\n5;a=\"b\"\r\npedia\r\n0E \r\n in\r\n\r\nchunks.\r\n000\r\nExpires: never\r\nX: y\r\n\r\n";
        for part in 1..=text.len() {
            assert_eq!(content(chunked(), text, part), Ok((b"Wikipedia in\r\n\r\nchunks.".to_vec(), true)), "{part}");
        }
        for end in 0..text.len() {
            assert!(!content(chunked(), &text[..end], 7).unwrap().1, "{end}");
        }
        let mut behind = Bytes::from_static(b"0\r\n\r\nHTTP/1.1");
        assert_eq!(chunked().take(&mut behind), Ok(None));
        assert_eq!(behind, "HTTP/1.1", "it belongs to no answer");
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for text in [
            "\r\n",
            "g\r\n",
            "+1\r\n",
            "-1\r\n",
            "0x1\r\n",
            " 1\r\n",
            ";\r\n",
            "1\n",
            "1\rx",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rx",
            "0;a\n",
            "0\r\nx\n",
            "0\r\n\rx",
            "1000000000000000\r\n",
        ] {
            assert_eq!(content(chunked(), text.as_bytes(), 3), Err(Malformed::Chunk), "{text:?}");
        }
        let long = "a".repeat(MAX_EXTRAS + 2);
        for text in [format!("1;{long}\r\n"), format!("0\r\n{long}\r\n"), "1;abcdefghi\r\nx\r\n".repeat(2_000)] {
            assert_eq!(content(chunked(), text.as_bytes(), 99), Err(Malformed::Chunk));
        }
    }

    #[test]
    fn a_length_ends_where_it_says() {
        assert_eq!(content(Framing::Length(5), b"abc", 2), Ok((b"abc".to_vec(), false)));
        assert_eq!(content(Framing::Length(3), b"abcHTTP/1.1", 4), Ok((b"abc".to_vec(), true)));
        assert_eq!(content(Framing::UntilClosed, b"abc", 2), Ok((b"abc".to_vec(), false)));
        assert_eq!(Framing::Length(u64::MAX).left(), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_parts_do_not_matter(bytes: Vec<u8>, part in 1..64usize) {
            let _ = read_head(&bytes);
            let whole = content(chunked(), &bytes, bytes.len().max(1));
            prop_assert_eq!(content(chunked(), &bytes, part), whole);
        }

        #[test]
        fn what_was_put_into_chunks_comes_out(pieces: Vec<Vec<u8>>, part in 1..64usize) {
            let pieces: Vec<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
            let mut text = Vec::new();
            for piece in &pieces {
                text.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                text.extend_from_slice(piece);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(content(chunked(), &text, part), Ok((pieces.concat(), true)));
        }
    }
}
