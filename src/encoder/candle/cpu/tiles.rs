//! int8 products on the tile unit of x86 server processors (AMX, from Sapphire Rapids on): some four times as many
//! multiplications a cycle as VNNI.
//!
//! One of two modules of the CPU with `unsafe` code (with `panels.rs`). It has its own assembler because the intrinsics are
//! not stable Rust yet. Sums are exact integers, so the result has the same bits as on every other processor: nothing
//! else of the program knows which code ran.
//!
//! A tile holds 16 rows of 64 bytes. `tdpbusd` multiplies 16 × 64 activations (u8) by 64 × 16 weights (i8) and adds to
//! 16 × 16 sums (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, "TDPBUSD"). Two row tiles by
//! two column tiles are worked on at a time, so that each tile loaded is used twice.

/// Rows that are worked on together: activations are padded to a multiple of it.
pub const ROWS: usize = 32;
/// Outputs that are worked on together.
const OUTPUTS: usize = 32;
/// Side of a tile, and bytes of its rows.
const SIDE: usize = 16;
const TILE_ROW_BYTES: usize = 64;
const TILE_BYTES: usize = SIDE * TILE_ROW_BYTES;

/// A weight matrix in the order in which the tile unit reads it.
pub struct TileWeights {
    /// Tile after tile along the inputs, then along the outputs; in a tile, four inputs of each of 16 outputs a row.
    tiles: Vec<i8>,
    inputs: usize,
    outputs: usize,
}

impl TileWeights {
    /// `weight` is outputs × inputs, row after row. `None` where there is no tile unit or the shape does not fit it.
    pub fn new(weight: &[i8], inputs: usize) -> Option<Self> {
        let outputs = weight.len() / inputs.max(1);
        let fits =
            inputs > 0 && inputs.is_multiple_of(TILE_ROW_BYTES) && outputs.is_multiple_of(OUTPUTS);
        if !fits || !unit::is_available() {
            return None;
        }
        let mut tiles = vec![0; weight.len()];
        let tiles_along = inputs / TILE_ROW_BYTES;
        for (output, row) in weight.chunks_exact(inputs).enumerate() {
            let first = output / SIDE * tiles_along * TILE_BYTES + output % SIDE * 4;
            // A row of a tile has four inputs of each output, so these four go to the next row: 64 bytes on.
            let places = tiles[first..].chunks_mut(TILE_ROW_BYTES);
            for (four, place) in row.chunks_exact(4).zip(places) {
                place[..4].copy_from_slice(four);
            }
        }
        Some(Self {
            tiles,
            inputs,
            outputs,
        })
    }

