//! The token estimate: every byte weighs by its class and the class before it. No tokenizer.
//!
//! A byte-pair vocabulary knows short words whole, joins a word and the blank before it, and cuts
//! where the sort of character changes. So a thing costs something by itself and something for the
//! boundary before it; [`Factors`] says how much. The table of weights is made from it at compile
//! time, so that counting is a look-up and an addition a byte. The factors are fitted, by
//! `tools/tokens/run`, to two real vocabularies; `docs/tokens.md` has the errors.

mod classes;
mod vector;

use super::cursor::plain_run;
use classes::{
    BLANK, MARK, STOP, STOPS, TAIL, class_of, classes_of, escaped, lead_of, weight_of, weight_of_two,
};

/// Thousandths of a token that each thing costs. What a vocabulary joins to its neighbour costs little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    /// A word's beginning: a letter after none, and after no digit.
    pub word: u32,
    /// A capital after a small letter: `fooBar`.
    pub hump: u32,
    /// A small letter after a capital.
    pub after_capital: u32,
    /// A letter after a digit.
    pub after_digit: u32,
    /// Each small letter that is not a rare one.
    pub letter: u32,
    /// Each small letter of `RARE_LETTERS`.
    pub rare_letter: u32,
    /// Each capital.
    pub capital: u32,
    /// A number's beginning: a digit after none, and after no letter.
    pub number: u32,
    /// A digit after a letter.
    pub digit_in_word: u32,
    /// Each digit: the vocabularies of the Qwen family have no numbers of two.
    pub digit: u32,
    /// The first of a run of punctuation.
    pub mark_run: u32,
    /// Each character of punctuation.
    pub mark: u32,
    /// The first of a run of line breaks, unless punctuation stands before it.
    pub line_break: u32,
    /// The first of a run of line breaks after punctuation: often part of one token with it.
    pub break_after_mark: u32,
    /// The first blank of an indentation.
    pub indentation: u32,
    /// The first blank of a run within a line.
    pub space: u32,
    /// Each further blank or line break of a run.
    pub blank: u32,
    /// Each control character.
    pub control: u32,
    /// Each Latin letter of two UTF-8 bytes: accented ones.
    pub accented: u32,
    /// The first of a run of other characters of two bytes.
    pub two_bytes_run: u32,
    /// Each other character of two: Greek, Cyrillic, Arabic, Hebrew letters.
    pub two_bytes: u32,
    /// The first of a run of Chinese or Japanese characters.
    pub cjk_run: u32,
    /// Each Chinese or Japanese character, and their punctuation.
    pub cjk: u32,
    /// Each character of the scripts of India and its neighbours.
    pub indic: u32,
    /// The first of a run of other characters of three bytes.
    pub three_bytes_run: u32,
    /// Each other character of three: Korean, typographic signs.
    pub three_bytes: u32,
    /// Each character of four: emoji.
    pub four_bytes: u32,
    /// Each quote, bracket and brace of JSON that counts, besides: what joins its parts is not seen.
    pub structure: u32,
    /// Each message: its role and the marks around it.
    pub message: u32,
    /// Each request for text: the marks before the answer.
    pub request: u32,
    /// What a chat template says before the tools, where any are offered.
    pub tools: u32,
}

/// The factors in use, as `tools/tokens/run` prints them.
pub const FACTORS: Factors = Factors {
    word: 170,
    hump: 490,
    after_capital: 370,
    after_digit: 1_570,
    letter: 60,
    rare_letter: 380,
    capital: 220,
    number: 320,
    digit_in_word: 480,
    digit: 820,
    mark_run: 730,
    mark: 170,
    line_break: 1_600,
    break_after_mark: 460,
    indentation: 550,
    space: 380,
    blank: 10,
    control: 1_000,
    accented: 2_250,
    two_bytes_run: 200,
    two_bytes: 220,
    cjk_run: 460,
    cjk: 610,
    indic: 690,
    three_bytes_run: 900,
    three_bytes: 370,
    four_bytes: 2_200,
    structure: 520,
    message: 5_000,
    request: 3_000,
    tools: 80_000,
};

