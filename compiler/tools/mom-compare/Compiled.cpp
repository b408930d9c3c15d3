// Functions as machine code, to be compared with the reference.
#include "compiler/tools/mom-compare/Compiled.h"

#include "compiler/Target/Emulator/Emulator.h"
#include "compiler/Target/Program.h"
#include "compiler/tools/mom-compare/Inputs.h"
#include "runtime/RunFile.h"

#include "mlir/Transforms/Passes.h"

#include <cstring>

using namespace mlir;
using namespace mom;
using namespace mom::compare;
using Values = SmallVector<reference::Value>;

// Few enough to finish in no time, and no divisor of usual numbers of blocks.
static constexpr int kThreads = 3;

static std::string inputName(unsigned index) { return "argument" + std::to_string(index); }
static std::string resultName(unsigned index) { return "result" + std::to_string(index); }

/// Callers hand in and get tensors of the batch's rows, by position.
static LogicalResult checkInterface(func::FuncOp func) {
  auto check = [&](Type type, StringRef what, unsigned index) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(type);
    RowsAttr rows = rowsOf(type);
    bool good = tensor && tensor.hasStaticShape();
    if (rows)
      good = !rows.getRoute() && rows.getSpace() != RowSpace::chunk &&
             rows.getSpace() != RowSpace::copy;
    if (good && !getElementTypeOrSelf(type).isInteger(1))
      return success();
    return func.emitError() << what << " #" << index
                            << ": compiled code takes and gives static tensors and rows by "
                               "position of tokens, streams and documents, but the type is "
                            << type;
  };
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
    if (!isa<BatchType>(type) && failed(check(type, "argument", i)))
      return failure();
  for (auto [i, type] : llvm::enumerate(func.getResultTypes()))
    if (failed(check(type, "result", i)))
      return failure();
  return success();
}

/// Makes `name` the one entry of `module`, all its arguments the caller's data.
static void makeEntry(ModuleOp module, StringRef name, int64_t groups) {
  Builder b(module.getContext());
  SmallVector<Attribute> modalities;
  for (int64_t i = 0; i < groups; ++i)
    modalities.push_back(b.getStringAttr("m" + Twine(i)));
  module->setAttr(attr::kModalities,
                  b.getDictionaryAttr(b.getNamedAttr("M", b.getArrayAttr(modalities))));
  module->removeAttr(attr::kModel);
  module->removeAttr(attr::kTrain);
  for (auto func : module.getOps<func::FuncOp>()) {
    func->removeAttr(attr::kEntry);
    func.setPrivate(); // and erased, unless the entry calls it
  }
  auto func = module.lookupSymbol<func::FuncOp>(name);
  func.setPublic();
  func->removeAttr(attr::kLayer);
  func->removeAttr(attr::kJoint);
  func->setAttr(attr::kEntry, b.getStringAttr(kEntryName));
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    func.setArgAttrs(i, ArrayRef(b.getNamedAttr(attr::kInput, b.getStringAttr(inputName(i)))));
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    func.setResultAttrs(i, ArrayRef(b.getNamedAttr(attr::kOutput, b.getStringAttr(resultName(i)))));
}

LogicalResult compare::compileFunction(func::FuncOp func, const PipelineOptions &options,
                                       StringRef symbol, SmallVectorImpl<char> &object,
                                       const KnobChoice &knobs) {
  if (failed(checkInterface(func)))
    return failure();
  OwningOpRef<ModuleOp> module = func->getParentOfType<ModuleOp>().clone();
  makeEntry(*module, func.getSymName(), countGroups(func));
  auto runStages = [&](Stage first, Stage last) {
    PassManager passes(func.getContext());
    if (first == Stage::Ordered)
      passes.addPass(createSymbolDCEPass()); // one order is chosen for all that is there
    for (const StageInfo &info : stages())
      if (info.stage >= first && info.stage <= last)
        addStage(info.stage, passes, options);
    return passes.run(*module);
  };
  if (failed(runStages(Stage::Ordered, Stage::Stored)))
    return failure();
  chooseKnobs(*module, options, knobs);
  if (failed(runStages(Stage::Scheduled, Stage::Lowered)))
    return failure();
  CodeOptions code = codeOptions(options);
  code.ptx = false; // checks run where they were compiled for
  return compileProgram(TargetModule{*module, code}, symbol, kEntryName, object,
                        /*assembly=*/false, [&] { return func.emitError(); });
}

