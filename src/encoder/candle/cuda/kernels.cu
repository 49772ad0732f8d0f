// What cuBLAS does not do for a RoFormer layer in half precision, each in one pass over memory.
//
// A batch is flat: rows are tokens, sequences stand one after another without padding. Sums are kept in f32; only what is
// written is rounded. No result depends on how threads are scheduled, nor on other sequences.
//
// Attention after Dao, FlashAttention-2 (arXiv:2307.08691).

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <ptx.cuh>
#include <stdint.h>

namespace {

constexpr int WARP = 32;
constexpr int HEAD = 64;            // values of a head
constexpr int TILE = 64;            // queries of a block, keys of a step
constexpr int STRIDE = HEAD + 8;    // of a row in shared memory: 16 bytes more, so that rows begin in different banks
constexpr int MAX_PAIRS = 16;       // of a lane: hidden sizes up to 1,024

// Two neighbours in one register, as `T` and as floats.
template <typename T> struct Half;

template <> struct Half<__half> {
    static __device__ float2 unpack(uint32_t x) { return __half22float2(*reinterpret_cast<__half2 *>(&x)); }
    static __device__ uint32_t pack(float a, float b) {
        __half2 x = __floats2half2_rn(a, b);
        return *reinterpret_cast<uint32_t *>(&x);
    }
    static __device__ void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
        mma_f16(c, a, b0, b1);
    }
};

template <> struct Half<__nv_bfloat16> {
    static __device__ float2 unpack(uint32_t x) { return __bfloat1622float2(*reinterpret_cast<__nv_bfloat162 *>(&x)); }
    static __device__ uint32_t pack(float a, float b) {
        __nv_bfloat162 x = __floats2bfloat162_rn(a, b);
        return *reinterpret_cast<uint32_t *>(&x);
    }
    static __device__ void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
        mma_bf16(c, a, b0, b1);
    }
};

template <typename T> __device__ float2 load(const T *at) { return Half<T>::unpack(*reinterpret_cast<const uint32_t *>(at)); }

__device__ float2 plus(float2 a, float2 b) { return {a.x + b.x, a.y + b.y}; }

// `angle` is (cos, sin).
__device__ float2 rotate(float2 x, float2 angle) { return {x.x * angle.x - x.y * angle.y, x.y * angle.x + x.x * angle.y}; }

__device__ float warp_sum(float x) {
    for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
}

// Layer norm of a row that a warp holds in pairs, written to `out`.
template <typename T>
__device__ void write_norm(float2 (&x)[MAX_PAIRS], int hidden, const T *weight, const T *shift, float epsilon, T *out) {
    const int lane = threadIdx.x % WARP;
    float sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < MAX_PAIRS; i++)
        if (i * 2 * WARP < hidden) sum += x[i].x + x[i].y;
    const float mean = warp_sum(sum) / hidden;
#pragma unroll
    for (int i = 0; i < MAX_PAIRS; i++)
        if (i * 2 * WARP < hidden) {
            x[i] = {x[i].x - mean, x[i].y - mean};
            squares += x[i].x * x[i].x + x[i].y * x[i].y;
        }
    const float scale = rsqrtf(warp_sum(squares) / hidden + epsilon);
#pragma unroll
    for (int i = 0; i < MAX_PAIRS; i++)
        if (i * 2 * WARP < hidden) {
            const int at = (i * WARP + lane) * 2;
            const float2 w = load(weight + at), s = load(shift + at);
            *reinterpret_cast<uint32_t *>(out + at) = Half<T>::pack(x[i].x * scale * w.x + s.x, x[i].y * scale * w.y + s.y);
        }
}

// Token ids → normed embeddings; a warp a row.
template <typename T>
__device__ void embed(const uint32_t *ids, const T *table, const T *weight, const T *shift, T *out, int rows, int hidden, float epsilon) {
    const int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows) return;
    const T *from = table + size_t(ids[row]) * hidden;
    float2 x[MAX_PAIRS];
#pragma unroll
    for (int i = 0; i < MAX_PAIRS; i++)
        if (i * 2 * WARP < hidden) x[i] = load(from + (i * WARP + lane) * 2);
    write_norm(x, hidden, weight, shift, epsilon, out + size_t(row) * hidden);
}

