//! Until when shall a token work? The choices of the form, and what comes back as a point in time.
//!
//! A choice is a number of days, or a day of the calendar that the token still works on, in UTC. The one place that does
//! arithmetic with the calendar.

use crate::clock::{Timestamp, days};
use crate::web::when::{When, span};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The lives that are offered, in days, as far as the maximum allows.
const OFFERED: [u64; 4] = [7, 30, 90, 365];
/// The one that is chosen at first; the maximum if that is shorter.
const DEFAULT: &str = "365";
/// The choice of a day.
pub const BY_DATE: &str = "date";
/// The choice of the maximum, if that is none of the offered.
const LONGEST: &str = "longest";

/// One entry of the list.
#[derive(Debug, Clone)]
pub struct ExpiryChoice {
    /// Days: "365".
    pub value: String,
    /// "1 year, until 23 November 2027".
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// What may be chosen now.
#[derive(Debug, Clone, Copy)]
pub struct ExpiryRange {
    now: Timestamp,
    longest: Duration,
}

/// Why a choice cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryProblem {
    /// Neither a choice of the list nor a date.
    #[error("Choose how long the token works.")]
    NoChoice,
    /// Not YYYY-MM-DD, or no day of the calendar.
    #[error("Enter the last day as year, month and day: 2027-03-31.")]
    NotADay,
    /// Over already.
    #[error("That day is over. Choose a later one.")]
    Past,
    /// Beyond the maximum.
    #[error("The last day that you can choose is {0}.")]
    TooLate(String),
}

impl ExpiryRange {
    /// For a token that is made at `now` and lives for `longest` at most.
    pub const fn new(now: Timestamp, longest: Duration) -> Self {
        Self { now, longest }
    }

    /// The list, with `chosen` chosen; the default if that is none of them.
    pub fn choices(&self, chosen: &str) -> Vec<ExpiryChoice> {
        let offered = || OFFERED.into_iter().filter(|count| days(*count) <= self.longest);
        let mut choices: Vec<_> = offered().map(|count| self.choice(count.to_string(), days(count))).collect();
        if !offered().any(|count| days(count) == self.longest) {
            choices.push(self.choice(LONGEST.to_owned(), self.longest));
        }
        let place_of = |value: &str| choices.iter().position(|choice| choice.value == value);
        let place = place_of(chosen).or_else(|| place_of(DEFAULT)).unwrap_or(choices.len() - 1);
        choices[place].chosen = true;
        choices
    }

    /// The first and the last day of the date field: YYYY-MM-DD.
    pub fn days(&self) -> (String, String) {
        let day = |at| When::new(at, self.now).form_day();
        let last = self.now + self.longest;
        (day((self.now + days(1)).min(last)), day(last))
    }

    /// What was chosen: the time from which on the token is refused.
    pub fn read(&self, choice: &str, date: &str) -> Result<Timestamp, ExpiryProblem> {
        match choice {
            BY_DATE => self.read_day(date.trim()),
            LONGEST => Ok(self.now + self.longest),
            count => {
                let offered = OFFERED.into_iter().find(|offered| offered.to_string() == count);
                offered.map(|count| self.now + days(count).min(self.longest)).ok_or(ExpiryProblem::NoChoice)
            }
        }
    }

    /// The last second of the day, but not after the longest life.
    fn read_day(&self, text: &str) -> Result<Timestamp, ExpiryProblem> {
        let day = parse_day(text).ok_or(ExpiryProblem::NotADay)?;
        let begins = beginning(day);
        let ends = begins + days(1) - Duration::from_secs(1);
        let longest = self.now + self.longest;
        if ends <= self.now {
            Err(ExpiryProblem::Past)
        } else if begins > longest {
            Err(ExpiryProblem::TooLate(When::new(longest, self.now).day()))
        } else {
            Ok(ends.min(longest))
        }
    }

    fn choice(&self, value: String, life: Duration) -> ExpiryChoice {
        let until = When::new(self.now + life, self.now).day();
        ExpiryChoice { value, label: format!("{}, until {until}", in_words(life)), chosen: false }
    }
}

fn in_words(life: Duration) -> String {
    match (life.as_secs() / 86_400, life.as_secs() % 86_400) {
        (count @ 1..365, 0) => format!("{count} days"),
        _ => span(life.as_secs()),
    }
}