    /// `sums ← x · Wᵀ`, rows × inputs times inputs × outputs; the number of rows is a multiple of [`ROWS`].
    pub fn multiply(&self, x: &[u8], sums: &mut [i32]) {
        let rows = x.len() / self.inputs;
        assert!(rows.is_multiple_of(ROWS) && x.len() == rows * self.inputs);
        assert_eq!(sums.len(), rows * self.outputs);
        unit::multiply(self, x, sums);
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[expect(
    unsafe_code,
    reason = "AMX has no stable intrinsics; `multiply` is safe to call"
)]
mod unit {
    use super::{OUTPUTS, ROWS, SIDE, TILE_BYTES, TILE_ROW_BYTES, TileWeights};
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;
    use std::sync::LazyLock;

    /// Whether processor and kernel let this process use the tile unit. Linux wants to be asked once, since the unit's
    /// state is 8 KiB more to keep for every thread (<https://docs.kernel.org/arch/x86/xstate.html>).
    pub fn is_available() -> bool {
        const TILE_AND_INT8: u32 = 1 << 24 | 1 << 25;
        const REQUEST_PERMISSION: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        static AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
            if __cpuid_count(0, 0).eax < 7 {
                return false;
            }
            let has_tiles = __cpuid_count(7, 0).edx & TILE_AND_INT8 == TILE_AND_INT8;
            // SAFETY: this call takes two numbers, no memory, and fails with a code where it is not known.
            has_tiles
                && unsafe {
                    libc::syscall(libc::SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0
                }
        });
        *AVAILABLE
    }

    /// Eight tiles of 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Configuration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    const EIGHT_FULL_TILES: Configuration = {
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        let mut tile = 0;
        while tile < 8 {
            row_bytes[tile] = TILE_ROW_BYTES as u16;
            rows[tile] = SIDE as u8;
            tile += 1;
        }
        Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes,
            rows,
        }
    };

    pub fn multiply(weights: &TileWeights, x: &[u8], sums: &mut [i32]) {
        let (inputs, outputs) = (weights.inputs, weights.outputs);
        let configuration = EIGHT_FULL_TILES;
        // SAFETY: `TileWeights` exists only where the unit may be used; the configuration has the 64 bytes that are
        // read, and no other code of the program touches the tiles.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &configuration, options(nostack, readonly)) };
        // A pair of column tiles stays in the cache while all rows pass by.
        for (column, pair) in weights
            .tiles
            .chunks_exact(OUTPUTS * inputs)
            .enumerate()
            .map(|(n, pair)| (n * OUTPUTS, pair))
        {
            let blocks = x.chunks_exact(ROWS * inputs);
            for (x, sums) in blocks.zip(sums.chunks_exact_mut(ROWS * outputs)) {
                block(x, pair, inputs, &mut sums[column..], outputs);
            }
        }
        // SAFETY: gives the tiles back; nothing is read or written.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }

    /// 32 rows times 32 outputs; `sums` begins at the first of these outputs, its rows are `stride` apart.
    fn block(x: &[u8], weights: &[i8], inputs: usize, sums: &mut [i32], stride: usize) {
        assert!(inputs > 0 && x.len() == ROWS * inputs && weights.len() == OUTPUTS * inputs);
        assert!(
            sums.len() >= (ROWS - 1) * stride + OUTPUTS && inputs.is_multiple_of(TILE_ROW_BYTES)
        );
        let first = sums.as_mut_ptr();
        // SAFETY: by the two assertions every address that the loads and stores make lies inside the three slices: rows
        // of `x` are `inputs` bytes apart, the two column tiles' weights `SIDE * inputs` bytes, sums `stride * 4` bytes.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{upper} + {x_stride}]",
                "tileloadd tmm6, [{left} + {weight_stride}]",
                "tdpbusd tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{right} + {weight_stride}]",
                "tdpbusd tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{lower} + {x_stride}]",
                "tdpbusd tmm2, tmm5, tmm6",
                "tdpbusd tmm3, tmm5, tmm7",
                "add {upper}, {row_bytes}",
                "add {lower}, {row_bytes}",
                "add {left}, {tile_bytes}",
                "add {right}, {tile_bytes}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {sum_stride}], tmm0",
                "tilestored [{sums} + {sum_stride} + {side_bytes}], tmm1",
                "tilestored [{sums_below} + {sum_stride}], tmm2",
                "tilestored [{sums_below} + {sum_stride} + {side_bytes}], tmm3",
                upper = inout(reg) x.as_ptr() => _,
                lower = inout(reg) x.as_ptr().add(SIDE * inputs) => _,
                left = inout(reg) weights.as_ptr() => _,
                right = inout(reg) weights.as_ptr().add(SIDE * inputs) => _,
                steps = inout(reg) inputs / TILE_ROW_BYTES => _,
                sums = in(reg) first,
                sums_below = in(reg) first.add(SIDE * stride),
                x_stride = in(reg) inputs,
                weight_stride = in(reg) TILE_ROW_BYTES,
                sum_stride = in(reg) stride * size_of::<i32>(),
                row_bytes = const TILE_ROW_BYTES,
                tile_bytes = const TILE_BYTES,
                side_bytes = const SIDE * size_of::<i32>(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod unit {
    use super::TileWeights;

    pub fn is_available() -> bool {
        false
    }

    pub fn multiply(weights: &TileWeights, _: &[u8], _: &mut [i32]) {
        unreachable!(
            "{} weights for a tile unit that is not there",
            weights.tiles.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::int8::tests::equals_plain_products;
    use super::*;

    #[test]
    fn equals_the_plain_integer_product() {
        let shapes = [[32, 64, 32], [64, 384, 1152], [96, 1536, 384]];
        equals_plain_products(
            "AMX",
            unit::is_available(),
            &shapes,
            |weight, inputs, x, sums| {
                let tiles = TileWeights::new(weight, inputs).expect("the shape fits");
                tiles.multiply(x, sums);
            },
        );
    }

    #[test]
    fn shapes_that_do_not_fit_are_left_to_the_library() {
        assert!(TileWeights::new(&[1; 33 * 300], 300).is_none());
        assert!(TileWeights::new(&[1; 16 * 64], 64).is_none());
        assert!(TileWeights::new(&[], 0).is_none());
    }
}
