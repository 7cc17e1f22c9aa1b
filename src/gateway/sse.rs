//! Where does one event of a stream end, and what is its data? Server-sent events (HTML Living Standard, §9.2.5 and 9.2.6).
//!
//! Bytes come in as they come; events go out whole, byte for byte. An event that never ends is bounded.

/// A stream of events, cut up.
#[derive(Debug)]
pub(super) struct Events {
    buffer: Vec<u8>,
    /// Where the line begins that is being read.
    line: usize,
    /// What was looked through already.
    looked: usize,
    most: usize,
}

/// An event is longer than is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// One event with the empty line that ends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event(pub(super) Vec<u8>);

impl Events {
    /// A stream whose events have at most `most` bytes.
    pub(super) const fn new(most: usize) -> Self {
        Self { buffer: Vec::new(), line: 0, looked: 0, most }
    }

    /// Takes the next bytes. To be followed by [`Events::take`] until nothing comes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next event that is there whole.
    pub(super) fn take(&mut self) -> Result<Option<Event>, TooLong> {
        loop {
            let Some(end) = self.buffer[self.looked..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.looked = self.buffer.len();
                break;
            };
            let end = self.looked + end;
            let next = match (self.buffer[end], self.buffer.get(end + 1)) {
                (b'\r', Some(b'\n')) => end + 2,
                // A line feed that belongs to it may be on its way.
                (b'\r', None) => {
                    self.looked = end;
                    break;
                }
                _ => end + 1,
            };
            if end == self.line {
                let rest = self.buffer.split_off(next);
                let event = std::mem::replace(&mut self.buffer, rest);
                (self.line, self.looked) = (0, 0);
                return if event.len() <= self.most { Ok(Some(Event(event))) } else { Err(TooLong) };
            }
            (self.line, self.looked) = (next, next);
        }
        if self.buffer.len() <= self.most { Ok(None) } else { Err(TooLong) }
    }
}

impl Event {
    /// Its data; none if there is none or it is not UTF-8.
    pub(super) fn data(&self) -> Option<String> {
        let mut data: Option<String> = None;
        for line in self.lines() {
            if let Some(value) = data_of(line) {
                let value = std::str::from_utf8(value).ok()?;
                match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                }
            }
        }
        data
    }

    /// Whether it has a data field at all.
    pub(super) fn has_data(&self) -> bool {
        self.lines().any(|line| data_of(line).is_some_and(|value| !value.is_empty()))
    }

    /// The same event with other data.
    pub(super) fn with_data(&self, data: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() + 32);
        for line in self.lines().filter(|line| !line.is_empty() && data_of(line).is_none()) {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        append_data(&mut bytes, data);
        bytes
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = self.0.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.0);
        bytes.split(|byte| matches!(byte, b'\n' | b'\r'))
    }
}

/// An event that holds nothing but data.
pub(super) fn event(data: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 16);
    append_data(&mut bytes, data);
    bytes
}

fn append_data(bytes: &mut Vec<u8>, data: &str) {
    for line in data.split(['\n', '\r']) {
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
}

/// The value of a data field, if the line is one.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(chunks: &[&[u8]]) -> Vec<String> {
        let mut events = Events::new(1_000);
        let mut whole = Vec::new();
        for chunk in chunks {
            events.push(chunk);
            while let Some(event) = events.take().unwrap() {
                whole.push(String::from_utf8(event.0).unwrap());
            }
        }
        whole
    }

    #[test]
    fn events_come_out_whole_however_they_came_in() {
        let stream =
            "event: message\nid: 1\ndata: {}\n\n: alive\n\ndata: a\r\ndata: b\r\n\r\ndata:c\r\rdata: unfinished\n";
        let events = ["event: message\nid: 1\ndata: {}\n\n", ": alive\n\n", "data: a\r\ndata: b\r\n\r\n", "data:c\r\r"];
        assert_eq!(cut(&[stream.as_bytes()]), events);
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(cut(&bytes), events);
    }

    #[test]
    fn data_is_what_a_browser_would_read() {
        let data = |text: &str| Event(text.as_bytes().to_vec()).data();
        for (event, read) in [
            ("data: a\n\n", Some("a")),
            ("data:a\n\n", Some("a")),
            ("data:  a\n\n", Some(" a")),
            ("data: a\nid: 1\ndata: b\n\n", Some("a\nb")),
            ("data: a\r\ndata: b\r\n\r\n", Some("a\nb")),
            ("data\n\n", Some("")),
            ("\u{feff}data: a\n\n", Some("a")),
            ("database: a\n\n", None),
            (": data: a\n\n", None),
            (" data: a\n\n", None),
        ] {
            assert_eq!(data(event).as_deref(), read, "{event:?}");
        }
        assert_eq!(Event(b"data: \xff\n\n".to_vec()).data(), None);
        assert!(Event(b"data: \xff\n\n".to_vec()).has_data() && !Event(b"id: 1\ndata:\n\n".to_vec()).has_data());
    }

    #[test]
    fn data_is_replaced_and_the_rest_stays() {
        let event = Event(b"event: message\r\nid: 7\r\ndata: a\r\ndata: b\r\nretry: 5\r\n\r\n".to_vec());
        let changed = String::from_utf8(event.with_data("x\ny")).unwrap();
        assert_eq!(changed, "event: message\nid: 7\nretry: 5\ndata: x\ndata: y\n\n");
        assert_eq!(super::event("x"), b"data: x\n\n");
    }

    #[test]
    fn an_event_that_never_ends_is_bounded() {
        let mut events = Events::new(10);
        events.push(b"data: 12\n\n");
        assert!(events.take().unwrap().is_some());
        events.push(b"data: 12345");
        assert_eq!(events.take(), Err(TooLong));
        let mut events = Events::new(10);
        events.push(b"data: 12345\n\n");
        assert_eq!(events.take(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_added(chunks in proptest::collection::vec("[da:\\r\\n]{0,6}", 0..12)) {
            let stream = chunks.concat();
            let pieces: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            let whole = cut(&pieces).concat();
            prop_assert!(stream.starts_with(&whole));
            prop_assert_eq!(cut(&[stream.as_bytes()]).concat(), whole);
        }
    }
}
