// The driver: memory, streams and events. Work in a stream is done as late as the rules allow, and page protection tells when
// the host touches memory that a copy still uses.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "sim.h"

namespace sim {
namespace {

typedef int Result;
typedef unsigned long long Pointer;
constexpr Result SUCCESS = 0, INVALID_VALUE = 1, NOT_FOUND = 500, NOT_READY = 600;
void *const PER_THREAD = reinterpret_cast<void *>(2);

// One at a time: what the simulator keeps, and the work itself.
std::recursive_mutex lock;
typedef std::lock_guard<std::recursive_mutex> Guard;

struct Queue {
    std::deque<std::function<void()>> work;
    size_t done = 0;

    size_t end() const { return done + work.size(); }

    void run_to(size_t position) {
        while (done < position) {
            const auto next = std::move(work.front());
            work.pop_front(), done++;
            next();
        }
    }
};

std::vector<std::shared_ptr<Queue>> queues;

std::shared_ptr<Queue> new_queue() {
    queues.push_back(std::make_shared<Queue>());
    return queues.back();
}

Queue &queue_of(void *stream) {
    if (stream == nullptr || stream == reinterpret_cast<void *>(1)) fail("the legacy stream: it is not simulated");
    if (stream != PER_THREAD) return *static_cast<Queue *>(stream);
    static thread_local const std::shared_ptr<Queue> own = new_queue();
    return *own;
}

void run_all() {
    for (size_t i = 0; i < queues.size(); i++) queues[i]->run_to(queues[i]->end());
}

enum class When { LATE, AT_ONCE, SOMETIMES };

When when() {
    static const std::string value = getenv("SIM_QUEUE") ? getenv("SIM_QUEUE") : "late";
    if (value != "late" && value != "at-once" && value != "sometimes") fail("SIM_QUEUE is late, at-once or sometimes");
    return value == "at-once" ? When::AT_ONCE : value == "sometimes" ? When::SOMETIMES : When::LATE;
}

// Memory of the device, by its first byte, and its last use.
struct Allocation {
    size_t bytes;
    Queue *queue;
    size_t position;
};
std::map<char *, Allocation> allocated;

Allocation *allocation_of(const void *at) {
    char *first = static_cast<char *>(const_cast<void *>(at));
    auto found = allocated.upper_bound(first);
    if (found == allocated.begin()) return nullptr;
    --found;
    return first < found->first + found->second.bytes ? &found->second : nullptr;
}

void *allocate(size_t bytes, Queue *queue) {
    char *at = static_cast<char *>(aligned_alloc(256, (bytes + 255) / 256 * 256));
    if (!at) fail("no memory");
    memset(at, 0xff, bytes);  // not a number, in any format
    allocated[at] = {bytes, queue, queue ? queue->end() : 0};
    return at;
}

void release(void *at) {
    if (!allocated.erase(static_cast<char *>(at))) fail("memory freed that was not allocated");
    free(at);
}

// `queue` will use this memory by its next piece of work; whatever another one was to do with it has to be over. (Events that
// make one wait for the other are not looked at: the program has none.)
void use(const void *at, size_t bytes, Queue &queue) {
    Allocation *allocation = allocation_of(at);
    if (!allocation) fail("memory of the device that was not allocated");
    if (bytes && allocation_of(static_cast<const char *>(at) + bytes - 1) != allocation) fail("beyond an allocation on the device");
    if (allocation->queue && allocation->queue != &queue && allocation->queue->done < allocation->position)
        fail("memory of the device that another stream still uses");
    allocation->queue = &queue, allocation->position = queue.end() + 1;
}

// Memory of the host that the device copies by itself.
struct Pinned {
    size_t bytes;
    unsigned read = 0, written = 0;  // by copies that are under way
};
std::map<char *, Pinned> pinned;

std::map<char *, Pinned>::iterator pinned_at(const void *at) {
    auto found = pinned.upper_bound(static_cast<char *>(const_cast<void *>(at)));
    if (found == pinned.begin()) return pinned.end();
    --found;
    return static_cast<const char *>(at) < found->first + found->second.bytes ? found : pinned.end();
}

void protect(const std::map<char *, Pinned>::iterator &memory) {
    const auto &[at, state] = *memory;
    mprotect(at, state.bytes, state.written ? PROT_NONE : state.read ? PROT_READ : PROT_READ | PROT_WRITE);
}

void on_fault(int, siginfo_t *info, void *) {
    if (pinned_at(info->si_addr) != pinned.end()) fail("the host touches memory that a copy still uses");
    signal(SIGSEGV, SIG_DFL);
}

// A copy between the device and pinned memory `host`; nobody but `copy` may touch that until it is over.
void enqueue_pinned(void *stream, void *host, unsigned Pinned::*use, std::function<void()> copy, const Use &device) {
    const auto memory = pinned_at(host);
    memory->second.*use += 1;
    protect(memory);
    enqueue(stream, [memory, use, copy] {
        mprotect(memory->first, memory->second.bytes, PROT_READ | PROT_WRITE);
        copy();
        memory->second.*use -= 1;
        protect(memory);
    }, {device});
}

struct Event {
    Queue *queue = nullptr;
    size_t position = 0;
};

}  // namespace

void fail(const char *what) {
    // No stdio: a signal handler's stack is too small for its buffer.
    for (const char *part : {"cuda_sim: ", what, "\n"})
        if (write(STDERR_FILENO, part, strlen(part)) < 0) break;
    _exit(99);
}

void enqueue(void *stream, std::function<void()> work, std::initializer_list<Use> uses) {
    const Guard guard(lock);
    Queue &queue = queue_of(stream);
    for (const Use &memory : uses) use(memory.at, memory.bytes, queue);
    queue.work.push_back(std::move(work));
    static std::mt19937 random(1);
    if (when() == When::AT_ONCE) queue.run_to(queue.end());
    if (when() == When::SOMETIMES) queue.run_to(queue.done + random() % (queue.work.size() + 1));
}

}  // namespace sim

