// The GPU device on the tests' own driver: what the host does early, late or
// wrongly shows here without a GPU.
#include "Check.h"
#include "FakeGpu.h"
#include "runtime/Gpus.h"
#include "runtime/Safetensors.h"
#include "runtime/Train.h"
#include <cstring>
#include <fmt/ranges.h>
#include <fstream>

using namespace momrt;

using tiny::batchOf;

static std::vector<float> predictionsOn(const momrt_program &program,
                                        const SessionOptions &options) {
  Session session(std::make_shared<Program>(&program), options);
  session.initialise(7);
  std::vector<float> all;
  for (int64_t tokens : {5, 9, 10, 200, 3, 9}) {
    session.setBatch(batchOf(tokens));
    session.run("loss");
    session.checkStatus();
    for (float value : session.readFloats("loss", MOMRT_OUTPUT_ROWS, "prediction"))
      all.push_back(value);
  }
  return all;
}

static void graphs() {
  tiny::Model cpu, gpu = gpuModel();
  FakeCuda &state = fake();
  std::vector<float> expected = predictionsOn(cpu.program, {});
  CHECK(predictionsOn(gpu.program, {}) == expected);
  // Classes of 5, 10 (9 and 10), 224 and 3 tokens; 224 moved the buffers, so 9
  // tokens had a graph to update.
  CHECK_EQ(state.instantiated, 4);
  CHECK_EQ(state.updated, 1);
  CHECK_EQ(state.destroyed, 4);
  CHECK_EQ(state.launchedAlone, 0);
  CHECK_EQ(state.used, 0u); // all given back
  CHECK(state.tookCubin);
  SessionOptions single;
  single.graphs = false;
  CHECK(predictionsOn(gpu.program, single) == expected);
  CHECK_EQ(state.launchedAlone, 6 * 7);
  CHECK_EQ(state.instantiated, 4);
}

/// Entries that run together are one graph, and do what they do one by one.
static void together() {
  tiny::Model gpu = gpuModel();
  FakeCuda &state = fake();
  std::vector<float> parameters[2];
  for (bool once : {false, true}) {
    Session session(gpu.open());
    session.initialise(3);
    session.setBatch(batchOf(20));
    session.setHypers({1e-2f, 0.9f, 0.95f, 1e-8f, 10, 20, 1, 0});
    int before = state.instantiated;
    for (int step = 0; step < 3; ++step) {
      if (once) {
        session.runTogether({"gradient", "update"});
        continue;
      }
      session.run("gradient");
      session.run("update");
    }
    parameters[once] = session.readSpace(MOMRT_SPACE_PARAMETERS);
    CHECK_EQ(state.instantiated - before, once ? 1 : 2);
  }
  CHECK(parameters[0] == parameters[1]);
}

/// Many shape classes: only so many graphs are kept.
static void manyGraphs() {
  tiny::Model gpu = gpuModel();
  FakeCuda &state = fake();
  Session session(gpu.open());
  session.initialise(1);
  session.setBatch(batchOf(1 << 20));
  int before = state.destroyed;
  for (int64_t tokens = 1; session.device().recordCosts().walks < 70; tokens = tokens * 5 / 4 + 1) {
    session.setBatch(batchOf(tokens));
    session.run("loss");
  }
  session.checkStatus();
  CHECK_EQ(state.destroyed - before, 70 - 64);
  CHECK(session.device().recordCosts().seconds > 0);
}

/// Parameters and moments of two checkpoints are the same bits.
static bool sameTensors(const std::string &one, const std::string &other) {
  SafetensorsReader first(one), second(other);
  bool same = first.tensors().size() == second.tensors().size();
  for (const StoredTensor &tensor : first.tensors()) {
    const StoredTensor &twin = second.get(tensor.name);
    same &= tensor.bytes == twin.bytes && !std::memcmp(tensor.data, twin.data, tensor.bytes);
  }
  return same;
}

