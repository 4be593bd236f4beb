//! The classes of bytes, and what each class weighs behind another: tables, made at compile time of the factors.

use super::super::text::short_escape;
use super::{FACTORS, Factors, RARE_LETTERS};

// The classes of bytes. STOP is what ends a run of a JSON string's own bytes.
pub(super) const COMMON: u8 = 0;
const RARE: u8 = 1;
const CAPITAL: u8 = 2;
const DIGIT: u8 = 3;
pub(super) const BLANK: u8 = 4;
pub(super) const MARK: u8 = 5;
const CONTROL: u8 = 6;
/// A string has it in escapes only. The last of those that ASCII text can be in.
pub(super) const BREAK: u8 = 7;
const LATIN: u8 = 8;
const TWO: u8 = 9;
const CJK: u8 = 10;
const INDIC: u8 = 11;
const THREE: u8 = 12;
pub(super) const FOUR: u8 = 13;
pub(super) const TAIL: u8 = 14;
pub(super) const STOP: u8 = 15;

/// The classes of two bytes of which one is a [`STOP`].
pub(super) const STOPS: u8 = STOP << 4 | STOP;

static CLASSES: [u8; 256] = classes();
static WEIGHTS: [u32; 256] = weights(&FACTORS);
/// By two bytes, little-endian: their classes, the first one's in the upper half. Text touches a few
/// kilobytes of it.
static CLASSES_OF_TWO: [u8; 1 << 16] = classes_of_two();
/// By a class and the two behind it: what those two weigh.
static WEIGHTS_OF_TWO: [u16; 1 << 12] = weights_of_two(&FACTORS);

/// What the weights in [`WEIGHT_ROWS`] are counted in, in thousandths of a token: the fit rounds to it, and
/// so each of them fits into a byte.
pub(super) const UNIT: u64 = 10;
/// The classes again: by the upper half of a byte, by its lower half.
pub(super) const CLASS_ROWS: [[u8; 16]; 16] = class_rows();
/// The weights again: by a class, by the one before it, in [`UNIT`]s.
pub(super) const WEIGHT_ROWS: [[u8; 16]; 16] = weight_rows(&FACTORS);
/// For ASCII alone: the classes in their bits 3 to 5, [`BREAK`] in the place of [`STOP`].
pub(super) const ASCII_ROWS: [[u8; 16]; 8] = ascii_rows();
/// For the letters of escapes, but for `u`: as [`ASCII_ROWS`], [`NO_ESCAPE`] where there is none; `None` is a
/// row of those.
pub(super) const ESCAPE_ROWS: [Option<[u8; 16]>; 8] = escape_rows();
pub(super) const NO_ESCAPE: u8 = u8::MAX;
/// For ASCII alone: the weights, by three bits of a class and three of the one before it, a half of a byte a row.
pub(super) const ASCII_PAIRS: [[u8; 16]; 4] = ascii_pairs();

#[expect(clippy::indexing_slicing, reason = "a byte is within 256")]
pub(super) const fn class_of(byte: u8) -> u8 {
    CLASSES[byte as usize]
}

pub(super) fn classes_of(pair: [u8; 2]) -> u8 {
    CLASSES_OF_TWO.get(usize::from(u16::from_le_bytes(pair))).copied().unwrap_or(STOPS)
}

pub(super) fn weight_of_two(before: u8, classes: u8) -> u16 {
    WEIGHTS_OF_TWO.get(usize::from(before) << 8 | usize::from(classes)).copied().unwrap_or(0)
}

/// The class of a character below U+0080 that was written as an escape.
pub(super) const fn escaped(byte: u8) -> u8 {
    match byte {
        b'\n' | b'\r' => BREAK,
        b'"' | b'\\' => MARK,
        b'\t' => BLANK,
        0x00..0x20 => CONTROL,
        _ => class_of(byte),
    }
}

/// The class of a UTF-16 unit from U+0080 on: that of the byte that its character begins with in UTF-8.
pub(super) const fn lead_of(unit: u16) -> u8 {
    match unit {
        0x00..0x2c0 => LATIN,
        0x2c0..0x800 => TWO,
        0x800..0x2000 => INDIC,
        0x3000..0xa000 => CJK,
        0xd800..0xe000 => FOUR,
        0x2000.. => THREE,
    }
}

pub(super) fn weight_of(before: u8, class: u8) -> u32 {
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

#[expect(clippy::indexing_slicing, reason = "two halves of a byte are within 16 rows of 16")]
const fn class_rows() -> [[u8; 16]; 16] {
    let (single, mut rows) = (classes(), [[STOP; 16]; 16]);
    let mut byte = 0;
    while byte < single.len() {
        rows[byte >> 4][byte & 0x0f] = single[byte];
        byte += 1;
    }
    rows
}

#[expect(clippy::indexing_slicing, reason = "two classes of four bits are within 16 rows of 16")]
#[expect(clippy::cast_possible_truncation, reason = "compared before: it ends the compiler otherwise")]
const fn weight_rows(factors: &Factors) -> [[u8; 16]; 16] {
    let (single, mut rows) = (weights(factors), [[0; 16]; 16]);
    let mut pair = 0;
    while pair < single.len() {
        let units = single[pair] as u64 / UNIT;
        assert!(units * UNIT == single[pair] as u64 && units <= u8::MAX as u64, "no byte's worth of units");
        rows[pair & 0x0f][pair >> 4] = units as u8;
        pair += 1;
    }
    rows
}

#[expect(clippy::indexing_slicing, reason = "seven bits are within 8 rows of 16")]
const fn ascii_rows() -> [[u8; 16]; 8] {
    let (single, mut rows) = (classes(), [[0; 16]; 8]);
    let mut byte = 0;
    while byte < 0x80 {
        let class = if single[byte] == STOP { BREAK } else { single[byte] };
        assert!(class <= BREAK, "a class of ASCII has three bits");
        rows[byte >> 4][byte & 0x0f] = class << 3;
        byte += 1;
    }
    rows
}

#[expect(clippy::indexing_slicing, reason = "seven bits are within 8 rows of 16")]
const fn escape_rows() -> [Option<[u8; 16]>; 8] {
    let mut rows = [None; 8];
    let mut letter = 0_u8;
    while letter < 0x80 {
        if let Some(byte) = short_escape(letter) {
            let row = (letter >> 4) as usize;
            let mut places = match rows[row] {
                Some(places) => places,
                None => [NO_ESCAPE; 16],
            };
            let class = escaped(byte);
            assert!(class <= BREAK, "a class of ASCII has three bits");
            places[(letter & 0x0f) as usize] = class << 3;
            rows[row] = Some(places);
        }
        letter += 1;
    }
    rows
}

#[expect(clippy::indexing_slicing, reason = "two classes of three bits are within 4 rows of 16")]
const fn ascii_pairs() -> [[u8; 16]; 4] {
    let (all, mut rows) = (weight_rows(&FACTORS), [[0; 16]; 4]);
    let mut pair = 0;
    while pair < 64 {
        rows[pair >> 4][pair & 0x0f] = all[pair >> 3][pair & 7];
        pair += 1;
    }
    rows
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
