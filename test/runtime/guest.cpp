// A guest that lends its memory, its stream and its context, through the C interface:
// on the CPU, and on the tests' own GPU, which says what the host waited for.
#include "Check.h"
#include "FakeGpu.h"
#include "runtime/CudaDriver.h"
#include "runtime/EdgeMemory.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

using namespace momrt;

#define OK(...) CHECK_EQ(std::string((__VA_ARGS__) ? momrt_last_error() : ""), "")
#define REFUSES(part, ...)                                                                         \
  do {                                                                                             \
    CHECK((__VA_ARGS__) != MOMRT_OK);                                                              \
    CHECK_EQ(std::string(momrt_last_error()).find(part) != std::string::npos                       \
                 ? std::string(part)                                                               \
                 : std::string(momrt_last_error()),                                                \
             std::string(part));                                                                   \
  } while (false)

constexpr int64_t kTokens = 9;
static const int32_t kIds[kTokens] = {4, 5, 7, 8, 9, 2, 3, 11, 6};
static const momrt_segment kSegment = {0, kTokens, -1, -1};

static momrt_batch batchOf(const int32_t *modality) {
  return {1, 0, 1, kTokens, modality, 1, &kSegment};
}

static momrt_tensor tensor(void *data, uint32_t type, uint32_t device, int64_t rows = kTokens) {
  return {data, type, device, 1, {rows, 0, 0, 0}};
}

struct Open {
  explicit Open(const momrt_program &program, const momrt_session_options *options = nullptr) {
    OK(momrt_open(&program, &model));
    OK(momrt_session_create(model, options, &session));
    OK(momrt_initialise(session, 7));
  }
  ~Open() {
    momrt_session_destroy(session);
    momrt_close(model);
  }
  momrt_model *model = nullptr;
  momrt_session *session = nullptr;
};

/// Predictions with everything copied.
static std::vector<float> expected(const int32_t *modality) {
  tiny::Model cpu;
  Open open(cpu.program);
  momrt_batch batch = batchOf(modality);
  OK(momrt_batch_set(open.session, &batch));
  momrt_tensor ids = tensor(const_cast<int32_t *>(kIds), MOMRT_I32, MOMRT_HOST);
  OK(momrt_input_set(open.session, "id", &ids));
  OK(momrt_run(open.session, "loss"));
  std::vector<float> values(kTokens);
  momrt_tensor out = tensor(values.data(), MOMRT_F32, MOMRT_HOST);
  OK(momrt_output_get(open.session, "loss", MOMRT_OUTPUT_ROWS, "prediction", &out));
  return values;
}

static void onTheCpu() {
  tiny::Model cpu;
  Open open(cpu.program);
  const int32_t first[kTokens] = {0, 1, 1, 0, 1, 0, 0, 1, 0}, other[kTokens] = {1, 1, 0};
  momrt_batch batch = batchOf(first);
  int64_t bytes = 0;
  OK(momrt_workspace_size(open.session, &batch, &bytes));
  CHECK(bytes > 0);
  EdgeMemory workspace(size_t(bytes), MOMRT_ALIGNMENT), id(sizeof kIds, 4), out(sizeof kIds, 4);
  OK(momrt_workspace_set(open.session, workspace.data(), bytes));
  OK(momrt_batch_set(open.session, &batch));
  std::memcpy(id.data(), kIds, sizeof kIds);
  momrt_tensor ids = tensor(id.data(), MOMRT_I32, MOMRT_HOST);
  momrt_tensor rows = tensor(out.data(), MOMRT_F32, MOMRT_HOST);
  OK(momrt_input_bind(open.session, "id", &ids));
  OK(momrt_output_bind(open.session, "loss", MOMRT_OUTPUT_ROWS, "prediction", &rows));
  OK(momrt_run(open.session, "loss"));
  CHECK(!std::memcmp(out.data(), expected(first).data(), sizeof kIds));

  // Other modalities leave the loans as they are.
  momrt_tensor modality = tensor(const_cast<int32_t *>(other), MOMRT_I32, MOMRT_HOST);
  OK(momrt_modality_set(open.session, &modality));
  OK(momrt_run(open.session, "loss"));
  CHECK(!std::memcmp(out.data(), expected(other).data(), sizeof kIds));
  int32_t wrong[kTokens] = {0, 2};
  modality.data = wrong;
  REFUSES("expected modalities below 2 but position 1 has 2",
          momrt_modality_set(open.session, &modality));
  modality.shape[0] = 3;
  REFUSES("expected modalities of 9 tokens but got 3",
          momrt_modality_set(open.session, &modality));

  // A loan ends: the caller's memory stays as it was.
  OK(momrt_output_bind(open.session, "loss", MOMRT_OUTPUT_ROWS, "prediction", nullptr));
  std::memset(out.data(), 0, sizeof kIds);
  OK(momrt_run(open.session, "loss"));
  CHECK(*reinterpret_cast<float *>(out.data()) == 0);
  OK(momrt_batch_set(open.session, &batch));
  REFUSES("reads input 'id', which is not set for this batch", momrt_run(open.session, "loss"));
}

