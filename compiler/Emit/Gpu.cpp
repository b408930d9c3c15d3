// What only a GPU has.
#include "compiler/Emit/Gpu.h"

#include "compiler/Schedule/Knobs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mom;

static LLVM::LLVMPointerType sharedPointer(MLIRContext *context) {
  return LLVM::LLVMPointerType::get(context, /*addressSpace=*/3);
}

Value Gpu::intrinsic(StringRef name, Type result, ValueRange operands) {
  OpBuilder &b = k.b;
  if (!result) {
    LLVM::CallIntrinsicOp::create(b, k.loc, b.getStringAttr(name), operands);
    return {};
  }
  return LLVM::CallIntrinsicOp::create(b, k.loc, result, b.getStringAttr(name), operands)
      .getResult(0);
}

Value Gpu::assembly(StringRef name, Type result, ValueRange operands, StringRef text,
                    StringRef constraints, bool sideEffects) {
  OpBuilder &b = k.b;
  std::string named = ("// momc." + name + "\n\t" + text).str();
  auto op = LLVM::InlineAsmOp::create(
      b, k.loc, result ? TypeRange(result) : TypeRange(), operands, b.getStringAttr(named),
      b.getStringAttr(constraints), sideEffects ? b.getUnitAttr() : UnitAttr(), UnitAttr(),
      LLVM::TailCallKindAttr(), LLVM::AsmDialectAttr(), ArrayAttr());
  return result ? op.getResult(0) : Value();
}

Value Gpu::i32(int64_t value) {
  return arith::ConstantOp::create(k.b, k.loc, k.b.getI32IntegerAttr(static_cast<int32_t>(value)));
}

Value Gpu::toI32(Value v) {
  return v.getType().isInteger(32) ? v
                                   : arith::TruncIOp::create(k.b, k.loc, k.b.getI32Type(), v);
}
Value Gpu::toI64(Value v) { return arith::ExtUIOp::create(k.b, k.loc, k.b.getI64Type(), v); }