static std::string readFile(const std::string &path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// A log's lines without what differs from run to run.
static std::string timeless(const std::string &path) {
  std::string text = readFile(path), kept;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at), time = std::min(text.find(",\"tokens_per_s\"", at), end);
    size_t tokens = std::min(text.find(",\"tokens\":", at), end);
    kept += text.substr(at, time - at) + text.substr(tokens, end - tokens) + "\n";
    at = end + 1;
  }
  return kept;
}

static TrainOptions usual(const TemporaryFolder &folder, const std::string &run) {
  TrainOptions options;
  options.data = folder / "tokens";
  options.validation = folder / "held-out";
  options.folder = folder / run;
  options.steps = 60;
  options.saveEvery = 25;
  options.evaluateEvery = 20;
  options.seed = 42;
  options.progress = ProgressMode::Silent;
  return options;
}

/// Steps are queued ahead: the same bits and the same log as step by step.
static void training(const TemporaryFolder &folder) {
  tiny::Model cpu, gpu = gpuModel();
  TrainResult result;
  CHECK_EQ(trainModel(&cpu.program, {}, usual(folder, "cpu"), result), "");
  for (int ahead : {0, 1, 3}) {
    std::string run = fmt::format("ahead{}", ahead);
    TrainOptions options = usual(folder, run);
    options.ahead = ahead;
    std::vector<int64_t> steps;
    options.onStep = [&](const StepReport &report) {
      steps.push_back(report.step);
      return true;
    };
    SessionOptions session;
    session.poison = true;
    CHECK_EQ(trainModel(&gpu.program, session, options, result), "");
    CHECK_EQ(steps.size(), 60u);
    for (const char *file :
         {"/checkpoint-00000060.safetensors", "/checkpoint-00000050.safetensors"})
      CHECK(sameTensors(folder / run + file, folder / "cpu" + file));
    CHECK_EQ(timeless(folder / run + "/log.jsonl"), timeless(folder / "cpu" + "/log.jsonl"));
  }
}

/// The GPU is not waited for where nothing is read.
static void waits(const TemporaryFolder &folder) {
  tiny::Model gpu = gpuModel();
  TrainOptions options = usual(folder, "waits");
  options.data = folder / "even"; // buffers that grow must be waited for
  options.validation.clear();
  options.saveEvery = 0;
  int atStep[61] = {};
  options.onStep = [&](const StepReport &report) {
    atStep[report.step] = fake().waits;
    return true;
  };
  TrainResult result;
  CHECK_EQ(trainModel(&gpu.program, {}, options, result), "");
  // One a step, for the results of three steps before.
  for (int step = 3; step < 58; ++step)
    CHECK_EQ(atStep[step] - atStep[step - 1], 1);
}

/// A request to stop ends the run after what is queued, and it goes on from there.
static void stopped(const TemporaryFolder &folder) {
  tiny::Model gpu = gpuModel();
  TrainOptions options = usual(folder, "stopped");
  options.onStep = [](const StepReport &report) { return report.step < 33; };
  TrainResult result;
  CHECK_EQ(trainModel(&gpu.program, {}, options, result), "");
  CHECK(result.stopped);
  CHECK_EQ(result.step, 36);
  options.onStep = nullptr;
  options.resume = true;
  CHECK_EQ(trainModel(&gpu.program, {}, options, result), "");
  CHECK(sameTensors(result.checkpoint, folder / "cpu" + "/checkpoint-00000060.safetensors"));
  CHECK_EQ(timeless(options.folder + "/log.jsonl"), timeless(folder / "cpu" + "/log.jsonl"));
}