static void mistakes() {
  tiny::Model cpu;
  Open open(cpu.program);
  momrt_model *model = nullptr;
  REFUSES("the host was compiled for version 2 of momrt's C interface, but this libmomrt has "
          "version 1",
          momrt_open_version(2, &cpu.program, &model));
  REFUSES("/nowhere.so", momrt_open_file("/nowhere.so", &model));
  const int32_t zeros[kTokens] = {};
  momrt_batch batch = batchOf(zeros);
  char memory[64];
  OK(momrt_workspace_set(open.session, nullptr, 0));
  OK(momrt_batch_set(open.session, &batch));
  auto *aligned = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(memory) + 63) / 64 * 64);
  OK(momrt_workspace_set(open.session, aligned, 1));
  REFUSES("entry 'loss' has no batch: the last one did not fit into memory or the workspace",
          momrt_run(open.session, "loss"));
  REFUSES("the caller's workspace has 1 bytes, but 9 tokens need",
          momrt_batch_set(open.session, &batch));
  REFUSES("expected a workspace at a multiple of 64 bytes",
          momrt_workspace_set(open.session, aligned + 4, 1 << 20));
  OK(momrt_workspace_set(open.session, nullptr, 0));
  OK(momrt_batch_set(open.session, &batch));
  float values[kTokens];
  momrt_tensor far = tensor(values, MOMRT_F32, MOMRT_GPU(0));
  REFUSES("expected tensor 'prediction' on device 0, where the session runs, but got device 1",
          momrt_output_bind(open.session, "loss", MOMRT_OUTPUT_ROWS, "prediction", &far));
  REFUSES("expected tensor 'id' in host memory (device 0) but got device 1",
          momrt_input_set(open.session, "id", &far));
  momrt_tensor wide = tensor(values, MOMRT_I32, MOMRT_HOST, 3);
  REFUSES("expected 9 rows of input 'id' but got 3", momrt_input_bind(open.session, "id", &wide));
  REFUSES("the CPU has no streams", momrt_stream_set(open.session, nullptr));
  REFUSES("expected an entry below 3 but got 3",
          momrt_entry_describe(open.model, 3, nullptr, nullptr, nullptr));
}

static void descriptions() {
  tiny::Model cpu;
  Open open(cpu.program);
  momrt_model_info info;
  OK(momrt_model_describe(open.model, &info));
  CHECK_EQ(info.target, 0);
  CHECK_EQ(info.modalities, 2);
  CHECK_EQ(momrt_abi_version(), MOMRT_ABI_VERSION);
  std::vector<std::string> seen;
  for (int64_t at = 0; at < info.entries; ++at) {
    const char *name;
    int64_t inputs, outputs;
    OK(momrt_entry_describe(open.model, at, &name, &inputs, &outputs));
    momrt_value value;
    for (int64_t i = 0; i < inputs; ++i) {
      OK(momrt_input_describe(open.model, name, i, &value));
      seen.push_back(fmt::format("{} < {} {}", name, value.name, typeName(value.type)));
    }
    for (int64_t i = 0; i < outputs; ++i) {
      OK(momrt_output_describe(open.model, name, i, &value));
      seen.push_back(fmt::format("{} > {} {}", name, value.name, value.kind));
    }
  }
  CHECK(std::find(seen.begin(), seen.end(), "loss < id i32") != seen.end());
  CHECK(std::find(seen.begin(), seen.end(), "loss > prediction 3") != seen.end());
}

