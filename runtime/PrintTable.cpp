#include "runtime/PrintTable.h"
#include "runtime/Error.h"
#include "runtime/Table.h"
#include <iterator>

namespace momrt {
namespace {

constexpr const char *kCounts[] = {"",          "tokens",   "streams",
                                   "documents", "segments", "window"};
static_assert(std::size(kCounts) == MOMRT_COUNTS);
constexpr const char *kSpaces[] = {"arena",    "parameters", "gradients",  "moment1",  "moment2",
                                   "copies",   "sums",       "hyper",      "counts",   "segments",
                                   "modality", "offsets",    "row",        "position", "input",
                                   "status",   "states",     "next states"};
static_assert(std::size(kSpaces) == MOMRT_SPACES);
constexpr const char *kInits[] = {"constant", "uniform", "normal", "log_iota", "dt"};
constexpr const char *kDraws[] = {"", "normal", "uniform"};
constexpr const char *kOutputs[] = {"loss", "sum", "count", "rows", "tensor"};
constexpr const char *kRates[] = {"warmup", "cosine", "constant"};

class Printer {
public:
  explicit Printer(const momrt_table &given) : table(&given), header(given) {}
  std::string print();

private:
  template <typename... Args> void line(fmt::format_string<Args...> text, Args &&...args) {
    out.append(2 * indent, ' ');
    fmt::format_to(std::back_inserter(out), text, std::forward<Args>(args)...);
    out += '\n';
  }
  const char *name(uint64_t offset) const { return table.string(offset); }
  std::string bytes(const momrt_slot &slot) const;
  std::string recipe(const momrt_arg &arg) const;
  std::string grid(const momrt_op &op) const;
  void printTraining();
  void printParameters();
  void printBuffers();
  void printEntry(const momrt_entry &entry);

