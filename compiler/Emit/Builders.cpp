// Arithmetic, memory and loops of emitted functions.
#include "compiler/Emit/Emitter.h"

#include "compiler/Emit/Gpu.h"
#include "momrt/table.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mom;

Value KernelBuilder::index(int64_t value) {
  return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
}

Value KernelBuilder::f32(double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

static std::optional<int64_t> constantOf(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

Value KernelBuilder::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(loc, x, y); }
Value KernelBuilder::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(loc, x, y); }
Value KernelBuilder::mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(loc, x, y); }
// Counts are never negative: unsigned division by a constant is a shift more often.
Value KernelBuilder::div(Value x, int64_t y) {
  return b.createOrFold<arith::DivUIOp>(loc, x, index(y));
}
Value KernelBuilder::rem(Value x, int64_t y) {
  return b.createOrFold<arith::RemUIOp>(loc, x, index(y));
}
Value KernelBuilder::min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(loc, x, y); }
Value KernelBuilder::max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(loc, x, y); }

Value KernelBuilder::less(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, x, y);
}

Value KernelBuilder::equal(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, x, y);
}

Value KernelBuilder::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(loc, condition, x, y);
}

Type KernelBuilder::lanesOf(Type element, int64_t lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

Value KernelBuilder::splat(Value scalar, int64_t lanes) {
  if (lanes == 1)
    return scalar;
  return vector::BroadcastOp::create(b, loc, lanesOf(scalar.getType(), lanes), scalar);
}

Value KernelBuilder::maskOf(Value active, int64_t lanes) {
  if (lanes == 1)
    return less(index(0), active);
  auto type = VectorType::get({lanes}, b.getI1Type());
  if (std::optional<int64_t> known = constantOf(active)) {
    SmallVector<bool> bits;
    for (int64_t lane = 0; lane < lanes; ++lane)
      bits.push_back(lane < *known);
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, ArrayRef<bool>(bits)));
  }
  SmallVector<int32_t> order = llvm::to_vector(llvm::seq<int32_t>(0, lanes));
  auto lane = arith::ConstantOp::create(b, loc, b.getI32VectorAttr(order));
  Value bound = arith::TruncIOp::create(b, loc, b.getI32Type(), min(active, index(lanes)));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lane, splat(bound, lanes));
}

// Fused where the processor can, which all with vectors worth having do.
Value KernelBuilder::fma(Value x, Value y, Value z) {
  return LLVM::FMulAddOp::create(b, loc, x, y, z);
}

Value KernelBuilder::combineLanes(Reduction kind, Value value) {
  auto combine = [&](Value x, Value y) -> Value {
    if (kind == Reduction::max)
      return arith::MaximumFOp::create(b, loc, x, y);
    return arith::AddFOp::create(b, loc, x, y);
  };
  auto type = dyn_cast<VectorType>(value.getType());
  if (!type)
    return value;
  for (int64_t half = type.getNumElements() / 2; half; half /= 2) {
    auto low = llvm::to_vector(llvm::seq<int64_t>(0, half));
    auto high = llvm::to_vector(llvm::seq<int64_t>(half, 2 * half));
    value = combine(vector::ShuffleOp::create(b, loc, value, value, low),
                    vector::ShuffleOp::create(b, loc, value, value, high));
  }
  return vector::ExtractOp::create(b, loc, value, ArrayRef<int64_t>{0});
}

Value KernelBuilder::address(Value base, Type element, Value i) {
  if (constantOf(i) == 0)
    return base;
  return LLVM::GEPOp::create(b, loc, base.getType(), element, base, ArrayRef<LLVM::GEPArg>{i});
}

Value KernelBuilder::address(const View &view, At at) {
  Value row = view.row ? view.row : at.row;
  Value offset = row && view.stride ? mul(row, view.stride) : Value();
  if (at.column)
    offset = offset ? add(offset, at.column) : at.column;
  return offset ? address(view.base, view.element, offset) : view.base;
}

static unsigned alignmentOf(Type element) { return element.getIntOrFloatBitWidth() / 8; }

/// Vectors begin at multiples of their lanes, so where rows are aligned they are. On a
/// CPU unaligned vectors cost nothing, and rows may begin anywhere.
unsigned KernelBuilder::alignmentOfAccess(const View &view, At at) {
  int64_t bytes = alignmentOf(view.element);
  if (!onGpu() || at.lanes == 1 || !view.alignment)
    return bytes;
  // What a caller lends lies at a multiple of 16 bytes, and no access of a GPU is wider.
  bool global = !cast<LLVM::LLVMPointerType>(view.base.getType()).getAddressSpace();
  int64_t alignment = global ? std::gcd<int64_t>(view.alignment, 16) : view.alignment;
  return std::max(bytes, std::gcd(alignment, at.lanes * bytes));
}

