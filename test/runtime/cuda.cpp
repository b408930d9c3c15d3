// A GPU program: without a driver its message, with one a pointwise kernel
// walked twice, the second time from the recorded graph.
#include "Check.h"
#include "TableBuilder.h"
#include "runtime/Session.h"
#include <dlfcn.h>

using namespace momrt;

// y[i] = 2 * x[i] + i for i below the true count of tokens: one thread an element
static const char *const kPtx = R"(
.version 7.0
.target sm_70
.address_size 64
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
)";

static void run(const std::shared_ptr<const Program> &program) {
  Session session(program);
  for (int64_t tokens : {100, 101, 1000, 100}) { // 100 and 101 are of one shape class
    std::vector<momrt_segment> segments = {{0, tokens, -1, -1}};
    session.setBatch(Batch({1, 0, 1, segments, std::vector<int32_t>(tokens, 0)}, 1));
    std::vector<float> x(tokens);
    for (int64_t at = 0; at < tokens; ++at)
      x[at] = 0.5f * float(at);
    session.setInput("x", MOMRT_F32, tokens, 1, x.data());
    session.run("twice");
    session.checkStatus();
    std::vector<float> y = session.readFloats("twice", MOMRT_OUTPUT_ROWS, "y");
    CHECK_EQ(int64_t(y.size()), tokens);
    for (int64_t at = 0; at < tokens; ++at)
      CHECK_EQ(y[at], float(2 * at));
  }
}

int main() {
  using T = TableBuilder;
  TableBuilder table;
  table.header.name = table.text("pointwise");
  table.header.target = 70;
  table.kernel("twice (y)");
  table.kernels[0].threads = 128;
  table.ptx = kPtx;
  table.inputs = {{table.text("x"), MOMRT_F32, MOMRT_COUNT_TOKEN, 1, 0}};
  uint32_t slot = table.slot({0, 4});
  table.launch(
      0, MOMRT_COUNT_TOKEN, 128,
      {T::arg(MOMRT_SPACE_COUNTS), T::arg(MOMRT_SPACE_INPUT), T::arg(MOMRT_SPACE_ARENA, slot)});
  table.output("y", MOMRT_OUTPUT_ROWS, 1, T::arg(MOMRT_SPACE_ARENA, slot), MOMRT_COUNT_TOKEN);
  table.entry("twice", {0, 1});
  std::vector<uint64_t> words = table.build();
  momrt_program program = {reinterpret_cast<const momrt_table *>(words.data()), nullptr};
  auto opened = std::make_shared<Program>(&program);
  if (dlopen("libcuda.so.1", RTLD_NOW))
    run(opened);
  else
    CHECK_FAILS("this program is for a GPU, but no CUDA driver was found", Session session(opened));
  return finish();
}
