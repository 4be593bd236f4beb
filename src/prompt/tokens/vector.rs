//! Counting 32 bytes at a time, where the processor can look bytes up in vectors: the same classes and
//! weights as byte by byte, out of the same tables.
//!
//! `fearless_simd` finds out at run time what the processor has. A vector looks up one of 16 values for each
//! of its bytes, so a table of 256 is 16 rows, and each byte picks its row. ASCII has few classes and takes
//! few rows; a block with anything else in it goes through all of them.

use fearless_simd::{Level, dispatch, i8x32, mask8x32, prelude::*, u8x16, u8x32, u16x16};

use super::Tally;
use super::classes::{
    ASCII_PAIRS, ASCII_ROWS, BREAK, CLASS_ROWS, ESCAPE_ROWS, NO_ESCAPE, STOP, UNIT, WEIGHT_ROWS,
};

/// Bytes a step.
pub(super) const BLOCK: usize = 32;

/// Blocks whose weights fit into sums of 16 bits: two weights of a byte each make 510 at most.
const MOST: usize = 128;

/// Whether the processor can: x86 from SSE 4.2 on, 64-bit ARM.
fn shuffles(level: Level) -> bool {
    match level {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Level::Sse2(_) => false,
        _ => !level.is_fallback(),
    }
}

/// Counts up to the first byte that ends a run, or until less than [`BLOCK`] bytes are left; answers how
/// many bytes it passed. 0 also where the processor cannot. With `ESCAPES` those of one letter are part of the
/// run, and what is counted for them is what they stand for.
pub(super) fn count<const ESCAPES: bool>(bytes: &[u8], tally: &mut Tally) -> usize {
    count_at::<ESCAPES>(Level::new(), bytes, tally)
}

fn count_at<const ESCAPES: bool>(level: Level, bytes: &[u8], tally: &mut Tally) -> usize {
    if !shuffles(level) {
        return 0;
    }
    let mut passed = 0;
    while let (blocks @ [first, ..], _) = bytes.get(passed..).unwrap_or_default().as_chunks::<BLOCK>() {
        let before = tally.before;
        let stretch = if before <= BREAK && first.is_ascii() {
            dispatch!(level, simd => ascii_stretch::<_, ESCAPES>(simd, blocks, before))
        } else {
            dispatch!(level, simd => other_stretch::<_, ESCAPES>(simd, blocks, before))
        };
        tally.thousandths += stretch.weight * UNIT;
        tally.before = stretch.last;
        passed += stretch.length;
        if stretch.stopped {
            break;
        }
    }
    passed
}

/// How far it went through blocks of one kind.
struct Stretch {
    /// In bytes.
    length: usize,
    /// Whether what stands behind it ends the run.
    stopped: bool,
    /// What its bytes weigh, in [`UNIT`]s.
    weight: u64,
    /// The class of its last byte, or of what came before it.
    last: u8,
}

/// Goes on to the first block that is not all ASCII. No class is above [`BREAK`], which for a byte of its own
/// stands for [`STOP`]: text has line breaks in escapes only.
#[inline(always)]
fn ascii_stretch<S: Simd, const ESCAPES: bool>(simd: S, blocks: &[[u8; BLOCK]], before: u8) -> Stretch {
    let mut classes = u8x32::splat(simd, before << 3);
    let mut sum = Sum::new(simd);
    for block in blocks {
        let text = u8x32::load_array_ref(simd, block);
        let signed: i8x32<S> = text.bitcast();
        if signed.simd_lt(0).any_true() {
            return sum.stretch(false, at(classes, BLOCK - 1) >> 3);
        }
        let low = text & 0x0f;
        let row = |row: usize| look_up(simd, &ASCII_ROWS, row, low);
        let odd = (text & 0x10).simd_eq(0x10);
        let digits = odd.select(row(3), row(2));
        let capitals = odd.select(row(5), row(4));
        let small = odd.select(row(7), row(6));
        let letters = signed.simd_gt(0x5f).select(small, capitals);
        let before = classes;
        classes = signed.simd_gt(0x3f).select(letters, digits);
        let mut stops = (signed.simd_lt(0x20) | classes.simd_eq(BREAK << 3)).to_bitmask();

        let slashes = if ESCAPES { text.simd_eq(b'\\') } else { mask8x32::splat(simd, false) };
        let mut openings = mask8x32::splat(simd, false);
        if ESCAPES && slashes.any_true() {
            let escapes = Escapes::of(simd, text, slashes);
            (classes, stops) = escapes.put(escapes.classes, before, classes, stops);
            openings = escapes.openings;
        }
        let behind = before.slide::<{ BLOCK - 1 }>(classes);
        let pairs = classes | (behind >> 3);
        let weights = openings.select(u8x32::splat(simd, 0), ascii_weights(simd, pairs));
        if !sum.add(weights, stops) {
            return sum.stretch(true, at(behind, stops.trailing_zeros() as usize) >> 3);
        }
    }
    sum.stretch(false, at(classes, BLOCK - 1) >> 3)
}

