//! What goes on at a server: its calls and failures of the last days, and who was refused there of late.
//!
//! Admins see all of it; others see why they themselves were refused.

use crate::app::App;
use crate::app::error::OperationError;
use crate::event::{DAYS, ServerDays, day_of};
use crate::id::UserId;
use crate::web::chart::{Chart, grouped};
use crate::web::dashboard::events::{RefusalRow, filtered_by};
use crate::web::when::When;
use crate::wire::paths;

/// Refusals that the page shows at most.
const REFUSALS: usize = 10;

/// What goes on at a server, as somebody sees it.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// The calls of everybody; for admins.
    pub calls: Option<CallDays>,
    /// What was refused there of late, the newest first.
    pub refusals: Vec<RefusalRow>,
    /// Where more about this server is written.
    pub log: String,
}

/// Calls of the last days.
#[derive(Debug, Clone)]
pub struct CallDays {
    /// The calls, with those that failed marked.
    pub chart: Chart,
    /// How many failed.
    pub failures: String,
    /// How many requests with a genuine token were refused.
    pub refusals: String,
    /// The first day of the chart: "25 October 2026".
    pub since: String,
    /// The days on which there was anything, the newest first.
    pub days: Vec<DayRow>,
}

/// One day.
#[derive(Debug, Clone)]
pub struct DayRow {
    /// "23 November 2026".
    pub day: String,
    /// Calls.
    pub calls: String,
    /// Of these, those that failed.
    pub failures: String,
    /// Requests that were refused.
    pub refusals: String,
}

impl Traffic {
    /// What `viewer` sees of the server called `name`.
    pub(super) fn of(app: &App, name: &str, viewer: UserId, is_admin: bool) -> Result<Self, OperationError> {
        let (now, of) = (app.now(), Some(viewer).filter(|_| !is_admin));
        let refusals = app.refusals_at(name, of, REFUSALS)?;
        let calls = if is_admin { Some(CallDays::of(&app.server_days(name)?, day_of(now))) } else { None };
        let log = filtered_by(if is_admin { paths::EVENTS } else { paths::ACTIVITY }, "server", name);
        let rows = refusals.iter().map(|told| RefusalRow::of(&told.refusal, &told.with, !is_admin, now));
        Ok(Self { calls, refusals: rows.collect(), log })
    }
}

impl CallDays {
    fn of(days: &ServerDays, today: u32) -> Self {
        let [calls, failures, refusals] =
            [&days.calls, &days.failures, &days.refusals].map(|counts| counts.until(today));
        let sum = |counts: &[u32; DAYS]| grouped(counts.iter().map(|count| u64::from(*count)).sum());
        let day = |place: usize| {
            let ago = u32::try_from(DAYS - 1 - place).unwrap_or_default();
            When::of_day(today.saturating_sub(ago)).day()
        };
        let told = (0..DAYS).rev().filter(|place| calls[*place] + failures[*place] + refusals[*place] > 0);
        Self {
            chart: Chart::wide(&calls, &failures, ("call", "calls"), "failed"),
            failures: sum(&failures),
            refusals: sum(&refusals),
            since: day(0),
            days: told
                .map(|place| DayRow {
                    day: day(place),
                    calls: grouped(calls[place].into()),
                    failures: grouped(failures[place].into()),
                    refusals: grouped(refusals[place].into()),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
impl Traffic {
    pub(super) fn sample() -> Self {
        use crate::web::dashboard::events::samples;
        let row = |day: &str, calls: &str, failures: &str, refusals: &str| DayRow {
            day: day.to_owned(),
            calls: calls.to_owned(),
            failures: failures.to_owned(),
            refusals: refusals.to_owned(),
        };
        let calls = CallDays {
            chart: Chart::sample_wide(),
            failures: "193".to_owned(),
            refusals: "14".to_owned(),
            since: "25 October 2026".to_owned(),
            days: vec![row("23 November 2026", "1,372", "0", "14"), row("22 November 2026", "579", "96", "0")],
        };
        let log = filtered_by(paths::EVENTS, "server", "files");
        Self { calls: Some(calls), refusals: samples::refusals(false), log }
    }

    pub(super) fn sample_of_member() -> Self {
        use crate::web::dashboard::events::samples;
        let log = filtered_by(paths::ACTIVITY, "server", "files");
        Self { calls: None, refusals: samples::refusals(true), log }
    }

    pub(super) fn sample_quiet() -> Self {
        let calls = CallDays::of(&ServerDays::default(), 20_000);
        Self { calls: Some(calls), refusals: Vec::new(), ..Self::sample() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_on_which_something_was_are_told_the_newest_first() {
        let mut days = ServerDays::default();
        days.calls.add(20_000, 1_200);
        days.failures.add(20_000, 3);
        days.refusals.add(19_998, 2);
        let shown = CallDays::of(&days, 20_000);
        let rows: Vec<_> = shown
            .days
            .iter()
            .map(|row| [&row.day, &row.calls, &row.failures, &row.refusals].map(String::as_str))
            .collect();
        assert_eq!(rows, [["4 October 2024", "1,200", "3", "0"], ["2 October 2024", "0", "0", "2"]]);
        assert_eq!((shown.since.as_str(), shown.failures.as_str()), ("5 September 2024", "3"));
        assert_eq!(shown.refusals, "2");
    }
}
