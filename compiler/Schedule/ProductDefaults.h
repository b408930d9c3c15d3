// Defaults of the knobs of GPU products: the unit that multiplies and its tile.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// What multiplies.
///   fma    f32 instructions: any types and sizes
///   mma    warps: mma.sync on bf16 or f16
///   wgmma  groups of four warps, operands in shared memory: Hopper only
///   tma    the same in blocks that stay: one warp copies tiles, two groups multiply
enum class ProductUnit : int64_t { Fma, Mma, Wgmma, Tma };

/// Lines of inputs for which a tile whose lines a convolution makes has room, beside one for
/// each of its lines.
inline constexpr int64_t kSpareLines = 48;

/// The type that tensor cores multiply in: the narrow one of the kernel's operands,
/// which the other is rounded to; null where they are f32 or of different narrow types.
mlir::Type productType(KernelOp kernel);

/// What the work after a mom.linear reads from memory, in rows and columns of its result.
mlir::SmallVector<mlir::Value> epilogueInputs(KernelOp kernel);

/// The knob's value for the kernel; knobs that its schedule gives are kept to.
int64_t productDefault(KernelOp kernel, llvm::StringRef knob, int64_t architecture);

/// Whether the knobs of a product by TMA leave so many bytes of shared memory; false of others.
bool leavesShared(KernelOp kernel, int64_t bytes);

} // namespace mom
