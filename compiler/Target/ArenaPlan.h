// Places buffers with known lifetimes into slots of one arena.
#pragma once

#include "momrt/table.h"

#include "mlir/IR/Types.h"
#include "llvm/ADT/SmallVector.h"

#include <limits>

namespace mom {

/// Bytes of a tensor as a linear form in the counts of the shape class.
momrt_slot sizeOf(mlir::Type type);
momrt_slot scaled(const momrt_slot &size, int64_t factor);
momrt_count countOf(mlir::Type rows);

class ArenaPlan {
public:
  static constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

  /// A buffer written at time `first`; its id.
  unsigned add(const momrt_slot &size, int64_t first);
  void readAt(unsigned buffer, int64_t time);
  /// The buffer outlives its entry, and shares memory with no other.
  void keep(unsigned buffer) {
    buffers[buffer].first = -kForever;
    buffers[buffer].last = kForever;
  }

  /// Gives each buffer a slot. Entries do not run at the same time: times go on from one to
  /// the next.
  void assign();

  unsigned slotOf(unsigned buffer) const { return buffers[buffer].slot; }
  llvm::ArrayRef<momrt_slot> slots() const { return sizes; }

private:
  struct Buffer {
    momrt_slot size;
    int64_t first, last;
    unsigned slot;
  };
  llvm::SmallVector<Buffer> buffers;
  llvm::SmallVector<momrt_slot> sizes; // of slots
};

} // namespace mom
