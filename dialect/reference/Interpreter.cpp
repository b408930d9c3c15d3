// The reference interpreter: running function bodies, repetition and kernels.
// The loops of the ops are in the files beside this one.
#include "dialect/reference/Interpreter.h"
#include "dialect/reference/Frame.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mom;
using namespace mom::reference;
using Values = SmallVector<reference::Value>;

// Deeper than any program nests its layers; only a function that calls itself
// gets here.
static constexpr unsigned kDeepest = 64;

static FailureOr<Values> run(func::FuncOp func, ArrayRef<const reference::Value *> arguments,
                             function_ref<bool(unsigned)> wanted, Running how);

//===----------------------------------------------------------------------===//
// Repetition
//===----------------------------------------------------------------------===//

static func::FuncOp calleeOf(Operation *op, FlatSymbolRefAttr name) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, name);
  if (!callee)
    op->emitOpError() << "callee " << name << " is not a function";
  return callee;
}

static bool always(unsigned) { return true; }

/// Rows in `count` windows of one size, of which the last ones may be short or empty.
static Stack windowsOf(const Tensor &rows, int64_t count) {
  Stack stack;
  int64_t window = llvm::divideCeil(rows.rows(), count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t begin = std::min(i * window, rows.rows()), end = std::min(begin + window, rows.rows());
    Tensor part = Tensor::zeros({end - begin, rows.channels()});
    std::copy(rows.row(begin), rows.row(end), part.data.begin());
    stack.values.emplace_back(std::move(part));
  }
  return stack;
}

static Tensor joinWindows(const Stack &stack) {
  Tensor rows = Tensor::zeros({0, stack.values.front().tensor()->channels()});
  for (const reference::Value &value : stack.values) {
    rows.shape[0] += value.tensor()->rows();
    llvm::append_range(rows.data, value.tensor()->data);
  }
  return rows;
}

namespace {
/// What the three ops that repeat a function have in common: rounds with shared
/// operands, elements of stacks, and results of which some are stacked.
template <typename Op> struct Rounds {
  Op op;
  Frame &frame;
  func::FuncOp callee;
  std::vector<Stack> stacks; // one for each stacked result
  std::vector<Stack> windows; // of the `each` operands that are rows

  Rounds(Op op, Frame &frame, unsigned stacked)
      : op(op), frame(frame), callee(calleeOf(op, op.getCalleeAttr())), stacks(stacked) {
    for (Stack &stack : stacks)
      stack.values.resize(op.getCount());
    for (mlir::Value each : op.getEach())
      if (const Tensor *rows = frame.get(each).tensor())
        windows.push_back(windowsOf(*rows, op.getCount()));
  }

  /// Round `i`: carried..., shared..., each[i]..., then `more`. Results before
  /// `skip` are not wanted; of the rest, the first are carried and returned,
  /// the others stacked.
  FailureOr<Values> round(int64_t i, ArrayRef<reference::Value> carried,
                          ArrayRef<reference::Value> more = {}, unsigned skip = 0) {
    SmallVector<const reference::Value *> arguments;
    for (const reference::Value &value : carried)
      arguments.push_back(&value);
    for (mlir::Value shared : op.getShared())
      arguments.push_back(&frame.get(shared));
    auto window = windows.begin();
    for (mlir::Value each : op.getEach()) {
      const Stack *stack = frame.get(each).stack();
      arguments.push_back(&(stack ? *stack : *window++).values[i]);
    }
    for (const reference::Value &value : more)
      arguments.push_back(&value);
    unsigned returned = op.getOutputs().size() - stacks.size();
    auto wanted = [&](unsigned r) {
      return r >= skip && r < skip + returned + unsigned(stacks.size());
    };
    FailureOr<Values> results = run(callee, arguments, wanted, frame.how.deeper());
    if (failed(results))
      return failure();
    for (auto [s, stack] : llvm::enumerate(stacks))
      stack.values[i] = std::move((*results)[skip + returned + s]);
    return Values(std::make_move_iterator(results->begin() + skip),
                  std::make_move_iterator(results->begin() + skip + returned));
  }

  void finish(Values &carried) {
    unsigned index = 0;
    for (reference::Value &value : carried)
      frame.set(op.getOutputs()[index++], std::move(value));
    for (Stack &stack : stacks) {
      mlir::Value output = op.getOutputs()[index++];
      if (isa<StackType>(output.getType()))
        frame.set(output, std::move(stack));
      else
        frame.set(output, joinWindows(stack));
    }
  }
};
} // namespace

