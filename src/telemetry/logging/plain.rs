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
            self.writer.write_str(" ")?;
        }
        if field.name() == MESSAGE {
            return Ok(());
        }
        self.writer.write_str(field.name())?;
        self.writer.write_str("=")
    }
}

/// Words and numbers are written without the formatter, which takes as long as all the rest.
impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| {
            if field.name() == MESSAGE {
                return writer.write_str(value);
            }
            // Most are words: nothing in them needs to be escaped.
            if !value.bytes().fold(true, |all, byte| all & is_plain(byte)) {
                return write!(writer, "{value:?}");
            }
            writer.write_str("\"")?;
            writer.write_str(value)?;
            writer.write_str("\"")
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |writer| writer.write_str(itoa::Buffer::new().format(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |writer| writer.write_str(itoa::Buffer::new().format(value)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |writer| match tenths(value) {
            Some((whole, tenth)) => {
                writer.write_str(itoa::Buffer::new().format(whole))?;
                writer.write_str(tenth)
            }
            None => write!(writer, "{value:?}"),
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |writer| write!(writer, "{value:?}"));
    }
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')
}

/// A number that is written with one digit behind its point, as times in milliseconds are.
fn tenths(value: f64) -> Option<(u32, &'static str)> {
    const TENTHS: [&str; 10] = [".0", ".1", ".2", ".3", ".4", ".5", ".6", ".7", ".8", ".9"];
    if !(0.0..1e8).contains(&value) || value.is_sign_negative() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 or more, and below 1e9")]
    let all = (value * 10.0).round() as u32;
    let tenth = TENTHS.get(usize::try_from(all % 10).ok()?)?;
    // The shortest number that reads as this one has one digit only if it is this quotient.
    #[expect(clippy::float_cmp, reason = "the very number, or not")]
    (f64::from(all) / 10.0 == value).then_some((all / 10, *tenth))
}

const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
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
            tracing::info!(
                tenth = 0.1,
                whole = 12.0,
                none = 0.0,
                below = -0.0,
                minus = -1.5,
                exact = 0.15,
                small = 1e-7
            );
            tracing::info!(
                large = 1e16,
                limit = 99_999_999.9,
                beyond = 1e8,
                nan = f64::NAN,
                inf = f64::INFINITY
            );
            tracing::info!(least = i64::MIN, most = u64::MAX, huge = u128::MAX, small = 7_u8);
        });
        assert_eq!(plain, usual);
    }

    proptest! {
        #[test]
        fn a_number_is_written_as_the_usual_formatter_writes_it(tenths in any::<u32>(), any in any::<f64>()) {
            for value in [f64::from(tenths) / 10.0, f64::from(tenths) * 0.1, any, any % 1_000.0] {
                let written = super::tenths(value).map(|(whole, tenth)| format!("{whole}{tenth}"));
                prop_assert!(written.is_none_or(|written| written == format!("{value:?}")), "{value:?}");
            }
        }
    }
}
