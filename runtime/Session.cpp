#include "runtime/Session.h"
#include "runtime/Cpu.h"
#include "runtime/Cuda.h"
#include "runtime/Error.h"
#include <algorithm>

namespace momrt {

static std::unique_ptr<Device> makeDevice(const Program &program, const SessionOptions &options) {
  if (program.onGpu())
    return makeCuda(program, options.gpu);
  return std::make_unique<Cpu>(program, options.threads);
}

Session::Session(std::shared_ptr<const Program> given, const SessionOptions &options)
    : program(std::move(given)), device(makeDevice(*program, options)), options(options),
      layout(program->table) {
  inputs.resize(table().inputs().size());
  inputIsSet.resize(inputs.size());
  addresses.slots.resize(table().slots().size());
  addresses.inputs.resize(inputs.size());
  place(MOMRT_SPACE_PARAMETERS, layout.elements() * 4);
  place(MOMRT_SPACE_HYPER, MOMRT_HYPERS * 4);
  place(MOMRT_SPACE_COUNTS, MOMRT_COUNTS * 8);
  place(MOMRT_SPACE_STATUS, std::max<int64_t>(table().ops().size(), 1) * sizeof(momrt_status));
  setBatch(Batch({0, 0, 0, {}, {}}, table().groups()));
}

Session::~Session() = default;

/// Makes a buffer hold at least so many bytes. Recorded walks stay valid as
/// long as no buffer moves, so buffers never shrink.
void Session::grow(Buffer &buffer, int64_t bytes) {
  bytes = std::max<int64_t>(bytes, MOMRT_ALIGNMENT);
  if (buffer.bytes() >= bytes)
    return;
  device->forgetRecords();
  buffer = Buffer(); // first, so that both need not fit
  buffer = Buffer(*device, bytes);
}

void Session::place(momrt_space which, int64_t bytes) {
  grow(spaces[which], bytes);
  addresses.base[which] = spaces[which].data();
}

Buffer &Session::space(momrt_space which) {
  if (!spaces[which].data())
    place(which, layout.elements() * 4);
  return spaces[which];
}

void Session::initialise(uint64_t seed) {
  std::vector<float> values(layout.elements());
  for (const Parameter &parameter : layout.all())
    momrt::initialise(parameter, seed, values.data() + parameter.offset);
  writeSpace(MOMRT_SPACE_PARAMETERS, values);
  for (momrt_space which : {MOMRT_SPACE_GRADIENTS, MOMRT_SPACE_MOMENT1, MOMRT_SPACE_MOMENT2})
    if (spaces[which].data())
      device->fill(spaces[which].data(), 0, spaces[which].bytes());
}

std::vector<float> Session::readSpace(momrt_space which) {
  std::vector<float> values(layout.elements());
  device->copyOut(values.data(), space(which).data(), layout.elements() * 4);
  return values;
}

void Session::writeSpace(momrt_space which, const std::vector<float> &values) {
  device->copyIn(space(which).data(), values.data(), layout.elements() * 4);
}

void Session::read(momrt_space which, const Parameter &parameter, float *values) {
  device->copyOut(values, space(which).data() + parameter.offset * 4, parameter.size * 4);
}

void Session::write(momrt_space which, const Parameter &parameter, const float *values) {
  device->copyIn(space(which).data() + parameter.offset * 4, values, parameter.size * 4);
}

void Session::setBatch(const Batch &batch) {
  trueCounts = batch.counts();
  planFor(capacitiesOf(trueCounts));
  // Zeros after the last: what a kernel loads beyond it, as a part of a whole
  // vector, is then a valid index.
  auto copy = [&](momrt_space which, const auto &values, int64_t capacity) {
    int64_t element = sizeof(values[0]), bytes = int64_t(values.size()) * element;
    device->copyIn(spaces[which].data(), values.data(), bytes);
    device->fill(spaces[which].data() + bytes, 0, capacity * element - bytes);
  };
  int64_t tokens = capacities[MOMRT_COUNT_TOKEN];
  copy(MOMRT_SPACE_COUNTS, trueCounts, MOMRT_COUNTS);
  copy(MOMRT_SPACE_SEGMENTS, batch.description.segments, capacities[MOMRT_COUNT_SEGMENT]);
  copy(MOMRT_SPACE_MODALITY, batch.description.modality, tokens);
  copy(MOMRT_SPACE_ROUTE_OFFSETS, batch.route.offsets, table().groups() + 1);
  copy(MOMRT_SPACE_ROUTE_ROW, batch.route.row, tokens);
  copy(MOMRT_SPACE_ROUTE_POSITION, batch.route.position, tokens);
  if (options.poison)
    device->fill(arena.data(), 0xff, arena.bytes()); // f32 0xffffffff is a NaN
  std::fill(inputIsSet.begin(), inputIsSet.end(), false);
  for (const BatchInput &input : batch.inputs)
    setInput(input.name, input.type, input.rows, input.channels, input.bytes.data());
}

/// Places the slots and makes room for a batch, if its shape class is another
/// than the last one's.
void Session::planFor(const Counts &shape) {
  if (shape == capacities)
    return;
  capacities = {}; // until all buffers are there
  ArenaPlan plan = planArena(table(), shape);
  grow(arena, plan.bytes);
  for (size_t at = 0; at < plan.offsets.size(); ++at)
    addresses.slots[at] = arena.data() + plan.offsets[at];
  // Batch arrays have the capacity's size: kernels may load whole vectors.
  place(MOMRT_SPACE_SEGMENTS, shape[MOMRT_COUNT_SEGMENT] * sizeof(momrt_segment));
  for (momrt_space which :
       {MOMRT_SPACE_MODALITY, MOMRT_SPACE_ROUTE_ROW, MOMRT_SPACE_ROUTE_POSITION})
    place(which, shape[MOMRT_COUNT_TOKEN] * 4);
  place(MOMRT_SPACE_ROUTE_OFFSETS, (table().groups() + 1) * 8);
  for (size_t at = 0; at < inputs.size(); ++at) {
    const momrt_input &input = table().inputs()[at];
    grow(inputs[at], alignUp(shape[input.count] * input.channels * typeBytes(input.type)));
    addresses.inputs[at] = inputs[at].data();
  }
  entryChecked.assign(table().entries().size(), false);
  capacities = shape;
}

void Session::setInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                       const void *data) {
  bool known = false;
  for (size_t at = 0; at < inputs.size(); ++at) {
    const momrt_input &input = table().inputs()[at];
    if (name != table().string(input.name))
      continue;
    known = true;
    if (type != input.type || channels != input.channels)
      fail(MOMRT_BAD_ARGUMENT, "expected input '{}' to be {} with {} channels but got {} with {}",
           name, typeName(input.type), input.channels, typeName(type), channels);
    if (rows != trueCounts[input.count])
      fail(MOMRT_BAD_ARGUMENT, "expected {} rows of input '{}' but got {}", trueCounts[input.count],
           name, rows);
    int64_t bytes = rows * channels * typeBytes(type);
    int64_t capacity = capacities[input.count] * channels * typeBytes(type);
    device->copyIn(inputs[at].data(), data, bytes);
    device->fill(inputs[at].data() + bytes, 0, capacity - bytes);
    inputIsSet[at] = true;
  }
  if (!known)
    fail(MOMRT_BAD_ARGUMENT, "model '{}' has no input '{}'", table().model(), name);
}