static Values copyOf(ValueRange names, const Frame &frame) {
  return Values(llvm::map_range(names, [&](mlir::Value v) { return frame.get(v); }));
}

static unsigned countStacks(ValueRange values) {
  return llvm::count_if(values, [](mlir::Value v) { return isa<StackType>(v.getType()); });
}

/// A callee whose signature does not fit the op would be read out of bounds.
template <typename Op>
static LogicalResult expectSignature(Rounds<Op> &rounds, unsigned arguments, unsigned results) {
  func::FuncOp callee = rounds.callee;
  if (!callee)
    return failure();
  if (callee.getNumArguments() == arguments && callee.getNumResults() >= results)
    return success();
  return rounds.op.emitOpError() << "expected a callee with " << arguments << " arguments and "
                                 << results << " results, but got " << callee.getNumArguments()
                                 << " and " << callee.getNumResults();
}

static LogicalResult evaluate(RepeatOp op, Frame &frame) {
  Rounds<RepeatOp> rounds(op, frame, op.getStackedResults().size());
  if (failed(expectSignature(rounds,
                             op.getCarried().size() + op.getShared().size() + op.getEach().size(),
                             op.getOutputs().size())))
    return failure();
  Values carried = copyOf(op.getCarried(), frame);
  int64_t count = op.getCount();
  for (int64_t i = 0; i < count; ++i) {
    FailureOr<Values> next = rounds.round(op.getReverse() ? count - 1 - i : i, carried);
    if (failed(next))
      return failure();
    carried = std::move(*next);
  }
  rounds.finish(carried);
  return success();
}

/// The forward half: the joint function, of which only the carried results are
/// wanted, so gradients are not read.
static LogicalResult evaluate(ForwardOp op, Frame &frame) {
  Rounds<ForwardOp> rounds(op, frame, 0);
  unsigned inputs = op.getCarried().size() + op.getShared().size() + op.getEach().size();
  if (failed(expectSignature(rounds, inputs + op.getOutputs().size(), op.getOutputs().size())))
    return failure();
  Values carried = copyOf(op.getCarried(), frame), noGradients(op.getOutputs().size());
  Tape tape;
  for (int64_t i = 0; i < int64_t(op.getCount()); ++i) {
    FailureOr<Values> next = rounds.round(i, carried, noGradients);
    if (failed(next))
      return failure();
    tape.rounds.emplace_back(std::make_move_iterator(carried.begin()),
                             std::make_move_iterator(carried.end()));
    carried = std::move(*next);
  }
  rounds.finish(carried);
  frame.set(op.getTape(), std::move(tape));
  return success();
}

/// The backward half: the joint function on the carried inputs of each round,
/// from the last round to the first. Its results are the carried ones, which
/// are not wanted, then the gradients that `op` returns.
static LogicalResult evaluate(BackwardOp op, Frame &frame) {
  const Tape *tape = frame.get(op.getTape()).tape();
  if (!tape || tape->rounds.size() != op.getCount())
    return op.emitOpError() << "expected a tape of " << op.getCount() << " rounds";
  Rounds<BackwardOp> rounds(op, frame, countStacks(op.getOutputs()));
  unsigned carried = tape->rounds.empty() ? 0 : tape->rounds.front().size();
  unsigned forward = op.getGradients().size();
  if (failed(expectSignature(rounds,
                             carried + op.getShared().size() + op.getEach().size() + forward,
                             forward + op.getOutputs().size())))
    return failure();
  Values gradients = copyOf(op.getGradients(), frame);
  for (int64_t i = op.getCount() - 1; i >= 0; --i) {
    FailureOr<Values> next = rounds.round(i, tape->rounds[i], gradients, forward);
    if (failed(next))
      return failure();
    gradients = std::move(*next);
  }
  rounds.finish(gradients);
  return success();
}

//===----------------------------------------------------------------------===//
// Calls and kernels
//===----------------------------------------------------------------------===//

