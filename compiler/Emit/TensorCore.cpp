// Tensor cores.
#include "compiler/Emit/TensorCore.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;

SmallVector<Value> TensorCore::loadMatrices(Value address, bool transposed, int64_t count) {
  SmallVector<Type> types(count, k.b.getI32Type());
  auto all = LLVM::LLVMStructType::getLiteral(k.b.getContext(), types);
  std::string name = "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
                     (transposed ? ".trans.b16" : ".b16");
  Value loaded = gpu.intrinsic(name, all, {address});
  SmallVector<Value> matrices;
  for (int64_t i = 0; i < count; ++i)
    matrices.push_back(LLVM::ExtractValueOp::create(k.b, k.loc, loaded, ArrayRef<int64_t>{i}));
  return matrices;
}

void TensorCore::storeMatrices(Value address, ValueRange matrices) {
  SmallVector<Value> operands{address};
  llvm::append_range(operands, matrices);
  gpu.intrinsic("llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.b16", {}, operands);
}

void TensorCore::multiply(MutableArrayRef<Value> sums, ValueRange a, ValueRange b) {
  Type f32 = k.b.getF32Type();
  auto four = LLVM::LLVMStructType::getLiteral(k.b.getContext(), {f32, f32, f32, f32});
  SmallVector<Value> operands;
  for (ValueRange registers : {a, b})
    for (Value pair : registers) {
      if (element.isF16()) // bf16 comes as integers
        pair = LLVM::BitcastOp::create(k.b, k.loc, VectorType::get({2}, element), pair);
      operands.push_back(pair);
    }
  llvm::append_range(operands, sums);
  std::string name = a.size() == 2 ? "llvm.nvvm.mma.m16n8k8" : "llvm.nvvm.mma.m16n8k16";
  name += element.isF16() ? ".row.col.f32.f32" : ".row.col.bf16";
  Value result = gpu.intrinsic(name, four, operands);
  for (int64_t i = 0; i < 4; ++i)
    sums[i] = LLVM::ExtractValueOp::create(k.b, k.loc, result, ArrayRef<int64_t>{i});
}

void TensorCore::multiplyTf32(MutableArrayRef<Value> sums, ValueRange a, ValueRange b) {
  Type f32 = k.b.getF32Type();
  auto four = LLVM::LLVMStructType::getLiteral(k.b.getContext(), {f32, f32, f32, f32});
  SmallVector<Value> operands;
  for (ValueRange registers : {a, b})
    for (Value value : registers)
      operands.push_back(arith::BitcastOp::create(k.b, k.loc, k.b.getI32Type(), value));
  llvm::append_range(operands, sums);
  Value result = gpu.intrinsic("llvm.nvvm.mma.m16n8k8.row.col.tf32", four, operands);
  for (int64_t i = 0; i < 4; ++i)
    sums[i] = LLVM::ExtractValueOp::create(k.b, k.loc, result, ArrayRef<int64_t>{i});
}

Value TensorCore::pack(Value low, Value high) {
  Type pair = VectorType::get({2}, k.b.getF32Type());
  Value both = vector::FromElementsOp::create(k.b, k.loc, pair, ValueRange{low, high});
  both = arith::TruncFOp::create(k.b, k.loc, VectorType::get({2}, element), both);
  return LLVM::BitcastOp::create(k.b, k.loc, k.b.getI32Type(), both);
}

Value TensorCore::transpose(Value pair) {
  return gpu.assembly("movmatrix", k.b.getI32Type(), pair,
                      "movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;", "=r,r");
}

//===----------------------------------------------------------------------===//
// Warpgroups
//===----------------------------------------------------------------------===//

// Fields: address / 16 [0, 14), panel to panel / 16 [16, 30), eight lines to the next
// / 16 [32, 46), swizzle [62, 64) with 1 for 128 bytes.
Value TensorCore::descriptor(Value address, int64_t panelBytes) {
  int64_t fields = int64_t(1) << 62 | (8 * kLineBytes / 16) << 32 | (panelBytes / 16) << 16;
  Value bits = LLVM::PtrToIntOp::create(k.b, k.loc, k.b.getI64Type(), address);
  bits = arith::AndIOp::create(k.b, k.loc, bits, k.index(0x3ffff));
  return arith::OrIOp::create(k.b, k.loc, k.div(bits, 16), k.index(fields));
}

