//! The token estimate: every byte weighs by its class and the class before it. No tokenizer.
//!
//! A byte-pair vocabulary knows short words whole, joins a word and the blank before it, and cuts
//! where the sort of character changes. So a thing costs something by itself and something for the
//! boundary before it; [`Factors`] says how much. The table of weights is made from it at compile
//! time, so that counting is a look-up and an addition a byte. The factors are fitted, by
//! `tools/tokens/run`, to two real vocabularies; `docs/tokens.md` has the errors.

use super::cursor::plain_run;

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

    fn bare(&mut self, bytes: &[u8]) {
        self.run(bytes);
    }

    fn mark(&mut self) {
        self.class(MARK);
        self.add(FACTORS.structure);
    }
}

// The classes of bytes. STOP is what ends a run of a JSON string's own bytes.
const COMMON: u8 = 0;
const RARE: u8 = 1;
const CAPITAL: u8 = 2;
const DIGIT: u8 = 3;
const BLANK: u8 = 4;
const BREAK: u8 = 5;
const MARK: u8 = 6;
const CONTROL: u8 = 7;
const LATIN: u8 = 8;
const TWO: u8 = 9;
const CJK: u8 = 10;
const INDIC: u8 = 11;
const THREE: u8 = 12;
const FOUR: u8 = 13;
const TAIL: u8 = 14;
const STOP: u8 = 15;

/// The classes of two bytes of which one is a [`STOP`].
const STOPS: u8 = STOP << 4 | STOP;

static CLASSES: [u8; 256] = classes();
static WEIGHTS: [u32; 256] = weights(&FACTORS);
/// By two bytes, little-endian: their classes, the first one's in the upper half. Text touches a few
/// kilobytes of it.
static CLASSES_OF_TWO: [u8; 1 << 16] = classes_of_two();
/// By a class and the two behind it: what those two weigh.
static WEIGHTS_OF_TWO: [u16; 1 << 12] = weights_of_two(&FACTORS);

fn class_of(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(STOP)
}

fn classes_of(pair: [u8; 2]) -> u8 {
    CLASSES_OF_TWO.get(usize::from(u16::from_le_bytes(pair))).copied().unwrap_or(STOPS)
}

fn weight_of_two(before: u8, classes: u8) -> u16 {
    WEIGHTS_OF_TWO.get(usize::from(before) << 8 | usize::from(classes)).copied().unwrap_or(0)
}

/// The class of a character below U+0080 that was written as an escape.
fn escaped(byte: u8) -> u8 {
    match byte {
        b'\n' | b'\r' => BREAK,
        b'"' | b'\\' => MARK,
        b'\t' => BLANK,
        0x00..0x20 => CONTROL,
        _ => class_of(byte),
    }
}

/// The class of a UTF-16 unit from U+0080 on: that of the byte that its character begins with in UTF-8.
const fn lead_of(unit: u16) -> u8 {
    match unit {
        0x00..0x2c0 => LATIN,
        0x2c0..0x800 => TWO,
        0x800..0x2000 => INDIC,
        0x3000..0xa000 => CJK,
        0xd800..0xe000 => FOUR,
        0x2000.. => THREE,
    }
}

fn weight_of(before: u8, class: u8) -> u32 {
    WEIGHTS.get(usize::from(before << 4 | class)).copied().unwrap_or(0)
}

#[expect(clippy::indexing_slicing, reason = "a byte is within 256, and the place within the letters")]
const fn classes() -> [u8; 256] {
    let mut table = [STOP; 256];
    let mut byte = 0x20_u8;
    loop {
        table[byte as usize] = class(byte);
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    let mut place = 0;
    while place < RARE_LETTERS.len() {
        table[RARE_LETTERS[place] as usize] = RARE;
        place += 1;
    }
    table
}

/// The class of a byte that is no control character below a blank.
const fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => COMMON,
        b'A'..=b'Z' => CAPITAL,
        b'0'..=b'9' => DIGIT,
        b' ' => BLANK,
        b'"' | b'\\' => STOP,
        0x7f => CONTROL,
        0x00..0x80 => MARK,
        0x80..0xc0 => TAIL,
        0xc0..0xcb => LATIN,
        0xcb..0xe0 => TWO,
        0xe0..0xe2 => INDIC,
        0xe3..0xea => CJK,
        0xe2 | 0xea..0xf0 => THREE,
        0xf0.. => FOUR,
    }
}

