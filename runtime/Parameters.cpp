#include "runtime/Parameters.h"
#include "runtime/Error.h"
#include "runtime/Philox.h"
#include <algorithm>
#include <cmath>
#include <thread>

namespace momrt {

static constexpr int64_t kElementsOfAThread = 1 << 16;

Parameters::Parameters(const Table &table)
    : model(table.model()), total(table.header().parameter_elements) {
  for (const momrt_parameter &source : table.parameters()) {
    std::string pattern = table.string(source.name);
    size_t hole = pattern.find("{}");
    for (int64_t round = 0; round < source.repeat; ++round) {
      std::string name = pattern;
      if (source.indexed)
        name.replace(hole, 2, std::to_string(round));
      if (!index.emplace(name, list.size()).second)
        fail(MOMRT_BAD_TABLE, "damaged launch table: two parameters are called '{}'", name);
      list.push_back({name,
                      {source.shape, source.shape + source.rank},
                      source.offset + round * source.size,
                      source.size,
                      &source});
    }
  }
}

const Parameter *Parameters::find(const std::string &name) const {
  auto found = index.find(name);
  return found == index.end() ? nullptr : &list[found->second];
}

const Parameter &Parameters::get(const std::string &name) const {
  if (const Parameter *parameter = find(name))
    return *parameter;
  fail(MOMRT_BAD_ARGUMENT, "model '{}' has no parameter '{}'", model, name);
}

int64_t Parameters::count() const {
  int64_t sum = 0;
  for (const Parameter &parameter : list)
    sum += parameter.size;
  return sum;
}

/// The inverse of softplus at a value that is log-uniform in [low, high].
static double inverseSoftplus(double uniform, double low, double high) {
  double t = std::exp(uniform * (std::log(high) - std::log(low)) + std::log(low));
  return t + std::log(-std::expm1(-t));
}

/// Elements [first, last) of a parameter.
static void initialiseRange(const Parameter &parameter, const Philox &random, int64_t first,
                            int64_t last, float *values) {
  double a = parameter.source->a, b = parameter.source->b;
  int64_t inner = parameter.shape.empty() ? 1 : parameter.shape.back();
  for (int64_t at = first; at < last; ++at) {
    double value = 0;
    switch (parameter.source->init) {
    case MOMRT_INIT_CONSTANT:
      value = a;
      break;
    case MOMRT_INIT_UNIFORM:
      value = a + random.uniform(at) * (b - a);
      break;
    case MOMRT_INIT_NORMAL:
      value = b == 0 ? a : a + b * random.normal(at);
      break;
    case MOMRT_INIT_LOG_IOTA:
      value = std::log(a + double(at % inner));
      break;
    case MOMRT_INIT_DT:
      value = inverseSoftplus(random.uniform(at), a, b);
      break;
    }
    values[at] = float(value);
  }
}

void initialise(const Parameter &parameter, uint64_t seed, float *values) {
  Philox random(seed, parameter.name);
  // Numbers are drawn by counter, so all cores may draw them; small parameters are
  // done before a thread has started.
  int64_t threads = std::min<int64_t>(std::max(1u, std::thread::hardware_concurrency()),
                                      parameter.size / kElementsOfAThread);
  std::vector<std::thread> others;
  for (int64_t i = 1; i < threads; ++i)
    others.emplace_back([&, i] {
      initialiseRange(parameter, random, parameter.size * i / threads,
                      parameter.size * (i + 1) / threads, values);
    });
  initialiseRange(parameter, random, 0, parameter.size / std::max<int64_t>(threads, 1), values);
  for (std::thread &other : others)
    other.join();
}

std::string shapeText(const std::vector<int64_t> &shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

} // namespace momrt
