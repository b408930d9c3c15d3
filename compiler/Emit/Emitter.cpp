// The emitted function of a kernel: phases, pointers and the kernel's launches.
// Arithmetic, memory and loops stand in Builders.cpp.
#include "compiler/Emit/Emitter.h"

#include "compiler/Schedule/Knobs.h"
#include "dialect/Views.h"
#include "momrt/table.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mom;

unsigned mom::pointersOf(Type type) { return isa<BatchType>(type) ? 5 : isa<RouteType>(type) ? 3 : 1; }

KernelBuilder::KernelBuilder(KernelOp kernel, StringRef symbol, Family family)
    : kernel(kernel), loc(kernel.getLoc()), b(kernel.getContext()), symbol(symbol), family(family) {
  outputs.resize(kernel.getNumResults());
}

void KernelBuilder::begin() {
  begin(llvm::to_vector(llvm::seq<unsigned>(0, kernel.getNumResults())));
}

/// Forgets what lies in the function before.
void KernelBuilder::clearFunction() {
  pointers.clear();
  bound.clear();
  scratchBytes = 0;
  team = {};
}

void KernelBuilder::begin(ArrayRef<unsigned> written, StringRef suffix) {
  phaseOutputs = llvm::to_vector(written);
  phaseInputs = llvm::to_vector(kernel.getInputs());
  newWorkspaces.clear();
  argumentSlots.clear();
  outputSlots.assign(outputs.size(), -1);
  workspaceSlots.assign(workspaces.size(), -1);
  clearFunction();
  slots = 2; // counts, status
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    argumentSlots[argument] = slots;
    slots += pointersOf(argument.getType());
  }
  auto place = [&](Value value, int &slot) {
    if (!value)
      return;
    phaseInputs.push_back(value);
    slot = slots++;
  };
  for (auto [value, slot] : llvm::zip_equal(outputs, outputSlots))
    place(value, slot);
  for (auto [value, slot] : llvm::zip_equal(workspaces, workspaceSlots))
    place(value, slot);
  for (unsigned i : phaseOutputs)
    outputSlots[i] = slots++;
  declare(suffix);
}

/// Whether all floats of tokens' rows that a kernel reads and writes have 16 bits.
static bool isNarrow(KernelOp kernel) {
  bool some = false;
  auto allow = [&](Type type) {
    RowsAttr rows = rowsOf(type);
    if (!rows || (rows.getSpace() != RowSpace::token && rows.getSpace() != RowSpace::copy) ||
        !isa<FloatType>(getElementTypeOrSelf(type)))
      return true;
    some = true;
    return getElementTypeOrSelf(type).getIntOrFloatBitWidth() == 16;
  };
  return llvm::all_of(kernel.getInputs().getTypes(), allow) &&
         llvm::all_of(kernel.getOutputs().getTypes(), allow) && some;
}

/// Calling convention and promises that let loads go through the read-only cache:
/// launches never write what they read, except where the training state is
/// updated in place.
void KernelBuilder::describeGpuFunction() {
  function.setCConv(LLVM::CConv::PTX_Kernel);
  std::string size = std::to_string(threads());
  // Denormal numbers stay: with them flushed, LLVM 22 compares bf16 by an instruction
  // that does not exist.
  function.setPassthroughAttr(b.getArrayAttr({b.getStrArrayAttr({"nvvm.reqntid", size})}));
  if (isNarrow(kernel))
    function->setAttr(attr::kNarrow, b.getUnitAttr());
  bool inPlace = llvm::any_of(kernel.getOutputs(), [](Value result) {
    return llvm::any_of(result.getUses(), [](OpOperand &use) {
      auto func = dyn_cast<func::FuncOp>(use.getOwner()->getParentOp());
      return func && isa<func::ReturnOp>(use.getOwner()) &&
             func.getResultAttr(use.getOperandNumber(), attr::kState);
    });
  });
  if (inPlace)
    return;
  unsigned written = phaseOutputs.size() + newWorkspaces.size();
  for (unsigned slot = 0; slot < slots; ++slot) {
    if (slot == 1) // the status record is shared by all threads, and written
      continue;
    function.setArgAttr(slot, LLVM::LLVMDialect::getNoAliasAttrName(), b.getUnitAttr());
    if (slot < slots - written)
      function.setArgAttr(slot, LLVM::LLVMDialect::getReadonlyAttrName(), b.getUnitAttr());
  }
}

