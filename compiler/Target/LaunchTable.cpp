// From emitted functions to the launch table.
//
// Layers are inlined here, and only here: a mom.repeat becomes a repetition of
// its callee's launches, with pointers that move by a stride each round. Values
// never move: what one round hands to the next alternates between two places,
// or, where backward wants every round's value, lies in a stack of rounds + 1. In
// windows a round's rows are a part of the whole's, and sums stay where they are.
#include "compiler/Target/LaunchTable.h"

#include "compiler/Target/ArenaPlan.h"
#include "compiler/Target/TableFacts.h"
#include "compiler/Target/TableWriter.h"
#include "dialect/ParameterLayout.h"
#include "dialect/Views.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mom;

namespace {
/// Where a value lies. In a stack, `stride` leads from one element to the next.
struct Place {
  momrt_arg arg = {};
  std::optional<unsigned> buffer; ///< of the arena plan; else arg names the space
  momrt_slot stride = {};

  static Place in(momrt_space space, int64_t offset = 0, uint32_t index = 0) {
    Place place;
    place.arg.space = space;
    place.arg.index = index;
    place.arg.offset = offset;
    return place;
  }
  /// The element of a stack that belongs to a round.
  Place element(int64_t phase, int64_t modulus) const {
    Place place = *this;
    place.arg.stride = stride;
    place.arg.phase = phase;
    place.arg.modulus = modulus;
    return place;
  }
};

using Places = DenseMap<Value, Place>;

class TableBuilder {
public:
  TableBuilder(ModuleOp module) : module(module), symbols(module) {}

  FailureOr<LaunchTable> build(StringRef digest, const GpuImages *images) {
    writer.header.target = images ? images->architecture : 0;
    if (auto name = module->getAttrOfType<FlatSymbolRefAttr>(attr::kModel))
      model = symbols.lookup<func::FuncOp>(name.getValue());
    writer.header.name = writer.text(model ? model.getSymName() : "program");
    writer.header.digest = writer.text(digest);
    addKernels(images);
    if (model)
      layout = ParameterLayout(model);
    for (const Parameter &parameter : layout.parameters)
      parameterOffset[parameter.name] = parameter.offset;
    writeParameters(layout, model, writer);
    writeModuleFacts(module, writer);
    for (auto func : module.getOps<func::FuncOp>())
      if (auto name = func->getAttrOfType<StringAttr>(attr::kEntry))
        if (failed(addEntry(func, name.getValue())))
          return failure();
    resolveBuffers();
    writer.slots.assign(plan.slots().begin(), plan.slots().end());
    table.bytes = writer.finish();
    return std::move(table);
  }

private:
  void addKernels(const GpuImages *images) {
    for (auto func : module.getOps<LLVM::LLVMFuncOp>()) {
      if (func.isExternal() || func.getLinkage() != LLVM::Linkage::External)
        continue;
      kernelIndex[func.getSymNameAttr()] = writer.kernels.size();
      momrt_kernel kernel = {};
      kernel.name = writer.text(func.getSymName());
      if (auto scratch = func->getAttrOfType<IntegerAttr>(attr::kScratch))
        kernel.scratch = scratch.getInt();
      if (auto threads = func->getAttrOfType<IntegerAttr>(attr::kThreads))
        kernel.threads = threads.getInt();
      if (auto shared = func->getAttrOfType<IntegerAttr>(attr::kShared))
        kernel.shared_bytes = shared.getInt();
      if (images) {
        const KernelImage &image = images->kernels.at(func.getSymName());
        if (!image.ptx.empty())
          kernel.ptx = writer.addBlob((image.ptx + Twine('\0')).str()); // the driver wants the zero
        if (!image.cubin.empty())
          kernel.cubin = writer.addBlob(image.cubin);
      }
      writer.kernels.push_back(kernel);
      table.kernels.push_back(func.getSymName().str());
    }
  }

  //===--------------------------------------------------------------------===//
  // Entries
  //===--------------------------------------------------------------------===//

