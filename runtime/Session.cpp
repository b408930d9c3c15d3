#include "runtime/Session.h"
#include "runtime/Convert.h"
#include "runtime/Cpu.h"
#include "runtime/Cuda.h"
#include "runtime/Error.h"
#include "runtime/Status.h"
#include <algorithm>

namespace momrt {

static std::unique_ptr<Device> makeDevice(const Program &program, const SessionOptions &options) {
  if (program.onGpu())
    return makeCuda(program, options.gpu, options.graphs, options.guest);
  return std::make_unique<Cpu>(program, options.threads);
}

Session::Session(std::shared_ptr<const Program> program, const SessionOptions &options)
    : Session(program, makeDevice(*program, options), options) {}

Session::Session(std::shared_ptr<const Program> given, std::unique_ptr<Device> device,
                 const SessionOptions &options)
    : program(std::move(given)), where(std::move(device)), options(options),
      layout(program->table) {
  inputIsSet.resize(table().inputs().size());
  hasRun.resize(table().entries().size());
  for (const momrt_entry &entry : table().entries())
    readsHypers.push_back(table().uses(entry, MOMRT_SPACE_HYPER));
  // A guest may be recording what runs, when nothing can be allocated.
  usedSlots.assign(table().slots().size(), options.guest.has_value());
  addresses.slots.resize(usedSlots.size());
  addresses.inputs.resize(inputIsSet.size());
  states.resize(table().states().size());
  placeStates();
  boundOutputs.resize(table().outputs().size());
  space(MOMRT_SPACE_PARAMETERS);
  place(MOMRT_SPACE_HYPER, MOMRT_HYPERS * 4, "the step's scalars");
  place(MOMRT_SPACE_STATUS, std::max<int64_t>(table().ops().size(), 1) * sizeof(momrt_status),
        "status records");
  setBatch(Batch({0, 0, 0, {}, {}}, table().groups()));
}

Session::~Session() = default;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// Elements that are converted at a time.
static constexpr int64_t kPiece = INT64_C(1) << 22;

void Session::readRange(momrt_space which, int64_t first, int64_t count, float *values) {
  char *base = space(which).data();
  if (which == MOMRT_SPACE_COPIES)
    refreshCopies();
  uint32_t type = table().typeOf(which);
  int64_t element = typeBytes(type);
  if (type == MOMRT_F32)
    return where->copyOut(values, base + first * element, count * element);
  std::vector<char> bytes(size_t(std::min(count, kPiece) * element));
  for (int64_t at = 0; at < count; at += kPiece) {
    int64_t size = std::min(kPiece, count - at);
    where->copyOut(bytes.data(), base + (first + at) * element, size * element);
    toFloats(type, bytes.data(), size, values + at);
  }
}

void Session::writeRange(momrt_space which, int64_t first, int64_t count, const float *values) {
  char *base = space(which).data();
  copiesAreStale |= which == MOMRT_SPACE_PARAMETERS;
  uint32_t type = table().typeOf(which);
  int64_t element = typeBytes(type);
  if (type == MOMRT_F32)
    return where->copyIn(base + first * element, values, count * element);
  std::vector<char> bytes(size_t(std::min(count, kPiece) * element));
  for (int64_t at = 0; at < count; at += kPiece) {
    int64_t size = std::min(kPiece, count - at);
    fromFloats(type, values + at, size, bytes.data());
    where->copyIn(base + (first + at) * element, bytes.data(), size * element);
  }
}

void Session::initialise(uint64_t seed) {
  std::vector<float> values(layout.elements());
  for (const Parameter &parameter : layout.all())
    momrt::initialise(parameter, seed, values.data() + parameter.offset);
  writeSpace(MOMRT_SPACE_PARAMETERS, values);
  for (momrt_space which : {MOMRT_SPACE_GRADIENTS, MOMRT_SPACE_MOMENT1, MOMRT_SPACE_MOMENT2,
                            MOMRT_SPACE_SUMS})
    if (spaces[which].data())
      where->fill(spaces[which].data(), 0, spaces[which].bytes());
  batchesAdded = 0;
}

std::vector<float> Session::readSpace(momrt_space which) {
  std::vector<float> values(layout.elements());
  readRange(which, 0, layout.elements(), values.data());
  return values;
}

void Session::writeSpace(momrt_space which, const std::vector<float> &values) {
  writeRange(which, 0, layout.elements(), values.data());
}

void Session::read(momrt_space which, const Parameter &parameter, float *values) {
  readRange(which, parameter.offset, parameter.size, values);
}

void Session::write(momrt_space which, const Parameter &parameter, const float *values) {
  writeRange(which, parameter.offset, parameter.size, values);
}

/// Copies of parameters that the host has written since are made anew.
void Session::refreshCopies() {
  const momrt_entry *copies = table().findEntry("copies");
  if (!copiesAreStale || !copies || !spaces[MOMRT_SPACE_COPIES].data())
    return;
  copiesAreStale = false;
  checkEntry(*copies);
  execute(*copies);
}

//===----------------------------------------------------------------------===//
// Batches
//===----------------------------------------------------------------------===//

void Session::setBatch(const Batch &batch) {
  checkInputs(table(), batch); // before anything changes
  trueCounts = batch.counts();
  std::fill(hasRun.begin(), hasRun.end(), false);
  try {
    planFor(capacitiesOf(trueCounts, table().windows()));
    forgetLoans();
    std::fill(inputIsSet.begin(), inputIsSet.end(), false);
    char *staged = where->stage(batchLayout.bytes);
    where->send(batchArrays.data(), batchLayout.pack(table(), batch, staged, inputIsSet));
  } catch (...) {
    capacities = {};
    throw;
  }
  if (options.poison) { // f32 0xffffffff is a NaN
    where->fill(workspace ? workspace : arena.data(), 0xff, plan.bytes);
    for (Buffer &annex : annexes)
      where->fill(annex.data(), 0xff, annex.bytes());
  }
  if (const momrt_entry *entry = table().planEntry()) {
    checkEntry(*entry);
    execute(*entry);
  }
}

void Session::requireBatch(const std::string &what) const {
  if (capacities == Counts{})
    fail(MOMRT_BAD_ARGUMENT,
         "{} has no batch: the last one did not fit into memory or the workspace", what);
}

/// Places the slots and makes room for a batch, if its shape class is another
/// than the last one's.
void Session::planFor(const Counts &shape) {
  if (shape == capacities)
    return;
  capacities = {}; // until all buffers are there
  planSlots(shape);
  placeBatch(shape);
  entryChecked.assign(table().entries().size(), false);
  if (shape[MOMRT_COUNT_STREAM] != stateStreams) // rounds lie elsewhere
    clearStates();
  stateStreams = shape[MOMRT_COUNT_STREAM];
  capacities = shape;
}

/// One arena for the slots in use.
void Session::planSlots(const Counts &shape) {
  plan = planArena(table(), shape, &usedSlots);
  annexes.clear();
  char *base = arenaOf(plan.bytes);
  places.clear();
  for (int64_t offset : plan.offsets)
    places.push_back(base + offset);
  placeSlots();
}

void Session::placeBatch(const Counts &shape) {
  batchLayout = BatchLayout(table(), shape);
  grow(batchArrays, batchLayout.bytes,
       fmt::format("a batch of {} tokens", shape[MOMRT_COUNT_TOKEN]));
  for (size_t which = 0; which < MOMRT_SPACES; ++which)
    if (batchLayout.spaces[which].bytes)
      addresses.base[which] = batchArrays.data() + batchLayout.spaces[which].offset;
  for (size_t at = 0; at < inputIsSet.size(); ++at)
    addresses.inputs[at] = batchArrays.data() + batchLayout.inputs[at].offset;
}

/// Calls `place` with the number and the bytes of each input of that name that it fits:
/// entries may have inputs of one name and of several shapes.
void Session::forInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                       const std::function<void(size_t, int64_t)> &place) {
  requireBatch(fmt::format("input '{}'", name));
  const momrt_input *misfit = nullptr;
  bool fits = false;
  for (size_t at = 0; at < inputIsSet.size(); ++at) {
    const momrt_input &input = table().inputs()[at];
    if (name != table().string(input.name))
      continue;
    if (input.type != type || input.channels != channels || trueCounts[input.count] != rows) {
      misfit = &input;
      continue;
    }
    place(at, rows * channels * typeBytes(type));
    inputIsSet[at] = fits = true;
  }
  if (misfit && !fits)
    checkInput(table(), *misfit, trueCounts, type, rows, channels);
  else if (!fits)
    fail(MOMRT_BAD_ARGUMENT, "model '{}' has no input '{}'", table().model(), name);
}

