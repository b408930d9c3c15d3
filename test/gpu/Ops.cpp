// Op and gradient programs at awkward sizes, in each storage type: results
// within the tolerance of the interpreter's, and the same bits twice.
#include "compiler/tools/mom-compare/Numbers.h"
#include "runtime/Error.h"
#include "runtime/Safetensors.h"
#include "runtime/Session.h"
#include "test/gpu/Suite.h"
#include <cstring>
#include <memory>

using namespace suite;
using mom::compare::Recipe;
using momrt::SafetensorsReader;
using momrt::Session;

static std::vector<double> numbers(const momrt::StoredTensor &tensor) {
  std::vector<double> values(size_t(tensor.elements()));
  if (tensor.type == MOMRT_F64) {
    if (tensor.bytes)
      std::memcpy(values.data(), tensor.data, size_t(tensor.bytes));
    return values;
  }
  std::vector<float> floats(values.size());
  momrt::toFloats(tensor, floats.data());
  values.assign(floats.begin(), floats.end());
  return values;
}

namespace {
/// A program with its cases and the session that runs them all.
struct Cases {
  Cases(const Options &options, const Program &program)
      : file(options.folder + "/cases/" + program.file + "." + program.function + ".safetensors"),
        session(std::make_shared<momrt::Program>(program.program), {2, 0, true}),
        table(session.table()), entry(table.entry("function")),
        tolerance(mom::compare::relativeTolerance(program.storage) *
                  numbers(file.get("tolerance"))[0]),
        roundings(mom::compare::roundingOf(program.storage) / mom::compare::roundingOf("bf16")) {}

  void setBatch(const std::string &size);
  void setInput(const std::string &size, const momrt_input &input);
  std::vector<std::vector<float>> run(const std::string &size);
  /// The relative error of a result; throws if it is past the tolerance.
  double compare(const std::string &name, const std::vector<float> &got);
  Outcome check(const std::string &size);

  SafetensorsReader file;
  Session session;
  const momrt::Table &table;
  const momrt_entry &entry;
  double tolerance;
  double roundings; ///< of the storage type, as a part of those of bf16
};
} // namespace

void Cases::setBatch(const std::string &size) {
  std::vector<double> counts = numbers(file.get(size + "/batch"));
  std::vector<double> modality = numbers(file.get(size + "/modality"));
  std::vector<double> segments = numbers(file.get(size + "/segments"));
  momrt::BatchDescription batch;
  batch.streams = int64_t(counts[1]);
  batch.documents = int64_t(counts[2]);
  batch.modality.assign(modality.begin(), modality.end());
  for (size_t at = 0; at < segments.size(); at += 4)
    batch.segments.push_back({int64_t(segments[at]), int64_t(segments[at + 1]),
                              int64_t(segments[at + 2]), int64_t(segments[at + 3])});
  session.setBatch(momrt::Batch(batch, table.groups()));
}

void Cases::setInput(const std::string &size, const momrt_input &input) {
  std::string name = table.string(input.name), key = size + "/" + name;
  std::vector<double> facts = numbers(file.get(key));
  Recipe recipe{Recipe::Source(int(facts[0])), facts[1], facts[2]};
  std::mt19937_64 random{uint64_t(facts[3])};
  int64_t channels = int64_t(facts[5]), elements = int64_t(facts[4]) * channels;
  std::vector<float> values(size_t(elements), 0);
  if (recipe.source == Recipe::Given)
    momrt::toFloats(file.get(key + ".values"), values.data());
  else
    for (int64_t at = 0; at < elements; ++at)
      values[at] = float(mom::compare::draw(recipe, at % channels, random));
  // What is no rows is one row of all its elements.
  int64_t rows = input.count == MOMRT_COUNT_ONE ? 1 : int64_t(facts[4]);
  std::vector<int32_t> whole(values.begin(), values.end());
  session.setInput(name, input.type, rows, input.channels,
                   input.type == MOMRT_I32 ? static_cast<void *>(whole.data()) : values.data());
}

std::vector<std::vector<float>> Cases::run(const std::string &size) {
  setBatch(size); // the arena becomes NaN
  for (const momrt_input &input : table.inputsOf(entry))
    setInput(size, input);
  session.run("function");
  session.checkStatus();
  std::vector<std::vector<float>> results;
  for (const momrt_output &output : table.outputsOf(entry)) {
    std::vector<float> values(size_t(session.outputElements(output)));
    std::vector<int32_t> whole(values.size());
    if (output.type == MOMRT_I32) {
      session.readOutput(output, whole.data());
      values.assign(whole.begin(), whole.end());
    } else {
      session.readOutput(output, values.data());
    }
    results.push_back(std::move(values));
  }
  return results;
}

