// Instructions of a GPU as functions. The name of each is momc_emulate_ and the name
// of the intrinsic after llvm.nvvm., or momc_emulate_asm_ and the name that inline
// assembly was given, with underscores for dots. Results of several registers are
// written to the first argument; halves come in pairs, as 32 bits.
#include "compiler/Target/Emulator/Instructions.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

using namespace mom;
using mom::emulator::Block;

static std::atomic<bool> reverseOrder{false};
void mom::setEmulatorReverse(bool reverse) { reverseOrder = reverse; }

static Block &here() { return Block::current(); }

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

static void run(void (*thread)(void *const *), void *const *buffers, int64_t block, int64_t threads,
                int64_t shared, int64_t cluster) {
  if (block % cluster == 0)
    here().run([=] { thread(buffers); }, block, int(cluster), int(threads), shared, reverseOrder);
}
static void *shared() { return here().shared(); }
static int32_t tid() { return here().thread(); }
static int32_t ctaid() { return int32_t(here().block()); }
static int32_t laneid() { return here().lane(); }
static void barrierAll(int32_t id) { here().barrier(id); }
static void barrierCount(int32_t id, int32_t threads) { here().barrier(id, threads); }
static void warpSync(int32_t) { here().meetWarp(); }
static void clusterWait() { here().meetCluster(); }
static void nothing() {}

//===----------------------------------------------------------------------===//
// Exchange of registers
//===----------------------------------------------------------------------===//

