//! How does a page tell the time? As people do, "3 minutes ago", with the exact moment for whoever points at it.
//!
//! What is past is rounded down, as people count their age; what lies ahead goes to the nearest unit, so that a token for a
//! week says "in 7 days" when it has just been made.

use crate::clock::Timestamp;
use askama::filters::HtmlSafe;
use std::fmt;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;
const MONTH: u64 = YEAR / 12;

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
            (ahead, _) => format!("in {}", nearest_span(ahead)),
        };
        let seconds = i64::try_from(at.unix_seconds()).unwrap_or(i64::MAX);
        Self { at: jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX), words }
    }

    /// The beginning of the day with this number, from 1970-01-01 in UTC; only to be told as a day.
    pub fn of_day(day: u32) -> Self {
        let at = Timestamp::from_unix_seconds(u64::from(day) * DAY);
        Self::new(at, at)
    }

    /// "3 minutes ago".
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The minute in UTC from which the moment is over, as a `<time>` element: "14:05 UTC".
    pub fn minute(&self) -> impl HtmlSafe + use<> {
        let seconds = self.at.as_second();
        let next = seconds + (-seconds).rem_euclid(60);
        Minute(jiff::Timestamp::from_second(next).unwrap_or(self.at))
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

struct Minute(jiff::Timestamp);

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(at) = self;
        let (machine, exact) = (at.strftime("%FT%TZ"), at.strftime("%-d %B %Y, %T UTC"));
        write!(f, r#"<time datetime="{machine}" title="{exact}">{}</time>"#, at.strftime("%H:%M UTC"))
    }
}

/// Holds nothing that anybody typed.
impl HtmlSafe for Minute {}

/// The first moment in UTC of a day as forms write it: "2026-11-23".
pub fn day_begins(text: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
    let seconds = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(seconds).ok().map(Timestamp::from_unix_seconds)
}

/// A moment for programs, in UTC and to the millisecond: "2026-11-23T08:47:28.123Z" (RFC 3339).
pub fn exact(at: Timestamp) -> String {
    let millis = i64::try_from(at.unix_millis()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%FT%T.%3fZ").to_string()
}

/// A length of time in its largest unit, rounded to the nearest: "7 days" for a minute less.
fn nearest_span(seconds: u64) -> String {
    let nearest = |unit: u64| (seconds + unit / 2) / unit;
    let (count, unit) = if seconds < MINUTE {
        (seconds, "second")
    } else if nearest(MINUTE) < 60 {
        (nearest(MINUTE), "minute")
    } else if nearest(HOUR) < 24 {
        (nearest(HOUR), "hour")
    } else if nearest(DAY) < 60 {
        (nearest(DAY), "day")
    } else if nearest(MONTH) < 24 && nearest(MONTH) != 12 {
        (nearest(MONTH), "month")
    } else {
        (nearest(YEAR), "year")
    };
    in_words(count, unit)
}

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
    in_words(count, unit)
}

fn in_words(count: u64, unit: &str) -> String {
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
    use std::time::Duration;

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
            (now + Duration::from_secs(59), "in 59 seconds"),
            (now + days(1) - minutes(1), "in 1 day"),
            (now + hours(1) - Duration::from_secs(1), "in 1 hour"),
            (now + days(7) - Duration::from_secs(1), "in 7 days"),
            (now + days(30) - minutes(10), "in 30 days"),
            (now + days(90) - minutes(10), "in 3 months"),
            (now + days(360), "in 1 year"),
            (now + days(366), "in 1 year"),
            (now + days(548), "in 18 months"),
            (now + days(730) - minutes(1), "in 2 years"),
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
        assert_eq!(
            When::new(now, now).minute().to_string(),
            r#"<time datetime="2026-11-23T02:14:00Z" title="23 November 2026, 02:14:00 UTC">02:14 UTC</time>"#
        );
        let whole = When::new(now + Duration::from_secs(40), now).minute().to_string();
        assert!(whole.contains("02:14:00 UTC"), "a whole minute stays: {whole}");
    }

    #[test]
    fn the_ends_of_time_are_told_too() {
        assert!(!When::new(Timestamp::FAR_FUTURE, Timestamp::EPOCH).day().is_empty());
        assert_eq!(When::new(Timestamp::EPOCH, Timestamp::FAR_FUTURE).form_day(), "1970-01-01");
    }
}
