// Times entries on random batches.
#include "runtime/Timing.h"

#include "runtime/Checkpoint.h"
#include "runtime/Convert.h"
#include "runtime/Error.h"
#include <algorithm>
#include <cmath>
#include <random>

namespace momrt {
namespace {

// Inputs of all batches together should pass the largest cache there is.
constexpr int64_t kCache = int64_t(256) << 20;
constexpr int kFewestBatches = 3, kMostBatches = 8;

double median(std::vector<double> &values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

/// Tokens in documents of uneven lengths, or one a stream, and modalities in spans.
BatchDescription randomBatch(int64_t streams, int64_t length, int64_t groups, bool wholeStreams,
                             std::mt19937_64 &random) {
  BatchDescription batch;
  batch.streams = streams;
  batch.length = length;
  for (int64_t stream = 0; stream < streams; ++stream)
    for (int64_t at = 0, size = 0; at < length; at += size) {
      size = wholeStreams ? length : 1 + int64_t(random() % uint64_t(length));
      size = std::min<int64_t>(size, length - at);
      batch.segments.push_back({stream * length + at, size, -1, -1});
    }
  batch.documents = int64_t(batch.segments.size());
  while (int64_t(batch.modality.size()) < streams * length) {
    size_t span = std::min<size_t>(1 + random() % 64,
                                   size_t(streams * length) - batch.modality.size());
    batch.modality.insert(batch.modality.end(), span, int32_t(random() % uint64_t(groups)));
  }
  return batch;
}

/// The size of a layer's random weights. Through products of larger ones values grow until
/// exponentials are denormal, which cost a CPU a hundred times as much as in training.
constexpr float kWeights = 0.1f;

/// Normal numbers: a large tensor repeats a long list from a random place on.
class Normals {
public:
  explicit Normals(std::mt19937_64 &random) : values(1 << 18), random(random) {
    for (float &x : values) {
      double u = (double(random() >> 11) + 1) * 0x1p-53, v = double(random() >> 11) * 0x1p-53;
      x = float(std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v));
      x = x == 0 ? 0.5f : x; // no zeros
    }
  }
  void fill(float *to, int64_t count, float size) {
    for (int64_t done = 0; done < count;) {
      size_t start = random() % values.size();
      int64_t part = std::min<int64_t>(count - done, int64_t(values.size() - start));
      std::transform(values.data() + start, values.data() + start + part, to + done,
                     [size](float x) { return size * x; });
      done += part;
    }
  }

private:
  std::vector<float> values;
  std::mt19937_64 &random;
};

class Timer {
public:
  Timer(const momrt_program *program, const SessionOptions &session, const TimingOptions &options)
      : session(std::make_shared<Program>(program), session), options(options),
        table(this->session.table()) {}
  void run(Timings &timings);

private:
  void prepare();
  void makeBatches();
  BatchInput makeInput(const momrt_input &input, const Counts &counts, Normals &normals);
  EntryTiming time(const std::string &entry);
  std::vector<uint8_t> readOutputs(const momrt_entry &entry, int64_t &numbers);
  void useBatch(int number) { session.setBatch(batches[size_t(number) % batches.size()]); }
  void runOnce(const std::string &entry) {
    session.run(entry);
    session.checkStatus();
  }