/// What the pairs of a class and the one before weigh.
#[inline(always)]
fn ascii_weights<S: Simd>(simd: S, pairs: u8x32<S>) -> u8x32<S> {
    let places = pairs & 0x0f;
    let row = |row: usize| look_up(simd, &ASCII_PAIRS, row, places);
    let pairs: i8x32<S> = pairs.bitcast();
    let words = pairs.simd_gt(0x0f).select(row(1), row(0));
    let others = pairs.simd_gt(0x2f).select(row(3), row(2));
    pairs.simd_gt(0x1f).select(others, words)
}

/// The escapes of a block, which begins with none half done.
struct Escapes<S: Simd> {
    /// The backslashes that open them.
    openings: mask8x32<S>,
    /// The letters behind those.
    letters: mask8x32<S>,
    /// What class they are, in the places of ASCII's.
    classes: u8x32<S>,
    /// The bytes of both.
    bytes: u64,
    /// Where the block cannot be gone on with: `\u`, what is no escape, an opening whose letter is in the
    /// next block.
    stops: u64,
}

impl<S: Simd> Escapes<S> {
    #[inline(always)]
    fn of(simd: S, text: u8x32<S>, slashes: mask8x32<S>) -> Self {
        let (openings, letters) = turns(slashes.to_bitmask());
        let letters = letters & u64::from(u32::MAX);
        let (high, low) = (text >> 4, text & 0x0f);
        let mut classes = u8x32::splat(simd, NO_ESCAPE);
        for (row, table) in (0_u8..).zip(&ESCAPE_ROWS) {
            if let Some(table) = table {
                let values = u8x32::block_splat(u8x16::load_array(simd, *table));
                classes = high.simd_eq(row).select(values.swizzle_dyn_within_blocks(low), classes);
            }
        }
        let unknown = classes.simd_eq(NO_ESCAPE).to_bitmask() & letters;
        let last = openings & 1 << (BLOCK - 1);
        Self {
            openings: mask8x32::from_bitmask(simd, openings),
            letters: mask8x32::from_bitmask(simd, letters),
            classes,
            bytes: openings | letters,
            stops: unknown >> 1 | last,
        }
    }

    /// Puts them into the classes and stops of single bytes; `own` are their classes in the places of those.
    #[inline(always)]
    fn put(&self, own: u8x32<S>, before: u8x32<S>, classes: u8x32<S>, stops: u64) -> (u8x32<S>, u64) {
        let classes = self.letters.select(own, classes);
        // An opening is of no class: what stands before its letter is what stands before it.
        let classes = self.openings.select(before.slide::<{ BLOCK - 1 }>(classes), classes);
        (classes, stops & !self.bytes | self.stops)
    }
}

/// Which of these backslashes open an escape, and what stands behind those: in a row of them they take turns.
///
/// A row that begins at an even place opens at its even places, one at an odd place at its odd ones. Subtracting
/// carries through a row, so one step does all of them: as in Langdale and Lemire, "Parsing gigabytes of JSON
/// per second", 2019, section 3.1.1, in the shape simdjson gave it later.
const fn turns(slashes: u64) -> (u64, u64) {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    // the openings, and the first place behind each row that has an odd number of backslashes
    let seen = (slashes << 1 | ODD).wrapping_sub(slashes) ^ ODD;
    (seen & slashes, seen ^ slashes)
}

/// Goes on to the first block that is all ASCII, past the first in any case.
#[inline(always)]
fn other_stretch<S: Simd, const ESCAPES: bool>(simd: S, blocks: &[[u8; BLOCK]], before: u8) -> Stretch {
    let mut classes = u8x32::splat(simd, before);
    let mut sum = Sum::new(simd);
    for block in blocks {
        let text = u8x32::load_array_ref(simd, block);
        if sum.length > 0 && text.simd_lt(0x80).all_true() {
            return sum.stretch(false, at(classes, BLOCK - 1));
        }
        let before = classes;
        classes = pick(simd, &CLASS_ROWS, text >> 4, text & 0x0f);
        let mut stops = classes.simd_eq(STOP).to_bitmask();

        let slashes = if ESCAPES { text.simd_eq(b'\\') } else { mask8x32::splat(simd, false) };
        let mut openings = mask8x32::splat(simd, false);
        if ESCAPES && slashes.any_true() {
            let escapes = Escapes::of(simd, text, slashes);
            // What is no escape is a STOP here.
            (classes, stops) = escapes.put(escapes.classes >> 3 & 0x0f, before, classes, stops);
            openings = escapes.openings;
        }
        let behind = before.slide::<{ BLOCK - 1 }>(classes);
        let weights = openings.select(u8x32::splat(simd, 0), pick(simd, &WEIGHT_ROWS, classes, behind));
        if !sum.add(weights, stops) {
            return sum.stretch(true, at(behind, stops.trailing_zeros() as usize));
        }
    }
    sum.stretch(false, at(classes, BLOCK - 1))
}

