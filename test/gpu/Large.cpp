// large.mlir with so many rows that a tensor has more than 2^31 elements. A row
// is one of 64, so every row's results are known at little cost; those of the scan
// are computed for some segments.
#include "compiler/tools/mom-compare/Numbers.h"
#include "runtime/Error.h"
#include "runtime/Session.h"
#include "test/gpu/Suite.h"
#include <cmath>
#include <memory>

using namespace suite;

static constexpr int64_t kIds = 64, kChannels = 2048, kWide = 8, kTaps = 4, kStates = 2;
static constexpr int64_t kSegment = 61; // odd, so that segments begin anywhere
// Of single sums over rounded rows, the worst of a million. A wrong address is an
// error of 1.
static constexpr double kTolerance = 0.1;

namespace {
struct Large {
  int64_t rows;
  std::vector<int32_t> ids;                      // [rows]
  std::vector<float> table, w, taps, A, B, C;
  std::unique_ptr<momrt::Session> session;

  Large(const Program &program, int64_t rows);
  std::vector<float> read(int index);
  double at(int64_t id, int64_t channel) const { return table[id * kChannels + channel]; }
  Outcome checkMap();
  Outcome checkColumns();
  Outcome checkProduct();
  Outcome checkConvolution();
  Outcome checkScan();
};
} // namespace

static double silu(double x) { return x / (1 + std::exp(-x)); }

static std::vector<float> normals(int64_t count, double scale, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float &x : values)
    x = float(scale * mom::compare::normal(random));
  return values;
}

Large::Large(const Program &program, int64_t rows)
    : rows(rows), table(normals(kIds * kChannels, 1, 1)),
      w(normals(kWide * kChannels, 1 / std::sqrt(double(kChannels)), 2)),
      taps(normals(kChannels * kTaps, 1, 3)), A(normals(kChannels * kStates, 1, 4)),
      B(normals(rows * kStates, 1, 5)), C(normals(rows * kStates, 1, 6)),
      session(std::make_unique<momrt::Session>(std::make_shared<momrt::Program>(program.program),
                                               momrt::SessionOptions{2, 0, true, true, {}})) {
  std::mt19937_64 random(7);
  for (int64_t row = 0; row < rows; ++row)
    ids.push_back(int32_t(mom::compare::below(kIds, random)));
  for (float &a : A)
    a = -0.2f - std::fabs(a);
  momrt::BatchDescription batch;
  batch.modality.resize(size_t(rows));
  for (int64_t start = 0; start < rows; start += kSegment)
    batch.segments.push_back({start, std::min(kSegment, rows - start), -1, -1});
  batch.documents = int64_t(batch.segments.size());
  session->setBatch(momrt::Batch(batch, session->table().groups()));
  auto set = [&](int index, int64_t count, const auto &values, uint32_t type) {
    session->setInput(fmt::format("argument{}", index), type, count,
                      int64_t(values.size()) / count, values.data());
  };
  set(1, rows, ids, MOMRT_I32);
  set(2, 1, table, MOMRT_F32);
  set(3, 1, w, MOMRT_F32);
  set(4, 1, taps, MOMRT_F32);
  set(5, 1, A, MOMRT_F32);
  set(6, rows, B, MOMRT_F32);
  set(7, rows, C, MOMRT_F32);
  session->run("function");
  session->checkStatus();
}

std::vector<float> Large::read(int index) {
  const momrt::Table &tables = session->table();
  for (const momrt_output &output : tables.outputsOf(tables.entry("function")))
    if (tables.string(output.name) == fmt::format("result{}", index)) {
      std::vector<float> values(size_t(session->outputElements(output)));
      session->readOutput(output, values.data());
      return values;
    }
  momrt::fail(MOMRT_BAD_TABLE, "the program has no result {}", index);
}

/// Rows compared one by one: a wrong address makes a whole row wrong.
static Outcome compareRows(const std::vector<float> &got,
                           const std::function<double(int64_t)> &expected, double size,
                           int64_t step = 1) {
  double worst = 0;
  for (int64_t at = 0; at < int64_t(got.size()); at += step) {
    double error = std::fabs(got[at] - expected(at)) / size;
    if (!(error <= kTolerance))
      return {false, fmt::format("element {}: expected {:.4g}, but got {:.4g}", at, expected(at),
                                 got[at])};
    worst = std::max(worst, error);
  }
  return {true, fmt::format("{:.1e}", worst)};
}

