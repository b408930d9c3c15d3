// Philox4x32-10 against the vectors of its authors (Random123, kat_vectors),
// and what is drawn from it.
#include "runtime/Philox.h"
#include "Check.h"
#include "TinyModel.h"
#include "runtime/Parameters.h"
#include <cmath>
#include <fmt/ranges.h>

using namespace momrt;

static void knownAnswers() {
  uint32_t ones = 0xffffffff;
  CHECK_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
           (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
           (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  CHECK_EQ(hashName(""), 0xcbf29ce484222325ull); // FNV-1a's own vectors
  CHECK_EQ(hashName("foobar"), 0x85944171f73967e8ull);
}

static void distributions() {
  Philox random(7, "layers.0.in_proj.weight");
  constexpr int count = 100000;
  double sum = 0, normal = 0, square = 0;
  for (int at = 0; at < count; ++at) {
    double uniform = random.uniform(at);
    CHECK(uniform > 0 && uniform < 1);
    sum += uniform;
    normal += random.normal(at);
    square += random.normal(at) * random.normal(at);
    CHECK(random.below(at, 7) < 7);
  }
  CHECK(std::abs(sum / count - 0.5) < 0.005);
  CHECK(std::abs(normal / count) < 0.015);
  CHECK(std::abs(square / count - 1) < 0.02);
  CHECK(Philox(7, "a").bits(0) != Philox(7, "b").bits(0));
  CHECK(Philox(7, "a").bits(0) != Philox(8, "a").bits(0));
}

static std::vector<float> values(uint32_t init, double a, double b, std::vector<int64_t> shape) {
  momrt_parameter source = {};
  source.init = init;
  source.a = a;
  source.b = b;
  int64_t size = 1;
  for (int64_t axis : shape)
    size *= axis;
  Parameter parameter{"p", shape, 0, size, &source};
  std::vector<float> values(size);
  initialise(parameter, 3, values.data());
  return values;
}

static void initialValues() {
  CHECK_EQ(values(MOMRT_INIT_CONSTANT, 1.5, 0, {3}), (std::vector<float>{1.5, 1.5, 1.5}));
  float log2 = std::log(2.0), log3 = std::log(3.0);
  CHECK_EQ(values(MOMRT_INIT_LOG_IOTA, 1, 0, {2, 3}),
           (std::vector<float>{0, log2, log3, 0, log2, log3}));
  for (float value : values(MOMRT_INIT_UNIFORM, -0.25, 0.5, {1000}))
    CHECK(value >= -0.25f && value <= 0.5f);
  for (float value : values(MOMRT_INIT_DT, 1e-3, 1e-1, {1000})) {
    double t = std::log1p(std::exp(value)); // softplus
    CHECK(t > 0.999e-3 && t < 1.001e-1);
  }
  Parameters layout(tiny::Model().open()->table);
  CHECK_EQ(layout.all().size(), 4u);
  CHECK_EQ(layout.get("layers.2.shift").offset, 36);
  CHECK_FAILS("no parameter 'layers.3.shift'", layout.get("layers.3.shift"));
}

int main() {
  knownAnswers();
  distributions();
  initialValues();
  return finish();
}
