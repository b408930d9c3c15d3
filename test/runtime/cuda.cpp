// A GPU program: without a driver its message, with one everything that a GPU
// alone can show. `momrt-test-cuda fault` ends with a kernel that faults.
#include "Check.h"
#include "TableBuilder.h"
#include "runtime/Convert.h"
#include "runtime/Gpus.h"
#include "runtime/Snapshots.h"
#include <cmath>
#include <dlfcn.h>

using namespace momrt;

static const char *const kPtx = R"(
.version 7.0
.target sm_80
.address_size 64

// y[i] = 2 * x[i] + i for i below the true count of tokens: one thread an element
.visible .entry twice(.param .u64 counts, .param .u64 x, .param .u64 y) {
  .reg .pred %p; .reg .b32 %i, %n, %t; .reg .f32 %v, %w; .reg .b64 %c, %a, %b, %o, %k, %l;
  ld.param.u64 %c, [counts];
  ld.param.u64 %a, [x];
  ld.param.u64 %b, [y];
  mov.u32 %i, %ctaid.x;
  mov.u32 %n, %ntid.x;
  mov.u32 %t, %tid.x;
  mad.lo.u32 %i, %i, %n, %t;
  cvt.u64.u32 %k, %i;
  ld.global.u64 %l, [%c+8];
  setp.ge.u64 %p, %k, %l;
  @%p ret;
  shl.b64 %o, %k, 2;
  add.u64 %a, %a, %o;
  add.u64 %b, %b, %o;
  ld.global.f32 %v, [%a];
  cvt.rn.f32.u32 %w, %i;
  fma.rn.f32 %v, %v, 0f40000000, %w;
  st.global.f32 [%b], %v;
  ret;
}

// loss[0] = y[tokens - 1]
.visible .entry last(.param .u64 counts, .param .u64 y, .param .u64 loss) {
  .reg .f32 %v; .reg .b64 %c, %a, %b, %l;
  ld.param.u64 %c, [counts];
  ld.param.u64 %a, [y];
  ld.param.u64 %b, [loss];
  ld.global.u64 %l, [%c+8];
  shl.b64 %l, %l, 2;
  add.u64 %a, %a, %l;
  ld.global.f32 %v, [%a+-4];
  st.global.f32 [%b], %v;
  ret;
}

// copies[i] = bf16(parameters[i]) for 128 elements
.visible .entry narrow(.param .u64 parameters, .param .u64 copies) {
  .reg .b32 %t; .reg .f32 %v; .reg .b16 %h; .reg .b64 %a, %b, %o;
  ld.param.u64 %a, [parameters];
  ld.param.u64 %b, [copies];
  mov.u32 %t, %tid.x;
  mul.wide.u32 %o, %t, 4;
  add.u64 %a, %a, %o;
  shr.u64 %o, %o, 1;
  add.u64 %b, %b, %o;
  ld.global.f32 %v, [%a];
  cvt.rn.bf16.f32 %h, %v;
  st.global.b16 [%b], %h;
  ret;
}

.visible .entry wild(.param .u64 counts) {
  .reg .b64 %a;
  mov.u64 %a, 8;
  st.global.u64 [%a], %a;
  ret;
}
)";

namespace {
/// Its program; `rowBytes` more of the arena a token.
struct Model {
  static constexpr int64_t kElements = 128;
  std::vector<uint64_t> words;
  momrt_program program;