using namespace sim;

// Names, arguments and results as in cuda.h.
#define API extern "C" __attribute__((visibility("default"))) Result

API cuInit(unsigned) {
    struct sigaction action = {};
    action.sa_sigaction = on_fault, action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
    fprintf(stderr, "cuda_sim: no GPU, a simulation on the CPU\n");
    return SUCCESS;
}

API cuDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
API cuDeviceGet(int *device, int ordinal) { return *device = ordinal, ordinal == 0 ? SUCCESS : 101; }
API cuDeviceGetName(char *name, int length, int) { return snprintf(name, length, "cuda_sim"), SUCCESS; }
API cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = size_t(8) << 30, SUCCESS; }
API cuDeviceGetAttribute(int *value, int attribute, int) {
    // 75 and 76: the compute capability; 115: memory pools.
    return *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 1, SUCCESS;
}
API cuDevicePrimaryCtxRetain(void **context, int) { return *context = &lock, SUCCESS; }
API cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
API cuCtxSetCurrent(void *) { return SUCCESS; }
API cuCtxGetCurrent(void **context) { return *context = &lock, SUCCESS; }
API cuCtxSynchronize() {
    const Guard guard(lock);
    return run_all(), SUCCESS;
}
API cuMemGetInfo_v2(size_t *unused, size_t *all) { return *unused = *all = size_t(8) << 30, SUCCESS; }
API cuGetErrorName(Result, const char **name) { return *name = "CUDA_SIM_ERROR", SUCCESS; }
API cuGetErrorString(Result, const char **text) { return *text = "an error of the simulator", SUCCESS; }

API cuStreamCreate(void **stream, unsigned) {
    const Guard guard(lock);
    return *stream = new_queue().get(), SUCCESS;
}
API cuStreamDestroy_v2(void *stream) {
    const Guard guard(lock);
    Queue &queue = queue_of(stream);
    return queue.run_to(queue.end()), SUCCESS;
}
API cuStreamSynchronize(void *stream) {
    const Guard guard(lock);
    Queue &queue = queue_of(stream);
    return queue.run_to(queue.end()), SUCCESS;
}
API cuStreamIsCapturing(void *, int *status) { return *status = 0, SUCCESS; }
API cuStreamWaitEvent(void *stream, void *event, unsigned) {
    const Guard guard(lock);
    const Event until = *static_cast<Event *>(event);
    if (until.queue) enqueue(stream, [until] { until.queue->run_to(until.position); });
    return SUCCESS;
}

API cuEventCreate(void **event, unsigned) { return *event = new Event, SUCCESS; }
API cuEventDestroy_v2(void *event) {
    const Guard guard(lock);
    return delete static_cast<Event *>(event), SUCCESS;
}
API cuEventRecord(void *event, void *stream) {
    const Guard guard(lock);
    Event &recorded = *static_cast<Event *>(event);
    recorded.queue = &queue_of(stream), recorded.position = recorded.queue->end();
    return SUCCESS;
}
API cuEventSynchronize(void *event) {
    const Guard guard(lock);
    const Event &until = *static_cast<Event *>(event);
    // One that was never recorded is over.
    if (until.queue) until.queue->run_to(until.position);
    return SUCCESS;
}
API cuEventQuery(void *event) {
    const Guard guard(lock);
    const Event &until = *static_cast<Event *>(event);
    return until.queue && until.queue->done < until.position ? NOT_READY : SUCCESS;
}