/// Small letters that seldom stand in the pieces that vocabularies know: each cuts a word more often.
const RARE_LETTERS: &[u8] = b"bghjkvwz";

/// Sees what a cursor passes over.
pub(super) trait Meter {
    /// Takes bytes up to the first that a JSON string cannot hold as it is; answers how many.
    fn run(&mut self, bytes: &[u8]) -> usize;
    /// Takes a UTF-16 unit that was written as an escape.
    fn unit(&mut self, unit: u16);
    /// Takes bytes and escapes of one letter, in a string that has escapes, as far as that is quicker than
    /// each by itself; answers how many bytes that are.
    fn mixed(&mut self, bytes: &[u8]) -> usize;
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
    fn mixed(&mut self, _: &[u8]) -> usize {
        0
    }
    fn bare(&mut self, _: &[u8]) {}
    fn mark(&mut self) {}
}

/// The estimate so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    thousandths: u64,
    before: u8,
    /// So many escapes are left to themselves before vectors are tried again behind one,
    rest: u8,
    /// and so many the next time that it does not pay.
    next_rest: u8,
}

impl Tally {
    /// Nothing counted.
    pub const fn new() -> Self {
        Self { thousandths: 0, before: BLANK, rest: 0, next_rest: 1 }
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

    /// As [`Tally::pairs`], in vectors as far as that goes.
    #[inline(never)]
    fn long(&mut self, bytes: &[u8]) -> usize {
        let passed = vector::count::<false>(bytes, self);
        passed + self.pairs(bytes.get(passed..).unwrap_or_default())
    }

    /// Counts up to the first byte that ends a run; answers how many bytes that are.
    #[inline(always)]
    fn pairs(&mut self, bytes: &[u8]) -> usize {
        let (mut before, mut sum, mut length) = (self.before, 0, 0);
        // Two bytes a step: one look-up for their classes, one for their weight.
        let (pairs, _) = bytes.as_chunks::<2>();
        for &pair in pairs {
            let classes = classes_of(pair);
            if classes == STOPS {
                break;
            }
            sum += u64::from(weight_of_two(before, classes));
            before = classes & 0x0f;
            length += 2;
        }
        let last = bytes.get(length).map_or(STOP, |&byte| class_of(byte));
        if last != STOP {
            sum += u64::from(weight_of(before, last));
            before = last;
            length += 1;
        }
        self.before = before;
        self.thousandths += sum;
        length
    }
}

/// Bytes that are counted in pairs before vectors are worth it.
const SHORT: usize = 32;

/// Escapes between two attempts at most: one in so many costs little, and text that changes is soon noticed.
const MOST_REST: u8 = 64;

impl Meter for Tally {
    fn run(&mut self, bytes: &[u8]) -> usize {
        let short = bytes.get(..SHORT).unwrap_or(bytes);
        let length = self.pairs(short);
        if length < SHORT { length } else { length + self.long(bytes.get(SHORT..).unwrap_or_default()) }
    }

    fn unit(&mut self, unit: u16) {
        if let Ok(byte @ 0x00..0x80) = u8::try_from(unit) {
            return self.class(escaped(byte));
        }
        if matches!(unit, 0xdc00..0xe000) {
            return; // the low half of a pair that was counted
        }
        self.class(lead_of(unit));
        self.before = TAIL;
    }

    fn mixed(&mut self, bytes: &[u8]) -> usize {
        if self.rest > 0 {
            self.rest -= 1;
            return 0;
        }
        let passed = vector::count::<true>(bytes, self);
        // Where strings are short, or what vectors stop at is near, trying costs more than it gains.
        if passed < vector::BLOCK / 2 {
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(MOST_REST);
        } else {
            self.next_rest = 1;
        }
        passed
    }

    fn bare(&mut self, bytes: &[u8]) {
        self.run(bytes);
    }

    fn mark(&mut self) {
        self.class(MARK);
        self.add(FACTORS.structure);
    }
}

#[cfg(test)]
mod tests;
