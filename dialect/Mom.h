// The Mixture-of-Mamba dialect's C++ face.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mom {

/// How an op treats the order of rows. Ops that do not say are indifferent:
/// row i of a result depends on row i of the operands.
enum class OrderBehaviour {
  Indifferent, ///< any order, the same for operands and results
  Fixed,       ///< the order by position (what the data brings)
  ByIndex,     ///< any order: other rows are read through an index
};

/// A tensor [rows, channels] with a `#mom.rows` encoding.
bool isRows(mlir::Type type);
/// A tensor whose whole shape is known: a parameter or a sum over rows.
bool isStatic(mlir::Type type);

} // namespace mom

#include "dialect/MomDialect.h.inc"
#include "dialect/MomEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/MomAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/MomTypes.h.inc"

#include "dialect/MomInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialect/MomOps.h.inc"

namespace mom {

/// Names of attributes on functions, arguments and modules: the part of a
/// program that is not an op. `docs/Dialect.md` lists what each may hold.
namespace attr {
// On functions.
inline constexpr llvm::StringLiteral kLayer = "mom.layer"; ///< unit: a layer's forward function
inline constexpr llvm::StringLiteral kJoint = "mom.joint"; ///< unit: forward and backward in one
inline constexpr llvm::StringLiteral kEntry = "mom.entry"; ///< string: an entry of the program
inline constexpr llvm::StringLiteral kExport =
    "mom.export"; ///< unit: a layer that is also an entry
inline constexpr llvm::StringLiteral kCarried =
    "mom.carried"; ///< i64: results that are the layer's
inline constexpr llvm::StringLiteral kAgain =
    "mom.again"; ///< unit, on an op: done a second time, for backward
inline constexpr llvm::StringLiteral kScratch =
    "mom.scratch"; ///< i64: bytes that a CPU worker lends
inline constexpr llvm::StringLiteral kThreads = "mom.threads"; ///< i64: threads of a GPU block
inline constexpr llvm::StringLiteral kJoins =
    "mom.joins"; ///< string, on a launch: "sums", "products"
inline constexpr llvm::StringLiteral kJoined =
    "mom.joined"; ///< array, on a launch of several: their attributes
inline constexpr llvm::StringLiteral kCluster = "mom.cluster"; ///< i64: its blocks; else one
inline constexpr llvm::StringLiteral kShared =
    "mom.shared"; ///< i64: bytes of a GPU block's shared memory
inline constexpr llvm::StringLiteral kNarrow =
    "mom.narrow"; ///< unit: a GPU kernel whose rows of tokens have 16 bits a number
// On arguments.
inline constexpr llvm::StringLiteral kParam = "mom.param";   ///< string: name; `{}` is the round
inline constexpr llvm::StringLiteral kInit = "mom.init";     ///< #mom.init: initial values
inline constexpr llvm::StringLiteral kDecay = "mom.decay";   ///< f64: AdamW's decay
inline constexpr llvm::StringLiteral kInput = "mom.input";   ///< string: name of caller's data
inline constexpr llvm::StringLiteral kLimit = "mom.limit";   ///< i64: an index is below it
inline constexpr llvm::StringLiteral kDraw =
    "mom.draw"; ///< string: the reader draws the input: "normal" or "uniform"
inline constexpr llvm::StringLiteral kOnly =
    "mom.only"; ///< i64: the modality whose tokens have the input; others have 0
inline constexpr llvm::StringLiteral kState = "mom.state";   ///< string: a flat buffer of training
inline constexpr llvm::StringLiteral kOffset =
    "mom.offset"; ///< i64: elements into it; of the state "argument", which one it replaces
// On results.
inline constexpr llvm::StringLiteral kGradient = "mom.gradient"; ///< string: of which parameter
inline constexpr llvm::StringLiteral kOutput = "mom.output";     ///< string: name for the caller
inline constexpr llvm::StringLiteral kLoss = "mom.loss";         ///< string: a loss, vector [1]
inline constexpr llvm::StringLiteral kSum = "mom.sum";     ///< string: a metric's sums by group
inline constexpr llvm::StringLiteral kCount = "mom.count"; ///< string: a metric's counts
// On the module.
inline constexpr llvm::StringLiteral kModalities = "mom.modalities"; ///< {name = ["text", ...]}
inline constexpr llvm::StringLiteral kSettings = "mom.settings";     ///< {name = value}
inline constexpr llvm::StringLiteral kTrain = "mom.train";           ///< how the model is trained
inline constexpr llvm::StringLiteral kStorage = "mom.storage"; ///< types of the flat buffers
inline constexpr llvm::StringLiteral kWindows = "mom.windows"; ///< i64: rounds of windows
inline constexpr llvm::StringLiteral kSchedules = "mom.schedules"; ///< the text's schedules
inline constexpr llvm::StringLiteral kModel = "mom.model"; ///< symbol of the model function
} // namespace attr

/// Encoding of a row tensor; null for other types.
RowsAttr rowsOf(mlir::Type type);
inline RowsAttr rowsOf(mlir::Value value) { return rowsOf(value.getType()); }

/// The same tensor type with another encoding or other channels.
mlir::RankedTensorType withRows(mlir::Type type, RowsAttr rows);
mlir::RankedTensorType withChannels(mlir::Type type, int64_t channels);

/// Channels of a row tensor: its inner, static size.
int64_t channelsOf(mlir::Type type);
inline int64_t channelsOf(mlir::Value value) { return channelsOf(value.getType()); }

/// Whether row i of the result is made from other rows of the first operand than row i.
bool readsOtherRows(mlir::Operation *op);
/// The rows that a mom.reorder reorders, or the value.
mlir::Value beforeReorder(mlir::Value value);

/// Adds derivatives of arith and math ops, and all of MLIR that momc uses.
void registerDerivatives(mlir::DialectRegistry &registry);
void registerDialects(mlir::DialectRegistry &registry);

} // namespace mom
