// What an entry measured: losses, and metrics by group.
#pragma once

#include "runtime/Snapshots.h"

namespace momrt {

struct Measure {
  std::string name;
  bool loss = false;
  double value = 0;                 ///< of a loss
  std::vector<double> sums, counts; // [groups] sums over rows, and how many rows

  /// The mean of a group; NaN if no row was counted.
  double mean(size_t group) const {
    return counts[group] ? sums[group] / counts[group] : 0.0 / 0.0;
  }
};

/// The losses and metrics that the entry left, in the table's order.
std::vector<Measure> readMeasures(const Table &table, const Snapshot &snapshot,
                                  const std::string &entry);

/// Adds the measures of one more batch of `tokens` tokens. A loss then is its
/// total sum over its total count; one without a sum is weighted by tokens.
class MeasureTotals {
public:
  void add(const std::vector<Measure> &batch, int64_t tokens);
  std::vector<Measure> result() const;

private:
  std::vector<Measure> totals;
  double tokens = 0;
};

/// The name of one of `groups` groups: a modality's where there is one a modality, else a number.
std::string groupName(size_t group, size_t groups, const std::vector<std::string> &modalities);

/// `"loss":{"lm":5.1},"metrics":{"bits":{"text":7.0,...}}`; groups are named
/// when there is one a modality.
std::string measuresJson(const std::vector<Measure> &measures,
                         const std::vector<std::string> &modalities);

/// A number as JSON has it: null for NaN and infinities.
std::string numberJson(double value);

} // namespace momrt