void Session::setHypers(const Hypers &hypers) {
  device->copyIn(spaces[MOMRT_SPACE_HYPER].data(), hypers.data(), sizeof hypers);
}

int64_t Session::sizeOf(const momrt_arg &arg) const {
  if (arg.space == MOMRT_SPACE_ARENA)
    return bytesOf(table().slots()[arg.index], capacities);
  if (arg.space == MOMRT_SPACE_INPUT)
    return inputs[arg.index].bytes();
  return spaces[arg.space].bytes();
}

/// Makes the spaces that the entry is the first to use. Gradients and moments
/// of a model that is only read need no memory.
void Session::allocateFor(const momrt_entry &entry) {
  for (const momrt_op &op : table().ops().slice(entry.ops))
    if (op.kind == MOMRT_OP_LAUNCH)
      for (const momrt_arg &arg : table().argsOf(op))
        if (arg.space >= MOMRT_SPACE_PARAMETERS && arg.space <= MOMRT_SPACE_MOMENT2)
          space(momrt_space(arg.space));
  for (const momrt_output &output : table().outputsOf(entry))
    if (output.where.space >= MOMRT_SPACE_PARAMETERS && output.where.space <= MOMRT_SPACE_MOMENT2)
      space(momrt_space(output.where.space));
}

void Session::checkEntry(const momrt_entry &entry, size_t index) {
  for (uint64_t at = entry.inputs.offset; at < entry.inputs.offset + entry.inputs.count; ++at)
    if (!inputIsSet[at])
      fail(MOMRT_BAD_ARGUMENT, "entry '{}' reads input '{}', which is not set for this batch",
           table().string(entry.name), table().string(table().inputs()[at].name));
  if (entryChecked[index])
    return;
  allocateFor(entry);
  checkRecipes(table(), entry, capacities, [&](const momrt_arg &arg) { return sizeOf(arg); });
  for (const momrt_output &output : table().outputsOf(entry)) {
    int64_t bytes = capacities[output.count] * output.channels * typeBytes(output.type);
    if (output.where.offset > sizeOf(output.where) - bytes)
      fail(MOMRT_BAD_TABLE, "damaged launch table: output '{}' has {} bytes in a buffer of {}",
           table().string(output.name), bytes, sizeOf(output.where));
  }
  entryChecked[index] = true;
}