  explicit Model(int64_t rowBytes = 0, const std::string &ptx = kPtx) {
    using T = TableBuilder;
    TableBuilder table;
    table.header.name = table.text("pointwise");
    table.header.target = 80;
    for (const char *name : {"twice (y)", "last (loss)", "narrow (copies)", "wild"})
      table.kernels[table.kernel(name)].threads = 128;
    table.kernels[1].threads = 1;
    table.ptx = ptx;
    table.parameters = {
        {table.text("w"), 0, kElements, 1, 1, {kElements}, MOMRT_INIT_NORMAL, 0, 0, 1, 0}};
    table.header.parameter_elements = kElements;
    table.header.copy_type = table.header.moment_type = MOMRT_BF16;
    table.inputs = {{table.text("x"), MOMRT_F32, MOMRT_COUNT_TOKEN, 1, 0, 0, 0}};
    uint32_t slot = table.slot({0, 4}), loss = table.slot({4});
    table.slot({0, rowBytes});
    momrt_arg counts = T::arg(MOMRT_SPACE_COUNTS), y = T::arg(MOMRT_SPACE_ARENA, slot);
    table.launch(0, MOMRT_COUNT_TOKEN, 128, {counts, T::arg(MOMRT_SPACE_INPUT), y});
    table.repeat(200); // more launches than a stream holds
    table.launch(1, MOMRT_COUNT_ONE, 1, {counts, y, T::arg(MOMRT_SPACE_ARENA, loss)});
    table.end();
    table.output("y", MOMRT_OUTPUT_ROWS, 1, y, MOMRT_COUNT_TOKEN);
    table.output("last", MOMRT_OUTPUT_LOSS, 1, T::arg(MOMRT_SPACE_ARENA, loss));
    table.entry("twice", {0, 1});
    table.launch(2, MOMRT_COUNT_ONE, 1,
                 {T::arg(MOMRT_SPACE_PARAMETERS), T::arg(MOMRT_SPACE_COPIES)});
    table.entry("copies", {0, 0});
    table.launch(3, MOMRT_COUNT_ONE, 1, {counts});
    table.entry("wild", {0, 0});
    words = table.build();
    program = {reinterpret_cast<const momrt_table *>(words.data()), nullptr};
  }
  std::shared_ptr<const Program> open() const { return std::make_shared<Program>(&program); }
};
} // namespace

static Batch batchOf(int64_t tokens, float scale) {
  Batch batch({1, 0, 1, {{0, tokens, -1, -1}}, std::vector<int32_t>(tokens, 0)}, 1);
  std::vector<float> x(tokens);
  for (int64_t at = 0; at < tokens; ++at)
    x[at] = scale * float(at);
  auto *bytes = reinterpret_cast<const uint8_t *>(x.data());
  batch.inputs = {{"x", MOMRT_F32, tokens, 1, {bytes, bytes + x.size() * 4}}};
  return batch;
}

static void results(bool graphs) {
  Model model;
  SessionOptions options;
  options.graphs = graphs;
  options.poison = true;
  Session session(model.open(), options);
  for (int64_t tokens : {100, 101, 1000, 100}) { // 100 and 101 are of one shape class
    session.setBatch(batchOf(tokens, 0.5f));
    session.run("twice");
    session.checkStatus();
    std::vector<float> y = session.readFloats("twice", MOMRT_OUTPUT_ROWS, "y");
    CHECK_EQ(int64_t(y.size()), tokens);
    for (int64_t at = 0; at < tokens; ++at)
      CHECK_EQ(y[at], float(2 * at));
  }
}

/// Batches queued ahead of their results, large ones and small ones in turn.
static void ahead() {
  Model model;
  Session session(model.open());
  Snapshots snapshots(session, {"twice"}, 3);
  std::vector<float> expected, got;
  for (int turn = 0; turn < 60; ++turn) {
    int64_t tokens = turn % 3 ? 100 + turn : (1 << 20) - turn;
    float scale = float(turn % 7);
    session.setBatch(batchOf(tokens, scale));
    session.run("twice");
    snapshots.take(fmt::format(" at turn {}", turn));
    float last = float(tokens - 1);
    expected.push_back(std::fma(scale * last, 2.0f, last));
    while (snapshots.due())
      got.push_back(snapshots.next().floats("twice", MOMRT_OUTPUT_LOSS, "last")[0]);
  }
  while (snapshots.waiting())
    got.push_back(snapshots.next().floats("twice", MOMRT_OUTPUT_LOSS, "last")[0]);
  CHECK(got == expected);
  RecordCosts costs = session.device().recordCosts();
  fmt::print("{} graphs of 201 launches recorded in {:.3f} ms each\n", costs.walks,
             1e3 * costs.seconds / double(costs.walks));
}

