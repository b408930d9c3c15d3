// Bodies of the launch table's entries: launches and repetitions.
#include "compiler/Target/TableBuilder.h"

#include "dialect/Views.h"

using namespace mlir;
using namespace mom;

momrt_slot TableBuilder::windowOf(Type type) {
  momrt_slot size = sizeOf(type);
  std::swap(size.bytes[MOMRT_COUNT_WINDOW], size.bytes[MOMRT_COUNT_TOKEN]);
  return size;
}

momrt_slot TableBuilder::bufferOf(Type type) {
  momrt_slot size = sizeOf(type);
  if (inWindows()) {
    int64_t &ofToken = size.bytes[MOMRT_COUNT_TOKEN];
    ofToken = llvm::divideCeil(ofToken, inside.getCount());
  }
  return size;
}

Place TableBuilder::countsPlace() {
  Place place = Place::in(MOMRT_SPACE_COUNTS);
  if (!inWindows())
    return place;
  constexpr int64_t kRecord = MOMRT_COUNTS * sizeof(int64_t);
  place.arg.offset = place.stride.bytes[MOMRT_COUNT_ONE] = kRecord;
  return place.element(0, inside.getCount());
}

void TableBuilder::read(const Place &place) {
  if (place.buffer)
    plan.readAt(*place.buffer, now());
}

Place TableBuilder::placeResult(Value value) {
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
    place.buffer = plan.add(bufferOf(type), now());
  }
  return place;
}

Place TableBuilder::placeOutput(Value value, Places &places) {
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

LogicalResult TableBuilder::addBody(func::FuncOp func, Places &places) {
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

LogicalResult TableBuilder::prepareCarried(RepeatOp repeat) {
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
    Carry carry{Place::in(MOMRT_SPACE_ARENA), keeps ? static_cast<int64_t>(repeat.getCount()) + 1
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

LogicalResult TableBuilder::addRepeat(RepeatOp repeat, Places &places) {
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

void TableBuilder::readUntil(const Place &place, int64_t time) {
  if (place.buffer)
    plan.readAt(*place.buffer, time);
}

void TableBuilder::placeReturned(RepeatOp repeat, func::FuncOp callee, ArrayRef<Carry> list,
                                 int64_t phase, Places &places) {
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

std::optional<Place> TableBuilder::carriedAlias(Value value, func::FuncOp callee,
                                                Operation *returned, ArrayRef<Carry> list) {
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

void TableBuilder::setGrid(momrt_op &op, GridAttr grid) {
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

LogicalResult TableBuilder::addLaunch(LaunchOp launch, Places &places) {
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

LogicalResult TableBuilder::addTensor(LaunchOp launch, Value input, const Places &places) {
  auto found = places.find(input);
  if (found == places.end())
    return launch.emitOpError() << "reads a value without a place: " << input;
  addArg(found->second);
  return success();
}

void TableBuilder::addArg(const Place &place) {
  read(place);
  if (place.buffer)
    argBuffers.push_back({writer.args.size(), *place.buffer});
  writer.args.push_back(place.arg);
}

void TableBuilder::resolveBuffers() {
  for (auto [arg, buffer] : argBuffers)
    writer.args[arg].index = plan.slotOf(buffer);
  for (auto [output, buffer] : outputBuffers)
    writer.outputs[output].where.index = plan.slotOf(buffer);
}

uint64_t TableBuilder::source(Operation *op) {
  auto loc = op->getLoc()->findInstanceOf<FileLineColLoc>();
  if (!loc)
    return writer.text("");
  return writer.text(
      (loc.getFilename().getValue() + ":" + Twine(loc.getLine()) + ":" + Twine(loc.getColumn()))
          .str());
}
