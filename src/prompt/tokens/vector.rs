//! Counting 32 bytes at a time, where the processor can look bytes up in vectors: the same classes and
//! weights as byte by byte, out of the same tables.
//!
//! `fearless_simd` finds out at run time what the processor has. A vector looks up one of 16 values for each
//! of its bytes, so a table of 256 is 16 rows, and each byte picks its row. ASCII has few classes and takes
//! few rows; a block with anything else in it goes through all of them.

use fearless_simd::{Level, dispatch, i8x32, mask8x32, prelude::*, u8x16, u8x32, u16x16};

use super::Run;
use super::classes::{ASCII_PAIRS, ASCII_ROWS, BREAK, CLASS_ROWS, STOP, UNIT, WEIGHT_ROWS, class_of};

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
/// many bytes it passed. 0 also where the processor cannot.
pub(super) fn count(bytes: &[u8], run: &mut Run) -> usize {
    count_at(Level::new(), bytes, run)
}

fn count_at(level: Level, bytes: &[u8], run: &mut Run) -> usize {
    if !shuffles(level) {
        return 0;
    }
    let mut passed = 0;
    let mut ascii = true;
    while let (blocks @ [_, ..], _) = bytes.get(passed..).unwrap_or_default().as_chunks::<BLOCK>() {
        let before = run.before;
        let stretch = if ascii && before <= BREAK {
            dispatch!(level, simd => ascii_stretch(simd, blocks, before))
        } else {
            dispatch!(level, simd => other_stretch(simd, blocks, before))
        };
        run.sum += stretch.weight * UNIT;
        if let Some(&last) = blocks.as_flattened().get(..stretch.length).and_then(<[u8]>::last) {
            run.before = class_of(last);
        }
        passed += stretch.length;
        if stretch.stopped {
            break;
        }
        ascii = !ascii;
    }
    passed
}

/// How far it went through blocks of one kind.
struct Stretch {
    /// In bytes.
    length: usize,
    /// Whether a byte that ends a run stands behind it.
    stopped: bool,
    /// What its bytes weigh, in [`UNIT`]s.
    weight: u64,
}

/// Goes on to the first block that is not all ASCII. No class is above [`BREAK`], which as a class of a byte
/// stands for [`STOP`]: text has line breaks in escapes only.
#[inline(always)]
fn ascii_stretch<S: Simd>(simd: S, blocks: &[[u8; BLOCK]], before: u8) -> Stretch {
    let mut classes = u8x32::splat(simd, before << 3);
    let mut sum = Sum::new(simd);
    for block in blocks {
        let text = u8x32::load_array_ref(simd, block);
        let signed: i8x32<S> = text.bitcast();
        if signed.simd_lt(0).any_true() {
            return sum.stretch(false);
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
        let pairs = classes | (before.slide::<{ BLOCK - 1 }>(classes) >> 3);

        let places = pairs & 0x0f;
        let row = |row: usize| look_up(simd, &ASCII_PAIRS, row, places);
        let pairs: i8x32<S> = pairs.bitcast();
        let words = pairs.simd_gt(0x0f).select(row(1), row(0));
        let others = pairs.simd_gt(0x2f).select(row(3), row(2));
        let weights = pairs.simd_gt(0x1f).select(others, words);

        let stops = signed.simd_lt(0x20) | classes.simd_eq(BREAK << 3);
        if !sum.add(weights, stops) {
            return sum.stretch(true);
        }
    }
    sum.stretch(false)
}

/// Goes on to the first block that is all ASCII, past the first in any case.
#[inline(always)]
fn other_stretch<S: Simd>(simd: S, blocks: &[[u8; BLOCK]], before: u8) -> Stretch {
    let mut classes = u8x32::splat(simd, before);
    let mut sum = Sum::new(simd);
    for block in blocks {
        let text = u8x32::load_array_ref(simd, block);
        if sum.length > 0 && text.simd_lt(0x80).all_true() {
            return sum.stretch(false);
        }
        let before = classes;
        classes = pick(simd, &CLASS_ROWS, text >> 4, text & 0x0f);
        let weights = pick(simd, &WEIGHT_ROWS, classes, before.slide::<{ BLOCK - 1 }>(classes));
        if !sum.add(weights, classes.simd_eq(STOP)) {
            return sum.stretch(true);
        }
    }
    sum.stretch(false)
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
    fn add(&mut self, weights: u8x32<S>, stops: mask8x32<S>) -> bool {
        if self.blocks == MOST {
            self.flush();
        }
        self.blocks += 1;
        let stops = stops.to_bitmask();
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
    fn stretch(mut self, stopped: bool) -> Stretch {
        self.flush();
        Stretch { length: self.length, stopped, weight: self.weight }
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
    pub fn counts(bytes: &[u8], before: u8) -> Vec<(usize, u8, u64)> {
        let mut levels = vec![Level::new()];
        #[cfg(target_arch = "x86_64")]
        levels.extend(Level::new().as_sse4_2().map(Level::Sse4_2));
        let counted = levels.into_iter().filter(|&level| shuffles(level)).map(|level| {
            let mut run = Run { before, sum: 0 };
            (count_at(level, bytes, &mut run), run.before, run.sum)
        });
        counted.collect()
    }
}
