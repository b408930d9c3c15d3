// The story of a compilation: its stages, by the names the command line uses.
#pragma once

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace mom {

/// Each stage is an artefact that can be printed, edited and continued from.
enum class Stage {
  Ast,       ///< canonical model text
  Mom,       ///< the model in the dialect
  Grad,      ///< with joint functions, a gradient and an update
  Ordered,   ///< every row tensor has an order
  Split,     ///< joint functions cut into forward and backward
  Fused,     ///< all work is in kernels
  Stored,    ///< kernel boundaries have storage types
  Scheduled, ///< kernels have their knobs
  Lowered,   ///< kernels are functions of scf, vector and llvm; launches name them
  Asm,       ///< machine code, as text
  Ptx,       ///< the kernels for a GPU, as text
  Table,     ///< the launch table, as text
};

struct StageInfo {
  Stage stage;
  llvm::StringLiteral name, sentence;
};
/// All stages, in order.
llvm::ArrayRef<StageInfo> stages();
std::optional<Stage> stageNamed(llvm::StringRef name);
llvm::StringRef nameOf(Stage stage);

struct PipelineOptions {
  std::string order = "auto";    ///< of token rows: auto, modality, position
  std::string storage = "auto";  ///< a precision line; model: the train block's; auto: that on
                                 ///< a GPU, f32 on a CPU
  std::string target = "cpu";    ///< of the kernels: cpu, or a GPU as "sm_90a"
  std::string cpu = "native";    ///< for which to generate code
  bool emulate = false;          ///< run a GPU's kernels on the CPU, for tests
  bool strict = false;           ///< a GPU kernel that spills registers is an error
  int64_t checkpoint = 0;        ///< tokens between two saved states of a scan; 0: by target
  int64_t recompute = 1;         ///< in backward: 0 nothing, 1 for time, 2 and 3 for less memory
  int64_t memory = 0;            ///< bytes for a training step: chooses the two above; 0: any
  int64_t fuse = 1;              ///< ops into kernels: 0 none, 1 all that is known to pay, 2 all
                                 ///< that can, for the fewest launches
  bool training = true;          ///< make the gradient and update functions
  bool next = false;             ///< make the function that goes on with sequences
};

/// Calls `visit` with the value of each option: a field that is not listed here does not
/// compile, so what depends on all options cannot miss one.
template <typename Visitor> void forEachOption(const PipelineOptions &options, Visitor visit) {
  const auto &[order, storage, target, cpu, emulate, strict, checkpoint, recompute, memory, fuse,
               training, next] = options;
  auto each = [&](const auto &...values) { (visit(values), ...); };
  each(order, storage, target, cpu, emulate, strict, checkpoint, recompute, memory, fuse, training,
       next);
}

inline bool isGpu(const PipelineOptions &options) { return options.target != "cpu"; }

/// "sm_90a" as 90: 10 times the major architecture plus the minor; 0 for a name
/// that is no GPU's.
int64_t architectureOf(llvm::StringRef target);

/// Adds the passes that make `stage` (Grad .. Lowered) from the one before it.
void addStage(Stage stage, mlir::OpPassManager &passes, const PipelineOptions &options);

} // namespace mom
