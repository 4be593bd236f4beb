//! The token estimate: every byte weighs by its class and the class before it. No tokenizer.
//!
//! A byte-pair vocabulary knows short words whole, joins a word and the blank before it, and
//! spends about a token on each digit, a fraction of one on each further letter of a long word,
//! on a line break, on a run of punctuation. [`Factors`] says how much of each; the table
//! of weights is made from it at compile time, so that counting is a look-up and an addition a byte.

use super::cursor::plain_run;

/// Thousandths of a token that each thing costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    /// A word's beginning: a letter after none, or a capital after a small letter.
    pub word: u32,
    /// Each letter.
    pub letter: u32,
    /// Each digit: the vocabularies of the Qwen family have no numbers of two digits.
    pub digit: u32,
    /// The first of a run of the same sort of punctuation.
    pub punctuation_run: u32,
    /// Each character of punctuation.
    pub punctuation: u32,
    /// The first of a run of line breaks, and the first blank of an indentation.
    pub line_break: u32,
    /// Each blank or line break, besides: almost all of them are part of another token.
    pub blank: u32,
    /// Each control character.
    pub control: u32,
    /// Each character of two UTF-8 bytes: accented, Greek, Cyrillic, Arabic, Hebrew letters.
    pub two_bytes: u32,
    /// Each character of three: Chinese, Japanese, Korean, Indic scripts, typographic signs.
    pub three_bytes: u32,
    /// Each character of four: emoji.
    pub four_bytes: u32,
    /// Each message: its role and the marks around it.
    pub message: u32,
    /// Each request for text: the marks before the answer.
    pub request: u32,
    /// What a chat template says before the tools, where any are offered.
    pub tools: u32,
}

/// The factors in use. They err to the upper side: too small an estimate costs a refused request.
pub const FACTORS: Factors = Factors {
    word: 780,
    letter: 90,
    digit: 900,
    punctuation_run: 600,
    punctuation: 250,
    line_break: 700,
    blank: 20,
    control: 1_000,
    two_bytes: 450,
    three_bytes: 850,
    four_bytes: 2_000,
    message: 5_000,
    request: 3_000,
    tools: 100_000,
};

/// Sees what a cursor passes over.
pub(super) trait Meter {
    /// Takes bytes up to the first that a JSON string cannot hold as it is; answers how many.
    fn run(&mut self, bytes: &[u8]) -> usize;
    /// Takes a UTF-16 unit that was written as an escape.
    fn unit(&mut self, unit: u16);
    /// Takes a key, number or word.
    fn bare(&mut self, bytes: &[u8]);
    /// Takes a quote, bracket or brace.
    fn mark(&mut self);
}

/// Counts nothing.
impl Meter for () {
    fn run(&mut self, bytes: &[u8]) -> usize {
        plain_run(bytes)
    }
    fn unit(&mut self, _: u16) {}
    fn bare(&mut self, _: &[u8]) {}
    fn mark(&mut self) {}
}

/// The estimate so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    thousandths: u64,
    before: u8,
}

impl Tally {
    /// Nothing counted.
    pub const fn new() -> Self {
        Self { thousandths: 0, before: BLANK }
    }

    /// Adds one thing of a factor.
    pub const fn add(&mut self, factor: u32) {
        self.thousandths = self.thousandths.saturating_add(factor as u64);
    }

    /// Adds whole tokens.
    pub const fn add_tokens(&mut self, count: u64) {
        self.thousandths = self.thousandths.saturating_add(count.saturating_mul(1_000));
    }

    /// Begins another text: what came before does not touch it.
    pub const fn part(&mut self) {
        self.before = BLANK;
    }

    /// The estimate in whole tokens, rounded up.
    pub const fn tokens(&self) -> u64 {
        self.thousandths.div_ceil(1_000)
    }

    fn class(&mut self, class: u8) {
        self.thousandths += u64::from(weight_of(self.before, class));
        self.before = class;
    }
}

