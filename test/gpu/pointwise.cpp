// A compiled program on a GPU: pointwise.mlir as PTX inside a launch table, its
// two launches captured as one CUDA graph a shape class and replayed.
//
//   momc compile pointwise.mlir --start-from fused --target sm_90a --storage bf16 -o pointwise.o
#include "momrt/momrt.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

extern "C" const momrt_program momc_program_pointwise;

constexpr int64_t kChannels = 40;

static bool check(momrt_result result, const char *what) {
  if (result != MOMRT_OK)
    std::printf("FAIL %s: %s\n", what, momrt_last_error());
  return result == MOMRT_OK;
}

static double reference(double x, double w) {
  return x / (1 + std::exp(-x)) * w + std::log1p(std::exp(x));
}

/// One batch of `tokens` rows against the formula in double precision.
static bool run(momrt_session *session, int64_t tokens, std::mt19937 &random) {
  std::normal_distribution<float> normal;
  std::vector<float> x(tokens * kChannels), w(kChannels), y(x.size(), NAN);
  for (auto *values : {&x, &w})
    for (float &value : *values)
      value = normal(random);
  momrt_segment segment = {0, tokens, -1, -1};
  momrt_batch batch = {1, 0, 1, tokens, nullptr, tokens ? 1 : 0, &segment};
  momrt_tensor xs = {x.data(), MOMRT_F32, 0, 2, {tokens, kChannels}};
  momrt_tensor ws = {w.data(), MOMRT_F32, 0, 2, {1, kChannels}};
  momrt_tensor ys = {y.data(), MOMRT_F32, 0, 2, {tokens, kChannels}};
  if (!check(momrt_batch_set(session, &batch), "batch") ||
      !check(momrt_input_set(session, "x", &xs), "x") ||
      !check(momrt_input_set(session, "scale", &ws), "scale") ||
      !check(momrt_run(session, "pointwise"), "run") ||
      !check(momrt_output_get(session, "pointwise", MOMRT_OUTPUT_ROWS, "y", &ys), "y"))
    return false;
  double error = 0, norm = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    double expected = reference(x[i], w[i % kChannels]);
    error += (y[i] - expected) * (y[i] - expected);
    norm += expected * expected;
  }
  double relative = norm ? std::sqrt(error / norm) : 0;
  bool good = relative < 4e-3; // one bf16 rounding of a part of y
  std::printf("%s %7lld tokens: relative error %.2e\n", good ? "ok  " : "FAIL", (long long)tokens,
              relative);
  return good;
}

int main() {
  momrt_model *model = nullptr;
  momrt_session *session = nullptr;
  if (!check(momrt_open(&momc_program_pointwise, &model), "open") ||
      !check(momrt_session_create(model, nullptr, &session), "session"))
    return 1;
  std::mt19937 random(7);
  bool good = true;
  // 97 and 100 are of one class: the second replays the graph of the first, with
  // fewer rows. The others capture anew; 0 and 1 are awkward, 131072 is large.
  for (int64_t tokens : {100, 97, 100, 0, 1, 4097, 131072, 97})
    good &= run(session, tokens, random);
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 200 && good; ++i)
    good &= check(momrt_run(session, "pointwise"), "replay");
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("200 replays queued in %.2f ms\n", seconds * 1e3);
  momrt_session_destroy(session);
  momrt_close(model);
  return good ? 0 : 1;
}