void Session::run(const std::string &name) {
  const momrt_entry &entry = table().entry(name);
  size_t index = &entry - table().entries().begin();
  checkEntry(entry, index);
  device->execute({index, capacities},
                  [&] { walk(table(), entry, capacities, addresses, *device); });
}

void Session::checkStatus() {
  Buffer &buffer = spaces[MOMRT_SPACE_STATUS];
  std::vector<momrt_status> records(table().ops().size());
  int64_t bytes = records.size() * sizeof(momrt_status);
  device->copyOut(records.data(), buffer.data(), bytes);
  auto found = std::find_if(records.begin(), records.end(), [](const momrt_status &status) {
    return status.code != MOMRT_ERROR_NONE;
  });
  if (found == records.end())
    return;
  device->fill(buffer.data(), 0, bytes);
  const momrt_status &status = *found;
  const momrt_op &op = table().ops()[found - records.begin()];
  std::string where = "of an unknown kernel";
  if (op.kind == MOMRT_OP_LAUNCH)
    where = fmt::format("of kernel '{}' ({})", table().string(table().kernels()[op.kernel].name),
                        table().string(op.source));
  switch (status.code) {
  case MOMRT_ERROR_INDEX:
    fail(MOMRT_BAD_VALUE, "index {} is out of range in row {} {}", status.value, status.row, where);
  case MOMRT_ERROR_NOT_FINITE:
    fail(MOMRT_BAD_VALUE, "a value is not finite in row {} {}", status.row, where);
  default:
    fail(MOMRT_BAD_VALUE, "error {} with value {} in row {} {}", status.code, status.value,
         status.row, where);
  }
}

int64_t Session::outputElements(const momrt_output &output) const {
  return (output.kind == MOMRT_OUTPUT_ROWS ? trueCounts[output.count] : 1) * output.channels;
}

void Session::readOutput(const momrt_output &output, void *to) {
  const char *from = resolve(output.where, addresses, capacities, 0);
  device->copyOut(to, from, outputElements(output) * typeBytes(output.type));
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
