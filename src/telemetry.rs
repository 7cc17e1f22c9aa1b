//! What does the log look like, and where does it go? To standard error: for people on a terminal, as JSON otherwise.
//!
//! Every line that is written while a request is worked on tells its id, method, path and address (see
//! [`crate::wire::request_context`]). A secret never reaches a log: secrets have types that print nothing.

use crate::wire::request_context::{self, RequestContext};
use std::io::{self, IsTerminal};
use std::str::FromStr;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Compact, Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

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
    let terminal = io::stderr().is_terminal();
    let pretty = match options.format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Failure means that a subscriber is there already, as in a test.
    let _ = subscriber(&options.filter, pretty, colours, io::stderr).try_init();
}

fn subscriber<W>(filter: &LogFilter, pretty: bool, colours: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if pretty {
        let format = fmt::format().compact().with_target(false).with_ansi(colours);
        Box::new(fmt::layer().with_ansi(colours).event_format(PrettyLine(format)).with_writer(writer))
    } else {
        let format = fmt::format().json().flatten_event(true).with_span_list(false).with_current_span(false);
        let layer = fmt::layer().fmt_fields(JsonFields::new()).event_format(JsonLine(format));
        Box::new(layer.with_writer(writer))
    };
    tracing_subscriber::registry().with(layer.with_filter(filter.0.clone()))
}

/// A line for people; at its end, the request.
struct PrettyLine(Format<Compact>);

impl<S, N> FormatEvent<S, N> for PrettyLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(request) = request_context::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let RequestContext { id, method, address, .. } = &*request;
        writeln!(writer, "{} ({method} {} from {address}, {id})", line.trim_end(), request.path())
    }
}

/// A JSON object; its member `request` is the request.
struct JsonLine(Format<Json>);

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(request) = request_context::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let told = serde_json::json!({
            "id": request.id,
            "method": request.method.as_str(),
            "path": request.path(),
            "address": request.address,
        });
        let object = line.trim_end().strip_suffix('}').ok_or(std::fmt::Error)?;
        writeln!(writer, "{object},\"request\":{told}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RequestId;
    use axum::http::{Method, Uri};
    use std::sync::{Arc, Mutex};

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

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written about one event outside and one inside of a request.
    fn log(pretty: bool) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = subscriber(&LogFilter::default(), pretty, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(answer = 42, "outside");
            let uri = Uri::from_static("/a\"path?code=kwc_verysecret");
            let address = [127, 0, 0, 1].into();
            let context = RequestContext::new(RequestId::from_bytes([1; 16]), Method::GET, uri, address);
            let _entered = request_context::enter(Some(Arc::new(context)));
            tracing::warn!(answer = 43, text = "a\nb", "inside");
            tracing::debug!("too quiet");
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_tells_its_request_without_the_query() {
        let log = log(false);
        let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert_eq!((&lines[0]["message"], &lines[0]["request"]), (&"outside".into(), &serde_json::Value::Null));
        assert_eq!(
            (&lines[1]["answer"], &lines[1]["text"], &lines[1]["level"]),
            (&43.into(), &"a\nb".into(), &"WARN".into())
        );
        let request = &lines[1]["request"];
        assert_eq!((&request["method"], &request["path"]), (&"GET".into(), &"/a\"path".into()));
        assert_eq!(request["address"], "127.0.0.1");
        assert!(request["id"].as_str().unwrap().parse::<RequestId>().is_ok());
        assert!(!log.contains("verysecret"), "{log}");
    }

    #[test]
    fn a_line_for_people_tells_its_request_without_the_query() {
        let log = log(true);
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(lines[0].contains("INFO") && lines[0].contains("outside answer=42"), "{log}");
        assert!(lines[1].contains("WARN") && lines[1].contains("(GET /a\"path from 127.0.0.1, req_"), "{log}");
        assert!(!log.contains("verysecret"), "{log}");
    }
}
