// Checks and times the products that products.py compiled beside cuBLASLt; see there.
#include <cublasLt.h>
#include <cuda.h>
#include <cuda_bf16.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

static void fail(const std::string &what) {
  fprintf(stderr, "error: %s\n", what.c_str());
  exit(1);
}
static void check(CUresult result, const char *what) {
  const char *text = "";
  if (result && (cuGetErrorString(result, &text), true))
    fail(std::string(what) + ": " + text);
}
static void check(cudaError_t result, const char *what) {
  if (result)
    fail(std::string(what) + ": " + cudaGetErrorString(result));
}
#define CHECK(call) check(call, #call)

constexpr int kGroups = 3, kTogether = 4; // launches of one measurement
static int64_t tokens = 0;

//===----------------------------------------------------------------------===//
// What results are checked against
//===----------------------------------------------------------------------===//

__global__ void fill(__nv_bfloat16 *to, float *wide, size_t count, unsigned seed, float scale) {
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < count;
       i += size_t(gridDim.x) * blockDim.x) {
    unsigned x = (unsigned(i) ^ unsigned(i >> 32) * 0x9e3779b9u) * 747796405u + seed * 2891336453u;
    x = ((x >> ((x >> 28) + 4)) ^ x) * 277803737u;
    float value = (float((x >> 22) ^ x) * 4.6566129e-10f - 1.0f) * scale;
    if (to)
      to[i] = __float2bfloat16(value);
    else
      wide[i] = value;
  }
}

/// C[m, n] = sum over k of A(m, k) B(n, k) for m of [mBegin, mEnd): 64 x 64 a block.
__global__ void multiply(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int64_t mBegin,
                         int64_t mEnd, int64_t n, int64_t kBegin, int64_t kEnd, int64_t am,
                         int64_t ak, int64_t bn, int64_t bk, int64_t cm) {
  __shared__ float x[16][65], y[16][65];
  int64_t m0 = mBegin + blockIdx.y * 64, n0 = blockIdx.x * 64;
  float sums[4][4] = {};
  int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  for (int64_t k0 = kBegin; k0 < kEnd; k0 += 16) {
    for (int i = threadIdx.x; i < 1024; i += 256) {
      // Neighbouring threads along the axis that is dense in memory.
      int o = ak == 1 ? i / 16 : i % 64, k = ak == 1 ? i % 16 : i / 64;
      bool in = m0 + o < mEnd && k0 + k < kEnd;
      x[k][o] = in ? __bfloat162float(a[(m0 + o) * am + (k0 + k) * ak]) : 0;
      o = bk == 1 ? i / 16 : i % 64, k = bk == 1 ? i % 16 : i / 64;
      in = n0 + o < n && k0 + k < kEnd;
      y[k][o] = in ? __bfloat162float(b[(n0 + o) * bn + (k0 + k) * bk]) : 0;
    }
    __syncthreads();
    for (int k = 0; k < 16; ++k)
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j)
          sums[i][j] += x[k][ty + 16 * i] * y[k][tx + 16 * j];
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      if (m0 + ty + 16 * i < mEnd && n0 + tx + 16 * j < n)
        c[(m0 + ty + 16 * i) * cm + n0 + tx + 16 * j] = sums[i][j];
}

/// after: 0 nothing, 1 + extra (f32), 2 * silu(extra) (bf16), 3 softplus(+ extra[group]).
__global__ void compare(const void *out, bool wide, const float *reference, const void *extra,
                        int after, int64_t rows, int64_t columns, const int64_t *offsets,
                        double *sums) {
  double error = 0, size = 0;
  for (int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x; i < rows * columns;
       i += int64_t(gridDim.x) * blockDim.x) {
    int64_t row = i / columns, column = i % columns, group = 0;
    while (after == 3 && row >= offsets[group + 1])
      ++group;
    double r = reference[i];
    if (after == 1)
      r += ((const float *)extra)[i];
    if (after == 2) {
      double z = __bfloat162float(((const __nv_bfloat16 *)extra)[i]);
      r *= z / (1 + exp(-z));
    }
    if (after == 3)
      r = log1p(exp(r + ((const float *)extra)[group * columns + column]));
    double got = wide ? ((const float *)out)[i]
                      : double(__bfloat162float(((const __nv_bfloat16 *)out)[i]));
    error += (got - r) * (got - r);
    size += r * r;
  }
  atomicAdd(sums, error); // NaN stays NaN
  atomicAdd(sums + 1, size);
}

