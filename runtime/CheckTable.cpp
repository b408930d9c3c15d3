// Checks a launch table before anything follows its offsets: a damaged table
// is an error that names the place, never a crash.
#include "runtime/Error.h"
#include "runtime/Table.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace momrt {
namespace {

/// Checks in the order of the header; each field is used once it is checked.
class Checker {
public:
  explicit Checker(const momrt_table *table) : table(table) {}

  void checkHeader();
  void checkStrings();
  void checkTraining();
  void checkContents(const Table &view);

private:
  template <typename... Args>
  void require(bool holds, fmt::format_string<Args...> text, Args &&...args) const {
    if (!holds)
      fail(MOMRT_BAD_TABLE, "damaged launch table: {}",
           fmt::format(text, std::forward<Args>(args)...));
  }

  void checkRange(const momrt_range &range, size_t element, const char *what) const;
  void checkString(uint64_t offset, const char *what, size_t at) const;
  void checkIndices(const momrt_range &range, size_t count, const char *what, size_t entry) const;
  void checkParameters(const Table &view) const;
  void checkParameter(const Table &view, const momrt_parameter &parameter, size_t at) const;
  void checkArg(const momrt_arg &arg, const char *what, size_t at) const;
  void checkOps(const Table &view) const;
  void checkKernels(const Table &view) const;
  void checkEntries(const Table &view) const;
  void checkInputsAndOutputs(const Table &view) const;

