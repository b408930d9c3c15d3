// How the launch table is built: LaunchTable.cpp has what surrounds entries' bodies,
// LaunchTableBodies.cpp their launches and repetitions.
#pragma once

#include "compiler/Target/ArenaPlan.h"
#include "compiler/Target/LaunchTable.h"
#include "compiler/Target/TableFacts.h"
#include "compiler/Target/TableWriter.h"
#include "dialect/ParameterLayout.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mom {

/// Where a value lies. In a stack, `stride` leads from one element to the next.
struct Place {
  momrt_arg arg = {};
  std::optional<unsigned> buffer; ///< of the arena plan; else arg names the space
  momrt_slot stride = {};

  static Place in(momrt_space space, int64_t offset = 0, uint32_t index = 0) {
    Place place;
    place.arg.space = space;
    place.arg.index = index;
    place.arg.offset = offset;
    return place;
  }
  /// The element of a stack that belongs to a round.
  Place element(int64_t phase, int64_t modulus) const {
    Place place = *this;
    place.arg.stride = stride;
    place.arg.phase = phase;
    place.arg.modulus = modulus;
    return place;
  }
};

using Places = llvm::DenseMap<mlir::Value, Place>;

class TableBuilder {
public:
  TableBuilder(mlir::ModuleOp module) : module(module), symbols(module) {}

  mlir::FailureOr<LaunchTable> build(llvm::StringRef digest, const GpuImages *images,
                                     uint64_t extensions);

private:
  // Entries
  void addKernels(const GpuImages *images);
  mlir::LogicalResult addEntry(mlir::func::FuncOp func, llvm::StringRef name);
  void placeArgument(mlir::func::FuncOp func, mlir::BlockArgument argument, Places &places);
  static mlir::Type elementOf(mlir::Value value);
  /// Element `offset` of a flat buffer of `value`'s elements.
  static Place flatPlace(momrt_space space, int64_t offset, mlir::Value value);
  /// A range of a flat buffer of training, or the state of that number.
  Place statePlace(llvm::StringRef space, int64_t offset, mlir::Value value);
  Place carriedState(momrt_space space, unsigned number, mlir::Value value);
  momrt_input inputOf(mlir::func::FuncOp func, mlir::BlockArgument argument);
  /// Where a result of an entry must be written, if not anywhere.
  std::optional<Place> resultPlace(mlir::func::FuncOp func, unsigned index);
  mlir::LogicalResult addOutput(mlir::func::FuncOp func, unsigned index, mlir::Value value,
                                Places &places);

  // Bodies
  int64_t now() const { return writer.ops.size(); }
  bool inWindows() { return inside && inside.getWindows(); }

  /// Bytes of a value of one window, of all if it has no rows of tokens.
  static momrt_slot windowOf(mlir::Type type);
  /// Bytes of memory for a value. A window's is written in tokens, of which windows are equal
  /// shares: slots are shared by what grows with the same count.
  momrt_slot bufferOf(mlir::Type type);
  /// The record of true counts that a launch reads: the batch's, or its window's.
  Place countsPlace();
  void read(const Place &place);
  /// A place for a result: where it is wanted, or a new buffer.
  Place placeResult(mlir::Value value);
  /// A place for what a launch writes: as above, or its part of joined rows.
  Place placeOutput(mlir::Value value, Places &places);
  mlir::LogicalResult addBody(mlir::func::FuncOp func, Places &places);

  /// The places that a repetition's carried values go through.
  struct Carry {
    Place stack;     ///< stride: from one round's value to the next
    int64_t modulus; ///< 2, or rounds + 1 where all are kept, or 1 for sums of windows
  };
  mlir::LogicalResult prepareCarried(RepeatOp repeat);
  mlir::LogicalResult addRepeat(RepeatOp repeat, Places &places);
  void readUntil(const Place &place, int64_t time);
  /// Places for what a round returns, and for the repetition's results.
  void placeReturned(RepeatOp repeat, mlir::func::FuncOp callee, llvm::ArrayRef<Carry> list,
                     int64_t phase, Places &places);
  /// A kept value that is a carried one: the same memory, seen as a stack.
  static std::optional<Place> carriedAlias(mlir::Value value, mlir::func::FuncOp callee,
                                           mlir::Operation *returned, llvm::ArrayRef<Carry> list);
  void setGrid(momrt_op &op, GridAttr grid);
  mlir::LogicalResult addLaunch(LaunchOp launch, Places &places);
  mlir::LogicalResult addTensor(LaunchOp launch, mlir::Value input, const Places &places);
  void addArg(const Place &place);

  /// Slots are known once all entries are planned.
  void resolveBuffers();
  uint64_t source(mlir::Operation *op);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  mlir::func::FuncOp model;
  TableWriter writer;
  LaunchTable table;
  ParameterLayout layout;
  ArenaPlan plan;
  llvm::StringMap<int64_t> parameterOffset; // elements
  llvm::DenseMap<mlir::StringAttr, uint32_t> kernelIndex;
  Places wanted;                // results that must lie at a given place
  std::vector<Place> arguments; // of the entry
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<Carry>> carries;
  llvm::SmallVector<std::pair<size_t, unsigned>> argBuffers, outputBuffers;
  RepeatOp inside; // the repetition whose body is being added, or null
};

} // namespace mom