/// The empty function of a phase whose slots are numbered.
void KernelBuilder::declare(StringRef suffix) {
  // PTX has no dots in names.
  StringRef separator = family == Family::Gpu ? "$" : ".";
  std::string name = symbol;
  if (!suffix.empty())
    name += (separator + suffix).str();
  // Two kernels of a function may define values of one name.
  auto module = kernel->getParentOfType<ModuleOp>();
  std::string unique = name;
  for (unsigned i = 1; SymbolTable::lookupSymbolIn(module, unique); ++i)
    unique = (name + separator + Twine(i)).str();
  auto ptr = LLVM::LLVMPointerType::get(b.getContext());
  SmallVector<Type> arguments = {ptr, b.getI64Type(), ptr};
  if (family == Family::Gpu)
    arguments.assign(slots, ptr);
  b.setInsertionPoint(kernel->getParentOfType<func::FuncOp>());
  function = LLVM::LLVMFuncOp::create(
      b, loc, unique,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), arguments));
  if (family == Family::Gpu)
    describeGpuFunction();
  functions.push_back(function);
  Block *entry = function.addEntryBlock(b);
  for (BlockArgument argument : entry->getArguments())
    argument.setLoc(loc);
  b.setInsertionPointToStart(entry);
  blockNumber = threadNumber = Value();
}

Value KernelBuilder::specialRegister(StringRef intrinsic, Value &cached) {
  if (cached)
    return cached;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  auto read = LLVM::CallIntrinsicOp::create(b, loc, b.getI32Type(), b.getStringAttr(intrinsic),
                                            ValueRange());
  return cached = arith::ExtUIOp::create(b, loc, b.getI64Type(), read.getResults());
}

Value KernelBuilder::block() {
  if (family == Family::Cpu)
    return function.getArgument(1);
  return specialRegister("llvm.nvvm.read.ptx.sreg.ctaid.x", blockNumber);
}

Value KernelBuilder::thread() {
  return specialRegister("llvm.nvvm.read.ptx.sreg.tid.x", threadNumber);
}

unsigned KernelBuilder::workspace(RankedTensorType type) {
  unsigned id = workspaces.size();
  workspaces.push_back(Value());
  workspaceTypes.push_back(type);
  workspaceSlots.push_back(slots);
  newWorkspaces.push_back(id);
  if (onGpu()) { // one pointer a buffer, and the function is declared already
    auto ptr = LLVM::LLVMPointerType::get(b.getContext());
    SmallVector<Type> types(function.getArgumentTypes());
    types.push_back(ptr);
    function.setFunctionType(
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), types));
    function.getBody().front().addArgument(ptr, loc);
    SmallVector<Attribute> attributes(types.size() - 1, b.getDictionaryAttr({}));
    if (ArrayAttr given = function.getArgAttrsAttr())
      llvm::copy(given, attributes.begin());
    attributes.push_back(b.getDictionaryAttr(
        b.getNamedAttr(LLVM::LLVMDialect::getNoAliasAttrName(), b.getUnitAttr())));
    function.setArgAttrsAttr(b.getArrayAttr(attributes));
  }
  ++slots;
  return id;
}

void KernelBuilder::finishFunction() {
  LLVM::ReturnOp::create(b, loc, ValueRange());
  function->setAttr(onGpu() ? attr::kShared : attr::kScratch, b.getI64IntegerAttr(scratchBytes));
  if (onGpu())
    function->setAttr(attr::kThreads, b.getI64IntegerAttr(threads()));
}

void KernelBuilder::beginOther(StringRef suffix) {
  clearFunction();
  declare(suffix);
}

void KernelBuilder::finishOther(GridAttr grid) {
  finishFunction();
  LaunchOp launch = launches.back();
  launch.setOtherAttr(FlatSymbolRefAttr::get(function.getSymNameAttr()));
  launch.setOtherGridAttr(grid);
}

