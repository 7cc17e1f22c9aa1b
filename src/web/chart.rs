//! How is a count of each of the last days drawn? As bars in an inline SVG, with the same in words for whoever does not see
//! it. No script and no style of its own: colours come from the style sheet.

use crate::event::DAYS;
use askama::filters::HtmlSafe;
use std::fmt::{self, Write as _};

/// How large a drawing is, in its own units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    class: &'static str,
    /// Width of a bar.
    bar: usize,
    /// From the beginning of a bar to the next.
    step: usize,
    /// Of the greatest bar.
    height: u64,
}

/// Beside a line of a list.
const SMALL: Size = Size { class: "chart", bar: 2, step: 4, height: 28 };
/// As wide as the page.
const WIDE: Size = Size { class: "chart chart-wide", bar: 18, step: 20, height: 120 };

/// Bars of the last days, ready to print: displays as an `<svg>` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    size: Size,
    most: u32,
    words: String,
    short: String,
    bars: String,
    marked: String,
}

impl Chart {
    /// Bars of `counts`, the oldest first; `one` and `many` say of what: "request", "requests".
    pub fn new(counts: &[u32; DAYS], one: &str, many: &str) -> Self {
        Self::drawn(SMALL, counts, &[0; DAYS], (one, many), "")
    }

    /// The same as wide as the page, with a part of each bar marked, such as the calls that failed: `marked` says in a word
    /// what they are.
    pub fn wide(counts: &[u32; DAYS], part: &[u32; DAYS], nouns: (&str, &str), marked: &str) -> Self {
        Self::drawn(WIDE, counts, part, nouns, marked)
    }

    fn drawn(size: Size, counts: &[u32; DAYS], part: &[u32; DAYS], (one, many): (&str, &str), marked: &str) -> Self {
        let sum = |counts: &[u32; DAYS]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        let most = counts.iter().copied().max().unwrap_or(0);
        let (all, of_part) = (sum(counts), sum(part));
        let noun = if all == 1 { one } else { many };
        let short = if all == 0 {
            format!("no {many} in {DAYS} days")
        } else {
            format!("{} {noun} in {DAYS} days", grouped(all))
        };
        let mut words = short.clone();
        if all > 0 {
            let back = counts.iter().rev().position(|count| *count == most).unwrap_or(0);
            let when = match back {
                0 => "today".to_owned(),
                1 => "yesterday".to_owned(),
                days => format!("{days} days ago"),
            };
            let _ = write!(words, "; most {when}: {}", grouped(u64::from(most)));
        }
        if of_part > 0 {
            let _ = write!(words, "; {} {marked}", grouped(of_part));
        }
        let bars = |counts: &[u32; DAYS]| bars(size, counts, u64::from(most.max(1)));
        Self { size, most, words, short, bars: bars(counts), marked: bars(part) }
    }

    /// "1,204 requests in 30 days".
    pub fn short(&self) -> &str {
        &self.short
    }

    /// The greatest count of a day: "1,200".
    pub fn most(&self) -> String {
        grouped(u64::from(self.most))
    }

    /// Whether nothing is to be drawn.
    pub const fn is_empty(&self) -> bool {
        self.most == 0
    }
}

/// One path of strokes for all bars; a day without anything has none, a day with little has a low one.
fn bars(Size { bar, step, height: highest, .. }: Size, counts: &[u32; DAYS], most: u64) -> String {
    let mut path = String::new();
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (u64::from(*count) * highest).div_ceil(most).clamp(1, highest);
        let _ = write!(path, "M{} {highest}v-{height}", place * step + bar / 2);
    }
    path
}

/// 1204 as "1,204".
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size: Size { class, bar, step, height }, words, bars, marked, .. } = self;
        let width = DAYS * step - (step - bar);
        write!(f, r#"<svg class="{class}" viewBox="0 0 {width} {}" role="img" aria-label="{words}">"#, height + 1)?;
        write!(f, r#"<path class="chart-ground" d="M0 {height}h{width}v1h-{width}z"/>"#)?;
        for (class, path) in [("chart-bars", bars), ("chart-marked", marked)] {
            if !path.is_empty() {
                write!(f, r#"<path class="{class}" stroke-width="{bar}" d="{path}"/>"#)?;
            }
        }
        f.write_str("</svg>")
    }
}

/// Holds numbers and words of ours only.
impl HtmlSafe for Chart {}

#[cfg(test)]
impl Chart {
    pub(crate) fn sample(one: &str, many: &str) -> Self {
        let mut counts = [0; DAYS];
        for (place, count) in counts.iter_mut().enumerate().skip(4) {
            *count = [12, 40, 0, 7, 93, 61, 3][place % 7] * (1 + u32::try_from(place).unwrap_or(0) / 9);
        }
        Self::new(&counts, one, many)
    }

    pub(crate) fn sample_wide() -> Self {
        let (mut counts, mut failed) = ([0; DAYS], [0; DAYS]);
        for (place, (count, failed)) in counts.iter_mut().zip(&mut failed).enumerate().skip(6) {
            *count = [112, 140, 20, 17, 193, 161, 93][place % 7] * (1 + u32::try_from(place).unwrap_or(0) / 9);
            *failed = if place % 5 == 0 { *count / 6 } else { 0 };
        }
        Self::wide(&counts, &failed, ("call", "calls"), "failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let mut counts = [0; DAYS];
        (counts[3], counts[DAYS - 1]) = (1_200, 4);
        let chart = Chart::new(&counts, "request", "requests");
        assert_eq!(chart.words, "1,204 requests in 30 days; most 26 days ago: 1,200");
        assert_eq!(chart.bars, "M13 28v-28M117 28v-1");
        let mut failed = [0; DAYS];
        failed[3] = 300;
        let chart = Chart::wide(&counts, &failed, ("call", "calls"), "failed");
        assert_eq!(chart.words, "1,204 calls in 30 days; most 26 days ago: 1,200; 300 failed");
        assert_eq!((chart.marked.as_str(), chart.most()), ("M69 120v-30", "1,200".to_owned()));
        let empty = Chart::new(&[0; DAYS], "request", "requests");
        assert_eq!((empty.words.as_str(), empty.bars.as_str()), ("no requests in 30 days", ""));
        assert!(empty.is_empty() && !chart.is_empty());
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    #[test]
    fn the_greatest_counts_fit() {
        let chart = Chart::new(&[u32::MAX; DAYS], "request", "requests");
        assert!(chart.to_string().contains("M1 28v-28M5 28v-28"));
    }
}
