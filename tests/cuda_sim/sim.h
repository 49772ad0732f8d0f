// Between the parts of the simulator.

#pragma once

#include <functional>
#include <initializer_list>
#include <vector>

#include "device.h"

namespace sim {

// Says what the program did wrong, and ends it.
[[noreturn]] void fail(const char *what);

// A kernel by its name, or null.
const void *find_kernel(const char *name);

// The arguments of a launch that are pointers.
std::vector<const void *> pointers(const void *kernel, void **arguments);

// A launch, with the arguments as they are now; to be run later.
std::function<void()> bound(const void *kernel, dim3 grid, dim3 size, void **arguments);

// Memory of the device that work reads or writes.
struct Use {
    const void *at;
    size_t bytes;
};

// Puts work into a stream; fails if its memory is not all there, or another stream is not done with it.
void enqueue(void *stream, std::function<void()> work, std::initializer_list<Use> uses = {});

}  // namespace sim
