// mom.draw: a team draws for a row - a worker of a CPU, or all threads of a block.
//
// Weights are whole numbers, made by the same roundings everywhere, and so all sums are
// exact: how many threads add them up, and in which order, changes no bit. Nothing is
// sorted. Candidates have keys of 32 bits for the logit and some for the id, all
// different, the likelier the greater; "the first ones" are those whose keys reach some
// threshold. It is found bit by bit from the top, one sum over the row for each, and the
// id that is drawn likewise.
#include "compiler/Emit/draw/Draw.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "momrt/table.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

/// 2^-g of g in [0, 1], from the highest power; 1.4e-7 off at most with each step rounded.
static constexpr double kPowers[] = {0.000108899236, -0.00127436116, 0.00957872253, -0.0554905087,
                                     0.240224302,    -0.693147063,   1.0};
/// Weights are parts of 2^-30 of the likeliest one's; below 2^-60 of it they are 0.
static constexpr double kLeastPower = 60.0;

namespace {
class Drawing {
public:
  Drawing(KernelBuilder &k, DrawOp op)
      : k(k), op(op), ids(channelsOf(op.getLogits())), idBits(llvm::Log2_64_Ceil(ids)),
        row(k.block()) {
    weights = k.workspace(withChannels(op.getPlace().getType(), ids));
  }
  void emit();

private:
  using Measure = llvm::function_ref<Value(Value key, Value weight, Value id)>;

  // Integers are i64, and conditions i1.
  Value i32(int64_t value) {
    return arith::ConstantOp::create(k.b, k.loc, k.b.getI32IntegerAttr(value));
  }
  Value wide(Value i32) { return arith::ExtUIOp::create(k.b, k.loc, k.b.getI64Type(), i32); }
  Value narrow(Value i64) { return arith::TruncIOp::create(k.b, k.loc, k.b.getI32Type(), i64); }
  Value both(Value x, Value y) { return arith::AndIOp::create(k.b, k.loc, x, y); }
  Value either(Value x, Value y) { return arith::OrIOp::create(k.b, k.loc, x, y); }
  Value differing(Value x, Value y) { return arith::XOrIOp::create(k.b, k.loc, x, y); }
  Value left(Value x, Value by) { return arith::ShLIOp::create(k.b, k.loc, x, by); }
  Value right(Value x, Value by) { return arith::ShRUIOp::create(k.b, k.loc, x, by); }
  Value reaches(Value x, Value least) { // x >= least
    return arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::sge, x, least);
  }
  Value compare(arith::CmpFPredicate how, Value x, Value y) {
    return arith::CmpFOp::create(k.b, k.loc, how, x, y);
  }
  Value asDouble(Value i64) {
    return arith::SIToFPOp::create(k.b, k.loc, k.b.getF64Type(), i64);
  }
  Value asInteger(Value number) { // towards 0
    return arith::FPToSIOp::create(k.b, k.loc, k.b.getI64Type(), number);
  }
  Value f64(double value) {
    return arith::ConstantOp::create(k.b, k.loc, k.b.getF64FloatAttr(value));
  }

  /// An element of a row's operand, or of a static one.
  Value element(Value operand, Value column) {
    Value of = isRows(operand.getType()) ? row : Value();
    return k.load(k.view(operand), At{of, column, 1, Value()});
  }
  Value element(Value operand, int64_t column) { return element(operand, k.index(column)); }
  Value candidate(Value id, Value logit);
  Value keyOf(Value logit);
  Value weightOf(Value logit, Value most);
  void prepare(Value most);
  /// The sum of a measure over all ids.
  Value sum(Measure measure);
  /// Of the weights of ids whose keys reach a threshold.
  Value weightFrom(Value least);
  /// The largest number of so many bits for which `fits` holds, as it does for 0 and all
  /// below it; 0 unless `wanted`.
  Value largest(int64_t bits, Value wanted, llvm::function_ref<Value(Value)> fits);
  Value threshold();
  Value uniformWord(Value number);

  KernelBuilder &k;
  DrawOp op;
  const int64_t ids, idBits;
  const Value row;
  unsigned weights; ///< workspace i32 [rows, ids]; -1: no candidate
};
} // namespace

/// Each thread of the team for every so manyth id.
static SmallVector<Value> forIds(KernelBuilder &k, int64_t ids, ValueRange init,
                                 KernelBuilder::CarriedBody body) {
  return k.loop(k.teamRank(), k.index(ids), k.teamSize(), init, body);
}

Value Drawing::candidate(Value id, Value logit) {
  Value may = reaches(element(op.getGroups(), id), i32(0));
  return both(may, compare(arith::CmpFPredicate::UNE, logit, k.f32(-INFINITY)));
}

