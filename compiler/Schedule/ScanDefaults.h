// Defaults of the knobs of scans on a GPU, which depend on the scan.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// 1 where all rows are bf16 and the states neither few nor many, but not of a walk along
/// with so many streams and channels that fma does.
int64_t scanUnit(KernelOp kernel);
/// Threads that share a channel, so that each holds four states or a few more, eight or more
/// of a walk of bf16 rows; two or a few more on tensor cores.
int64_t scanLanes(KernelOp kernel);
/// Threads of a block: on tensor cores, of all warps that share channels.
int64_t scanThreads(KernelOp kernel);
/// Tokens of a run: as many as shared memory takes without making blocks fewer.
int64_t scanTokens(KernelOp kernel, int64_t architecture);
/// Tokens that are walked without a branch: for a gradient, their states are in registers.
int64_t scanGroup(KernelOp kernel);
/// Blocks of a multiprocessor that have all the registers they could use between them.
int64_t scanResident(KernelOp kernel);
/// Of 16 exponentials of a walk forward of bf16 rows, those on the FMA pipe.
int64_t scanPolynomials(KernelOp kernel);
/// Tokens of a piece of a segment; 0 where the batches that the program is compiled for
/// fill the device with whole ones.
int64_t scanPiece(KernelOp kernel);
/// Channels, of all segments side by side, whose whole walks take as long as in pieces.
int64_t scanFill(KernelOp kernel);
/// 1 where u or delta come from f32 rows.
int64_t scanExact(KernelOp kernel);

/// Elements from a row to the next of tiles in shared memory that tensor cores work on, of f32
/// and of bf16: rows that are read together lie in different banks.
constexpr int64_t scanStride(int64_t columns) { return columns + 4; }
constexpr int64_t narrowScanStride(int64_t columns) { return columns + 8; }

} // namespace mom
