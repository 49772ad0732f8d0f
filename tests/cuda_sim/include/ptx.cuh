// The warp's matrix instructions, on a CPU. Fragments as in the PTX ISA, "Matrix fragments for mma.m16n8k16".

#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace sim {

template <float2 (*UNPACK)(uint32_t)> void multiply(Warp &warp) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const int group = lane / 4, pair = lane % 4 * 2;
        for (int k = 0; k < 4; k++) {
            const float2 x = UNPACK(warp.shown[lane][k]);
            a[group + k % 2 * 8][pair + k / 2 * 8] = x.x, a[group + k % 2 * 8][pair + k / 2 * 8 + 1] = x.y;
        }
        for (int k = 0; k < 2; k++) {
            const float2 x = UNPACK(warp.shown[lane][4 + k]);
            b[pair + k * 8][group] = x.x, b[pair + k * 8 + 1][group] = x.y;
        }
    }
    for (int i = 0; i < 16; i++) {
        float sums[8] = {};
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 8; j++) sums[j] += a[i][k] * b[k][j];
        memcpy(warp.products[i], sums, sizeof sums);
    }
}

inline float2 unpack_f16(uint32_t x) {
    __half2 pair;
    memcpy(&pair, &x, sizeof x);
    return __half22float2(pair);
}

inline float2 unpack_bf16(uint32_t x) {
    __nv_bfloat162 pair;
    memcpy(&pair, &x, sizeof x);
    return __bfloat1622float2(pair);
}

inline void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, void (*multiply)(Warp &)) {
    Warp &warp = *current->warp;
    const unsigned lane = current->lane;
    memcpy(warp.shown[lane], a, sizeof a);
    warp.shown[lane][4] = b0, warp.shown[lane][5] = b1;
    wait(warp.barrier, multiply);
    // Whoever goes on and shows something else does not change the products before all have come to the next barrier.
    for (int i = 0; i < 4; i++) c[i] += warp.products[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
}

}  // namespace sim

inline void mma_f16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { sim::mma(c, a, b0, b1, sim::multiply<sim::unpack_f16>); }
inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { sim::mma(c, a, b0, b1, sim::multiply<sim::unpack_bf16>); }

inline void load_transposed(uint32_t (&out)[4], const void *row) {
    sim::Warp &warp = *sim::current->warp;
    const unsigned lane = sim::current->lane;
    warp.rows[lane] = row;
    sim::wait(warp.barrier);
    for (unsigned matrix = 0; matrix < 4; matrix++) {
        uint16_t pair[2];
        for (unsigned i = 0; i < 2; i++) pair[i] = static_cast<const uint16_t *>(warp.rows[matrix * 8 + lane % 4 * 2 + i])[lane / 4];
        memcpy(&out[matrix], pair, sizeof pair);
    }
    sim::wait(warp.barrier);
}
