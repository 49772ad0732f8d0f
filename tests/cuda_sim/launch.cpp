// Blocks and threads: the encoder's own kernels, compiled for a CPU.

#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "../../src/encoder/candle/cuda/kernels.cu"
#include "sim.h"

namespace sim {

thread_local Fiber *current;
thread_local dim3 block, block_size;
thread_local Barrier block_barrier;

namespace {

constexpr size_t STACK = 64 << 10;
constexpr unsigned PATIENCE = 1 << 24;  // changes of place without a barrier that opens

// The threads of one block, on one thread of the machine; kept from block to block.
class Block {
  public:
    void run(unsigned threads, const std::function<void()> &kernel) {
        while (places.size() < threads) add();
        warps.resize((threads + WARP - 1) / WARP);
        for (unsigned i = 0; i < warps.size(); i++) warps[i].barrier = {std::min(WARP, threads - i * WARP), 0, 0};
        block_barrier = {threads, 0, 0};
        for (unsigned i = 0; i < threads; i++) {
            places[i]->fiber = {{i, 0, 0}, i % WARP, &warps[i / WARP]};
            places[i]->finished = false;
        }
        body = &kernel, size = left = threads, turn = down ? threads - 1 : 0, waited = 0;
        if (_setjmp(outside) == 0) enter(turn);
    }

    // The next one's turn, and back.
    void yield() {
        if (++waited > PATIENCE) fail("a barrier that not all threads reach");
        if (_setjmp(places[turn]->at) == 0) enter(next());
    }

    void opened() { waited = 0; }

  private:
    struct Place {
        Fiber fiber;
        jmp_buf at;
        ucontext_t context;
        std::unique_ptr<char[]> stack;
        bool started, finished;
    };

    void add() {
        places.push_back(std::make_unique<Place>());
        Place &place = *places.back();
        place.stack.reset(new char[STACK]), place.started = false;  // not zeroed: most of it is never touched
        getcontext(&place.context);
        place.context.uc_stack.ss_sp = place.stack.get(), place.context.uc_stack.ss_size = STACK;
        const auto self = reinterpret_cast<uintptr_t>(this);
        makecontext(&place.context, reinterpret_cast<void (*)()>(&Block::live), 2, unsigned(self), unsigned(self >> 32));
    }

    // What a fiber does from its first block to its last.
    static void live(unsigned low, unsigned high) {
        Block &block = *reinterpret_cast<Block *>(uintptr_t(high) << 32 | low);
        for (;;) {
            (*block.body)();
            Place &place = *block.places[block.turn];
            place.finished = true;
            if (_setjmp(place.at) == 0) {
                if (--block.left == 0) _longjmp(block.outside, 1);
                block.enter(block.next());
            }
        }
    }

    unsigned next() const {
        unsigned k = turn;
        do
            if (down)
                k = k == 0 ? size - 1 : k - 1;
            else
                k = k == size - 1 ? 0 : k + 1;
        while (places[k]->finished);
        return k;
    }

    [[noreturn]] void enter(unsigned k) {
        turn = k;
        Place &place = *places[k];
        current = &place.fiber;
        if (place.started) _longjmp(place.at, 1);
        place.started = true;
        setcontext(&place.context);
        abort();
    }

    // A second order of the threads: what depends on their order is a fault.
    const bool down = getenv("SIM_THREADS") && std::string(getenv("SIM_THREADS")) == "backward";
    std::vector<std::unique_ptr<Place>> places;
    std::vector<Warp> warps;
    const std::function<void()> *body;
    unsigned size, left, turn, waited;
    jmp_buf outside;
};

thread_local Block threads;

struct Kernel {
    std::function<std::vector<const void *>(void **)> pointers;
    // Takes the arguments, as a launch does, and gives what a thread does with them.
    std::function<std::function<void()>(void **)> bind;
};

template <typename T> void take_pointer(const T &argument, std::vector<const void *> &out) {
    if constexpr (std::is_pointer_v<T>) out.push_back(argument);
}

template <typename... A, size_t... I> Kernel kernel_of(void (*function)(A...), std::index_sequence<I...>) {
    const auto pointers = [](void **arguments) {
        std::vector<const void *> out;
        (take_pointer(*static_cast<A *>(arguments[I]), out), ...);
        return out;
    };
    return {pointers, [function](void **arguments) -> std::function<void()> {
        std::tuple<A...> taken(*static_cast<A *>(arguments[I])...);
        return [function, taken] { std::apply(function, taken); };
    }};
}

template <typename... A> Kernel kernel_of(void (*function)(A...)) { return kernel_of(function, std::index_sequence_for<A...>()); }

const std::map<std::string, Kernel> &kernels() {
#define KERNELS(FORMAT)                                                                                      \
    {"embed_" #FORMAT, kernel_of(embed_##FORMAT)}, {"residual_norm_" #FORMAT, kernel_of(residual_norm_##FORMAT)}, \
        {"bias_gelu_" #FORMAT, kernel_of(bias_gelu_##FORMAT)}, {"attend_" #FORMAT, kernel_of(attend_##FORMAT)}
    static const std::map<std::string, Kernel> all{KERNELS(f16), KERNELS(bf16)};
    return all;
}

}  // namespace

void wait(Barrier &barrier, void (*work)(Warp &)) {
    const unsigned generation = barrier.generation;
    if (++barrier.arrived == barrier.members) {
        if (work) work(*current->warp);
        barrier.arrived = 0, barrier.generation++;
        threads.opened();
    }
    while (barrier.generation == generation) threads.yield();
}

const void *find_kernel(const char *name) {
    const auto found = kernels().find(name);
    return found == kernels().end() ? nullptr : &found->second;
}

std::vector<const void *> pointers(const void *kernel, void **arguments) { return static_cast<const Kernel *>(kernel)->pointers(arguments); }

std::function<void()> bound(const void *kernel, dim3 grid, dim3 size, void **arguments) {
    const auto thread = static_cast<const Kernel *>(kernel)->bind(arguments);
    return [thread, grid, size] {
        const unsigned blocks = grid.x * grid.y * grid.z;
#pragma omp parallel for schedule(dynamic, 16)
        for (unsigned k = 0; k < blocks; k++) {
            block = {k % grid.x, k / grid.x % grid.y, k / grid.x / grid.y}, block_size = size;
            threads.run(size.x, thread);
        }
    };
}

}  // namespace sim
