// What the emitters of all anchors share: the emitted function, its pointers,
// loops, loads and stores.
//
// A kernel becomes one or more *phases*, each an llvm.func and one launch. An
// emitter calls `begin`, builds the body with `b` and the helpers below, and
// calls `finish` with the grid. A phase after the first may read the outputs
// and the workspaces of earlier ones; blocks of one phase never see each
// other's writes.
//
// Integers are i64, floats in registers are f32 whatever the storage type: loads
// extend and stores truncate. `lanes` values side by side along the channels
// are a vector, one alone is a scalar. All rows are dense [rows, channels].
#pragma once

#include "dialect/Mom.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <numeric>

namespace mom {

/// Where a tensor, or a range of its channels, lies.
struct View {
  mlir::Value base;      ///< !llvm.ptr to the first element of row 0
  int64_t stride = 0;    ///< elements from a row to the next; 0: one row for all
  int64_t channels = 0;  ///< elements of a row that belong to the view
  mlir::Type element;    ///< storage type
  mlir::Value row;       ///< replaces the caller's row where it is set (a gathered row)
  mlir::Value valid;     ///< i1: whether that row exists; 0 is read where it does not
  int64_t alignment = 0; ///< bytes that every row's start is a multiple of; 0: as its elements

  explicit operator bool() const { return static_cast<bool>(base); }
};

/// Where a value is wanted: `lanes` channels from `column` on of one row.
struct At {
  mlir::Value row;       ///< null: 0 (static tensors are flat then)
  mlir::Value column;    ///< null: 0
  int64_t lanes = 1;
  mlir::Value mask;      ///< vector<lanes x i1>, or null: all lanes
};

/// A record of the segment table.
struct Segment {
  mlir::Value start, length, initial, final;
};

/// The family of devices that a function is emitted for. On a CPU it is
/// `(buffers, block, scratch)`; on a GPU it has one pointer a buffer, and a block
/// is many threads.
enum class Family { Cpu, Gpu };

/// Pointers that a kernel gets for an input of this type.
unsigned pointersOf(mlir::Type type);

class KernelBuilder {
public:
  using Body = llvm::function_ref<void(mlir::Value)>;
  using CarriedBody =
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;
  using ColumnBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(At, mlir::ValueRange)>;

  KernelBuilder(KernelOp kernel, llvm::StringRef symbol, Family family = Family::Cpu);

  KernelOp kernel;
  int64_t architecture = 0; ///< of a GPU: 90 for sm_90a
  mlir::Location loc;
  mlir::OpBuilder b; ///< inserts into the current phase

  /// Phases. `begin()` writes all outputs of the kernel; with a list, those
  /// only. A phase after the first appends `suffix` to the symbol.
  void begin();
  void begin(llvm::ArrayRef<unsigned> outputs, llvm::StringRef suffix = "");
  void finish(GridAttr grid);
  /// The launch made last may join others of this kind (mom-join-launches).
  void mayJoin(llvm::StringRef kind);
  /// Of a phase that only adds up what others left.
  void finishSum(int64_t blocks);
  /// A second function of the phase that was finished, with its buffers and a launch of
  /// its own after the first one's: what either does is decided on the device.
  void beginOther(llvm::StringRef suffix);
  void finishOther(GridAttr grid);
  /// A tensor, written by this phase and readable by later ones; its id.
  unsigned workspace(mlir::RankedTensorType type);
  /// Replaces the kernel by its launches; once, after the last phase.
  void replaceKernel();
  /// Erases what was emitted, after an error.
  void abandon();

  /// `#mom.grid`: blocks = (ceil(rows / tile) + extra) * factor of the rows'
  /// space, or factor blocks.
  GridAttr rowGrid(RowSpace space, int64_t tile, int64_t extra, int64_t factor);
  /// The same over rows of any space: at least so many blocks.
  GridAttr rowGrid(RowsAttr rows, int64_t tile, int64_t extra, int64_t factor);
  GridAttr fixedGrid(int64_t blocks);
  /// Deals the blocks of a fixed grid out to jobs: `body` gets the number of a job and
  /// of the block among its `blocks`. Returns all blocks.
  int64_t dealBlocks(llvm::ArrayRef<int64_t> blocks,
                     llvm::function_ref<void(size_t, mlir::Value)> body);

  /// The schedule; a missing knob is refused before an emitter runs.
  int64_t knob(llvm::StringRef name);
  mlir::InFlightDiagnostic error() { return kernel.emitOpError(); }

