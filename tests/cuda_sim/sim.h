// Between the parts of the simulator.

#pragma once

#include <functional>

#include "device.h"

namespace sim {

// Says what the program did wrong, and ends it.
[[noreturn]] void fail(const char *what);

// A kernel by its name, or null.
const void *find_kernel(const char *name);

// A launch, with the arguments as they are now; to be run later.
std::function<void()> bound(const void *kernel, dim3 grid, dim3 size, void **arguments);

// Puts work into a stream.
void enqueue(void *stream, std::function<void()> work);

// Fails unless these bytes lie in one allocation on the device.
void check_device(const void *at, size_t bytes);

}  // namespace sim