  LogicalResult addEntry(func::FuncOp func, StringRef name) {
    momrt_entry entry = {};
    entry.name = writer.text(name);
    entry.ops.offset = writer.ops.size();
    entry.inputs.offset = writer.inputs.size();
    Places places;
    for (BlockArgument argument : func.getArguments())
      placeArgument(func, argument, places);
    arguments.clear();
    for (BlockArgument argument : func.getArguments())
      arguments.push_back(places.lookup(argument));
    entry.inputs.count = writer.inputs.size() - entry.inputs.offset;

    wanted.clear();
    Operation *terminator = func.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
      if (std::optional<Place> place = resultPlace(func, i))
        wanted.try_emplace(value, *place);
    if (failed(addBody(func, places)))
      return failure();
    entry.ops.count = writer.ops.size() - entry.ops.offset;

    entry.outputs.offset = writer.outputs.size();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
      if (failed(addOutput(func, i, value, places)))
        return failure();
    entry.outputs.count = writer.outputs.size() - entry.outputs.offset;
    writer.entries.push_back(entry);
    plan.assignEntry();
    return success();
  }

  void placeArgument(func::FuncOp func, BlockArgument argument, Places &places) {
    unsigned index = argument.getArgNumber();
    if (isa<BatchType>(argument.getType()))
      return;
    Place place;
    if (auto name = func.getArgAttrOfType<StringAttr>(index, attr::kParam)) {
      // A parameter in another type than the weights' is their copy.
      bool copy = typeOf(elementOf(argument)) != writer.header.parameter_type;
      place = flatPlace(copy ? MOMRT_SPACE_COPIES : MOMRT_SPACE_PARAMETERS,
                        parameterOffset.lookup(name.getValue()), argument);
    } else if (auto state = func.getArgAttrOfType<StringAttr>(index, attr::kState)) {
      place = statePlace(state.getValue(),
                         func.getArgAttrOfType<IntegerAttr>(index, attr::kOffset).getInt(),
                         argument);
    } else {
      place = Place::in(MOMRT_SPACE_INPUT, 0, writer.inputs.size());
      writer.inputs.push_back(inputOf(func, argument));
    }
    if (auto stack = dyn_cast<StackType>(argument.getType()))
      place.stride = sizeOf(stack.getElement());
    places[argument] = place;
  }

  static Type elementOf(Value value) {
    Type type = value.getType();
    if (auto stack = dyn_cast<StackType>(type))
      type = stack.getElement();
    return cast<RankedTensorType>(type).getElementType();
  }

  /// Element `offset` of a flat buffer of `value`'s elements.
  static Place flatPlace(momrt_space space, int64_t offset, Value value) {
    return Place::in(space, elementOf(value).getIntOrFloatBitWidth() / 8 * offset);
  }

  /// A range of a flat buffer of training, or the state of that number.
  Place statePlace(StringRef space, int64_t offset, Value value) {
    if (space == "states" || space == "next_states")
      return carriedState(space == "states" ? MOMRT_SPACE_STATES : MOMRT_SPACE_NEXT_STATES,
                          unsigned(offset), value);
    auto which = llvm::StringSwitch<momrt_space>(space)
                     .Case("hyper", MOMRT_SPACE_HYPER)
                     .Case("sums", MOMRT_SPACE_SUMS)
                     .Case("gradients", MOMRT_SPACE_GRADIENTS)
                     .Case("moment1", MOMRT_SPACE_MOMENT1)
                     .Case("moment2", MOMRT_SPACE_MOMENT2)
                     .Case("copies", MOMRT_SPACE_COPIES)
                     .Case("modality", MOMRT_SPACE_MODALITY)
                     .Case("route_offsets", MOMRT_SPACE_ROUTE_OFFSETS)
                     .Case("route_row", MOMRT_SPACE_ROUTE_ROW)
                     .Case("route_position", MOMRT_SPACE_ROUTE_POSITION)
                     .Default(MOMRT_SPACE_PARAMETERS);
    return flatPlace(which, offset, value);
  }

  Place carriedState(momrt_space space, unsigned number, Value value) {
    auto stack = dyn_cast<StackType>(value.getType());
    momrt_slot size = scaled(sizeOf(stack ? stack.getElement() : value.getType()),
                             stack ? stack.getCount() : 1);
    writer.states.resize(std::max<size_t>(writer.states.size(), number + 1));
    writer.states[number] = size;
    return Place::in(space, 0, number);
  }