/// Numbers in the order of floats, at least 1 for those above -inf. -0 is 0.
Value Drawing::keyOf(Value logit) {
  Value plain = arith::AddFOp::create(k.b, k.loc, logit, k.f32(0));
  Value bits = arith::BitcastOp::create(k.b, k.loc, k.b.getI32Type(), plain);
  Value sign = arith::ShRSIOp::create(k.b, k.loc, bits, i32(31));
  return differing(bits, either(sign, i32(INT32_MIN)));
}

/// 2^30 * 2^(-power): of its whole part a shift, of the rest a polynomial in f32. That is
/// no place for the compiler to fuse a product and a sum of its own choice.
Value Drawing::weightOf(Value logit, Value most) {
  Value distance = arith::SubFOp::create(k.b, k.loc, most, logit);
  Value scaled =
      arith::MulFOp::create(k.b, k.loc, distance, element(op.getLimits(), int64_t(0)));
  Value power = arith::MinNumFOp::create(k.b, k.loc, scaled, k.f32(kLeastPower));
  Value whole = asInteger(power);
  Value rest = arith::SubFOp::create(
      k.b, k.loc, power, arith::SIToFPOp::create(k.b, k.loc, k.b.getF32Type(), whole));
  Value value = k.f32(kPowers[0]);
  for (double coefficient : ArrayRef(kPowers).drop_front())
    value = LLVM::FMAOp::create(k.b, k.loc, value, rest, k.f32(coefficient));
  Value digits = asInteger(arith::MulFOp::create(k.b, k.loc, value, k.f32(1 << 24)));
  Value half = right(left(k.index(1), whole), k.index(1));
  return right(k.add(left(digits, k.index(6)), half), whole);
}

void Drawing::prepare(Value most) {
  forIds(k, ids, {}, [&](Value id, ValueRange) {
    Value logit = element(op.getLogits(), id), may = candidate(id, logit);
    Value weight = k.select(may, narrow(weightOf(logit, most)), i32(-1));
    k.store(weight, k.workspaceView(weights), At{row, id, 1, Value()});
    return SmallVector<Value>();
  });
  k.teamBarrier();
}

Value Drawing::sum(Measure measure) {
  Value part = forIds(k, ids, {k.index(0)}, [&](Value id, ValueRange carried) {
                 Value weight = k.load(k.workspaceView(weights), At{row, id, 1, Value()});
                 Value logit = wide(keyOf(element(op.getLogits(), id)));
                 Value key = either(left(logit, k.index(idBits)), k.sub(k.index(ids - 1), id));
                 key = k.select(reaches(weight, i32(0)), key, k.index(0));
                 weight = wide(k.max(weight, i32(0)));
                 return SmallVector<Value>{k.add(carried[0], measure(key, weight, id))};
               })[0];
  return k.combineTeam(Reduction::sum, part);
}

Value Drawing::weightFrom(Value least) {
  return sum([&](Value key, Value weight, Value) {
    return k.select(reaches(key, least), weight, k.index(0));
  });
}

Value Drawing::largest(int64_t bits, Value wanted, llvm::function_ref<Value(Value)> fits) {
  Value steps = k.select(wanted, k.index(bits), k.index(0));
  return k.loop(k.index(0), steps, 1, {k.index(0)}, [&](Value step, ValueRange carried) {
    Value bit = left(k.index(1), k.sub(k.index(bits - 1), step));
    Value with = either(carried[0], bit);
    return SmallVector<Value>{k.select(fits(with), with, carried[0])};
  })[0];
}

/// The least key of a candidate that stays.
Value Drawing::threshold() {
  Value zero = k.index(0), lowest = k.index(int64_t(1) << idBits); // of candidates
  Value top = arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), element(op.getHow(), 2));
  Value first = largest(32 + idBits, k.less(zero, top), [&](Value least) {
    Value count = sum([&](Value key, Value, Value) {
      return k.select(reaches(key, least), k.index(1), zero);
    });
    return reaches(count, top);
  });
  first = k.max(first, lowest);

  Value share = arith::ExtFOp::create(k.b, k.loc, k.b.getF64Type(), element(op.getLimits(), 1));
  Value wanted = arith::MulFOp::create(k.b, k.loc, share, asDouble(weightFrom(first)));
  Value whole = asInteger(wanted);
  Value above = compare(arith::CmpFPredicate::OLT, asDouble(whole), wanted);
  whole = k.max(k.add(whole, k.select(above, k.index(1), zero)), k.index(1));
  Value isShared = compare(arith::CmpFPredicate::OLT, share, f64(1));
  Value second = largest(32 + idBits, isShared, [&](Value least) {
    return reaches(weightFrom(k.max(least, first)), whole);
  });
  return k.max(first, second);
}

