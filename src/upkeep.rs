//! What happens on its own, now and then? Revocations are refreshed, last uses and calls written, keys rotated, rows swept.
//!
//! Each duty has its own clockwork, so that a long sweep delays no refresh. A failure is logged when it begins and when it
//! is over, not at every turn. Nothing here is needed for safety: a revocation is published by whoever makes it, and every
//! reader checks the times of what it reads.

use crate::app::App;
use crate::app::error::OperationError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpkeepOptions {
    /// Revocations are refreshed from the store; 5 seconds, at most 30.
    pub refresh_revocations_every: Duration,
    /// Last uses, counts and the log of calls are written to the store; 5 seconds.
    pub flush_usage_every: Duration,
}

impl Default for UpkeepOptions {
    fn default() -> Self {
        Self { refresh_revocations_every: Duration::from_secs(5), flush_usage_every: Duration::from_secs(5) }
    }
}

const ROTATE_EVERY: Duration = Duration::from_mins(5);
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// One thing that is done now and then.
#[derive(Debug, Clone, Copy)]
struct Duty {
    name: &'static str,
    every: Duration,
    work: fn(&App) -> Result<(), OperationError>,
}

/// The background tasks.
#[derive(Debug)]
pub struct Upkeep {
    tasks: JoinSet<()>,
    stopping: watch::Sender<()>,
}

impl Upkeep {
    /// Begins; to be called inside of a runtime.
    pub fn start(app: &Arc<App>, options: UpkeepOptions) -> Self {
        let duties = [
            Duty {
                name: "refresh revocations",
                every: options.refresh_revocations_every,
                work: App::refresh_revocations,
            },
            Duty { name: "write last uses", every: options.flush_usage_every, work: App::flush_usage },
            Duty { name: "write the log of calls", every: options.flush_usage_every, work: App::flush_events },
            Duty { name: "rotate signing keys", every: ROTATE_EVERY, work: App::rotate_by_schedule },
            Duty { name: "sweep expired rows", every: SWEEP_EVERY, work: App::sweep },
        ];
        let (stopping, watch_stop) = watch::channel(());
        let mut tasks = JoinSet::new();
        for duty in duties {
            tasks.spawn(run(Arc::clone(app), duty, watch_stop.clone()));
        }
        Self { tasks, stopping }
    }

    /// Ends; what is being done is finished first.
    pub async fn stop(self) {
        drop(self.stopping);
        self.tasks.join_all().await;
    }
}

async fn run(app: Arc<App>, duty: Duty, mut watch_stop: watch::Receiver<()>) {
    let mut ticks = tokio::time::interval(duty.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and opening the app has just done everything.
    ticks.tick().await;
    let mut fails = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = watch_stop.changed() => return,
        }
        let app = Arc::clone(&app);
        let problem = match tokio::task::spawn_blocking(move || (duty.work)(&app)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.with_causes()),
            Err(panicked) => Some(panicked.to_string()),
        };
        match &problem {
            Some(problem) if !fails => {
                tracing::error!(duty = duty.name, problem, "upkeep fails and will be tried again");
            }
            None if fails => tracing::info!(duty = duty.name, "upkeep works again"),
            _ => {}
        }
        fails = problem.is_some();
    }
}
