// Tensors and batches of the reference interpreter.
#include "dialect/reference/Interpreter.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mom;
using namespace mom::reference;

Tensor Tensor::zeros(ArrayRef<int64_t> shape, double fill) {
  int64_t size = 1;
  for (int64_t extent : shape)
    size *= extent;
  return {SmallVector<int64_t>(shape), std::vector<double>(size, fill)};
}

/// A counting sort by modality, stable by position.
void Batch::fillRoute() {
  offsets.assign(groups + 1, 0);
  for (int32_t m : modality)
    if (m >= 0 && m < groups)
      ++offsets[m + 1];
  for (int64_t g = 0; g < groups; ++g)
    offsets[g + 1] += offsets[g];
  std::vector<int64_t> next(offsets.begin(), offsets.end() - 1);
  row.assign(modality.size(), -1);
  position.assign(modality.size(), -1);
  for (size_t p = 0; p < modality.size(); ++p) {
    if (modality[p] < 0 || modality[p] >= groups)
      continue; // `check` reports it
    row[p] = next[modality[p]]++;
    position[row[p]] = p;
  }
}

std::string Batch::check() const {
  if (int64_t(modality.size()) != tokens)
    return llvm::formatv("expected a modality for each of {0} tokens, but got {1}", tokens,
                         modality.size());
  for (auto [p, m] : llvm::enumerate(modality))
    if (m < 0 || m >= groups)
      return llvm::formatv("expected a modality below {0}, but token {1} has {2}", groups, p, m);
  if (int64_t(offsets.size()) != groups + 1 || int64_t(row.size()) != tokens ||
      int64_t(position.size()) != tokens)
    return "expected a route for the tokens of the batch, but it has none";
  for (auto [i, segment] : llvm::enumerate(segments)) {
    if (segment.start < 0 || segment.length < 0 || segment.start + segment.length > tokens)
      return llvm::formatv("expected segment {0} within {1} tokens, but it is [{2}, {3})", i,
                           tokens, segment.start, segment.start + segment.length);
    for (int64_t state : {segment.initial, segment.final})
      if (state < -1 || state >= streams)
        return llvm::formatv("expected a state of segment {0} among {1} streams, but got {2}", i,
                             streams, state);
  }
  return {};
}

int64_t reference::countRows(const Batch &batch, RowsAttr rows) {
  switch (rows.getSpace()) {
  case RowSpace::token:
    return batch.tokens;
  case RowSpace::stream:
    return batch.streams;
  case RowSpace::document:
    return batch.documents;
  case RowSpace::chunk:
    return batch.tokens / rows.getChunk() + int64_t(batch.segments.size());
  case RowSpace::copy:
    return batch.tokens * rows.getChunk();
  }
  return -1;
}

SmallVector<int64_t> reference::shapeFor(RankedTensorType type, const Batch *batch) {
  SmallVector<int64_t> shape(type.getShape());
  int64_t rows = batch && isRows(type) ? countRows(*batch, rowsOf(type)) : -1;
  if (rows >= 0)
    shape[0] = rows;
  return shape;
}