API cuMemAlloc_v2(Pointer *at, size_t bytes) {
    const Guard guard(lock);
    return *at = reinterpret_cast<Pointer>(allocate(bytes, nullptr)), SUCCESS;
}
API cuMemAllocAsync(Pointer *at, size_t bytes, void *stream) {
    const Guard guard(lock);
    return *at = reinterpret_cast<Pointer>(allocate(bytes, &queue_of(stream))), SUCCESS;
}
API cuMemFree_v2(Pointer at) {
    const Guard guard(lock);
    return run_all(), release(reinterpret_cast<void *>(at)), SUCCESS;
}
API cuMemFreeAsync(Pointer at, void *stream) {
    void *memory = reinterpret_cast<void *>(at);
    enqueue(stream, [memory] { release(memory); }, {{memory, 0}});
    return SUCCESS;
}
API cuMemHostAlloc(void **at, size_t bytes, unsigned) {
    const Guard guard(lock);
    *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(*at, 0xff, bytes);
    pinned[static_cast<char *>(*at)] = {bytes};
    return SUCCESS;
}
API cuMemFreeHost(void *at) {
    const Guard guard(lock);
    const auto found = pinned.find(static_cast<char *>(at));
    if (found == pinned.end()) return INVALID_VALUE;
    if (found->second.read || found->second.written) fail("memory freed that a copy still uses");
    munmap(at, found->second.bytes);
    pinned.erase(found);
    return SUCCESS;
}

API cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t bytes, void *stream) {
    const Guard guard(lock);
    void *device = reinterpret_cast<void *>(to);
    if (pinned_at(from) != pinned.end()) {
        enqueue_pinned(stream, const_cast<void *>(from), &Pinned::read, [=] { memcpy(device, from, bytes); }, {device, bytes});
    } else {
        // Other memory is read before the call returns; when it arrives is another matter.
        const auto first = static_cast<const char *>(from);
        const auto taken = std::make_shared<std::vector<char>>(first, first + bytes);
        enqueue(stream, [=] { memcpy(device, taken->data(), bytes); }, {{device, bytes}});
    }
    return SUCCESS;
}
API cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t bytes, void *stream) {
    const Guard guard(lock);
    const void *device = reinterpret_cast<const void *>(from);
    if (pinned_at(to) != pinned.end()) {
        enqueue_pinned(stream, to, &Pinned::written, [=] { memcpy(to, device, bytes); }, {device, bytes});
        return SUCCESS;
    }
    enqueue(stream, [=] { memcpy(to, device, bytes); }, {{device, bytes}});
    return cuStreamSynchronize(stream);
}
API cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t bytes, void *stream) {
    void *target = reinterpret_cast<void *>(to), *source = reinterpret_cast<void *>(from);
    enqueue(stream, [=] { memcpy(target, source, bytes); }, {{target, bytes}, {source, bytes}});
    return SUCCESS;
}
API cuMemsetD8Async(Pointer at, unsigned char value, size_t bytes, void *stream) {
    void *memory = reinterpret_cast<void *>(at);
    enqueue(stream, [=] { memset(memory, value, bytes); }, {{memory, bytes}});
    return SUCCESS;
}

API cuModuleLoadData(void **module, const void *) { return *module = &lock, SUCCESS; }
API cuModuleUnload(void *) { return SUCCESS; }
API cuModuleGetFunction(void **function, void *, const char *name) {
    *function = const_cast<void *>(find_kernel(name));
    if (!*function) fprintf(stderr, "cuda_sim: no kernel %s\n", name);
    return *function ? SUCCESS : NOT_FOUND;
}
API cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, void *stream,
                   void **arguments, void **) {
    if (by != 1 || bz != 1) fail("a block of more than one dimension");
    if (gx == 0 || gy == 0 || gz == 0 || gy > 65535 || gz > 65535 || bx == 0 || bx > 1024) return INVALID_VALUE;
    const Guard guard(lock);
    for (const void *memory : pointers(function, arguments)) use(memory, 0, queue_of(stream));
    enqueue(stream, bound(function, {gx, gy, gz}, {bx, by, bz}, arguments));
    return SUCCESS;
}