/// What a kernel reports belongs to its step, whatever was queued since.
static void reported(const TemporaryFolder &folder) {
  tiny::Model gpu = gpuModel();
  int step = 0;
  auto embed = fake().kernels["embed"];
  fake().kernels["embed"].run = [&](void *const *buffers, int64_t blocks) {
    if (++step == 30) // step 30 of training, as there is no evaluation
      static_cast<int32_t *>(buffers[1])[0] = 99;
    embed.run(buffers, blocks);
  };
  TrainOptions options = usual(folder, "reported");
  options.validation.clear();
  TrainResult result;
  std::string error = trainModel(&gpu.program, {}, options, result);
  CHECK(error.find("index 99 is out of range in row") == 0);
  CHECK(error.find("of kernel 'embed' (model.mom:9:3) at step 30") != std::string::npos);
  CHECK(readFile(options.folder + "/log.jsonl").find("\"step\":30") == std::string::npos);
  CHECK(readFile(options.folder + "/log.jsonl").find("\"step\":29") != std::string::npos);
  step = 0;
  fake().kernels["embed"].run = [&](void *const *buffers, int64_t blocks) {
    embed.run(buffers, blocks);
    if (++step == 40)
      static_cast<float *>(buffers[4])[0] = 0.0f / 0.0f;
  };
  options.folder = folder / "nan";
  error = trainModel(&gpu.program, {}, options, result);
  CHECK_EQ(error, "loss 'square' is nan at step 40");
}

static void timing() {
  tiny::Model gpu = gpuModel();
  for (bool graphs : {true, false}) {
    SessionOptions options;
    options.graphs = graphs;
    Session session(gpu.open(), options);
    session.initialise(1);
    session.setBatch(batchOf(100));
    CHECK(session.time("gradient") > 0);
    std::vector<double> times = session.profile("gradient", 3);
    Table table(gpu.program.table);
    const momrt_entry &entry = table.entry("gradient");
    CHECK_EQ(times.size(), size_t(entry.ops.count));
    for (size_t at = 0; at < times.size(); ++at)
      CHECK((times[at] > 0) == (table.ops()[entry.ops.offset + at].kind == MOMRT_OP_LAUNCH));
    session.run("loss");
    session.checkStatus();
  }
}

/// Entries bring their part of the arena when they first run, and move nothing.
static void growth() {
  tiny::Model gpu = gpuModel();
  FakeCuda &state = fake();
  Session session(gpu.open());
  session.initialise(1);
  session.setBatch(batchOf(100));
  session.setHypers({});
  CHECK_FAILS("output 'prediction' is read, but entry 'loss' has not run with this batch",
              session.readFloats("loss", MOMRT_OUTPUT_ROWS, "prediction"));
  int64_t none = session.arenaBytes();
  session.run("loss");
  int64_t some = session.arenaBytes();
  std::vector<float> before = session.readFloats("loss", MOMRT_OUTPUT_ROWS, "prediction");
  uint64_t memory = std::exchange(state.memory, 0);
  CHECK_FAILS("out of memory on Fake GPU: the arena of 'update' wants ", session.run("update"));
  state.memory = memory;
  session.run("update"); // goes on
  CHECK(none < some && some < session.arenaBytes());
  CHECK(session.readFloats("loss", MOMRT_OUTPUT_ROWS, "prediction") == before);
  int64_t all = session.arenaBytes();
  session.setBatch(batchOf(1000));
  CHECK(session.arenaBytes() > all);
  session.run("loss");
  session.run("gradient");
  session.checkStatus();
}

static void memory() {
  tiny::Model gpu = gpuModel();
  FakeCuda &state = fake();
  Session session(gpu.open());
  session.initialise(1);
  session.reserve("loss");
  state.memory = 2 << 20;
  CHECK_FAILS("out of memory on Fake GPU: the arena for 130000 tokens wants 2.00 MiB, but 2.00 MiB "
              "of 2.00 MiB are free; held already: parameters 192 bytes, batch 448 bytes; fewer or "
              "shorter streams a batch, rows stored as bf16 or a smaller model would need less",
              session.setBatch(batchOf(130000)));
  CHECK_FAILS("entry 'loss' has no batch", session.run("loss"));
  session.setBatch(batchOf(100)); // goes on
  session.run("loss");
  session.checkStatus();
  state.memory = UINT64_C(1) << 34;
  std::string text = memoryText(session.device(), session.memory());
  CHECK_EQ(text.find("memory of Fake GPU: parameters 192 bytes, arena 3.00 KiB, batch "), 0u);
  CHECK(text.find(" in all, 16.0 GiB of 16.0 GiB are free") != std::string::npos);
}

