// Random numbers for arguments, and how results are compared: what mom-compare
// and the runner of a bundle (test/gpu) share. No LLVM here.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace mom::compare {

// The standard library's distributions differ between implementations; these
// do not, so a seed names the same numbers everywhere.
double uniform(std::mt19937_64 &random); ///< in [0, 1)
double normal(std::mt19937_64 &random);
int64_t below(int64_t limit, std::mt19937_64 &random);

/// How the numbers of an argument are drawn; `a` and `b` are its parameters.
struct Recipe {
  enum Source : int {
    Given,    ///< not drawn: the numbers are told
    Labels,   ///< integers in [a, b)
    Normal,   ///< normal, times a
    Positive, ///< 0.2 + |normal|
    Negative,
    Constant, ///< initial values of a parameter, as mom.init: constants are disturbed
    Uniform,
    Gaussian,
    LogIota,
    Dt,
  } source = Given;
  double a = 0, b = 0;
};

/// The next number; `channel` is its place in its row.
double draw(const Recipe &recipe, int64_t channel, std::mt19937_64 &random);

/// The tolerance of a storage type: |out - ref| <= rtol |ref| + atol sqrt(n).
double relativeTolerance(const std::string &storage);
inline constexpr double kAbsoluteTolerance = 1e-6;

/// What a number loses where it is stored, relative, at most.
double roundingOf(const std::string &storage);
/// Random programs: how many such losses of each value compiled code may have where the
/// program has one, and past which part of a result these are too many to compare it.
inline constexpr double kRoundings = 16;
/// Results of this norm are about to overflow.
inline constexpr double kHuge = 1e30;
inline constexpr double kVague = 0.05;

/// A large result is kept as one number a row: its channels summed with signs that
/// depend on row and channel. The norm of errors of such sums is that of the
/// errors themselves, on average, and a single wrong element is never lost.
template <typename Number>
std::vector<float> signedSums(const Number *values, int64_t rows, int64_t channels) {
  std::vector<float> sums(rows);
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t channel = 0; channel < channels; ++channel) {
      double x = values[row * channels + channel];
      // What overflows must be equal, and does not hide the rest of its row.
      x = std::isfinite(x) ? x : std::isnan(x) ? 1e3 : std::copysign(2e3, x);
      uint64_t hash =
          (uint64_t(row) * 0x9e3779b97f4a7c15u) ^ (uint64_t(channel) * 0xc2b2ae3d27d4eb4fu);
      hash ^= hash >> 29;
      hash *= 0xbf58476d1ce4e5b9u;
      sum += hash >> 63 ? x : -x;
    }
    sums[row] = float(sum);
  }
  return sums;
}

} // namespace mom::compare