// norm(y + bias + x) → out, which may be x; a warp a row.
template <typename T>
__device__ void residual_norm(const T *y, const T *bias, const T *x, const T *weight, const T *shift, T *out, int rows, int hidden,
                              float epsilon) {
    const int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows) return;
    const size_t from = size_t(row) * hidden;
    float2 sum[MAX_PAIRS];
#pragma unroll
    for (int i = 0; i < MAX_PAIRS; i++)
        if (i * 2 * WARP < hidden) {
            const int at = (i * WARP + lane) * 2;
            sum[i] = plus(plus(load(y + from + at), load(bias + at)), load(x + from + at));
        }
    write_norm(sum, hidden, weight, shift, epsilon, out + from);
}

__device__ float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

// x ← gelu(x + bias), eight values a thread.
template <typename T> __device__ void bias_gelu(T *x, const T *bias, int width, int eighths) {
    const int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= eighths) return;
    uint4 *at = reinterpret_cast<uint4 *>(x) + k;
    uint4 values = *at, shifts = *reinterpret_cast<const uint4 *>(bias + size_t(k) * 8 % width);
    uint32_t *v = &values.x;
    const uint32_t *s = &shifts.x;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const float2 sum = plus(Half<T>::unpack(v[i]), Half<T>::unpack(s[i]));
        v[i] = Half<T>::pack(gelu(sum.x), gelu(sum.y));
    }
    *at = values;
}

// A step's keys (rotated) or values, with their bias: rows `from` to `from + TILE` of the sequence; zeros after its end.
template <typename T, bool ROTATED>
__device__ void stage(T (&out)[TILE][STRIDE], const T *rows, const T *bias, const float2 *angles, int from, int length, int stride) {
    for (int k = threadIdx.x; k < TILE * HEAD / 8; k += blockDim.x) {
        const int row = k / (HEAD / 8), column = k % (HEAD / 8) * 8;
        uint4 values = {0, 0, 0, 0};
        if (from + row < length) {
            values = *reinterpret_cast<const uint4 *>(rows + size_t(from + row) * stride + column);
            const uint4 shifts = *reinterpret_cast<const uint4 *>(bias + column);
            uint32_t *v = &values.x;
            const uint32_t *s = &shifts.x;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float2 x = plus(Half<T>::unpack(v[i]), Half<T>::unpack(s[i]));
                if (ROTATED) x = rotate(x, angles[(from + row) * (HEAD / 2) + column / 2 + i]);
                v[i] = Half<T>::pack(x.x, x.y);
            }
        }
        *reinterpret_cast<uint4 *>(&out[row][column]) = values;
    }
}