  // Scalars.
  mlir::Value index(int64_t value);
  mlir::Value f32(double value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value add(mlir::Value x, int64_t y) { return add(x, index(y)); }
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, int64_t y) { return mul(x, index(y)); }
  mlir::Value div(mlir::Value x, int64_t y); ///< of a value >= 0
  mlir::Value rem(mlir::Value x, int64_t y); ///< of a value >= 0
  mlir::Value ceilDiv(mlir::Value x, int64_t y) { return div(add(x, y - 1), y); }
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value less(mlir::Value x, mlir::Value y);
  mlir::Value equal(mlir::Value x, mlir::Value y);
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);

  // Vectors; `lanes` 1 gives scalars everywhere.
  static mlir::Type lanesOf(mlir::Type element, int64_t lanes);
  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  mlir::Value zeros(int64_t lanes) { return splat(f32(0), lanes); }
  /// Lanes [0, active) are set.
  mlir::Value maskOf(mlir::Value active, int64_t lanes);
  /// x * y + z, with one rounding where the processor has such an instruction.
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  /// Sum or maximum of all lanes, in a fixed tree.
  mlir::Value combineLanes(Reduction kind, mlir::Value vector);

  // What the phase is given.
  mlir::Value block();
  bool onGpu() const { return family == Family::Gpu; }
  /// GPU: the thread's number in its block, of `threads()`.
  mlir::Value thread();
  int64_t threads() { return knob("threads"); }
  mlir::Value status();
  /// True count of a space, or of the rows of a tensor.
  mlir::Value count(RowSpace space);
  mlir::Value count(mlir::Type rows);
  mlir::Value segmentCount();
  /// The view of a body value that lies in memory: a block argument, a range
  /// (mom.split) or a widening (arith.extf) of one, or a value bound below.
  /// A false view where it must be computed.
  View view(mlir::Value bodyValue);
  /// Whether `view` has an answer; emits nothing.
  bool inMemory(mlir::Value bodyValue);
  View output(unsigned index);
  View workspaceView(unsigned id);
  /// From now on the body value lies there (a scratch row, say).
  void bind(mlir::Value bodyValue, View view) { bound[bodyValue] = view; }
  void unbind(mlir::Value bodyValue) { bound.erase(bodyValue); }
  /// What the body yields as result `index`.
  mlir::Value yielded(unsigned index);
  /// Bytes of the worker's own memory, 64-byte aligned, one after the other. On a
  /// GPU they are shared memory, and each team has its own.
  mlir::Value scratch(int64_t bytes);
  View scratchView(int64_t rows, int64_t channels); ///< of f32

  // Teams: on a GPU, threads that do a row's work together. Loops over columns deal
  // vectors out to them in turn. A CPU's worker is a team of one.
  /// Parts the block into teams of so many neighbouring threads, a power of two; once
  /// a phase, before any loop.
  void formTeams(int64_t size);
  int64_t teamSize() const { return team.size; }
  int64_t teams() { return onGpu() ? threads() / team.size : 1; }
  mlir::Value teamNumber(); ///< of this thread's team, from 0
  mlir::Value teamRank();   ///< of this thread in its team, from 0
  /// Sum or maximum over the team of one value a thread, in a fixed tree; all get it.
  mlir::Value combineTeam(Reduction kind, mlir::Value value);
  /// What the team's threads have stored in scratch is seen by all of them.
  void teamBarrier();

  /// GPU: bytes of the block's shared memory (address space 3), aligned to
  /// `alignment` (at most 1024), one after the other.
  mlir::Value shared(int64_t bytes, int64_t alignment = 128);
  View sharedView(int64_t rows, int64_t channels, mlir::Type element, int64_t stride = 0);

  // Batch and route; `source` is a block argument of one of the two types, or
  // a mom.modality_route of one. The positions of a computed route are numbers of copies.
  Segment segment(mlir::Value batch, mlir::Value index);
  /// Index of the i-th longest segment.
  mlir::Value longestSegment(mlir::Value batch, mlir::Value i);
  /// Tokens of the longest segment; anything where there is none.
  mlir::Value longestLength(mlir::Value batch);
  /// Index of the segment that holds a position (binary search by start).
  mlir::Value segmentOf(mlir::Value batch, mlir::Value position);
  /// Index of the segment that has a row of `#mom.rows<chunk of tokens>`.
  mlir::Value segmentOfChunk(mlir::Value batch, mlir::Value row, int64_t tokens);
  mlir::Value modalityAt(mlir::Value batch, mlir::Value position);
  mlir::Value rowAt(mlir::Value source, mlir::Value position);
  /// i32 rows of `lanes` positions side by side; `position` is a multiple of `lanes`, a
  /// power of two of at most 16. Positions after the last have rows too, of any token.
  mlir::Value rowsAt(mlir::Value source, mlir::Value position, int64_t lanes);
  mlir::Value positionAt(mlir::Value source, mlir::Value row);
  mlir::Value offset(mlir::Value source, mlir::Value group);
  mlir::Value groupOf(mlir::Value route, mlir::Value row);
  /// Row of a position in the order of `rows` (the position itself where they
  /// lie by position).
  mlir::Value rowAt(mlir::Value source, RowsAttr rows, mlir::Value position);
  /// A batch or route among the kernel's inputs that knows the order `rows`
  /// lie in, or null.
  mlir::Value orderSource(RowsAttr rows);