/// Whether a text is a day as forms write it.
pub fn is_day(text: &str) -> bool {
    parse_day(text).is_some()
}

/// YYYY-MM-DD and nothing else (HTML, "valid date string").
fn parse_day(text: &str) -> Option<Date> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shape { Date::strptime("%Y-%m-%d", text).ok() } else { None }
}

/// Midnight in UTC. What is before 1970 or beyond what can be told comes out as the nearest that can.
fn beginning(day: Date) -> Timestamp {
    let Ok(midnight) = day.to_zoned(TimeZone::UTC) else { return Timestamp::FAR_FUTURE };
    Timestamp::from_unix_seconds(u64::try_from(midnight.timestamp().as_second()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::hours;

    /// 23 November 2026, 02:13:20 UTC.
    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_400_000);
    const YEAR: ExpiryRange = ExpiryRange::new(NOW, days(365));

    fn labels(longest: Duration, chosen: &str) -> Vec<String> {
        let choices = ExpiryRange::new(NOW, longest).choices(chosen);
        choices.into_iter().map(|choice| format!("{}{}", choice.label, if choice.chosen { " *" } else { "" })).collect()
    }

    #[test]
    fn a_year_is_the_default_and_the_maximum_bounds_the_list() {
        let year = [
            "7 days, until 30 November 2026",
            "30 days, until 23 December 2026",
            "90 days, until 21 February 2027",
            "1 year, until 23 November 2027 *",
        ];
        assert_eq!(labels(days(365), ""), year);
        assert_eq!(labels(days(20), ""), ["7 days, until 30 November 2026", "20 days, until 13 December 2026 *"]);
        assert_eq!(labels(hours(5), ""), ["5 hours, until 23 November 2026 *"]);
        assert_eq!(labels(days(730), "").len(), 5);
        assert!(labels(days(730), "")[3].ends_with('*'), "a year is still the default");
        assert!(labels(days(365), "30")[1].ends_with('*'));
    }

    #[test]
    fn every_choice_of_the_list_reads_back_within_the_maximum() {
        for longest in [hours(5), days(7), days(20), days(365), days(730)] {
            let range = ExpiryRange::new(NOW, longest);
            for choice in range.choices("") {
                let read = range.read(&choice.value, "").unwrap();
                assert!(read > NOW && read <= NOW + longest, "{choice:?}");
            }
        }
        for wrong in ["", "0", "8", "-7", "07", "366", "1e9", "18446744073709551616"] {
            assert_eq!(YEAR.read(wrong, ""), Err(ExpiryProblem::NoChoice), "{wrong}");
        }
    }

    #[test]
    fn a_token_works_on_the_whole_of_its_last_day() {
        let read = |text: &str| YEAR.read(BY_DATE, text).map(Timestamp::unix_seconds);
        assert_eq!(read("2026-12-31"), Ok(1_798_761_599), "23:59:59");
        assert_eq!(read(" 2026-11-23 "), Ok(1_795_478_399), "today is possible");
        assert_eq!(read("2027-11-23"), Ok((NOW + days(365)).unix_seconds()), "the last day is cut at the maximum");
        assert_eq!(read("2027-11-24"), Err(ExpiryProblem::TooLate("23 November 2027".to_owned())));
        for past in ["2026-11-22", "1970-01-01", "1969-12-31", "0000-01-01"] {
            assert_eq!(read(past), Err(ExpiryProblem::Past), "{past}");
        }
        for far in ["9999-12-31", "2031-01-01"] {
            assert!(matches!(read(far), Err(ExpiryProblem::TooLate(_))), "{far}");
        }
        for wrong in ["", "2027-02-29", "2027-13-01", "2027-1-1", "20270101", "2027-01-01T00:00", "31.12.2027", "x"] {
            assert_eq!(read(wrong), Err(ExpiryProblem::NotADay), "{wrong}");
        }
    }

    #[test]
    fn the_date_field_begins_tomorrow_and_ends_with_the_maximum() {
        assert_eq!(YEAR.days(), ("2026-11-24".to_owned(), "2027-11-23".to_owned()));
        assert_eq!(ExpiryRange::new(NOW, hours(5)).days(), ("2026-11-23".to_owned(), "2026-11-23".to_owned()));
    }
}
