// Defaults of the knobs of map and reduce_rows kernels on GPUs, and what they are over.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// Channels of a vector: 16 bytes of the narrowest storage that the kernel reads or
/// writes in quantity.
int64_t defaultRowLanes(KernelOp kernel);

/// The lanes that vectors of `width` channels have: the greatest power of two, at most
/// `lanes`, that divides them.
int64_t lanesOfWidth(int64_t width, int64_t lanes);

/// A value of the rows that a map kernel is over; null if it is over static tensors.
mlir::Value rowsOfBody(KernelOp kernel);
/// Channels of the widest rows that a map kernel touches.
int64_t widestRow(KernelOp kernel);

/// Elements of a row that one thread of a map kernel keeps in registers at most.
inline constexpr int64_t kElementsInRegisters = 32;

/// Threads that share a row of a map kernel.
int64_t defaultTeam(KernelOp kernel);
int64_t defaultMapThreads(KernelOp kernel);
int64_t defaultTileRows(KernelOp kernel);
/// Vectors of each tensor that a thread has under way where all elements are alike.
int64_t defaultMapVectors(KernelOp kernel);
/// Elements of a block where all elements are alike, or of a partial sum of them.
int64_t defaultMapChunk(KernelOp kernel);

/// Whether a map kernel sums over rows; the parts it sums them in.
bool sumsRows(KernelOp kernel);
int64_t defaultMapParts(KernelOp kernel);

/// Parts of a group's rows that kernels sum one by one.
int64_t defaultSplits(KernelOp kernel);

} // namespace mom
