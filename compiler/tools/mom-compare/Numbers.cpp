// Random numbers for arguments, and tolerances.
#include "compiler/tools/mom-compare/Numbers.h"

using namespace mom::compare;

double mom::compare::uniform(std::mt19937_64 &random) { return double(random() >> 11) * 0x1p-53; }

int64_t mom::compare::below(int64_t limit, std::mt19937_64 &random) {
  return limit > 0 ? int64_t(random() % uint64_t(limit)) : 0;
}

double mom::compare::normal(std::mt19937_64 &random) {
  double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(random)));
  return radius * std::cos(2 * M_PI * uniform(random));
}

double mom::compare::draw(const Recipe &recipe, int64_t channel, std::mt19937_64 &random) {
  double a = recipe.a, b = recipe.b;
  if (recipe.source == Recipe::Labels)
    return a + double(below(int64_t(b - a), random));
  double x = normal(random);
  switch (recipe.source) {
  case Recipe::Normal:
    return a * x;
  case Recipe::Positive:
    return 0.2 + std::fabs(x);
  case Recipe::Negative:
    return -0.2 - std::fabs(x);
  case Recipe::Constant: // so that no gradient is checked at a symmetric point only
    return a + 0.1 * normal(random);
  case Recipe::Uniform:
    return a + (b - a) * uniform(random);
  case Recipe::Gaussian:
    return a + b * normal(random);
  case Recipe::LogIota:
    return std::log(a + double(channel));
  case Recipe::Dt: // x with softplus(x) = dt: x = log(exp(dt) - 1)
    return std::log(
        std::expm1(std::exp(std::log(a) + (std::log(b) - std::log(a)) * uniform(random))));
  default:
    return 0;
  }
}

double mom::compare::relativeTolerance(const std::string &storage) {
  // Half a dozen roundings, of 2^-9 in bf16 and 2^-12 in f16, with few terms to average them.
  return storage == "bf16" ? 1.5e-2 : storage == "f16" ? 3e-3 : 2e-5;
}

double mom::compare::roundingOf(const std::string &storage) {
  return storage == "bf16" ? 0x1p-9 : storage == "f16" ? 0x1p-12 : 0x1p-24;
}