/// The driver as a guest's own code uses it.
struct GuestDriver {
  template <typename F> static F *find(const char *name) {
    return reinterpret_cast<F *>(dlsym(dlopen("libcuda.so.1", RTLD_NOW), name));
  }
  using Reserve = CUresult(CUdeviceptr *, size_t);
  using Instantiate = CUresult(CUgraphExec *, CUgraph, unsigned long long);
  void *allocate(size_t bytes) {
    CUdeviceptr memory = 0;
    find<Reserve>("cuMemAlloc_v2")(&memory, bytes);
    undo.push_back([=] { find<CUresult(CUdeviceptr)>("cuMemFree_v2")(memory); });
    return reinterpret_cast<void *>(memory);
  }
  CUstream createStream() {
    CUstream stream = nullptr;
    find<CUresult(CUstream *, unsigned)>("cuStreamCreate")(&stream, 0);
    undo.push_back([=] { find<CUresult(CUstream)>("cuStreamDestroy_v2")(stream); });
    return stream;
  }
  CUresult (*synchronise)(CUstream) = find<CUresult(CUstream)>("cuStreamSynchronize");
  CUresult (*setContext)(CUcontext) = find<CUresult(CUcontext)>("cuCtxSetCurrent");
  CUresult (*begin)(CUstream, int) = find<CUresult(CUstream, int)>("cuStreamBeginCapture_v2");
  CUgraph end(CUstream stream) {
    CUgraph graph = nullptr;
    find<CUresult(CUstream, CUgraph *)>("cuStreamEndCapture")(stream, &graph);
    undo.push_back([=] { find<CUresult(CUgraph)>("cuGraphDestroy")(graph); });
    return graph;
  }
  CUgraphExec instantiate(CUgraph graph) {
    CUgraphExec executable = nullptr;
    find<Instantiate>("cuGraphInstantiateWithFlags")(&executable, graph, 0);
    undo.push_back([=] { find<CUresult(CUgraphExec)>("cuGraphExecDestroy")(executable); });
    return executable;
  }
  CUresult (*launch)(CUgraphExec, CUstream) =
      find<CUresult(CUgraphExec, CUstream)>("cuGraphLaunch");

  GuestDriver() = default;
  GuestDriver(const GuestDriver &) = delete;
  ~GuestDriver() { // after the session
    for (auto step = undo.rbegin(); step != undo.rend(); ++step)
      (*step)();
  }
  std::vector<std::function<void()>> undo;
};

static void onTheGpu() {
  tiny::Model gpu = gpuModel();
  FakeCuda &state = fake();
  GuestDriver driver;
  CUstream stream = driver.createStream();
  driver.setContext(reinterpret_cast<CUcontext>(&driver)); // what the thread has current stays so
  momrt_session_options options = {};
  options.guest = 1;
  options.stream = stream;
  options.context = &driver;
  momrt_session *refused = nullptr;
  momrt_model *model = nullptr;
  OK(momrt_open(&gpu.program, &model));
  REFUSES("expected a context of GPU 0 but got one of GPU 1",
          momrt_session_create(model, &options, &refused));
  momrt_close(model);
  options.context = nullptr;
  Open open(gpu.program, &options);

  const int32_t modality[kTokens] = {0, 1, 1, 0, 1, 0, 0, 1, 0};
  momrt_batch batch = batchOf(modality);
  int64_t bytes = 0;
  OK(momrt_workspace_size(open.session, &batch, &bytes));
  void *workspace = driver.allocate(size_t(bytes));
  void *id = driver.allocate(sizeof kIds), *out = driver.allocate(sizeof kIds);
  std::memcpy(id, kIds, sizeof kIds);
  OK(momrt_workspace_set(open.session, workspace, bytes));
  OK(momrt_batch_set(open.session, &batch));
  momrt_tensor ids = tensor(id, MOMRT_I32, MOMRT_GPU(0));
  momrt_tensor rows = tensor(out, MOMRT_F32, MOMRT_GPU(0));
  int waits = state.waits, alone = state.launchedAlone;
  OK(momrt_input_bind(open.session, "id", &ids));
  OK(momrt_output_bind(open.session, "loss", MOMRT_OUTPUT_ROWS, "prediction", &rows));
  OK(momrt_enqueue(open.session, "loss"));
  CHECK_EQ(state.waits, waits); // nothing was waited for, and nothing has run
  CHECK_EQ(state.launchedAlone, alone + 7);
  CHECK(state.context == &driver);
  driver.synchronise(stream);
  CHECK(!std::memcmp(out, expected(modality).data(), sizeof kIds));
  OK(momrt_status_check(open.session));

  // The guest captures the same calls on another stream and replays its graph.
  CUstream other = driver.createStream();
  OK(momrt_stream_set(open.session, other));
  driver.begin(other, 0);
  OK(momrt_input_set(open.session, "id", &ids));
  CHECK(driver.end(other)); // copies within the device are the graph's
  driver.begin(other, 0);
  OK(momrt_input_bind(open.session, "id", &ids));
  OK(momrt_enqueue(open.session, "loss"));
  CUgraphExec executable = driver.instantiate(driver.end(other));
  std::memset(out, 0, sizeof kIds);
  driver.launch(executable, other);
  driver.synchronise(other);
  CHECK(!std::memcmp(out, expected(modality).data(), sizeof kIds));
  CHECK(state.context == &driver);

  int32_t onHost[kTokens] = {};
  ids.data = onHost;
  REFUSES("expected input 'id' in the memory of GPU 0, but",
          momrt_input_bind(open.session, "id", &ids));
  ids = tensor(static_cast<char *>(id) + 4, MOMRT_I32, MOMRT_GPU(0));
  REFUSES("expected input 'id' at a multiple of 16 bytes",
          momrt_input_bind(open.session, "id", &ids));
  REFUSES("model 'tiny' is planned on the host: expected modalities in its memory",
          momrt_modality_set(open.session, &(ids = tensor(id, MOMRT_I32, MOMRT_GPU(0)))));
}