Outcome Large::checkMap() {
  std::vector<double> sums(kIds, 0);
  for (int64_t id = 0; id < kIds; ++id)
    for (int64_t c = 0; c < kChannels; ++c)
      sums[id] += silu(at(id, c));
  return compareRows(read(0), [&](int64_t row) { return sums[ids[row]]; }, std::sqrt(kChannels));
}

Outcome Large::checkColumns() {
  std::vector<double> count(kIds, 0);
  for (int32_t id : ids)
    ++count[id];
  return compareRows(
      read(1),
      [&](int64_t c) {
        double sum = 0;
        for (int64_t id = 0; id < kIds; ++id)
          sum += count[id] * silu(at(id, c));
        return sum;
      },
      double(rows) / 4);
}

Outcome Large::checkProduct() {
  std::vector<double> y(kIds * kWide, 0);
  for (int64_t id = 0; id < kIds; ++id)
    for (int64_t o = 0; o < kWide; ++o)
      for (int64_t c = 0; c < kChannels; ++c)
        y[id * kWide + o] += w[o * kChannels + c] * silu(at(id, c));
  return compareRows(
      read(2), [&](int64_t at) { return y[ids[at / kWide] * kWide + at % kWide]; }, 1);
}

Outcome Large::checkConvolution() {
  std::vector<double> parts(kTaps * kIds, 0); // of a token j before, by its id
  for (int64_t j = 0; j < kTaps; ++j)
    for (int64_t id = 0; id < kIds; ++id)
      for (int64_t c = 0; c < kChannels; ++c)
        parts[j * kIds + id] += taps[c * kTaps + kTaps - 1 - j] * at(id, c);
  return compareRows(
      read(3),
      [&](int64_t row) {
        double sum = 0;
        for (int64_t j = 0; j <= std::min(row % kSegment, kTaps - 1); ++j)
          sum += parts[j * kIds + ids[row - j]];
        return sum;
      },
      std::sqrt(double(kChannels * kTaps)));
}

Outcome Large::checkScan() {
  std::vector<float> got = read(4);
  int64_t segments = (rows + kSegment - 1) / kSegment, step = std::max<int64_t>(segments / 50, 1);
  double worst = 0;
  for (int64_t s = segments - 1; s >= 0; s -= step) {
    std::vector<double> h(kChannels * kStates, 0);
    for (int64_t row = s * kSegment; row < std::min(rows, (s + 1) * kSegment); ++row) {
      double sum = 0;
      for (int64_t c = 0; c < kChannels; ++c) {
        double u = at(ids[row], c), delta = std::log1p(std::exp(u));
        for (int64_t n = 0; n < kStates; ++n) {
          double &state = h[c * kStates + n];
          state = std::exp(delta * A[c * kStates + n]) * state + delta * u * B[row * kStates + n];
          sum += C[row * kStates + n] * state;
        }
      }
      double error = std::fabs(got[row] - sum) / std::max(std::fabs(sum), 2 * std::sqrt(kChannels));
      if (!(error <= kTolerance))
        return {false,
                fmt::format("row {}: expected {:.4g}, but got {:.4g}", row, sum, got[row])};
      worst = std::max(worst, error);
    }
  }
  return {true, fmt::format("{:.1e}", worst)};
}

static std::vector<Check> checksOf(const Options &options, const Program &program) {
  auto large = std::make_shared<std::unique_ptr<Large>>();
  auto open = [=, &options, &program]() -> Large & {
    if (!*large)
      *large = std::make_unique<Large>(program, options.largeRows);
    return **large;
  };
  std::string size = fmt::format("{}x{}", options.largeRows, kChannels), storage = program.storage;
  return {{"large.map", size, storage, [=] { return open().checkMap(); }},
          {"large.reduce_rows", size, storage, [=] { return open().checkColumns(); }},
          {"large.linear", size, storage, [=] { return open().checkProduct(); }},
          {"large.conv1d", size, storage, [=] { return open().checkConvolution(); }},
          {"large.scan", size, storage, [=] { return open().checkScan(); }}};
}

void suite::addLarge(const Options &options, std::vector<Task> &tasks) {
  for (size_t at = 0; at < programCount; ++at) {
    const Program &program = programs[at];
    if (program.file == std::string("large") && isSelected(options, program))
      tasks.push_back({"large", [&options, &program] { return checksOf(options, program); }});
  }
}