  momrt_input inputOf(func::FuncOp func, BlockArgument argument) {
    unsigned index = argument.getArgNumber();
    auto type = cast<RankedTensorType>(argument.getType());
    momrt_input input = {};
    auto name = func.getArgAttrOfType<StringAttr>(index, attr::kInput);
    input.name = writer.text(name ? name.str() : "arg" + std::to_string(index));
    input.type = typeOf(type.getElementType());
    input.count = countOf(type);
    input.channels = isRows(type) ? channelsOf(type) : type.getNumElements();
    if (auto limit = func.getArgAttrOfType<IntegerAttr>(index, attr::kLimit))
      input.limit = limit.getInt();
    if (auto draw = func.getArgAttrOfType<StringAttr>(index, attr::kDraw))
      input.draw = draw.getValue() == "normal" ? MOMRT_DRAW_NORMAL : MOMRT_DRAW_UNIFORM;
    if (auto only = func.getArgAttrOfType<IntegerAttr>(index, attr::kOnly))
      input.only = only.getInt() + 1;
    return input;
  }

  /// Where a result of an entry must be written, if not anywhere.
  std::optional<Place> resultPlace(func::FuncOp func, unsigned index) {
    Value value = func.getBody().front().getTerminator()->getOperand(index);
    std::optional<Place> place;
    if (auto name = func.getResultAttrOfType<StringAttr>(index, attr::kGradient))
      place = flatPlace(MOMRT_SPACE_GRADIENTS, parameterOffset.lookup(name.getValue()), value);
    else if (auto state = func.getResultAttrOfType<StringAttr>(index, attr::kState)) {
      int64_t offset = func.getResultAttrOfType<IntegerAttr>(index, attr::kOffset).getInt();
      place = state.getValue() == "argument" ? arguments[size_t(offset)]
                                             : statePlace(state.getValue(), offset, value);
    }
    if (auto stack = dyn_cast<StackType>(value.getType()); stack && place)
      place->stride = sizeOf(stack.getElement());
    return place;
  }