/// Philox4x32-10, as runtime/Philox.cpp has it.
Value Drawing::uniformWord(Value number) {
  Value low = k.index(UINT32_MAX);
  auto word = [&](Value operand, int64_t i) { return wide(element(operand, i)); };
  Value key[] = {word(op.getHow(), 0), word(op.getHow(), 1)};
  Value c[] = {right(number, k.index(2)), k.index(0), word(op.getPlace(), 0),
               word(op.getPlace(), 1)};
  for (int round = 0; round < 10; ++round) {
    Value a = k.mul(c[0], 0xD2511F53), b = k.mul(c[2], 0xCD9E8D57);
    auto high = [&](Value x) { return right(x, k.index(32)); };
    Value next[] = {differing(differing(high(b), c[1]), key[0]), both(b, low),
                    differing(differing(high(a), c[3]), key[1]), both(a, low)};
    std::copy(next, next + 4, c);
    key[0] = both(k.add(key[0], 0x9E3779B9), low);
    key[1] = both(k.add(key[1], 0xBB67AE85), low);
  }
  Value which = both(number, k.index(3)), chosen = c[0];
  for (int64_t i = 1; i < 4; ++i)
    chosen = k.select(k.equal(which, k.index(i)), c[i], chosen);
  return chosen;
}

void Drawing::emit() {
  Value none = k.f32(-INFINITY);
  Value most = forIds(k, ids, {none}, [&](Value id, ValueRange carried) {
    Value logit = element(op.getLogits(), id);
    Value mine = k.select(candidate(id, logit), logit, none);
    return SmallVector<Value>{arith::MaximumFOp::create(k.b, k.loc, carried[0], mine)};
  })[0];
  most = k.combineTeam(Reduction::max, most);
  Value good = both(compare(arith::CmpFPredicate::OLT, most, k.f32(INFINITY)),
                    compare(arith::CmpFPredicate::OGT, most, none));
  prepare(most);
  Value least = threshold(), total = weightFrom(least);

  Value number = wide(element(op.getPlace(), 2));
  Value middle = arith::AddFOp::create(k.b, k.loc, asDouble(uniformWord(number)), f64(0.5));
  Value u = arith::MulFOp::create(k.b, k.loc, middle, f64(0x1p-32));
  Value before = asInteger(arith::MulFOp::create(k.b, k.loc, u, asDouble(total)));
  before = k.min(before, k.sub(total, k.index(1)));
  Value isTrue = arith::ConstantOp::create(k.b, k.loc, k.b.getBoolAttr(true));
  Value id = largest(idBits, isTrue, [&](Value end) {
    Value weight = sum([&](Value key, Value weight, Value id) {
      return k.select(both(reaches(key, least), k.less(id, end)), weight, k.index(0));
    });
    return reaches(before, weight);
  });
  id = k.select(good, k.min(id, k.index(ids - 1)), k.index(0));
  k.ifThen(k.equal(k.teamRank(), k.index(0)), [&] {
    auto put = [&](Value result, int64_t column, Value value) {
      for (unsigned output = 0; output < k.kernel.getNumResults(); ++output)
        if (k.yielded(output) == result)
          k.store(value, k.output(output), At{row, k.index(column), 1, Value()});
    };
    Value isBad = differing(good, isTrue);
    k.ifThen(isBad, [&] { k.report(MOMRT_ERROR_NOT_FINITE, row, k.index(0)); });
    Value words[] = {element(op.getPlace(), int64_t(0)), element(op.getPlace(), 1),
                     narrow(k.add(number, 1))};
    for (auto [column, word] : llvm::enumerate(words))
      put(op.getNext(), column, word);
    put(op.getId(), 0, narrow(id));
    put(op.getGroup(), 0, element(op.getGroups(), id));
  });
}

LogicalResult mom::emitDraw(KernelOp kernel, KernelBuilder &k) {
  auto op = k.yielded(0).getDefiningOp<DrawOp>();
  k.begin();
  if (k.onGpu()) {
    if (!llvm::isPowerOf2_64(k.threads()))
      return k.error() << "expected a power of two as knob 'threads', but got " << k.threads();
    k.formTeams(k.threads());
  }
  Drawing drawing(k, op);
  k.ifThen(k.less(k.block(), k.count(op.getLogits().getType())), [&] { drawing.emit(); });
  k.finish(k.rowGrid(rowsOf(op.getLogits()).getSpace(), 1, 0, 1));
  return success();
}