  const Table table;
  const momrt_table &header;
  std::string out;
  size_t indent = 0;
};

/// "1024 * tokens + 64"
std::string Printer::bytes(const momrt_slot &slot) const {
  std::string text;
  for (int count = MOMRT_COUNTS - 1; count >= 0; --count) {
    if (!slot.bytes[count])
      continue;
    text += fmt::format("{}{}", text.empty() ? "" : " + ", slot.bytes[count]);
    if (count != MOMRT_COUNT_ONE)
      text += fmt::format(" * {}", kCounts[count]);
  }
  return text.empty() ? "0" : text;
}

/// "%3", "parameters + 4096", "%3 + (1024 * tokens) * ((round - 1) mod 4)"
std::string Printer::recipe(const momrt_arg &arg) const {
  std::string text = kSpaces[arg.space];
  if (arg.space == MOMRT_SPACE_ARENA)
    text = fmt::format("%{}", arg.index);
  if (arg.space == MOMRT_SPACE_INPUT)
    text = fmt::format("input {}", name(table.inputs()[arg.index].name));
  if (isState(arg.space))
    text = fmt::format("{}state {}", arg.space == MOMRT_SPACE_STATES ? "" : "next ", arg.index);
  if (arg.offset && arg.space != MOMRT_SPACE_STATUS) // each launch has its own record
    text += fmt::format(" + {}", arg.offset);
  if (!arg.modulus)
    return text;
  std::string round = "round";
  if (arg.phase)
    round = fmt::format("(round {} {})", arg.phase < 0 ? '-' : '+',
                        arg.phase < 0 ? -arg.phase : arg.phase);
  return text + fmt::format(" + ({}) * ({} mod {})", bytes(arg.stride), round, arg.modulus);
}

std::string Printer::grid(const momrt_op &op) const {
  std::string text = op.grid_count ? kCounts[op.grid_count] : "1";
  if (op.grid_tile > 1)
    text = fmt::format("ceil({} / {})", text, op.grid_tile);
  if (op.grid_segments && op.grid_extra)
    text = fmt::format("({} + {} + {})", text, kCounts[MOMRT_COUNT_SEGMENT], op.grid_extra);
  else if (op.grid_segments)
    text = fmt::format("({} + {})", text, kCounts[MOMRT_COUNT_SEGMENT]);
  else if (op.grid_extra)
    text = fmt::format("({} + {})", text, op.grid_extra);
  if (op.grid_factor != 1)
    text = op.grid_count ? fmt::format("{} * {}", text, op.grid_factor)
                         : fmt::format("{}", (1 + op.grid_extra) * op.grid_factor);
  if (op.grid_above)
    text += fmt::format(" above {} {}", op.grid_above, kCounts[MOMRT_COUNT_TOKEN]);
  return text;
}

void Printer::printTraining() {
  std::string settings;
  for (const momrt_setting &setting : table.settings())
    settings +=
        fmt::format("{}{} = {}", settings.empty() ? "" : ", ", name(setting.name), setting.value);
  if (!settings.empty())
    line("settings {}", settings);
  if (header.modalities.count)
    line("modalities {}", fmt::join(table.modalities(), ", "));
  if (table.windows())
    line("{} windows of tokens", table.windows());
  if (!table.rates().size())
    return;
  std::string batches =
      header.accumulate > 1 ? fmt::format(", accumulate {}", header.accumulate) : "";
  line("batch {} by {}{}, betas ({}, {}), eps {}, clip {}", header.batch_streams,
       header.batch_length, batches, header.beta1, header.beta2, header.eps, header.clip);
  for (const momrt_rate &rate : table.rates()) {
    std::string steps = rate.steps ? fmt::format("{} steps", rate.steps) : "the rest";
    if (rate.kind == MOMRT_RATE_WARMUP)
      line("rate warmup, {}", steps);
    else if (rate.kind == MOMRT_RATE_COSINE)
      line("rate cosine {} -> {}, {}", rate.from, rate.to, steps);
    else
      line("rate {} {}, {}", kRates[rate.kind], rate.from, steps);
  }
}

void Printer::printParameters() {
  std::string types;
  if (header.parameter_type || header.gradient_type || header.moment_type || header.copy_type)
    types = fmt::format(" of {}, gradients {}, moments {}, copies {}",
                        typeName(header.parameter_type), typeName(header.gradient_type),
                        typeName(header.moment_type), typeName(header.copy_type));
  line("parameters: {} elements{}", header.parameter_elements, types);
  ++indent;
  for (const momrt_parameter &parameter : table.parameters()) {
    std::vector<int64_t> shape(parameter.shape, parameter.shape + parameter.rank);
    std::string times = parameter.repeat > 1 ? fmt::format(" x {}", parameter.repeat) : "";
    line("{}: f32[{}]{} at {} = {}({}, {}), decay {}", name(parameter.name), fmt::join(shape, ", "),
         times, parameter.offset, kInits[parameter.init], parameter.a, parameter.b,
         parameter.decay);
  }
  --indent;
}

void Printer::printBuffers() {
  line("arena: {} slots", table.slots().size());
  ++indent;
  for (size_t at = 0; at < table.slots().size(); ++at)
    line("%{}: {} bytes", at, bytes(table.slots()[at]));
  --indent;
  for (size_t at = 0; at < table.states().size(); ++at)
    line("state {}: {} bytes", at, bytes(table.states()[at]));
  line("kernels: {}", table.kernels().size());
  ++indent;
  for (const momrt_kernel &kernel : table.kernels()) {
    std::string facts =
        header.target ? fmt::format("{} threads, {} bytes shared, cubin {}, ptx {}", kernel.threads,
                                    kernel.shared_bytes, kernel.cubin.count, kernel.ptx.count)
                      : fmt::format("scratch {}", kernel.scratch);
    line("{}: {}", name(kernel.name), facts);
  }
  --indent;
}

void Printer::printEntry(const momrt_entry &entry) {
  line("entry {}", name(entry.name));
  ++indent;
  for (const momrt_input &input : table.inputsOf(entry)) {
    std::string limit = input.limit ? fmt::format(" below {}", input.limit) : "";
    std::string draw = input.draw ? fmt::format(" drawn {}", kDraws[input.draw]) : "";
    std::string only =
        input.only ? fmt::format(" of {} only", table.modalities()[input.only - 1]) : "";
    line("input {}: {}[{}{}{}]{}{}{}", name(input.name), typeName(input.type),
         kCounts[input.count], input.count ? ", " : "", input.channels, limit, draw, only);
  }
  for (const momrt_op &op : table.ops().slice(entry.ops)) {
    if (op.kind == MOMRT_OP_REPEAT) {
      line("repeat {}{} {{", op.rounds, op.reverse ? " reverse" : "");
      ++indent;
    } else if (op.kind == MOMRT_OP_END) {
      --indent;
      line("}}");
    } else {
      std::string args;
      for (const momrt_arg &arg : table.argsOf(op))
        args += (args.empty() ? "" : ", ") + recipe(arg);
      line("{} <{}> ({})  // {}: {}", name(table.kernels()[op.kernel].name), grid(op), args,
           &op - table.ops().begin(), name(op.source));
    }
  }
  for (const momrt_output &output : table.outputsOf(entry))
    line("{} {}: {}[{}{}{}] = {}", kOutputs[output.kind], name(output.name), typeName(output.type),
         kCounts[output.count], output.count ? ", " : "", output.channels, recipe(output.where));
  --indent;
}

std::string Printer::print() {
  std::string target = header.target ? fmt::format("sm_{}", header.target) : "cpu";
  line("model {}, launch table version {}, target {}, {} bytes, digest {}", table.model(),
       header.version, target, header.bytes, table.digest());
  printTraining();
  printParameters();
  printBuffers();
  for (const momrt_entry &entry : table.entries())
    printEntry(entry);
  return std::move(out);
}

} // namespace

std::string printTable(const momrt_table &table) noexcept {
  try {
    return Printer(table).print();
  } catch (...) {
    return currentError().second + "\n";
  }
}

} // namespace momrt
