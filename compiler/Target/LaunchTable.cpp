// From emitted functions to the launch table.
//
// Layers are inlined here, and only here: a mom.repeat becomes a repetition of
// its callee's launches, with pointers that move by a stride each round. Values
// never move: what one round hands to the next alternates between two places,
// or, where backward wants every round's value, lies in a stack of rounds + 1. In
// windows a round's rows are a part of the whole's, and sums stay where they are.
#include "compiler/Target/LaunchTable.h"

#include "compiler/Target/TableBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mom;

FailureOr<LaunchTable> TableBuilder::build(StringRef digest, const GpuImages *images,
                                           uint64_t extensions) {
  writer.header.target = images ? images->architecture : 0;
  writer.header.extensions = extensions;
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
  plan.assign();
  resolveBuffers();
  writer.slots.assign(plan.slots().begin(), plan.slots().end());
  table.bytes = writer.finish();
  return std::move(table);
}

void TableBuilder::addKernels(const GpuImages *images) {
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

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

LogicalResult TableBuilder::addEntry(func::FuncOp func, StringRef name) {
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
  return success();
}

void TableBuilder::placeArgument(func::FuncOp func, BlockArgument argument, Places &places) {
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
                       func.getArgAttrOfType<IntegerAttr>(index, attr::kOffset).getInt(), argument);
  } else {
    place = Place::in(MOMRT_SPACE_INPUT, 0, writer.inputs.size());
    writer.inputs.push_back(inputOf(func, argument));
  }
  if (auto stack = dyn_cast<StackType>(argument.getType()))
    place.stride = sizeOf(stack.getElement());
  places[argument] = place;
}

/// What a caller hands in or gets: a tensor, or those of all rounds, one after the other.
struct Interface {
  explicit Interface(Type given) : type(dyn_cast<RankedTensorType>(given)) {
    if (auto stack = dyn_cast<StackType>(given)) {
      type = cast<RankedTensorType>(stack.getElement());
      rounds = stack.getCount();
    }
  }
  int64_t channels() const {
    return rounds * (isRows(type) ? channelsOf(type) : type.getNumElements());
  }
  RankedTensorType type;
  int64_t rounds = 1;
};

Type TableBuilder::elementOf(Value value) {
  return Interface(value.getType()).type.getElementType();
}

Place TableBuilder::flatPlace(momrt_space space, int64_t offset, Value value) {
  return Place::in(space, elementOf(value).getIntOrFloatBitWidth() / 8 * offset);
}

Place TableBuilder::statePlace(StringRef space, int64_t offset, Value value) {
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

Place TableBuilder::carriedState(momrt_space space, unsigned number, Value value) {
  auto stack = dyn_cast<StackType>(value.getType());
  momrt_slot size =
      scaled(sizeOf(stack ? stack.getElement() : value.getType()), stack ? stack.getCount() : 1);
  writer.states.resize(std::max<size_t>(writer.states.size(), number + 1));
  writer.states[number] = size;
  return Place::in(space, 0, number);
}

momrt_input TableBuilder::inputOf(func::FuncOp func, BlockArgument argument) {
  unsigned index = argument.getArgNumber();
  Interface interface(argument.getType());
  momrt_input input = {};
  auto name = func.getArgAttrOfType<StringAttr>(index, attr::kInput);
  input.name = writer.text(name ? name.str() : "arg" + std::to_string(index));
  input.type = typeOf(interface.type.getElementType());
  input.count = countOf(interface.type);
  input.channels = interface.channels();
  if (auto limit = func.getArgAttrOfType<IntegerAttr>(index, attr::kLimit))
    input.limit = limit.getInt();
  if (auto draw = func.getArgAttrOfType<StringAttr>(index, attr::kDraw))
    input.draw = draw.getValue() == "normal" ? MOMRT_DRAW_NORMAL : MOMRT_DRAW_UNIFORM;
  if (auto only = func.getArgAttrOfType<IntegerAttr>(index, attr::kOnly))
    input.only = only.getInt() + 1;
  return input;
}

std::optional<Place> TableBuilder::resultPlace(func::FuncOp func, unsigned index) {
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

LogicalResult TableBuilder::addOutput(func::FuncOp func, unsigned index, Value value,
                                      Places &places) {
  auto found = places.find(value);
  if (found == places.end())
    return func.emitError() << "result " << index << " has no place: no launch makes it";
  Place place = found->second;
  if (std::optional<Place> must = resultPlace(func, index)) {
    if (place.buffer || place.arg.space != must->arg.space || place.arg.index != must->arg.index ||
        place.arg.offset != must->arg.offset)
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
  Interface interface(value.getType());
  output.name = writer.text(name);
  output.type = typeOf(interface.type.getElementType());
  output.count = countOf(interface.type);
  output.channels = interface.channels();
  output.where = place.arg;
  if (place.buffer) {
    plan.keep(*place.buffer);
    outputBuffers.push_back({writer.outputs.size(), *place.buffer});
  }
  writer.outputs.push_back(output);
  return success();
}

FailureOr<LaunchTable> mom::buildLaunchTable(ModuleOp module, StringRef digest,
                                             const GpuImages *images, uint64_t extensions) {
  return TableBuilder(module).build(digest, images, extensions);
}