  // Memory.
  mlir::Value address(mlir::Value base, mlir::Type element, mlir::Value index);
  /// Address of (row, column) of a view.
  mlir::Value address(const View &view, At at);
  /// f32 (or i32, i64, i1) lanes; masked-off ones are 0.
  mlir::Value load(const View &view, At at);
  /// `load` in two: what lies there, and the lanes that it stands for.
  mlir::Value fetch(const View &view, At at);
  mlir::Value widen(mlir::Value fetched, const View &view, int64_t lanes);
  /// Lanes as `store` rounds them to lie in a view.
  mlir::Value narrow(mlir::Value value, const View &view, int64_t lanes);
  void store(mlir::Value value, const View &view, At at);
  /// Brings the place nearer: it is read, or written, soon.
  void prefetch(const View &view, At at, bool write = false);
  mlir::Value loadScalar(mlir::Value base, mlir::Type element, mlir::Value index);
  /// Records the first error of a launch: code (momrt_error), row and value.
  void report(int32_t code, mlir::Value row, mlir::Value value);

  // Loops. `hi` may lie below `lo`.
  void loop(mlir::Value lo, mlir::Value hi, int64_t step, Body body);
  llvm::SmallVector<mlir::Value> loop(mlir::Value lo, mlir::Value hi, int64_t step,
                                      mlir::ValueRange init, CarriedBody body);
  /// Columns [lo, hi) in vectors of `lanes`, the last one masked; `body` is
  /// emitted twice unless the size is known to divide. The At has no row.
  llvm::SmallVector<mlir::Value> columns(mlir::Value lo, mlir::Value hi, int64_t lanes,
                                         mlir::ValueRange init, ColumnBody body);
  llvm::SmallVector<mlir::Value> columns(int64_t size, int64_t lanes, mlir::ValueRange init,
                                         ColumnBody body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  /// What one of two branches makes.
  using Branch = llvm::function_ref<llvm::SmallVector<mlir::Value>()>;
  llvm::SmallVector<mlir::Value> either(mlir::Value condition, Branch then, Branch otherwise);

  /// The function of the current phase.
  mlir::LLVM::LLVMFuncOp function;

private:
  enum Field { Segments, Modality, Offsets, RowOf, PositionOf, FieldCount };
  void declare(llvm::StringRef suffix);
  void clearFunction();
  void finishFunction();
  void describeGpuFunction();
  mlir::Value pointer(unsigned slot);
  mlir::Value pointer(mlir::Value source, Field field);
  /// Of a segment's record, in words of 8 bytes.
  mlir::Value segmentField(mlir::Value batch, mlir::Value segment, int64_t field);
  /// The last segment that is not `after` what is sought, which none is before it.
  mlir::Value searchSegments(llvm::function_ref<mlir::Value(mlir::Value)> after);
  mlir::Value specialRegister(llvm::StringRef intrinsic, mlir::Value &cached);
  View tensorView(mlir::Type type, mlir::Value base);
  unsigned alignmentOfAccess(const View &view, At at);
  llvm::SmallVector<mlir::Value> teamLoop(mlir::Value lo, mlir::Value hi, int64_t lanes,
                                          mlir::ValueRange init, CarriedBody body);

  std::string symbol;
  Family family;

  llvm::SmallVector<mlir::LLVM::LLVMFuncOp> functions; ///< of all phases
  llvm::SmallVector<LaunchOp> launches;
  llvm::SmallVector<mlir::Value> outputs;        ///< launch results, once written
  llvm::SmallVector<mlir::Value> workspaces;     ///< likewise
  llvm::SmallVector<mlir::RankedTensorType> workspaceTypes;

  // Of the current phase.
  llvm::SmallVector<unsigned> phaseOutputs;
  llvm::SmallVector<mlir::Value> phaseInputs;    ///< of the launch
  llvm::DenseMap<mlir::Value, unsigned> argumentSlots;
  llvm::SmallVector<int> outputSlots, workspaceSlots; ///< -1: not of this phase
  llvm::SmallVector<unsigned> newWorkspaces;
  unsigned slots = 0;
  mlir::Value blockNumber, threadNumber; ///< GPU: read once at the function's start
  int64_t scratchBytes = 0;             ///< GPU: of shared memory
  struct { int64_t size = 1; mlir::Value number, rank; } team;
  llvm::DenseMap<unsigned, mlir::Value> pointers;
  llvm::DenseMap<mlir::Value, View> bound;
};

} // namespace mom
