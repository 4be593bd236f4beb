//! What must hold of any bytes at all: one module a fuzz target, each with a `check` that panics when it
//! does not. `fuzz/fuzz_targets/` calls them with what libFuzzer makes up, `tests/fuzz_corpus.rs` with the
//! corpora, on a stable compiler.

pub mod body;
pub mod chunked;
pub mod head;
pub mod policy;
pub mod sse;

mod pieces;
mod reading;
mod tree;