static void mistakes() {
  tiny::Model gpu = gpuModel();
  FakeCuda &state = fake();
  auto opening = [&] { Session session(gpu.open()); };
  std::vector<Gpu> gpus = findGpus();
  CHECK(gpus.size() == 1 && gpus[0].name == "Fake GPU" && gpus[0].architecture == 90);
  state.gpus = 0;
  CHECK_FAILS("the CUDA driver sees no GPU", opening());
  state.gpus = 2;
  SessionOptions third;
  third.gpu = 2;
  CHECK_FAILS("there is no GPU 2: the CUDA driver sees 2, counted from 0",
              Session session(gpu.open(), third));
  state.gpus = 1;
  state.major = 8;
  CHECK_FAILS("the program is for sm_90, but the GPU, Fake GPU, is sm_80: compile the model for it",
              opening());
  state.major = 10;
  opening(); // from ptx
  CHECK(!state.tookCubin);
  state.badImage = ".target";
  CHECK_FAILS("loading kernel 'constant' on Fake GPU, sm_100, failed: a PTX JIT compilation failed "
              "(CUDA error 218); the driver is for CUDA 13.0 and says: ptxas fatal: no such "
              "instruction",
              opening());
  state.badImage.clear();
  std::string words(reinterpret_cast<const char *>(gpu.words.data()), gpu.words.size() * 8);
  size_t at = words.find("sm_90\n");
  reinterpret_cast<char *>(gpu.words.data())[at + 5] = 'a';
  CHECK_FAILS(
      "the program is for sm_90a, which no other GPU runs, but the GPU, Fake GPU, is sm_100",
      opening());
  state.major = 9;
  opening();
  auto *table = reinterpret_cast<momrt_table *>(gpu.words.data());
  auto *kernels =
      reinterpret_cast<momrt_kernel *>(reinterpret_cast<char *>(table) + table->kernels.offset);
  kernels[3].shared_bytes = 300000;
  CHECK_FAILS("kernel 'loss' wants 300000 bytes of shared memory a block, but Fake GPU has 232448",
              opening());
}

/// The last test: a fault stays.
static void faults() {
  tiny::Model gpu = gpuModel();
  Session session(gpu.open());
  session.initialise(1);
  session.setBatch(batchOf(100));
  session.run("loss");
  session.checkStatus();
  session.setHypers({});
  fake().faultyKernel = "layer_gradient";
  session.run("gradient");
  session.run("update");
  CHECK_FAILS("work on the GPU failed in entry 'gradient', 'update': an illegal memory access was "
              "encountered (CUDA error 700); run without graphs to see in which kernel",
              session.checkStatus());
}

int main(int argc, char **argv) {
  if (argc > 1) { // one by one, a fault has a kernel
    tiny::Model gpu = gpuModel();
    SessionOptions options;
    options.graphs = false;
    Session session(gpu.open(), options);
    session.initialise(1);
    session.setBatch(batchOf(100));
    fake().faultyKernel = "layer_gradient";
    CHECK_FAILS("kernel 'layer_gradient' (model.mom:16:3), 1 blocks of 32 threads, failed: an "
                "illegal memory access",
                session.run("gradient"));
    return finish();
  }
  TemporaryFolder folder;
  tiny::writeTokens(folder / "tokens", {50, 3, 40, 1, 77, 10});
  tiny::writeTokens(folder / "held-out", {60, 15});
  tiny::writeTokens(folder / "even", {16, 16, 16, 16, 16, 16});
  graphs();
  together();
  manyGraphs();
  training(folder);
  waits(folder);
  stopped(folder);
  reported(folder);
  timing();
  growth();
  memory();
  mistakes();
  faults();
  return finish();
}
