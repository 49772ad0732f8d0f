// What is asked of cuBLAS, and the little of cuRAND that opening a device takes.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <vector>

#include "sim.h"

namespace {

constexpr int OP_N = 0, OP_T = 1, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68, NOT_SUPPORTED = 15;
constexpr int LANES = 16, ROWS = 4;
typedef float Vector __attribute__((vector_size(4 * LANES)));

struct Handle {
    void *stream;
};

float to_float(__half x) { return float(x); }
float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
void store(float x, __half &out) { out = __half(x); }
void store(float x, __nv_bfloat16 &out) { out = __float2bfloat16_rn(x); }

// Rows of `length` numbers as floats; zeros fill the last vector and the last group of rows.
template <typename T> std::vector<Vector> widened(const T *from, int rows, int length, int stride) {
    const int vectors = (length + LANES - 1) / LANES;
    std::vector<Vector> out(size_t(rows + ROWS - 1) / ROWS * ROWS * vectors, Vector{});
#pragma omp parallel for
    for (int i = 0; i < rows; i++) {
        float *to = reinterpret_cast<float *>(&out[size_t(i) * vectors]);
        for (int k = 0; k < length; k++) to[k] = to_float(from[size_t(i) * stride + k]);
    }
    return out;
}

// c[j][i] = Σ a[i][k] · b[j][k].
template <typename T> void multiply(const T *a, const T *b, T *c, int m, int n, int k, int lda, int ldb, int ldc) {
    const auto left = widened(a, m, k, lda), right = widened(b, n, k, ldb);
    const int vectors = (k + LANES - 1) / LANES;
#pragma omp parallel for schedule(dynamic, 8)
    for (int j = 0; j < n; j += ROWS)
        for (int i = 0; i < m; i += ROWS) {
            Vector sums[ROWS][ROWS] = {};
            for (int v = 0; v < vectors; v++)
                for (int x = 0; x < ROWS; x++)
                    for (int y = 0; y < ROWS; y++) sums[x][y] += left[size_t(i + x) * vectors + v] * right[size_t(j + y) * vectors + v];
            for (int x = 0; x < ROWS && i + x < m; x++)
                for (int y = 0; y < ROWS && j + y < n; y++) {
                    float sum = 0;
                    for (int lane = 0; lane < LANES; lane++) sum += sums[x][y][lane];
                    store(sum, c[size_t(j + y) * ldc + i + x]);
                }
        }
}

template <typename T>
void enqueue_product(void *stream, const void *a, const void *b, void *c, int m, int n, int k, int lda, int ldb, int ldc) {
    sim::enqueue(
        stream, [=] { multiply(static_cast<const T *>(a), static_cast<const T *>(b), static_cast<T *>(c), m, n, k, lda, ldb, ldc); },
        {{a, sizeof(T) * lda * m}, {b, sizeof(T) * ldb * n}, {c, sizeof(T) * ldc * n}});
}

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

API cublasCreate_v2(Handle **handle) { return *handle = new Handle{}, 0; }
API cublasDestroy_v2(Handle *handle) { return delete handle, 0; }
API cublasSetStream_v2(Handle *handle, void *stream) { return handle->stream = stream, 0; }
API cublasGemmEx(Handle *handle, int transa, int transb, int m, int n, int k, const float *alpha, const void *a, int a_type, int lda,
                 const void *b, int b_type, int ldb, const float *beta, void *c, int c_type, int ldc, int compute, int) {
    if (transa != OP_T || transb != OP_N || *alpha != 1 || *beta != 0 || a_type != b_type || a_type != c_type || compute != COMPUTE_32F)
        return NOT_SUPPORTED;
    if (a_type == R_16F) return enqueue_product<__half>(handle->stream, a, b, c, m, n, k, lda, ldb, ldc), 0;
    if (a_type == R_16BF) return enqueue_product<__nv_bfloat16>(handle->stream, a, b, c, m, n, k, lda, ldb, ldc), 0;
    return NOT_SUPPORTED;
}

API curandCreateGenerator(void **generator, int) { return *generator = new int, 0; }
API curandSetStream(void *, void *) { return 0; }
API curandSetPseudoRandomGeneratorSeed(void *, unsigned long long) { return 0; }
API curandDestroyGenerator(void *generator) { return delete static_cast<int *>(generator), 0; }
