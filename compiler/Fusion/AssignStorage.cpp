// mom-assign-storage: what kernels store between each other.
//
// Fusion is over, so the values that cross boundaries are the ones that cost
// bytes; kernels convert as they load and store, and compute in f32.
#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mom {
#define GEN_PASS_DECL_ASSIGNSTORAGEPASS
#define GEN_PASS_DEF_ASSIGNSTORAGEPASS
#include "compiler/Fusion/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// Rows that only kernels read: their type is ours to choose. One channel (a
/// norm, a loss) saves nothing and keeps its digits; states are carried.
static bool isStored(Value value) {
  RowsAttr rows = rowsOf(value);
  return rows && rows.getSpace() == RowSpace::token && channelsOf(value) > 1 &&
         cast<RankedTensorType>(value.getType()).getElementType().isF32() &&
         llvm::all_of(value.getUsers(), [](Operation *user) { return isa<KernelOp>(user); });
}

static RankedTensorType withElement(Type type, Type element) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), element, tensor.getEncoding());
}

/// The writer's yield truncates; each reader's block argument is extended.
static void store(OpResult value, Type element) {
  auto writer = cast<KernelOp>(value.getOwner());
  Type wide = value.getType(), narrow = withElement(wide, element);
  Operation *yield = writer.getBody().front().getTerminator();
  OpBuilder b(yield);
  OpOperand &yielded = yield->getOpOperand(value.getResultNumber());
  yielded.set(arith::TruncFOp::create(b, value.getLoc(), narrow, yielded.get()));
  value.setType(narrow);
  for (OpOperand &use : value.getUses()) {
    Block &body = cast<KernelOp>(use.getOwner()).getBody().front();
    BlockArgument argument = body.getArgument(use.getOperandNumber());
    argument.setType(narrow);
    b.setInsertionPointToStart(&body);
    auto extended = arith::ExtFOp::create(b, value.getLoc(), wide, argument);
    argument.replaceAllUsesExcept(extended, extended);
  }
}

namespace {
class AssignStoragePass : public mom::impl::AssignStoragePassBase<AssignStoragePass> {
public:
  using Base::Base;

  void runOnOperation() override {
    Builder b(&getContext());
    Type element = llvm::StringSwitch<Type>(type)
                       .Case("f32", b.getF32Type())
                       .Case("bf16", b.getBF16Type())
                       .Case("f16", b.getF16Type())
                       .Default(Type());
    if (!element) {
      getOperation().emitError() << "expected storage f32, bf16 or f16, but got " << type;
      return signalPassFailure();
    }
    if (element.isF32())
      return;
    getOperation().walk([&](KernelOp kernel) {
      for (OpResult value : kernel.getOutputs())
        if (isStored(value))
          store(value, element);
    });
  }
};
} // namespace