Value TensorCore::advance(Value descriptor, int64_t bytes) { return k.add(descriptor, bytes / 16); }

Value TensorCore::advance(Value descriptor, Value bytes) {
  return k.add(descriptor, k.div(bytes, 16));
}

/// Constraints of inline assembly whose first `count` operands are both read and written.
static std::string tied(size_t count) {
  std::string outputs, inputs;
  for (size_t i = 0; i < count; ++i) {
    outputs += "=f,";
    inputs += std::to_string(i) + ",";
  }
  return outputs + inputs;
}

static LLVM::LLVMStructType structOf(ValueRange values) {
  return LLVM::LLVMStructType::getLiteral(values[0].getContext(),
                                          llvm::to_vector(values.getTypes()));
}

void TensorCore::multiplyGroup(MutableArrayRef<Value> sums, Value a, Value b, int64_t columns,
                               bool aInnerLast, bool bInnerLast, Value adds) {
  size_t count = sums.size();
  assert(int64_t(count) == columns / 2 && "a thread has half as many sums as there are columns");
  StringRef type = element.isF16() ? "f16" : "bf16";
  std::string registers;
  for (size_t i = 0; i < count; ++i)
    registers += (i ? ", $" : "$") + std::to_string(i);
  auto operand = [&](size_t i) { return "$" + std::to_string(2 * count + i); };
  std::string text = "{ .reg .pred p; setp.ne.b32 p, " + operand(4) +
                     ", 0; wgmma.mma_async.sync.aligned.m64n" + std::to_string(columns) +
                     ("k16.f32." + type + "." + type).str() + " {" + registers + "}, " +
                     operand(0) + ", " + operand(1) + ", p, 1, 1, " + operand(2) + ", " +
                     operand(3) + "; }";
  std::string name = ("wgmma." + type + ".n").str() + std::to_string(columns);
  SmallVector<Value> operands(sums.begin(), sums.end());
  Value i32 = adds ? arith::ExtUIOp::create(k.b, k.loc, k.b.getI32Type(), adds).getResult()
                   : gpu.i32(1);
  llvm::append_values(operands, a, b, gpu.i32(!aInnerLast), gpu.i32(!bInnerLast), i32);
  Value result = gpu.assembly(name, structOf(sums), operands, text,
                              tied(count) + (adds ? "l,l,n,n,r,~{memory}" : "l,l,n,n,n,~{memory}"));
  for (size_t i = 0; i < count; ++i)
    sums[i] = LLVM::ExtractValueOp::create(k.b, k.loc, result, ArrayRef<int64_t>{int64_t(i)});
}

void TensorCore::beginGroup() { gpu.intrinsic("llvm.nvvm.wgmma.fence.sync.aligned", {}, {}); }
void TensorCore::beginGroup(MutableArrayRef<Value> sums) {
  pass(sums, "wgmma.begin.n", "wgmma.fence.sync.aligned;");
}
void TensorCore::commitGroup() {
  gpu.intrinsic("llvm.nvvm.wgmma.commit_group.sync.aligned", {}, {});
}
void TensorCore::waitGroup(int64_t pending) {
  gpu.intrinsic("llvm.nvvm.wgmma.wait_group.sync.aligned", {}, {k.index(pending)});
}

void TensorCore::finishGroups(MutableArrayRef<Value> sums) {
  pass(sums, "wgmma.finish.n", "wgmma.wait_group.sync.aligned 0;");
}

/// The sums go through `text`: without that edge, what makes them could move behind it, and
/// their uses before it.
void TensorCore::pass(MutableArrayRef<Value> sums, StringRef name, StringRef text) {
  SmallVector<Value> operands(sums.begin(), sums.end());
  std::string constraints = tied(sums.size()) + "~{memory}";
  Value result = gpu.assembly((name + Twine(2 * sums.size())).str(), structOf(operands), operands,
                              text, constraints);
  for (size_t i = 0; i < sums.size(); ++i)
    sums[i] = LLVM::ExtractValueOp::create(k.b, k.loc, result, ArrayRef<int64_t>{int64_t(i)});
}

void TensorCore::publish() { gpu.intrinsic("llvm.nvvm.fence.proxy.async.shared_cta", {}, {}); }