static bool isNarrowFloat(Type element) { return element.isBF16() || element.isF16(); }

/// Processors mask integers of 16 bits; narrow floats would go lane by lane.
static Type maskedType(Type type) {
  auto vector = cast<VectorType>(type);
  return isNarrowFloat(vector.getElementType())
             ? vector.clone(IntegerType::get(type.getContext(), 16))
             : type;
}

Value KernelBuilder::load(const View &view, At at) {
  return widen(fetch(view, at), view, at.lanes);
}

Value KernelBuilder::fetch(const View &view, At at) {
  Type type = lanesOf(view.element, at.lanes);
  Value from = address(view, at), value;
  unsigned alignment = alignmentOfAccess(view, at);
  if (at.mask && at.lanes == 1) // what lies past the last column may be nobody's
    from = select(at.mask, from, view.base);
  if (at.mask && at.lanes > 1) {
    Type bits = maskedType(type);
    Value zero = arith::ConstantOp::create(b, loc, bits, b.getZeroAttr(bits));
    value = LLVM::MaskedLoadOp::create(b, loc, bits, from, at.mask, zero,
                                       b.getI32IntegerAttr(alignment));
    if (bits != type)
      value = arith::BitcastOp::create(b, loc, type, value);
  } else {
    value = LLVM::LoadOp::create(b, loc, type, from, alignment);
  }
  return value;
}

Value KernelBuilder::widen(Value value, const View &view, int64_t lanes) {
  if (isNarrowFloat(view.element))
    value = arith::ExtFOp::create(b, loc, lanesOf(b.getF32Type(), lanes), value);
  if (view.valid) {
    Value zero = arith::ConstantOp::create(b, loc, value.getType(), b.getZeroAttr(value.getType()));
    value = select(view.valid, value, zero);
  }
  return value;
}

Value KernelBuilder::narrow(Value value, const View &view, int64_t lanes) {
  if (isNarrowFloat(view.element) && getElementTypeOrSelf(value.getType()) != view.element)
    return arith::TruncFOp::create(b, loc, lanesOf(view.element, lanes), value);
  return value;
}

void KernelBuilder::store(Value value, const View &view, At at) {
  value = narrow(value, view, at.lanes);
  unsigned alignment = alignmentOfAccess(view, at);
  Value to = address(view, at);
  if (at.mask && at.lanes > 1) {
    if (Type bits = maskedType(value.getType()); bits != value.getType())
      value = arith::BitcastOp::create(b, loc, bits, value);
    LLVM::MaskedStoreOp::create(b, loc, value, to, at.mask, b.getI32IntegerAttr(alignment));
  } else if (at.mask) {
    ifThen(at.mask, [&] { LLVM::StoreOp::create(b, loc, value, to, alignment); });
  } else {
    LLVM::StoreOp::create(b, loc, value, to, alignment);
  }
}

void KernelBuilder::prefetch(const View &view, At at, bool write) {
  if (onGpu()) { // LLVM drops its own there; the second-level cache is near
    Gpu(*this).assembly("prefetch", {}, address(view, at), "prefetch.global.L2 [$0];", "l");
    return;
  }
  LLVM::Prefetch::create(b, loc, address(view, at), /*rw=*/write, /*hint=*/3, /*cache=*/1);
}

Value KernelBuilder::loadScalar(Value base, Type element, Value i) {
  return LLVM::LoadOp::create(b, loc, element, address(base, element, i), alignmentOf(element));
}

void KernelBuilder::report(int32_t code, Value row, Value value) {
  auto constant = [&](int32_t v) -> Value {
    return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(v));
  };
  Value record = status();
  auto exchange = LLVM::AtomicCmpXchgOp::create(b, loc, record, constant(MOMRT_ERROR_NONE),
                                                constant(code), LLVM::AtomicOrdering::monotonic,
                                                LLVM::AtomicOrdering::monotonic);
  Value won = LLVM::ExtractValueOp::create(b, loc, exchange, ArrayRef<int64_t>{1});
  ifThen(won, [&] {
    auto field = [&](size_t bytes, Value v) {
      LLVM::StoreOp::create(b, loc, v, address(record, b.getI8Type(), index(bytes)), 8);
    };
    // A window's rows are numbered as the batch's.
    Value before = loadScalar(pointer(0u), b.getI64Type(), index(MOMRT_COUNT_WINDOW));
    field(offsetof(momrt_status, row), add(row, before));
    field(offsetof(momrt_status, value), value);
  });
}

