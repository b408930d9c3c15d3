// mom-join-launches: last sums of several kernels are one launch, and so are products side
// by side of which none reads another.
//
// A layer's backward has four such sums, of some microseconds each, most of which a device
// spends beginning and ending. Of two products, one begins as the other ends. Functions become
// one, whose blocks are dealt out.
#include "compiler/Emit/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace mom {
#define GEN_PASS_DECL_JOINLAUNCHESPASS
#define GEN_PASS_DEF_JOINLAUNCHESPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static int64_t numberOf(LLVM::LLVMFuncOp function, StringRef name) {
  return function->getAttrOfType<IntegerAttr>(name).getInt();
}

namespace {
/// A launch, its function, and which of its inputs that one uses.
struct Part {
  LaunchOp launch;
  int64_t blocks;
  LLVM::LLVMFuncOp function;
  SmallVector<Value> inputs = {};
  SmallVector<unsigned> arguments = {}; ///< of the function, after counts and status

  int64_t threads() { return numberOf(function, attr::kThreads); }
};

class Joined {
public:
  Joined(ArrayRef<LaunchOp> launches, SymbolTable &symbols)
      : symbols(symbols), last(launches.back()), b(last) {
    for (LaunchOp launch : launches)
      parts.push_back(partOf(launch));
    // Sums of few blocks have most to do each, so they begin. Products all have as many.
    llvm::stable_sort(parts, [](const Part &x, const Part &y) { return x.blocks < y.blocks; });
  }

  void create() {
    auto first = last->getParentOfType<func::FuncOp>();
    b.setInsertionPoint(first);
    std::string name = nameIn(first.getSymName());
    LLVM::LLVMFuncOp function = declare(name);
    fill(function);
    replaceLaunches(function);
    for (Part &part : parts)
      symbols.erase(part.function);
  }

private:
  /// Of sums `<function>$sums`, of products those of all.
  std::string nameIn(StringRef function) {
    std::string prefix = (function + "$").str(), name = prefix;
    llvm::replace(name, '.', '$'); // PTX has no dots in names
    if (last->getAttrOfType<StringAttr>(attr::kJoins).getValue() == "sums")
      return name + "sums";
    for (Part &part : parts) {
      std::string tail = part.launch.getCallee().drop_front(prefix.size()).str();
      llvm::replace(tail, '$', '_');
      name += (&part == parts.begin() ? "" : "_") + tail;
    }
    return name;
  }

  Part partOf(LaunchOp launch) {
    Part part{launch, launch.getGrid().getFactor(),
              symbols.lookup<LLVM::LLVMFuncOp>(launch.getCallee())};
    Block &body = part.function.getBody().front();
    unsigned slot = 2;
    auto isUsed = [&](unsigned i) { return !body.getArgument(i).use_empty(); };
    for (Value input : launch.getInputs()) {
      auto slots = llvm::seq<unsigned>(slot, slot + pointersOf(input.getType()));
      slot += pointersOf(input.getType());
      if (llvm::none_of(slots, isUsed))
        continue;
      part.inputs.push_back(input);
      llvm::append_range(part.arguments, slots);
    }
    llvm::append_range(part.arguments, llvm::seq<unsigned>(slot, body.getNumArguments()));
    return part;
  }

  /// All inputs come before all results.
  SmallVector<std::pair<Part *, unsigned>> argumentsInOrder() {
    SmallVector<std::pair<Part *, unsigned>> inputs, results;
    for (Part &part : parts)
      for (unsigned argument : part.arguments) {
        unsigned firstResult = part.function.getNumArguments() - part.launch->getNumResults();
        (argument < firstResult ? inputs : results).push_back({&part, argument});
      }
    inputs.append(results);
    return inputs;
  }