#[expect(clippy::indexing_slicing, reason = "two classes of four bits are within 256")]
const fn weights(factors: &Factors) -> [u32; 256] {
    let mut table = [0; 256];
    let mut pair = 0_u8;
    loop {
        table[pair as usize] = own(factors, pair >> 4, pair & 15) + boundary(factors, pair >> 4, pair & 15);
        if pair == u8::MAX {
            return table;
        }
        pair += 1;
    }
}

#[expect(clippy::indexing_slicing, reason = "two bytes are within 65,536, and each of them within 256")]
const fn classes_of_two() -> [u8; 1 << 16] {
    let (single, mut table) = (classes(), [STOPS; 1 << 16]);
    let mut pair = 0;
    while pair < table.len() {
        let (first, second) = (single[pair & 0xff], single[pair >> 8]);
        if first != STOP && second != STOP {
            table[pair] = first << 4 | second;
        }
        pair += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "three classes of four bits are within 4,096")]
#[expect(clippy::cast_possible_truncation, reason = "compared before: it ends the compiler otherwise")]
const fn weights_of_two(factors: &Factors) -> [u16; 1 << 12] {
    let (single, mut table) = (weights(factors), [0; 1 << 12]);
    let mut three = 0;
    while three < table.len() {
        let weight = single[three >> 4] + single[three & 0xff];
        assert!(weight <= u16::MAX as u32, "two bytes weigh more than the table holds");
        table[three] = weight as u16;
        three += 1;
    }
    table
}

/// What a byte costs by itself; blanks and line breaks only where others stand before them.
const fn own(factors: &Factors, before: u8, class: u8) -> u32 {
    match (before, class) {
        (_, COMMON) => factors.letter,
        (_, RARE) => factors.rare_letter,
        (_, CAPITAL) => factors.capital,
        (_, DIGIT) => factors.digit,
        (_, MARK) => factors.mark,
        (BLANK | BREAK, BLANK | BREAK) => factors.blank,
        (_, CONTROL) => factors.control,
        (_, LATIN) => factors.accented,
        (_, TWO) => factors.two_bytes,
        (_, CJK) => factors.cjk,
        (_, INDIC) => factors.indic,
        (_, THREE) => factors.three_bytes,
        (_, FOUR) => factors.four_bytes,
        _ => 0,
    }
}

/// What it costs besides, because of what stands before it.
const fn boundary(factors: &Factors, before: u8, class: u8) -> u32 {
    match (before, class) {
        (COMMON | RARE, CAPITAL) => factors.hump,
        (CAPITAL, COMMON | RARE) => factors.after_capital,
        (DIGIT, COMMON | RARE | CAPITAL) => factors.after_digit,
        (COMMON | RARE | CAPITAL, DIGIT) => factors.digit_in_word,
        (COMMON | RARE | CAPITAL | TAIL, COMMON | RARE | CAPITAL)
        | (DIGIT, DIGIT)
        | (MARK, MARK)
        | (BREAK, BREAK)
        | (BLANK, BLANK) => 0,
        (_, COMMON | RARE | CAPITAL) => factors.word,
        (_, DIGIT) => factors.number,
        (_, MARK) => factors.mark_run,
        (MARK, BREAK) => factors.break_after_mark,
        (BREAK, BLANK) => factors.indentation,
        (_, BREAK) => factors.line_break,
        (_, BLANK) => factors.space,
        (TAIL, _) => 0, // a character of the same run, as a rule
        (_, TWO) => factors.two_bytes_run,
        (_, CJK) => factors.cjk_run,
        (_, THREE) => factors.three_bytes_run,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
