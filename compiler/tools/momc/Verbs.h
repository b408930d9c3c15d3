// The verbs of momc and the options they share.
#pragma once

#include "compiler/api/Compiler.h"
#include "runtime/Gpus.h"
#include "runtime/Session.h"

#include "llvm/Support/CommandLine.h"

namespace mom::tool {

// Groups of options, by what they are about. A verb takes all of a group; those of
// verbOptions, one by one.
extern llvm::cl::OptionCategory verbOptions, modelOptions, compileOptions, codeOptions, runOptions,
    deviceOptions, trainOptions, timingOptions, gradcheckOptions, generateOptions, explainOptions,
    artefactOptions, checkOptions, formatOptions;

/// Numbers from `low` to `high`; others are refused where the option is read.
template <long long low, long long high> struct Within : llvm::cl::parser<long long> {
  using parser::parser;
  bool parse(llvm::cl::Option &option, llvm::StringRef name, llvm::StringRef text,
             long long &value) {
    if (!text.getAsInteger(0, value) && value >= low && value <= high)
      return false;
    std::string most =
        high == std::numeric_limits<long long>::max() ? " or more" : " to " + std::to_string(high);
    return option.error("expected " + llvm::Twine(low) + most + ", but got " + text);
  }
  llvm::StringRef getValueName() const override { return "number"; }
};
template <long long low, long long high = std::numeric_limits<long long>::max()>
using Number = llvm::cl::opt<long long, false, Within<low, high>>;

extern std::string input;                     ///< the model
extern llvm::cl::opt<std::string> checkpoint; ///< of parameters: a file or a run's folder
extern llvm::cl::opt<std::string> output;     ///< -o; "-" if there is none
extern llvm::cl::opt<std::string> jsonFile;   ///< of bench and check; "-" for standard output
extern llvm::cl::list<std::string> entryNames;
extern llvm::cl::opt<uint64_t> seed;
extern llvm::cl::opt<std::string> target;     ///< of the kernels
extern llvm::cl::opt<bool> verifyDiagnostics, splitInput, emulate;

// One function a verb; each returns the exit status.
int check();
int fmt();
int emit();
int schedule();
int compile();
int train();
int eval();
int run();
int generate();
int interpret();
int gradcheck();
int bench();
int profile();

/// What is wrong with options that verbs share; 1 after a message.
int checkSharedOptions();

/// The entries of --entry, for a compilation that ends with stage `last`; a failure after a
/// message where they would choose nothing.
mlir::FailureOr<std::vector<std::string>> entriesToKeep(Stage last);

/// What the command line says about compiling.
CompileOptions compileOptionsFromCommandLine();
momrt::SessionOptions sessionOptions();

/// Adds the files of --schedule to a model's sources; 1 after a message.
int addSchedules(llvm::SourceMgr &sources);

/// Makes --target fit --device; 1 after a message if there is no such device.
int chooseDevice();
/// What of a session concerns its device.
void setDevice(momrt::SessionOptions &options);
/// The GPU that was chosen.
const std::optional<momrt::Gpu> &chosenGpu();

/// A model's text with everything that compiling it needs.
class ModelFile {
public:
  /// Opens the input, to compile the loss and `entries` (empty: everything). False
  /// after a message.
  explicit ModelFile(std::vector<std::string> entries = {});
  /// The same for that target instead of --target's.
  ModelFile(std::vector<std::string> entries, llvm::StringRef target);
  explicit operator bool() const { return static_cast<bool>(compiler); }
  Compiler *operator->() { return compiler.get(); }
  llvm::StringRef target() const { return forTarget; }
  /// Warnings are said by another one.
  void keepQuiet();

private:
  std::string forTarget;
  mlir::MLIRContext context;
  llvm::SourceMgr sources;
  std::unique_ptr<mlir::SourceMgrDiagnosticHandler> handler;
  std::optional<mlir::ScopedDiagnosticHandler> filter;
  std::unique_ptr<Compiler> compiler;
};

/// Opens, compiles and loads the model.
mlir::FailureOr<Program> compileModel(ModelFile &model);

/// Writes a file under a temporary name and renames it; 1 after a message.
int writeFile(llvm::StringRef path, llvm::StringRef content);

/// Prints "momc: error: TEXT" and returns 1.
int fail(const llvm::Twine &text);
/// Prints "momc: warning: TEXT".
void warn(const llvm::Twine &text);
/// That parameters are not those of a training run.
void warnOfNoCheckpoint();

} // namespace mom::tool