/// The class at a place of a block.
#[inline(always)]
fn at<S: Simd>(classes: u8x32<S>, place: usize) -> u8 {
    let classes: [u8; BLOCK] = classes.into();
    classes.get(place).copied().unwrap_or(STOP)
}

/// What has been counted.
struct Sum<S: Simd> {
    simd: S,
    length: usize,
    weight: u64,
    /// What is not in `weight` yet, and of how many blocks.
    weights: u16x16<S>,
    blocks: usize,
}

impl<S: Simd> Sum<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        Self { simd, length: 0, weight: 0, weights: u16x16::splat(simd, 0), blocks: 0 }
    }

    /// Adds a block up to its first stop; false where it has one.
    #[inline(always)]
    fn add(&mut self, weights: u8x32<S>, stops: u64) -> bool {
        if self.blocks == MOST {
            self.flush();
        }
        self.blocks += 1;
        if stops == 0 {
            self.weights += weights.pairwise_widening_add();
            self.length += BLOCK;
            return true;
        }
        let kept = mask8x32::from_bitmask(self.simd, !stops & (stops - 1));
        self.weights += kept.select(weights, u8x32::splat(self.simd, 0)).pairwise_widening_add();
        self.length += stops.trailing_zeros() as usize;
        false
    }

    #[inline(always)]
    fn flush(&mut self) {
        let weights: [u16; 16] = std::mem::replace(&mut self.weights, u16x16::splat(self.simd, 0)).into();
        self.weight += weights.into_iter().map(u64::from).sum::<u64>();
        self.blocks = 0;
    }

    #[inline(always)]
    fn stretch(mut self, stopped: bool, last: u8) -> Stretch {
        self.flush();
        Stretch { length: self.length, stopped, weight: self.weight, last }
    }
}

/// What the row of `table` that `rows` names has at `places`.
#[inline(always)]
fn pick<S: Simd>(simd: S, table: &[[u8; 16]; 16], rows: u8x32<S>, places: u8x32<S>) -> u8x32<S> {
    let mut picked = u8x32::splat(simd, 0);
    for row in 0..16_u8 {
        picked = rows.simd_eq(row).select(look_up(simd, table, usize::from(row), places), picked);
    }
    picked
}

/// What a row of `table`, which must have it, has at `places`, which are below 16.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the rows are named here, and all are there")]
fn look_up<S: Simd>(simd: S, table: &[[u8; 16]], row: usize, places: u8x32<S>) -> u8x32<S> {
    u8x32::block_splat(u8x16::load_array(simd, table[row])).swizzle_dyn_within_blocks(places)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// On all that this processor is at least, and that looks bytes up.
    pub fn counts<const ESCAPES: bool>(bytes: &[u8], before: u8) -> Vec<(usize, u8, u64)> {
        let mut levels = vec![Level::new()];
        #[cfg(target_arch = "x86_64")]
        levels.extend(Level::new().as_sse4_2().map(Level::Sse4_2));
        let counted = levels.into_iter().filter(|&level| shuffles(level)).map(|level| {
            let mut tally = Tally { before, ..Tally::new() };
            (count_at::<ESCAPES>(level, bytes, &mut tally), tally.before, tally.thousandths)
        });
        counted.collect()
    }

    #[test]
    fn in_a_row_of_backslashes_they_take_turns() {
        let one_by_one = |slashes: u64| {
            let (mut openings, mut letters) = (0, 0);
            for place in 0..BLOCK {
                if letters >> place & 1 == 0 && slashes >> place & 1 == 1 {
                    openings |= 1 << place;
                    letters |= 2 << place;
                }
            }
            (openings, letters)
        };
        for row in 0..=u64::from(u16::MAX) {
            for slashes in [row, row << 16 | row, row << 15] {
                let slashes = slashes & u64::from(u32::MAX);
                assert_eq!(turns(slashes), one_by_one(slashes), "{slashes:032b}");
            }
        }
    }
}
