//! Ways to cut bytes into pieces: as they may come in from a network.

/// The bytes whole, one by one, in two at a place that depends on them, and in irregular pieces.
pub fn ways(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut seed = seed(bytes);
    let at = usize::try_from(seed % (bytes.len() as u64 + 1)).unwrap_or(0);
    let (front, back) = bytes.split_at(at);
    let mut irregular = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let length = usize::try_from(seed >> 60).unwrap_or(0).min(rest.len());
        let (piece, after) = rest.split_at(length);
        irregular.push(piece);
        rest = after;
    }
    vec![vec![bytes], bytes.chunks(1).collect(), vec![front, back], irregular]
}

/// A number that depends on every byte (FNV-1a), so that a run can be repeated from the bytes alone.
pub fn seed(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