  Session session;
  const TimingOptions &options;
  const Table &table;
  std::mt19937_64 random{1};
  std::vector<Batch> batches;
};

/// Parameters, and the scalars of a step in the middle of a run.
void Timer::prepare() {
  session.initialise(options.seed);
  if (!options.checkpoint.empty())
    loadParameters(session, options.checkpoint);
  const momrt_table &header = table.header();
  Hypers hypers{};
  hypers[MOMRT_HYPER_RATE] = 1e-4f;
  hypers[MOMRT_HYPER_BETA1] = float(header.beta1);
  hypers[MOMRT_HYPER_BETA2] = float(header.beta2);
  hypers[MOMRT_HYPER_EPS] = float(header.eps);
  hypers[MOMRT_HYPER_BIAS1] = hypers[MOMRT_HYPER_BIAS2] = 1;
  hypers[MOMRT_HYPER_CLIP] = header.clip > 0 ? float(header.clip) : 1e30f;
  session.setHypers(hypers);
}

BatchInput Timer::makeInput(const momrt_input &input, const Counts &counts, Normals &normals) {
  BatchInput result{table.string(input.name), input.type, counts[input.count], input.channels, {}};
  int64_t elements = result.rows * result.channels;
  result.bytes.resize(size_t(elements * typeBytes(input.type)));
  if (input.type == MOMRT_I32) {
    auto *values = reinterpret_cast<int32_t *>(result.bytes.data());
    for (int64_t at = 0; at < elements; ++at)
      values[at] = int32_t(random() % uint64_t(input.limit > 0 ? input.limit : 2));
  } else if (input.type == MOMRT_F32 && input.draw == MOMRT_DRAW_UNIFORM) {
    auto *values = reinterpret_cast<float *>(result.bytes.data());
    for (int64_t at = 0; at < elements; ++at)
      values[at] = float((double(random() >> 11) + 1) * 0x1p-54);
  } else if (input.type == MOMRT_F32 || isNarrow(input.type)) {
    std::vector<float> values(size_t(elements), 0);
    normals.fill(values.data(), elements, input.count == MOMRT_COUNT_ONE ? kWeights : 1);
    fromFloats(input.type, values.data(), elements, result.bytes.data());
  } else {
    fail(MOMRT_BAD_ARGUMENT, "no random values for input '{}' of type {}", result.name,
         typeName(input.type));
  }
  return result;
}

void Timer::makeBatches() {
  const momrt_table &header = table.header();
  int64_t streams = options.streams ? options.streams : std::max<int64_t>(header.batch_streams, 1);
  int64_t length = options.length ? options.length
                   : header.batch_length ? header.batch_length : 1024;
  Normals normals(random);
  int64_t bytes = 0;
  for (int wanted = kFewestBatches; int(batches.size()) < wanted;) {
    Batch batch(randomBatch(streams, length, table.groups(), options.wholeStreams, random),
                table.groups());
    for (const std::string &entry : options.entries)
      for (const momrt_input &input : table.inputsOf(table.entry(entry))) {
        bool known = std::any_of(
            batch.inputs.begin(), batch.inputs.end(),
            [&](const BatchInput &other) { return other.name == table.string(input.name); });
        if (!known)
          batch.inputs.push_back(makeInput(input, batch.counts(), normals));
      }
    for (const BatchInput &input : batch.inputs)
      bytes += int64_t(input.bytes.size());
    batches.push_back(std::move(batch));
    if (bytes < kCache && wanted < kMostBatches && int(batches.size()) == wanted)
      ++wanted;
  }
}

/// The bytes of all outputs; throws for a number that is not finite.
std::vector<uint8_t> Timer::readOutputs(const momrt_entry &entry, int64_t &numbers) {
  std::vector<uint8_t> all;
  numbers = 0;
  for (const momrt_output &output : table.outputsOf(entry)) {
    int64_t elements = session.outputElements(output);
    std::vector<uint8_t> bytes(size_t(elements * typeBytes(output.type)));
    session.readOutput(output, bytes.data());
    all.insert(all.end(), bytes.begin(), bytes.end());
    numbers += elements;
    if (!isFloatType(output.type))
      continue;
    std::vector<float> values(static_cast<size_t>(elements));
    toFloats(output.type, bytes.data(), elements, values.data());
    auto wild =
        std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
    if (wild != values.end())
      fail(MOMRT_BAD_VALUE, "output '{}' of entry '{}' has {} at element {}",
           table.string(output.name), table.string(entry.name), *wild, wild - values.begin());
  }
  return all;
}

EntryTiming Timer::time(const std::string &name) {
  EntryTiming timing;
  timing.entry = name;
  const momrt_entry &entry = table.entry(name);
  useBatch(0);
  if (name == "update" && table.findEntry("gradient"))
    runOnce("gradient"); // what it reads
  runOnce(name);
  int64_t numbers = 0;
  std::vector<uint8_t> first = readOutputs(entry, numbers);
  for (int at = 1; at < options.warmUp; ++at) {
    useBatch(at);
    runOnce(name);
  }
  for (int at = 0; at < options.repeats; ++at) {
    useBatch(at);
    timing.runs.push_back(session.time(name));
  }
  std::sort(timing.runs.begin(), timing.runs.end());

  std::vector<std::vector<double>> launches(entry.ops.count);
  for (int at = 0; at < options.repeats; ++at) {
    useBatch(at);
    std::vector<double> once = session.profile(name, 1);
    for (size_t op = 0; op < once.size(); ++op)
      launches[op].push_back(once[op]);
  }
  for (std::vector<double> &times : launches)
    timing.launches.push_back(median(times));
  useBatch(0);
  runOnce(name);
  timing.repeated = readOutputs(entry, timing.numbers) == first;
  return timing;
}

void Timer::run(Timings &timings) {
  prepare();
  makeBatches();
  timings.counts = batches[0].counts();
  timings.batches = int(batches.size());
  timings.device = session.device().name();
  for (const std::string &entry : options.entries)
    timings.entries.push_back(time(entry));
}
} // namespace

std::string timeEntries(const momrt_program *program, const SessionOptions &session,
                        const TimingOptions &options, Timings &timings) noexcept {
  return textOfError([&] { Timer(program, session, options).run(timings); });
}

} // namespace momrt