  const momrt_table *table;
};

void Checker::checkRange(const momrt_range &range, size_t element, const char *what) const {
  uint64_t bytes = table->bytes;
  require(range.count <= bytes / element && range.offset <= bytes &&
              range.count * element <= bytes - range.offset,
          "{} lie at {} + {} x {} bytes, outside its {} bytes", what, range.offset, range.count,
          element, bytes);
  require(element % 8 || range.offset % 8 == 0, "{} lie at {}, which is not a multiple of 8", what,
          range.offset);
}

void Checker::checkHeader() {
  if (!table)
    fail(MOMRT_BAD_TABLE, "the program has no launch table");
  require(reinterpret_cast<uintptr_t>(table) % 8 == 0, "it is not aligned to 8 bytes");
  require(table->magic == MOMRT_TABLE_MAGIC, "expected the magic number {:#x} but got {:#x}",
          MOMRT_TABLE_MAGIC, table->magic);
  if (table->version != MOMRT_TABLE_VERSION)
    fail(MOMRT_BAD_TABLE,
         "the program has launch table version {}, but this runtime reads version {}; compile "
         "the model again",
         table->version, MOMRT_TABLE_VERSION);
  require(table->bytes >= sizeof(momrt_table), "it has {} bytes, fewer than its header's {}",
          table->bytes, sizeof(momrt_table));
}

void Checker::checkStrings() {
  checkRange(table->strings, 1, "strings");
  const char *text = reinterpret_cast<const char *>(table) + table->strings.offset;
  require(table->strings.count && !text[table->strings.count - 1], "its strings do not end");
  checkString(table->name, "the model's name", 0);
  checkString(table->digest, "the digest", 0);
}

void Checker::checkString(uint64_t offset, const char *what, size_t at) const {
  require(offset < table->strings.count, "{} {} names text at {}, outside {} bytes of strings",
          what, at, offset, table->strings.count);
}

void Checker::checkIndices(const momrt_range &range, size_t count, const char *what,
                           size_t entry) const {
  require(range.offset <= count && range.count <= count - range.offset,
          "entry {} has {} {} from {}, but there are {}", entry, range.count, what, range.offset,
          count);
}

void Checker::checkTraining() {
  require(table->batch_streams >= 0 && table->batch_length >= 0 &&
              table->batch_streams <= INT32_MAX && table->batch_length <= INT32_MAX,
          "the batch of training is {} by {}", table->batch_streams, table->batch_length);
  require(table->windows >= 0 && table->windows <= INT16_MAX, "it splits tokens into {} windows",
          table->windows);
  require(table->beta1 >= 0 && table->beta1 < 1 && table->beta2 >= 0 && table->beta2 < 1,
          "betas are {} and {}, outside [0, 1)", table->beta1, table->beta2);
  require(table->accumulate >= 1 && table->accumulate <= INT32_MAX, "a step has {} batches",
          table->accumulate);
  require(table->eps >= 0 && table->clip >= 0, "eps is {} and clip {}, but neither may be negative",
          table->eps, table->clip);
  for (uint32_t type :
       {table->parameter_type, table->gradient_type, table->moment_type, table->copy_type})
    require(type <= MOMRT_F16, "parameters or what belongs to them are of type {}", typeName(type));
}

void Checker::checkContents(const Table &view) {
  checkRange(table->settings, sizeof(momrt_setting), "settings");
  checkRange(table->modalities, sizeof(uint64_t), "modalities");
  checkRange(table->parameters, sizeof(momrt_parameter), "parameters");
  checkRange(table->slots, sizeof(momrt_slot), "slots");
  checkRange(table->states, sizeof(momrt_slot), "states");
  checkRange(table->kernels, sizeof(momrt_kernel), "kernels");
  checkRange(table->args, sizeof(momrt_arg), "args");
  checkRange(table->ops, sizeof(momrt_op), "ops");
  checkRange(table->inputs, sizeof(momrt_input), "inputs");
  checkRange(table->outputs, sizeof(momrt_output), "outputs");
  checkRange(table->entries, sizeof(momrt_entry), "entries");
  checkRange(table->rates, sizeof(momrt_rate), "rates");

  for (size_t at = 0; at < view.settings().size(); ++at)
    checkString(view.settings()[at].name, "setting", at);
  const char *base = reinterpret_cast<const char *>(table);
  auto *names = reinterpret_cast<const uint64_t *>(base + table->modalities.offset);
  for (size_t at = 0; at < table->modalities.count; ++at)
    checkString(names[at], "modality", at);
  for (size_t at = 0; at < view.slots().size(); ++at)
    for (int64_t bytes : view.slots()[at].bytes)
      require(bytes >= 0, "slot {} has {} bytes a row", at, bytes);
  for (size_t at = 0; at < view.states().size(); ++at)
    for (int count = 0; count < MOMRT_COUNTS; ++count) {
      int64_t bytes = view.states()[at].bytes[count];
      require(count == MOMRT_COUNT_STREAM ? bytes >= 0 : bytes == 0,
              "state {} has {} bytes for count {}", at, bytes, count);
    }
  for (size_t at = 0; at < view.rates().size(); ++at) {
    const momrt_rate &rate = view.rates()[at];
    bool last = at + 1 == view.rates().size();
    require(rate.kind <= MOMRT_RATE_CONSTANT, "rate {} is of kind {}", at, rate.kind);
    require((rate.steps > 0 && rate.steps <= INT64_C(1) << 53) || (rate.steps == 0 && last),
            "rate {} takes {} steps", at, rate.steps);
    require(std::isfinite(rate.from) && std::isfinite(rate.to), "rate {} is not finite", at);
    require(rate.kind != MOMRT_RATE_WARMUP ||
                (!last && view.rates()[at + 1].kind != MOMRT_RATE_WARMUP),
            "rate {} is a warmup, but no rate follows that it could lead to", at);
  }
  checkParameters(view);
  checkKernels(view);
  for (size_t at = 0; at < view.args().size(); ++at)
    checkArg(view.args()[at], "arg", at);
  checkOps(view);
  checkInputsAndOutputs(view);
  checkEntries(view);
}

void Checker::checkParameter(const Table &view, const momrt_parameter &parameter, size_t at) const {
  checkString(parameter.name, "parameter", at);
  const char *name = view.string(parameter.name);
  require(parameter.rank >= 0 && parameter.rank <= 4, "parameter '{}' has rank {}", name,
          parameter.rank);
  int64_t elements = 1;
  for (int64_t axis = 0; axis < parameter.rank; ++axis)
    require(parameter.shape[axis] > 0 &&
                !__builtin_mul_overflow(elements, parameter.shape[axis], &elements),
            "parameter '{}' has size {} on axis {}", name, parameter.shape[axis], axis);
  require(elements == parameter.size, "parameter '{}' has {} elements but a shape of {}", name,
          parameter.size, elements);
  int64_t all = 0, end = 0;
  require(parameter.repeat >= 1 &&
              !__builtin_mul_overflow(parameter.size, parameter.repeat, &all) &&
              parameter.offset >= 0 && !__builtin_add_overflow(parameter.offset, all, &end) &&
              end <= table->parameter_elements,
          "parameter '{}' lies at {} + {} x {} elements, outside {}", name, parameter.offset,
          parameter.size, parameter.repeat, table->parameter_elements);
  require(parameter.offset * 4 % MOMRT_ALIGNMENT == 0,
          "parameter '{}' lies at element {}, which is not aligned to {} bytes", name,
          parameter.offset, MOMRT_ALIGNMENT);
  bool indexed = std::strstr(name, "{}") != nullptr;
  require(indexed == (parameter.indexed != 0), "parameter '{}' is marked as {}indexed", name,
          indexed ? "not " : "");
  require(indexed || parameter.repeat == 1, "the {} copies of parameter '{}' share one name",
          parameter.repeat, name);
  double a = parameter.a, b = parameter.b;
  bool good = std::isfinite(a) && std::isfinite(b);
  switch (parameter.init) {
  case MOMRT_INIT_CONSTANT:
    break;
  case MOMRT_INIT_UNIFORM:
    good &= a <= b;
    break;
  case MOMRT_INIT_NORMAL:
    good &= b >= 0;
    break;
  case MOMRT_INIT_LOG_IOTA:
    good &= a > 0;
    break;
  case MOMRT_INIT_DT:
    good &= a > 0 && a <= b;
    break;
  default:
    good = false;
  }
  require(good, "parameter '{}' has initial values of kind {} with arguments {} and {}", name,
          parameter.init, a, b);
}

void Checker::checkParameters(const Table &view) const {
  require(table->parameter_elements >= 0 && table->parameter_elements <= INT64_MAX / 16,
          "it has {} parameter elements", table->parameter_elements);
  std::vector<const momrt_parameter *> order;
  for (size_t at = 0; at < view.parameters().size(); ++at) {
    checkParameter(view, view.parameters()[at], at);
    order.push_back(&view.parameters()[at]);
  }
  std::sort(order.begin(), order.end(), [](auto *a, auto *b) { return a->offset < b->offset; });
  for (size_t at = 1; at < order.size(); ++at)
    require(order[at - 1]->offset + order[at - 1]->size * order[at - 1]->repeat <=
                order[at]->offset,
            "parameters '{}' and '{}' overlap", view.string(order[at - 1]->name),
            view.string(order[at]->name));
}

void Checker::checkKernels(const Table &view) const {
  for (size_t at = 0; at < view.kernels().size(); ++at) {
    const momrt_kernel &kernel = view.kernels()[at];
    checkString(kernel.name, "kernel", at);
    require(kernel.scratch >= 0 && kernel.scratch <= INT64_MAX / 2,
            "kernel {} wants {} bytes of scratch", at, kernel.scratch);
    checkRange(kernel.cubin, 1, "cubin bytes of a kernel");
    checkRange(kernel.ptx, 1, "ptx bytes of a kernel");
    require(kernel.threads >= 0 && kernel.threads <= 1024, "kernel {} has blocks of {} threads", at,
            kernel.threads);
    require(kernel.shared_bytes >= 0 && kernel.shared_bytes <= INT32_MAX,
            "kernel {} wants {} bytes of shared memory", at, kernel.shared_bytes);
    require(!table->target || kernel.threads > 0, "kernel {} of a GPU program has no threads", at);
  }
}

void Checker::checkArg(const momrt_arg &arg, const char *what, size_t at) const {
  require(arg.space < MOMRT_SPACES, "{} {} is in space {}", what, at, arg.space);
  uint64_t limit = arg.space == MOMRT_SPACE_ARENA    ? table->slots.count
                   : arg.space == MOMRT_SPACE_INPUT  ? table->inputs.count
                   : isState(arg.space)              ? table->states.count
                                                     : UINT64_MAX;
  require(arg.index < limit, "{} {} has index {}, but there are {}", what, at, arg.index, limit);
  require(arg.offset >= 0 && arg.modulus >= 0 && arg.modulus <= INT32_MAX &&
              arg.phase >= -INT64_C(0x7fffffff) && arg.phase <= INT32_MAX,
          "{} {} has offset {}, phase {} and modulus {}", what, at, arg.offset, arg.phase,
          arg.modulus);
  for (int64_t bytes : arg.stride.bytes)
    require(bytes >= 0, "{} {} has a stride of {} bytes", what, at, bytes);
}

void Checker::checkOps(const Table &view) const {
  for (size_t at = 0; at < view.ops().size(); ++at) {
    const momrt_op &op = view.ops()[at];
    checkString(op.source, "op", at);
    require(op.kind <= MOMRT_OP_END, "op {} is of kind {}", at, op.kind);
    if (op.kind == MOMRT_OP_REPEAT)
      require(op.rounds >= 0 && op.rounds <= INT32_MAX, "op {} repeats {} times", at, op.rounds);
    if (op.kind != MOMRT_OP_LAUNCH)
      continue;
    require(op.kernel < table->kernels.count, "op {} launches kernel {} of {}", at, op.kernel,
            table->kernels.count);
    require(op.args <= table->args.count && op.arg_count <= table->args.count - op.args,
            "op {} has {} args from {}, but there are {}", at, op.arg_count, op.args,
            table->args.count);
    require(op.grid_count < MOMRT_COUNTS && op.grid_tile >= 1 && op.grid_extra >= 0 &&
                op.grid_extra <= INT32_MAX && op.grid_factor >= 0 && op.grid_factor <= INT32_MAX &&
                (op.grid_segments == 0 || op.grid_segments == 1) && op.grid_above >= 0,
            "op {} has a grid of (ceil(count {} / {}) + {} segments + {}) * {} above {}", at,
            op.grid_count, op.grid_tile, op.grid_segments, op.grid_extra, op.grid_factor,
            op.grid_above);
  }
}

void Checker::checkInputsAndOutputs(const Table &view) const {
  for (size_t at = 0; at < view.inputs().size(); ++at) {
    const momrt_input &input = view.inputs()[at];
    checkString(input.name, "input", at);
    require(typeBytes(input.type) && input.count < MOMRT_COUNTS && input.channels >= 1 &&
                input.channels <= INT32_MAX && input.limit >= 0,
            "input {} has type {}, count {}, {} channels and limit {}", at, input.type, input.count,
            input.channels, input.limit);
    require(input.draw <= MOMRT_DRAW_UNIFORM && input.only <= table->modalities.count,
            "input {} is drawn in way {} for modality {}", at, input.draw, input.only);
  }
  for (size_t at = 0; at < view.outputs().size(); ++at) {
    const momrt_output &output = view.outputs()[at];
    checkString(output.name, "output", at);
    require(output.kind <= MOMRT_OUTPUT_TENSOR && typeBytes(output.type) &&
                output.count < MOMRT_COUNTS && output.channels >= 1 &&
                output.channels <= INT64_C(1) << 40,
            "output {} has kind {}, type {}, count {} and {} channels", at, output.kind,
            output.type, output.count, output.channels);
    require(output.kind == MOMRT_OUTPUT_ROWS || output.count == MOMRT_COUNT_ONE,
            "output {} has rows but is of kind {}", at, output.kind);
    require(output.kind > MOMRT_OUTPUT_COUNT || output.type == MOMRT_F32,
            "output {} is a loss or a metric of type {}", at, typeName(output.type));
    checkArg(output.where, "output", at);
  }
}

void Checker::checkEntries(const Table &view) const {
  for (size_t at = 0; at < view.entries().size(); ++at) {
    const momrt_entry &entry = view.entries()[at];
    checkString(entry.name, "entry", at);
    checkIndices(entry.ops, table->ops.count, "ops", at);
    checkIndices(entry.inputs, table->inputs.count, "inputs", at);
    checkIndices(entry.outputs, table->outputs.count, "outputs", at);
    int depth = 0;
    for (const momrt_op &op : view.ops().slice(entry.ops)) {
      depth += op.kind == MOMRT_OP_REPEAT ? 1 : op.kind == MOMRT_OP_END ? -1 : 0;
      require(depth >= 0 && depth <= kDeepestRepeat, "repetitions of entry '{}' nest {} deep",
              view.string(entry.name), depth);
      if (op.kind != MOMRT_OP_LAUNCH)
        continue;
      for (const momrt_arg &arg : view.argsOf(op))
        require(arg.space != MOMRT_SPACE_INPUT ||
                    (arg.index >= entry.inputs.offset &&
                     arg.index - entry.inputs.offset < entry.inputs.count),
                "entry '{}' reads input {}, which is not its own", view.string(entry.name),
                arg.index);
    }
    require(depth == 0, "a repetition of entry '{}' does not end", view.string(entry.name));
  }
}

} // namespace

Table::Table(const momrt_table *checked) : table(checked) {
  Checker checker(table);
  checker.checkHeader();
  checker.checkStrings();
  strings = view<char>(table->strings);
  checker.checkTraining();
  checker.checkContents(*this);
}

} // namespace momrt