impl Meter for Tally {
    fn run(&mut self, bytes: &[u8]) -> usize {
        let mut before = self.before;
        let mut sum = 0;
        let mut length = 0;
        for &byte in bytes {
            let class = class_of(byte);
            if class == STOP {
                break;
            }
            sum += u64::from(weight_of(before, class));
            before = class;
            length += 1;
        }
        self.before = before;
        self.thousandths += sum;
        length
    }

    fn unit(&mut self, unit: u16) {
        self.class(match unit {
            0x22 | 0x5c => MARK,
            0x0a | 0x0d => BREAK,
            0x09 => BLANK,
            0x00..0x20 => CONTROL,
            0x20..0x80 => unit.to_le_bytes().first().map_or(CONTROL, |&byte| class_of(byte)),
            0x80..0x800 => TWO,
            0xd800..0xdc00 => FOUR,
            0xdc00..0xe000 => TAIL, // the low half of a pair that was counted
            0x800.. => THREE,
        });
    }

    fn bare(&mut self, bytes: &[u8]) {
        self.run(bytes);
    }

    fn mark(&mut self) {
        self.class(MARK);
    }
}

// The classes of bytes. STOP is what ends a run of a JSON string's own bytes.
const SMALL: u8 = 0;
const CAPITAL: u8 = 1;
const DIGIT: u8 = 2;
const BLANK: u8 = 3;
const BREAK: u8 = 4;
const MARK: u8 = 5;
const CONTROL: u8 = 6;
const TWO: u8 = 7;
const THREE: u8 = 8;
const FOUR: u8 = 9;
const TAIL: u8 = 10;
const STOP: u8 = 15;

static CLASSES: [u8; 256] = classes();
static WEIGHTS: [u32; 256] = weights(&FACTORS);

fn class_of(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(STOP)
}

fn weight_of(before: u8, class: u8) -> u32 {
    WEIGHTS.get(usize::from(before << 4 | class)).copied().unwrap_or(0)
}

#[expect(clippy::indexing_slicing, reason = "a byte is within 256")]
const fn classes() -> [u8; 256] {
    let mut table = [STOP; 256];
    let mut byte = 0x20_u8;
    loop {
        table[byte as usize] = match byte {
            b'a'..=b'z' => SMALL,
            b'A'..=b'Z' => CAPITAL,
            b'0'..=b'9' => DIGIT,
            b' ' => BLANK,
            b'"' | b'\\' => STOP,
            0x7f => CONTROL,
            0x00..0x80 => MARK,
            0x80..0xc0 => TAIL,
            0xc0..0xe0 => TWO,
            0xe0..0xf0 => THREE,
            0xf0.. => FOUR,
        };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

#[expect(clippy::indexing_slicing, reason = "two classes of four bits are within 256")]
const fn weights(factors: &Factors) -> [u32; 256] {
    let mut table = [0; 256];
    let mut pair = 0_u8;
    loop {
        table[pair as usize] = weight(factors, pair >> 4, pair & 15);
        if pair == u8::MAX {
            return table;
        }
        pair += 1;
    }
}

/// What a byte costs by its class and the class before it.
const fn weight(factors: &Factors, before: u8, class: u8) -> u32 {
    match (before, class) {
        (SMALL | CAPITAL | TAIL, SMALL) | (CAPITAL | TAIL, CAPITAL) => factors.letter,
        (_, SMALL | CAPITAL) => factors.word + factors.letter,
        (_, DIGIT) => factors.digit,
        (MARK, MARK) => factors.punctuation,
        (_, MARK) => factors.punctuation_run + factors.punctuation,
        (BREAK, BREAK) => factors.blank,
        (_, BREAK) | (BREAK, BLANK) => factors.line_break + factors.blank,
        (_, BLANK) => factors.blank,
        (_, CONTROL) => factors.control,
        (_, TWO) => factors.two_bytes,
        (_, THREE) => factors.three_bytes,
        (_, FOUR) => factors.four_bytes,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
