// The warp's matrix instructions, which C++ has no words for. Their fragments: PTX ISA, "Matrix fragments for mma.m16n8k16".
// (tests/cuda_sim has a second version of this file, for a CPU.)

#pragma once

#include <stdint.h>

#define MMA(FORMAT)                                                                                                         \
    static __device__ void mma_##FORMAT(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {                  \
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." #FORMAT "." #FORMAT ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, " \
                     "{%0,%1,%2,%3};"                                                                                       \
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                                       \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                                       \
    }

MMA(f16)
MMA(bf16)
#undef MMA

// Four 8 × 8 matrices of shared memory, transposed: lane i names row i % 8 of matrix i / 8.
static __device__ void load_transposed(uint32_t (&out)[4], const void *row) {
    const uint32_t at = __cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at));
}
