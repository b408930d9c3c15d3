// Places buffers with known lifetimes into slots of one arena.
#include "compiler/Target/ArenaPlan.h"

#include "dialect/Mom.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace mom;

momrt_count mom::countOf(Type type) {
  RowsAttr rows = rowsOf(type);
  if (!rows)
    return MOMRT_COUNT_ONE;
  switch (rows.getSpace()) {
  case RowSpace::token:
  case RowSpace::copy:
  case RowSpace::chunk: // also depends on segments: see sizeOf
    return MOMRT_COUNT_TOKEN;
  case RowSpace::stream:
    return MOMRT_COUNT_STREAM;
  case RowSpace::document:
    return MOMRT_COUNT_DOCUMENT;
  }
  llvm_unreachable("all spaces are named");
}

/// Bytes that one thread of a GPU loads or stores at a time, at most.
static constexpr int64_t kWidestAccess = 16;

momrt_slot mom::sizeOf(Type type) {
  momrt_slot size = {};
  auto tensor = cast<RankedTensorType>(type);
  int64_t element = llvm::divideCeil(tensor.getElementTypeBitWidth(), 8);
  RowsAttr rows = rowsOf(type);
  if (!rows) {
    size.bytes[MOMRT_COUNT_ONE] = element * tensor.getNumElements();
    return size;
  }
  int64_t row = element * channelsOf(type);
  if (rows.getSpace() == RowSpace::chunk) { // at most tokens / chunk + segments rows
    // In a stack the next round's rows follow: they must begin as aligned as rows are.
    size.bytes[MOMRT_COUNT_TOKEN] = llvm::alignTo(llvm::divideCeil(row, rows.getChunk()),
                                                  std::gcd<int64_t>(row, kWidestAccess));
    size.bytes[MOMRT_COUNT_SEGMENT] = row;
    return size;
  }
  size.bytes[countOf(type)] = rows.getSpace() == RowSpace::copy ? row * rows.getChunk() : row;
  return size;
}

momrt_slot mom::scaled(const momrt_slot &size, int64_t factor) {
  momrt_slot result = size;
  for (int64_t &bytes : result.bytes)
    bytes *= factor;
  return result;
}

unsigned ArenaPlan::add(const momrt_slot &size, int64_t first) {
  buffers.push_back({size, first, first, 0});
  return buffers.size() - 1;
}

void ArenaPlan::readAt(unsigned buffer, int64_t time) {
  buffers[buffer].last = std::max(buffers[buffer].last, time);
}

/// What a size mostly grows with: slots are shared within a kind only, so that
/// small tensors do not sit in slots that grow with the batch.
static unsigned kindOf(const momrt_slot &size) {
  for (unsigned c = MOMRT_COUNT_TOKEN; c < MOMRT_COUNTS; ++c)
    if (size.bytes[c])
      return c;
  return MOMRT_COUNT_ONE;
}

/// Bytes by which a slot must grow for `need`, and the bytes it wastes.
static std::pair<int64_t, int64_t> misfit(const momrt_slot &slot, const momrt_slot &need) {
  int64_t grow = 0, waste = 0;
  for (unsigned c = 0; c < MOMRT_COUNTS; ++c) {
    grow += std::max<int64_t>(need.bytes[c] - slot.bytes[c], 0);
    waste += std::max<int64_t>(slot.bytes[c] - need.bytes[c], 0);
  }
  return {grow, waste};
}

void ArenaPlan::assignEntry() {
  SmallVector<unsigned> order;
  for (unsigned i = assigned; i < buffers.size(); ++i)
    order.push_back(i);
  llvm::sort(order, [&](unsigned a, unsigned b) {
    return std::pair(buffers[a].first, a) < std::pair(buffers[b].first, b);
  });
  SmallVector<int64_t> busyUntil(sizes.size(), -1); // of each slot, in this entry
  for (unsigned i : order) {
    Buffer &buffer = buffers[i];
    std::optional<unsigned> best;
    for (unsigned s = 0; s < sizes.size() && buffer.last != kForever; ++s) {
      // A kernel may read a buffer while it writes another, so the lifetimes
      // must not touch.
      if (pinned[s] || busyUntil[s] >= buffer.first || kindOf(sizes[s]) != kindOf(buffer.size))
        continue;
      if (!best || misfit(sizes[s], buffer.size) < misfit(sizes[*best], buffer.size))
        best = s;
    }
    if (!best) {
      best = sizes.size();
      sizes.push_back(buffer.size);
      pinned.push_back(buffer.last == kForever);
      busyUntil.push_back(-1);
    }
    for (unsigned c = 0; c < MOMRT_COUNTS; ++c)
      sizes[*best].bytes[c] = std::max(sizes[*best].bytes[c], buffer.size.bytes[c]);
    busyUntil[*best] = buffer.last;
    buffer.slot = *best;
  }
  assigned = buffers.size();
}