/// What a program for several targets is opened for.
static int32_t targetOf(const momrt_program &program) {
  momrt_model *model = nullptr;
  momrt_model_info info = {};
  OK(momrt_open(&program, &model));
  OK(momrt_model_describe(model, &info));
  momrt_close(model);
  return info.target;
}

static int32_t targetOn(const momrt_program &program, uint32_t device) {
  momrt_model *model = nullptr;
  momrt_model_info info = {};
  OK(momrt_open_on(&program, device, &model));
  OK(momrt_model_describe(model, &info));
  momrt_close(model);
  return info.target;
}

static void severalTargets() {
  tiny::Model cpu, gpu = gpuModel(), older(tiny::kVocabulary, 80);
  FakeCuda &state = fake();
  gpu.program.other = &older.program; // sm_90, sm_80, the CPU
  older.program.other = &cpu.program;
  momrt_model *model = nullptr;
  CHECK_EQ(targetOf(gpu.program), 90);
  CHECK_EQ(targetOf(older.program), 80); // the first that runs
  CHECK_EQ(targetOn(older.program, MOMRT_HOST), 0);
  CHECK_EQ(targetOn(gpu.program, MOMRT_GPU(0)), 90);
  REFUSES("there is no GPU 1: the CUDA driver sees 1", momrt_open_on(&gpu.program, MOMRT_GPU(1), &model));
  state.major = 8;
  CHECK_EQ(targetOf(gpu.program), 80);
  CHECK_EQ(targetOn(gpu.program, MOMRT_GPU(0)), 80);
  gpu.program.other = &cpu.program; // sm_90, the CPU
  CHECK_EQ(targetOf(gpu.program), 0);
  REFUSES("model 'tiny' is compiled for sm_90 and the CPU, but not for Fake GPU, which is sm_80: "
          "compile it for that target too",
          momrt_open_on(&gpu.program, MOMRT_GPU(0), &model));
  state.major = 9;
  state.gpus = 0;
  CHECK_EQ(targetOf(gpu.program), 0);
  gpu.program.other = &older.program;
  older.program.other = nullptr;
  REFUSES("model 'tiny' is compiled for sm_90 and sm_80, but this machine has no such GPU",
          momrt_open(&gpu.program, &model));
  REFUSES("compiled for sm_90 and sm_80, but not for the CPU",
          momrt_open_on(&gpu.program, MOMRT_HOST, &model));
  state.gpus = 1;
  older.program.other = &gpu.program;
  REFUSES("damaged program: its targets have programs of several models",
          momrt_open(&gpu.program, &model));
}

int main() {
  onTheCpu();
  mistakes();
  descriptions();
  onTheGpu();
  severalTargets();
  return finish();
}
