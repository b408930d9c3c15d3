// All passes of momc, phase by phase: for Pipeline.cpp and the tools. A phase
// includes its own generated header only.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mom {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/Autodiff/Passes.h.inc"
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/TokenOrder/Passes.h.inc"
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/Fusion/Passes.h.inc"
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/Schedule/Passes.h.inc"
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/Emit/Passes.h.inc"

/// Registers every pass for command lines.
inline void registerPasses() {
  registerAutodiffPasses();
  registerTokenOrderPasses();
  registerFusionPasses();
  registerSchedulePasses();
  registerEmitPasses();
}

} // namespace mom
