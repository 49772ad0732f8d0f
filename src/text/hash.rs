//! One hash for all trained tables, fixed for ever because they depend on it.

/// FNV-1a over code points, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>), the upper half folded in so
/// that the lowest bits depend on all of it.
pub fn fnv1a(text: &[char]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for c in text {
        hash = (hash ^ u64::from(u32::from(*c))).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 32)
}

/// The row of a hashed table of `rows` rows that a text falls into.
pub fn row(text: &[char], rows: usize) -> usize {
    (fnv1a(text) % rows as u64) as usize
}

/// Tables of logits hold them in units of one sixteenth, around 128.
const UNIT: f32 = 16.0;

/// The sum of the logits in some rows of a table.
pub fn logit(table: &[u8], rows: impl IntoIterator<Item = usize>) -> f32 {
    let logit = |row: usize| (f32::from(table[row]) - 128.0) / UNIT;
    rows.into_iter().map(logit).sum()
}