double Cases::compare(const std::string &name, const std::vector<float> &got) {
  const momrt::StoredTensor *spread = file.find(name + ".spread");
  if (spread && !std::isfinite(numbers(*spread)[0]))
    return 0;
  const momrt::StoredTensor *sums = file.find(name + ".sums");
  std::vector<double> expected = numbers(sums ? *sums : file.get(name));
  std::vector<float> values = got;
  double squares = 0, errors = 0, count = double(got.size());
  if (sums) {
    std::vector<double> facts = numbers(file.get(name + ".norm"));
    squares = facts[0];
    int64_t channels = int64_t(facts[2]);
    double wild = 0;
    for (float x : got)
      wild += !std::isfinite(x);
    if (wild != facts[1])
      momrt::fail(MOMRT_BAD_VALUE, "{}: {} values are not finite, but should be {}", name, wild,
                  facts[1]);
    values = mom::compare::signedSums(got.data(), int64_t(got.size()) / channels, channels);
  }
  if (values.size() != expected.size())
    momrt::fail(MOMRT_BAD_VALUE, "{}: expected {} values, but got {}", name, expected.size(),
                values.size());
  for (size_t at = 0; at < values.size(); ++at) {
    double x = values[at], y = expected[at];
    if (!std::isfinite(y) && (x == y || (std::isnan(x) && std::isnan(y))))
      continue;
    errors += (x - y) * (x - y);
    squares += sums ? 0 : y * y;
  }
  double limit =
      tolerance * std::sqrt(squares) + mom::compare::kAbsoluteTolerance * std::sqrt(count);
  if (spread) {
    double moved = mom::compare::kRoundings * numbers(*spread)[0] * roundings;
    if (!(moved <= mom::compare::kVague * std::sqrt(squares) + mom::compare::kAbsoluteTolerance))
      return 0; // rounding turns it over
    limit += moved;
  }
  if (!(std::sqrt(errors) <= limit)) // NaN is no agreement
    momrt::fail(MOMRT_BAD_VALUE, "{}: error {:.2e}, norm {:.2e}, limit {:.2e}", name,
                std::sqrt(errors), std::sqrt(squares), limit);
  return squares ? std::sqrt(errors / squares) : 0;
}

Outcome Cases::check(const std::string &size) {
  std::vector<std::vector<float>> first = run(size), second = run(size);
  double worst = 0;
  for (size_t at = 0; at < first.size(); ++at) {
    if (!first[at].empty() &&
        std::memcmp(first[at].data(), second[at].data(), first[at].size() * sizeof(float)))
      return {false, fmt::format("result{}: two runs give different bits", at)};
    worst = std::max(worst, compare(fmt::format("{}/result{}", size, at), first[at]));
  }
  return {true, fmt::format("{:.1e}", worst)};
}

static std::vector<Check> checksOf(const Options &options, const Program &program) {
  auto cases = std::make_shared<std::unique_ptr<Cases>>();
  auto open = [=]() -> Cases & {
    if (!*cases)
      *cases = std::make_unique<Cases>(options, program);
    return **cases;
  };
  std::string name = std::string(program.file) + "." + program.function;
  SafetensorsReader file(options.folder + "/cases/" + name + ".safetensors");
  std::vector<Check> checks;
  for (const momrt::StoredTensor &tensor : file.tensors()) {
    size_t slash = tensor.name.find('/');
    if (slash == std::string::npos || tensor.name.substr(slash) != "/batch")
      continue;
    std::string size = tensor.name.substr(0, slash);
    if (options.sizes.empty() ||
        std::find(options.sizes.begin(), options.sizes.end(), size) != options.sizes.end())
      checks.push_back({name, size, program.storage, [=] { return open().check(size); }});
  }
  return checks;
}

void suite::addOps(const Options &options, std::vector<Task> &tasks) {
  for (size_t at = 0; at < programCount; ++at) {
    const Program &program = programs[at];
    if (program.file != std::string("model") && program.file != std::string("large") &&
        isSelected(options, program))
      tasks.push_back({"ops", [&options, &program] { return checksOf(options, program); }});
  }
}
