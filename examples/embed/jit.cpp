// Compiles a model at run time and runs it from several threads, each with a session.
// jit MODEL.mom CACHE [TARGET]: the second run finds the program in the cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <momc/momc.hpp>
#include <momrt/momrt.h>
#include <thread>

static void check(momrt_result result) {
  if (result != MOMRT_OK)
    throw std::runtime_error(momrt_last_error());
}

/// The loss on tokens that count upwards.
static float lossOf(const momrt_model *model) {
  momrt_session *session = nullptr;
  momrt_session_options options = {};
  options.threads = 1;
  check(momrt_session_create(model, &options, &session));
  check(momrt_initialise(session, 7));
  std::vector<int32_t> id(100), modality(100);
  for (int at = 0; at < 100; ++at) {
    id[at] = at;
    modality[at] = at / 8 % 3;
  }
  momrt_segment document = {0, 100, -1, -1};
  momrt_batch batch = {1, 0, 1, 100, modality.data(), 1, &document};
  momrt_tensor ids = {id.data(), MOMRT_I32, MOMRT_HOST, 1, {100}};
  check(momrt_batch_set(session, &batch));
  check(momrt_input_set(session, "id", &ids));
  check(momrt_run(session, "loss"));
  float loss = 0;
  momrt_tensor out = {&loss, MOMRT_F32, MOMRT_HOST, 1, {1}};
  check(momrt_output_get(session, "loss", MOMRT_OUTPUT_LOSS, "lm", &out));
  momrt_session_destroy(session);
  return loss;
}

int main(int argc, char **argv) try {
  if (argc != 3 && argc != 4)
    throw std::runtime_error("usage: jit MODEL.mom CACHE [TARGET]");
  momc::Options options;
  options.settings = {"D=16", "depth=2"};
  options.entries = {"loss"};
  options.cache = argv[2];
  options.target = argc > 3 ? argv[3] : "cpu"; // sm_90a: the first such GPU
  auto start = std::chrono::steady_clock::now();
  momc::Compiled compiled = momc::Compiled::file(argv[1], options);
  std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  std::printf("%s in %.2f s\n", compiled.fromCache() ? "found" : "compiled", passed.count());

  momrt_model *model = nullptr;
  check(momrt_open(compiled.program(), &model));
  std::vector<float> losses(4);
  std::vector<std::thread> threads;
  for (float &loss : losses)
    threads.emplace_back([&] { loss = lossOf(model); });
  for (std::thread &thread : threads)
    thread.join();
  momrt_close(model);
  bool same = std::all_of(losses.begin(), losses.end(), [&](float x) { return x == losses[0]; });
  std::printf("loss %.6f in %s threads\n", losses[0], same ? "all" : "not all");
  return same ? 0 : 1;
} catch (const std::exception &problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}