  LogicalResult addOutput(func::FuncOp func, unsigned index, Value value, Places &places) {
    auto found = places.find(value);
    if (found == places.end())
      return func.emitError() << "result " << index << " has no place: no launch makes it";
    Place place = found->second;
    if (std::optional<Place> must = resultPlace(func, index)) {
      if (place.buffer || place.arg.space != must->arg.space ||
          place.arg.index != must->arg.index || place.arg.offset != must->arg.offset)
        return func.emitError() << "result " << index << " cannot be written in place";
      return success(); // the runtime knows gradients and parameters by name
    }
    momrt_output output = {};
    std::string name = "result" + std::to_string(index);
    output.kind = isRows(value.getType()) ? MOMRT_OUTPUT_ROWS : MOMRT_OUTPUT_TENSOR;
    for (auto [key, kind] : {std::pair(attr::kLoss, MOMRT_OUTPUT_LOSS),
                             {attr::kSum, MOMRT_OUTPUT_SUM},
                             {attr::kCount, MOMRT_OUTPUT_COUNT}})
      if (auto attribute = func.getResultAttrOfType<StringAttr>(index, key)) {
        name = attribute.str();
        output.kind = kind;
      }
    if (auto attribute = func.getResultAttrOfType<StringAttr>(index, attr::kOutput))
      name = attribute.str();
    auto type = cast<RankedTensorType>(value.getType());
    output.name = writer.text(name);
    output.type = typeOf(type.getElementType());
    output.count = countOf(type);
    output.channels = isRows(type) ? channelsOf(type) : type.getNumElements();
    output.where = place.arg;
    if (place.buffer) {
      plan.keep(*place.buffer);
      outputBuffers.push_back({writer.outputs.size(), *place.buffer});
    }
    writer.outputs.push_back(output);
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Bodies
  //===--------------------------------------------------------------------===//

  int64_t now() const { return writer.ops.size(); }
  bool inWindows() { return inside && inside.getWindows(); }

  /// Bytes of a value of one window, of all if it has no rows of tokens.
  static momrt_slot windowOf(Type type) {
    momrt_slot size = sizeOf(type);
    std::swap(size.bytes[MOMRT_COUNT_WINDOW], size.bytes[MOMRT_COUNT_TOKEN]);
    return size;
  }

  /// The record of true counts that a launch reads: the batch's, or its window's.
  Place countsPlace() {
    Place place = Place::in(MOMRT_SPACE_COUNTS);
    if (!inWindows())
      return place;
    constexpr int64_t kRecord = MOMRT_COUNTS * sizeof(int64_t);
    place.arg.offset = place.stride.bytes[MOMRT_COUNT_ONE] = kRecord;
    return place.element(0, inside.getCount());
  }

  void read(const Place &place) {
    if (place.buffer)
      plan.readAt(*place.buffer, now());
  }

  /// A place for a result: where it is wanted, or a new buffer.
  Place placeResult(Value value) {
    auto found = wanted.find(value);
    if (found != wanted.end()) {
      read(found->second);
      return found->second;
    }
    Place place = Place::in(MOMRT_SPACE_ARENA);
    if (auto stack = dyn_cast<StackType>(value.getType())) {
      place.stride = sizeOf(stack.getElement());
      place.buffer = plan.add(scaled(place.stride, stack.getCount()), now());
    } else {
      Type type = value.getType();
      place.buffer = plan.add(inWindows() ? windowOf(type) : sizeOf(type), now());
    }
    return place;
  }

  /// A place for what a launch writes: as above, or its part of joined rows.
  Place placeOutput(Value value, Places &places) {
    Joined joined = joinedIn(value);
    if (!joined.whole)
      return placeResult(value);
    Value whole = joined.whole.getY();
    if (!places.contains(whole))
      places[whole] = placeResult(whole);
    Place place = places[whole];
    place.arg.offset += joined.column * elementOf(whole).getIntOrFloatBitWidth() / 8;
    return place;
  }

  LogicalResult addBody(func::FuncOp func, Places &places) {
    // What enters a repetition must already lie where its first round reads.
    for (auto repeat : func.getOps<RepeatOp>())
      if (failed(prepareCarried(repeat)))
        return failure();
    for (Operation &op : func.getBody().front().without_terminator()) {
      LogicalResult result =
          TypeSwitch<Operation *, LogicalResult>(&op)
              .Case([&](LaunchOp launch) { return addLaunch(launch, places); })
              .Case([&](RepeatOp repeat) { return addRepeat(repeat, places); })
              .Case<ModalityRouteOp, ComputedRouteOp>([&](auto) { return success(); })
              .Case([&](arith::ConstantOp) { return success(); })
              .Case([&](ConcatOp) { return success(); }) // its parts lie in it
              .Default([](Operation *op) { return op->emitOpError("is not a launch"); });
      if (failed(result))
        return failure();
    }
    return success();
  }

  /// The places that a repetition's carried values go through.
  struct Carry {
    Place stack;     ///< stride: from one round's value to the next
    int64_t modulus; ///< 2, or rounds + 1 where all are kept, or 1 for sums of windows
  };

  LogicalResult prepareCarried(RepeatOp repeat) {
    auto callee = symbols.lookup<func::FuncOp>(repeat.getCallee());
    Operation *returned = callee.getBody().front().getTerminator();
    SmallVector<Carry> &list = carries[repeat];
    for (auto [i, operand] : llvm::enumerate(repeat.getCarried())) {
      BlockArgument argument = callee.getArgument(i);
      Value next = returned->getOperand(i);
      auto kept = returned->getOperands().drop_front(repeat.getCarried().size());
      bool keeps = llvm::is_contained(kept, argument) || llvm::is_contained(kept, next);
      if (keeps && repeat.getReverse())
        return repeat.emitOpError("cannot keep the carried values of a reversed repetition");
      Carry carry{Place::in(MOMRT_SPACE_ARENA),
                  keeps                 ? static_cast<int64_t>(repeat.getCount()) + 1
                  : repeat.getWindows() ? 1
                                        : 2};
      carry.stack.stride = sizeOf(operand.getType());
      carry.stack.buffer = plan.add(scaled(carry.stack.stride, carry.modulus), now());
      if (!operand.getDefiningOp<LaunchOp>() || !wanted.try_emplace(operand, carry.stack).second)
        return repeat.emitOpError() << "carried value " << i
                                    << " must be made by a launch and enter one repetition only";
      list.push_back(carry);
    }
    return success();
  }

  LogicalResult addRepeat(RepeatOp repeat, Places &places) {
    if (inside)
      return repeat.emitOpError("a repetition inside a repeated layer is not supported");
    auto callee = symbols.lookup<func::FuncOp>(repeat.getCallee());
    int64_t rounds = repeat.getCount();
    momrt_op begin = {};
    begin.kind = MOMRT_OP_REPEAT;
    begin.rounds = rounds;
    begin.reverse = repeat.getReverse();
    begin.source = source(repeat);
    writer.ops.push_back(begin);

    // Rounds that run backwards have executed rounds - 1 - round before them;
    // with a modulus of 2 that is round + rounds - 1.
    int64_t phase = repeat.getReverse() ? rounds - 1 : 0;
    Places inner;
    auto argument = callee.getArguments().begin();
    SmallVector<Carry> &list = carries[repeat];
    for (Carry &carry : list)
      inner[*argument++] = carry.stack.element(phase, carry.modulus);
    for (Value shared : repeat.getShared()) {
      Value value = *argument++;
      if (isa<BatchType>(value.getType()))
        continue;
      Place place = places.lookup(shared);
      if (place.arg.modulus) // its place is told by a round, which is not this one's
        return repeat.emitOpError("cannot share the carried result of another repetition");
      inner[value] = place;
    }
    for (Value stack : repeat.getEach()) {
      Place place = places.lookup(stack);
      if (repeat.getWindows()) {
        if (place.arg.modulus)
          return repeat.emitOpError("cannot split the carried result of another repetition");
        place.stride = windowOf(stack.getType());
      }
      // A stack of carried values begins at its own phase and is one longer.
      inner[*argument++] =
          place.element(place.arg.phase, place.arg.modulus ? place.arg.modulus : rounds);
    }
    placeReturned(repeat, callee, list, phase, places);

    inside = repeat;
    LogicalResult result = addBody(callee, inner);
    inside = {};
    if (failed(result))
      return failure();
    momrt_op end = {};
    end.kind = MOMRT_OP_END;
    writer.ops.push_back(end);
    // Everything that the rounds read or keep lives until the last one ends,
    // and what they keep is there from the first one on.
    for (BlockArgument argument : callee.getArguments())
      readUntil(inner.lookup(argument), now());
    for (Carry &carry : list)
      readUntil(carry.stack, now());
    for (Value stacked : repeat.getStackedResults())
      readUntil(places.lookup(stacked), now());
    return success();
  }

  void readUntil(const Place &place, int64_t time) {
    if (place.buffer)
      plan.readAt(*place.buffer, time);
  }

  /// Places for what a round returns, and for the repetition's results.
  void placeReturned(RepeatOp repeat, func::FuncOp callee, ArrayRef<Carry> list, int64_t phase,
                     Places &places) {
    Operation *returned = callee.getBody().front().getTerminator();
    int64_t rounds = repeat.getCount();
    for (auto [i, carry] : llvm::enumerate(list)) {
      wanted[returned->getOperand(i)] = carry.stack.element(phase + 1, carry.modulus);
      Place last = carry.stack;
      last.arg.stride = carry.stack.stride;
      last.arg.phase = rounds % carry.modulus; // no round outside: (0 + phase) mod modulus
      last.arg.modulus = carry.modulus;
      places[repeat.getCarriedResults()[i]] = last;
    }
    for (auto [i, result] : llvm::enumerate(repeat.getStackedResults())) {
      Value value = returned->getOperand(list.size() + i);
      Place stack;
      if (std::optional<Place> alias = carriedAlias(value, callee, returned, list)) {
        stack = *alias;
      } else {
        stack = placeResult(result);
        if (repeat.getWindows())
          stack.stride = windowOf(result.getType());
        wanted[value] = stack.element(0, rounds);
      }
      places[result] = stack;
    }
  }

  /// A kept value that is a carried one: the same memory, seen as a stack.
  static std::optional<Place> carriedAlias(Value value, func::FuncOp callee, Operation *returned,
                                           ArrayRef<Carry> list) {
    for (auto [i, carry] : llvm::enumerate(list)) {
      bool before = value == callee.getArgument(i), after = value == returned->getOperand(i);
      if (!before && !after)
        continue;
      Place stack = carry.stack;
      stack.arg.phase = before ? 0 : 1;
      stack.arg.modulus = carry.modulus;
      return stack;
    }
    return std::nullopt;
  }

  void setGrid(momrt_op &op, GridAttr grid) {
    op.grid_count = MOMRT_COUNT_ONE;
    if (grid.getSpace())
      op.grid_count = llvm::StringSwitch<uint32_t>(grid.getSpace().getValue())
                          .Case("token", MOMRT_COUNT_TOKEN)
                          .Case("stream", MOMRT_COUNT_STREAM)
                          .Case("document", MOMRT_COUNT_DOCUMENT)
                          .Case("segment", MOMRT_COUNT_SEGMENT)
                          .Case("chunk", MOMRT_COUNT_TOKEN)
                          .Default(MOMRT_COUNT_ONE);
    if (inWindows() && op.grid_count == MOMRT_COUNT_TOKEN)
      op.grid_count = MOMRT_COUNT_WINDOW;
    op.grid_tile = grid.getTile();
    op.grid_segments = grid.getSpace() && grid.getSpace() == "chunk";
    op.grid_above = grid.getAbove();
    op.grid_extra = grid.getExtra();
    op.grid_factor = grid.getFactor();
  }

  LogicalResult addLaunch(LaunchOp launch, Places &places) {
    momrt_op op = {};
    op.kind = MOMRT_OP_LAUNCH;
    op.kernel = kernelIndex.lookup(launch.getCalleeAttr().getAttr());
    op.source = source(launch);
    setGrid(op, launch.getGrid());
    op.args = writer.args.size();
    addArg(countsPlace());
    addArg(Place::in(MOMRT_SPACE_STATUS, now() * sizeof(momrt_status)));
    for (Value input : launch.getInputs()) {
      if (auto route = input.getDefiningOp<ComputedRouteOp>()) {
        for (Value tensor : route->getOperands())
          if (failed(addTensor(launch, tensor, places)))
            return failure();
        continue;
      }
      if (isa<BatchType>(input.getType())) {
        addArg(Place::in(MOMRT_SPACE_SEGMENTS));
        addArg(Place::in(MOMRT_SPACE_MODALITY));
      }
      if (isa<BatchType, RouteType>(input.getType())) {
        addArg(Place::in(MOMRT_SPACE_ROUTE_OFFSETS));
        addArg(Place::in(MOMRT_SPACE_ROUTE_ROW));
        addArg(Place::in(MOMRT_SPACE_ROUTE_POSITION));
        continue;
      }
      if (failed(addTensor(launch, input, places)))
        return failure();
    }
    for (Value output : launch.getOutputs()) {
      Place place = placeOutput(output, places);
      places[output] = place;
      addArg(place);
    }
    op.arg_count = writer.args.size() - op.args;
    writer.ops.push_back(op);
    if (!launch.getOther())
      return success();
    op.kernel = kernelIndex.lookup(launch.getOtherAttr().getAttr());
    setGrid(op, *launch.getOtherGrid());
    writer.ops.push_back(op);
    return success();
  }

  LogicalResult addTensor(LaunchOp launch, Value input, const Places &places) {
    auto found = places.find(input);
    if (found == places.end())
      return launch.emitOpError() << "reads a value without a place: " << input;
    addArg(found->second);
    return success();
  }

  void addArg(const Place &place) {
    read(place);
    if (place.buffer)
      argBuffers.push_back({writer.args.size(), *place.buffer});
    writer.args.push_back(place.arg);
  }

  /// Slots are known once all entries are planned.
  void resolveBuffers() {
    for (auto [arg, buffer] : argBuffers)
      writer.args[arg].index = plan.slotOf(buffer);
    for (auto [output, buffer] : outputBuffers)
      writer.outputs[output].where.index = plan.slotOf(buffer);
  }

  uint64_t source(Operation *op) {
    auto loc = op->getLoc()->findInstanceOf<FileLineColLoc>();
    if (!loc)
      return writer.text("");
    return writer.text(
        (loc.getFilename().getValue() + ":" + Twine(loc.getLine()) + ":" + Twine(loc.getColumn()))
            .str());
  }

  ModuleOp module;
  SymbolTable symbols;
  func::FuncOp model;
  TableWriter writer;
  LaunchTable table;
  ParameterLayout layout;
  ArenaPlan plan;
  llvm::StringMap<int64_t> parameterOffset; // elements
  DenseMap<StringAttr, uint32_t> kernelIndex;
  Places wanted; // results that must lie at a given place
  std::vector<Place> arguments; // of the entry
  DenseMap<Operation *, SmallVector<Carry>> carries;
  SmallVector<std::pair<size_t, unsigned>> argBuffers, outputBuffers;
  RepeatOp inside; // the repetition whose body is being added, or null
};
} // namespace

FailureOr<LaunchTable> mom::buildLaunchTable(ModuleOp module, StringRef digest,
                                             const GpuImages *images) {
  return TableBuilder(module).build(digest, images);
}