void KernelBuilder::loop(Value lo, Value hi, int64_t step, Body body) {
  loop(lo, hi, step, {}, [&](Value i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

SmallVector<Value> KernelBuilder::loop(Value lo, Value hi, int64_t step, ValueRange init,
                                       CarriedBody body) {
  auto loop = scf::ForOp::create(b, loc, lo, hi, index(step), init,
                                 [&](OpBuilder &nested, Location, Value i, ValueRange carried) {
    OpBuilder::InsertionGuard guard(b);
    b.restoreInsertionPoint(nested.saveInsertionPoint());
    SmallVector<Value> next = body(i, carried);
    scf::YieldOp::create(b, loc, next);
  });
  return llvm::to_vector_of<Value>(loop.getResults());
}

SmallVector<Value> KernelBuilder::columns(Value lo, Value hi, int64_t lanes, ValueRange init,
                                          ColumnBody body) {
  if (constantOf(lo) == 0 && constantOf(hi))
    return columns(*constantOf(hi), lanes, init, body);
  Value size = max(sub(hi, lo), index(0));
  Value whole = add(lo, mul(div(size, lanes), lanes));
  SmallVector<Value> carried =
      teamLoop(lo, whole, lanes, init, [&](Value column, ValueRange values) {
        return body(At{Value(), column, lanes, Value()}, values);
      });
  if (lanes == 1)
    return carried;
  return teamLoop(whole, hi, lanes, carried, [&](Value column, ValueRange values) {
    return body(At{Value(), column, lanes, maskOf(sub(hi, column), lanes)}, values);
  });
}

/// The vectors of [lo, hi) that fall to this thread of the team.
SmallVector<Value> KernelBuilder::teamLoop(Value lo, Value hi, int64_t lanes, ValueRange init,
                                           CarriedBody body) {
  if (team.size > 1)
    lo = add(lo, mul(teamRank(), lanes));
  return loop(lo, hi, lanes * team.size, init, body);
}

SmallVector<Value> KernelBuilder::columns(int64_t size, int64_t lanes, ValueRange init,
                                          ColumnBody body) {
  int64_t whole = size / lanes * lanes;
  SmallVector<Value> carried(init);
  if (team.size > 1) {
    carried = teamLoop(index(0), index(whole), lanes, init, [&](Value column, ValueRange values) {
      return body(At{Value(), column, lanes, Value()}, values);
    });
    return teamLoop(
        index(whole), index(size), lanes, carried, [&](Value column, ValueRange values) {
          return body(At{Value(), column, lanes, maskOf(index(size - whole), lanes)}, values);
        });
  }
  if (whole == lanes)
    carried = body(At{Value(), index(0), lanes, Value()}, carried);
  else if (whole)
    carried = loop(index(0), index(whole), lanes, init, [&](Value column, ValueRange values) {
      return body(At{Value(), column, lanes, Value()}, values);
    });
  if (whole == size)
    return carried;
  return body(At{Value(), index(whole), lanes, maskOf(index(size - whole), lanes)}, carried);
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

SmallVector<Value> KernelBuilder::either(Value condition, Branch then, Branch otherwise) {
  auto make = [&](Branch branch) {
    return [this, branch](OpBuilder &nested, Location loc) {
      OpBuilder::InsertionGuard guard(b);
      b.restoreInsertionPoint(nested.saveInsertionPoint());
      scf::YieldOp::create(b, loc, branch());
    };
  };
  auto chosen = scf::IfOp::create(b, loc, condition, make(then), make(otherwise));
  return llvm::to_vector_of<Value>(chosen.getResults());
}

int64_t KernelBuilder::dealBlocks(ArrayRef<int64_t> blocks,
                                  function_ref<void(size_t, Value)> body) {
  int64_t total = 0;
  for (auto [job, count] : llvm::enumerate(blocks)) {
    Value mine = sub(block(), index(total));
    if (blocks.size() == 1) {
      body(job, mine);
    } else {
      Value inside =
          arith::AndIOp::create(b, loc, less(index(-1), mine), less(mine, index(count)));
      ifThen(inside, [&, job = job] { body(job, mine); });
    }
    total += count;
  }
  return total;
}
