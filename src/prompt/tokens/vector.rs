//! Counting 32 bytes at a time, where the processor can look bytes up in vectors: the same classes and
//! weights as byte by byte, out of the same tables.
//!
//! A class is looked up by the lower half of a byte in the row of its upper half, a weight by the class
//! before in the row of its class; `fearless_simd` finds out at run time what the processor has.

use fearless_simd::{Level, dispatch, mask8x32, prelude::*, u8x16, u8x32, u16x16};

use super::Run;
use super::classes::{BLANK, CAPITAL, CJK, COMMON, CONTROL, DIGIT, FOUR, INDIC, LATIN, MARK, RARE, STOP};
use super::classes::{CLASS_ROWS, TAIL, THREE, TWO, UNIT, WEIGHT_ROWS, class_of};

/// Bytes a step.
pub(super) const BLOCK: usize = 32;

/// Whether the processor can: x86-64 from SSE 4.2 on, 64-bit ARM.
fn shuffles(level: Level) -> bool {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Sse2(_) => false,
        _ => !level.is_fallback(),
    }
}

/// Counts up to the first byte that ends a run, or until less than [`BLOCK`] bytes are left; answers how
/// many bytes it passed. 0 also where the processor cannot.
pub(super) fn count(bytes: &[u8], run: &mut Run) -> usize {
    let level = Level::new();
    if !shuffles(level) {
        return 0;
    }
    let (before, sum) = (run.before, &mut run.sum);
    let passed = dispatch!(level, simd => blocks(simd, bytes, before, sum));
    if let Some(&last) = passed.checked_sub(1).and_then(|last| bytes.get(last)) {
        run.before = class_of(last);
    }
    passed
}

/// The classes of text in ASCII, and of all text.
const ASCII: [u8; 7] = [COMMON, RARE, CAPITAL, DIGIT, BLANK, MARK, CONTROL];
const BEYOND: [u8; 7] = [LATIN, TWO, CJK, INDIC, THREE, FOUR, TAIL];

#[inline(always)]
fn blocks<S: Simd>(simd: S, bytes: &[u8], before: u8, sum: &mut u64) -> usize {
    let mut classes = u8x32::splat(simd, before);
    let mut passed = 0;
    // Two weights of a byte each make 510 at most: so many of them fit into 16 bits.
    for some in bytes.chunks(BLOCK * 128) {
        let mut weights = u16x16::splat(simd, 0);
        let mut stops = 0;
        for block in some.as_chunks::<BLOCK>().0 {
            let text = u8x32::load_array_ref(simd, block);
            let high = text >> 4;
            let ascii = high.simd_ge(8).to_bitmask() == 0;
            let (before, low) = (classes, text & 0x0f);
            classes = u8x32::splat(simd, STOP);
            for row in 2..8 {
                classes = pick(simd, &CLASS_ROWS, row, high, low, classes);
            }
            if !ascii {
                for row in 8..16 {
                    classes = pick(simd, &CLASS_ROWS, row, high, low, classes);
                }
            }
            let before = before.slide::<{ BLOCK - 1 }>(classes);
            let mut weight = u8x32::splat(simd, 0);
            for class in ASCII {
                weight = pick(simd, &WEIGHT_ROWS, class, classes, before, weight);
            }
            if !ascii {
                for class in BEYOND {
                    weight = pick(simd, &WEIGHT_ROWS, class, classes, before, weight);
                }
            }
            stops = classes.simd_eq(STOP).to_bitmask();
            if stops != 0 {
                // The bits below the lowest that is set.
                let kept = mask8x32::from_bitmask(simd, !stops & (stops - 1));
                weights += kept.select(weight, u8x32::splat(simd, 0)).pairwise_widening_add();
                passed += stops.trailing_zeros() as usize;
                break;
            }
            weights += weight.pairwise_widening_add();
            passed += BLOCK;
        }
        let weights: [u16; 16] = weights.into();
        *sum += weights.iter().map(|&weight| u64::from(weight)).sum::<u64>() * UNIT;
        if stops != 0 {
            break;
        }
    }
    passed
}

/// Where `keys` are `row`, what that row of `table` has for `places`; elsewhere `others`.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the place is within 16")]
fn pick<S: Simd>(
    simd: S,
    table: &[[u8; 16]; 16],
    row: u8,
    keys: u8x32<S>,
    places: u8x32<S>,
    others: u8x32<S>,
) -> u8x32<S> {
    let values = u8x32::block_splat(u8x16::load_array(simd, table[row as usize & 15]));
    keys.simd_eq(row).select(values.swizzle_dyn_within_blocks(places), others)
}
