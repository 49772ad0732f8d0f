// What a kernel sees of the device, on a CPU: the threads of a block are fibers of one thread, which change places at barriers
// and nowhere else; shared memory is a static variable. See ../README.md.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

struct float2 { float x, y; };
struct int4 { int x, y, z, w; };
struct uint4 { uint32_t x, y, z, w; };
struct dim3 { unsigned x, y, z; };

#define __device__
#define __global__
#define __launch_bounds__(threads)
#define __shared__ static thread_local
#define __align__(bytes) __attribute__((aligned(bytes)))

namespace sim {

constexpr unsigned WARP = 32;

struct Barrier {
    unsigned members, arrived, generation;
};

struct Warp {
    Barrier barrier;
    // What a lane shows the others: operands, and what one of them computed for all.
    uint32_t shown[WARP][6];
    const void *rows[WARP];
    float products[16][8];
};

struct Fiber {
    dim3 thread;
    unsigned lane;
    Warp *warp;
};

extern thread_local Fiber *current;
extern thread_local dim3 block, block_size;
extern thread_local Barrier block_barrier;

// Waits until all members have come; the last one does `work` before the others go on.
void wait(Barrier &barrier, void (*work)(Warp &) = nullptr);

}  // namespace sim

#define threadIdx (sim::current->thread)
#define blockIdx sim::block
#define blockDim sim::block_size

inline void __syncthreads() { sim::wait(sim::block_barrier); }

inline float __shfl_xor_sync(unsigned, float x, unsigned step) {
    sim::Warp &warp = *sim::current->warp;
    const unsigned lane = sim::current->lane;
    memcpy(warp.shown[lane], &x, sizeof x);
    sim::wait(warp.barrier);
    float other;
    memcpy(&other, warp.shown[lane ^ step], sizeof other);
    sim::wait(warp.barrier);
    return other;
}

inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