static FailureOr<Values> runBlock(Block &block, ArrayRef<const reference::Value *> arguments,
                                  function_ref<bool(unsigned)> wanted, Running how);

static LogicalResult setResults(Operation *op, FailureOr<Values> results, Frame &frame) {
  if (failed(results))
    return failure();
  for (auto [name, value] : llvm::zip_equal(op->getResults(), *results))
    frame.set(name, std::move(value));
  return success();
}

static SmallVector<const reference::Value *> pointersTo(ValueRange names, const Frame &frame) {
  return llvm::map_to_vector(names, [&](mlir::Value v) { return &frame.get(v); });
}

static LogicalResult evaluate(func::CallOp op, Frame &frame) {
  func::FuncOp callee = calleeOf(op, op.getCalleeAttr());
  if (!callee)
    return failure();
  return setResults(op, run(callee, pointersTo(op.getOperands(), frame), always, frame.how.deeper()),
                    frame);
}

static LogicalResult evaluate(KernelOp op, Frame &frame) {
  return setResults(
      op,
      runBlock(op.getBody().front(), pointersTo(op.getInputs(), frame), always, frame.how.deeper()),
      frame);
}

// A route is the batch that it comes from.
static void evaluate(ModalityRouteOp op, Frame &frame) {
  frame.set(op.getRoute(), frame.get(op.getBatch()));
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

static LogicalResult runOp(Operation *op, Frame &frame) {
  for (mlir::Value operand : op->getOperands())
    if (std::holds_alternative<std::monostate>(frame.get(operand).held))
      return op->emitOpError() << "reads a value that has not been given";
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case<RepeatOp, ForwardOp, BackwardOp, KernelOp, func::CallOp>(
          [&](auto op) { return ::evaluate(op, frame); })
      .Case([&](ModalityRouteOp op) { return ::evaluate(op, frame), success(); })
      .Case<ModalityOp, ReorderOp, NextOp, PresentOp, EqualsOp, SpreadOp, CollectOp,
            OneHotOp, BroadcastOp, ReduceOp, ReduceRowsOp,
            RmsNormOp, RmsNormGradOp, SplitOp, ConcatOp, EmbeddingOp, EmbeddingGradOp, SoftmaxOp,
            PlanOp, ComputedRouteOp, DispatchOp, RetrieveOp, LinearOp,
            LinearWgradOp, Conv1dOp, Conv1dGradOp, ScanOp, ScanGradOp, CrossEntropyOp,
            CrossEntropyGradOp, DrawOp>([&](auto op) { return reference::evaluate(op, frame), success(); })
      .Default([&](Operation *op) { return evaluatePointwise(op, frame); });
}

static void roundResults(Operation *op, Frame &frame) {
  for (mlir::Value result : op->getResults())
    if (Tensor *tensor = frame.ownTensor(result))
      if (isa<FloatType>(getElementTypeOrSelf(result.getType())))
        for (double &x : tensor->data)
          x = frame.how.rounding.value(x);
}

/// Runs the ops that the wanted results need; the others yield nothing. So the
/// forward half of a joint function runs without gradients.
static FailureOr<Values> runBlock(Block &block, ArrayRef<const reference::Value *> arguments,
                                  function_ref<bool(unsigned)> wanted, Running how) {
  Operation *terminator = block.getTerminator();
  DenseSet<Operation *> needed;
  auto need = [&](mlir::Value value) {
    if (Operation *op = value.getDefiningOp())
      needed.insert(op);
  };
  for (OpOperand &operand : terminator->getOpOperands())
    if (wanted(operand.getOperandNumber()))
      need(operand.get());
  for (Operation &op : llvm::reverse(block))
    if (needed.contains(&op))
      llvm::for_each(op.getOperands(), need);

  Frame frame(how);
  for (auto [name, value] : llvm::zip_equal(block.getArguments(), arguments))
    frame.borrow(name, *value);
  for (Operation &op : block.without_terminator()) {
    if (!needed.contains(&op))
      continue;
    if (failed(runOp(&op, frame)))
      return failure();
    if (how.rounding.value)
      roundResults(&op, frame);
  }

  Values results(terminator->getNumOperands());
  for (OpOperand &operand : terminator->getOpOperands())
    if (wanted(operand.getOperandNumber()))
      results[operand.getOperandNumber()] = frame.get(operand.get());
  return results;
}

static FailureOr<Values> run(func::FuncOp func, ArrayRef<const reference::Value *> arguments,
                             function_ref<bool(unsigned)> wanted, Running how) {
  if (func.isDeclaration() || !func.getBody().hasOneBlock())
    return func.emitError() << "expected a function with a body of one block";
  if (how.depth > kDeepest)
    return func.emitError() << "calls are nested deeper than " << kDeepest;
  return runBlock(func.getBody().front(), arguments, wanted, how);
}

//===----------------------------------------------------------------------===//
// Checking the arguments of a run
//===----------------------------------------------------------------------===//

namespace {
/// Checks that arguments fit a function's types and one another, so that the
/// loops never have to.
struct ArgumentCheck {
  explicit ArgumentCheck(func::FuncOp func) : func(func) {}

  func::FuncOp func;
  const Batch *batch = nullptr;
  DenseMap<std::pair<uint32_t, int64_t>, int64_t> rows; // of a space, without a batch

  InFlightDiagnostic error(unsigned i) { return func.emitError() << "argument #" << i << ": "; }

  LogicalResult checkBatch(unsigned i, const reference::Value &value) {
    if (!value.batch())
      return error(i) << "expected a batch";
    if (batch && batch != value.batch())
      return error(i) << "expected the same batch as other arguments";
    batch = value.batch();
    if (std::string wrong = batch->check(); !wrong.empty())
      return error(i) << wrong;
    return success();
  }

  LogicalResult checkTensor(unsigned i, RankedTensorType type, const Tensor *tensor) {
    if (!tensor)
      return error(i) << "expected a tensor " << type;
    SmallVector<int64_t> expected = shapeFor(type, batch);
    if (isRows(type) && ShapedType::isDynamic(expected[0])) {
      auto key = std::pair(uint32_t(rowsOf(type).getSpace()), rowsOf(type).getChunk());
      expected[0] = rows.try_emplace(key, tensor->rows()).first->second;
    }
    if (expected != tensor->shape)
      return error(i) << "expected a tensor of shape [" << expected << "], but got ["
                      << tensor->shape << "]";
    if (Tensor::zeros(expected).data.size() != tensor->data.size())
      return error(i) << "expected " << Tensor::zeros(expected).data.size() << " elements, but got "
                      << tensor->data.size();
    return success();
  }

  LogicalResult check(unsigned i, Type type, const reference::Value &value) {
    if (isa<BatchType, RouteType>(type))
      return success(); // done before the tensors
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      return checkTensor(i, tensor, value.tensor());
    auto stack = dyn_cast<StackType>(type);
    if (!stack)
      return success(); // a scalar or a tape: checked where it is read
    if (!value.stack() || int64_t(value.stack()->values.size()) != stack.getCount())
      return error(i) << "expected a stack of " << stack.getCount();
    for (const reference::Value &element : value.stack()->values)
      if (failed(check(i, stack.getElement(), element)))
        return failure();
    return success();
  }
};
} // namespace

FailureOr<Values> reference::interpret(func::FuncOp func, ArrayRef<reference::Value> arguments) {
  return interpretRounded(func, arguments, {});
}

FailureOr<Values> reference::interpretRounded(func::FuncOp func,
                                              ArrayRef<reference::Value> arguments,
                                              Rounding rounding) {
  if (arguments.size() != func.getNumArguments())
    return func.emitError() << "expected " << func.getNumArguments() << " arguments, but got "
                            << arguments.size();
  ArgumentCheck check(func);
  for (unsigned i = 0; i < arguments.size(); ++i)
    if (isa<BatchType, RouteType>(func.getArgumentTypes()[i]) &&
        failed(check.checkBatch(i, arguments[i])))
      return failure();
  for (unsigned i = 0; i < arguments.size(); ++i)
    if (failed(check.check(i, func.getArgumentTypes()[i], arguments[i])))
      return failure();
  SmallVector<const reference::Value *> pointers;
  for (const reference::Value &argument : arguments)
    pointers.push_back(&argument);
  return run(func, pointers, always, {0, rounding});
}