void Gpu::barrier() { intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", {}, {i32(0)}); }

void Gpu::barrier(int64_t id, int64_t threads) {
  intrinsic("llvm.nvvm.barrier.cta.sync.aligned.count", {}, {i32(id), i32(threads)});
}

void Gpu::warpBarrier() { intrinsic("llvm.nvvm.bar.warp.sync", {}, {i32(-1)}); }

void Gpu::clusterBarrier() {
  intrinsic("llvm.nvvm.barrier.cluster.arrive", {}, {});
  intrinsic("llvm.nvvm.barrier.cluster.wait", {}, {});
}

/// Shuffles move 32 bits; f64 goes in two halves.
Value Gpu::shuffleAs(StringRef how, Value value, Value argument, int64_t clamp) {
  OpBuilder &b = k.b;
  Type type = value.getType();
  auto whole = [&](Value bits) {
    return intrinsic(("llvm.nvvm.shfl.sync." + how + ".i32").str(), b.getI32Type(),
                     {i32(-1), bits, argument, i32(clamp)});
  };
  if (type.getIntOrFloatBitWidth() == 32) {
    Value bits =
        type.isInteger() ? value : arith::BitcastOp::create(b, k.loc, b.getI32Type(), value);
    Value moved = whole(bits);
    return type.isInteger() ? moved : arith::BitcastOp::create(b, k.loc, type, moved);
  }
  Value bits = type.isInteger() ? value : arith::BitcastOp::create(b, k.loc, b.getI64Type(), value);
  Value high = arith::ShRUIOp::create(b, k.loc, bits, k.index(32));
  Value moved = arith::OrIOp::create(
      b, k.loc, toI64(whole(toI32(bits))),
      arith::ShLIOp::create(b, k.loc, toI64(whole(toI32(high))), k.index(32)));
  return type.isInteger() ? moved : arith::BitcastOp::create(b, k.loc, type, moved);
}

Value Gpu::shuffleXor(Value value, int64_t mask) { return shuffleAs("bfly", value, i32(mask), 31); }
Value Gpu::shuffle(Value value, Value from) { return shuffleAs("idx", value, toI32(from), 31); }
Value Gpu::shuffleUp(Value value, int64_t distance) {
  return shuffleAs("up", value, i32(distance), 0);
}

Value Gpu::ballot(Value condition) {
  return intrinsic("llvm.nvvm.vote.ballot.sync", k.b.getI32Type(), {i32(-1), condition});
}

Value Gpu::combine(Reduction kind, Value x, Value y) {
  if (x.getType().isInteger())
    return kind == Reduction::max ? k.max(x, y) : k.add(x, y);
  if (kind == Reduction::max)
    return arith::MaximumFOp::create(k.b, k.loc, x, y);
  return arith::AddFOp::create(k.b, k.loc, x, y);
}

Value Gpu::combineLanes(Reduction kind, Value value, int64_t lanes) {
  // x + y and y + x are the same bits, so both partners get the same sum.
  for (int64_t mask = lanes / 2; mask; mask /= 2)
    value = combine(kind, value, shuffleXor(value, mask));
  return value;
}

Value Gpu::combineBlock(Reduction kind, Value value) {
  int64_t warps = k.threads() / kWarp;
  Type type = value.getType();
  value = combineLanes(kind, value);
  if (warps == 1)
    return value;
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  Value parts = k.shared(warps * bytes);
  k.ifThen(k.equal(lane(), k.index(0)), [&] {
    LLVM::StoreOp::create(k.b, k.loc, value, k.address(parts, type, warp()), bytes);
  });
  barrier();
  Value sum;
  for (int64_t w = 0; w < warps; ++w) {
    Value part = k.loadScalar(parts, type, k.index(w));
    sum = sum ? combine(kind, sum, part) : part;
  }
  barrier(); // before somebody uses the parts again
  return sum;
}

void Gpu::copyAsync(Value shared, Value global, Value present, int64_t bytes) {
  auto globalPointer = LLVM::LLVMPointerType::get(k.b.getContext(), 1);
  Value from = LLVM::AddrSpaceCastOp::create(k.b, k.loc, globalPointer, global);
  if (!present) {
    // Fewer bytes go by the first-level cache only.
    std::string how = (bytes == 16 ? "cg.shared.global." : "ca.shared.global.");
    return void(intrinsic("llvm.nvvm.cp.async." + how + std::to_string(bytes), {}, {shared, from}));
  }
  Value count = arith::SelectOp::create(k.b, k.loc, present, i32(16), i32(0));
  intrinsic("llvm.nvvm.cp.async.cg.shared.global.16.s", {}, {shared, from, count});
}

void Gpu::commitCopies() { intrinsic("llvm.nvvm.cp.async.commit.group", {}, {}); }
void Gpu::waitCopies(int64_t pending) {
  intrinsic("llvm.nvvm.cp.async.wait.group", {}, {i32(pending)});
}

//===----------------------------------------------------------------------===//
// Teams and shared memory of the kernel builder
//===----------------------------------------------------------------------===//

void KernelBuilder::formTeams(int64_t size) {
  assert(llvm::isPowerOf2_64(size) && size <= threads() && "a team is a part of the block");
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfterValue(thread());
  team.size = size;
  team.number = div(thread(), size);
  team.rank = rem(thread(), size);
}

Value KernelBuilder::teamNumber() { return team.number ? team.number : index(0); }
Value KernelBuilder::teamRank() { return team.rank ? team.rank : index(0); }

Value KernelBuilder::combineTeam(Reduction kind, Value value) {
  if (team.size == 1)
    return value;
  Gpu gpu(*this);
  if (team.size <= Gpu::kWarp)
    return gpu.combineLanes(kind, value, team.size);
  assert(team.size == threads() && "a team is a part of a warp, or the block");
  return gpu.combineBlock(kind, value);
}

void KernelBuilder::teamBarrier() {
  if (team.size == 1)
    return;
  Gpu gpu(*this);
  team.size <= Gpu::kWarp ? gpu.warpBarrier() : gpu.barrier();
}

Value KernelBuilder::shared(int64_t bytes, int64_t alignment) {
  static constexpr llvm::StringLiteral kSymbol = "momc_shared";
  auto module = kernel->getParentOfType<ModuleOp>();
  auto i8 = b.getI8Type();
  if (!module.lookupSymbol(kSymbol)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(b, loc, LLVM::LLVMArrayType::get(i8, 0), /*isConstant=*/false,
                           LLVM::Linkage::External, kSymbol, Attribute(), /*alignment=*/1024,
                           /*addrSpace=*/3);
  }
  // At the function's start, so that it may be used anywhere.
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  Value base = LLVM::AddressOfOp::create(b, loc, sharedPointer(b.getContext()), kSymbol);
  scratchBytes = llvm::alignTo(scratchBytes, alignment);
  Value at = LLVM::GEPOp::create(b, loc, base.getType(), i8, base,
                                 ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(scratchBytes)});
  scratchBytes += bytes;
  return at;
}

/// Adds to what LLVM is told of the current phase's function.
static void annotate(KernelBuilder &k, StringRef name, int64_t value) {
  SmallVector<Attribute> attributes;
  if (ArrayAttr given = k.function.getPassthroughAttr())
    attributes.assign(given.begin(), given.end());
  attributes.push_back(k.b.getStrArrayAttr({name, std::to_string(value)}));
  k.function.setPassthroughAttr(k.b.getArrayAttr(attributes));
}

void mom::fitBlocks(KernelBuilder &k, int64_t blocks) {
  if (blocks)
    annotate(k, "nvvm.minctasm", blocks);
}

void mom::formClusters(KernelBuilder &k, int64_t blocks) {
  if (blocks == 1)
    return;
  annotate(k, "nvvm.cluster_dim", blocks); // along x
  k.function->setAttr(attr::kCluster, k.b.getI64IntegerAttr(blocks));
}

LogicalResult mom::checkShared(KernelBuilder &k, StringRef knobs) {
  int64_t most = sharedBytes(k.architecture);
  int64_t bytes = k.function->getAttrOfType<IntegerAttr>(attr::kShared).getInt();
  if (bytes <= most)
    return success();
  return k.error() << "expected tiles of " << most << " bytes or less, but knobs " << knobs
                   << " ask for " << bytes << " bytes of shared memory";
}

View KernelBuilder::sharedView(int64_t rows, int64_t channels, Type element, int64_t stride) {
  stride = stride ? stride : channels;
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  return View{shared(rows * stride * bytes), stride, channels, element, {}, {},
              std::gcd<int64_t>(stride * bytes, 128)};
}