uint32_t Session::storedAs(const std::string &name, uint32_t type) const {
  for (const momrt_input &input : table().inputs())
    if (name == table().string(input.name) && type == MOMRT_F32 && isNarrow(input.type))
      return input.type;
  return type;
}

void Session::setInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                       const void *data) {
  if (uint32_t stored = storedAs(name, type); stored != type) {
    std::vector<char> bytes(size_t(rows * channels * typeBytes(stored)));
    fromFloats(stored, static_cast<const float *>(data), rows * channels, bytes.data());
    return setInput(name, stored, rows, channels, bytes.data());
  }
  forInput(name, type, rows, channels, [&](size_t at, int64_t bytes) {
    returnInput(at);
    where->copyIn(addresses.inputs[at], data, bytes);
    where->fill(addresses.inputs[at] + bytes, 0, batchLayout.inputs[at].bytes - bytes);
  });
}

void Session::putHypers() {
  where->copyIn(spaces[MOMRT_SPACE_HYPER].data(), hypers.data(), sizeof hypers);
  hypersAreSet = true;
}

void Session::setHypers(const Hypers &given) {
  hypers = given;
  countsBatches = false;
  putHypers();
}

void Session::setStep(int64_t step, int64_t steps) {
  hypers = hypersOf(table().header(), step, rateAt(table().rates(), step, steps));
  hypers[MOMRT_HYPER_KEEP] = batchesAdded ? 1 : 0;
  countsBatches = true;
  putHypers();
}

