// Spaces of other types than f32: the host reads and writes f32 whatever lies
// in memory, and copies of parameters follow what the host wrote.
#include "Check.h"
#include "TableBuilder.h"
#include "runtime/Checkpoint.h"
#include "runtime/Convert.h"
#include "runtime/Safetensors.h"

using namespace momrt;

constexpr int64_t kElements = 32;
static int copied = 0;

/// copies[i] = bf16(parameters[i])
static void makeCopies(void *const *buffers, int64_t, void *) {
  fromFloats(MOMRT_BF16, static_cast<float *>(buffers[0]), kElements, buffers[1]);
  ++copied;
}

/// result[i] = copies[i]
static void useCopies(void *const *buffers, int64_t, void *) {
  toFloats(MOMRT_BF16, buffers[0], kElements, static_cast<float *>(buffers[1]));
}

namespace {
struct Model {
  std::vector<uint64_t> words;
  momrt_cpu_kernel kernels[2] = {makeCopies, useCopies};
  momrt_program program;

  explicit Model(uint32_t momentType = MOMRT_BF16) {
    using T = TableBuilder;
    TableBuilder table;
    table.header.name = table.text("typed");
    table.header.digest = table.text("77");
    table.parameters = {
        {table.text("w"), 0, kElements, 1, 1, {kElements}, MOMRT_INIT_NORMAL, 0, 0, 1, 0}};
    table.header.parameter_elements = kElements;
    table.header.copy_type = MOMRT_BF16;
    table.header.moment_type = momentType;
    table.header.gradient_type = MOMRT_F16;
    table.kernel("make");
    table.kernel("use");
    uint32_t slot = table.slot({kElements * 4});
    table.launch(0, MOMRT_COUNT_ONE, 1,
                 {T::arg(MOMRT_SPACE_PARAMETERS), T::arg(MOMRT_SPACE_COPIES)});
    table.entry("copies", {0, 0});
    table.launch(1, MOMRT_COUNT_ONE, 1,
                 {T::arg(MOMRT_SPACE_COPIES), T::arg(MOMRT_SPACE_ARENA, slot)});
    table.output("w", MOMRT_OUTPUT_TENSOR, kElements, T::arg(MOMRT_SPACE_ARENA, slot));
    table.entry("loss", {0, 0});
    words = table.build();
    program = {reinterpret_cast<const momrt_table *>(words.data()), kernels};
  }
};
} // namespace

static std::vector<float> rounded(uint32_t type, std::vector<float> values) {
  std::vector<char> stored(values.size() * 2);
  fromFloats(type, values.data(), int64_t(values.size()), stored.data());
  toFloats(type, stored.data(), int64_t(values.size()), values.data());
  return values;
}

static std::vector<float> used(Session &session) {
  session.run("loss");
  return session.readFloats("loss", MOMRT_OUTPUT_TENSOR, "w");
}

static void copies() {
  Model model;
  Session session(std::make_shared<Program>(&model.program));
  session.initialise(4);
  std::vector<float> values = session.readSpace(MOMRT_SPACE_PARAMETERS);
  CHECK_EQ(copied, 0); // not before they are used
  CHECK(used(session) == rounded(MOMRT_BF16, values));
  used(session);
  CHECK_EQ(copied, 1);
  for (float &value : values)
    value *= 1.01f;
  session.writeSpace(MOMRT_SPACE_PARAMETERS, values);
  CHECK(session.readSpace(MOMRT_SPACE_COPIES) == rounded(MOMRT_BF16, values));
  values[3] = 0.3f;
  session.write(MOMRT_SPACE_PARAMETERS, session.parameters().get("w"), values.data());
  CHECK(used(session) == rounded(MOMRT_BF16, values));
  CHECK_EQ(copied, 3);
  std::vector<MemoryPart> parts = session.memory();
  CHECK_EQ(partsText({parts.begin(), parts.begin() + 2}), "parameters 128 bytes, copies 64 bytes");
}

static void checkpoints() {
  TemporaryFolder folder;
  Model model, wide(MOMRT_F32);
  Session session(std::make_shared<Program>(&model.program));
  session.initialise(4);
  std::vector<float> values = session.readSpace(MOMRT_SPACE_PARAMETERS), moments = values;
  for (float &value : moments)
    value = value * 3 + 0.1f;
  session.writeSpace(MOMRT_SPACE_MOMENT1, moments);
  session.writeSpace(MOMRT_SPACE_MOMENT2, values);
  CHECK(session.readSpace(MOMRT_SPACE_MOMENT1) == rounded(MOMRT_BF16, moments));
  session.writeSpace(MOMRT_SPACE_GRADIENTS, moments);
  CHECK(session.readSpace(MOMRT_SPACE_GRADIENTS) == rounded(MOMRT_F16, moments));
  std::string path = saveRun(session, {1, 2, {}, 0, 0, "77", 1, 1, 1, 1}, folder.path);
  SafetensorsReader file(path);
  CHECK_EQ(file.get("moment1.w").type, uint32_t(MOMRT_F32));
  // A program with f32 moments goes on from it, and one with bf16 again.
  Session other(std::make_shared<Program>(&wide.program));
  loadRun(other, path);
  CHECK(other.readSpace(MOMRT_SPACE_PARAMETERS) == values);
  CHECK(other.readSpace(MOMRT_SPACE_MOMENT1) == rounded(MOMRT_BF16, moments));
  other.writeSpace(MOMRT_SPACE_MOMENT1, moments);
  CHECK(other.readSpace(MOMRT_SPACE_MOMENT1) == moments);
  CHECK(used(other) == rounded(MOMRT_BF16, values));
}

int main() {
  copies();
  checkpoints();
  return finish();
}
