// The reference interpreter of the Mixture-of-Mamba dialect: the oracle that
// every backend is compared with.
//
// It executes a function at any stage from `mom` to `scheduled`, op by op, in
// double precision. What a program stores (bf16, f16) is ignored: a difference
// to compiled code is then either that code's rounding or its error, and the
// tolerance says which. Each op is written as its formula in plain loops over
// rows and channels; speed matters only so far that a small model takes a
// second. Nothing is shared with the emitters, on purpose.
#pragma once

#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <memory>
#include <variant>
#include <vector>

namespace mom::reference {

/// Numbers of any element type; i32 and i1 values are kept as doubles too.
struct Tensor {
  llvm::SmallVector<int64_t> shape;
  std::vector<double> data;

  static Tensor zeros(llvm::ArrayRef<int64_t> shape, double fill = 0.0);

  int64_t rows() const { return shape.empty() ? 1 : shape.front(); }
  int64_t channels() const { return shape.empty() ? 1 : shape.back(); }
  double *row(int64_t i) { return data.data() + i * channels(); }
  const double *row(int64_t i) const { return data.data() + i * channels(); }
};

/// A run of tokens that conv, scan and next never leave.
struct Segment {
  int64_t start, length;
  int64_t initial, final; ///< rows of the carried states, or -1
};

/// What a batch says beside its values, and the route by modality. A computed route is
/// one too: its tokens are copies, and their modalities the groups they are sent to.
struct Batch {
  std::vector<Segment> segments;
  std::vector<int32_t> modality; ///< of each token, by position
  int64_t tokens = 0, streams = 0, documents = 0, groups = 0;
  // The order by modality, stable by position; `fillRoute` makes it.
  std::vector<int64_t> offsets;  ///< [groups + 1] first row of each group
  std::vector<int64_t> row;      ///< of a position
  std::vector<int64_t> position; ///< of a row

  void fillRoute();
  /// What is wrong with the batch, route included; empty if nothing is.
  std::string check() const;
};

struct Value;

/// `!mom.stack`: one value for each round of a repetition.
struct Stack {
  std::vector<Value> values;
};

/// `!mom.tape`: the carried inputs of each round, from which backward runs the
/// round's forward work again.
struct Tape {
  std::vector<std::vector<Value>> rounds;
};

/// The value of an SSA value. A route is the batch that it comes from.
struct Value {
  std::variant<std::monostate, Tensor, std::shared_ptr<const Batch>, Stack, Tape> held;

  Value() = default;
  Value(Tensor tensor) : held(std::move(tensor)) {}
  Value(std::shared_ptr<const Batch> batch) : held(std::move(batch)) {}
  Value(Stack stack) : held(std::move(stack)) {}
  Value(Tape tape) : held(std::move(tape)) {}

  const Tensor *tensor() const { return std::get_if<Tensor>(&held); }
  Tensor *tensor() { return std::get_if<Tensor>(&held); }
  const Stack *stack() const { return std::get_if<Stack>(&held); }
  Stack *stack() { return std::get_if<Stack>(&held); }
  const Tape *tape() const { return std::get_if<Tape>(&held); }
  const Batch *batch() const {
    auto pointer = std::get_if<std::shared_ptr<const Batch>>(&held);
    return pointer ? pointer->get() : nullptr;
  }
};

/// Rows of a row tensor for a batch.
int64_t countRows(const Batch &batch, RowsAttr rows);

/// The shape that a tensor type has for a batch (null if there is none: then a
/// dynamic size stays dynamic).
llvm::SmallVector<int64_t> shapeFor(mlir::RankedTensorType type, const Batch *batch);

/// Executes `func`. The arguments are checked against its types first, so a
/// wrong one is an error, not a crash.
mlir::FailureOr<llvm::SmallVector<Value>> interpret(mlir::func::FuncOp func,
                                                    llvm::ArrayRef<Value> arguments);

/// What stands for rounding. Either may be null.
struct Rounding {
  llvm::function_ref<double(double)> value; ///< of each float that an op gives
  llvm::function_ref<double(double)> term;  ///< of each product that an op adds to others
};

/// The same, with something done to numbers before others read them. Terms matter where
/// they cancel: what is left of them is not off by its own rounding, but by theirs.
mlir::FailureOr<llvm::SmallVector<Value>> interpretRounded(mlir::func::FuncOp func,
                                                           llvm::ArrayRef<Value> arguments,
                                                           Rounding rounding);

} // namespace mom::reference
