// The knob table (Knobs.def) as data.
#pragma once

#include "dialect/Mom.h"

namespace mom {

struct Knob {
  llvm::StringRef name;
  Anchor anchor;
  llvm::StringRef target;            ///< family: "cpu" or "gpu"
  int64_t least, greatest;
  int64_t (*defaultFor)(KernelOp kernel, int64_t width, int64_t architecture);
  llvm::StringRef sentence;
};

/// Of the GPUs that defaults are for.
inline constexpr int64_t kMultiprocessors = 132;
/// Bytes of shared memory that each of so many blocks of a multiprocessor can have.
int64_t sharedBytes(int64_t architecture, int64_t blocks = 1);
/// What is compiled for a target: kernels use what Hopper's GPUs have and later ones have not,
/// and all of them are sm_90a.
inline llvm::StringRef compiledTarget(llvm::StringRef target) {
  return target == "sm_90" ? "sm_90a" : target;
}

llvm::ArrayRef<Knob> allKnobs();
/// A knob that the kernel's schedule gives, or its default.
int64_t given(KernelOp kernel, llvm::StringRef name, int64_t otherwise);
/// f32 lanes of the host's vectors.
int64_t hostVectorWidth();
/// f32 lanes of a named CPU ("native", "x86-64-v3", ...).
int64_t vectorWidthOf(llvm::StringRef cpu);

/// Reports the knobs of its anchor and target that the kernel's schedule lacks.
mlir::LogicalResult verifySchedule(KernelOp kernel, llvm::StringRef target);

} // namespace mom