void KernelBuilder::finish(GridAttr grid) {
  finishFunction();
  SmallVector<Type> types;
  for (unsigned i : phaseOutputs)
    types.push_back(kernel.getResult(i).getType());
  for (unsigned id : newWorkspaces)
    types.push_back(workspaceTypes[id]);
  b.setInsertionPoint(kernel);
  auto launch = LaunchOp::create(b, loc, types, FlatSymbolRefAttr::get(function.getSymNameAttr()),
                                 grid, phaseInputs);
  launch->setDiscardableAttrs(kernel->getDiscardableAttrDictionary()); // what others noted
  launches.push_back(launch);
  unsigned next = 0;
  for (unsigned i : phaseOutputs)
    outputs[i] = launch.getResult(next++);
  for (unsigned id : newWorkspaces)
    workspaces[id] = launch.getResult(next++);
}

void KernelBuilder::finishSum(int64_t blocks) {
  finish(fixedGrid(blocks));
  mayJoin("sums");
}

void KernelBuilder::mayJoin(StringRef kind) {
  launches.back()->setAttr(attr::kJoins, b.getStringAttr(kind));
}

void KernelBuilder::replaceKernel() {
  kernel.replaceAllUsesWith(outputs);
  kernel.erase();
}

void KernelBuilder::abandon() {
  for (LaunchOp launch : llvm::reverse(launches))
    launch.erase();
  for (LLVM::LLVMFuncOp f : functions)
    f.erase();
}

GridAttr KernelBuilder::rowGrid(RowSpace space, int64_t tile, int64_t extra, int64_t factor) {
  return GridAttr::get(b.getContext(), b.getStringAttr(stringifyRowSpace(space)), tile, extra,
                       factor);
}

GridAttr KernelBuilder::rowGrid(RowsAttr rows, int64_t tile, int64_t extra, int64_t factor) {
  if (rows.getSpace() != RowSpace::copy)
    return rowGrid(rows.getSpace(), tile, extra, factor);
  int64_t copies = rows.getChunk(); // of each token
  if (tile % copies == 0)
    return rowGrid(RowSpace::token, tile / copies, extra, factor);
  return rowGrid(RowSpace::token, tile, llvm::divideCeil(extra, copies), factor * copies);
}

GridAttr KernelBuilder::fixedGrid(int64_t blocks) {
  return GridAttr::get(b.getContext(), StringAttr(), 1, 0, blocks);
}

int64_t KernelBuilder::knob(StringRef name) {
  return kernel.getScheduleAttr().getAs<IntegerAttr>(name).getInt();
}

/// The pointer of a slot, loaded once at the function's start.
Value KernelBuilder::pointer(unsigned slot) {
  if (family == Family::Gpu)
    return function.getArgument(slot);
  Value &value = pointers[slot];
  if (value)
    return value;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  auto ptr = LLVM::LLVMPointerType::get(b.getContext());
  Value at = LLVM::GEPOp::create(b, loc, ptr, ptr, function.getArgument(0),
                                 ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(slot)});
  return pointers[slot] = LLVM::LoadOp::create(b, loc, ptr, at);
}

Value KernelBuilder::pointer(Value source, Field field) {
  if (auto route = source.getDefiningOp<ModalityRouteOp>())
    source = route.getBatch();
  unsigned slot = argumentSlots.lookup(source);
  assert(slot && "batch or route is not an input of the kernel");
  return pointer(slot + field - (isa<RouteType>(source.getType()) ? Offsets : Segments));
}

Value KernelBuilder::status() { return pointer(1); }

Value KernelBuilder::count(RowSpace space) {
  unsigned which = space == RowSpace::stream     ? MOMRT_COUNT_STREAM
                   : space == RowSpace::document ? MOMRT_COUNT_DOCUMENT
                                                 : MOMRT_COUNT_TOKEN;
  return loadScalar(pointer(0u), b.getI64Type(), index(which));
}

Value KernelBuilder::segmentCount() {
  return loadScalar(pointer(0u), b.getI64Type(), index(MOMRT_COUNT_SEGMENT));
}

