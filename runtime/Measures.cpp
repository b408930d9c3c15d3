#include "runtime/Measures.h"
#include "runtime/Error.h"
#include <cmath>
#include <nlohmann/json.hpp>

namespace momrt {

std::vector<Measure> readMeasures(const Table &table, const Snapshot &snapshot,
                                  const std::string &entry) {
  std::vector<Measure> measures;
  auto sums = [&](momrt_output_kind kind, const std::string &name) -> std::vector<double> {
    std::vector<float> values = snapshot.floats(entry, kind, name);
    return {values.begin(), values.end()};
  };
  const momrt_entry &found = table.entry(entry);
  for (const momrt_output &output : table.outputsOf(found)) {
    std::string name = table.string(output.name);
    bool loss = output.kind == MOMRT_OUTPUT_LOSS;
    bool metric =
        output.kind == MOMRT_OUTPUT_SUM && !table.findOutput(found, MOMRT_OUTPUT_LOSS, name);
    if (!loss && !metric)
      continue;
    Measure measure{name, loss, 0, sums(MOMRT_OUTPUT_SUM, name), sums(MOMRT_OUTPUT_COUNT, name)};
    if (measure.sums.size() != measure.counts.size())
      fail(MOMRT_BAD_TABLE, "'{}' has {} sums but {} counts", name, measure.sums.size(),
           measure.counts.size());
    if (loss)
      measure.value = snapshot.floats(entry, MOMRT_OUTPUT_LOSS, name)[0];
    measures.push_back(std::move(measure));
  }
  return measures;
}

void MeasureTotals::add(const std::vector<Measure> &batch, int64_t count) {
  if (totals.empty()) {
    totals = batch;
    for (Measure &measure : totals) {
      measure.value = 0;
      measure.sums.assign(measure.sums.size(), 0);
      measure.counts = measure.sums;
    }
  }
  tokens += double(count);
  for (size_t at = 0; at < totals.size(); ++at) {
    totals[at].value += batch[at].value * double(count);
    for (size_t group = 0; group < totals[at].sums.size(); ++group) {
      totals[at].sums[group] += batch[at].sums[group];
      totals[at].counts[group] += batch[at].counts[group];
    }
  }
}

std::vector<Measure> MeasureTotals::result() const {
  std::vector<Measure> means = totals;
  for (Measure &measure : means) {
    double sum = 0, count = 0;
    for (size_t group = 0; group < measure.sums.size(); ++group) {
      sum += measure.sums[group];
      count += measure.counts[group];
    }
    measure.value = measure.sums.empty() ? measure.value / tokens : count > 0 ? sum / count : 0;
  }
  return means;
}

std::string groupName(size_t group, size_t groups, const std::vector<std::string> &modalities) {
  return groups == modalities.size() ? modalities[group] : std::to_string(group);
}

std::string numberJson(double value) {
  // The shortest text of the f32 that kernels compute in, not of its double.
  return std::isfinite(value) ? fmt::format("{}", float(value)) : "null";
}

static std::string quoted(const std::string &text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

static std::string metricJson(const Measure &metric, const std::vector<std::string> &modalities) {
  if (metric.sums.size() == 1)
    return numberJson(metric.mean(0));
  bool named = metric.sums.size() == modalities.size();
  std::string text;
  for (size_t group = 0; group < metric.sums.size(); ++group) {
    text += text.empty() ? "" : ",";
    if (named)
      text += quoted(modalities[group]) + ":";
    text += numberJson(metric.mean(group));
  }
  return named ? "{" + text + "}" : "[" + text + "]";
}

std::string measuresJson(const std::vector<Measure> &measures,
                         const std::vector<std::string> &modalities) {
  std::string losses, metrics;
  for (const Measure &measure : measures) {
    std::string &text = measure.loss ? losses : metrics;
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", quoted(measure.name),
                        measure.loss ? numberJson(measure.value) : metricJson(measure, modalities));
  }
  return fmt::format("\"loss\":{{{}}},\"metrics\":{{{}}}", losses, metrics);
}

} // namespace momrt
