// The walk of ops: nested and reversed repetitions, recipes and grids; then a
// session that runs the small model's entries.
#include "Check.h"
#include "TinyModel.h"
#include "runtime/Session.h"
#include <cmath>
#include <fmt/ranges.h>

using namespace momrt;
using Longs = std::vector<int64_t>;

namespace {
/// Remembers launches: the kernel, its blocks and where its args point.
struct Recorder : Device {
  char *base;
  std::vector<Longs> seen;
  explicit Recorder(char *base) : base(base) {}
  void *allocate(int64_t) override { return nullptr; }
  void release(void *) override {}
  void copyIn(void *, const void *, int64_t) override {}
  void copyOut(void *, const void *, int64_t) override {}
  void fill(void *, uint8_t, int64_t) override {}
  void profile(const std::function<void()> &walk, std::vector<double> &) override { walk(); }
  void launch(const Launch &launch) override {
    Longs line{launch.kernel, launch.blocks};
    for (size_t at = 0; at < launch.count; ++at)
      line.push_back(static_cast<char *>(launch.pointers[at]) - base);
    seen.push_back(line);
  }
};
} // namespace

static void order() {
  using T = TableBuilder;
  TableBuilder table;
  table.kernel("k");
  table.slot({0, 64});
  momrt_arg inner = T::turning(MOMRT_SPACE_PARAMETERS, 1000, 10, 3);
  momrt_arg back = T::turning(MOMRT_SPACE_PARAMETERS, 2000, 1, 4, -1);
  momrt_arg rows = T::arg(MOMRT_SPACE_ARENA, 0, 4);
  rows.stride.bytes[MOMRT_COUNT_TOKEN] = 8;
  rows.modulus = 2;
  table.launch(0, MOMRT_COUNT_TOKEN, 3, {inner});
  table.ops.back().grid_extra = 2;
  table.ops.back().grid_factor = 5;
  for (int64_t above : {9, 10}) {
    table.launch(0, MOMRT_COUNT_TOKEN, 4, {inner});
    table.ops.back().grid_segments = 1;
    table.ops.back().grid_factor = 2;
    table.ops.back().grid_above = above;
  }
  table.repeat(2, true);
  table.launch(0, MOMRT_COUNT_ONE, 1, {inner, rows});
  table.repeat(3);
  table.launch(0, MOMRT_COUNT_STREAM, 1, {inner, back});
  table.end();
  table.launch(0, MOMRT_COUNT_ONE, 1, {inner});
  table.end();
  table.repeat(0);
  table.launch(0, MOMRT_COUNT_ONE, 1, {inner});
  table.end();
  table.entry("e", {0, 0});
  std::vector<uint64_t> words = table.build();
  Table checked(reinterpret_cast<const momrt_table *>(words.data()));

  std::vector<char> memory(4096);
  Addresses addresses;
  addresses.base[MOMRT_SPACE_PARAMETERS] = memory.data();
  addresses.slots = {memory.data() + 3000};
  Recorder device(memory.data());
  walk(checked, checked.entry("e"), {1, 10, 2, 1, 7}, addresses, device);
  // (ceil(10 / 3) + 2) * 5 blocks, round 0; (ceil(10 / 4) + 7) * 2 above 9 tokens.
  std::vector<Longs> expected = {{0, 30, 1000}, {0, 20, 1000}};
  for (int64_t outer : {1, 0}) {
    expected.push_back({0, 1, 1000 + 10 * outer, 3004 + 80 * outer});
    for (int64_t round : {0, 1, 2})
      expected.push_back({0, 2, 1000 + 10 * round, 2000 + (round + 3) % 4});
    expected.push_back({0, 1, 1000 + 10 * outer});
  }
  CHECK_EQ(device.seen, expected);
  CHECK_FAILS("points to byte 1020 of a buffer of 1000 bytes",
              checkRecipes(checked, checked.entry("e"), {1, 10, 2, 1, 1},
                           [](auto &) { return INT64_C(1000); }));
}

static Batch batchOf(const std::vector<int32_t> &id) {
  std::vector<int32_t> modality;
  for (int32_t value : id)
    modality.push_back(value & 1);
  int64_t tokens = int64_t(id.size());
  std::vector<momrt_segment> segments;
  if (tokens)
    segments = {{0, tokens, -1, -1}};
  Batch batch({1, 0, 1, segments, modality}, tiny::kModalities);
  auto *bytes = reinterpret_cast<const uint8_t *>(id.data());
  batch.inputs = {{"id", MOMRT_I32, tokens, 1, {bytes, bytes + id.size() * 4}}};
  return batch;
}

static std::vector<float> predictions(Session &session) {
  return session.readFloats("loss", MOMRT_OUTPUT_ROWS, "prediction");
}

static void entries() {
  tiny::Model model;
  Session session(model.open(), {2, 0, true});
  session.initialise(1);
  std::vector<float> weights = session.readSpace(MOMRT_SPACE_PARAMETERS);
  auto expected = [&](int32_t id) {
    float sum = weights[id];
    for (int64_t layer = 0; layer < tiny::kLayers; ++layer)
      sum += weights[32 + layer * tiny::kModalities + (id & 1)];
    return sum;
  };
  // Several sizes: within one shape class, larger, smaller.
  for (size_t tokens : {5, 9, 10, 100, 3}) {
    std::vector<int32_t> id;
    for (size_t at = 0; at < tokens; ++at)
      id.push_back(int32_t(at * 5 % tiny::kVocabulary));
    session.setBatch(batchOf(id));
    session.run("loss");
    session.checkStatus();
    std::vector<float> got = predictions(session);
    CHECK_EQ(got.size(), tokens);
    double loss = 0;
    for (size_t at = 0; at < tokens; ++at) {
      CHECK(std::abs(got[at] - expected(id[at])) < 1e-6);
      loss += std::pow(got[at] - float(id[at] % 4), 2) / double(tokens);
    }
    CHECK(std::abs(session.readFloats("loss", MOMRT_OUTPUT_LOSS, "square")[0] - loss) < 1e-5);
  }
}

static void mistakes() {
  tiny::Model model;
  Session session(model.open(), {1, 0, true});
  session.initialise(1);
  CHECK_FAILS("no entry 'step', only 'loss', 'gradient', 'update'", session.run("step"));
  CHECK_FAILS("reads input 'id', which is not set", session.run("loss"));
  session.setBatch(batchOf({1, 2, 3}));
  std::vector<int32_t> id(4);
  CHECK_FAILS("expected 3 rows of input 'id' but got 4",
              session.setInput("id", MOMRT_I32, 4, 1, id.data()));
  CHECK_FAILS("expected input 'id' to be i32 with 1 channels but got f32 with 2",
              session.setInput("id", MOMRT_F32, 3, 2, id.data()));
  CHECK_FAILS("no input 'ids'", session.setInput("ids", MOMRT_I32, 3, 1, id.data()));
  session.setBatch(batchOf({1, 24, 3}));
  session.run("loss");
  CHECK_FAILS("index 24 is out of range in row 0 of kernel 'embed' (model.mom:2:3)",
              session.checkStatus());
  session.checkStatus(); // reported once
  session.setBatch(batchOf({}));
  session.run("loss");
  CHECK_EQ(predictions(session).size(), 0u);
}

int main() {
  order();
  entries();
  mistakes();
  return finish();
}