//===----------------------------------------------------------------------===//
// cuBLASLt
//===----------------------------------------------------------------------===//

struct Lt {
  void *library = nullptr;
  cublasLtHandle_t handle = nullptr;
  void *workspace = nullptr;
  size_t bytes = 64 << 20;

  template <typename F> F *symbol(F *, const char *name) {
    void *found = dlsym(library, name);
    if (!found)
      fail(std::string("cuBLASLt has no ") + name);
    return reinterpret_cast<F *>(found);
  }
#define LT(name) symbol(name, #name)
  Lt() {
    for (const char *name : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"})
      if (!library)
        library = dlopen(name, RTLD_NOW);
    if (!library)
      fail("no cuBLASLt was found");
    LT(cublasLtCreate)(&handle);
    CHECK(cudaMalloc(&workspace, bytes));
  }
};

/// Row-major C[m, n] = op(A) op(B)^T: `aT`: A lies [k, m]; `bT`: B lies [k, n].
struct LtProduct {
  Lt &lt;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t la, lb, lc;
  std::vector<cublasLtMatmulHeuristicResult_t> found{8};
  int best = -1;

  LtProduct(Lt &lt, int64_t m, int64_t n, int64_t k, bool aT, bool bT, bool wide) : lt(lt) {
    // Column-major: C^T[n, m] = B[n, k] A^T[k, m].
    cublasOperation_t left = bT ? CUBLAS_OP_N : CUBLAS_OP_T, right = aT ? CUBLAS_OP_T : CUBLAS_OP_N;
    lt.LT(cublasLtMatmulDescCreate)(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    auto set = lt.LT(cublasLtMatmulDescSetAttribute);
    set(desc, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left);
    set(desc, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right);
    auto layout = lt.LT(cublasLtMatrixLayoutCreate);
    bT ? layout(&la, CUDA_R_16BF, n, k, n) : layout(&la, CUDA_R_16BF, k, n, k);
    aT ? layout(&lb, CUDA_R_16BF, m, k, m) : layout(&lb, CUDA_R_16BF, k, m, k);
    layout(&lc, wide ? CUDA_R_32F : CUDA_R_16BF, n, m, n);
    cublasLtMatmulPreference_t preference;
    lt.LT(cublasLtMatmulPreferenceCreate)(&preference);
    lt.LT(cublasLtMatmulPreferenceSetAttribute)(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &lt.bytes, sizeof lt.bytes);
    int count = 0;
    lt.LT(cublasLtMatmulAlgoGetHeuristic)(lt.handle, desc, la, lb, lc, lc, preference, 8,
                                          found.data(), &count);
    found.resize(count);
  }
  bool run(int i, const void *a, const void *b, void *c) {
    float one = 1, zero = 0;
    return lt.LT(cublasLtMatmul)(lt.handle, desc, &one, b, la, a, lb, &zero, c, lc, c, lc,
                                 &found[i].algo, lt.workspace, lt.bytes, 0) ==
           CUBLAS_STATUS_SUCCESS;
  }
};

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

struct LaunchOf {
  CUfunction function;
  int grid, threads, shared;
  std::vector<std::string> roles;
  std::vector<void *> pointers;
};
struct Variant {
  std::string name;
  std::vector<LaunchOf> launches;
  std::vector<float> milliseconds;
  double error = 0;
};
struct Product {
  std::string name, form, after;
  int64_t n, k, rows;
  std::vector<Variant> variants;
};

static double median(std::vector<float> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

struct Bench {
  Lt lt;
  cudaEvent_t before, after;
  int64_t offsets[kGroups + 1];
  void *deviceOffsets, *counts, *status, *index;
  double *sums;
  std::map<std::string, void *> memory;
  int rounds;

  std::string groups; ///< shares of the tokens, as they were given

  Bench(int rounds, const std::string &groups) : rounds(rounds), groups(groups) {
    CHECK(cudaEventCreate(&before));
    CHECK(cudaEventCreate(&after));
    std::istringstream shares(groups);
    offsets[0] = 0;
    for (int g = 0; g < kGroups; ++g) { // no group is a multiple of a tile
      std::string share;
      if (!std::getline(shares, share, ','))
        fail("expected 3 shares such as 0.19,0.47,0.34, but got " + groups);
      double part = atof(share.c_str());
      int64_t end = offsets[g] + (part > 0 ? int64_t(tokens * part) + 3 : 0);
      offsets[g + 1] = g + 1 == kGroups ? tokens : std::min(end, tokens);
    }
    int64_t host[] = {1, tokens, 8, 8, 8};
    CHECK(cudaMalloc(&deviceOffsets, sizeof offsets));
    CHECK(cudaMemcpy(deviceOffsets, offsets, sizeof offsets, cudaMemcpyHostToDevice));
    CHECK(cudaMalloc(&counts, sizeof host));
    CHECK(cudaMemcpy(counts, host, sizeof host, cudaMemcpyHostToDevice));
    CHECK(cudaMalloc(&status, 64));
    CHECK(cudaMalloc(&index, tokens * 4));
    CHECK(cudaMalloc(&sums, 16));
  }

  void *allocate(const std::string &name, size_t bytes) {
    void *&place = memory[name];
    CHECK(cudaMalloc(&place, bytes));
    return place;
  }

  template <typename F> float time(F &&run) {
    CHECK(cudaEventRecord(before));
    for (int i = 0; i < kTogether; ++i)
      run();
    CHECK(cudaEventRecord(after));
    CHECK(cudaEventSynchronize(after));
    float milliseconds;
    CHECK(cudaEventElapsedTime(&milliseconds, before, after));
    return milliseconds / kTogether;
  }

  void launch(const Variant &variant) {
    for (const LaunchOf &l : variant.launches) {
      std::vector<void *> parameters;
      for (void *const &pointer : l.pointers)
        parameters.push_back(const_cast<void **>(&pointer));
      CHECK(cuLaunchKernel(l.function, l.grid, 1, 1, l.threads, 1, 1, l.shared, 0,
                           parameters.data(), nullptr));
    }
  }

  void refer(const Product &p, float *reference) {
    auto *x = static_cast<__nv_bfloat16 *>(memory["x"]);
    auto *w = static_cast<__nv_bfloat16 *>(memory["w"]);
    for (int g = 0; g < kGroups; ++g) {
      int64_t begin = offsets[g], end = offsets[g + 1];
      if (p.form == "wgrad") {
        dim3 grid((p.n + 63) / 64, (p.rows + 63) / 64);
        multiply<<<grid, 256>>>(w, x, reference + g * p.rows * p.n, 0, p.rows, p.n, begin, end, 1,
                                p.rows, 1, p.n, p.n);
      } else {
        bool forward = p.form == "forward";
        dim3 grid((p.n + 63) / 64, (end - begin + 63) / 64);
        multiply<<<grid, 256>>>(x, w + g * p.n * p.k, reference, begin, end, p.n, 0, p.k, p.k, 1,
                                forward ? p.k : 1, forward ? 1 : p.n, p.n);
      }
    }
    CHECK(cudaDeviceSynchronize());
  }

  void run(Product &p) {
    bool wgrad = p.form == "wgrad", wide = p.after == "residual" || p.after == "f32";
    int64_t m = wgrad ? kGroups * p.rows : tokens;
    int after = p.after == "residual" ? 1 : p.after == "gate" ? 2 : p.after == "softplus" ? 3 : 0;
    size_t xs = tokens * (wgrad ? p.n : p.k), ws = wgrad ? tokens * p.rows : kGroups * p.n * p.k;
    size_t ys = m * p.n, es = after == 3 ? kGroups * p.n : after ? ys : 1;
    auto *x = static_cast<__nv_bfloat16 *>(allocate("x", xs * 2));
    auto *w = static_cast<__nv_bfloat16 *>(allocate("w", ws * 2));
    void *y = allocate("y", ys * (wide ? 4 : 2)), *extra = allocate("extra", es * 4);
    auto *reference = static_cast<float *>(allocate("reference", ys * 4));
    fill<<<1024, 256>>>(x, nullptr, xs, 1, 1);
    fill<<<1024, 256>>>(w, nullptr, ws, 2, 1);
    fill<<<1024, 256>>>(after == 2 ? static_cast<__nv_bfloat16 *>(extra) : nullptr,
                        static_cast<float *>(extra), es, 3, 1);
    refer(p, reference);
    memory["counts"] = counts, memory["status"] = status, memory["offsets"] = deviceOffsets;
    memory["rows"] = memory["positions"] = index;
    for (Variant &variant : p.variants) {
      for (LaunchOf &l : variant.launches)
        for (const std::string &role : l.roles) {
          size_t colon = role.find(':');
          if (colon != std::string::npos && !memory.count(variant.name + role))
            allocate(variant.name + role, std::stoll(role.substr(colon + 1)));
          l.pointers.push_back(memory.at(colon == std::string::npos ? role : variant.name + role));
        }
      CHECK(cudaMemset(y, 0xff, ys * (wide ? 4 : 2)));
      CHECK(cudaMemset(sums, 0, 16));
      launch(variant);
      compare<<<1024, 256>>>(y, wide, reference, extra, after, m, p.n,
                             static_cast<int64_t *>(deviceOffsets), sums);
      double found[2];
      check(cudaMemcpy(found, sums, 16, cudaMemcpyDeviceToHost), (p.name + variant.name).c_str());
      variant.error = std::sqrt(found[0] / found[1]);
    }
    // The dense product of the same size: a weight gradient has one matrix of all rows.
    LtProduct dense = wgrad ? LtProduct(lt, p.rows, p.n, tokens, true, true, wide)
                            : LtProduct(lt, tokens, p.n, p.k, false, p.form == "dgrad", false);
    const void *left = wgrad ? w : x, *right = wgrad ? x : w;
    float least = 1e30f;
    for (int i = 0; i < int(dense.found.size()); ++i) {
      if (!dense.run(i, left, right, y))
        continue;
      std::vector<float> times;
      for (int r = 0; r < 4; ++r)
        times.push_back(time([&] { dense.run(i, left, right, y); }));
      if (float t = median(times); t < least)
        least = t, dense.best = i;
    }
    std::vector<float> other;
    for (int round = -2; round < rounds; ++round) {
      for (Variant &variant : p.variants) {
        float t = time([&] { launch(variant); });
        if (round >= 0)
          variant.milliseconds.push_back(t);
      }
      float t = time([&] { dense.run(dense.best, left, right, y); });
      if (round >= 0)
        other.push_back(t);
    }
    double flops = 2.0 * tokens * p.n * (wgrad ? p.rows : p.k);
    double bytes = 2.0 * xs + 2.0 * ws + ys * (wide ? 4.0 : 2.0) +
                   (after == 1 ? 4.0 * es : after == 2 ? 2.0 * es : 0.0);
    auto row = [&](const char *name, double ms, double error) {
      printf("%-14s %-24s %-16s %8.4f ms %7.1f TFLOP/s %7.0f GB/s %6.3f of cublasLt  ",
             groups.c_str(), p.name.c_str(),
             name, ms, flops / ms * 1e-9, bytes / ms * 1e-6, median(other) / ms);
      error < 0 ? printf("\n") : printf("error %.1e%s\n", error, error < 4e-3 ? "" : " WRONG");
    };
    row("cublasLt", median(other), -1);
    for (Variant &variant : p.variants)
      row(variant.name.c_str(), median(variant.milliseconds), variant.error);
    fflush(stdout);
    for (auto &[name, place] : memory)
      if (place != counts && place != status && place != deviceOffsets && place != index)
        CHECK(cudaFree(place));
    memory.clear();
  }
};

int main(int argc, char **argv) {
  if (argc < 2)
    fail("usage: products MANIFEST [ROUNDS [SHARES...]]");
  CHECK(cudaFree(nullptr));
  std::ifstream in(argv[1]);
  std::vector<Product> products;
  std::map<std::string, CUmodule> modules;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "tokens") {
      words >> tokens;
    } else if (kind == "product") {
      Product p;
      words >> p.name >> p.form >> p.n >> p.k >> p.rows >> p.after;
      products.push_back(p);
    } else if (kind == "variant") {
      Variant v;
      words >> v.name;
      products.back().variants.push_back(v);
    } else if (kind == "launch") {
      LaunchOf l;
      std::string file, symbol;
      int count;
      words >> file >> symbol >> l.grid >> l.threads >> l.shared >> count;
      for (std::string role; words >> role;)
        l.roles.push_back(role);
      CUmodule &module = modules[file];
      if (!module)
        CHECK(cuModuleLoad(&module, file.c_str()));
      CHECK(cuModuleGetFunction(&l.function, module, symbol.c_str()));
      CHECK(cuFuncSetAttribute(l.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                               l.shared));
      products.back().variants.back().launches.push_back(l);
    }
  }
  std::vector<std::string> groups(argv + std::min(argc, 3), argv + argc);
  if (groups.empty())
    groups.push_back("0.19,0.47,0.34");
  for (const std::string &shares : groups) {
    Bench bench(argc > 2 ? atoi(argv[2]) : 12, shares);
    std::vector<Product> fresh = products;
    for (Product &product : fresh)
      bench.run(product);
  }
}