// Rotary self-attention of 64 queries of one head: block (tile, head), four warps of 16 queries.
// `qkv` has 3 · heads · 64 columns: all queries, all keys, all values; `bias` is added to it. A tile is (first row of its
// sequence, length of the sequence, first query in it, 0). `angles`: (cos, sin) by position and pair.
template <typename T>
__device__ void attend(const T *qkv, const T *bias, const float2 *angles, const int4 *tiles, T *out, int heads) {
    __shared__ __align__(16) T keys[TILE][STRIDE];
    __shared__ __align__(16) T values[TILE][STRIDE];
    const int4 tile = tiles[blockIdx.x];
    const int length = tile.y, head = blockIdx.y, warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, group = lane / 4, in_group = lane % 4;
    const int width = heads * HEAD, stride = 3 * width;
    const T *rows = qkv + size_t(tile.x) * stride + head * HEAD, *shifts = bias + head * HEAD;
    const int query[2] = {tile.z + warp * 16 + group, tile.z + warp * 16 + group + 8};

    // Queries, rotated; the softmax is taken to base 2, so their scale has log2(e) in it.
    const float scale = 0.125f * 1.44269504088896341f;
    uint32_t q[HEAD / 16][4];
#pragma unroll
    for (int k = 0; k < HEAD / 16; k++)
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const int row = query[part % 2], column = k * 16 + part / 2 * 8 + in_group * 2;
            float2 x = {0, 0};
            if (row < length) {
                x = rotate(plus(load(rows + size_t(row) * stride + column), load(shifts + column)), angles[row * (HEAD / 2) + column / 2]);
            }
            q[k][part] = Half<T>::pack(x.x * scale, x.y * scale);
        }

    float read[HEAD / 8][4] = {}, highest[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
    for (int from = 0; from < length; from += TILE) {
        __syncthreads();
        stage<T, true>(keys, rows + width, shifts + width, angles, from, length, stride);
        stage<T, false>(values, rows + 2 * width, shifts + 2 * width, angles, from, length, stride);
        __syncthreads();

        float scores[TILE / 8][4];
#pragma unroll
        for (int n = 0; n < TILE / 8; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) scores[n][i] = 0;
#pragma unroll
            for (int k = 0; k < HEAD / 16; k++) {
                const T *at = &keys[n * 8 + group][k * 16 + in_group * 2];
                Half<T>::mma(scores[n], q[k], *reinterpret_cast<const uint32_t *>(at), *reinterpret_cast<const uint32_t *>(at + 8));
            }
#pragma unroll
            for (int i = 0; i < 4; i++)
                if (from + n * 8 + in_group * 2 + i % 2 >= length) scores[n][i] = -INFINITY;
        }

        // Every step has a key, so the highest score is a number after the first.
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float most = highest[r];
#pragma unroll
            for (int n = 0; n < TILE / 8; n++) most = fmaxf(most, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
            const float shrink = exp2f(highest[r] - most);
            highest[r] = most;
            total[r] *= shrink;
#pragma unroll
            for (int n = 0; n < HEAD / 8; n++) read[n][2 * r] *= shrink, read[n][2 * r + 1] *= shrink;
#pragma unroll
            for (int n = 0; n < TILE / 8; n++)
#pragma unroll
                for (int i = 2 * r; i < 2 * r + 2; i++) total[r] += scores[n][i] = exp2f(scores[n][i] - most);
        }

#pragma unroll
        for (int k = 0; k < TILE / 16; k++) {
            const float(&a)[4] = scores[2 * k], (&b)[4] = scores[2 * k + 1];
            const uint32_t shares[4] = {Half<T>::pack(a[0], a[1]), Half<T>::pack(a[2], a[3]), Half<T>::pack(b[0], b[1]), Half<T>::pack(b[2], b[3])};
#pragma unroll
            for (int n = 0; n < HEAD / 8; n += 2) {
                uint32_t v[4];
                load_transposed(v, &values[k * 16 + lane % 16][n * 8 + lane / 16 * 8]);
                Half<T>::mma(read[n], shares, v[0], v[1]);
                Half<T>::mma(read[n + 1], shares, v[2], v[3]);
            }
        }
    }

#pragma unroll
    for (int r = 0; r < 2; r++) {
        total[r] += __shfl_xor_sync(~0u, total[r], 1);
        total[r] += __shfl_xor_sync(~0u, total[r], 2);
        if (query[r] >= length) continue;
        T *to = out + size_t(tile.x + query[r]) * width + head * HEAD + in_group * 2;
#pragma unroll
        for (int n = 0; n < HEAD / 8; n++)
            *reinterpret_cast<uint32_t *>(to + n * 8) = Half<T>::pack(read[n][2 * r] / total[r], read[n][2 * r + 1] / total[r]);
    }
}

}  // namespace

#define FOR(T, NAME)                                                                                                                      \
    extern "C" __global__ void embed_##NAME(const uint32_t *ids, const T *table, const T *weight, const T *shift, T *out, int rows,       \
                                            int hidden, float epsilon) {                                                                  \
        embed(ids, table, weight, shift, out, rows, hidden, epsilon);                                                                     \
    }                                                                                                                                     \
    extern "C" __global__ void residual_norm_##NAME(const T *y, const T *bias, const T *x, const T *weight, const T *shift, T *out,       \
                                                    int rows, int hidden, float epsilon) {                                                \
        residual_norm(y, bias, x, weight, shift, out, rows, hidden, epsilon);                                                             \
    }                                                                                                                                     \
    extern "C" __global__ void bias_gelu_##NAME(T *x, const T *bias, int width, int eighths) { bias_gelu(x, bias, width, eighths); }      \
    extern "C" __global__ void __launch_bounds__(128) attend_##NAME(const T *qkv, const T *bias, const float2 *angles, const int4 *tiles, \
                                                                    T *out, int heads) {                                                  \
        attend(qkv, bias, angles, tiles, out, heads);                                                                                     \
    }

FOR(__half, f16)
FOR(__nv_bfloat16, bf16)