  LLVM::LLVMFuncOp declare(const std::string &name) {
    auto order = argumentsInOrder();
    auto ptr = LLVM::LLVMPointerType::get(b.getContext());
    SmallVector<Type> types(2 + order.size(), ptr);
    auto function = LLVM::LLVMFuncOp::create(
        b, last.getLoc(), name,
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), types));
    function.setCConv(LLVM::CConv::PTX_Kernel);
    for (auto [i, from] : llvm::enumerate(order))
      if (DictionaryAttr attributes = from.first->function.getArgAttrDict(from.second))
        function.setArgAttrs(2 + i, attributes);
    int64_t threads = 0, shared = 0;
    for (Part &part : parts) {
      threads = std::max(threads, part.threads());
      shared = std::max(shared, numberOf(part.function, attr::kShared));
    }
    function->setAttr(attr::kThreads, b.getI64IntegerAttr(threads));
    function->setAttr(attr::kShared, b.getI64IntegerAttr(shared));
    ArrayAttr told = parts.front().function.getPassthroughAttr();
    bool alike =
        llvm::all_of(parts, [&](Part &part) { return part.function.getPassthroughAttr() == told; });
    ArrayAttr size = b.getStrArrayAttr({"nvvm.reqntid", std::to_string(threads)});
    function.setPassthroughAttr(alike ? told : b.getArrayAttr({size}));
    if (llvm::all_of(parts, [](const Part &part) {
          return LLVM::LLVMFuncOp(part.function)->hasAttr(attr::kNarrow);
        }))
      function->setAttr(attr::kNarrow, b.getUnitAttr());
    symbols.insert(function); // makes the name unique
    return function;
  }

  void fill(LLVM::LLVMFuncOp function) {
    Block *entry = function.addEntryBlock(b);
    b.setInsertionPointToStart(entry);
    Location loc = function.getLoc();
    Value block = read("ctaid", loc), thread = read("tid", loc);
    DenseMap<std::pair<Part *, unsigned>, Value> given;
    for (auto [i, from] : llvm::enumerate(argumentsInOrder()))
      given[from] = entry->getArgument(2 + i);
    OpBuilder::InsertionGuard guard(b);
    int64_t begin = 0;
    for (Part &part : parts) {
      IRMapping map;
      Block &body = part.function.getBody().front();
      for (unsigned i : {0, 1})
        map.map(body.getArgument(i), entry->getArgument(i));
      for (unsigned argument : part.arguments)
        map.map(body.getArgument(argument), given[{&part, argument}]);
      // One in the else of the other: what a part needs is not kept through the others.
      Value own = arith::SubIOp::create(b, loc, block, i32(begin, loc));
      auto branch = scf::IfOp::create(b, loc, less(own, part.blocks, loc), /*withElseRegion=*/true);
      b.setInsertionPointToStart(branch.thenBlock());
      if (part.threads() < numberOf(function, attr::kThreads)) {
        auto some = scf::IfOp::create(b, loc, less(thread, part.threads(), loc),
                                      /*withElseRegion=*/false);
        b.setInsertionPointToStart(some.thenBlock());
      }
      for (Operation &op : body.without_terminator())
        copy(op, map, own, part.threads());
      begin += part.blocks;
      b.setInsertionPointToStart(branch.elseBlock());
    }
    b.setInsertionPointToEnd(entry);
    LLVM::ReturnOp::create(b, loc, ValueRange());
  }

  /// Blocks are counted from the part's first; its threads, not all, meet.
  void copy(Operation &op, IRMapping &map, Value block, int64_t threads) {
    auto call = dyn_cast<LLVM::CallIntrinsicOp>(op);
    if (call && call.getIntrin().ends_with("sreg.ctaid.x"))
      return map.map(call.getResult(0), block);
    b.clone(op, map)->walk([&](LLVM::CallIntrinsicOp inside) {
      if (inside.getIntrin() != "llvm.nvvm.barrier.cta.sync.aligned.all")
        return;
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(inside);
      inside.setIntrin("llvm.nvvm.barrier.cta.sync.aligned.count");
      inside.getArgsMutable().append(i32(threads, inside.getLoc()));
    });
  }

  Value read(StringRef what, Location loc) {
    auto name = b.getStringAttr("llvm.nvvm.read.ptx.sreg." + what + ".x");
    return LLVM::CallIntrinsicOp::create(b, loc, b.getI32Type(), name, ValueRange()).getResult(0);
  }
  Value i32(int64_t value, Location loc) { return arith::ConstantIntOp::create(b, loc, value, 32); }
  Value less(Value x, int64_t limit, Location loc) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, x, i32(limit, loc));
  }

  void replaceLaunches(LLVM::LLVMFuncOp function) {
    SmallVector<Value> inputs;
    SmallVector<Type> types;
    int64_t blocks = 0;
    for (Part &part : parts) {
      llvm::append_range(inputs, part.inputs);
      llvm::append_range(types, part.launch.getResultTypes());
      blocks += part.blocks;
    }
    b.setInsertionPoint(last);
    auto joined =
        LaunchOp::create(b, last.getLoc(), types, FlatSymbolRefAttr::get(function.getSymNameAttr()),
                         GridAttr::get(b.getContext(), StringAttr(), 1, 0, blocks), inputs);
    SmallVector<Attribute> noted;
    for (Part &part : parts)
      noted.push_back(part.launch->getDiscardableAttrDictionary());
    joined->setAttr(attr::kJoined, b.getArrayAttr(noted));
    unsigned next = 0;
    for (Part &part : parts) {
      for (Value result : part.launch.getResults())
        result.replaceAllUsesWith(joined.getResult(next++));
      part.launch.erase();
    }
  }

  SymbolTable &symbols;
  LaunchOp last;
  OpBuilder b;
  SmallVector<Part> parts;
};

class JoinLaunchesPass : public mom::impl::JoinLaunchesPassBase<JoinLaunchesPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (StringRef kind : {"sums", "products"}) // sums move away from between products
      for (auto func : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
        for (ArrayRef<LaunchOp> launches : groupsOf(func, kind))
          if (launches.size() > 1)
            Joined(launches, symbols).create();
  }

private:
  /// Launches that can wait for the last of their group: nothing reads them before. Products
  /// stand side by side: what they read shall not be kept longer.
  static SmallVector<SmallVector<LaunchOp>> groupsOf(func::FuncOp func, StringRef kind) {
    SmallVector<SmallVector<LaunchOp>> groups(1);
    for (Operation &op : func.getBody().front()) {
      auto isOurs = [&](Value v) {
        auto launch = v.getDefiningOp<LaunchOp>();
        return launch && llvm::is_contained(groups.back(), launch);
      };
      auto launch = dyn_cast<LaunchOp>(op);
      bool joins =
          launch && launch->getAttr(attr::kJoins) == StringAttr::get(func.getContext(), kind);
      bool between = kind == "products" && isa<LaunchOp, RepeatOp>(op) && !joins;
      if (between || llvm::any_of(op.getOperands(), isOurs))
        groups.emplace_back();
      if (joins)
        groups.back().push_back(launch);
    }
    return groups;
  }
};
} // namespace
