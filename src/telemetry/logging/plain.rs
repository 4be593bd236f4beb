//! The fields of a line without colours: ` name=value`, as the usual formatter writes them, without the work
//! that styles cost. One line a request is the larger part of what the log costs.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes fields plainly.
pub struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, empty: true, outcome: Ok(()) };
        fields.record(&mut line);
        line.outcome
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    empty: bool,
    outcome: fmt::Result,
}

impl Line<'_> {
    /// The name, and then what `write` writes; the message has no name.
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_err() {
            return;
        }
        self.outcome = self.name(field).and_then(|()| write(&mut self.writer));
    }

    fn name(&mut self, field: &Field) -> fmt::Result {
        if !std::mem::replace(&mut self.empty, false) {
            self.writer.write_char(' ')?;
        }
        if field.name() == MESSAGE {
            return Ok(());
        }
        self.writer.write_str(field.name())?;
        self.writer.write_char('=')
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| {
            if field.name() == MESSAGE {
                return writer.write_str(value);
            }
            // Most are words: nothing in them needs to be escaped.
            if !value.bytes().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')) {
                return write!(writer, "{value:?}");
            }
            writer.write_char('"')?;
            writer.write_str(value)?;
            writer.write_char('"')
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |writer| write!(writer, "{value:?}"));
    }
}

const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What is logged with these fields, and with the usual ones.
    fn both(log: impl Fn()) -> [String; 2] {
        let lines = [Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new()))];
        let layer = |at: usize| {
            let lines = Arc::clone(&lines[at]);
            tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .without_time()
                .with_writer(move || Sink(Arc::clone(&lines)))
        };
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(layer(0).fmt_fields(Fields)),
            &log,
        );
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer(1)), &log);
        lines.map(|lines| String::from_utf8(lines.lock().unwrap().clone()).unwrap())
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_what_the_usual_formatter_makes_of_it() {
        let [plain, usual] = both(|| {
            tracing::info!(word = "small", number = 7_u64, none = Option::<u64>::None, "exchange");
            tracing::warn!(
                text = "a \"b\" \\ c\nd é \u{1b}[31m",
                some = Some(1.5),
                flag = true,
                "said {}",
                "x"
            );
            tracing::error!(error = ?std::io::Error::other("lost"), shown = %"as is", "");
            tracing::info!(only = "fields");
        });
        assert_eq!(plain, usual);
    }
}