/// What lane `from` has as `value`.
static uint32_t exchange(uint32_t value, int from) {
  Block &block = here();
  block.laneSlot(block.lane())[0] = value;
  block.meetWarp();
  uint32_t result = block.laneSlot(from)[0];
  block.meetWarp();
  return result;
}
static int32_t shuffleXor(int32_t, int32_t value, int32_t mask, int32_t) {
  return int32_t(exchange(value, here().lane() ^ mask));
}
static int32_t shuffleIndex(int32_t, int32_t value, int32_t from, int32_t) {
  return int32_t(exchange(value, from & 31));
}
static int32_t shuffleUp(int32_t, int32_t value, int32_t distance, int32_t) {
  int from = here().lane() - distance;
  return int32_t(exchange(value, from < 0 ? here().lane() : from));
}
static int32_t shuffleDown(int32_t, int32_t value, int32_t distance, int32_t) {
  int from = here().lane() + distance;
  return int32_t(exchange(value, from > 31 ? here().lane() : from));
}
static int32_t ballot(int32_t, int32_t condition) {
  Block &block = here();
  block.laneSlot(block.lane())[0] = condition != 0;
  block.meetWarp();
  uint32_t bits = 0;
  for (int lane = 0; lane < Block::kWarp; ++lane)
    bits |= block.laneSlot(lane)[0] << lane;
  block.meetWarp();
  return int32_t(bits);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

template <int bytes> static void copyAsync(void *to, const void *from) {
  here().copyLater({to, from, bytes, 0});
}
static void copyAsyncPart(void *to, const void *from, int32_t bytes) {
  here().copyLater({to, from, bytes, 16 - bytes});
}
static void commitCopies() { here().commitCopies(); }
static void waitCopies(int32_t pending) { here().waitCopies(pending); }
static void waitAllCopies() {
  here().commitCopies();
  here().waitCopies(0);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static float flushed(float x) { return std::fabs(x) < 1.17549435e-38f ? std::copysign(0.0f, x) : x; }
static float ex2(float x) { return flushed(std::exp2(flushed(x))); }
static float lg2(float x) { return std::log2(flushed(x)); }
static float rcp(float x) { return flushed(1 / flushed(x)); }
static float rsqrt(float x) { return 1 / std::sqrt(flushed(x)); }
static float squareRoot(float x) { return std::sqrt(flushed(x)); }
static float tanhApprox(float x) { return std::tanh(x); }
static float divide(float x, float y) { return flushed(x / y); }

/// The x86 code generator rounds single values to bf16 by a call, which few hosts have.
static __bf16 truncateBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  auto half = uint16_t(std::isnan(x) ? bits >> 16 | 0x40 : rounded);
  __bf16 value;
  std::memcpy(&value, &half, 2);
  return value;
}

//===----------------------------------------------------------------------===//
// Tensor cores
//===----------------------------------------------------------------------===//

static float asFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
static float bf16(uint32_t half) { return asFloat(half << 16); }
static float f16(uint32_t half) {
  _Float16 value;
  auto bits = uint16_t(half);
  std::memcpy(&value, &bits, 2);
  return float(value);
}
static float tf32(uint32_t bits) { return asFloat(bits & 0xffffe000u); }

/// D[16][8] = A[16][K] B[K][8] + C over a warp, in the layouts of mma.m16n8k*: a
/// register holds `packed` elements side by side in K.
template <int K, int packed>
static void mma(float *d, const uint32_t *a, const uint32_t *b, const float *c,
                float (*element)(uint32_t)) {
  constexpr int kRegistersA = K / packed / 2, kRegistersB = K / packed / 4;
  Block &block = here();
  uint32_t *mine = block.laneSlot(block.lane());
  std::memcpy(mine, a, kRegistersA * 4);
  std::memcpy(mine + kRegistersA, b, kRegistersB * 4);
  block.meetWarp();
  auto part = [&](uint32_t bits, int i) {
    return element(packed == 1 ? bits : (bits >> (16 * i)) & 0xffff);
  };
  constexpr int kRun = 4 * packed; // elements of K in one register across a quad
  auto valueA = [&](int row, int k) {
    int lane = (row & 7) * 4 + (k % kRun) / packed;
    return part(block.laneSlot(lane)[(row >> 3) + 2 * (k / kRun)], k % packed);
  };
  auto valueB = [&](int k, int column) {
    int lane = column * 4 + (k % kRun) / packed;
    return part(block.laneSlot(lane)[kRegistersA + k / kRun], k % packed);
  };
  int group = block.lane() / 4, quad = block.lane() % 4;
  for (int i = 0; i < 4; ++i) {
    int row = group + 8 * (i >> 1), column = 2 * quad + (i & 1);
    float sum = c[i];
    for (int k = 0; k < K; ++k)
      sum += valueA(row, k) * valueB(k, column);
    d[i] = sum;
  }
  block.meetWarp();
}

#define MOM_MMA_ARGUMENTS                                                                          \
  float *d, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0, uint32_t b1,          \
      float c0, float c1, float c2, float c3
#define MOM_MMA(name, K, packed, element)                                                          \
  static void name(MOM_MMA_ARGUMENTS) {                                                            \
    uint32_t a[] = {a0, a1, a2, a3}, b[] = {b0, b1};                                               \
    float c[] = {c0, c1, c2, c3};                                                                  \
    mma<K, packed>(d, a, b, c, element);                                                           \
  }
MOM_MMA(mmaBf16, 16, 2, bf16)
MOM_MMA(mmaF16, 16, 2, f16)
MOM_MMA(mmaTf32, 8, 1, tf32)
static void mmaBf16Half(float *d, uint32_t a0, uint32_t a1, uint32_t b0, float c0, float c1,
                        float c2, float c3) {
  uint32_t a[] = {a0, a1};
  float c[] = {c0, c1, c2, c3};
  mma<8, 2>(d, a, &b0, c, bf16);
}

/// Lane 4 g + q has elements 2 q and 2 q + 1 of row g, and gets those of column g.
static int32_t turnMatrix(int32_t pair) {
  Block &block = here();
  block.laneSlot(block.lane())[0] = uint32_t(pair);
  block.meetWarp();
  int group = block.lane() / 4, quad = block.lane() % 4;
  uint32_t turned = 0;
  for (int j = 0; j < 2; ++j) {
    uint32_t from = block.laneSlot(4 * (2 * quad + j) + group / 2)[0];
    turned |= (from >> (16 * (group % 2)) & 0xffff) << (16 * j);
  }
  block.meetWarp();
  return int32_t(turned);
}

/// `count` matrices of 8 x 8 halves; lane 8 i + r gives the address of row r of
/// matrix i, and gets elements (2 q, 2 q + 1) of row g of each.
static void loadMatrices(uint32_t *result, const void *row, bool transposed, int count = 4) {
  Block &block = here();
  auto address = reinterpret_cast<uintptr_t>(row);
  std::memcpy(block.laneSlot(block.lane()), &address, 8);
  block.meetWarp();
  int group = block.lane() / 4, quad = block.lane() % 4;
  for (int i = 0; i < count; ++i) {
    uint16_t pair[2];
    for (int j = 0; j < 2; ++j) {
      int r = transposed ? 2 * quad + j : group, c = transposed ? group : 2 * quad + j;
      uintptr_t from;
      std::memcpy(&from, block.laneSlot(8 * i + r), 8);
      std::memcpy(&pair[j], reinterpret_cast<const char *>(from) + 2 * c, 2);
    }
    std::memcpy(&result[i], pair, 4);
  }
  block.meetWarp();
}
static void loadMatrix4(uint32_t *d, const void *row) { loadMatrices(d, row, false); }
static void loadMatrix4T(uint32_t *d, const void *row) { loadMatrices(d, row, true); }
static void loadMatrix2T(uint32_t *d, const void *row) { loadMatrices(d, row, true, 2); }
static void storeMatrix4(void *row, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  Block &block = here();
  auto address = reinterpret_cast<uintptr_t>(row);
  std::memcpy(block.laneSlot(block.lane()), &address, 8);
  block.meetWarp();
  uint32_t pairs[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) {
    uintptr_t to;
    std::memcpy(&to, block.laneSlot(8 * i + block.lane() / 4), 8);
    std::memcpy(reinterpret_cast<char *>(to) + 4 * (block.lane() % 4), &pairs[i], 4);
  }
  block.meetWarp();
}

//===----------------------------------------------------------------------===//
// Warpgroups
//===----------------------------------------------------------------------===//

// Operands of wgmma lie in shared memory as their descriptors say (TensorCore.h); each
// thread computes its own sums from there, at once: what is not waited for or published
// is not found. The four warps meet where they wait, since one thread may then say for
// all of them that they have read.

static void meetWarpgroup(int64_t) { here().meetGroup(4 * Block::kWarp); }

/// Element (outer, inner) of an operand: chunks of 16 bytes are permuted by bits 7 to 9
/// of their address.
static float operandElement(int64_t descriptor, bool outerLast, int outer, int inner,
                            float (*element)(uint32_t)) {
  auto field = [&](int shift) { return ((descriptor >> shift) & 0x3fff) * 16; };
  int64_t panel = field(16), eight = field(32), inside;
  if (outerLast) // lines are k
    inside = outer / 64 * panel + outer % 64 * 2 + inner / 8 * eight + inner % 8 * 128;
  else
    inside = outer / 8 * eight + outer % 8 * 128 + inner * 2;
  // Descriptors have the low 18 bits of an address; those of shared memory are 1024-aligned.
  char *shared = here().shared();
  auto base = int64_t(reinterpret_cast<uintptr_t>(shared) & 0x3ffff);
  int64_t at = ((field(0) + inside - base) & 0x3ffff);
  at ^= ((at >> 7) & 7) << 4;
  uint16_t bits;
  std::memcpy(&bits, shared + at, 2);
  return element(bits);
}

template <int columns, bool isF16, typename Sums> struct WarpgroupProduct;
template <int columns, bool isF16, size_t... i>
struct WarpgroupProduct<columns, isF16, std::index_sequence<i...>> {
  template <size_t> using Float = float;

  static void multiply(float *d, Float<i>... given, int64_t a, int64_t b, int32_t aOuterLast,
                       int32_t bOuterLast, int32_t adds) {
    float sums[] = {given...};
    if (!adds)
      std::fill(std::begin(sums), std::end(sums), 0.0f);
    auto element = isF16 ? f16 : bf16;
    int group = here().lane() / 4, quad = here().lane() % 4, warp = here().warp() % 4;
    float left[2][16];
    for (int half = 0; half < 2; ++half)
      for (int k = 0; k < 16; ++k)
        left[half][k] = operandElement(a, aOuterLast, 16 * warp + 8 * half + group, k, element);
    for (int column = 0; column < columns; ++column) {
      if (column % 8 / 2 != quad)
        continue;
      for (int k = 0; k < 16; ++k) {
        float right = operandElement(b, bOuterLast, column, k, element);
        for (int half = 0; half < 2; ++half)
          sums[column / 8 * 4 + 2 * half + column % 2] += left[half][k] * right;
      }
    }
    std::memcpy(d, sums, sizeof(sums));
  }
  static void begin(float *d, Float<i>... given) {
    float sums[] = {given...};
    std::memcpy(d, sums, sizeof(sums));
  }
  static void finish(float *d, Float<i>... given) {
    meetWarpgroup(0);
    begin(d, given...);
  }
};
template <int columns, bool isF16>
using Wgmma = WarpgroupProduct<columns, isF16, std::make_index_sequence<columns / 2>>;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

#define MOM_WGMMA(columns)                                                                         \
  MOM_SYMBOL("asm_wgmma_bf16_n" #columns, (Wgmma<columns, false>::multiply)),                      \
      MOM_SYMBOL("asm_wgmma_f16_n" #columns, (Wgmma<columns, true>::multiply)),                    \
      MOM_SYMBOL("asm_wgmma_begin_n" #columns, (Wgmma<columns, false>::begin)),                    \
      MOM_SYMBOL("asm_wgmma_finish_n" #columns, (Wgmma<columns, false>::finish))
llvm::ArrayRef<EmulatorSymbol> mom::emulator::instructionSymbols() {
  static const EmulatorSymbol symbols[] = {
      {"__truncsfbf2", reinterpret_cast<void *>(truncateBf16)},
      MOM_SYMBOL("run", run),
      MOM_SYMBOL("shared", shared),
      MOM_SYMBOL("read_ptx_sreg_tid_x", tid),
      MOM_SYMBOL("read_ptx_sreg_ctaid_x", ctaid),
      MOM_SYMBOL("read_ptx_sreg_laneid", laneid),
      MOM_SYMBOL("barrier_cta_sync_aligned_all", barrierAll),
      MOM_SYMBOL("barrier_cta_sync_aligned_count", barrierCount),
      MOM_SYMBOL("bar_warp_sync", warpSync),
      MOM_SYMBOL("barrier_cluster_arrive", nothing),
      MOM_SYMBOL("barrier_cluster_wait", clusterWait),
      MOM_SYMBOL("membar_gl", nothing),
      MOM_SYMBOL("membar_cta", nothing),
      MOM_SYMBOL("shfl_sync_bfly_i32", shuffleXor),
      MOM_SYMBOL("shfl_sync_idx_i32", shuffleIndex),
      MOM_SYMBOL("shfl_sync_up_i32", shuffleUp),
      MOM_SYMBOL("shfl_sync_down_i32", shuffleDown),
      MOM_SYMBOL("vote_ballot_sync", ballot),
      MOM_SYMBOL("cp_async_ca_shared_global_4", copyAsync<4>),
      MOM_SYMBOL("cp_async_ca_shared_global_8", copyAsync<8>),
      MOM_SYMBOL("cp_async_cg_shared_global_16", copyAsync<16>),
      MOM_SYMBOL("cp_async_cg_shared_global_16_s", copyAsyncPart),
      MOM_SYMBOL("cp_async_commit_group", commitCopies),
      MOM_SYMBOL("cp_async_wait_group", waitCopies),
      MOM_SYMBOL("cp_async_wait_all", waitAllCopies),
      MOM_SYMBOL("ex2_approx_ftz_f", ex2),
      MOM_SYMBOL("ex2_approx_ftz", ex2),
      MOM_SYMBOL("ex2_approx_ftz_f32", ex2),
      MOM_SYMBOL("lg2_approx_ftz_f", lg2),
      MOM_SYMBOL("rcp_approx_ftz_f", rcp),
      MOM_SYMBOL("rsqrt_approx_ftz_f", rsqrt),
      MOM_SYMBOL("sqrt_approx_ftz_f", squareRoot),
      MOM_SYMBOL("tanh_approx_f32", tanhApprox),
      MOM_SYMBOL("div_approx_ftz_f", divide),
      MOM_SYMBOL("mma_m16n8k16_row_col_bf16", mmaBf16),
      MOM_SYMBOL("mma_m16n8k16_row_col_f32_f32", mmaF16),
      MOM_SYMBOL("mma_m16n8k8_row_col_tf32", mmaTf32),
      MOM_SYMBOL("mma_m16n8k8_row_col_bf16", mmaBf16Half),
      MOM_SYMBOL("asm_movmatrix", turnMatrix),
      MOM_SYMBOL("ldmatrix_sync_aligned_m8n8_x4_b16_p3", loadMatrix4),
      MOM_SYMBOL("ldmatrix_sync_aligned_m8n8_x4_trans_b16_p3", loadMatrix4T),
      MOM_SYMBOL("ldmatrix_sync_aligned_m8n8_x2_trans_b16_p3", loadMatrix2T),
      MOM_SYMBOL("stmatrix_sync_aligned_m8n8_x4_b16_p3", storeMatrix4),
      MOM_SYMBOL("fence_proxy_async_shared_cta", nothing),
      MOM_SYMBOL("wgmma_fence_sync_aligned", nothing),
      MOM_SYMBOL("wgmma_commit_group_sync_aligned", nothing),
      MOM_SYMBOL("wgmma_wait_group_sync_aligned", meetWarpgroup),
      MOM_SYMBOL("asm_prefetch", nothing),
      MOM_SYMBOL("asm_setmaxnreg", nothing),
      MOM_WGMMA(8),
      MOM_WGMMA(32),
      MOM_WGMMA(64),
      MOM_WGMMA(96),
      MOM_WGMMA(128),
      MOM_WGMMA(160),
      MOM_WGMMA(192),
      MOM_WGMMA(224),
      MOM_WGMMA(256),
  };
  return symbols;
}
