//! How does a page tell the time? As people do, "3 minutes ago", with the exact moment for whoever points at it.

use crate::clock::Timestamp;
use askama::filters::HtmlSafe;
use std::fmt;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment, ready to print: displays as a `<time>` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    at: jiff::Timestamp,
    words: String,
}

impl When {
    /// The moment `at`, seen from `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let ahead = at.unix_seconds().saturating_sub(now.unix_seconds());
        let ago = now.unix_seconds().saturating_sub(at.unix_seconds());
        let words = match (ahead, ago) {
            (0, 0..30) => "just now".to_owned(),
            (0, ago) => format!("{} ago", span(ago)),
            (ahead, _) => format!("in {}", span(ahead)),
        };
        let seconds = i64::try_from(at.unix_seconds()).unwrap_or(i64::MAX);
        Self { at: jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX), words }
    }

    /// "3 minutes ago".
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The day in UTC: "23 November 2026".
    pub fn day(&self) -> String {
        self.at.strftime("%-d %B %Y").to_string()
    }

    /// The day in UTC as forms write it: "2026-11-23".
    pub fn form_day(&self) -> String {
        self.at.strftime("%F").to_string()
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (machine, exact) = (self.at.strftime("%FT%TZ"), self.at.strftime("%-d %B %Y, %T UTC"));
        write!(f, r#"<time datetime="{machine}" title="{exact}">{}</time>"#, self.words)
    }
}

/// Holds nothing that anybody typed.
impl HtmlSafe for When {}

/// A length of time in its largest unit, rounded down: "3 minutes".
pub fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        _ if seconds < 60 * DAY => (seconds / DAY, "day"),
        _ if seconds < 365 * DAY => (seconds / (30 * DAY), "month"),
        _ => (seconds / (365 * DAY), "year"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
impl When {
    /// So many seconds after (or before) a moment that never changes.
    pub(crate) fn sample(offset: i64) -> Self {
        let now = 1_795_400_000;
        let at = Timestamp::from_unix_seconds(u64::try_from(now + offset).unwrap());
        Self::new(at, Timestamp::from_unix_seconds(u64::try_from(now).unwrap()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{days, hours, minutes};

    #[test]
    fn times_are_told_in_words_and_exactly() {
        let now = Timestamp::from_unix_seconds(1_795_400_000);
        let told = [
            (now, "just now"),
            (now - minutes(3), "3 minutes ago"),
            (now - hours(1), "1 hour ago"),
            (now - days(45), "45 days ago"),
            (now - days(100), "3 months ago"),
            (now - days(800), "2 years ago"),
            (now + minutes(1), "in 1 minute"),
            (now + days(365), "in 1 year"),
        ];
        for (at, words) in told {
            assert_eq!(When::new(at, now).words(), words);
        }
        assert_eq!(
            When::new(now - minutes(3), now).to_string(),
            r#"<time datetime="2026-11-23T02:10:20Z" title="23 November 2026, 02:10:20 UTC">3 minutes ago</time>"#
        );
        assert_eq!(When::new(now, now).day(), "23 November 2026");
        assert_eq!(When::new(now, now).form_day(), "2026-11-23");
    }

    #[test]
    fn the_ends_of_time_are_told_too() {
        assert!(!When::new(Timestamp::FAR_FUTURE, Timestamp::EPOCH).day().is_empty());
        assert_eq!(When::new(Timestamp::EPOCH, Timestamp::FAR_FUTURE).form_day(), "1970-01-01");
    }
}
