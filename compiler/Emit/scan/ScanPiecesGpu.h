// The sequence of a GPU's scan, cut into pieces.
//
// A block walks some channels of a segment, so few long segments of few channels leave
// most of a device idle. With the knob `piece` a segment is cut into pieces of so many
// tokens, each walked by a block of its own, from states that two phases before find:
//
//     pieces    every piece but a segment's last is walked from zero: its states at the
//               end and the sum of its delta
//     carry     the states before each piece, in order: those before a piece decay by
//               exp(A sum of delta) and what the piece left is added
//     walk      every piece, from the states before it
//
// The walk back of a gradient carries G. It is a walk along the mirrored segment: from
// its end, of dy and C instead of u and B, in which what a token adds decays with it.
//
// That takes nearly twice the exponentials, and pays where whole segments leave most of
// the device idle. The same program sees both, so each block decides, from the segment
// table: a batch is cut if tokens times channels are fewer than those of its longest
// segment with `fill` channels. Whole segments have a function and a launch of their own:
// walked by the first of the pieces' blocks they took up to 1.7 times as long. Blocks of
// what is not to be done return at once, and batches of at most two pieces' tokens have
// the launch of whole segments only.
//
// Pieces are numbered as rows of `#mom.rows<chunk of piece>` are: the piece that begins
// at token i of the walk along segment s has row (start + i) / piece + s.
#pragma once

#include "compiler/Emit/scan/ScanTileGpu.h"

namespace mom {

/// Of workspaces: rows of every `tokens` tokens of a segment; one row a segment.
RowsAttr chunkRows(KernelBuilder &k, int64_t tokens);
RowsAttr segmentRows(KernelBuilder &k);
mlir::RankedTensorType rowsType(KernelBuilder &k, int64_t width, RowsAttr rows);

/// Tokens [first, end) of the walk along a segment.
struct Piece {
  mlir::Value number; ///< of the segment
  SegmentWalk walk;
  mlir::Value first, end;
  mlir::Value row; ///< among all pieces

  mlir::Value isFirst() const;
  mlir::Value isLast() const;
  /// The same tokens of the mirrored segment, whose walk begins where this one ends.
  Piece mirrored() const;
};

/// Which pieces there are.
class ScanPieces {
public:
  /// Pieces of a multiple of `unit` tokens.
  ScanPieces(KernelBuilder &k, const ScanOperands &op, int64_t unit);

  KernelBuilder &k;
  const ScanOperands op;
  const int64_t tokens; ///< of a piece; 0: segments are walked whole

  RowsAttr rows() const; ///< of workspaces that have a row a piece
  /// i1: whether segments are cut; anything where there are none. What it reads can be under
  /// way with what else tells a block whether there is work for it.
  mlir::Value isCut() const;
  /// The n-th longest segment, if there is one and the batch is not cut.
  void visitWhole(mlir::Value n, llvm::function_ref<void(const Piece &)> body) const;
  /// The piece of a row, if there is one and the batch is cut.
  void visitPiece(mlir::Value row, llvm::function_ref<void(const Piece &)> body) const;
  /// `factor` blocks for each segment, and `extra` times as many more.
  GridAttr gridOfWhole(int64_t extra, int64_t factor) const;
  /// Of what only batches have that are cut: `factor` blocks for each row of pieces
  /// ("chunk") or for each segment.
  GridAttr gridWhereCut(llvm::StringRef space, int64_t factor) const;

  /// A segment's pieces: how many where it is cut, and the row of the first.
  mlir::Value countOf(const Segment &segment) const { return k.ceilDiv(segment.length, tokens); }
  mlir::Value firstRow(const Segment &segment, mlir::Value number) const;
};

/// The states that a walk along each piece begins with; for a walk back, of the mirrored
/// pieces.
class PieceStates {
public:
  PieceStates(const ScanPieces &pieces, const ScanOperands &op, const ScanShape &shape, bool back)
      : k(pieces.k), pieces(pieces), op(op), shape(shape), back(back) {}

  /// Emits the two phases, if segments may be cut; `prefix` begins their names.
  void emit(llvm::StringRef prefix);
  /// Of a whole segment or a piece, mirrored for a walk back.
  Values ofSegment(const ScanTile &tile, const Piece &piece) const;
  Values ofPiece(const ScanTile &tile, const Piece &piece) const;

private:
  void walkPieces(llvm::StringRef name);
  void carry(llvm::StringRef name);
  void carrySegment(mlir::Value s, mlir::Value element);

  KernelBuilder &k;
  const ScanPieces &pieces;
  const ScanOperands op;
  const ScanShape shape;
  const bool back;
  unsigned ends = 0, sums = 0, starts = 0; ///< workspaces
};

} // namespace mom