Value KernelBuilder::count(Type type) {
  RowsAttr rows = rowsOf(type);
  if (!rows)
    return index(cast<RankedTensorType>(type).getDimSize(0));
  if (rows.getSpace() == RowSpace::copy)
    return mul(count(RowSpace::token), rows.getChunk());
  if (rows.getSpace() != RowSpace::chunk)
    return count(rows.getSpace());
  return add(div(count(RowSpace::token), rows.getChunk()), segmentCount());
}

View KernelBuilder::tensorView(Type type, Value base) {
  auto tensor = cast<RankedTensorType>(type);
  int64_t channels = tensor.getRank() ? tensor.getShape().back() : 1;
  // Buffers begin at a multiple of MOMRT_ALIGNMENT, and so do rounds of a stack whose
  // elements are a multiple of it; a row's own bytes bound the rest.
  int64_t bytes = tensor.getElementTypeBitWidth() / 8 * channels;
  int64_t unit =
      isRows(type) ? bytes : tensor.getElementTypeBitWidth() / 8 * tensor.getNumElements();
  int64_t alignment = std::gcd(std::gcd<int64_t>(bytes, unit), MOMRT_ALIGNMENT);
  return View{base, channels, channels, tensor.getElementType(), {}, {}, alignment};
}

View KernelBuilder::view(Value value) {
  if (auto it = bound.find(value); it != bound.end())
    return it->second;
  if (isa<BlockArgument>(value))
    return isa<RankedTensorType>(value.getType())
               ? tensorView(value.getType(), pointer(argumentSlots.lookup(value)))
               : View();
  if (auto extend = value.getDefiningOp<arith::ExtFOp>())
    return view(extend.getIn());
  auto split = value.getDefiningOp<SplitOp>();
  if (!split)
    return {};
  View whole = view(split.getX());
  if (!whole)
    return {};
  int64_t column = 0;
  for (Value part : split.getParts().take_front(cast<OpResult>(value).getResultNumber()))
    column += channelsOf(part);
  whole.base = address(whole.base, whole.element, index(column));
  whole.channels = channelsOf(value);
  whole.alignment = std::gcd(whole.alignment, column * whole.element.getIntOrFloatBitWidth() / 8);
  return whole;
}

bool KernelBuilder::inMemory(Value value) {
  if (bound.contains(value))
    return true;
  if (isa<BlockArgument>(value))
    return isa<RankedTensorType>(value.getType());
  if (auto extend = value.getDefiningOp<arith::ExtFOp>())
    return inMemory(extend.getIn());
  auto split = value.getDefiningOp<SplitOp>();
  return split && inMemory(split.getX());
}

View KernelBuilder::output(unsigned i) {
  assert(outputSlots[i] >= 0 && "output is not of this phase");
  Value result = kernel.getResult(i);
  View view = tensorView(result.getType(), pointer(outputSlots[i]));
  if (Joined joined = joinedIn(result); joined.whole) {
    int64_t bytes = view.element.getIntOrFloatBitWidth() / 8;
    view.stride = channelsOf(joined.whole.getY());
    view.alignment =
        std::gcd(std::gcd(view.stride, joined.column) * bytes, int64_t(MOMRT_ALIGNMENT));
  }
  return view;
}

View KernelBuilder::workspaceView(unsigned id) {
  assert(workspaceSlots[id] >= 0 && "workspace is not of this phase");
  return tensorView(workspaceTypes[id], pointer(workspaceSlots[id]));
}

Value KernelBuilder::yielded(unsigned i) {
  return kernel.getBody().front().getTerminator()->getOperand(i);
}

Value KernelBuilder::scratch(int64_t bytes) {
  if (onGpu()) {
    int64_t each = llvm::alignTo(bytes, 64);
    Value all = shared(each * teams());
    return address(all, b.getI8Type(), mul(teamNumber(), each));
  }
  Value base = function.getArgument(2);
  Value at = address(base, b.getI8Type(), index(scratchBytes));
  scratchBytes += llvm::alignTo(bytes, 64);
  return at;
}

