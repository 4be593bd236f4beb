//! Prints what `sluice` estimates: for each line of the input, which is a request's body, one number.
//!
//! `meter factors` prints the factors; `meter speed` reads one body again and again for a second and prints GB/s.

#[allow(dead_code, unused_imports, reason = "the program's own modules, of which this uses a part")]
#[path = "../../../../src/openai/mod.rs"]
mod openai;
#[allow(dead_code, unused_imports, reason = "the program's own modules, of which this uses a part")]
#[path = "../../../../src/policy/mod.rs"]
mod policy;
#[allow(dead_code, unused_imports, reason = "the program's own modules, of which this uses a part")]
#[path = "../../../../src/prompt/mod.rs"]
mod prompt;

use std::io::{BufRead, Error, Write};
use std::time::{Duration, Instant};

use openai::Endpoint;
use prompt::{FACTORS, Patterns};

fn main() -> Result<(), Error> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    if mode == "factors" {
        return writeln!(out, "{FACTORS:?}");
    }
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if mode == "speed" {
            writeln!(out, "{:.2}", speed(&line)?)?;
        } else {
            writeln!(out, "{}", tokens(&line)?)?;
        }
    }
    Ok(())
}

/// The estimate for a body: a chat request, or a completion request where it has no messages.
fn tokens(body: &str) -> Result<u64, Error> {
    let chat = body.starts_with("{\"messages\"");
    let endpoint = if chat { Endpoint::ChatCompletions } else { Endpoint::Completions };
    let read = prompt::read(body.as_bytes(), endpoint, &Patterns::default());
    read.map(|prompt| prompt.tokens).map_err(|fault| Error::other(format!("{fault:?}")))
}

/// Gigabytes a second, the best of a second's tries.
fn speed(body: &str) -> Result<f64, Error> {
    let until = Instant::now() + Duration::from_secs(1);
    let mut best = Duration::MAX;
    while Instant::now() < until {
        let began = Instant::now();
        std::hint::black_box(tokens(std::hint::black_box(body))?);
        best = best.min(began.elapsed());
    }
    #[expect(clippy::cast_precision_loss, reason = "a body has no 2^52 bytes")]
    Ok(body.len() as f64 / best.as_secs_f64() / 1e9)
}
