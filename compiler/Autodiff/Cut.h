// A joint function on its way to forward and backward: Cut.cpp decides what is saved, CutHalves.cpp
// builds the two functions.
//
// The cut follows the uses: what the forward results need is forward, the rest
// is backward. A forward value that backward reads is saved, or computed again from
// other saved values where only cheap work lies between and fewer bytes are kept. What
// forward stores for its products is saved unless memory is short. Where it is shorter, a
// scan's result need not be kept if its gradient comes before its readers: that meets the
// states again.
#pragma once

#include "dialect/Mom.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mom {

/// What counts as cheap.
struct Recompute {
  int64_t level;
  bool sequence;
};

struct Halves {
  mlir::func::FuncOp forward, backward;
  llvm::SmallVector<mlir::Type> saved; // of one round
};

/// One joint function on its way to two.
class Cut {
public:
  /// `keep`: the values that are saved, whatever else is; null: those that save most bytes.
  Cut(mlir::func::FuncOp joint, Recompute recompute, mlir::DictionaryAttr keep);
  explicit operator bool() const { return good; }

  /// The names of the values that are saved.
  llvm::SetVector<llvm::StringRef> savedNames();
  Halves build(mlir::SymbolTable &symbols);
  /// Of a function that stays whole: what backward computes again is there twice, the second
  /// time marked, as simplification would make it one.
  void repeatInPlace();

private:
  /// Ops are named as the text names their values; a second one of a name is `name.2`.
  void nameForward();
  llvm::StringRef nameOf(mlir::Value value);
  bool isKept(mlir::Value value);
  /// Whether all that is to be kept is: backward needs it.
  bool checkKept();
  void markForward(mlir::Value value);
  /// `value` is read by backward. The first time, all that is not free is saved; the
  /// second time `saved` is as it should be.
  void markBackward(mlir::Value value);
  /// The values, none of them saved now, that must be if `value` is computed again.
  void findLeaves(mlir::Value value, llvm::SetVector<mlir::Value> &leaves,
                  llvm::SetVector<mlir::Operation *> &ops, llvm::DenseSet<mlir::Value> &visited);

  /// What a value that is cheap to compute again is computed from, and how.
  struct Cone {
    llvm::SetVector<mlir::Value> leaves; ///< to be saved for it, besides what is saved now
    llvm::SetVector<mlir::Operation *> ops;
    int64_t bytes = 0;
  };
  std::optional<Cone> coneOf(mlir::Value value);
  /// Replaces one saved value by fewer bytes from which it is computed again.
  bool saveLess();
  /// Whether forward stores it anyway: products read what they multiply from memory.
  bool isStored(mlir::Value value);
  /// Whether fewer bytes are kept with the cone's leaves instead of the value, or as many
  /// that serve others too.
  bool isLess(mlir::Value value, const Cone &cone);
  /// Whether some other value could do with fewer bytes once the cone's are saved: only
  /// then are as many bytes worth the work.
  bool helpsAnother(mlir::Value value, const Cone &cone);
  /// Scans' results that backward reads after the gradient of their scan.
  void findAgain();
  /// The gradient that gives `value`, a scan's result, again: one that does not need it.
  ScanGradOp gradientOfScan(mlir::Value value);
  /// Whether backward needs `y` to compute `value`, by way of what gradients give again, too.
  bool needs(mlir::Value value, mlir::Value y, llvm::DenseSet<mlir::Value> &visited);
  /// The operands whose values an op reads. A broadcast reads the shape of
  /// `like` only; `fill` finds it another value of that shape.
  static llvm::SmallVector<mlir::Value> dependencies(mlir::Operation *op);
  mlir::func::FuncOp declare(llvm::StringRef name, mlir::TypeRange arguments,
                             mlir::SymbolTable &symbols);
  void fill(mlir::func::FuncOp func, const llvm::SetVector<mlir::Operation *> &ops,
            mlir::IRMapping &map, llvm::ArrayRef<mlir::Value> returned);
  /// What backward is given with the rows that `broadcast` spreads over; null if nothing is.
  mlir::Value givenRows(BroadcastOp broadcast);
  /// A value of `func` with the rows that `broadcast` spreads over.
  static mlir::Value likeRows(mlir::func::FuncOp func, BroadcastOp broadcast);
  mlir::func::FuncOp buildForward(llvm::StringRef name, mlir::SymbolTable &symbols);
  mlir::func::FuncOp buildBackward(llvm::StringRef name, mlir::SymbolTable &symbols);
  /// The gradient of a scan also returns the scan's result, which replaces `argument`.
  static void giveAgain(ScanGradOp grad, mlir::BlockArgument argument);
  static void mapArguments(llvm::ArrayRef<mlir::BlockArgument> from,
                           mlir::Block::BlockArgListType to, mlir::IRMapping &map);

  mlir::func::FuncOp joint;
  Recompute recompute;
  bool good = true;
  mlir::DictionaryAttr keep;                            ///< of a schedule's `save`
  llvm::DenseMap<mlir::Operation *, std::string> names; ///< of forward
  unsigned carried, inputs;
  llvm::SetVector<mlir::Operation *> forward, backward, recomputed;
  llvm::SetVector<mlir::Value> saved;
  llvm::MapVector<mlir::Value, ScanGradOp> again; ///< results that a gradient gives again
  llvm::DenseSet<mlir::Value> seen;
};

} // namespace mom
