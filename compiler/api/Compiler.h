// Model text or IR to a running program: the library behind momc and behind
// host programs that compile just in time.
#pragma once

#include "compiler/Pipeline.h"
#include "compiler/Target/Cpu.h"
#include "compiler/Target/Program.h"
#include "momrt/table.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/SourceMgr.h"

namespace mom {

struct CompileOptions {
  PipelineOptions pipeline;
  llvm::StringMap<std::string> settings; ///< values for the model's settings, as text
  std::optional<Stage> startFrom;        ///< the input is IR of this stage; else by file name
  std::vector<std::string> entries;      ///< besides the loss; empty: all there are
  std::string memoryOf;                  ///< the device whose pipeline.memory is; empty: --memory's
  std::string dumpDirectory;             ///< every stage is written here, if not empty
  std::string cacheDirectory;            ///< of programs compiled just in time; empty: none
  std::function<void(mlir::PassManager &)> configure; ///< command-line options of passes
};

/// A program loaded into this process. The table and kernels live as long as it.
struct Program {
  std::unique_ptr<Jit> jit;
  const momrt_program *program = nullptr;
  bool fromCache = false;
  std::string description; ///< if one was asked for
};

/// One compilation. Diagnostics go to the context's handlers.
class Compiler {
public:
  Compiler(mlir::MLIRContext &context, llvm::SourceMgr &sources, CompileOptions options);

  /// Reads and checks the main buffer: model text (.mom) or IR (.mlir). Other buffers
  /// are files of schedules for a model.
  mlir::LogicalResult load();
  /// Runs the passes up to `stage`, at most Lowered.
  mlir::LogicalResult runTo(Stage stage);
  /// Prints the artefact of `stage`, which is at or past the input's.
  mlir::LogicalResult emit(Stage stage, llvm::raw_ostream &os);
  /// Object file of the whole program, with its one symbol.
  mlir::LogicalResult object(llvm::SmallVectorImpl<char> &bytes, bool assembly = false);
  /// The same of one model for several targets: a compilation for each.
  static mlir::LogicalResult objectOf(llvm::ArrayRef<Compiler *> targets,
                                      llvm::SmallVectorImpl<char> &bytes, bool assembly = false);
  /// Compiles and loads, or finds the program in the cache. What `describe` says of the
  /// lowered program is kept beside it, and comes with one that is found.
  mlir::FailureOr<Program> jit(llvm::function_ref<std::string(mlir::ModuleOp)> describe = {});

  /// The program's symbol is made of this name instead of the model's.
  void setName(llvm::StringRef given) { name = given.str(); }
  std::string symbol();
  /// Of what is compiled: the loss and these entries; before stage `split`.
  void keepOnly(std::vector<std::string> entries) {
    options.entries = std::move(entries);
    wantNext();
  }

  /// Tokens of a document, in batches that are not known yet.
  static constexpr int64_t kDocument = 1024;

  /// What backward saves, from most to least: the plans that --memory chooses from.
  struct Plan {
    int64_t recompute, checkpoint; ///< as in PipelineOptions
  };
  static llvm::ArrayRef<Plan> plans();
  /// The bytes that a training step takes with a plan; `scheduled` is shown its module of
  /// that stage. Before stage `grad`; nothing stays of it.
  mlir::FailureOr<int64_t> tryPlan(Plan plan,
                                   llvm::function_ref<void(mlir::ModuleOp)> scheduled = {});

  mlir::ModuleOp module() { return *ir; }
  Stage current() const { return stage; }
  /// Hash of the program's text and settings, as hexadecimal.
  std::string digest();

private:
  void wantNext();
  mlir::LogicalResult keepEntries();
  mlir::LogicalResult fitMemory();
  std::string cacheKey();
  mlir::LogicalResult dump(Stage stage);
  void printIr(llvm::raw_ostream &os, bool locations);
  mlir::LogicalResult printTable(llvm::raw_ostream &os);
  mlir::FailureOr<std::string> ptx();
  mlir::Location start(); ///< of the input
  mlir::InFlightDiagnostic error() { return mlir::emitError(start()); }

  mlir::MLIRContext &context;
  llvm::SourceMgr &sources;
  CompileOptions options;
  mlir::OwningOpRef<mlir::ModuleOp> ir;
  Stage stage = Stage::Mom;
  std::string name;
  std::string text; ///< canonical model text, if the input was that
};

/// What of the options concerns code.
CodeOptions codeOptions(const PipelineOptions &options);

/// Name of the model of a module, or "program".
llvm::StringRef modelName(mlir::ModuleOp module);

} // namespace mom
