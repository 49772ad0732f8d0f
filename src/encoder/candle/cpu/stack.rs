//! All layers on the CPU.
//!
//! Many sequences: each goes through all layers on one thread, in a workspace that stays in that core's caches and is kept for
//! the next. Few: all threads take blocks of rows, then heads, layer by layer. Both give the same bits.

use super::attention::{self, FlatAttention};
use super::by_sequence;
use super::embeddings::Embeddings;
use super::rows::{self, RowLayer};
use rayon::prelude::*;
use rten_gemm::GemmError;
use std::sync::Mutex;

/// Sequences a thread from which each is one thread's work: fewer would leave some waiting for the last one.
const SEQUENCES_A_THREAD: usize = 4;

pub struct CpuStack {
    embeddings: Embeddings,
    layers: Vec<RowLayer>,
    attention: FlatAttention,
    /// Those that no thread is using.
    workspaces: Mutex<Vec<Workspace>>,
}

/// What one sequence is computed in: 4 MB for 512 tokens of 384 values.
#[derive(Default)]
struct Workspace {
    /// Queries, keys and values.
    by_head: Vec<f32>,
    attended: Vec<f32>,
    rows: rows::Buffers,
    head: attention::Buffers,
}

impl CpuStack {
    pub fn new(embeddings: Embeddings, layers: Vec<RowLayer>, attention: FlatAttention) -> Self {
        Self {
            embeddings,
            layers,
            attention,
            workspaces: Mutex::new(Vec::new()),
        }
    }

    /// Token ids of a flat batch → hidden states, tokens × hidden.
    pub fn forward(
        &self,
        ids: &[u32],
        cumulative_lengths: &[usize],
    ) -> Result<Vec<f32>, GemmError> {
        let mut out = vec![0.0; ids.len() * self.embeddings.width()];
        let sequences = cumulative_lengths.len() - 1;
        if sequences < SEQUENCES_A_THREAD * rayon::current_num_threads() {
            self.together(ids, cumulative_lengths, &mut out)?;
        } else {
            self.one_by_one(ids, cumulative_lengths, &mut out)?;
        }
        Ok(out)
    }

    /// All sequences into `out`, each on one thread.
    fn one_by_one(
        &self,
        ids: &[u32],
        cumulative_lengths: &[usize],
        out: &mut [f32],
    ) -> Result<(), GemmError> {
        let parts = by_sequence(out, cumulative_lengths, self.embeddings.width());
        parts
            .into_par_iter()
            .zip(cumulative_lengths.par_windows(2))
            .with_max_len(1)
            .try_for_each(|(x, range)| {
                let free = || self.workspaces.lock().unwrap_or_else(|e| e.into_inner());
                let mut workspace = free().pop().unwrap_or_default();
                let done = self.alone(&ids[range[0]..range[1]], &mut workspace, x);
                free().push(workspace);
                done
            })
    }

    /// One sequence into `x`, on this thread.
    fn alone(
        &self,
        ids: &[u32],
        workspace: &mut Workspace,
        x: &mut [f32],
    ) -> Result<(), GemmError> {
        self.embeddings.fill(ids, x);
        let Workspace {
            by_head,
            attended,
            rows,
            head,
        } = workspace;
        by_head.resize(3 * x.len(), 0.0);
        attended.resize(x.len(), 0.0);
        for layer in &self.layers {
            layer.before_attention(x, rows, |first, qkv| {
                self.attention.take(qkv, first, ids.len(), by_head);
            })?;
            self.attention.attend_alone(by_head, head, attended)?;
            layer.after_attention(attended, rows, x)?;
        }
        Ok(())
    }

    /// All sequences into `x`, on all threads.
    fn together(
        &self,
        ids: &[u32],
        cumulative_lengths: &[usize],
        x: &mut [f32],
    ) -> Result<(), GemmError> {
        self.embeddings.fill(ids, x);
        let mut qkv = vec![0.0; 3 * x.len()];
        let (mut attended, mut by_head) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for layer in &self.layers {
            layer.par_before_attention(x, &mut qkv)?;
            self.attention
                .attend(&qkv, cumulative_lengths, &mut by_head, &mut attended)?;
            layer.par_after_attention(&attended, x)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Matrix, Norm};
    use super::*;
    use crate::encoder::candle::weights::Rows;

    const WORDS: usize = 50;
    const HIDDEN: usize = 64;

    /// Two layers of numbers that look random and are always the same.
    fn made(int8: bool) -> CpuStack {
        let mut state = 5u32;
        let mut numbers = |n: usize| -> Vec<f32> {
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1u32 << 25) as f32 - 0.25
            };
            (0..n).map(next).collect()
        };
        let norm = || Norm {
            weight: vec![1.0; HIDDEN],
            shift: vec![0.1; HIDDEN],
            epsilon: 1e-12,
        };
        let mut matrix = |outputs: usize, inputs: usize| {
            Matrix::new(&numbers(outputs * inputs), vec![0.01; outputs], int8)
        };
        let mut layer = || RowLayer {
            qkv: matrix(3 * HIDDEN, HIDDEN),
            attention_output: matrix(HIDDEN, HIDDEN),
            attention_norm: norm(),
            intermediate: matrix(2 * HIDDEN, HIDDEN),
            output: matrix(HIDDEN, 2 * HIDDEN),
            output_norm: norm(),
        };
        let layers = vec![layer(), layer()];
        let embeddings = Embeddings::new(Rows::Values(numbers(WORDS * HIDDEN)), norm());
        CpuStack::new(
            embeddings,
            layers,
            FlatAttention::new(256, 2, HIDDEN / 2, int8),
        )
    }

    #[test]
    fn one_thread_a_sequence_gives_the_same_bits_as_all_threads() {
        let lengths = [1, 200, 63, 64, 65, 7, 130, 2, 256];
        let mut cumulative = vec![0];
        for length in lengths {
            cumulative.push(cumulative.last().unwrap() + length);
        }
        let tokens = *cumulative.last().unwrap();
        let ids: Vec<u32> = (0..tokens).map(|i| (i * 7 % WORDS) as u32).collect();
        for int8 in [false, true] {
            let stack = made(int8);
            let [mut together, mut one_by_one] = [(); 2].map(|()| vec![0.0; tokens * HIDDEN]);
            stack.together(&ids, &cumulative, &mut together).unwrap();
            // The second time in workspaces that have been used.
            for _ in 0..2 {
                stack
                    .one_by_one(&ids, &cumulative, &mut one_by_one)
                    .unwrap();
                assert_eq!(together, one_by_one);
            }
            assert!(together.iter().all(|x| x.is_finite()) && together[0] != together[HIDDEN]);
        }
    }
}