View KernelBuilder::scratchView(int64_t rows, int64_t channels) {
  return View{scratch(rows * channels * 4), channels, channels, b.getF32Type(), {}, {}};
}

Segment KernelBuilder::segment(Value batch, Value i) {
  auto field = [&](int64_t f) { return segmentField(batch, i, f); };
  return Segment{field(0), field(1), field(2), field(3)};
}

Value KernelBuilder::longestSegment(Value batch, Value i) {
  return segmentField(batch, i, offsetof(momrt_segment_record, longest) / 8);
}

Value KernelBuilder::longestLength(Value batch) {
  return segmentField(batch, index(0), offsetof(momrt_segment_record, longest_length) / 8);
}

Value KernelBuilder::segmentField(Value batch, Value i, int64_t field) {
  Value at = add(mul(i, sizeof(momrt_segment_record) / 8), field);
  return loadScalar(pointer(batch, Segments), b.getI64Type(), at);
}

Value KernelBuilder::segmentOf(Value batch, Value position) {
  return searchSegments([&](Value s) { return less(position, segmentField(batch, s, 0)); });
}

Value KernelBuilder::segmentOfChunk(Value batch, Value row, int64_t tokens) {
  return searchSegments(
      [&](Value s) { return less(row, add(div(segmentField(batch, s, 0), tokens), s)); });
}

Value KernelBuilder::searchSegments(function_ref<Value(Value)> after) {
  Value segments = segmentCount();
  SmallVector<Type> types(2, b.getI64Type());
  auto search = scf::WhileOp::create(
      b, loc, types, ValueRange{index(0), segments},
      [&](OpBuilder &nested, Location, ValueRange range) {
        OpBuilder::InsertionGuard guard(b);
        b.restoreInsertionPoint(nested.saveInsertionPoint());
        scf::ConditionOp::create(b, loc, less(index(1), sub(range[1], range[0])), range);
      },
      [&](OpBuilder &nested, Location, ValueRange range) {
        OpBuilder::InsertionGuard guard(b);
        b.restoreInsertionPoint(nested.saveInsertionPoint());
        Value middle = div(add(range[0], range[1]), 2);
        Value isAfter = after(middle);
        scf::YieldOp::create(
            b, loc,
            ValueRange{select(isAfter, range[0], middle), select(isAfter, middle, range[1])});
      });
  return search.getResult(0);
}

Value KernelBuilder::modalityAt(Value batch, Value position) {
  return loadScalar(pointer(batch, Modality), b.getI32Type(), position);
}

Value KernelBuilder::rowAt(Value source, Value position) {
  Value row = loadScalar(pointer(source, RowOf), b.getI32Type(), position);
  return arith::ExtSIOp::create(b, loc, b.getI64Type(), row);
}

Value KernelBuilder::rowsAt(Value source, Value position, int64_t lanes) {
  Value at = address(pointer(source, RowOf), b.getI32Type(), position);
  return LLVM::LoadOp::create(b, loc, lanesOf(b.getI32Type(), lanes), at, 4 * lanes);
}

Value KernelBuilder::positionAt(Value source, Value row) {
  Value position = loadScalar(pointer(source, PositionOf), b.getI32Type(), row);
  return arith::ExtSIOp::create(b, loc, b.getI64Type(), position);
}

Value KernelBuilder::offset(Value source, Value group) {
  return loadScalar(pointer(source, Offsets), b.getI64Type(), group);
}

Value KernelBuilder::groupOf(Value route, Value row) {
  Value group = index(0);
  for (int64_t g = 1, groups = cast<RouteType>(route.getType()).getGroups(); g < groups; ++g) {
    Value before = less(row, offset(route, index(g)));
    group = select(before, group, index(g));
  }
  return group;
}

Value KernelBuilder::rowAt(Value source, RowsAttr rows, Value position) {
  return rows.getRoute() ? rowAt(source, position) : position;
}

Value KernelBuilder::orderSource(RowsAttr rows) {
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    auto route = dyn_cast<RouteType>(argument.getType());
    if (isa<BatchType>(argument.getType()) || (route && route.getName() == rows.getRoute()))
      return argument;
  }
  return {};
}