static void types() {
  Model model;
  Session session(model.open());
  session.initialise(4);
  std::vector<float> values = session.readSpace(MOMRT_SPACE_PARAMETERS), rounded(values.size());
  std::vector<uint16_t> stored(values.size());
  fromFloats(MOMRT_BF16, values.data(), Model::kElements, stored.data());
  toFloats(MOMRT_BF16, stored.data(), Model::kElements, rounded.data());
  CHECK(session.readSpace(MOMRT_SPACE_COPIES) == rounded);
  session.writeSpace(MOMRT_SPACE_MOMENT1, values);
  CHECK(session.readSpace(MOMRT_SPACE_MOMENT1) == rounded);
  // More than the blocks that copies are staged in hold together.
  Batch large = batchOf(1 << 25, 1);
  session.setBatch(large);
  session.setInput("x", MOMRT_F32, 1 << 25, 1, large.inputs[0].bytes.data());
  session.run("twice");
  std::vector<float> y = session.readFloats("twice", MOMRT_OUTPUT_ROWS, "y");
  size_t wrong = 0;
  for (size_t at = 0; at < y.size(); ++at)
    wrong += y[at] != std::fma(float(at), 2.0f, float(at));
  CHECK_EQ(wrong, 0u);
}

static void times() {
  Model model;
  Session session(model.open());
  session.setBatch(batchOf(1 << 22, 1));
  double whole = session.time("twice");
  std::vector<double> ops = session.profile("twice", 5);
  CHECK_EQ(ops.size(), 4u);
  CHECK(ops[0] > 0 && ops[1] == 0 && ops[2] > 0 && ops[3] == 0);
  CHECK(whole > 0 && ops[0] + ops[2] < 100 * whole && whole < 100 * (ops[0] + ops[2]));
  fmt::print("an entry of {:.4f} ms: its launches {:.4f} ms and 200 x {:.4f} ms\n", whole, ops[0],
             ops[2] / 200);
}

static void refusals() {
  Model huge(INT64_C(1) << 20);
  Session session(huge.open());
  session.setBatch(batchOf(100, 1));
  CHECK_FAILS("the arena for 4194304 tokens wants 4.00 TiB, but ",
              session.setBatch(batchOf(1 << 22, 1)));
  CHECK_FAILS(" are free; held already: parameters 512 bytes",
              session.setBatch(batchOf(1 << 22, 1)));
  session.setBatch(batchOf(101, 1));
  session.run("twice");
  session.checkStatus();
  fmt::print("{}\n", memoryText(session.device(), session.memory()));
  std::string wrong = kPtx;
  wrong.replace(wrong.find("fma.rn"), 6, "fms.rn");
  Model bad(0, wrong);
  CHECK_FAILS("loading kernel 'twice (y)' on ", Session refused(bad.open()));
  CHECK_FAILS(" and says: ptxas", Session refused(bad.open()));
  SessionOptions options;
  options.gpu = 1000;
  CHECK_FAILS("there is no GPU 1000", Session refused(huge.open(), options));
}

static void fault(bool graphs) {
  Model model;
  SessionOptions options;
  options.graphs = graphs;
  Session session(model.open(), options);
  session.setBatch(batchOf(100, 1));
  if (graphs) {
    session.run("wild");
    CHECK_FAILS("work on the GPU failed in entry 'wild': ", session.checkStatus());
  } else {
    CHECK_FAILS("kernel 'wild' (model.mom:6:3), 1 blocks of 128 threads, failed: ",
                session.run("wild"));
  }
}

int main(int argc, char **argv) {
  if (!dlopen("libcuda.so.1", RTLD_NOW)) {
    Model model;
    CHECK_FAILS("no CUDA driver was found: ", Session session(model.open()));
    std::vector<Gpu> gpus;
    CHECK(listGpus(gpus).find("no CUDA driver was found: ") == 0);
    return finish();
  }
  for (const Gpu &gpu : findGpus())
    fmt::print("{}, sm_{}, {}\n", gpu.name, gpu.architecture, sizeText(gpu.memory));
  if (argc > 1) {
    fault(std::string(argv[1]) == "fault");
    return finish();
  }
  results(true);
  results(false);
  ahead();
  types();
  times();
  refusals();
  return finish();
}