/// Zeroes would make an update of NaN.
void Session::requireHypers(const momrt_entry &entry) const {
  if (!hypersAreSet && readsHypers[numberOf(entry)])
    fail(MOMRT_BAD_ARGUMENT,
         "entry '{}' reads the scalars of a step, which are not set: set the step first",
         table().string(entry.name));
}

/// Of a step with several batches, "accumulate" begins its sums with the first, and "update"
/// wants all; a host that sets the scalars by hand counts for itself.
void Session::countBatches(const std::string &name) {
  int64_t batches = table().header().accumulate;
  bool counts = countsBatches && batches > 1;
  if (name == "accumulate") {
    float keep = batchesAdded ? 1 : 0;
    if (counts && hypers[MOMRT_HYPER_KEEP] != keep) {
      hypers[MOMRT_HYPER_KEEP] = keep;
      putHypers();
    }
    ++batchesAdded;
  } else if (name == "update") {
    if (counts && batchesAdded != batches)
      fail(MOMRT_BAD_ARGUMENT,
           "entry 'update' wants the sums of a step's {} batches, but {} were added since the "
           "last one: run 'accumulate' after each 'gradient'",
           batches, batchesAdded);
    batchesAdded = 0;
  }
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

int64_t Session::sizeOf(const momrt_arg &arg) const {
  if (arg.space == MOMRT_SPACE_ARENA)
    return bytesOf(table().slots()[arg.index], capacities);
  if (arg.space == MOMRT_SPACE_INPUT)
    return batchLayout.inputs[arg.index].bytes;
  if (isState(arg.space))
    return states[arg.index].places[0].bytes();
  int64_t bytes = batchLayout.spaces[arg.space].bytes;
  return bytes ? bytes : spaces[arg.space].bytes();
}

void Session::checkEntry(const momrt_entry &entry) {
  for (uint64_t at = entry.inputs.offset; at < entry.inputs.offset + entry.inputs.count; ++at)
    if (!inputIsSet[at])
      fail(MOMRT_BAD_ARGUMENT, "entry '{}' reads input '{}', which is not set for this batch",
           table().string(entry.name), table().string(table().inputs()[at].name));
  char &checked = entryChecked[keyOf(entry).entry];
  if (checked)
    return;
  allocateFor(entry);
  checkRecipes(table(), entry, capacities, [&](const momrt_arg &arg) { return sizeOf(arg); });
  for (const momrt_output &output : table().outputsOf(entry)) {
    int64_t bytes = capacities[output.count] * output.channels * typeBytes(output.type);
    if (output.where.offset > sizeOf(output.where) - bytes)
      fail(MOMRT_BAD_TABLE, "damaged launch table: output '{}' has {} bytes in a buffer of {}",
           table().string(output.name), bytes, sizeOf(output.where));
  }
  checked = true;
}

/// An entry that may run now.
const momrt_entry &Session::prepare(const std::string &name) {
  const momrt_entry &entry = table().entry(name);
  requireBatch(fmt::format("entry '{}'", name));
  requireHypers(entry);
  checkEntry(entry);
  refreshCopies();
  countBatches(name);
  hasRun[numberOf(entry)] = true;
  return entry;
}

void Session::walkEntry(const momrt_entry &entry) {
  walk(table(), entry, capacities, addresses, *where);
}

WalkKey Session::keyOf(const momrt_entry &entry) const {
  return {numberOf(entry), capacities, turn};
}

void Session::execute(const momrt_entry &entry) {
  where->execute(keyOf(entry), [&] { walkEntry(entry); });
}

void Session::run(const std::string &entry) {
  const momrt_entry &found = prepare(entry);
  execute(found);
  if (writesStates(found))
    turnStates();
  if (hasLoans)
    copyBoundOutputs(found);
}

void Session::runTogether(const std::vector<std::string> &names) {
  std::vector<const momrt_entry *> entries;
  bool turns = false;
  for (const std::string &name : names) {
    entries.push_back(&prepare(name));
    turns |= writesStates(*entries.back());
  }
  WalkKey key = keyOf(*entries.front());
  key.last = keyOf(*entries.back()).entry;
  where->execute(key, [&] {
    for (const momrt_entry *entry : entries) {
      walkEntry(*entry);
      if (hasLoans)
        copyBoundOutputs(*entry);
    }
  });
  if (turns)
    turnStates();
}

void Session::runChecked(const std::string &name) {
  run(name);
  try {
    checkStatus();
  } catch (...) {
    if (writesStates(table().entry(name)))
      turnStates();
    throw;
  }
}

double Session::time(const std::string &name) {
  const momrt_entry &entry = prepare(name);
  return where->time(keyOf(entry), [&] { walkEntry(entry); });
}

std::vector<double> Session::profile(const std::string &name, int repeats) {
  const momrt_entry &entry = prepare(name);
  std::vector<std::vector<double>> times; // [repeats, ops]
  for (int turn = 0; turn < std::max(repeats, 1); ++turn) {
    times.emplace_back(table().ops().size());
    where->profile([&] { walkEntry(entry); }, times.back());
  }
  std::vector<double> medians;
  for (size_t op = entry.ops.offset; op < entry.ops.offset + entry.ops.count; ++op) {
    std::vector<double> all;
    for (const std::vector<double> &run : times)
      all.push_back(run[op]);
    std::nth_element(all.begin(), all.begin() + long(all.size() / 2), all.end());
    medians.push_back(all[all.size() / 2]);
  }
  return medians;
}

void Session::checkStatus() {
  std::vector<momrt_status> records(table().ops().size());
  where->copyOut(records.data(), statusAddress(), int64_t(records.size() * sizeof(momrt_status)));
  try {
    throwReported(table(), records.data());
  } catch (...) {
    clearStatus();
    throw;
  }
}

void Session::clearStatus() {
  Buffer &buffer = spaces[MOMRT_SPACE_STATUS];
  where->fill(buffer.data(), 0, buffer.bytes());
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

int64_t Session::outputElements(const momrt_output &output) const {
  return (output.kind == MOMRT_OUTPUT_ROWS ? trueCounts[output.count] : 1) * output.channels;
}

const char *Session::addressOf(const momrt_output &output) const {
  size_t at = size_t(&output - table().outputs().begin());
  for (const momrt_entry &entry : table().entries())
    if (at - entry.outputs.offset < entry.outputs.count && !hasRun[numberOf(entry)])
      fail(MOMRT_BAD_ARGUMENT, "output '{}' is read, but entry '{}' has not run with this batch",
           table().string(output.name), table().string(entry.name));
  return resolve(output.where, addresses, capacities, 0);
}

void Session::readOutput(const momrt_output &output, void *to) {
  where->copyOut(to, addressOf(output), outputElements(output) * typeBytes(output.type));
}

void Session::readOutputFloats(const momrt_output &output, float *to) {
  int64_t elements = outputElements(output);
  std::vector<char> bytes(size_t(elements * typeBytes(output.type)));
  readOutput(output, bytes.data());
  toFloats(output.type, bytes.data(), elements, to);
}

void Session::copyRows(const momrt_output &output, int64_t first, int64_t count, void *to) {
  int64_t row = output.channels * typeBytes(output.type);
  where->copyWithin(to, addressOf(output) + first * row, count * row);
}

const char *Session::addressOf(const momrt_input &input) const {
  return addresses.inputs[size_t(&input - table().inputs().begin())];
}

std::vector<float> Session::readFloats(const std::string &entry, momrt_output_kind kind,
                                       const std::string &name) {
  const momrt_output *output = table().findOutput(table().entry(entry), kind, name);
  if (!output || output->type != MOMRT_F32)
    return {};
  std::vector<float> values(outputElements(*output));
  readOutput(*output, values.data());
  return values;
}

} // namespace momrt