FailureOr<const momrt_program *> CompiledFunctions::compile(func::FuncOp func) {
  if (auto found = programs.find(func); found != programs.end())
    return found->second.program;
  auto report = [&] { return func.emitError(); };
  std::string symbol = programSymbol(kEntryName);
  SmallVector<char> object;
  if (failed(compileFunction(func, options, symbol, object, knobs)))
    return failure();
  FailureOr<std::unique_ptr<Jit>> jit = Jit::create(report);
  if (failed(jit) || failed((*jit)->load(object, report)))
    return failure();
  auto *program = static_cast<const momrt_program *>((*jit)->lookup(symbol));
  if (!program)
    return func.emitError() << "the compiled program has no symbol " << symbol;
  programs[func] = Program{std::move(*jit), program};
  return program;
}

momrt::BatchDescription compare::describe(const reference::Batch &batch) {
  momrt::BatchDescription description;
  description.streams = batch.streams;
  description.documents = batch.documents;
  description.modality = batch.modality;
  for (const reference::Segment &segment : batch.segments)
    description.segments.push_back({segment.start, segment.length, segment.initial, segment.final});
  return description;
}

/// Equal as bits: NaN equals itself, and 0 differs from -0.
static bool sameBits(const std::vector<double> &a, const std::vector<double> &b) {
  return a.size() == b.size() &&
         (a.empty() || !std::memcmp(a.data(), b.data(), a.size() * sizeof(double)));
}

FailureOr<Values> CompiledFunctions::execute(func::FuncOp func,
                                             ArrayRef<reference::Value> arguments) {
  FailureOr<const momrt_program *> program = compile(func);
  if (failed(program))
    return failure();
  momrt::Request request;
  const reference::Batch *batch = nullptr;
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    if (argument.batch())
      batch = argument.batch();
    else if (const reference::Tensor *tensor = argument.tensor())
      request.tensors.push_back(
          {inputName(i), MOMRT_F32, {tensor->shape.begin(), tensor->shape.end()}, tensor->data});
  }
  if (batch)
    request.batch = describe(*batch);

  std::vector<momrt::NamedTensor> outputs, others;
  for (auto [threads, results] : {std::pair(1, &outputs), {kThreads, &others}}) {
    momrt::SessionOptions session;
    session.threads = threads;
    session.poison = true;
    setEmulatorReverse(threads > 1);
    // A GPU's kernels load whole vectors, a CPU's take any address.
    size_t lend = threads == 1 ? 0 : options.emulate ? 16 : 4;
    std::string error =
        momrt::runEntry(*program, session, kEntryName.str(), request, {}, *results, lend);
    if (!error.empty())
      return func.emitError() << error;
  }
  Values values;
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    auto isResult = [&](const momrt::NamedTensor &tensor) { return tensor.name == resultName(i); };
    auto found = llvm::find_if(outputs, isResult), other = llvm::find_if(others, isResult);
    if (found == outputs.end() || other == others.end())
      return func.emitError() << "the compiled program has no result #" << i;
    if (!sameBits(found->data, other->data))
      return func.emitError() << "result #" << i << ": one thread on memory of its own and "
                              << kThreads << " on lent memory give different bits";
    reference::Tensor tensor;
    tensor.shape = reference::shapeFor(cast<RankedTensorType>(func.getResultTypes()[i]), batch);
    tensor.data = std::move(found->data);
    values.push_back(std::move(tensor));
  }
  return values;
}

void compare::roundToFloat(MutableArrayRef<reference::Value> values) {
  for (reference::Value &value : values)
    if (reference::Tensor *tensor = value.tensor())
      for (double &x : tensor->data)
        x = static_cast<float>(x);
}
