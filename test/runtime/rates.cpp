// The learning rate's course.
#include "runtime/Rates.h"
#include "Check.h"
#include <cmath>

using namespace momrt;

static double at(const std::vector<momrt_rate> &pieces, int64_t step, int64_t steps) {
  return rateAt({pieces.data(), pieces.size()}, step, steps);
}
static bool near(double a, double b) { return std::abs(a - b) < 1e-12; }

int main() {
  std::vector<momrt_rate> usual = {{MOMRT_RATE_WARMUP, 0, 100, 0, 0},
                                   {MOMRT_RATE_COSINE, 0, 0, 3e-4, 3e-5}};
  CHECK(near(at(usual, 1, 1000), 3e-6));
  CHECK(near(at(usual, 50, 1000), 1.5e-4));
  CHECK(near(at(usual, 100, 1000), 3e-4));
  CHECK(near(at(usual, 550, 1000), 1.65e-4)); // halfway
  CHECK(near(at(usual, 1000, 1000), 3e-5));
  CHECK(near(at(usual, 2000, 1000), 3e-5)); // the end holds
  CHECK(near(at(usual, 50, 40), 1.5e-4));   // a run shorter than its warmup
  CHECK(near(at(usual, 101, 40), 3e-5));

  std::vector<momrt_rate> three = {{MOMRT_RATE_WARMUP, 0, 10, 0, 0},
                                   {MOMRT_RATE_CONSTANT, 0, 20, 1, 0},
                                   {MOMRT_RATE_COSINE, 0, 10, 1, 0}};
  CHECK(near(at(three, 10, 100), 1));
  CHECK(near(at(three, 30, 100), 1));
  CHECK(near(at(three, 35, 100), 0.5));
  CHECK(near(at(three, 40, 100), 0));
  CHECK(near(at(three, 100, 100), 0));
  for (int64_t step = 2; step <= 1000; ++step)
    CHECK(at(usual, step, 1000) > 0);
  return finish();
}
