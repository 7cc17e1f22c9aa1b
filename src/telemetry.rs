//! What does the log look like, and where does it go? To standard error: for people on a terminal, as JSON otherwise.
//!
//! Every line of a request carries the request's id (see [`crate::wire::entry`]). A secret never reaches a log: secrets
//! have types that print nothing.

use std::io::IsTerminal;
use std::str::FromStr;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// How much is logged, and how.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Which events.
    pub filter: LogFilter,
    /// In which form.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty if standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Which events are logged: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or levels by module
/// (`warn,keyward=debug`).
#[derive(Debug, Clone, PartialEq)]
pub struct LogFilter(Targets);

/// The text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a level (off, error, warn, info, debug, trace) or levels by module such as warn,keyward=debug")]
pub struct NotALogFilter;

impl LogFilter {
    /// Logs nothing.
    pub fn off() -> Self {
        Self(Targets::new().with_default(LevelFilter::OFF))
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self(Targets::new().with_default(LevelFilter::INFO))
    }
}

impl FromStr for LogFilter {
    type Err = NotALogFilter;

    fn from_str(text: &str) -> Result<Self, NotALogFilter> {
        // A single word is a level: otherwise a misspelt level would be taken for a module of that name.
        let words_are_known = text.split(',').map(str::trim).all(|word| {
            let level = word.rsplit_once('=').map_or(word, |(_, level)| level);
            !level.is_empty() && level.parse::<LevelFilter>().is_ok()
        });
        if !words_are_known {
            return Err(NotALogFilter);
        }
        text.parse().map(Self).map_err(|_| NotALogFilter)
    }
}

/// Begins to log; once in a process. Later calls change nothing.
pub fn init(options: &LogOptions) {
    let terminal = std::io::stderr().is_terminal();
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match options.format {
        LogFormat::Json => json_layer(),
        LogFormat::Auto if !terminal => json_layer(),
        LogFormat::Auto | LogFormat::Pretty => {
            let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            Box::new(fmt::layer().compact().with_ansi(colours).with_target(false).with_writer(std::io::stderr))
        }
    };
    // Failure means that a subscriber is there already, as in a test.
    let _ = tracing_subscriber::registry().with(layer.with_filter(options.filter.0.clone())).try_init();
}

fn json_layer() -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = fmt::layer().json().flatten_event(true).with_span_list(false).with_current_span(true);
    Box::new(layer.with_writer(std::io::stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_levels_by_module() {
        for good in ["info", "off", "DEBUG", "warn,keyward=debug", "keyward::store=trace, info"] {
            assert!(good.parse::<LogFilter>().is_ok(), "{good}");
        }
        for wrong in ["", "verbose", "keyward", "keyward=loud", "info,", "=", "keyward[span]=x"] {
            assert_eq!(wrong.parse::<LogFilter>(), Err(NotALogFilter), "{wrong}");
        }
        assert_eq!("info".parse::<LogFilter>().unwrap(), LogFilter::default());
        assert_eq!("off".parse::<LogFilter>().unwrap(), LogFilter::off());
    }
}
